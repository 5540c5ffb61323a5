"""Whose turn it is: decisions that this process takes about one room wait for each other before they ask Redis.

Without it two hundred logins of one user would spoil each other's commits twenty thousand times.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager


class Turns:
    """A lock for each room that is being decided about, and for no other."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, rooms: Collection[str]) -> AsyncIterator[None]:
        """Holds all of these rooms; in one order, so that two who want several never wait for each other."""
        async with AsyncExitStack() as stack:
            for room in sorted(rooms):
                await stack.enter_async_context(self.one(room))
            yield

    @asynccontextmanager
    async def one(self, room: str) -> AsyncIterator[None]:
        """Holds one room."""
        lock, wanted = self._locks.get(room) or (asyncio.Lock(), 0)
        self._locks[room] = lock, wanted + 1
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._locks[room]
            if wanted == 1:
                del self._locks[room]
            else:
                self._locks[room] = lock, wanted - 1
