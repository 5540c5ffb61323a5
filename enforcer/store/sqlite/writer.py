"""All writing to a SQLite database: what is asked of a writer, and what both writers have in common.

Decisions run on the event loop, and many of them share the cost of one durable commit. There are two writers, because
with one core a thread takes it from the event loop, and each finds its caches full of the other's:

- `AheadWriter`, for two cores and more: a thread writes and commits, and decisions are taken ahead of it.
- `TurnsWriter`, for one core: the loop decides and writes, the thread commits, and they take turns.
"""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from enforcer.domain.errors import StoreUnavailable
from enforcer.store.sqlite.statements import Row

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


class Run(Protocol):
    """`Writer.run`, while the store is open."""

    async def __call__(self, work: Work, committed: Settle | None = None) -> Any: ...


OWN_FAULTS = (
    *(sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError),
    *(ValueError, OverflowError),  # texts and numbers that SQLite does not take
)
"""What says that a job is wrong; any other error of SQLite's says that the database is in trouble."""


@dataclass(slots=True)
class Job:
    """`make` is for the event loop, `work` for the thread, and either may be missing. `rows` are what it writes.

    `number` is `Ahead.number` when it was made.
    """

    make: Made | None = None
    work: Work | None = None
    committed: Settle | None = None
    rows: Sequence[Row] = ()
    number: int = 0
    result: Any = None
    error: BaseException | None = None


class Intake:
    """The jobs that wait, and those that are not answered yet. `turn` is called in a turn of the loop of its own when
    there are waiting ones, with whoever has come by then."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: Callable[[], None]) -> None:
        self.waiting: deque[Job] = deque()
        self._loop = loop
        self._turn = turn
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._called = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, job: Job) -> asyncio.Future[Any]:
        """One more; its answer."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self.waiting.append(job)
        self._idle.clear()
        self.call()
        self._futures[id(job)] = future = self._loop.create_future()
        return future

    def call(self) -> None:
        """There is something to do in the next turn."""
        if not self._called:
            self._called = True
            self._loop.call_soon(self._go)

    def _go(self) -> None:
        self._called = False
        self._turn()

    def answer(self, job: Job, error: BaseException | None) -> None:
        """A job is done with. First everybody who listens is told, then its caller."""
        future = self._futures.pop(id(job))
        if error is None and job.committed is not None:
            try:
                job.committed(job.result)
            except Exception as e:  # it is committed all the same, and others wait for their answers
                self._loop.call_exception_handler({"message": "Error after a commit", "exception": e})
        if future.cancelled():
            return
        if error is None:
            future.set_result(job.result)
        elif isinstance(error, StopIteration):  # which a future refuses
            future.set_exception(RuntimeError(repr(error)))
        else:
            future.set_exception(error)

    def answered(self) -> None:
        """All jobs of a transaction are."""
        if self.waiting:
            self.call()
        elif not self._futures:
            self._idle.set()

    async def close(self) -> None:
        """Takes no more; returns when there are none left."""
        self._closed = True
        await self._idle.wait()


class Writer(ABC):
    """Does what it is given in the order in which it came, each whole or not at all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.intake = Intake(loop, self.turn)
        self.failing: str | None = None
        """What the latest transaction failed with, until one succeeds again."""

    async def decide(self, make: Made, committed: Settle | None = None) -> Any:
        """Lets `make` decide, writes its rows, calls `committed` with its result after the commit, then returns it.

        `make` may run again if what it has seen of decisions before it was not committed.

        Raises:
            StoreUnavailable: the transaction failed; whether it took effect is unknown.
            Exception: what `make` raised, or its rows could not be written; nothing of it was committed.
        """
        return await self.intake.put(Job(make, committed=committed))

    async def write(self, rows: Sequence[Row], committed: Settle | None = None) -> None:
        """Writes rows that no decision has made. Raises as `decide`."""
        await self.intake.put(Job(committed=committed, rows=rows))

    async def run(self, work: Work, committed: Settle | None = None) -> Any:
        """Runs `work` on the thread, within the transaction; the rest is as with `decide`."""
        return await self.intake.put(Job(work=work, committed=committed))

    @abstractmethod
    async def close(self) -> None:
        """Finishes the waiting jobs, then ends the thread and closes its connection; whoever calls waits for that."""

    @abstractmethod
    def turn(self) -> None:
        """Some jobs wait: it is the writer's turn of the event loop."""


def run_work(connection: sqlite3.Connection, job: Job, work: Work) -> None:
    """Runs one job's work in the open transaction; if it fails by its own fault, nothing of it stays."""
    connection.execute("SAVEPOINT work")
    try:
        job.result = work(connection)
    except Exception as e:
        if isinstance(e, sqlite3.Error) and not isinstance(e, OWN_FAULTS):
            raise
        job.error = e
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")


def roll_back(connection: sqlite3.Connection) -> None:
    """Takes back an open transaction, if it can be; if not, the next one begins with it."""
    with suppress(Exception):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def unknown_outcome(error: Exception) -> StoreUnavailable:
    """What the callers of a transaction are told that has failed with this."""
    failure = StoreUnavailable(f"the database did not take the change: {str(error) or repr(error)}")
    failure.__cause__ = error
    return failure
