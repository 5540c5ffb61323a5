"""The logs of a SQLite store: sessions by their start, audit rows by their number."""

from collections.abc import Awaitable, Callable
from typing import Any

from enforcer.domain.model import AuditRow, Snapshot
from enforcer.store import rows
from enforcer.store.cursors import Cursor
from enforcer.store.queries import AuditPart, AuditQuery, SessionQuery
from enforcer.store.sqlite.outbox import SQLiteOutbox

_DEVICE = ", ".join(f"json_extract(s.device, '$[{n}]')" for n in range(3))
"""A device's label, class and id."""

Read = Callable[..., list[Any]]
"""All rows of a query with these values; raises `StoreUnavailable`."""

_NEWEST = (
    "(SELECT coalesce(max(o.epoch), 0) FROM sessions o "
    "WHERE o.room = s.room AND o.ended_at IS NULL AND o.slot IS s.slot AND NOT o.exempt)"
)
SESSION = ", ".join(f"s.{column}" for column in rows.COLUMNS.split(", "))
"""A session's columns, where the table is called `s`."""
SNAPSHOT = f"SELECT {SESSION}, {_NEWEST} FROM sessions s"


def snapshot_of(row: tuple[Any, ...]) -> Snapshot:
    """From a row of `SNAPSHOT`."""
    return Snapshot(rows.session_of(row), row[-1])


_END = """
    SELECT (SELECT value FROM meta WHERE name = 'log'), (SELECT value FROM meta WHERE name = 'trimmed'),
           (SELECT seq FROM sqlite_sequence WHERE name = 'audit')
"""
"""Which log this is, the number of the last row that was forgotten, and of the last that was written."""
NAMED = "INSERT OR IGNORE INTO meta (name, value) VALUES ('log', lower(hex(randomblob(8))))"
"""Gives the log its name, once."""
TRIMMED = """
    INSERT INTO meta (name, value) VALUES ('trimmed', ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""


class SQLiteLogs:
    """See `store.base.Logs` for what each method promises."""

    def __init__(self, read: Read, count_open: Callable[[], Awaitable[int]], outbox: SQLiteOutbox) -> None:
        self._read = read
        self._count_open = count_open
        self._outbox = outbox

    @property
    def outbox(self) -> SQLiteOutbox:
        """Where webhooks have come to."""
        return self._outbox

    async def open_sessions(self) -> int:
        """How many there are."""
        return await self._count_open()

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        """The session log."""
        conditions: list[tuple[str, tuple[Any, ...]]] = [("s.claimed = 1", ())]
        if query.room is not None:
            conditions.append(("s.room = ?", (query.room,)))
        if query.open is not None:
            conditions.append(("s.ended_at IS NULL" if query.open else "s.ended_at IS NOT NULL", ()))
        if query.reason is not None:
            conditions.append(("s.end_reason = ?", (query.reason,)))
        if query.since is not None:
            conditions.append(("s.started_at >= ?", (query.since,)))
        if query.until is not None:
            conditions.append(("s.started_at < ?", (query.until,)))
        if query.slot is not None:
            conditions.append(("s.slot IS ?", (query.slot or None,)))
        if query.device is not None:
            conditions.append((f"? IN ({_DEVICE})", (query.device,)))
        if query.rooms:
            conditions.append(("instr(s.room, ?) = 1", (query.rooms,)))
        if query.after is not None:
            conditions.append((f"(s.started_at, s.id) {'<' if query.newest else '>'} (?, ?)", query.after))
        where = f"WHERE {' AND '.join(condition for condition, _ in conditions)}"
        values = [value for _, given in conditions for value in given]
        order = "s.started_at DESC, s.id DESC" if query.newest else "s.started_at, s.id"
        sql = f"{SNAPSHOT} {where} ORDER BY {order} LIMIT ?"
        return [snapshot_of(row) for row in self._read(sql, *values, query.limit)]

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        """The audit log."""
        room = query.room
        if room is None and query.session is not None:  # it is indexed by room
            found = self._read("SELECT room FROM sessions WHERE id = ?", query.session)
            room = found[0][0] if found else None
        conditions: list[tuple[str, Any]] = [("seq > ?", query.after)]
        if query.newest:
            conditions = [("seq < ?", query.after)] if query.after else []
        bounds = (("at >= ?", query.since), ("at < ?", query.until))
        for condition, value in (("room = ?", room), ("session = ?", query.session), *bounds):
            if value is not None:
                conditions.append((condition, value))
        if query.rooms:
            conditions.append(("instr(room, ?) = 1", query.rooms))
        where = " AND ".join(["1", *(condition for condition, _ in conditions)])
        order = "seq DESC" if query.newest else "seq"
        sql = f"SELECT seq, {rows.AUDIT_COLUMNS} FROM audit WHERE {where} ORDER BY {order} LIMIT ?"
        return [rows.audit_of(row) for row in self._read(sql, *(value for _, value in conditions), query.limit)]

    async def audit_after(self, cursor: Cursor | None, limit: int) -> AuditPart | None:
        """The audit log behind a cursor. Rows first: what is forgotten meanwhile is noticed after them."""
        after = 0 if cursor is None else cursor.places[0]
        sql = f"SELECT seq, {rows.AUDIT_COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
        found = self._read(sql, after, 0 if cursor is None else limit)
        ((log, trimmed, last),) = self._read(_END)
        if cursor is None:
            return AuditPart((), Cursor(log, (last or 0,)))
        if cursor.log != log or not (trimmed or 0) <= after <= (last or 0):
            return None
        behind = tuple((rows.audit_of(row), Cursor(log, (row[0],))) for row in found)
        return AuditPart(behind, behind[-1][1] if behind else cursor, more=len(behind) >= limit)
