"""What is done in a SQLite store as time passes, and the note of who has a socket."""

import sqlite3
from collections.abc import Callable, Collection

import orjson

from enforcer.domain.policy import REMEMBER_FOR
from enforcer.store.sqlite.logs import TRIMMED, Read
from enforcer.store.sqlite.statements import WERE_PRESENT
from enforcer.store.sqlite.writer import Run

EMPTY_ROOM = (
    "DELETE FROM rooms WHERE room = ?1 AND waiting = '[]' AND NOT EXISTS (SELECT 1 FROM sessions WHERE room = ?1)"
)
"""Forgets a room that nothing is known of any more."""


class SQLiteUpkeep:
    """See `store.base.Upkeep` and `store.base.PresenceLog` for what each method promises."""

    def __init__(self, read: Read, run: Run, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        """`changed` is called after a commit that may have changed any session."""
        self._read = read
        self._run = run
        self._clock = clock
        self._changed = changed
        self._present: set[int] = set()
        """Shares that were noted with somebody in them."""

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        deadline = "absolute_at" if absolute_only else "due_at"
        found = self._read(
            f"SELECT room FROM sessions WHERE ended_at IS NULL AND {deadline} <= ? ORDER BY {deadline} LIMIT ?",
            now,
            limit,
        )
        return list(dict.fromkeys(room for (room,) in found))

    async def purge(self, before: float, limit: int) -> int:
        forgotten = self._clock() - REMEMBER_FOR

        def work(connection: sqlite3.Connection) -> int:
            gone = connection.execute(
                "DELETE FROM sessions WHERE id IN "
                "(SELECT id FROM sessions WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?) "
                "RETURNING room",
                (before, limit),
            ).fetchall()
            trimmed = connection.execute(
                "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < ? ORDER BY at LIMIT ?) RETURNING seq",
                (before, 4 * limit),
            ).fetchall()
            if trimmed:
                connection.execute(TRIMMED, max(trimmed))
            connection.execute("DELETE FROM answers WHERE at <= ?", (forgotten,))
            connection.executemany(EMPTY_ROOM, list(dict.fromkeys(gone)))
            return len(gone)

        count: int = await self._run(work)
        return count

    async def forget(self, room: str, sessions: Collection[str]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            ids = [(session,) for session in sessions]
            connection.executemany("DELETE FROM sessions WHERE id = ? AND ended_at IS NOT NULL", ids)
            connection.execute(EMPTY_ROOM, (room,))

        await self._run(work)

    async def beat(self, now: float) -> None:
        await self._run(lambda c: c.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('beat', ?)", (now,)))

    async def last_beat(self) -> float | None:
        found = self._read("SELECT value FROM meta WHERE name = 'beat'")
        return float(found[0][0]) if found else None

    async def postpone(
        self, seconds: float, since: float, skip: Collection[str], after: str | None, limit: int
    ) -> str | None:
        def work(connection: sqlite3.Connection) -> str | None:
            ids = connection.execute(
                "SELECT id FROM sessions WHERE id > ? AND ended_at IS NULL AND last_active_at <= ? ORDER BY id LIMIT ?",
                (after or "", since, limit),
            ).fetchall()
            connection.executemany(
                "UPDATE sessions SET idle_at = idle_at + ?, lost_at = lost_at + ? WHERE id = ?",
                [(seconds, seconds, i) for (i,) in ids if i not in skip],
            )
            return ids[-1][0] if len(ids) == limit else None

        last: str | None = await self._run(work, lambda _: self._changed())
        return last

    async def present(self, share: int, sessions: Collection[str], now: float) -> None:
        if not sessions and share not in self._present:
            return
        self._present.add(share) if sessions else self._present.discard(share)
        row = (share, now, orjson.dumps(list(sessions)).decode())
        await self._run(lambda c: c.execute("INSERT OR REPLACE INTO presence VALUES (?, ?, ?)", row))

    async def take_presence(self, alive_window: float) -> None:
        noted = self._read("SELECT at, sessions FROM presence")
        if not noted:
            return

        def work(connection: sqlite3.Connection) -> None:
            for at, sessions in noted:
                connection.execute(WERE_PRESENT, (at, at + alive_window, sessions, at))
            connection.execute("DELETE FROM presence")

        await self._run(work, lambda _: self._changed())
