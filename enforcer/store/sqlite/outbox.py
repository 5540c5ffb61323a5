"""What a SQLite store knows of webhooks."""

import sqlite3
from collections.abc import Callable, Collection
from typing import Any

from enforcer.domain.deliveries import Delivery, HookState, Settlement
from enforcer.store.sqlite.writer import Run

_COLUMNS = "id, room, at, body, tries, due_at, status, error, tried_at"
"""Of a delivery, in the order of `Delivery`'s fields."""
_FIND_AT_ONCE = 500


class SQLiteOutbox:
    """See `store.base.Outbox` for what each method promises."""

    def __init__(self, read: Callable[..., list[Any]], run: Run) -> None:
        self._read = read
        self._run = run

    async def begin(self, hook: str, cursor: str) -> None:
        await self._run(lambda c: c.execute("INSERT OR IGNORE INTO hooks (name, cursor) VALUES (?, ?)", (hook, cursor)))

    async def hooks(self) -> dict[str, HookState]:
        found = self._read("SELECT name, cursor, failing_since, status, off FROM hooks")
        return {name: HookState(*state) for name, *state in found}

    async def settle(self, hook: str, change: Settlement) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if change.cursor is not None:
                connection.execute("UPDATE hooks SET cursor = ? WHERE name = ?", (change.cursor, hook))
            if change.health is not None:
                connection.execute(
                    "UPDATE hooks SET failing_since = ?, status = ? WHERE name = ?", (*change.health, hook)
                )
            if change.off is not None:
                connection.execute("UPDATE hooks SET off = ? WHERE name = ?", (change.off, hook))
            connection.executemany(
                f"INSERT OR REPLACE INTO deliveries (hook, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(hook, *delivery) for delivery in change.put],
            )
            connection.executemany(
                "DELETE FROM deliveries WHERE hook = ? AND id = ?", [(hook, id_) for id_ in change.done]
            )

        await self._run(work)

    async def due(self, hook: str, until: float, limit: int) -> list[Delivery]:
        return self._deliveries("due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, id LIMIT ?", hook, until, limit)

    async def dead(self, hook: str, after: str | None, limit: int) -> list[Delivery]:
        place = await self.find(hook, [] if after is None else [after])
        behind, values = ("AND (at, id) > (?, ?)", (place[0].at, place[0].id)) if place else ("", ())
        return self._deliveries(f"due_at IS NULL {behind} ORDER BY at, id LIMIT ?", hook, *values, limit)

    async def count_dead(self, hook: str) -> int:
        count: int = self._read("SELECT count(*) FROM deliveries WHERE hook = ? AND due_at IS NULL", hook)[0][0]
        return count

    async def find(self, hook: str, ids: Collection[str]) -> list[Delivery]:
        wanted, found = list(ids), []
        for first in range(0, len(wanted), _FIND_AT_ONCE):
            part = wanted[first : first + _FIND_AT_ONCE]
            found += self._deliveries(f"id IN ({', '.join('?' * len(part))})", hook, *part)
        return found

    def _deliveries(self, where: str, hook: str, *values: Any) -> list[Delivery]:
        rows = self._read(f"SELECT {_COLUMNS} FROM deliveries WHERE hook = ? AND {where}", hook, *values)
        return [Delivery(*row) for row in rows]
