"""What is written into SQLite, as rows that each say which statement they are for.

A thread writes a whole transaction with one statement (`insert`): into the view `writes`, which is of the writing
connection alone, and whose triggers do with each row what its kind says. After each statement a thread must have the
interpreter's lock back, and while the event loop is busy it waits for it; so hundreds of statements on a thread would
take as long as the loop is busy, and one takes as long as SQLite does. The event loop itself, which waits for nobody,
writes the same rows with a statement for each (`write`), at two thirds of the cost.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import chain
from itertools import count as counting
from typing import Any

from enforcer.domain.model import Decision, Mark, RoomState
from enforcer.domain.signals import subjects_of
from enforcer.store.rows import (
    ANSWER_COLUMNS,
    AUDIT_COLUMNS,
    COLUMNS,
    actor_text,
    answer_row,
    audit_row,
    only_ended,
    session_row,
    value_of,
    waiting_text,
)

Row = tuple[Any, ...]
"""Its kind, then values."""


class Kind(IntEnum):
    """What a row is for."""

    ROOM = 1
    SESSION = 2
    END = 3
    AUDIT = 4
    ANSWER = 5
    SEEN = 6
    LIVE = 7
    TOLD = 8
    SPOKEN_OF = 9


VALUES = 23
"""Of a row: as many as the widest kind has."""
ROWS_AT_ONCE = 512
"""In one statement; SQLite allows 32,766 values. Always a power of two: so only ten statements are ever compiled."""

_session_columns = COLUMNS.split(", ")
_audit_columns = AUDIT_COLUMNS.split(", ")


def _values(count: int) -> str:
    """So many values of the row, as a statement names them."""
    return ", ".join(f"{{{n}}}" for n in range(count))


_TEXTS: dict[Kind, tuple[int, str]] = {
    Kind.ROOM: (
        4,
        f"""
        INSERT INTO rooms (room, epoch, waiting, operation) VALUES ({_values(4)})
        ON CONFLICT (room) DO UPDATE SET
            epoch = excluded.epoch, waiting = excluded.waiting, operation = excluded.operation
        """,
    ),
    Kind.SESSION: (
        len(_session_columns),
        f"""
        INSERT INTO sessions ({COLUMNS}) VALUES ({_values(len(_session_columns))})
        ON CONFLICT (id) DO UPDATE SET {", ".join(f"{n} = excluded.{n}" for n in _session_columns[1:])}
        """,
    ),
    # For a session that was live when it was read: nothing else of it changes, nor do the other indexes on it.
    Kind.END: (
        6,
        """
        UPDATE sessions SET last_seen_at = {1}, seen_until = {2}, ended_at = {3}, end_reason = {4}, ended_by = {5}
        WHERE id = {0}
        """,
    ),
    Kind.AUDIT: (
        len(_audit_columns),
        f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES ({_values(len(_audit_columns))})",
    ),
    Kind.ANSWER: (
        5,
        f"""
        INSERT INTO answers (room, {ANSWER_COLUMNS}) VALUES ({_values(5)})
        ON CONFLICT (room, request_id) DO UPDATE SET
            fingerprint = excluded.fingerprint, at = excluded.at, answer = excluded.answer
        """,
    ),
    # The three for marks do what `deadlines.merged` does; the contract tests hold both equal.
    # The most common mark by far: the session has a socket. It touches no index.
    Kind.SEEN: (
        4,
        """
        UPDATE sessions SET
            last_seen_at = max(last_seen_at, {1}), seen_until = max(seen_until, {2}),
            online_until = max(online_until, {3})
        WHERE id = {0} AND ended_at IS NULL
        """,
    ),
    Kind.LIVE: (
        9,
        """
        UPDATE sessions SET
            last_seen_at = max(last_seen_at, coalesce({1}, 0)),
            seen_until = min(max(seen_until, coalesce({2}, 0)), coalesce({3}, 9e15)),
            online_until = min(max(online_until, coalesce({4}, 0)), coalesce({5}, 9e15)),
            lost_at = max(lost_at, coalesce({6}, 0)),
            last_active_at = max(last_active_at, coalesce({7}, 0)),
            idle_at = nullif(max(coalesce(idle_at, 0), coalesce({8}, 0)), 0)
        WHERE id = {0} AND ended_at IS NULL
        """,
    ),
    Kind.TOLD: (
        3,
        """
        UPDATE sessions SET acked_at = coalesce(acked_at, {1}), refused_at = coalesce(refused_at, {2})
        WHERE id = {0}
        """,
    ),
    Kind.SPOKEN_OF: (3, "INSERT OR IGNORE INTO subjects (subject, session, room) VALUES ({0}, {1}, {2})"),
}
"""Of each kind: how many values of the row its statement takes, and the statement, in which they are numbered."""

WERE_PRESENT = """
    UPDATE sessions SET last_seen_at = ?, seen_until = max(seen_until, ?)
    WHERE id IN (SELECT value FROM json_each(?)) AND ended_at IS NULL AND last_seen_at < ?
"""
"""Sessions that had a socket; those that were seen later have left it since, and their record is right."""


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the view and its triggers; they are temporary, so they belong to the connection and not to the schema."""
    nothing = ", ".join(f"NULL AS v{n}" for n in range(VALUES))
    connection.execute(f"CREATE TEMP VIEW writes AS SELECT NULL AS kind, {nothing}")
    for kind, (count, text) in _TEXTS.items():
        statement = text.format(*(f"new.v{n}" for n in range(count)))
        connection.execute(
            f"CREATE TEMP TRIGGER write_{kind.name} INSTEAD OF INSERT ON writes WHEN new.kind = {kind:d} "
            f"BEGIN {statement}; END"
        )


_ROW = f"({', '.join('?' * (1 + VALUES))})"
_INSERTS = {
    n: f"INSERT INTO writes VALUES {', '.join([_ROW] * n)}" for n in (2**p for p in range(ROWS_AT_ONCE.bit_length()))
}
_BLANK = [(0,) * n for n in range(2 + VALUES)]
"""What fills a row up. Not None: binding a value that is not exactly a number or a text costs ten times as much."""


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Writes at most `ROWS_AT_ONCE` rows, all or, if it raises, none."""
    size = 1 << (len(rows) - 1).bit_length()
    blanks = [_BLANK[-1]] * (size - len(rows))
    connection.execute(_INSERTS[size], list(chain.from_iterable(chain(rows, blanks))))


_SINGLES = {
    int(kind): (text.format(*(f"?{n}" for n in range(1, 1 + count))), 1 + count)
    for kind, (count, text) in _TEXTS.items()
}
"""The statement of each kind by itself, and where its values end in a row."""


def write(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Writes rows into the open transaction, one by one; if it raises, some of them."""
    for each in rows:
        statement, end = _SINGLES[each[0]]
        connection.execute(statement, each[1:end])


def row(kind: Kind, values: Row) -> Row:
    """A row of this kind; the values are those that its statement names, from `v0` on."""
    return int(kind), *values, *_BLANK[VALUES - len(values)]


_operations = (f"{prefix}-{n:x}" for prefix in [secrets.token_hex(8)] for n in counting(1))
"""Names for commits, each of them new: of this process, and numbered."""


def decision_rows(before: RoomState, after: RoomState, decision: Decision[Any]) -> list[Row]:
    """All that a decision changes."""
    operation = next(_operations)
    rows = [row(Kind.ROOM, (after.room, after.epoch, waiting_text(after.waiting), operation))]
    live = {s.id: s for s in before.sessions}
    for s in decision.changed:
        if s.ended and only_ended(live.get(s.id), s):
            end = s.id, s.last_seen_at, s.seen_until, s.ended_at, value_of(s.end_reason), actor_text(s.ended_by)
            rows.append(row(Kind.END, end))
        else:
            rows.append(row(Kind.SESSION, session_row(s)))
            if s.idp is not None or s.aliases:
                subjects = subjects_of(s.room, s.idp, s.aliases)
                rows += [row(Kind.SPOKEN_OF, (subject, s.id, s.room)) for subject in subjects]
    rows += [row(Kind.AUDIT, audit_row(operation, entry)) for entry in decision.audit]
    if decision.remember is not None:
        rows.append(row(Kind.ANSWER, (before.room, *answer_row(decision.remember))))
    return rows


def mark_rows(marks: Iterable[Mark]) -> list[Row]:
    """What was noticed, the cheapest way for each."""
    rows = []
    for m in marks:
        if m == Mark(m.session, m.last_seen_at, m.seen_until, online_until=m.online_until) and None not in m[1:3]:
            rows.append(row(Kind.SEEN, (m.session, m.last_seen_at, m.seen_until, m.online_until or 0)))
            continue
        if m != Mark(m.session, acked_at=m.acked_at, refused_at=m.refused_at):
            live = m.last_seen_at, m.seen_until, m.left_until, m.online_until, m.offline_at, m.lost_at
            rows.append(row(Kind.LIVE, (m.session, *live, m.last_active_at, m.idle_at)))
        if m.acked_at is not None or m.refused_at is not None:
            rows.append(row(Kind.TOLD, (m.session, m.acked_at, m.refused_at)))
    return rows
