"""Says the same kind of thing at most so often, and the last of it always."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Spread(Generic[T]):
    """Calls `say` at once, then for each key at most once in `every` seconds, with what came last."""

    def __init__(self, every: float, say: Callable[[T], None]) -> None:
        self._every = every
        self._say = say
        self._kept: dict[str, T | None] = {}

    def say(self, key: str, thing: T) -> None:
        """Now, if nothing was said of the key lately; else when that time is over, unless something newer comes."""
        if key in self._kept:
            self._kept[key] = thing
            return
        self._kept[key] = None
        asyncio.get_running_loop().call_later(self._every, self._go_on, key)
        self._say(thing)

    def _go_on(self, key: str) -> None:
        kept = self._kept.pop(key)
        if kept is not None:
            self.say(key, kept)
