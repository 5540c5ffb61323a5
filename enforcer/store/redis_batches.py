"""Commands that wait at the same time travel together.

One trip for many callers costs little more than one for one: as with a group commit, whoever comes while the lanes are
busy goes with the next batch. It bounds the connections too, to the number of lanes. The library's connections are used
without its pools and pipelines, which would cost more than all the rest.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from enforcer.store.redis_script import Command

LANES = 3
"""Batches under way at once."""
LARGEST = 1000
"""Commands in a batch, unless one caller brings more."""

_Job = tuple[Sequence[Command], asyncio.Future[list[Any]]]


class Batches:
    """The way to one server. `connect` makes connections that are not connected yet."""

    def __init__(self, connect: Callable[[], AbstractConnection]) -> None:
        self._connect = connect
        self._idle: list[AbstractConnection] = []
        self._waiting: deque[_Job] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands, which stay in their order; errors of single commands are among them.

        Raises:
            RedisError, OSError, TimeoutError: what happened to the trip.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append((commands, future))
        if len(self._lanes) < LANES:
            lane = loop.create_task(self._run(), name="redis lane")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await future

    async def close(self) -> None:
        """Nobody waits any more."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        await self._hang_up()

    async def _run(self) -> None:
        """Sends batch after batch until nobody waits."""
        while self._waiting:
            batch = self._next()
            if not batch:
                return
            try:
                replies = await self._send([command for commands, _ in batch for command in commands])
            except BaseException as e:
                _fail(batch, e)
                if not isinstance(e, Exception):
                    raise
            else:
                _answer(batch, replies)

    async def _send(self, commands: list[Command]) -> list[Any]:
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [await _reply(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            await self._hang_up()  # what ended this one has probably ended the others too
            raise
        self._idle.append(connection)
        return replies

    async def _hang_up(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    def _next(self) -> list[_Job]:
        """Those who wait, as many as fit; who has given up is left out."""
        batch: list[_Job] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= LARGEST):
            commands, future = self._waiting.popleft()
            if not future.done():
                batch.append((commands, future))
                size += len(commands)
        return batch


async def _reply(connection: AbstractConnection) -> Any:
    """One reply; the error of a command is one too."""
    try:
        return await connection.read_response()
    except ResponseError as e:
        return e


def _fail(batch: list[_Job], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            if isinstance(error, Exception):
                future.set_exception(error)
            else:
                future.cancel()


def _answer(batch: list[_Job], replies: list[Any]) -> None:
    at = 0
    for commands, future in batch:
        if not future.done():
            future.set_result(replies[at : at + len(commands)])
        at += len(commands)
