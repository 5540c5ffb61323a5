"""A subscription to one Redis server, which comes back by itself after the server, or the way to it, was away.

What was told meanwhile is lost, as always with such channels: who must not miss anything looks for himself.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from enforcer.domain.errors import StoreUnavailable
from enforcer.process.tasks import cancelled
from enforcer.store.redis.client.wire import Wire

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
        self._wire: Wire | None = None
        self._spoke_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connects, and goes on trying."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="store subscription")

    async def close(self) -> None:
        """Ends it; nobody waits for a channel any more."""
        if self._task is not None:
            await cancelled([self._task])
        for future in self._channels.values():
            future.cancel()

    @property
    def idle(self) -> bool:
        """Whether nobody listens to anything here."""
        return not self._channels

    def subscribe(self, channel: str) -> asyncio.Future[None]:
        """Listens from now on; what it returns is done when the server has confirmed it, now or after a return."""
        future = self._channels.get(channel)
        if future is None:
            future = self._channels[channel] = asyncio.get_running_loop().create_future()
        self._send(("SSUBSCRIBE", channel))
        return future

    def unsubscribe(self, channel: str) -> None:
        """Listens no more. Whoever waits for the confirmation goes on, and looks for himself."""
        future = self._channels.pop(channel, None)
        if future is not None:
            if not future.done():
                future.set_result(None)
            self._send(("SUNSUBSCRIBE", channel))

    def ping(self) -> None:
        """Makes the server say something."""
        self._send(("PING",))

    # ---- how -----------------------------------------------------------------------------------

    def _send(self, *commands: tuple[str, ...]) -> None:
        """While there is no connection nothing is sent: the next one begins with all channels."""
        if self._wire is not None and commands:
            self._wire.send(commands)

    async def _run(self) -> None:
        loop, wait = asyncio.get_running_loop(), RETRY_FROM
        while True:
            wire: Wire | None = None
            over: asyncio.Future[Exception] = loop.create_future()
            try:
                wire = Wire(self._connect(), self._said, over.set_result)
                async with asyncio.timeout(CONNECT_WITHIN):
                    await wire.open()
                self._wire, self._spoke_at, wait = wire, loop.time(), RETRY_FROM
                self._send(*(("SSUBSCRIBE", channel) for channel in self._channels))
                log.debug("the subscription is interrupted: %s", await self._end(over))
            except (RedisError, OSError, TimeoutError, StoreUnavailable) as e:
                log.debug("the subscription is interrupted: %s", e)
            except Exception:
                log.exception("a subscription failed; it is made again")
            finally:
                self._wire = None
                if wire is not None:
                    wire.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, RETRY_TO)

    async def _end(self, over: asyncio.Future[Exception]) -> Exception:
        """Returns when the connection has ended, or has been silent for too long: the reason."""
        loop = asyncio.get_running_loop()
        while (left := self._spoke_at + SILENCE - loop.time()) > 0:
            await asyncio.wait([over], timeout=left)
            if over.done():
                return over.result()
        return TimeoutError("nothing is heard any more")

    def _said(self, reply: Any) -> None:
        """Whatever the server says: a message, a confirmation, the answer to a PING, an error."""
        self._spoke_at = asyncio.get_running_loop().time()
        if isinstance(reply, Exception):
            log.debug("the server does not take a subscription: %s", reply)  # moved away; asked for elsewhere soon
        elif isinstance(reply, list) and len(reply) >= 3:
            kind, channel = bytes(reply[0]), reply[1].decode()
            if kind == b"smessage":
                self._heard(reply[2])
            elif kind == b"ssubscribe" and (future := self._channels.get(channel)) is not None and not future.done():
                future.set_result(None)

    def _heard(self, text: bytes) -> None:
        """One message that nobody can make sense of must not end all others."""
        try:
            self._hear(text)
        except Exception:
            log.exception("a message of another process could not be followed")
