"""All writing to a SQLite database: group commit, with decisions taken ahead of it.

Decisions run on the event loop; a thread takes what they want written, all that is there whenever it has finished a
transaction, so that those who come while the disk is busy share the cost of a durable commit. Decisions see those
before them whose commit is still on its way (`ahead`); if it fails, those that have seen it are taken back and decided
again. Work that cannot be told ahead runs on the thread, and whoever comes after it waits for its commit. Everything is
done in the order in which it came.

Where there is one core only, the two would take it from each other, and each find its caches full of what the other
needs. There they take turns: the loop decides and writes into an open transaction, the thread waits for the disk.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from enforcer.domain.errors import StoreUnavailable
from enforcer.store.ahead import Ahead
from enforcer.store.sqlite.statements import ROWS_AT_ONCE, Row, insert, prepare, write

MAX_BATCH = 250
"""Decisions in one transaction: bounds how long the first of them waits for the last."""
AT_ONCE = 25
"""Decisions in one turn of the event loop: others want their turn too."""
LOCK_WAIT = 5_000
"""Milliseconds that a transaction waits for a lock of somebody else's, who makes a backup, say."""

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
    """`make` is for the event loop, `work` for the thread, and either may be missing. `rows` are what it writes.

    `number` is `Ahead.number` when it was made.
    """

    make: Made | None
    work: Work | None
    committed: Settle | None
    future: asyncio.Future[Any]
    rows: Sequence[Row] = ()
    number: int = 0
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Batch:
    """The jobs of one transaction.

    `failure`: nobody knows what became of it. `again`: nothing of it was committed, because of jobs that have their
    error now; the others are to be done again.
    """

    jobs: Sequence[_Job]
    inserted: int = 0
    """The rows of so many are in the open transaction already."""
    again: bool = False
    failure: StoreUnavailable | None = None


class Writer:
    """Runs jobs, one transaction after the other; everything but the thread's part is on the event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        ahead: Ahead,
        view: Callable[[sqlite3.Connection | None], AbstractContextManager[object]] = nullcontext,
        wrote: Callable[[sqlite3.Connection], None] = lambda connection: None,
        unknown: Callable[[], None] = lambda: None,
        one_core: bool = False,
    ) -> None:
        """`view` is entered around decisions that are taken in one turn, and never raises; it is given the connection
        to read over, where that is this one. `wrote` is called on the thread after each commit, while no transaction is
        open; `unknown` when nobody knows what was committed. With `one_core` the thread only waits for the disk."""
        prepare(connection)
        self._connection = connection
        self._loop = loop
        self._ahead = ahead
        self._view = view
        self._wrote = wrote
        self._unknown = unknown
        self._waiting: deque[_Job] = deque()
        """Not looked at yet."""
        self._made: deque[_Job] = deque()
        """For the thread to take; only one side adds, and only the other takes away."""
        self._stopped = False
        """A transaction was not committed: the thread leaves alone what was decided as if it were."""
        self._blind = 0
        """Jobs on their way that cannot be told ahead: nothing is decided until they are committed."""
        self._one_core = one_core
        self._handed = False
        """With one core: the connection is the thread's, until it is through with what it was given."""
        self._inserted = 0
        """With one core: so many of the made jobs have their rows in the open transaction."""
        self._called = False
        self._closed = False
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """Rung when there is something to take; false is the end."""
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
        """Finishes the waiting jobs, then ends the thread and closes its connection; whoever calls waits for that."""
        self._closed = True
        await self._idle.wait()
        self._bell.put(False)
        await asyncio.to_thread(self._thread.join)

    # ---- on the event loop ---------------------------------------------------------------------

    def _put(self, job: _Job) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._waiting.append(job)
        self._open += 1
        self._idle.clear()
        self._call()
        return job.future

    def _call(self) -> None:
        """Goes on in the next turn, with whoever has come by then."""
        if not self._called:
            self._called = True
            self._loop.call_soon(self._make)

    def _make(self) -> None:
        """Makes waiting jobs ready for the thread, a few at a time. With one core the thread is told once there are no
        more, so that one side only is at the connection and the jobs."""
        self._called = False
        waiting, made = self._waiting, self._made
        if self._blind or self._handed or not waiting:
            return
        begun = self._one_core and waiting[0].make is not None and self._begin()
        with self._view(self._connection if begun else None):
            for _ in range(min(AT_ONCE, MAX_BATCH - len(made), len(waiting))):
                if waiting[0].make is None:
                    break
                made.append(self._decided(waiting.popleft()))
        more = bool(waiting) and waiting[0].make is not None and len(made) < MAX_BATCH
        if more:
            self._call()
        failed = begun and not self._insert_made()
        if self._one_core and more and not failed:
            return  # what comes next goes into the same transaction, or waits for the same lock
        while waiting and waiting[0].make is None and len(made) < MAX_BATCH:
            made.append(waiting.popleft())
            self._blind += 1
        self._handed = self._one_core
        self._bell.put(True)

    def _begin(self) -> bool:
        """Opens a transaction for decisions, unless one is open. False if it cannot be: the loop waits for no lock."""
        if self._inserted:
            return True
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("BEGIN IMMEDIATE")
        except Exception:  # a lock, the disk, no memory: the thread will meet it again, and waits or says so
            return False
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT}")
        return True

    def _insert_made(self) -> bool:
        """Writes what was just made into the open transaction. False if it cannot be; then nothing of it is left."""
        try:
            if self._connection.in_transaction:  # SQLite may have ended it, after an error of the disk
                rows = [row for job in islice(self._made, self._inserted, None) for row in job.rows]
                write(self._connection, rows)
                self._inserted = len(self._made)
                return True
        except Exception:  # whatever it is, the thread will meet it again
            self._roll_back()
        self._inserted = 0
        return False

    def _decided(self, job: _Job) -> _Job:
        assert job.make is not None
        job.rows, job.error = (), None
        try:
            job.result, job.rows = job.make()
        except Exception as e:  # whatever it is, it is the caller's
            job.error = e
        job.number = self._ahead.number
        return job

    def _written(self, batch: _Batch) -> None:
        """The thread is through with it. First everybody who listens is told, then the caller, job by job in order."""
        self._handed = False
        self._inserted = 0
        self._blind -= sum(job.make is None for job in batch.jobs)
        if batch.failure is None and not batch.again:
            self._ahead.committed(max(job.number for job in batch.jobs))
        else:
            self._take_back(batch)
        for job in batch.jobs:
            error = batch.failure or job.error
            if error is None and batch.again:
                continue
            self._open -= 1
            self._answer(job, error)
        if self._waiting:
            self._call()
        elif not self._open:
            self._idle.set()

    def _answer(self, job: _Job, error: BaseException | None) -> None:
        if error is None and job.committed is not None:
            try:
                job.committed(job.result)
            except Exception as e:  # it is committed all the same, and others wait for their answers
                self._loop.call_exception_handler({"message": "Error after a commit", "exception": e})
        if job.future.cancelled():
            return
        if error is None:
            job.future.set_result(job.result)
            return
        if isinstance(error, StopIteration):  # which a future refuses
            error = RuntimeError(repr(error))
        job.future.set_exception(error)

    def _take_back(self, batch: _Batch) -> None:
        """It was not committed, so what was made after it must be made again, and what of it is to be done again."""
        again = [job for job in batch.jobs if batch.again and job.error is None]
        self._blind -= sum(job.make is None for job in self._made)
        self._waiting.extendleft(reversed([*again, *self._made]))
        self._made.clear()
        self._ahead.forget()
        if batch.failure is not None:
            self._unknown()
        self._stopped = False

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while self._bell.get():
            while jobs := self._taken():
                batch = _Batch(jobs, self._inserted)
                self._write(batch)
                self._stopped = batch.again or batch.failure is not None
                self._loop.call_soon_threadsafe(self._written, batch)
                if self._one_core:
                    break  # it is the loop's turn
        self._connection.close()

    def _taken(self) -> list[_Job]:
        jobs: list[_Job] = []
        while self._made and not self._stopped and len(jobs) < MAX_BATCH:
            jobs.append(self._made.popleft())
        return jobs

    def _write(self, batch: _Batch) -> None:
        """The transaction; an error that is not one job's fails them all as *unknown*."""
        if not any(job.rows or job.work for job in batch.jobs):
            self._roll_back()
            return  # it says nothing of the disk
        try:
            if self._commit(batch):
                self.failing = None
                self._wrote(self._connection)
            else:
                self._roll_back()
                self._find_fault(batch)
        except Exception as e:  # whatever it is, the thread goes on: everybody waits for it
            self.failing = str(e) or repr(e)
            batch.again = False
            batch.failure = StoreUnavailable(f"the database did not take the change: {self.failing}")
            batch.failure.__cause__ = e
            self._roll_back()

    def _commit(self, batch: _Batch) -> bool:
        """False if it cannot be, through the fault of a job."""
        jobs = batch.jobs[batch.inserted :]
        try:
            if not batch.inserted:
                if self._connection.in_transaction:  # what failed before could not even be rolled back
                    self._connection.execute("ROLLBACK")
                rows = [row for job in jobs for row in job.rows]
                if len(rows) <= ROWS_AT_ONCE and all(job.work is None for job in jobs):
                    insert(self._connection, rows)  # by itself it is a transaction
                    return True
                self._connection.execute("BEGIN IMMEDIATE")
            for only_rows, part in groupby(jobs, lambda job: job.work is None):
                if only_rows:
                    self._insert([row for job in part for row in job.rows])
                    continue
                for job in part:
                    self._work(job)
        except _OWN_FAULTS:
            return False
        self._connection.execute("COMMIT")
        return True

    def _insert(self, rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            insert(self._connection, rows[first : first + ROWS_AT_ONCE])

    def _find_fault(self, batch: _Batch) -> None:
        """Gives each job whose rows cannot be written its error. Nothing is committed; the others come again, those
        that raised as well: they may have seen what is not committed."""
        self._connection.execute("BEGIN IMMEDIATE")
        for job in batch.jobs:
            job.error = None
            try:
                self._insert(job.rows)
            except _OWN_FAULTS as e:
                job.error = e
                batch.again = True
        self._connection.execute("ROLLBACK")
        if not batch.again:
            raise sqlite3.DatabaseError("rows that can be written one by one cannot be written together")

    def _work(self, job: _Job) -> None:
        """Runs one job's work in the open transaction; if it fails by its own fault, nothing of it stays."""
        assert job.work is not None
        self._connection.execute("SAVEPOINT work")
        try:
            job.result = job.work(self._connection)
        except Exception as e:
            if isinstance(e, sqlite3.Error) and not isinstance(e, _OWN_FAULTS):
                raise
            job.error = e
            self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")

    def _roll_back(self) -> None:
        with suppress(Exception):  # the disk is still in trouble; the next BEGIN will tell
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
