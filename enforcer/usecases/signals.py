"""What a signal of an identity provider does: the sessions of which it speaks end, and logins that it overtakes are
refused.

A message counts as taken when everything that it says is done. Whoever fails on the way says so, and the provider says
it again: ending what has ended changes nothing.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from enforcer.domain.signals import KEPT, Signal
from enforcer.http.rates import Rates
from enforcer.store.base import Subjects
from enforcer.usecases.registry import Registry

UNKNOWN_BURST, UNKNOWN_RATE = 100, 20.0
"""Signals of one name about subjects of whom no session is known: so many at once, then so many a second. Each is
remembered for an hour."""
ROOMS_AT_ONCE = 25
"""Rooms whose sessions end together; most people have one."""


class Outcome(StrEnum):
    """What a signal has done."""

    ENDED = "ended"
    NOTHING = "nothing"
    """No session of the subjects was live."""
    UNKNOWN = "unknown"
    """No session of them is known at all; what is noted holds for later logins."""
    REPEATED = "repeated"
    """It was taken before, and has done nothing now."""


class TooManyUnknown(Exception):
    """Too many signals speak of somebody who is not known; `wait` are the seconds until the next may."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"wait {wait:.1f} s")
        self.wait = wait


class Signals:
    """One per process. `elapsed` counts seconds and cannot be set."""

    def __init__(self, registry: Registry, subjects: Subjects, elapsed: Callable[[], float]) -> None:
        self._registry = registry
        self._subjects = subjects
        self._elapsed = elapsed
        self._unknown = Rates(UNKNOWN_BURST, UNKNOWN_RATE)

    async def take(self, signal: Signal) -> Outcome:
        """Does what the signal says, once.

        Raises:
            StoreUnavailable: some of it may be done; the same message may come again.
            TooManyUnknown: nothing is done.
        """
        subjects = self._subjects
        if signal.once is not None and await subjects.used(signal.once):
            return Outcome.REPEATED
        known = await self._known(signal)
        if not known and (wait := self._unknown.wait(signal.name, self._elapsed())) is not None:
            raise TooManyUnknown(wait)
        await subjects.note(signal.not_before, KEPT)
        ended = await self._end(signal)
        if signal.once is not None and not await subjects.use(signal.once, KEPT):
            return Outcome.REPEATED
        return Outcome.ENDED if ended else Outcome.NOTHING if known else Outcome.UNKNOWN

    async def _known(self, signal: Signal) -> bool:
        if await self._subjects.rooms(signal.subjects):
            return True
        return any([await self._registry.has_had(room) for room in signal.rooms])

    async def _end(self, signal: Signal) -> int:
        """Ends what it speaks of, after it was noted; how many sessions."""
        entered = await self._subjects.rooms(signal.subjects)
        rooms = sorted(entered | set(signal.rooms))
        count = 0
        for first in range(0, len(rooms), ROOMS_AT_ONCE):
            portion = rooms[first : first + ROOMS_AT_ONCE]
            ended = await asyncio.gather(
                *(self._registry.end_signalled(room, signal, passing=room in entered) for room in portion)
            )
            count += sum(map(len, ended))
        return count
