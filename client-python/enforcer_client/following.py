"""What the events of the stream mean to whoever keeps a cache. Pure."""

import json

from .cache import Cache, Ended
from .events import Event, Parser

PATH = "/v1/stream"
ROWS = ("session.started", "session.claimed", "session.ended")
EVENTS = ",".join(ROWS)
READ_WITHIN = 40.0
"""Seconds in which something must be heard: there is a comment every fifteen."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before the stream is opened again, doubled each time."""
DRIFT = 0.001
"""By which part the steady clocks of two machines may go faster or slower than each other, at most: NTP slews by half
of that, and quartz is off by a tenth."""
RENEWED_AT = 0.1
"""The part of `max_staleness` that drift may take away before the stream is opened anew, so that it counts anew."""
AHEAD = 0.1
"""Seconds by which the stream may seem to come from the future before the clocks are found to disagree."""


class Following:
    """One reader of the stream over all its connections. Times are seconds of the cache's clock."""

    def __init__(self, cache: Cache, max_staleness: float) -> None:
        self._cache = cache
        self._renewed_after = max_staleness * RENEWED_AT / DRIFT
        self._asked_at = 0.0
        self._parser = Parser()
        self._opened = False
        self._resumes = False
        self.last_id: str | None = None
        """Behind which it goes on; None: from now."""
        self.resets = 0
        self.wait = FIRST_WAIT
        self.renews = False
        """Whether another connection shall take over from this one, which is not cut: nothing is forgotten."""

    def opening(self, now: float) -> dict[str, str]:
        """The headers with which the stream is opened once more, now."""
        self._parser = Parser()
        self._asked_at = now
        self.renews = False
        self._resumes = self.last_id is not None
        return {"Prefer": "level"} | ({} if self.last_id is None else {"Last-Event-ID": self.last_id})

    def refused(self, status: int) -> None:
        """It was not opened. A cursor that is not taken is dropped, and with it what was missed."""
        if status == 422:
            self.last_id = None

    def cut(self) -> float:
        """It is closed; the seconds until it is opened again, before a little is added by chance."""
        self._cache.cut()
        wait, self.wait = self.wait, min(LONGEST_WAIT, 2 * self.wait)
        return wait

    def take(self, part: bytes, now: float) -> list[Ended]:
        """Bytes of the stream; the ends that they tell of. What cannot be read was missed: it goes on from then."""
        try:
            return [end for event in self._parser.feed(part) if (end := self._event(event, now)) is not None]
        except Exception:
            self.last_id = None
            raise

    def _event(self, event: Event, now: float) -> Ended | None:
        if event.id is not None:
            self.last_id = event.id
        if not event.data:
            return None
        data = json.loads(event.data)
        if event.name == "ready":
            self.wait = FIRST_WAIT
            if not self._resumes:
                if self._opened:  # what was meanwhile is not known
                    self.resets += 1
                    self._cache.reset(now)
                self.last_id = data["cursor"]
            self._opened = True
            self._cache.opened(now, self._resumes)
        elif event.name == "reset":
            self.resets += 1
            self._cache.reset(now)
        elif event.name == "unavailable":
            self._cache.cut()
        elif event.name == "level":
            self._level(data["elapsed_ms"] / 1000, now)
        elif event.name in ROWS and self._cache.row(data["session"], data["event"]):
            return Ended(data["session"], data["room"], data["reason"], data["at"])
        return None

    def _level(self, elapsed: float, now: float) -> None:
        """All was told that was committed until so long after the request came, which was not before it was sent."""
        at = self._asked_at + elapsed * (1 - DRIFT)
        disagree = at > now + AHEAD  # as after a sleep of this machine
        if not disagree:
            self._cache.level(min(at, now))
        self.renews = disagree or elapsed > self._renewed_after
