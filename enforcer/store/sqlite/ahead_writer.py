"""The writer for two cores and more: a thread writes and commits, and decisions are taken ahead of it.

The thread takes all that is there whenever it has finished a transaction, so that those who come while the disk is busy
share one commit. Decisions see those before them whose commit is still on its way (`Ahead`); if it fails, those that
have seen it are taken back and decided again. After what cannot be told ahead (marks, work for the thread) nothing is
decided before it is committed.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby

from enforcer.domain.errors import StoreUnavailable
from enforcer.store.ahead import Ahead
from enforcer.store.sqlite import writer
from enforcer.store.sqlite.statements import ROWS_AT_ONCE, Row, insert, prepare
from enforcer.store.sqlite.writer import (
    OWN_FAULTS,
    Job,
    Made,
    Writer,
    roll_back,
    run_work,
    unknown_outcome,
)


@dataclass(slots=True)
class _Batch:
    """The jobs of one transaction.

    `failure`: nobody knows what became of it. `again`: nothing of it was committed, because of jobs that have their
    error now; the others are to be done again.
    """

    jobs: Sequence[Job]
    again: bool = False
    failure: StoreUnavailable | None = None


class AheadWriter(Writer):
    """See `writer.Writer` for what each method promises. `make` tells `Ahead` what it has decided."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        ahead: Ahead,
        view: Callable[[], AbstractContextManager[object]] = nullcontext,
        wrote: Callable[[sqlite3.Connection], None] = lambda connection: None,
        unknown: Callable[[], None] = lambda: None,
    ) -> None:
        """`view` is entered around decisions that are taken in one turn, and never raises. `wrote` is called on the
        thread after each commit, while no transaction is open; `unknown` when nobody knows what was committed."""
        super().__init__(loop)
        prepare(connection)
        self._connection = connection
        self._loop = loop
        self._ahead = ahead
        self._view = view
        self._wrote = wrote
        self._unknown = unknown
        self._made: deque[Job] = deque()
        """For the thread to take; only one side adds, and only the other takes away."""
        self._stopped = False
        """A transaction was not committed: the thread leaves alone what was decided as if it were."""
        self._blind = 0
        """Jobs on their way that cannot be told ahead: nothing is decided until they are committed."""
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """Rung when there is something to take; false is the end."""
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        await self.intake.close()
        self._bell.put(False)
        await asyncio.to_thread(self._thread.join)

    # ---- on the event loop ---------------------------------------------------------------------

    def turn(self) -> None:
        """Makes waiting jobs ready for the thread, a few at a time."""
        waiting, made = self.intake.waiting, self._made
        if self._blind or not waiting:
            return
        with self._view():
            for _ in range(min(writer.AT_ONCE, writer.MAX_BATCH - len(made), len(waiting))):
                job = waiting[0]
                if job.make is None:
                    break
                made.append(self._decided(waiting.popleft(), job.make))
        if waiting and waiting[0].make is not None and len(made) < writer.MAX_BATCH:
            self.intake.call()
        while waiting and waiting[0].make is None and len(made) < writer.MAX_BATCH:
            made.append(waiting.popleft())
            self._blind += 1
        self._bell.put(True)

    def _decided(self, job: Job, make: Made) -> Job:
        job.rows, job.error = (), None
        try:
            job.result, job.rows = make()
        except Exception as e:  # whatever it is, it is the caller's
            job.error = e
        job.number = self._ahead.number
        return job

    def _written(self, batch: _Batch) -> None:
        """The thread is through with it."""
        self._blind -= sum(job.make is None for job in batch.jobs)
        if batch.failure is None and not batch.again:
            self._ahead.committed(max(job.number for job in batch.jobs))
        else:
            self._take_back(batch)
        for job in batch.jobs:
            error = batch.failure or job.error
            if error is not None or not batch.again:
                self.intake.answer(job, error)
        self.intake.answered()

    def _take_back(self, batch: _Batch) -> None:
        """It was not committed, so what was made after it must be made again, and what of it is to be done again."""
        again = [job for job in batch.jobs if batch.again and job.error is None]
        self._blind -= sum(job.make is None for job in self._made)
        self.intake.waiting.extendleft(reversed([*again, *self._made]))
        self._made.clear()
        self._ahead.forget()
        if batch.failure is not None:
            self._unknown()
        self._stopped = False

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while self._bell.get():
            while jobs := self._taken():
                batch = _Batch(jobs)
                self._write(batch)
                self._stopped = batch.again or batch.failure is not None
                self._loop.call_soon_threadsafe(self._written, batch)
        self._connection.close()

    def _taken(self) -> list[Job]:
        jobs: list[Job] = []
        while self._made and not self._stopped and len(jobs) < writer.MAX_BATCH:
            jobs.append(self._made.popleft())
        return jobs

    def _write(self, batch: _Batch) -> None:
        """The transaction; an error that is not one job's fails them all as *unknown*."""
        if not any(job.rows or job.work for job in batch.jobs):
            return  # it says nothing of the disk
        try:
            if self._commit(batch.jobs):
                self.failing = None
                self._wrote(self._connection)
            else:
                roll_back(self._connection)
                self._find_fault(batch)
        except Exception as e:  # whatever it is, the thread goes on: everybody waits for it
            self.failing = str(e) or repr(e)
            batch.again = False
            batch.failure = unknown_outcome(e)
            roll_back(self._connection)

    def _commit(self, jobs: Sequence[Job]) -> bool:
        """False if it cannot be, through the fault of a job."""
        try:
            if self._connection.in_transaction:  # what failed before could not even be rolled back
                self._connection.execute("ROLLBACK")
            rows = [row for job in jobs for row in job.rows]
            if len(rows) <= ROWS_AT_ONCE and all(job.work is None for job in jobs):
                insert(self._connection, rows)  # by itself it is a transaction
                return True
            self._connection.execute("BEGIN IMMEDIATE")
            for work, part in groupby(jobs, lambda job: job.work):
                if work is None:
                    self._insert([row for job in part for row in job.rows])
                    continue
                for job in part:
                    run_work(self._connection, job, work)
        except OWN_FAULTS:
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
            except OWN_FAULTS as e:
                job.error = e
                batch.again = True
        self._connection.execute("ROLLBACK")
        if not batch.again:
            raise sqlite3.DatabaseError("rows that can be written one by one cannot be written together")
