"""Time for very many sockets with one timer: who is to be pinged, who has waited too long. No clock of its own."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Rider(Protocol):
    """Something that is pinged. The wheel keeps its place in `spoke`."""

    spoke: int


R = TypeVar("R", bound=Rider)
T = TypeVar("T")


class PingWheel(Generic[R]):
    """Goes round once in `interval` ticks; each rider comes by once in a round, and again `timeout` ticks later.

    Adding and taking out cost the same however many ride. The sets of a wheel that has run full stay as large as they
    were, which is what the next crowd needs.
    """

    def __init__(self, interval: int, timeout: int) -> None:
        if not 0 < timeout < interval:
            raise ValueError(f"a ping must be answered ({timeout} ticks) before the next is sent ({interval} ticks)")
        self._spokes: list[set[R]] = [set() for _ in range(interval)]
        self._timeout = timeout
        self._at = 0
        self._riders = 0

    def __len__(self) -> int:
        return self._riders

    def __iter__(self) -> Iterator[R]:
        for spoke in self._spokes:
            yield from spoke

    def add(self, rider: R) -> None:
        """Its first ping is due a whole round from now."""
        rider.spoke = self._at
        self._spokes[self._at].add(rider)
        self._riders += 1

    def discard(self, rider: R) -> None:
        """It rides no more; nothing happens if it did not."""
        if rider in self._spokes[rider.spoke]:
            self._spokes[rider.spoke].remove(rider)
            self._riders -= 1

    def turn(self) -> tuple[list[R], list[R]]:
        """One tick: those who are to be pinged now, and those whose ping must have been answered by now."""
        self._at = (self._at + 1) % len(self._spokes)
        return list(self._spokes[self._at]), list(self._spokes[self._at - self._timeout])


class WaitingLine(Generic[T]):
    """Things that may wait equally long, so that the first in line is always the first whose time is over."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._until: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, thing: T, now: float) -> None:
        """It waits from `now` (seconds of any clock), anew if it did already."""
        self._until.pop(thing, None)
        self._until[thing] = now + self._patience

    def discard(self, thing: T) -> None:
        """It waits no more; nothing happens if it did not."""
        self._until.pop(thing, None)

    def over(self, now: float) -> list[T]:
        """Takes out those that have waited too long."""
        late: list[T] = []
        for thing, until in self._until.items():
            if until > now:
                break
            late.append(thing)
        for thing in late:
            del self._until[thing]
        return late
