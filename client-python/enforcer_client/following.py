"""What the events of the stream mean to whoever keeps a cache. Pure."""

import json

from .cache import Cache, Ended, seconds
from .events import Event, Parser

PATH = "/v1/stream"
EVENTS = "session.started,session.claimed,session.ended"
READ_WITHIN = 40.0
"""Seconds in which something must be heard: there is a comment every fifteen."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before the stream is opened again, doubled each time."""


class Following:
    """One reader of the stream over all its connections."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._parser = Parser()
        self._opened = False
        self._resumes = False
        self.last_id: str | None = None
        """Behind which it goes on; None: from now."""
        self.resets = 0
        self.wait = FIRST_WAIT

    def headers(self) -> dict[str, str]:
        """What is sent when the stream is opened once more."""
        self._parser = Parser()
        self._resumes = self.last_id is not None
        return {} if self.last_id is None else {"Last-Event-ID": self.last_id}

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
        """Bytes of the stream; the ends that they tell of."""
        return [end for event in self._parser.feed(part) if (end := self._event(event, now)) is not None]

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
        elif "seq" in data and self._cache.row(data["session"], data["event"], seconds(data["at"]), now):
            return Ended(data["session"], data["room"], data["reason"], data["at"])
        return None
