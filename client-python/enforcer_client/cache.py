"""What is known of sessions without asking, and for how long it may be believed. Pure: the time is an argument.

While the stream of endings is open, an answer of the server is good for `max_staleness` from when it was asked, and on
as long as rows come: a row says that all that happened before it was told, for a room keeps its order and nothing is
left out. How old a row is, its own time says, so a stream that is late is not believed longer than one that is silent.
While it is not open, everything is asked for. What the stream says has ended, has.
"""

import math
from datetime import datetime
from typing import NamedTuple, TypeVar

SLACK = 1.5
"""Seconds by which rows of different rooms may come out of the order of their times, at most a third of what is
believed."""


T = TypeVar("T")


class Ended(NamedTuple):
    """An end that the stream told of. `at` is ISO 8601 UTC."""

    session: str
    room: str
    reason: str
    at: str


class _Live(NamedTuple):
    """`asked_at` is when the question was sent that was answered so."""

    room: str
    asked_at: float


class Cache:
    """Of at most `size` live and `size` ended sessions. Times are seconds of any steady clock, but those of rows."""

    def __init__(self, size: int, max_staleness: float) -> None:
        self._size = size
        self._max_staleness = max_staleness
        self._slack = min(SLACK, max_staleness / 3)
        self._live: dict[str, _Live] = {}
        self._ended: dict[str, bool] = {}
        """Those that have ended, and whether the stream told so."""
        self._asking: dict[str, bool] = {}
        """Sessions that the server is being asked about, and whether the stream told of their end meanwhile."""
        self.open = False
        """Whether the stream is, and can tell."""
        self._following_since = math.inf
        self._fresh_at = -math.inf
        self._offset = math.inf
        """The least difference between this clock and the time of a row: a row that took no time."""

    # ---- what is known ---------------------------------------------------------------------------

    def known(self, session: str, room: str, now: float) -> bool | None:
        """Whether the session is live and of the room; None: ask."""
        found = self._live.get(session)
        if found is None:
            return False if session in self._ended else None
        if not self.open or found.asked_at <= self._following_since:
            return None  # nobody would tell of its end
        if now - max(found.asked_at, self._fresh_at) > self._max_staleness:
            return None
        return found.room == room

    # ---- asking ----------------------------------------------------------------------------------

    def asks(self, session: str) -> None:
        """The server is asked about a session from now on."""
        self._asking[session] = False

    def answered(self, session: str, room: str | None, ended: bool, asked_at: float) -> bool:
        """The answer to what was asked at `asked_at`: live, in this room; or `ended`; or not known. Whether it is live.

        What is not known is not kept: a login may make it known at any time.
        """
        ended_meanwhile = self._asking.pop(session, False)
        if ended or ended_meanwhile:
            self._end(session, told=False)
            return False
        if room is None or session in self._ended:
            self._live.pop(session, None)
            return False
        self._live.pop(session, None)
        self._live[session] = _Live(room, asked_at)
        _keep(self._live, self._size)
        return True

    def failed(self, session: str) -> None:
        """There was no answer."""
        self._asking.pop(session, None)

    # ---- the stream ------------------------------------------------------------------------------

    def opened(self, now: float, resumed: bool) -> None:
        """The stream is open. `resumed`: behind the last row, so that nothing is missed."""
        self.open = True
        if not resumed:
            self._following_since = now
            self._offset = math.inf
        self._fresh_at = -math.inf

    def reset(self, now: float) -> None:
        """Rows were missed: nothing is known any more."""
        self._live.clear()
        self._ended.clear()
        self._following_since = now
        self._fresh_at = -math.inf

    def cut(self) -> None:
        """The stream is not open any more, or cannot tell: until it can, everything is asked for."""
        self.open = False
        self._fresh_at = -math.inf

    def row(self, session: str | None, event: str, at: float, now: float) -> bool:
        """A row of the stream has come; `at` is its own time. Whether it is the first to tell of an end."""
        self.open = True
        self._offset = min(self._offset, now - at)
        self._fresh_at = max(self._fresh_at, at + self._offset - self._slack)
        if session is None:
            return False
        if event == "ended":
            if session in self._asking:
                self._asking[session] = True
            return self._end(session, told=True)
        self._ended.pop(session, None)  # an id that was forgotten may be used again
        return False

    def _end(self, session: str, told: bool) -> bool:
        """Whether this is what tells of it first."""
        self._live.pop(session, None)
        before = self._ended.get(session, False)
        self._ended[session] = told or before
        _keep(self._ended, self._size)
        return told and not before


def _keep(kept: dict[str, T], size: int) -> None:
    """The oldest go."""
    while len(kept) > size:
        del kept[next(iter(kept))]


def seconds(at: str) -> float:
    """ISO 8601 UTC as seconds."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
