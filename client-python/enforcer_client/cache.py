"""What is known of sessions without asking, and for how long it may be believed. Pure: the time is an argument.

While the stream of endings is open, an answer of the server is good for `max_staleness` from when it was asked, and on
as long as the stream says how far it has come: all that was committed before some moment was told. That rows come shows
nothing, for they may be late. While the stream is not open, everything is asked for. What it says has ended, has.

All moments are those of one steady clock, this machine's: when a question was sent, and, for the stream, when its
request was sent plus the time that has passed at the server since it came (`following`).
"""

import math
from typing import NamedTuple, TypeVar

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
    """Of at most `size` live and `size` ended sessions. Times are seconds of any steady clock."""

    def __init__(self, size: int, max_staleness: float) -> None:
        self._size = size
        self._max_staleness = max_staleness
        self._live: dict[str, _Live] = {}
        self._ended: dict[str, bool] = {}
        """Those that have ended, and whether the stream told so."""
        self._asking: dict[str, bool] = {}
        """Sessions that the server is being asked about, and whether the stream told of their end meanwhile."""
        self.open = False
        """Whether the stream is, and can tell."""
        self._following_since = math.inf
        self._level_at = -math.inf
        """Up to when all was told that was committed."""

    # ---- what is known ---------------------------------------------------------------------------

    def known(self, session: str, room: str, now: float) -> bool | None:
        """Whether the session is live and of the room; None: ask."""
        found = self._live.get(session)
        if found is None:
            return False if session in self._ended else None
        if not self.open or found.asked_at <= self._following_since:
            return None  # nobody would tell of its end
        if self._too_old(found.asked_at, now):
            return None
        return found.room == room

    def _too_old(self, asked_at: float, now: float) -> bool:
        return now - max(asked_at, self._level_at) > self._max_staleness

    # ---- asking ----------------------------------------------------------------------------------

    def asks(self, session: str) -> None:
        """The server is asked about a session from now on."""
        self._asking[session] = False

    def answered(self, session: str, room: str | None, ended: bool, asked_at: float, now: float) -> bool | None:
        """The answer to what was asked at `asked_at`: live, in this room; or `ended`; or not known. Whether it is live.

        None: it was when it was asked, but that is too long ago to say so. What is not known is not kept: a login may
        make it known at any time.
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
        return None if self._too_old(asked_at, now) else True

    def failed(self, session: str) -> None:
        """There was no answer."""
        self._asking.pop(session, None)

    # ---- the stream ------------------------------------------------------------------------------

    def opened(self, now: float, resumed: bool) -> None:
        """The stream is open. `resumed`: behind the last row, so that nothing is missed."""
        self.open = True
        if not resumed:
            self._following_since = now

    def reset(self, now: float) -> None:
        """Rows were missed: nothing is known any more."""
        self._live.clear()
        self._ended.clear()
        self._following_since = now

    def cut(self) -> None:
        """The stream is not open any more, or cannot tell: until it can, everything is asked for."""
        self.open = False

    def level(self, at: float) -> None:
        """All that was committed before `at` was told."""
        self.open = True
        self._level_at = max(self._level_at, at)

    def row(self, session: str, event: str) -> bool:
        """A row of the stream has come. Whether it is the first to tell of an end."""
        self.open = True
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
