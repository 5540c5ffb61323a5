"""Commands that wait at the same time travel together.

One trip for many callers costs little more than one for one: as with a group commit, whoever comes while the lanes are
busy goes with the next batch. It bounds the connections too, to the number of lanes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from enforcer.store.redis_script import Command

LANES = 3
"""Batches under way at once."""
LARGEST = 1000
"""Commands in a batch, unless one caller brings more."""

Send = Callable[[list[Command]], Awaitable[list[Any]]]
"""Sends commands and gives their replies, errors of single commands among them; raises what happened to the trip."""
_Job = tuple[Sequence[Command], asyncio.Future[list[Any]]]


class Batches:
    """The way to one server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[_Job] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands, which stay in their order. Raises what `send` raises."""
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
