"""The writer for one core: the event loop decides and writes into an open transaction, then a thread commits it.

Nothing is decided while the thread has the connection. A decision reads over the writing connection, so it sees what
those before it have written, and that connection still knows what it has read.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from enforcer.store.sqlite import writer
from enforcer.store.sqlite.statements import write
from enforcer.store.sqlite.writer import OWN_FAULTS, Job, Writer, roll_back, run_work

Errand = tuple[Callable[[], None], Callable[[Exception | None], None]]
"""What the thread does, and what the loop does after it, with the error."""


class TurnsWriter(Writer):
    """See `writer.Writer` for what each method promises."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        view: Callable[[sqlite3.Connection], AbstractContextManager[object]] = nullcontext,
        wrote: Callable[[sqlite3.Connection], None] = lambda connection: None,
        unknown: Callable[[], None] = lambda: None,
    ) -> None:
        """`view` is entered around decisions, and never raises; it is given the connection to read over. `wrote` is
        called on the thread after each commit, while no transaction is open; `unknown` when nobody knows what was
        committed."""
        super().__init__(loop)
        self._connection = connection
        self._loop = loop
        self._view = view
        self._wrote = wrote
        self._unknown = unknown
        self._batch: list[Job] = []
        """The jobs of the open transaction."""
        self._begun = False
        self._changed = False
        """Something was written into it."""
        self._lent = False
        """The connection is the thread's."""
        self._errands: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        await self.intake.close()
        self._errands.put(None)
        await asyncio.to_thread(self._thread.join)

    # ---- on the event loop ---------------------------------------------------------------------

    def turn(self) -> None:
        """Some jobs go into the transaction; when no more have come, the thread commits it."""
        if self._lent or not self.intake.waiting:
            return
        if not self._begun and not self._begin():
            self._lend(self._wait_for_the_lock, self._has_begun)
            return
        waiting, batch = self.intake.waiting, self._batch
        try:
            with self._view(self._connection):
                for _ in range(min(writer.AT_ONCE, writer.MAX_BATCH - len(batch), len(waiting))):
                    if waiting[0].work is not None:
                        break
                    batch.append(waiting.popleft())
                    self._do(batch[-1])
        except Exception as e:  # whatever it is, everybody waits for an answer
            self._done(e)
            return
        if waiting and waiting[0].work is None and len(batch) < writer.MAX_BATCH:
            self.intake.call()  # what comes next goes into the same transaction
            return
        while waiting and waiting[0].work is not None and len(batch) < writer.MAX_BATCH:
            batch.append(waiting.popleft())
        if self._changed or batch[-1].work is not None:
            self._lend(self._commit, self._done)
        else:  # it says nothing of the disk
            roll_back(self._connection)
            self._answer(None)

    def _begin(self) -> bool:
        """Opens a transaction. False if it cannot be at once: the loop waits for no lock."""
        connection = self._connection
        try:
            roll_back(connection)  # what could not be rolled back before
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN IMMEDIATE")
        except Exception:  # a lock, the disk, no memory: the thread will meet it again, and waits or says so
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {writer.LOCK_WAIT}")
        self._begun = True
        return True

    def _has_begun(self, error: Exception | None) -> None:
        if error is None:
            self._begun = True
            self.intake.call()
            return
        while self.intake.waiting and len(self._batch) < writer.MAX_BATCH:  # they have waited for the same lock
            self._batch.append(self.intake.waiting.popleft())
        self._done(error)

    def _do(self, job: Job) -> None:
        """Decides and writes; raises what is not the job's own fault."""
        if job.make is not None:
            try:
                job.result, job.rows = job.make()
            except Exception as e:  # whatever it is, it is the caller's
                job.error = e
        if not self._connection.in_transaction:
            raise sqlite3.OperationalError("the database has ended the transaction")  # an error of the disk, in a read
        if job.error is not None or not job.rows:
            return
        self._connection.execute("SAVEPOINT job")
        try:
            write(self._connection, job.rows)
            self._changed = True
        except OWN_FAULTS as e:
            job.error = e
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _done(self, error: Exception | None) -> None:
        """The transaction was committed, or has failed."""
        if error is None:
            self.failing = None
            self._answer(None)
            return
        roll_back(self._connection)
        self.failing = str(error) or repr(error)
        self._unknown()
        self._answer(writer.unknown_outcome(error))

    def _answer(self, failure: Exception | None) -> None:
        batch, self._batch = self._batch, []
        self._begun = self._changed = False
        for job in batch:
            self.intake.answer(job, failure or job.error)
        self.intake.answered()

    def _lend(self, what: Callable[[], None], after: Callable[[Exception | None], None]) -> None:
        self._lent = True
        self._errands.put((what, after))

    def _back(self, after: Callable[[Exception | None], None], error: Exception | None) -> None:
        self._lent = False
        after(error)

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            what, after = errand
            error: Exception | None = None
            try:
                what()
            except Exception as e:  # whatever it is, the thread goes on: everybody waits for it
                error = e
            self._loop.call_soon_threadsafe(self._back, after, error)
        self._connection.close()

    def _wait_for_the_lock(self) -> None:
        roll_back(self._connection)
        self._connection.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        for job in self._batch:
            if job.work is not None:
                run_work(self._connection, job, job.work)
        self._connection.execute("COMMIT")
        self._wrote(self._connection)
