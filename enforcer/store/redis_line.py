"""A subscription to one Redis server, which comes back by itself after the server, or the way to it, was away.

What was told meanwhile is lost, as always with such channels: who must not miss anything looks for himself.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from enforcer.errors import StoreUnavailable

log = logging.getLogger(__name__)

SILENCE = 3.5
"""Seconds without a word, not even the answer to a PING a second, after which the way is taken for dead."""
CONNECT_WITHIN = 1.5
RETRY_FROM, RETRY_TO = 0.1, 1.0


class Line:
    """Channels of one server. Runs from `start` to `close`; `hear` is called with what is said on a channel."""

    def __init__(self, connect: Callable[[], AbstractConnection], hear: Callable[[bytes], None]) -> None:
        self._connect = connect
        self._hear = hear
        self._channels: dict[str, asyncio.Future[None]] = {}
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connects, and goes on trying."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="store subscription")

    async def close(self) -> None:
        """Ends it; nobody waits for a channel any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for future in self._channels.values():
            future.cancel()

    @property
    def idle(self) -> bool:
        """Whether nobody listens to anything here."""
        return not self._channels

    async def subscribe(self, channel: str) -> asyncio.Future[None]:
        """Listens from now on; what it returns is done when the server has confirmed it, now or after a return."""
        future = self._channels.get(channel)
        if future is None:
            future = self._channels[channel] = asyncio.get_running_loop().create_future()
        await self._send(("SSUBSCRIBE", channel))
        return future

    async def unsubscribe(self, channel: str) -> None:
        """Listens no more. Whoever waits for the confirmation goes on, and looks for himself."""
        future = self._channels.pop(channel, None)
        if future is not None:
            if not future.done():
                future.set_result(None)
            await self._send(("SUNSUBSCRIBE", channel))

    async def ping(self) -> None:
        """Makes the server say something."""
        await self._send(("PING",))

    # ---- how -----------------------------------------------------------------------------------

    async def _send(self, *commands: tuple[str, ...]) -> None:
        """While there is no connection nothing is sent: the next one begins with all channels."""
        connection = self._connection
        if connection is None or not commands:
            return
        with suppress(RedisError, OSError):  # the reader notices too
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def _run(self) -> None:
        wait = RETRY_FROM
        while True:
            connection: AbstractConnection | None = None
            try:
                connection = self._connect()
                await asyncio.wait_for(connection.connect(), CONNECT_WITHIN)  # type: ignore[no-untyped-call]
                self._connection = connection
                await self._send(*(("SSUBSCRIBE", channel) for channel in self._channels))
                wait = RETRY_FROM
                await self._listen(connection)
            except (RedisError, OSError, TimeoutError, StoreUnavailable) as e:
                log.debug("the subscription is interrupted: %s", e)
            except Exception:
                log.exception("a subscription failed; it is made again")
            finally:
                self._connection = None
                if connection is not None:
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(wait)
            wait = min(2 * wait, RETRY_TO)

    def _heard(self, text: bytes) -> None:
        """One message that nobody can make sense of must not end all others."""
        try:
            self._hear(text)
        except Exception:
            log.exception("a message of another process could not be followed")

    async def _listen(self, connection: AbstractConnection) -> None:
        while True:
            try:
                reply: Any = await connection.read_response(timeout=SILENCE, push_request=True)
            except ResponseError as e:
                log.debug("the server does not take a subscription: %s", e)  # moved away; asked for elsewhere soon
                continue
            if not isinstance(reply, list) or len(reply) < 3:
                continue
            kind, channel = bytes(reply[0]), reply[1].decode()
            if kind == b"smessage":
                self._heard(reply[2])
            elif kind == b"ssubscribe" and (future := self._channels.get(channel)) is not None and not future.done():
                future.set_result(None)
