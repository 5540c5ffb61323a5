"""All writing to a SQLite database, with group commit.

Jobs that wait at the same time go into one transaction and are answered after its fsync, so the cost of a durable
commit is shared. A transaction has two parts, never both at once. Quick jobs run on the event loop: a decision about a
room takes some tens of microseconds, less than handing the interpreter lock to another thread and back for each of its
statements. Bulky jobs, and the commit, which waits for the disk, run on a thread of their own. Jobs run in the order in
which they came.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from enforcer.errors import StoreUnavailable

MAX_BATCH = 250
"""Quick jobs in one transaction: bounds how long the first of them waits for the last."""
AT_ONCE = 25
"""Quick jobs in one turn of the event loop: others want their turn too."""

Settle = Callable[[Any], None]
Work = Callable[[sqlite3.Connection], Any]

_OWN_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""What says that a job is wrong; any other error of SQLite's says that the database is in trouble."""


@dataclass(slots=True)
class _Job:
    work: Work
    committed: Settle | None
    bulky: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Batch:
    """The jobs of one transaction. `begun`: it is open, and the quick ones have run in it."""

    quick: list[_Job]
    bulky: list[_Job]
    begun: bool = False

    @property
    def jobs(self) -> list[_Job]:
        return self.quick + self.bulky


class Writer:
    """Runs jobs, one transaction after the other; everything but the thread's part is on the event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        wrote: Callable[[sqlite3.Connection], None] = lambda connection: None,
    ) -> None:
        """`wrote` is called on the thread after each commit, while no transaction is open."""
        self._connection = connection
        self._loop = loop
        self._wrote = wrote
        self._waiting: deque[_Job] = deque()
        self._batch: _Batch | None = None
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._handed: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()
        self.failing: str | None = None
        """What the latest transaction failed with, until one succeeds again."""

    async def run(self, work: Work, committed: Settle | None = None, *, bulky: bool = False) -> Any:
        """Runs `work` in the next transaction; after its commit `committed` is called with the result, then returns it.

        `bulky` is for work that takes longer than the event loop should be kept waiting.

        Raises:
            StoreUnavailable: the transaction failed; whether it took effect is unknown.
            Exception: what `work` raised; nothing of it was committed, the other jobs are not touched.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        job = _Job(work, committed, bulky, self._loop.create_future())
        self._waiting.append(job)
        if self._batch is None:
            self._open_batch()
        return await job.future

    async def close(self) -> None:
        """Finishes the waiting jobs, then ends the thread and closes its connection."""
        if not self._closed:
            self._closed = True
            await self._idle.wait()
            self._handed.put(None)
            await asyncio.to_thread(self._thread.join)

    # ---- on the event loop ---------------------------------------------------------------------

    def _open_batch(self) -> None:
        """The next transaction begins in the next turn, with whoever has come by then."""
        self._idle.clear()
        self._batch = _Batch([], [])
        self._loop.call_soon(self._fill)

    def _fill(self) -> None:
        """Runs waiting jobs, a few at a time; hands the transaction over at a bulky one, when none is left, or it is
        long enough."""
        batch, waiting = self._batch, self._waiting
        assert batch is not None
        taken: list[_Job] = []
        while waiting and not waiting[0].bulky and len(taken) < AT_ONCE:
            taken.append(waiting.popleft())
        batch.quick += taken
        sound = self._run_quick(batch, taken)
        if sound and waiting and not waiting[0].bulky and len(batch.quick) < MAX_BATCH:
            self._loop.call_soon(self._fill)
            return
        while waiting and waiting[0].bulky:
            batch.bulky.append(waiting.popleft())
        self._handed.put(batch)

    def _run_quick(self, batch: _Batch, jobs: Sequence[_Job]) -> bool:
        """Runs the jobs in the open transaction. False if something went wrong: then nothing is begun any more."""
        try:
            if not batch.begun:
                self._connection.execute("BEGIN IMMEDIATE")
                batch.begun = True
            if all(self._run_job(job) for job in jobs):
                return True
        except sqlite3.Error:
            pass  # the thread runs all of them again, and says what it meets
        batch.begun = False
        self._roll_back()
        return False

    def _settle(self, batch: _Batch) -> None:
        """First everybody who listens, then the caller, job by job in the order of the commit."""
        self._batch = None
        if self._waiting:
            self._open_batch()
        else:
            self._idle.set()
        for job in batch.jobs:
            if job.error is None and job.committed is not None:
                job.committed(job.result)
            if job.future.cancelled():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._handed.get()) is not None:
            self._finish(batch)
            self._loop.call_soon_threadsafe(self._settle, batch)
        self._connection.close()

    def _finish(self, batch: _Batch) -> None:
        """The rest of the transaction; an error of the database fails all its jobs as *unknown*.

        A job that fails by its own fault has usually written nothing. If it has, everything is rolled back and the
        others run again without it (decisions may run more than once): far cheaper than a savepoint for every job.
        """
        jobs, waiting = batch.jobs, batch.bulky
        try:
            if not batch.begun:
                self._connection.execute("BEGIN IMMEDIATE")
                waiting = jobs
            while (spoiler := next((job for job in waiting if not self._run_job(job)), None)) is not None:
                self._connection.execute("ROLLBACK")
                jobs = waiting = [job for job in jobs if job is not spoiler]
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("COMMIT")
            self.failing = None
            self._wrote(self._connection)
        except sqlite3.Error as e:
            self.failing = str(e)
            for job in jobs:
                job.error = StoreUnavailable(f"the database did not take the change: {e}")
            self._roll_back()

    # ---- on either -----------------------------------------------------------------------------

    def _run_job(self, job: _Job) -> bool:
        """Runs one job in the open transaction. False if it failed and left something half done."""
        job.error = None
        changes = self._connection.total_changes
        try:
            job.result = job.work(self._connection)
        except Exception as e:
            if isinstance(e, sqlite3.Error) and not isinstance(e, _OWN_FAULTS):
                raise
            job.error = e
            return self._connection.total_changes == changes
        return True

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:  # the disk is still in trouble; the next BEGIN will tell
            pass
