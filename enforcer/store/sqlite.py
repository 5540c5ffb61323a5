"""`sqlite:///…`: the default. One process, durable, nothing to install.

WAL with `synchronous=FULL`: what was answered is on the disk. One connection writes (`sqlite_writer`), reads
happen over a second one and see committed state only. A lock file keeps other processes out
(SQLite's own exclusive mode would keep our reader out too).
"""

import asyncio
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

from enforcer.errors import StartError, StoreUnavailable
from enforcer.model import AuditRow, Change, Decision, Mark, OutboxEntry, OutboxRow, RoomState, Session, Snapshot
from enforcer.policy import REMEMBER_FOR
from enforcer.store import rows
from enforcer.store import sqlite_statements as statements
from enforcer.store.base import AuditQuery, Decide, SessionQuery
from enforcer.store.recent import Recent
from enforcer.store.sqlite_checkpoints import Checkpoints
from enforcer.store.sqlite_schema import migrate
from enforcer.store.sqlite_writer import Writer

T = TypeVar("T")

MARKS_AT_ONCE = 50
"""Marks in one transaction: no login waits for all of them."""
CACHE_KB = 32_768
"""Of each connection: the pages of the indexes that logins touch at random stay in it."""
RECENT = 4096
"""Sessions that are kept as they were read or committed last. The reading connection loses its cache at each commit."""

_ROOM = "SELECT epoch, waiting FROM rooms WHERE room = ?"
_LIVE = f"SELECT {rows.COLUMNS} FROM sessions WHERE room = ? AND ended_at IS NULL ORDER BY epoch, started_at, id"
_BY_ID = f"SELECT {rows.COLUMNS} FROM sessions WHERE id = ?"
_ANSWER = "SELECT request_id, fingerprint, at, answer FROM answers WHERE room = ? AND request_id = ?"
_NEWEST = "(SELECT coalesce(max(o.epoch), 0) FROM sessions o WHERE o.room = s.room AND o.ended_at IS NULL)"
_SNAPSHOT = f"SELECT {', '.join('s.' + c for c in rows.COLUMNS.split(', '))}, {_NEWEST} FROM sessions s"
_PUT_ROOM = (
    "INSERT INTO rooms (room, epoch, waiting, operation) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (room) DO UPDATE SET "
    "epoch = excluded.epoch, waiting = excluded.waiting, operation = excluded.operation"
)
_AUDIT = f"INSERT INTO audit ({rows.AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ANSWERS = "INSERT OR REPLACE INTO answers (room, request_id, fingerprint, at, answer) VALUES (?, ?, ?, ?, ?)"


class SQLiteStore:
    """See `store.base.Store` for what each method promises."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock: IO[str] | None = None
        self._reader: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        self._checkpoints: Checkpoints | None = None
        self._listeners: list[Callable[[Change], None]] = []
        self._recent = Recent(RECENT)
        self._present: set[int] = set()
        """Shares that were noted with somebody in them."""

    @property
    def shared(self) -> bool:
        return False

    def now(self) -> float:
        return self._clock()

    async def open(self) -> None:
        """Takes the lock, migrates, and starts the writer.

        Raises:
            StartError: the directory is missing or not writable, another process has the database, or it is not one.
            StoreUnavailable: the disk is full or fails; calling again later may work.
        """
        self._take_lock()
        try:
            writing = self._connect()
            try:
                writing.execute("PRAGMA journal_mode = WAL")
                writing.execute("PRAGMA synchronous = FULL")
                writing.execute(f"PRAGMA cache_size = -{CACHE_KB}")
                writing.execute("PRAGMA temp_store = MEMORY")
                writing.execute("PRAGMA wal_autocheckpoint = 0")  # `sqlite_checkpoints` does it
                migrate(writing, str(self._path))
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only = ON")
            except BaseException:
                writing.close()
                raise
        except sqlite3.OperationalError as e:
            self._release_lock()
            raise StoreUnavailable(f"{self._path} cannot be opened: {e}") from None
        except sqlite3.DatabaseError as e:
            self._release_lock()
            raise StartError(f"{self._path} is not a usable database: {e}") from None
        except BaseException:
            self._release_lock()
            raise
        self._checkpoints = Checkpoints(self._connect)
        self._writer = Writer(writing, asyncio.get_running_loop(), self._checkpoints.wrote)

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()  # first, so that the last to close is the reader, which cannot write
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.close)
            self._checkpoints = None
        self._recent.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._release_lock()

    async def ping(self) -> None:
        writer = self._writer
        if writer is None:
            raise StoreUnavailable("the store is not open")
        if writer.failing is not None:  # only a write shows whether the trouble is over
            await writer.run(lambda c: c.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (self.now(),)))
        self._read("SELECT 1")

    async def transact(
        self, room: str, decide: Decide[T], *, sessions: Collection[str] = (), request_id: str | None = None
    ) -> T:
        def work(connection: sqlite3.Connection) -> tuple[RoomState, Decision[T]]:
            state = _load(connection, room, sessions, request_id)
            decision = decide(state, self._clock())
            if not decision.empty:
                _store(connection, state, decision)
            return state, decision

        def committed(done: tuple[RoomState, Decision[T]]) -> None:
            state, decision = done
            if decision.changed:
                self._recent.committed(state, decision.changed)
                for listener in self._listeners:
                    listener(Change(room, decision.changed))

        decision: Decision[T]
        _, decision = await self._write(work, committed)
        return decision.result

    async def mark(self, marks: Sequence[Mark]) -> None:
        for first in range(0, len(marks), MARKS_AT_ONCE):
            await self._mark(marks[first : first + MARKS_AT_ONCE])

    async def _mark(self, marks: Sequence[Mark]) -> None:
        seen, live, told = [], [], []
        for mark in marks:
            if statements.only_seen(mark):
                seen.append(statements.seen_row(mark))
                continue
            row = statements.mark_row(mark)
            if not statements.only_told(mark):
                live.append(row)
            if mark.acked_at is not None or mark.refused_at is not None:
                told.append(row)

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(statements.MARK_SEEN, seen)
            connection.executemany(statements.MARK_LIVE, live)
            connection.executemany(statements.MARK_TOLD, told)

        def committed(_: None) -> None:
            self._recent.forget(m.session for m in marks)

        await self._write(work, committed)

    async def get(self, session: str) -> Snapshot | None:
        return self._get(session)

    def at_hand(self, session: str) -> Snapshot | None:
        try:
            return self._get(session)
        except StoreUnavailable:
            return None

    def _get(self, session: str) -> Snapshot | None:
        if self._reader is not None and (recent := self._recent.get(session)) is not None:
            return recent
        found = self._read(f"{_SNAPSHOT} WHERE s.id = ?", session)
        if not found:
            return None
        snapshot = _snapshot(found[0])
        self._recent.read(snapshot)
        return snapshot

    async def room(self, room: str) -> RoomState:
        if self._reader is None:
            raise StoreUnavailable("the store is not open")
        try:
            self._reader.execute("BEGIN")  # one view of both tables
            try:
                return _load(self._reader, room, (), None)
            finally:
                self._reader.execute("COMMIT")
        except sqlite3.Error as e:
            raise StoreUnavailable(f"the database cannot be read: {e}") from None

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        deadline = "absolute_at" if absolute_only else "due_at"
        found = self._read(
            f"SELECT room FROM sessions WHERE ended_at IS NULL AND {deadline} <= ? ORDER BY {deadline} LIMIT ?",
            now,
            limit,
        )
        return list(dict.fromkeys(room for (room,) in found))

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        where: list[str] = []
        values: list[Any] = []

        def require(condition: str, *given: Any) -> None:
            where.append(condition)
            values.extend(given)

        if query.room is not None:
            require("s.room = ?", query.room)
        if query.open is not None:
            require("s.ended_at IS NULL" if query.open else "s.ended_at IS NOT NULL")
        if query.reason is not None:
            require("s.end_reason = ?", query.reason)
        if query.since is not None:
            require("s.started_at >= ?", query.since)
        if query.until is not None:
            require("s.started_at < ?", query.until)
        if query.after is not None:
            require("(s.started_at, s.id) > (?, ?)", *query.after)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"{_SNAPSHOT} {condition} ORDER BY s.started_at, s.id LIMIT ?"
        return [_snapshot(row) for row in self._read(sql, *values, query.limit)]

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        where: list[str] = ["seq > ?"]
        values: list[Any] = [query.after]
        room = query.room
        if room is None and query.session is not None:  # the audit log is indexed by room
            found = self._read("SELECT room FROM sessions WHERE id = ?", query.session)
            room = found[0][0] if found else None
        for column, value in (("room = ?", room), ("session = ?", query.session), ("at >= ?", query.since)):
            if value is not None:
                where.append(column)
                values.append(value)
        sql = f"SELECT seq, {rows.AUDIT_COLUMNS} FROM audit WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"
        return [rows.audit_of(row) for row in self._read(sql, *values, query.limit)]

    async def outbox(self, limit: int) -> list[OutboxRow]:
        found = self._read("SELECT seq, at, topic, body FROM outbox ORDER BY seq LIMIT ?", limit)
        return [OutboxRow(seq, OutboxEntry(at, topic, body)) for seq, at, topic, body in found]

    async def sent(self, seqs: Sequence[int]) -> None:
        await self._write(lambda c: c.executemany("DELETE FROM outbox WHERE seq = ?", [(s,) for s in seqs]))

    async def purge(self, before: float, limit: int) -> int:
        forgotten = self._clock() - REMEMBER_FOR

        def work(connection: sqlite3.Connection) -> int:
            gone = connection.execute(
                "DELETE FROM sessions WHERE id IN "
                "(SELECT id FROM sessions WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?) "
                "RETURNING room",
                (before, limit),
            ).fetchall()
            connection.execute(
                "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < ? ORDER BY at LIMIT ?)",
                (before, 4 * limit),
            )
            connection.execute("DELETE FROM answers WHERE at <= ?", (forgotten,))
            connection.executemany(
                "DELETE FROM rooms WHERE room = ?1 AND waiting = '[]' "
                "AND NOT EXISTS (SELECT 1 FROM sessions WHERE room = ?1)",
                list(dict.fromkeys(gone)),
            )
            return len(gone)

        count: int = await self._write(work, bulky=True)
        return count

    async def present(self, share: int, sessions: Collection[str], now: float) -> None:
        if not sessions and share not in self._present:
            return
        self._present.add(share) if sessions else self._present.discard(share)
        row = (share, now, orjson.dumps(list(sessions)).decode())
        await self._write(lambda c: c.execute("INSERT OR REPLACE INTO presence VALUES (?, ?, ?)", row))

    async def take_presence(self, alive_window: float) -> None:
        noted = self._read("SELECT at, sessions FROM presence")
        if not noted:
            return

        def work(connection: sqlite3.Connection) -> None:
            for at, sessions in noted:
                connection.execute(statements.WERE_PRESENT, (at, at + alive_window, sessions, at))
            connection.execute("DELETE FROM presence")

        await self._write(work, lambda _: self._recent.clear(), bulky=True)

    async def beat(self, now: float) -> None:
        await self._write(lambda c: c.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('beat', ?)", (now,)))

    async def last_beat(self) -> float | None:
        found = self._read("SELECT value FROM meta WHERE name = 'beat'")
        return float(found[0][0]) if found else None

    async def lease(self, task: str, seconds: float) -> bool:
        return True  # nobody else is here

    async def give_back(self, task: str) -> None:
        """Nobody else is here."""

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

        last: str | None = await self._write(work, lambda _: self._recent.clear(), bulky=True)
        return last

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    async def hold(self, room: str) -> None:
        """Nobody else commits here."""

    def release(self, room: str) -> None:
        """Nobody else commits here."""

    # ---- connections ---------------------------------------------------------------------------

    async def _write(
        self,
        work: Callable[[sqlite3.Connection], Any],
        committed: Callable[[Any], None] | None = None,
        bulky: bool = False,
    ) -> Any:
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        try:
            return await self._writer.run(work, committed, bulky=bulky)
        except StoreUnavailable:
            self._recent.clear()  # nobody knows what was written
            raise

    def _read(self, sql: str, *values: Any) -> list[Any]:
        if self._reader is None:
            raise StoreUnavailable("the store is not open")
        try:
            return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as e:
            raise StoreUnavailable(f"the database cannot be read: {e}") from None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=5, isolation_level=None, check_same_thread=False, cached_statements=256
        )

    def _take_lock(self) -> None:
        """Keeps a second process out, and makes the files readable by their owner only."""
        directory = self._path.parent
        if not directory.is_dir():
            raise StartError(f"the directory {directory} of the store does not exist; make it, or change `store`")
        if not os.access(directory, os.W_OK | os.X_OK):
            raise StartError(f"the directory {directory} of the store is not writable for this user")
        path = self._path.with_name(self._path.name + ".lock")
        try:
            self._lock = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")  # noqa: SIM115
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except BlockingIOError:
            self._release_lock()
            raise StartError(
                f"{self._path} is in use by another process; stop it, or give this one its own `store`"
            ) from None
        except OSError as e:
            self._release_lock()
            raise StartError(f"{self._path} cannot be opened: {e.strerror}") from None

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()  # closing drops the lock; the file stays, so that nobody locks a deleted one
            self._lock = None


def _load(connection: sqlite3.Connection, room: str, sessions: Collection[str], request_id: str | None) -> RoomState:
    """The room as it is, and what else was asked for."""
    head = connection.execute(_ROOM, (room,)).fetchone()
    epoch, waiting = (0, ()) if head is None else (head[0], rows.waiting_of(head[1]))
    live = tuple(rows.session_of(row) for row in connection.execute(_LIVE, (room,)))
    found: dict[str, Session] = {}
    for session_id in sessions:
        row = connection.execute(_BY_ID, (session_id,)).fetchone()
        if row is not None:
            found[session_id] = rows.session_of(row)
    kept = None
    if request_id is not None:
        row = connection.execute(_ANSWER, (room, request_id)).fetchone()
        kept = None if row is None else rows.answer_of(row)
    return RoomState(room, epoch, live, waiting, found, kept)


def _store(connection: sqlite3.Connection, state: RoomState, decision: Decision[Any]) -> None:
    """Writes a decision, all in the transaction that is open."""
    operation = secrets.token_hex(16)
    epoch = state.epoch if decision.epoch is None else decision.epoch
    waiting = state.waiting if decision.waiting is None else decision.waiting
    connection.execute(_PUT_ROOM, (state.room, epoch, rows.waiting_text(waiting), operation))
    live = {s.id: s for s in state.sessions}
    for session in decision.changed:
        if session.ended and rows.only_ended(live.get(session.id), session):
            connection.execute(statements.END, statements.end_row(session))
        else:
            connection.execute(statements.UPSERT, rows.session_row(session))
    for entry in decision.audit:
        connection.execute(_AUDIT, rows.audit_row(operation, entry))
    for item in decision.outbox:
        connection.execute("INSERT INTO outbox (at, topic, body) VALUES (?, ?, ?)", (item.at, item.topic, item.body))
    if decision.remember is not None:
        connection.execute(_ANSWERS, rows.answer_row(state.room, decision.remember))


def _snapshot(row: tuple[Any, ...]) -> Snapshot:
    return Snapshot(rows.session_of(row), row[-1])
