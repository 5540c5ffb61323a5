"""The writer: quick and bulky, good and bad jobs are done in the order they came, each whole or not at all."""

import asyncio
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.errors import StoreUnavailable
from enforcer.store.sqlite_writer import AT_ONCE, MAX_BATCH, Writer


class Wrong(Exception):
    """What a bad job raises."""


def job(number: int, kind: str) -> Any:
    """Notes its number; a bad one raises, before or after it has written."""

    def work(connection: sqlite3.Connection) -> int:
        if kind == "bad at once":
            raise Wrong
        connection.execute("INSERT INTO done (number) VALUES (?)", (number,))
        if kind == "bad later":
            raise Wrong
        return number

    return work


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS done (place INTEGER PRIMARY KEY, number INTEGER)")
    return connection


def done(path: Path) -> list[int]:
    """The numbers that were committed, in the order they were written."""
    connection = sqlite3.connect(path)
    try:
        return [number for (number,) in connection.execute("SELECT number FROM done ORDER BY place")]
    finally:
        connection.close()


JOBS = st.lists(st.tuples(st.sampled_from(["good", "good", "bad at once", "bad later"]), st.booleans()), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(JOBS, min_size=1, max_size=4))
def test_jobs_are_done_in_their_order_whole_or_not_at_all(groups: list[list[tuple[str, bool]]]) -> None:
    """Groups come while the ones before are under way; after each answer what it promises is committed."""

    async def run(path: Path) -> None:
        told: list[int] = []
        writer = Writer(opened(path), asyncio.get_running_loop())
        tasks: list[tuple[int, str, asyncio.Task[Any]]] = []
        for group in groups:
            for kind, bulky in group:
                number = len(tasks)
                work = writer.run(job(number, kind), told.append, bulky=bulky)
                tasks.append((number, kind, asyncio.create_task(work)))
            await asyncio.sleep(0)
        for number, kind, task in tasks:
            if kind == "good":
                assert await task == number
                assert number in done(path)
            else:
                assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], Wrong)
        await writer.close()
        good = [number for number, kind, _ in tasks if kind == "good"]
        assert done(path) == good
        assert told == good, "listeners hear of commits in their order"

    with TemporaryDirectory() as directory:
        asyncio.run(run(Path(directory) / "x.db"))


async def test_the_event_loop_keeps_turning_under_load(tmp_path: Path) -> None:
    """Between some jobs of one transaction others have their turn."""
    writer = Writer(opened(tmp_path / "x.db"), asyncio.get_running_loop())
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    seen = await asyncio.gather(*(writer.run(lambda c: turns) for _ in range(MAX_BATCH)))
    turning.cancel()
    assert len(set(seen)) >= MAX_BATCH // AT_ONCE
    await writer.close()


async def test_an_error_of_the_database_fails_everybody_as_unknown(tmp_path: Path) -> None:
    """And is over when the trouble is."""
    path = tmp_path / "x.db"
    connection = opened(path)
    writer = Writer(connection, asyncio.get_running_loop())
    connection.execute("PRAGMA query_only = ON")
    answers = await asyncio.gather(*(writer.run(job(n, "good")) for n in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert writer.failing is not None
    connection.execute("PRAGMA query_only = OFF")
    assert await writer.run(job(7, "good")) == 7
    assert writer.failing is None
    await writer.close()
    assert done(path) == [7]
