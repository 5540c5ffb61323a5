"""Commands of many callers on one connection, each with its own replies.

Whatever is asked in one round of the event loop travels together, and nobody waits for the replies of others before he
asks: one trip for many callers costs little more than one for one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from enforcer.process.tasks import cancelled
from enforcer.store.redis.client.wire import Wire
from enforcer.store.redis.scripts import Command

ANSWER_WITHIN = 1.5
"""Seconds that Redis has for an answer."""


class _Job:
    """What one caller has asked."""

    __slots__ = ("commands", "due", "future", "replies")

    def __init__(self, commands: Sequence[Command], future: "asyncio.Future[list[Any]]") -> None:
        self.commands = commands
        self.future = future
        self.replies: list[Any] = []
        self.due = 0.0


class Batches:
    """The way to one server. `connect` makes connections that are not connected yet."""

    def __init__(self, connect: Callable[[], AbstractConnection]) -> None:
        self._connect = connect
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._waiting: list[_Job] = []
        self._sent: deque[_Job] = deque()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether it is connected."""
        return self._wire is not None

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands, which stay in their order; errors of single commands are among them.

        Raises:
            RedisError, OSError: what happened to the trip.
        """
        loop = asyncio.get_running_loop()
        job = _Job(commands, loop.create_future())
        if self._wire is not None:
            self._send(self._wire, job)
        else:
            self._waiting.append(job)
            if self._opening is None:
                self._opening = loop.create_task(self._open(), name="redis connection")
        return await job.future

    async def close(self) -> None:
        """Nobody waits any more."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await cancelled([opening])
        self._hang_up(exceptions.ConnectionError("the store is closed"))

    # ---- how -----------------------------------------------------------------------------------

    async def _open(self) -> None:
        wire = Wire(self._connect(), self._heard, self._hang_up)
        try:
            await wire.open()
        except Exception as e:
            self._opening = None
            self._fail_waiting(e)
            return
        self._opening, self._wire = None, wire
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            if not job.future.done():  # who has given up is left out
                self._send(wire, job)

    def _send(self, wire: Wire, job: _Job) -> None:
        wire.send(job.commands)
        loop = asyncio.get_running_loop()
        job.due = loop.time() + ANSWER_WITHIN
        self._sent.append(job)
        if self._watch is None:
            self._watch = loop.call_at(job.due, self._look)

    def _heard(self, reply: Any) -> None:
        job = self._sent[0]
        job.replies.append(reply)
        if len(job.replies) == len(job.commands):
            self._sent.popleft()
            if not job.future.done():
                job.future.set_result(job.replies)
        if isinstance(reply, exceptions.ReadOnlyError):  # no master any more: another one must be looked for
            self._hang_up(reply)

    def _look(self) -> None:
        """Whoever has waited for too long has a connection that is no good, and so have all behind him."""
        self._watch = None
        if self._sent:
            loop = asyncio.get_running_loop()
            if self._sent[0].due <= loop.time():
                self._hang_up(exceptions.TimeoutError("no answer in time"))
            else:
                self._watch = loop.call_at(self._sent[0].due, self._look)

    def _hang_up(self, error: Exception) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        sent, self._sent = self._sent, deque()
        for job in sent:
            if not job.future.done():
                job.future.set_exception(error)
        if self._opening is None:
            self._fail_waiting(error)

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            if not job.future.done():
                job.future.set_exception(error)
