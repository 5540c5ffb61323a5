"""One connection to Redis: commands go out, replies come in, in order.

The client library opens it, because it knows of addresses, TLS, users and Sentinels. Then its transport is used
without streams: a task and a time-out for each reply would cost more than all else that is done for a command.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import hiredis
from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from enforcer.store.redis_script import Command

_NOT_YET = object()
_ERRORS: dict[str, type[exceptions.ResponseError]] = {
    "ASK": exceptions.AskError,
    "MOVED": exceptions.MovedError,
    "NOSCRIPT": exceptions.NoScriptError,
    "READONLY": exceptions.ReadOnlyError,
    "TRYAGAIN": exceptions.TryAgainError,
}
"""What we tell apart."""


class Wire(asyncio.Protocol):
    """Made from a connection that is not connected yet; `hear` is called with each reply, errors of commands included.

    `lost` is called once, when an open connection has ended, `close` excepted.
    """

    def __init__(
        self, connection: AbstractConnection, hear: Callable[[Any], None], lost: Callable[[Exception], None]
    ) -> None:
        self._connection = connection
        self._hear = hear
        self._lost: Callable[[Exception], None] | None = lost
        self._reader = hiredis.Reader(exceptions.InvalidResponse, error_of, notEnoughData=_NOT_YET)
        self._writer: asyncio.StreamWriter | None = None
        self._going: list[bytes] = []

    async def open(self) -> None:
        """Connects.

        Raises:
            RedisError, OSError: it cannot.
        """
        connection = self._connection
        try:
            with closed_is_lost():
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        writer = connection._writer  # a private name, as long as redis has no public one for it
        if writer is None or writer.transport.is_closing():
            raise exceptions.ConnectionError("the connection was closed at once")
        connection._reader = connection._writer = None  # it has nothing to close any more
        self._writer = writer
        writer.transport.set_protocol(self)

    def send(self, commands: Iterable[Command]) -> None:
        """Sends them, together with what else is sent in this round of the event loop."""
        if not self._going:
            asyncio.get_running_loop().call_soon(self._go)
        self._going += [hiredis.pack_command(command) for command in commands]

    def close(self) -> None:
        """Ends it; nobody is told. May be called twice."""
        self._lost = None
        if self._writer is not None:
            self._writer.transport.abort()

    # ---- how -----------------------------------------------------------------------------------

    def _go(self) -> None:
        going, self._going = self._going, []
        if self._writer is not None and self._lost is not None:
            self._writer.transport.write(b"".join(going))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while self._lost is not None and (reply := self._reader.gets()) is not _NOT_YET:
                self._hear(reply)
        except exceptions.InvalidResponse as e:
            self._end(e)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or exceptions.ConnectionError("Redis has closed the connection"))

    def _end(self, error: Exception) -> None:
        lost = self._lost
        self.close()
        if lost is not None:
            lost(error)


@contextmanager
def closed_is_lost() -> Iterator[None]:
    """Around the client library: what uvloop raises when a transport has closed is a lost connection, not a bug."""
    try:
        yield
    except RuntimeError as e:
        if type(e) is not RuntimeError:
            raise
        raise exceptions.ConnectionError(str(e)) from e


def error_of(text: str) -> exceptions.ResponseError:
    """The exception that stands for an error reply."""
    word, _, rest = text.partition(" ")
    kind = _ERRORS.get(word)
    return exceptions.ResponseError(text) if kind is None else kind(rest)
