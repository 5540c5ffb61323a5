"""The subscription to one server: whatever happens to the way, it comes back by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio.connection import AbstractConnection, Connection

from enforcer.store.redis.client.line import SILENCE, Line
from tests.redis_server import RedisServer
from tests.tcp_proxy import TcpProxy

CHANNEL = "line-test"


class Way:
    """How the line gets to Redis, over a proxy at first; and what it hears."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.line = Line(self._connection, self.heard.put_nowait)

    def _connection(self) -> AbstractConnection:
        return Connection(port=self.port, protocol=2)


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[TcpProxy]:
    """A way that the test can spoil."""
    with TcpProxy(redis_server.port) as made:
        yield made


@pytest.fixture
async def way(proxy: TcpProxy) -> AsyncIterator[Way]:
    """A line that listens."""
    way = Way(proxy.port)
    way.line.start()
    async with asyncio.timeout(5):
        await way.line.subscribe(CHANNEL)
    yield way
    await way.line.close()


async def told(redis: RedisServer, way: Way, text: bytes, seconds: float) -> None:
    """Says something on the channel until it is heard; pings once a second, as the feed does."""
    async with asyncio.timeout(seconds):
        while True:
            with redis.client() as client:
                client.execute_command("SPUBLISH", CHANNEL, text)
            way.line.ping()
            try:
                async with asyncio.timeout(1):
                    assert await way.heard.get() == text
            except TimeoutError:
                continue
            return


async def test_what_is_said_is_heard(redis_server: RedisServer, way: Way) -> None:
    """On the way that was made first."""
    await told(redis_server, way, b"hello", 5)


async def test_a_cut_line_comes_back(redis_server: RedisServer, way: Way, proxy: TcpProxy) -> None:
    """With all its channels."""
    proxy.drop()
    proxy.heal()
    await told(redis_server, way, b"again", 5)


async def test_a_silent_line_is_made_again(redis_server: RedisServer, way: Way, proxy: TcpProxy) -> None:
    """The way swallows what the server says and never breaks: the next connection goes another way."""
    proxy.half_open()
    way.port = redis_server.port
    await told(redis_server, way, b"at last", SILENCE + 5)


async def test_a_line_can_be_closed_at_any_moment(redis_server: RedisServer) -> None:
    """However far it has come with its connection: closing it waits for nothing that goes on for ever."""
    for rounds in range(100):
        way = Way(redis_server.port)
        way.line.start()
        for _ in range(rounds):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await way.line.close()
