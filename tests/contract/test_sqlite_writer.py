"""The writer: whatever jobs do, they are done in the order they came, each whole or not at all."""

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Decision, RoomState
from enforcer.store.ahead import Ahead
from enforcer.store.sqlite import writer as sqlite_writer
from enforcer.store.sqlite.ahead_writer import AheadWriter
from enforcer.store.sqlite.schema import migrate
from enforcer.store.sqlite.statements import ROWS_AT_ONCE, Kind, Row, row
from enforcer.store.sqlite.turns_writer import TurnsWriter
from enforcer.store.sqlite.writer import AT_ONCE, LOCK_WAIT, MAX_BATCH
from tests.contract.conftest import Forgetful

KINDS = ("decide", "decide", "decide nothing", "decide badly", "decide wrongly", "write", "write wrongly")
WORKS = ("run", "run badly", "run badly in the end")


class Bad(Exception):
    """What a bad job raises."""


def note(number: object) -> Row:
    """A row that leaves a number in the audit log; the database does not take None."""
    return row(Kind.AUDIT, ("", 0.0, number, "", *[None] * 5))


class Bench:
    """A writer over a real database, and jobs for it. Decisions count: each raises the epoch of one room by one."""

    def __init__(
        self,
        path: Path,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
        one_core: bool = False,
        **options: Any,
    ) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=factory)
        self.connection.execute("PRAGMA journal_mode = WAL")
        migrate(self.connection, str(path))
        self.ahead = Ahead()
        self.reading: sqlite3.Connection | None = None
        self.one_core = one_core
        loop = asyncio.get_running_loop()
        self.writer: AheadWriter | TurnsWriter
        if one_core:
            self.writer = TurnsWriter(self.connection, loop, self.view, **options)
        else:
            self.writer = AheadWriter(self.connection, loop, self.ahead, **options)
        self.told: list[Any] = []
        self.made = 0
        self.writing = threading.Event()
        """The thread has begun with a transaction."""
        self.connection.set_progress_handler(self.writing.set, 1)

    @contextmanager
    def view(self, writing: sqlite3.Connection) -> Iterator[None]:
        """By turns, decisions read over the connection that writes."""
        self.reading = writing
        yield
        self.reading = None

    def read(self, sql: str) -> list[Any]:
        """From what is committed; in a decision from its view."""
        if self.reading is not None:
            return [value for (value,) in self.reading.execute(sql)]
        connection = sqlite3.connect(self.path)
        try:
            return [value for (value,) in connection.execute(sql)]
        finally:
            connection.close()

    def done(self) -> list[int]:
        """The numbers that were committed, in the order they were written."""
        return [int(number) for number in self.read("SELECT event FROM audit ORDER BY seq")]

    def counted(self) -> int:
        """The epoch of the room as it is committed."""
        return sum(self.read("SELECT epoch FROM rooms"))

    def count(self, *notes: Row) -> Any:
        """Raises the epoch by one, and writes the notes."""

        def make() -> tuple[int, Sequence[Row]]:
            self.made += 1
            before = self.ahead.room("r") or RoomState("r", self.counted())
            decision = Decision(None, epoch=before.epoch + 1)
            after = decision.after(before)
            if not self.one_core:
                self.ahead.decided(after, decision)
            return after.epoch, [row(Kind.ROOM, ("r", after.epoch, "[]", "")), *notes]

        return self.writer.decide(make, self.told.append)

    def job(self, number: int, kind: str) -> Any:
        """A job of the kind; a good one that writes leaves its number."""

        def raising() -> tuple[Any, Sequence[Row]]:
            raise Bad

        def work(connection: sqlite3.Connection) -> int:
            if kind == "run badly":
                raise Bad
            connection.execute("INSERT INTO audit (operation, at, event, room) VALUES ('', 0, ?, '')", (number,))
            if kind == "run badly in the end":
                raise Bad
            return number

        match kind:
            case "decide":
                return self.count(note(number))
            case "decide nothing":
                return self.writer.decide(lambda: (None, ()))
            case "decide badly":
                return self.writer.decide(raising)
            case "decide wrongly":
                return self.count(note(None))
            case "write":
                return self.writer.write([note(number)])
            case "write wrongly":
                return self.writer.write([note(number), note(None)])
        return self.writer.run(work)


modes = pytest.mark.parametrize("one_core", [False, True], ids=["ahead", "by turns"])
"""What is promised is the same, whether decisions run ahead of the disk or wait for it."""
JOBS = st.lists(st.sampled_from(KINDS + WORKS), max_size=40)


@modes
@settings(max_examples=60, deadline=None)
@given(groups=st.lists(JOBS, min_size=1, max_size=5), turns=st.integers(0, 3))
def test_jobs_are_done_in_their_order_whole_or_not_at_all(one_core: bool, groups: list[list[str]], turns: int) -> None:
    """Groups come while the ones before are under way; after each answer what it promises is committed, and each
    decision was made on what those before it have left, and nothing else."""

    async def run(path: Path) -> None:
        bench = Bench(path, one_core=one_core)
        tasks: list[tuple[int, str, asyncio.Task[Any]]] = []
        for group in groups:
            for kind in group:
                number = len(tasks)
                tasks.append((number, kind, asyncio.ensure_future(bench.job(number, kind))))
            for _ in range(turns):
                await asyncio.sleep(0)
        good = [number for number, kind, _ in tasks if kind in ("decide", "write", "run")]
        decided = [number for number in good if tasks[number][1] == "decide"]
        for number, kind, task in tasks:
            (answer,) = await asyncio.gather(task, return_exceptions=True)
            if number in decided:
                assert answer == 1 + decided.index(number)
                assert bench.counted() >= answer
            elif number in good or kind == "decide nothing":
                assert answer == (number if kind == "run" else None)
            else:
                assert isinstance(answer, sqlite3.IntegrityError if "wrongly" in kind else Bad)
            assert number not in good or number in bench.done()
        await bench.writer.close()
        assert bench.done() == good
        assert bench.told == list(range(1, 1 + len(decided))), "listeners hear of commits in their order"

    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        # so that a few jobs are several turns, and several transactions
        patch.setattr(sqlite_writer, "AT_ONCE", 2)
        patch.setattr(sqlite_writer, "MAX_BATCH", 5)
        asyncio.run(run(Path(directory) / "x.db"))


@modes
async def test_the_event_loop_keeps_turning_under_load(tmp_path: Path, one_core: bool) -> None:
    """Between some decisions of one transaction others have their turn."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    seen = await asyncio.gather(*(bench.writer.decide(lambda: (turns, ())) for _ in range(MAX_BATCH)))
    turning.cancel()
    assert len(set(seen)) >= MAX_BATCH // AT_ONCE
    await bench.writer.close()


async def test_whoever_comes_while_the_disk_is_busy_is_decided_meanwhile(tmp_path: Path) -> None:
    """And all of them are committed together."""
    bench = Bench(tmp_path / "x.db")
    bench.writing.clear()
    first = asyncio.ensure_future(bench.count(note("0" * 5_000_000)))
    while not bench.writing.is_set():
        await asyncio.sleep(0)
    others = [asyncio.ensure_future(bench.count()) for _ in range(AT_ONCE)]
    while bench.made <= AT_ONCE:
        await asyncio.sleep(0)
    assert not first.done()
    assert bench.counted() == 0
    await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
    assert bench.counted() == 1 + AT_ONCE
    assert await asyncio.gather(first, *others) == list(range(1, 2 + AT_ONCE))
    await bench.writer.close()


async def test_what_was_decided_ahead_of_a_failed_commit_is_decided_again(tmp_path: Path) -> None:
    """Those whose transaction failed learn that nobody knows; those who had only seen it are not touched by that."""
    bench = Bench(tmp_path / "x.db")
    (pages,) = bench.connection.execute("PRAGMA page_count").fetchone()
    bench.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    bench.writing.clear()
    too_big = asyncio.ensure_future(bench.count(note("0" * 5_000_000)))
    while not bench.writing.is_set():
        await asyncio.sleep(0)
    after = asyncio.ensure_future(bench.count())
    answers = await asyncio.gather(too_big, after, return_exceptions=True)
    assert isinstance(answers[0], StoreUnavailable)
    assert answers[1] == 1
    assert bench.made == 3, "the second one was decided before the first one failed, and once more after that"
    assert bench.counted() == 1
    await bench.writer.close()


@modes
async def test_a_transaction_may_be_longer_than_a_statement(tmp_path: Path, one_core: bool) -> None:
    """And is one all the same."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    many = [note(number) for number in range(3 * ROWS_AT_ONCE + 1)]
    (answer,) = await asyncio.gather(bench.writer.write([*many, note(None)]), return_exceptions=True)
    assert isinstance(answer, sqlite3.IntegrityError)
    assert bench.done() == []
    await bench.writer.write(many)
    assert bench.done() == list(range(len(many)))
    await bench.writer.close()


@modes
async def test_a_text_that_the_database_cannot_hold_is_that_jobs_fault(tmp_path: Path, one_core: bool) -> None:
    """Others of the same transaction are not touched."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    answers = await asyncio.gather(
        *(bench.writer.write([note(text)]) for text in ("1", "\ud800", "2")), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [type(None), UnicodeEncodeError, type(None)]
    assert bench.done() == [1, 2]
    await bench.writer.close()


@modes
async def test_an_error_of_the_database_fails_everybody_as_unknown(tmp_path: Path, one_core: bool) -> None:
    """And is over when the trouble is."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    bench.connection.execute("PRAGMA query_only = ON")
    answers = await asyncio.gather(*(bench.job(n, "decide") for n in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert bench.writer.failing is not None
    bench.connection.execute("PRAGMA query_only = OFF")
    assert await bench.job(7, "run") == 7
    assert bench.writer.failing is None
    await bench.writer.close()
    assert bench.done() == [7]


@modes
async def test_somebody_elses_lock_is_waited_for_while_the_loop_turns(tmp_path: Path, one_core: bool) -> None:
    """Who copies the database, say. What was asked for meanwhile is done once it is over."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    jobs = [asyncio.ensure_future(bench.job(n, "decide")) for n in range(3 * AT_ONCE)]
    began = time.monotonic()
    done, _ = await asyncio.wait(jobs, timeout=0.3)
    assert not done
    assert time.monotonic() - began < LOCK_WAIT / 2_000, "the loop waited for the lock itself"
    other.execute("COMMIT")
    async with asyncio.timeout(LOCK_WAIT / 1_000):
        assert await asyncio.gather(*jobs) == list(range(1, 1 + len(jobs)))
    assert bench.writer.failing is None
    other.close()
    await bench.writer.close()


async def test_with_one_core_those_who_wait_for_a_lock_wait_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as a transaction may have, not only those of one turn of the loop: the next ones wait all over again."""
    monkeypatch.setattr(sqlite_writer, "LOCK_WAIT", 50)
    unknown: list[bool] = []
    bench = Bench(tmp_path / "x.db", one_core=True, unknown=lambda: unknown.append(True))
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        jobs = (bench.job(n, "decide") for n in range(MAX_BATCH))
        answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert unknown == [True], "one transaction has failed"
    await bench.writer.close()


@modes
async def test_who_writes_nothing_keeps_nobody_out(tmp_path: Path, one_core: bool) -> None:
    """The database's lock is free again when the answer is there."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    other = sqlite3.connect(bench.path, isolation_level=None, timeout=0)
    for kind in ("decide nothing", "decide badly", "decide wrongly", "decide"):
        await asyncio.gather(bench.job(1, kind), return_exceptions=True)
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
    other.close()
    await bench.writer.close()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@modes
@pytest.mark.usefixtures("restless")
async def test_a_thread_that_is_interrupted_anywhere_loses_nothing(tmp_path: Path, one_core: bool) -> None:
    """Callers come back as soon as they are answered, which is when the thread may still be on its way to rest."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    numbers = iter(range(5_000))

    async def caller() -> None:
        for number in numbers:
            await bench.count(note(number))

    async with asyncio.timeout(60):
        await asyncio.gather(*(caller() for _ in range(2 * AT_ONCE)))
        await bench.writer.close()
    assert bench.done() == list(range(5_000))
    assert bench.told == list(range(1, 5_001))


async def test_by_turns_an_error_takes_the_whole_transaction_with_it(tmp_path: Path) -> None:
    """Everybody of it learns that nobody knows, nothing of it is there, and the next one is as any other."""
    bench = Bench(tmp_path / "x.db", one_core=True)
    trouble = False

    def handler() -> bool:
        nonlocal trouble
        fails, trouble = trouble, False
        return fails

    def make() -> tuple[None, Sequence[Row]]:
        nonlocal trouble
        trouble = True
        return None, [note(AT_ONCE)]

    bench.connection.set_progress_handler(handler, 1)
    jobs = [bench.count(note(number)) for number in range(AT_ONCE)]
    *answers, last = await asyncio.gather(
        *jobs, bench.writer.decide(make), bench.count(note(AT_ONCE + 1)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert last == 1
    assert bench.done() == [AT_ONCE + 1]
    assert bench.writer.failing is None
    await bench.writer.close()


@modes
async def test_trouble_is_over_only_when_something_was_written(tmp_path: Path, one_core: bool) -> None:
    """A decision that writes nothing says nothing of the disk, nor does one whose rows are refused."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    (pages,) = bench.connection.execute("PRAGMA page_count").fetchone()
    bench.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    await asyncio.gather(bench.count(note("0" * 5_000_000)), return_exceptions=True)
    for kind in ("decide nothing", "decide badly", "write wrongly"):
        await asyncio.gather(bench.job(1, kind), return_exceptions=True)
        assert bench.writer.failing is not None
    await bench.count()
    assert bench.writer.failing is None
    await bench.writer.close()


@modes
@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
async def test_nobody_waits_for_ever_where_sqlite_has_no_memory(tmp_path: Path, statement: str, one_core: bool) -> None:
    """Which Python says with an error of its own, not SQLite's."""
    bench = Bench(tmp_path / "x.db", one_core=one_core, factory=Forgetful)
    assert isinstance(bench.connection, Forgetful)
    bench.connection.too_big = [statement]
    async with asyncio.timeout(10):
        await asyncio.gather(bench.count(), bench.job(1, "run"), return_exceptions=True)
        assert not bench.connection.too_big, "there was no such statement"
        assert await bench.job(2, "run") == 2
        await bench.writer.close()


async def test_what_could_not_be_rolled_back_is_not_committed_later(tmp_path: Path) -> None:
    """By turns, some rows may still be in the transaction when the next one begins."""
    bench = Bench(tmp_path / "x.db", one_core=True, factory=Forgetful)
    assert isinstance(bench.connection, Forgetful)
    bench.connection.too_big = ["UPDATE sessions", "ROLLBACK"]
    with pytest.raises(StoreUnavailable):
        await bench.count(note(0), row(Kind.SEEN, ("", 0.0, 0.0, 0.0)))
    assert not bench.connection.too_big, "there were no such statements"
    await bench.count(note(1))
    assert bench.done() == [1]
    await bench.writer.close()


class Unreadable(list[Row]):
    """Rows for which there is no memory."""

    def __iter__(self) -> Iterator[Row]:
        raise MemoryError


@modes
@pytest.mark.parametrize("where", ["before the commit", "in a decision", "after the commit"])
async def test_an_error_of_any_kind_is_answered(tmp_path: Path, where: str, one_core: bool) -> None:
    """What becomes of the transaction is unknown then, also to those who keep what they know; the next one goes on."""
    unknown: list[bool] = []

    def wrote(connection: sqlite3.Connection) -> None:
        if where == "after the commit" and not unknown:
            raise MemoryError

    bench = Bench(tmp_path / "x.db", one_core=one_core, wrote=wrote, unknown=lambda: unknown.append(True))
    rows = [note(0)] if where == "after the commit" else Unreadable([note(0)])
    failing = bench.writer.decide(lambda: (None, rows)) if where == "in a decision" else bench.writer.write(rows)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(failing, bench.count(note(1)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable, type(answers[1])]
        assert unknown == [True]
        assert await bench.job(2, "run") == 2
        assert bench.writer.failing is None
        await bench.writer.close()


@modes
async def test_who_gave_up_is_no_reason_to_keep_what_nobody_knows(tmp_path: Path, one_core: bool) -> None:
    """It is told when the transaction fails, whether or not its caller still waits."""
    unknown: list[bool] = []
    bench = Bench(tmp_path / "x.db", one_core=one_core, unknown=lambda: unknown.append(True))
    bench.connection.execute("PRAGMA query_only = ON")
    job = asyncio.ensure_future(bench.count())
    await asyncio.sleep(0)
    job.cancel()
    await bench.writer.close()
    assert unknown == [True]


@modes
async def test_a_listener_that_raises_keeps_nobody_waiting(tmp_path: Path, one_core: bool) -> None:
    """What it was told of is committed, so its caller is answered as everybody else is; the error is the loop's."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context.get("exception")))
    bad = Bad()

    def raising(_: object) -> None:
        raise bad

    async with asyncio.timeout(10):
        answers = await asyncio.gather(bench.writer.write([note(0)], raising), bench.count(), bench.job(1, "run"))
        await bench.writer.close()
    assert answers == [None, 1, 1]
    assert errors == [bad]


@modes
async def test_an_error_that_no_future_takes_is_answered(tmp_path: Path, one_core: bool) -> None:
    """asyncio refuses `StopIteration`, which a `next` too many raises."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            bench.writer.decide(lambda: next(iter(()))), bench.count(), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [RuntimeError, int]
        await bench.writer.close()


@modes
@pytest.mark.parametrize("fault", ["its own", "the disk's"])
async def test_an_error_after_a_look_at_what_was_not_committed_is_not_believed(
    tmp_path: Path, fault: str, one_core: bool
) -> None:
    """A decision that raised because of what one before it had left is taken again if that was never committed."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)

    def first() -> tuple[str, Sequence[Row]]:
        if bench.ahead.room("r") is not None or bench.counted():
            raise Bad
        return "first", ()

    if fault == "the disk's":
        bench.connection.execute("PRAGMA query_only = ON")
    phantom = bench.count(note(None if fault == "its own" else 1))
    answers = await asyncio.gather(phantom, bench.writer.decide(first), return_exceptions=True)
    if fault == "its own":
        assert answers[1] == "first"
    else:
        assert isinstance(answers[1], StoreUnavailable)
    await bench.writer.close()


@modes
@pytest.mark.parametrize("closers", ["one gives up", "two at once"])
async def test_close_ends_the_thread_whoever_waits_for_it(tmp_path: Path, closers: str, one_core: bool) -> None:
    """The second one waits for the end as the first one does."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    jobs = [asyncio.ensure_future(bench.job(n, "decide")) for n in range(50)]
    await asyncio.sleep(0)
    first = asyncio.ensure_future(bench.writer.close())
    await asyncio.sleep(0)
    if closers == "one gives up":
        first.cancel()
    async with asyncio.timeout(10):
        await bench.writer.close()
        assert not bench.writer._thread.is_alive()
        await asyncio.gather(*jobs, first, return_exceptions=True)
    assert bench.done() == list(range(50))


@modes
async def test_a_disk_that_fails_while_the_faulty_job_is_looked_for(tmp_path: Path, one_core: bool) -> None:
    """Everybody of the transaction is answered, once; the one with the fault as well."""
    bench = Bench(tmp_path / "x.db", one_core=one_core)
    (pages,) = bench.connection.execute("PRAGMA page_count").fetchone()
    bench.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            bench.count(), bench.count(note(None)), bench.count(note("0" * 5_000_000)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
        assert await bench.count() == 1
        await bench.writer.close()
    assert bench.counted() == 1
