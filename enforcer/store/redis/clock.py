"""The time by Redis, without asking it each time."""

import time
from collections.abc import Callable

GOOD_TRIP = 0.005
"""Seconds of a trip whose time is taken at once: half of it is the error at most."""
KEPT_FOR = 5.0
"""Seconds after which the time of a slower trip is better than an old one."""


class RedisClock:
    """UTC seconds of the server, carried on by a clock of this machine that nobody sets and that counts in its sleep.

    A clock that is `given` takes the place of the server's.
    """

    def __init__(self, given: Callable[[], float] | None = None) -> None:
        self._given = given
        self._offset = time.time() - _steady()
        self._trip = float("inf")
        self._heard_at = float("-inf")

    @property
    def given(self) -> bool:
        """Whether the server's time does not count."""
        return self._given is not None

    def now(self) -> float:
        """UTC seconds."""
        return self._given() if self._given is not None else _steady() + self._offset

    def started(self) -> float:
        """To be called before the server is asked; goes to `heard`."""
        return _steady()

    def heard(self, reply: tuple[bytes, bytes], started: float) -> float:
        """Takes in a reply to TIME; the UTC seconds that it says."""
        if self._given is not None:
            return self._given()
        told, arrived = int(reply[0]) + int(reply[1]) / 1e6, _steady()
        trip = arrived - started
        if trip <= max(GOOD_TRIP, self._trip) or arrived - self._heard_at > KEPT_FOR:
            self._offset = told - (started + arrived) / 2
            self._trip, self._heard_at = trip, arrived
        return told


def _steady() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
