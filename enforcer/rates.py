"""How often something may happen: so many at once, then so many a second, for each key.

Pure: the time is an argument. The algorithm is GCRA (ITU-T I.371), which keeps one moment a key.
"""

from collections.abc import Hashable

_LOOKED_AFTER = 1024
"""New keys after which those are forgotten that have all their burst again."""
_ROUNDING = 1e-6


class Rates:
    """`burst` at once, then `per_second`. A key that has been quiet for long enough to have its burst again is free."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._interval = 1 / per_second
        self._ahead = (burst - 1) * self._interval
        self._next: dict[Hashable, float] = {}
        self._more = _LOOKED_AFTER

    def wait(self, key: Hashable, now: float) -> float | None:
        """Counts one more at `now` (seconds of any steady clock); if that is too many, the seconds to wait instead."""
        due = self._next.get(key)
        if due is None or due < now:
            if due is None:
                self._forget(now)
            due = now
        if due - now > self._ahead + _ROUNDING:
            return due - now - self._ahead
        self._next[key] = due + self._interval
        return None

    def _forget(self, now: float) -> None:
        self._more -= 1
        if not self._more:
            self._next = {key: due for key, due in self._next.items() if due > now}
            self._more = max(_LOOKED_AFTER, len(self._next))
