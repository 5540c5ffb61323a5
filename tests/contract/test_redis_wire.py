"""Connections to Redis that die: an outage, whatever the event loop says when a transport is closed."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop
from redis.asyncio.connection import Connection

from enforcer.domain.errors import StoreUnavailable
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.client.wire import Wire
from tests.redis_server import RedisServer

ROUNDS = 60
RUN = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]


class DyingServer:
    """Takes connections and resets them after `replies` answers of `+OK`; a context manager with a thread."""

    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "DyingServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                for _ in range(self._replies):
                    connection.recv(4096)
                    connection.sendall(b"+OK\r\n")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(params=[0, 1, 2], ids=lambda n: f"after {n} replies")
def dying(request: pytest.FixtureRequest) -> Iterator[DyingServer]:
    """One that dies at once, and ones that die while the client introduces itself."""
    with DyingServer(request.param) as server:
        yield server


@pytest.mark.parametrize("run", RUN)
def test_a_connection_that_dies_at_once_is_an_outage(dying: DyingServer, run: Callable[[Any], Any]) -> None:
    """To the first call and to all that follow; nothing else is raised, in no task."""

    async def ask() -> list[str]:
        complaints: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        servers = Servers(redis_address(f"redis://user:password@127.0.0.1:{dying.port}/1"))
        with pytest.raises(StoreUnavailable):
            await servers.open()
        for _ in range(ROUNDS):
            with pytest.raises(StoreUnavailable):
                await servers.run(("GET", "a"))
        await servers.close()
        return complaints

    assert run(ask()) == []


@pytest.mark.parametrize("run", RUN)
def test_what_is_sent_after_the_end_is_lost(run: Callable[[Any], Any], redis_server: RedisServer) -> None:
    """Whoever has not heard yet that the connection has ended may still send: nothing is raised."""

    async def send() -> list[str]:
        loop, complaints = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
        lost: asyncio.Future[Exception] = loop.create_future()
        wire = Wire(Connection(port=redis_server.port, protocol=2), lambda _: None, lost.set_result)
        await wire.open()
        with redis_server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await lost
        for _ in range(10):  # rounds in which the transport is closed for good
            await asyncio.sleep(0)
            wire.send([("PING",)])
        await asyncio.sleep(0)
        return complaints

    assert run(send()) == []
