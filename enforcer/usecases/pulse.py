"""What this process has done lately: logins and ends of the last minute, and how fast kicks were. No I/O, no clock."""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from enforcer.domain.model import AuditEvent, Decision, EndReason

LATELY = 60
"""Seconds of which logins and ends are counted."""
KICKS_OF = 300
"""Seconds of which kicks are: they are few."""
STEP = 1.1
"""Kicks are told apart by a tenth of the time that they took."""
_SHORTEST_MS = 0.1


@dataclass(slots=True)
class _Second:
    """What was counted in one second."""

    at: int
    logins: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    kicks: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Lately:
    """Sums. `kicks` says how many took about `SHORTEST * STEP ** n` milliseconds, by `n`."""

    logins: int
    ends: Mapping[str, int]
    kicks: Mapping[int, int]


class Pulse:
    """`elapsed` counts seconds of any steady kind. A second in which nothing happens costs nothing."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._seconds: deque[_Second] = deque()

    def committed(self, decision: Decision[Any]) -> None:
        """A decision of this process was committed."""
        for entry in decision.audit:
            if entry.event in (AuditEvent.STARTED, AuditEvent.CLAIMED):
                self._now().logins += 1
            elif entry.event is AuditEvent.ENDED and entry.reason is not None:
                self._now().ends[entry.reason.value] += 1

    def kicked(self, seconds: float) -> None:
        """A page has confirmed the end of its session, so long after it was committed."""
        self._now().kicks[max(0, math.ceil(math.log(max(seconds * 1000, _SHORTEST_MS) / _SHORTEST_MS, STEP)))] += 1

    def lately(self) -> Lately:
        """The sums up to now."""
        now = int(self._elapsed())
        self._forget(now)
        recent = [s for s in self._seconds if s.at > now - LATELY]
        ends = {reason.value: sum(s.ends[reason.value] for s in recent) for reason in EndReason}
        kicks: Counter[int] = Counter()
        for second in self._seconds:
            kicks.update(second.kicks)
        return Lately(sum(s.logins for s in recent), ends, kicks)

    def _now(self) -> _Second:
        now = int(self._elapsed())
        if not self._seconds or self._seconds[-1].at != now:
            self._forget(now)
            self._seconds.append(_Second(now))
        return self._seconds[-1]

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0].at <= now - KICKS_OF:
            self._seconds.popleft()


def percentile_ms(kicks: Mapping[int, int], share: float) -> float | None:
    """Milliseconds in which this share of the kicks was done, from `Lately.kicks`; None if there was none."""
    wanted = share * sum(kicks.values())
    for n in sorted(kicks):
        wanted -= kicks[n]
        if wanted <= 0:
            return round(_SHORTEST_MS * STEP**n, 1)
    return None
