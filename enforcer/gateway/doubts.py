"""What is to be asked again because the store did not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Doubts(Generic[T]):
    """Asks about each thing again some time later, until there is an answer.

    About one first: as long as the store does not answer, it is not asked about everybody.
    """

    def __init__(
        self, after: float, ask: Callable[[T], Awaitable[None]], spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        """`after` are seconds. `ask` calls `about` once more if there is still no answer."""
        self._after = after
        self._ask = ask
        self._spawn = spawn
        self._things: set[T] = set()
        self._timer: asyncio.TimerHandle | None = None

    def about(self, thing: T) -> None:
        """There was no answer about it."""
        self._things.add(thing)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._after, lambda: self._spawn(self._again()))

    def forget(self, thing: T) -> None:
        """Nobody wants to know any more."""
        self._things.discard(thing)

    @property
    def waiting(self) -> bool:
        """Whether there is something to ask again, at a time that is set."""
        return self._timer is not None

    def close(self) -> None:
        """Asks no more."""
        if self._timer is not None:
            self._timer.cancel()

    async def _again(self) -> None:
        self._timer = None
        if not self._things:
            return
        first = self._things.pop()
        await self._ask(first)
        if first not in self._things:
            things, self._things = self._things, set()
            for thing in things:
                self._spawn(self._asked(thing))

    async def _asked(self, thing: T) -> None:
        await self._ask(thing)
