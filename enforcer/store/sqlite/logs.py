"""The logs of a SQLite store: sessions by their start, audit rows by their number."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from enforcer.domain.model import AuditRow, Snapshot
from enforcer.store import rows
from enforcer.store.cursors import Cursor
from enforcer.store.queries import AuditPart, AuditQuery, FoundAudit, FoundSessions, Searched, SessionQuery
from enforcer.store.sqlite.outbox import SQLiteOutbox

_DEVICE = ", ".join(f"json_extract(s.device, '$[{n}]')" for n in range(3))
"""A device's label, class and id."""

Read = Callable[..., list[Any]]
"""All rows of a query with these values; raises `StoreUnavailable`."""

First = Callable[[str, tuple[Any, ...]], Awaitable[Any]]
"""The first row of a search that may take long; raises `StoreUnavailable`."""

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


PORTION = 20_000
"""Rows that are searched in one go: some ten milliseconds of a thread."""
ROWS_AT_ONCE = 50
"""Rows that are read in one go on the event loop's thread: a millisecond or two."""
_BEHIND = "\U0010ffff"
"""Comes after every id."""
_FOUND_IDS = "SELECT json_group_array(id) FROM (SELECT s.id FROM sessions s"
_FOUND_ROWS = "SELECT json_group_array(seq) FROM (SELECT seq FROM audit"
_ENDS = "SELECT coalesce((SELECT min(seq) FROM audit), 1), coalesce((SELECT max(seq) FROM audit), 0)"
_BY_IDS = f"{SNAPSHOT} WHERE s.id IN (SELECT value FROM json_each(?))"
_BY_NUMBERS = f"SELECT seq, {rows.AUDIT_COLUMNS} FROM audit WHERE seq IN (SELECT value FROM json_each(?))"

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

    def __init__(
        self, read: Read, first: First, count_open: Callable[[], Awaitable[int]], outbox: SQLiteOutbox
    ) -> None:
        self._read = read
        self._first = first
        self._count_open = count_open
        self._outbox = outbox

    @property
    def outbox(self) -> SQLiteOutbox:
        """Where webhooks have come to."""
        return self._outbox

    async def open_sessions(self) -> int:
        """How many there are."""
        return await self._count_open()

    # ---- sessions ------------------------------------------------------------------------------

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        """The session log."""
        return (await self.search_sessions(query, math.inf)).rows

    async def search_sessions(self, query: SessionQuery, seconds: float) -> FoundSessions:
        """The session log, a portion after the other: ids are searched for, then their records are read."""
        wanted, values = _session_filter(query)
        found: list[Snapshot] = []
        end = time.monotonic() + seconds
        place, size = query.after, query.limit  # enough, if all are wanted
        while True:
            edge = None if query.room is not None else await self._edge(query, place, size)
            portion, bounds = _bounds(query, place, edge)
            sql = f"{_FOUND_IDS} WHERE {' AND '.join((*wanted, *portion))} {_order(query)} LIMIT ?)"
            (ids,) = await self._first(sql, (*values, *bounds, query.limit - len(found)))
            found += await self._snapshots(ids, query.newest)
            if edge is None or len(found) >= query.limit:
                return Searched(found)
            place, size = (edge, "" if query.newest else _BEHIND), PORTION
            if time.monotonic() >= end:
                return Searched(found, place, edge)

    async def _edge(self, query: SessionQuery, place: tuple[float, str] | None, size: int) -> float | None:
        """Up to which start the next portion, of so many sessions, goes; None if it is the last."""
        conditions, values = _bounds(query, None, None)
        if place is not None:
            conditions, values = (*conditions, f"s.started_at {'<' if query.newest else '>'} ?"), (*values, place[0])
        where = " AND ".join(("1", *conditions))
        order = f"s.started_at{' DESC' if query.newest else ''}"
        sql = f"SELECT s.started_at FROM sessions s WHERE {where} ORDER BY {order} LIMIT 1 OFFSET ?"
        row = await self._first(sql, (*values, size))
        return None if row is None else row[0]

    async def _snapshots(self, ids: str, newest: bool) -> list[Snapshot]:
        """The records of these sessions, in their order; one may have been forgotten meanwhile."""
        found = [snapshot_of(row) async for row in self._read_by(_BY_IDS, ids)]
        return sorted(found, key=lambda s: (s.session.started_at, s.session.id), reverse=newest)

    # ---- audit ---------------------------------------------------------------------------------

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        """The audit log."""
        return (await self.search_audit(query, math.inf)).rows

    async def search_audit(self, query: AuditQuery, seconds: float) -> FoundAudit:
        """The audit log, likewise; its rows are numbered without many gaps, so a portion is so many numbers."""
        room = query.room
        if room is None and query.session is not None:  # it is indexed by room
            home = self._read("SELECT room FROM sessions WHERE id = ?", query.session)
            room = home[0][0] if home else None
        wanted, values = _audit_filter(query, room)
        ((first, last),) = self._read(_ENDS)
        low = max(first, query.after + 1) if not query.newest else first
        high = min(last, query.after - 1) if query.newest and query.after else last
        found: list[AuditRow] = []
        end = time.monotonic() + seconds
        while low <= high:
            size = high - low + 1 if room is not None else PORTION
            part = (max(low, high - size + 1), high) if query.newest else (low, min(high, low + size - 1))
            sql = f"{_FOUND_ROWS} WHERE {' AND '.join(wanted)} {_seq_order(query)} LIMIT ?)"
            (numbers,) = await self._first(sql, (*part, *values, query.limit - len(found)))
            found += await self._audit_rows(numbers, query.newest)
            if len(found) >= query.limit:
                break
            low, high = (low, part[0] - 1) if query.newest else (part[1] + 1, high)
            if low <= high and time.monotonic() >= end:
                edge = part[0] if query.newest else part[1]
                row = self._read("SELECT at FROM audit WHERE seq >= ? ORDER BY seq LIMIT 1", edge)
                return Searched(found, edge, row[0][0] if row else None)
        return Searched(found)

    async def _audit_rows(self, numbers: str, newest: bool) -> list[AuditRow]:
        """The rows of these numbers, in their order; one may have been forgotten meanwhile."""
        found = [rows.audit_of(row) async for row in self._read_by(_BY_NUMBERS, numbers)]
        return sorted(found, key=lambda row: row.seq, reverse=newest)

    async def _read_by(self, sql: str, keys: str) -> AsyncIterator[Any]:
        """The rows of these keys, some at a time; in between others have their turn."""
        every = orjson.loads(keys)
        for first in range(0, len(every), ROWS_AT_ONCE):
            for row in self._read(sql, orjson.dumps(every[first : first + ROWS_AT_ONCE]).decode()):
                yield row
            await asyncio.sleep(0)

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


Conditions = tuple[tuple[str, ...], tuple[Any, ...]]
"""Conditions and their values."""


def _conditions(*given: tuple[str, tuple[Any, ...]] | None) -> Conditions:
    there = [one for one in given if one is not None]
    return tuple(text for text, _ in there), tuple(value for _, values in there for value in values)


def _session_filter(query: SessionQuery) -> Conditions:
    """Which sessions, wherever they stand in the log."""
    return _conditions(
        ("s.claimed = 1", ()),
        None if query.room is None else ("s.room = ?", (query.room,)),
        None if query.open is None else (f"s.ended_at IS {'' if query.open else 'NOT '}NULL", ()),
        None if query.reason is None else ("s.end_reason = ?", (query.reason,)),
        None if query.slot is None else ("s.slot IS ?", (query.slot or None,)),
        None if query.device is None else (f"? IN ({_DEVICE})", (query.device,)),
        ("instr(s.room, ?) = 1", (query.rooms,)) if query.rooms else None,
    )


def _bounds(query: SessionQuery, place: tuple[float, str] | None, edge: float | None) -> Conditions:
    """Between which starts: those of the query, behind the place, up to the edge."""
    behind, up_to = ("<", ">=") if query.newest else (">", "<=")
    return _conditions(
        None if query.since is None else ("s.started_at >= ?", (query.since,)),
        None if query.until is None else ("s.started_at < ?", (query.until,)),
        None if place is None else (f"(s.started_at, s.id) {behind} (?, ?)", place),
        None if edge is None else (f"s.started_at {up_to} ?", (edge,)),
    )


def _order(query: SessionQuery) -> str:
    return "ORDER BY s.started_at DESC, s.id DESC" if query.newest else "ORDER BY s.started_at, s.id"


def _audit_filter(query: AuditQuery, room: str | None) -> Conditions:
    """Which rows; the first two values are numbers, the first and the last."""
    conditions, values = _conditions(
        None if room is None else ("room = ?", (room,)),
        None if query.session is None else ("session = ?", (query.session,)),
        None if query.since is None else ("at >= ?", (query.since,)),
        None if query.until is None else ("at < ?", (query.until,)),
        ("instr(room, ?) = 1", (query.rooms,)) if query.rooms else None,
    )
    return ("seq BETWEEN ? AND ?", *conditions), values


def _seq_order(query: AuditQuery) -> str:
    return f"ORDER BY seq{' DESC' if query.newest else ''}"
