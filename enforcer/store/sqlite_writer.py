"""The one thread that writes to a SQLite database, with group commit.

All jobs that wait when a commit ends go into the next transaction together and are answered after its fsync. So the
cost of a durable commit is shared by whoever comes at the same time, and a single caller waits for one fsync only.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from enforcer.errors import StoreUnavailable

MAX_BATCH = 1000
"""Jobs in one transaction: bounds how long the first of them waits for the last."""

Settle = Callable[[Any], None]

_OWN_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""What says that a job is wrong; any other error of SQLite's says that the database is in trouble."""


@dataclass(slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    committed: Settle | None
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs on its thread; `run` is called on the event loop that made it."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()
        self.failing: str | None = None
        """What the latest transaction failed with, until one succeeds again."""

    async def run(self, work: Callable[[sqlite3.Connection], Any], committed: Settle | None = None) -> Any:
        """Runs `work` in the next transaction; after its commit `committed` is called with the result, then returns it.

        Raises:
            StoreUnavailable: the transaction failed; whether it took effect is unknown.
            Exception: what `work` raised; nothing of it was committed, the other jobs are not touched.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        job = _Job(work, committed, self._loop.create_future())
        self._jobs.put(job)
        return await job.future

    async def close(self) -> None:
        """Finishes the waiting jobs, then ends the thread and closes its connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        open_for_more = True
        while open_for_more:
            batch: list[_Job] = []
            job = self._jobs.get()
            while True:
                if job is None:
                    open_for_more = False
                    break
                batch.append(job)
                if len(batch) == MAX_BATCH:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._transaction(batch)
                self._loop.call_soon_threadsafe(_settle, batch)
        self._connection.close()

    def _transaction(self, batch: list[_Job]) -> None:
        """Runs the jobs and commits them together; an error of the database fails them all as *unknown*.

        A job that fails by its own fault has usually written nothing. If it has, everything is rolled back and the
        others run again without it (decisions may run more than once): far cheaper than a savepoint for every job.
        """
        connection = self._connection
        jobs = batch
        try:
            while jobs:
                connection.execute("BEGIN IMMEDIATE")
                spoiler = next((job for job in jobs if not self._run_job(job)), None)
                if spoiler is None:
                    connection.execute("COMMIT")
                    self.failing = None
                    return
                connection.execute("ROLLBACK")
                jobs = [job for job in jobs if job is not spoiler]
        except sqlite3.Error as e:
            self.failing = str(e)
            for job in jobs:
                job.error = StoreUnavailable(f"the database did not take the change: {e}")
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:  # the disk is still in trouble; the next BEGIN will tell
                pass

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


def _settle(batch: list[_Job]) -> None:
    """Back on the event loop: first everybody who listens, then the caller, job by job in the order of the commits."""
    for job in batch:
        if job.error is None and job.committed is not None:
            job.committed(job.result)
        if job.future.cancelled():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
