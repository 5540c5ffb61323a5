"""The log: what is gathered, what goes out at once, and that no line is lost or out of order."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from enforcer.process.loglines import GATHER, GatheringHandler, JSONFormatter, TextFormatter


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(stream: io.StringIO) -> Iterator[logging.Logger]:
    """A logger of its own that gathers into `stream`."""
    made = logging.Logger("gathered", logging.INFO)
    handler = GatheringHandler(stream)
    made.addHandler(handler)
    yield made
    handler.close()


def test_without_an_event_loop_nothing_is_kept_back(log: logging.Logger, stream: io.StringIO) -> None:
    log.info("one")
    assert stream.getvalue() == "one\n"


async def test_lines_of_a_moment_go_out_together(log: logging.Logger, stream: io.StringIO) -> None:
    log.info("one")
    log.info("two")
    assert stream.getvalue() == ""
    await asyncio.sleep(2 * GATHER)
    assert stream.getvalue() == "one\ntwo\n"


async def test_a_warning_takes_what_came_before_it_along(log: logging.Logger, stream: io.StringIO) -> None:
    log.info("one")
    log.warning("two")
    assert stream.getvalue() == "one\ntwo\n"


def test_what_a_loop_has_left_behind_goes_out_with_the_next_line(log: logging.Logger, stream: io.StringIO) -> None:
    """The timer of a loop that has ended never comes, also where another loop runs now."""

    async def say(text: str) -> None:
        log.info(text)

    asyncio.run(say("one"))
    assert stream.getvalue() == ""
    log.info("two")
    assert stream.getvalue() == "one\ntwo\n"

    async def say_and_wait() -> None:
        log.info("four")
        await asyncio.sleep(2 * GATHER)

    asyncio.run(say("three"))
    asyncio.run(say_and_wait())
    assert stream.getvalue() == "one\ntwo\nthree\nfour\n"


def test_at_the_end_nothing_is_left(log: logging.Logger, stream: io.StringIO) -> None:
    """`logging` flushes its handlers when the process ends."""

    async def say() -> None:
        log.info("last")

    asyncio.run(say())
    log.handlers[0].flush()
    assert stream.getvalue() == "last\n"


@pytest.mark.parametrize(
    ("created", "said"), [(0.0, "1970-01-01T00:00:00.000Z"), (1795248000.5, "2026-11-21T08:00:00.500Z")]
)
def test_the_time_of_a_line(created: float, said: str) -> None:
    """UTC with milliseconds."""
    record = logging.makeLogRecord({"msg": "x", "created": created, "msecs": created % 1 * 1000})
    assert TextFormatter().format(record).startswith(said)
    assert f'"at":"{said}"' in JSONFormatter().format(record)
