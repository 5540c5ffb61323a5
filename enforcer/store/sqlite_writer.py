"""All writing to a SQLite database: group commit, with the next transaction made while one is being written.

Whoever comes while the disk is busy goes into the next transaction together with the others, so that the cost of a
durable commit is shared. Decisions run on the event loop; what they want written is handed to a thread, a transaction
at a time. Decisions see those before them whose commit is still on its way (`ahead`); if it fails, those that have
seen it are taken back and decided again. Work that cannot be told ahead runs on the thread, as the last of its
transaction, and whoever comes after it waits for its commit. Everything is done in the order in which it came.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from enforcer.errors import StoreUnavailable
from enforcer.store.ahead import Ahead
from enforcer.store.sqlite_statements import ROWS_AT_ONCE, Row, insert, prepare

MAX_BATCH = 250
"""Decisions in one transaction: bounds how long the first of them waits for the last."""
AT_ONCE = 25
"""Decisions in one turn of the event loop: others want their turn too."""

Settle = Callable[[Any], None]
Made = Callable[[], tuple[Any, Sequence[Row]]]
"""Decides: a result, and the rows to write for it."""
Work = Callable[[sqlite3.Connection], Any]

_OWN_FAULTS = (
    *(sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError),
    *(ValueError, OverflowError),  # texts and numbers that SQLite does not take
)
"""What says that a job is wrong; any other error of SQLite's says that the database is in trouble."""


@dataclass(slots=True)
class _Job:
    """`make` is for the event loop, `work` for the thread, and either may be missing. `rows` are what it writes."""

    make: Made | None
    work: Work | None
    committed: Settle | None
    future: asyncio.Future[Any]
    rows: Sequence[Row] = ()
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Batch:
    """The jobs of one transaction. `last`: those who come after it wait until it is committed.

    `again`: nothing of it was committed because of one job, which has its error; the others are to be done again.
    """

    jobs: list[_Job] = field(default_factory=list)
    last: bool = False
    again: bool = False
    failure: StoreUnavailable | None = None

    @property
    def rows(self) -> list[Row]:
        return [row for job in self.jobs for row in job.rows]

    @property
    def one_statement(self) -> bool:
        """Whether one statement can be the whole transaction."""
        return len(self.rows) <= ROWS_AT_ONCE and all(job.work is None for job in self.jobs)

    @property
    def writes(self) -> bool:
        """Whether there is anything for the disk."""
        return any(job.rows or job.work is not None for job in self.jobs)


class Writer:
    """Runs jobs, one transaction after the other; everything but the thread's part is on the event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        ahead: Ahead,
        view: Callable[[], AbstractContextManager[object]] = nullcontext,
        wrote: Callable[[sqlite3.Connection], None] = lambda connection: None,
    ) -> None:
        """`view` is entered around decisions that are taken in one turn; `wrote` is called on the thread after each
        commit, while no transaction is open."""
        prepare(connection)
        self._connection = connection
        self._loop = loop
        self._ahead = ahead
        self._view = view
        self._wrote = wrote
        self._waiting: deque[_Job] = deque()
        self._making = _Batch()
        self._writing: _Batch | None = None
        self._called = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._handed: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()
        self.failing: str | None = None
        """What the latest transaction failed with, until one succeeds again."""

    async def decide(self, make: Made, committed: Settle | None = None) -> Any:
        """Lets `make` decide, writes its rows, calls `committed` with its result after the commit, then returns it.

        `make` tells `ahead` what it has decided; it may run again if what it has seen there was not committed.

        Raises:
            StoreUnavailable: the transaction failed; whether it took effect is unknown.
            Exception: what `make` raised, or its rows could not be written; nothing of it was committed.
        """
        return await self._put(_Job(make, None, committed, self._loop.create_future()))

    async def write(self, rows: Sequence[Row], committed: Settle | None = None) -> None:
        """Writes rows that no decision has made. Raises as `decide`."""
        await self._put(_Job(None, None, committed, self._loop.create_future(), rows))

    async def run(self, work: Work, committed: Settle | None = None) -> Any:
        """Runs `work` on the thread; the rest is as with `decide`."""
        return await self._put(_Job(None, work, committed, self._loop.create_future()))

    async def close(self) -> None:
        """Finishes the waiting jobs, then ends the thread and closes its connection."""
        if not self._closed:
            self._closed = True
            await self._idle.wait()
            self._handed.put(None)
            await asyncio.to_thread(self._thread.join)

    # ---- on the event loop ---------------------------------------------------------------------

    def _put(self, job: _Job) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._waiting.append(job)
        self._idle.clear()
        self._call()
        return job.future

    def _call(self) -> None:
        """Goes on in the next turn, with whoever has come by then."""
        if not self._called:
            self._called = True
            self._loop.call_soon(self._make)

    def _make(self) -> None:
        """Lets waiting decisions into the transaction that is made, a few at a time; hands it over when it can be."""
        self._called = False
        making, waiting = self._making, self._waiting
        if not making.last and (self._writing is None or not self._writing.last):
            with self._view():
                for _ in range(min(AT_ONCE, MAX_BATCH - len(making.jobs), len(waiting))):
                    if (make := waiting[0].make) is None:
                        break
                    making.jobs.append(waiting[0])
                    self._decide(make, waiting.popleft())
            while waiting and waiting[0].make is None:
                making.jobs.append(waiting.popleft())
                making.last = True
            if waiting and not making.last and len(making.jobs) < MAX_BATCH:
                self._call()
        if self._writing is None and (over := self._hand_over()) is not None:
            self._settle(over)
            if not self._waiting:
                self._idle.set()

    def _decide(self, make: Made, job: _Job) -> None:
        job.rows, job.error = (), None
        try:
            job.result, job.rows = make()
        except Exception as e:
            job.error = e

    def _hand_over(self) -> _Batch | None:
        """The transaction is written from now on. If there is nothing to write it is over already: returns it."""
        batch, self._making = self._making, _Batch()
        self._ahead.handed_over()
        if not batch.writes:
            return batch
        self._writing = batch
        self._handed.put(batch)
        return None

    def _written(self, batch: _Batch) -> None:
        """The thread is through with it. It gets the next one before anybody hears of this one."""
        self._writing = over = None
        if batch.failure is not None or batch.again:
            again = [job for job in batch.jobs if batch.again and job.error is None]
            self._waiting.extendleft(reversed(again + self._making.jobs))
            self._making = _Batch()
            self._ahead.forget()
        else:
            self._ahead.committed()
            over = self._hand_over()
        self._settle(batch)
        if over is not None:
            self._settle(over)
        if self._waiting:
            self._call()
        elif self._writing is None:
            self._idle.set()

    def _settle(self, batch: _Batch) -> None:
        """First everybody who listens, then the caller, job by job in the order of the commit."""
        for job in batch.jobs:
            error = job.error or batch.failure
            if error is None:
                if batch.again:
                    continue
                if job.committed is not None:
                    job.committed(job.result)
            if job.future.cancelled():
                continue
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(job.result)

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._handed.get()) is not None:
            self._write(batch)
            self._loop.call_soon_threadsafe(self._written, batch)
        self._connection.close()

    def _write(self, batch: _Batch) -> None:
        """The transaction; an error of the database fails all its jobs as *unknown*."""
        try:
            if self._commit(batch):
                self._wrote(self._connection)
            else:
                self._roll_back()
                self._find_fault(batch)
            self.failing = None
        except sqlite3.Error as e:
            self.failing = str(e)
            batch.failure = StoreUnavailable(f"the database did not take the change: {e}")
            self._roll_back()

    def _commit(self, batch: _Batch) -> bool:
        """False if it cannot be, through the fault of a job."""
        if batch.one_statement:
            try:
                insert(self._connection, batch.rows)
            except _OWN_FAULTS:
                return False
            return True
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            rows: list[Row] = []
            for job in batch.jobs:
                if job.work is None:
                    rows += job.rows
                    continue
                self._insert(rows)
                rows = []
                self._work(job.work, job)
            self._insert(rows)
        except _OWN_FAULTS:
            return False
        self._connection.execute("COMMIT")
        return True

    def _insert(self, rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            insert(self._connection, rows[first : first + ROWS_AT_ONCE])

    def _find_fault(self, batch: _Batch) -> None:
        """Gives each job whose rows cannot be written its error. Nothing is committed; the others come again."""
        self._connection.execute("BEGIN IMMEDIATE")
        for job in batch.jobs:
            try:
                self._insert(job.rows)
            except _OWN_FAULTS as e:
                job.error = e
                batch.again = True
        self._connection.execute("ROLLBACK")
        if not batch.again:
            raise sqlite3.DatabaseError("rows that can be written one by one cannot be written together")

    def _work(self, work: Work, job: _Job) -> None:
        """Runs one job's work in the open transaction; if it fails by its own fault, nothing of it stays."""
        self._connection.execute("SAVEPOINT work")
        try:
            job.result = work(self._connection)
        except Exception as e:
            if isinstance(e, sqlite3.Error) and not isinstance(e, _OWN_FAULTS):
                raise
            job.error = e
            self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:  # the disk is still in trouble; the next BEGIN will tell
            pass
