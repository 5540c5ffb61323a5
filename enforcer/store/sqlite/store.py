"""`sqlite:///…`: the default. One process, durable, nothing to install.

WAL with `synchronous=FULL`: what was answered is on the disk. One connection writes (`writer`), reads happen over a
second one and see committed state only. Other processes are kept out (`lock`).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

from enforcer.domain.errors import StartError, StoreUnavailable
from enforcer.domain.model import Change, Decision, Mark, RoomState, Snapshot
from enforcer.process.cores import usable_cores
from enforcer.store.ahead import Ahead
from enforcer.store.base import Decide
from enforcer.store.queries import Claim
from enforcer.store.recent import Recent
from enforcer.store.sqlite.ahead_writer import AheadWriter
from enforcer.store.sqlite.checkpoints import Checkpoints
from enforcer.store.sqlite.lock import take_lock
from enforcer.store.sqlite.logs import NAMED, SQLiteLogs
from enforcer.store.sqlite.outbox import SQLiteOutbox
from enforcer.store.sqlite.records import SQLiteRecords
from enforcer.store.sqlite.schema import migrate
from enforcer.store.sqlite.searches import Searches
from enforcer.store.sqlite.statements import Row, decision_rows, mark_rows
from enforcer.store.sqlite.subjects import SIGNALLED, SQLiteSubjects
from enforcer.store.sqlite.turns_writer import TurnsWriter
from enforcer.store.sqlite.upkeep import SQLiteUpkeep
from enforcer.store.sqlite.writer import LOCK_WAIT, Settle, Work, Writer

T = TypeVar("T")

MARKS_AT_ONCE = 50
"""Marks in one transaction: no login waits for all of them."""
CACHE_KB = 32_768
"""Of each connection: the pages of the indexes that logins touch at random stay in it."""
CACHED_BYTES = 1_024
"""Of memory that a session takes that is kept because somebody asked for it."""

_OPEN = "SELECT count(*) FROM sessions INDEXED BY sessions_due WHERE ended_at IS NULL"
"""By the index of the open ones; SQLite would choose one of all."""


class SQLiteStore:
    """See `store.base.Store` for what each method promises."""

    def __init__(self, path: Path, clock: Callable[[], float], cache_mb: int = 32) -> None:
        self._path = path
        self._clock = clock
        self._lock: IO[str] | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        """What reads are done over now."""
        self._writer: Writer | None = None
        self._checkpoints: Checkpoints | None = None
        self._searches: Searches | None = None
        self._listeners: list[Callable[[Change], None]] = []
        self._recent = Recent(cache_mb * 2**20 // CACHED_BYTES)
        self._ahead = Ahead()
        self._open: int | None = None
        """How many sessions are live; None where it is not known any more."""
        self._tells_ahead = True
        """Else decisions read over the writing connection what those before them have left."""
        self._records = SQLiteRecords(self._read)
        self._logs = SQLiteLogs(self._read, self._search, self._count_open, SQLiteOutbox(self._read, self._run))
        self._upkeep = SQLiteUpkeep(self._read, self._run, clock, self._recent.clear)
        self._subjects = SQLiteSubjects(self._read, self._run, clock)

    @property
    def shared(self) -> None:
        return None

    @property
    def presence_log(self) -> SQLiteUpkeep:
        return self._upkeep

    @property
    def logs(self) -> SQLiteLogs:
        return self._logs

    @property
    def upkeep(self) -> SQLiteUpkeep:
        return self._upkeep

    @property
    def subjects(self) -> SQLiteSubjects:
        return self._subjects

    def now(self) -> float:
        return self._clock()

    async def open(self) -> None:
        """Takes the lock, migrates, and starts the writer.

        Raises:
            StartError: the directory is missing or not writable, another process has the database, or it is not one.
            StoreUnavailable: the disk is full or fails; calling again later may work.
        """
        self._lock = take_lock(self._path)
        try:
            writing = self._connect()
            try:
                writing.execute("PRAGMA journal_mode = WAL")
                writing.execute("PRAGMA synchronous = FULL")
                writing.execute(f"PRAGMA cache_size = -{CACHE_KB}")
                writing.execute("PRAGMA temp_store = MEMORY")
                writing.execute("PRAGMA wal_autocheckpoint = 0")  # `checkpoints` does it
                migrate(writing, str(self._path))
                writing.execute(NAMED)
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only = ON")
                self._reader.execute(f"PRAGMA cache_size = -{CACHE_KB}")
                self._reading = self._reader
                self._searches = Searches(self._connect)
                self._checkpoints = Checkpoints(self._connect)
                self._writer = self._made_writer(writing, self._checkpoints)
            except BaseException:
                writing.close()
                raise
        except BaseException as e:
            await self.close()
            if isinstance(e, sqlite3.OperationalError):
                raise StoreUnavailable(f"{self._path} cannot be opened: {e}") from None
            if isinstance(e, sqlite3.DatabaseError):
                raise StartError(f"{self._path} is not a usable database: {e}") from None
            raise

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()  # first, so that the last to close is the reader, which cannot write
            self._writer = None
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.close)
            self._checkpoints = None
        if self._searches is not None:
            await asyncio.to_thread(self._searches.close)
            self._searches = None
        self._in_doubt()
        if self._reader is not None:
            self._reader.close()
            self._reader = self._reading = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def ping(self) -> None:
        if self._writing.failing is not None:  # only a write shows whether the trouble is over
            await self._run(lambda c: c.execute("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", (self.now(),)))
        self._read("SELECT 1")

    async def transact(
        self,
        room: str,
        decide: Decide[T],
        *,
        sessions: Collection[str] = (),
        request_id: str | None = None,
        claim: Claim | None = None,
    ) -> Decision[T]:
        def make() -> tuple[Any, Sequence[Row]]:
            before = self._state(room, sessions, request_id)
            if claim is not None:  # what is noted is never only decided: it is committed before anybody decides again
                noted = self._read(SIGNALLED, orjson.dumps(claim.subjects).decode(), self._clock())
                before = before._replace(signalled=dict(noted))
            decision = decide(before, self._clock())
            if decision.empty:
                return (before, before, decision), ()
            after = decision.after(before)
            writes = decision_rows(before, after, decision)  # first: if it raises, nothing was decided
            if self._tells_ahead:
                self._ahead.decided(after, decision)
            return (before, after, decision), writes

        def committed(done: tuple[RoomState, RoomState, Decision[T]]) -> None:
            before, after, decision = done
            if decision.changed:
                if self._open is not None:
                    self._open += len(after.sessions) - len(before.sessions)
                self._recent.forget(s.id for s in (*before.sessions, *decision.changed))
                if self._ahead.room(room) is None:  # else a later one may have been read already
                    self._recent.committed(after, decision.changed)
                for listener in self._listeners:
                    listener(Change(room, decision.changed))

        decision: Decision[T]
        *_, decision = await self._writing.decide(make, committed)
        return decision

    def _state(self, room: str, sessions: Collection[str], request_id: str | None) -> RoomState:
        """The room, and what else was asked for, as those before have decided it."""
        ahead = self._ahead
        now = ahead.room(room) or self._records.room(room)
        if not sessions and request_id is None:
            return now
        found = {i: s for i in sessions if (s := ahead.session(i) or self._records.session(i)) is not None}
        kept = None
        if request_id is not None:
            kept = ahead.answer(room, request_id) or self._records.answer(room, request_id)
        return RoomState(room, now.epoch, now.sessions, now.waiting, found, kept)

    async def mark(self, marks: Sequence[Mark]) -> None:
        for first in range(0, len(marks), MARKS_AT_ONCE):
            await self._mark(marks[first : first + MARKS_AT_ONCE])

    async def _mark(self, marks: Sequence[Mark]) -> None:
        def committed(_: None) -> None:
            self._recent.marked(marks)

        await self._writing.write(mark_rows(marks), committed)

    async def get(self, session: str) -> Snapshot | None:
        return self._recent.get(session) or self._records.snapshot(session)

    def at_hand(self, session: str) -> Snapshot | None:
        known = self._recent.get(session)
        if known is None:
            try:
                known = self._records.snapshot(session)
            except StoreUnavailable:
                return None
            if known is not None:
                self._recent.asked(known)
        return known

    async def _count_open(self) -> int:
        if self._open is None:
            # In its turn with the commits, so that each is either counted here or added later.
            def counted(count: int) -> None:
                self._open = count

            await self._run(lambda c: c.execute(_OPEN).fetchone()[0], counted)
        return self._open or 0

    async def room(self, room: str) -> RoomState:
        return self._records.room(room)

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    # ---- connections ---------------------------------------------------------------------------

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        return self._writer

    async def _run(self, work: Work, committed: Settle | None = None) -> Any:
        return await self._writing.run(work, committed)

    def _made_writer(self, writing: sqlite3.Connection, checkpoints: Checkpoints) -> Writer:
        loop, told = asyncio.get_running_loop(), (checkpoints.wrote, self._in_doubt)
        self._ahead.forget()
        self._tells_ahead = usable_cores() > 1
        if not self._tells_ahead:
            return TurnsWriter(writing, loop, self._over, *told)
        return AheadWriter(writing, loop, self._ahead, self._at_one_moment, *told)

    def _in_doubt(self) -> None:
        """What is in the file may be something else than what was seen being committed."""
        self._recent.clear()
        self._open = None

    @contextmanager
    def _at_one_moment(self) -> Iterator[None]:
        """What is read within is of one moment, and needs the database's locks only once."""
        reader = self._reader
        if reader is None:
            raise StoreUnavailable("the store is not open")
        with suppress(Exception):  # each read will tell
            reader.execute("BEGIN")
        try:
            yield
        finally:
            if reader.in_transaction:  # SQLite may have ended it, after an error of the disk
                reader.execute("COMMIT")

    @contextmanager
    def _over(self, writing: sqlite3.Connection) -> Iterator[None]:
        """What is read within sees what the open transaction has written. That connection knows what it has read
        before; the reading one forgets that at each commit."""
        self._reading = writing
        try:
            yield
        finally:
            self._reading = self._reader

    def _read(self, sql: str, *values: Any) -> list[Any]:
        if self._reading is None:
            raise StoreUnavailable("the store is not open")
        try:
            return self._reading.execute(sql, values).fetchall()
        except sqlite3.Error as e:
            raise StoreUnavailable(f"the database cannot be read: {e}") from None

    async def _search(self, sql: str, values: tuple[Any, ...]) -> Any:
        if self._searches is None:
            raise StoreUnavailable("the store is not open")
        return await self._searches.first(sql, values)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=LOCK_WAIT / 1_000, isolation_level=None, check_same_thread=False, cached_statements=256
        )
