"""What the Python client believes of sessions, against a server, a stream and a network that does what it likes."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from enforcer_client.cache import Cache, Ended
from enforcer_client.following import AHEAD, DRIFT, Following
from hypothesis import given, settings
from hypothesis import strategies as st

STALE = 5.0
SESSIONS = ("a", "b")


def said(name: str, data: dict[str, object], cursor: int | None = None) -> bytes:
    """An event of the stream."""
    head = f"event: {name}\n" + ("" if cursor is None else f"id: {cursor}\n")
    return f"{head}data: {json.dumps(data)}\n\n".encode()


@dataclass
class World:
    """Sessions, the log of what happened to them, a stream of it, and a cache that reads that. All of one room each.

    The stream's bytes and its request take `lag` seconds each; the server's steady clock goes `rate` times as fast as
    ours, and shows another time.
    """

    lag: float = 0.0
    rate: float = 1.0
    now: float = 100.0
    live: dict[str, float | None] = field(default_factory=dict)
    """When each session ended; None: it has not."""
    log: list[tuple[str, str]] = field(default_factory=list)
    trimmed: int = 0
    read: int = 0
    """Rows that the server has said, or that were before the stream began."""
    arrives: float | None = None
    """When the request of the stream reaches the server; None: there is no connection."""
    served: bool = False
    wire: deque[tuple[float, bytes]] = field(default_factory=deque)
    """What the server has said, and when it arrives."""
    asked: dict[str, tuple[float, str | None, bool, bool]] = field(default_factory=dict)
    """Of questions under way: when they were sent, the answer, and whether there is one."""
    ends: list[Ended] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = Cache(100, STALE)
        self.following = Following(self.cache, STALE)

    # ---- what happens ----------------------------------------------------------------------------

    def login(self, session: str) -> None:
        """A session begins, once."""
        if session not in self.live:
            self.live[session] = None
            self.log.append((session, "started"))

    def end(self, session: str) -> None:
        """A session ends."""
        if session in self.live and self.live[session] is None:
            self.live[session] = self.now
            self.log.append((session, "ended"))

    def other(self) -> None:
        """Something happens to somebody else."""
        self.log.append(("other", "claimed"))

    def passes(self, seconds: float) -> None:
        """Time passes, and what is on its way arrives in its moment."""
        until = self.now + seconds
        while self.wire and self.wire[0][0] <= until:
            at, part = self.wire.popleft()
            self.now = max(self.now, at)
            self._taken(part)
        self.now = until

    def busy(self, seconds: int) -> None:
        """Much happens to others, and all is told as fast as the stream goes."""
        for _ in range(seconds):
            self.other()
            self.level()
            self.passes(1.0)

    # ---- asking ----------------------------------------------------------------------------------

    def asked_now(self, session: str) -> None:
        """A question and its answer, at once."""
        for step in (self.ask, self.judged, self.answer):
            step(session)

    def ask(self, session: str) -> None:
        """A question goes out."""
        if session not in self.asked:
            self.cache.asks(session)
            self.asked[session] = (self.now, None, False, False)

    def judged(self, session: str) -> None:
        """The server answers; the answer is on its way."""
        if session in self.asked and not self.asked[session][3]:
            known, ended = session in self.live, self.live.get(session) is not None
            self.asked[session] = (self.asked[session][0], "room" if known else None, ended, True)

    def answer(self, session: str) -> None:
        """The answer arrives."""
        if session in self.asked and self.asked[session][3]:
            at, room, ended, _ = self.asked.pop(session)
            if self.cache.answered(session, room, ended, at, self.now):
                self._live_is_true(session)

    def lost(self, session: str) -> None:
        """There is no answer."""
        if self.asked.pop(session, None):
            self.cache.failed(session)

    # ---- the stream ------------------------------------------------------------------------------

    def open(self) -> None:
        """The request of the stream goes out."""
        if self.arrives is None:
            self.sent = self.following.opening(self.now)
            self.arrives, self.served = self.now + self.lag, False
            self.level()

    def look(self) -> None:
        """The server says what is new in the log."""
        if self.arrives is None or self.now < self.arrives:
            return
        if not self.served:
            self._begin(self.sent.get("Last-Event-ID"))
        for n, (session, event) in enumerate(self.log[self.read :], self.read + 1):
            row = {"session": session, "event": event, "room": "room", "reason": "logout", "at": "2026-11-28T00:00:00Z"}
            self._say(said(f"session.{event}", row, n))
        self.read = len(self.log)

    def level(self) -> None:
        """It says how far it has come, having looked."""
        self.look()
        if self.served and self.arrives is not None:
            self._say(said("level", {"elapsed_ms": int((self.now - self.arrives) * self.rate * 1000)}))

    def twice(self) -> None:
        """It says the last rows again."""
        self.look()
        self.read = max(self.trimmed, self.read - 2)

    def away(self) -> None:
        """The store is."""
        self.look()
        if self.served:
            self._say(said("unavailable", {"retry_ms": 1000}))

    def trim(self) -> None:
        """The log so far is not kept any more."""
        self.look()
        self.trimmed = len(self.log)

    def cut(self, part: float) -> None:
        """The connection is gone, in the middle of something perhaps; what was on its way is lost."""
        if self.wire:
            _, whole = self.wire.popleft()
            self._taken(whole[: int(len(whole) * part)])
        self._gone()
        self.following.cut()

    # ---- what is promised ------------------------------------------------------------------------

    def check(self) -> None:
        """Never called live for too long after its end; never called ended while it is live."""
        for session in SESSIONS:
            known = self.cache.known(session, "room", self.now)
            if known is True:
                self._live_is_true(session)
            if known is False:
                assert self.live.get(session) is not None, f"{session} is live"
            assert self.cache.known(session, "another room", self.now) is not True

    def _live_is_true(self, session: str) -> None:
        ended = self.live[session]
        assert ended is None or self.now - ended <= STALE + 1e-6, f"{session} ended {self.now - ended} s ago"

    # ---- inside ----------------------------------------------------------------------------------

    def _begin(self, cursor: str | None) -> None:
        self.served = True
        begin = len(self.log) if cursor is None else int(cursor)
        self._say(said("ready", {"cursor": str(begin)}))
        if begin < self.trimmed:
            begin = len(self.log)
            self._say(said("reset", {"cursor": str(begin)}, begin))
        self.read = begin

    def _say(self, part: bytes) -> None:
        self.wire.append((self.now + self.lag, part))

    def _taken(self, part: bytes) -> None:
        self.ends += self.following.take(part, self.now)
        if self.following.renews:
            self._gone()
            self.open()

    def _gone(self) -> None:
        self.wire.clear()
        self.arrives, self.served = None, False


NAMES = st.sampled_from(("a", "a", "a", "b"))
USUAL = st.one_of(
    st.tuples(st.just("asked_now"), NAMES),
    st.tuples(st.just("end"), NAMES),
    st.tuples(st.just("busy"), st.sampled_from([3, 20])),
)
STEPS = st.one_of(
    USUAL,
    st.one_of(
        *(st.tuples(st.just(name), NAMES) for name in ("login", "ask", "judged", "answer", "lost")),
        *(st.tuples(st.just(name)) for name in ("open", "look", "level", "twice", "away", "trim", "other")),
        st.tuples(st.just("passes"), st.sampled_from([0.01, 3.0, 6.0, 600.0])),
        st.tuples(st.just("cut"), st.sampled_from([0.0, 0.5, 1.0])),
    ),
)
BEGIN = [("open",), ("busy", 1), ("login", "a"), ("busy", 130), ("asked_now", "a")]
LAGS = st.sampled_from([0.0, 0.01, 4.0, 30.0, 60.0])
RATES = st.sampled_from([1.0, 1 - DRIFT, 1 + DRIFT])


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, min_size=8, max_size=50), begun=st.booleans(), lag=LAGS, rate=RATES)
def test_it_never_says_live_for_too_long_nor_ended_of_a_live_one(
    steps: list[tuple[Any, ...]],
    begun: bool,
    lag: float,
    rate: float,
) -> None:
    """A stream that is late, from its first byte or since a cut; rows that come twice, halves, clocks that drift."""
    world = World(lag, rate)
    for name, *arguments in [*(BEGIN if begun else [("login", "a")]), *steps]:
        getattr(world, name)(*arguments)
        world.check()


@pytest.mark.parametrize("lag", [0.0, 1.0, 60.0])
def test_a_stream_is_believed_as_long_as_it_shows_how_late_it_is(lag: float) -> None:
    """Rows come all the time. One that is too late shows nothing; another saves all questions."""
    world = World(lag)
    world.open()
    world.busy(130)
    world.login("a")
    world.asked_now("a")
    for _ in range(100):
        world.busy(1)
        asked = world.cache.known("a", "room", world.now) is None
        if asked:
            assert lag > STALE, "the stream covers it"
            world.asked_now("a")
    world.end("a")
    world.busy(6)
    assert world.cache.known("a", "room", world.now) is not True
    world.cut(0.0)
    world.open()
    world.busy(130)
    assert [end.session for end in world.ends] == ["a"], "it goes on where it was"


def test_what_the_stream_covers_is_asked_again_when_it_is_silent_or_cut() -> None:
    """And is good again when it goes on, for nothing was missed."""
    world = World()
    for name, *arguments in BEGIN:
        getattr(world, name)(*arguments)
    world.passes(STALE - 0.2)
    assert world.cache.known("a", "room", world.now) is True
    world.passes(0.4)
    assert world.cache.known("a", "room", world.now) is None, "nothing was heard"
    world.level()
    world.passes(0.0)
    assert world.cache.known("a", "room", world.now) is True, "it is heard again"
    for lose in (lambda: world.cut(0.0), world.away):
        lose()
        world.passes(0.0)
        assert world.cache.known("a", "room", world.now) is None
        world.open()
        world.busy(2)
        assert world.cache.known("a", "room", world.now) is True
    world.trim()
    world.cut(0.0)
    world.trim()
    world.other()
    world.trim()
    world.open()
    world.busy(2)
    assert (world.cache.known("a", "room", world.now), world.following.resets) == (None, 1), "ends may have been missed"


def test_a_connection_is_renewed_before_drift_counts_or_when_clocks_disagree() -> None:
    """Without a gap: what is known stays so, and what happens meanwhile is told."""
    following = Following(cache := Cache(10, STALE), STALE)
    following.opening(0.0)
    following.take(said("ready", {"cursor": "1"}), 1.0)
    cache.asks("a")
    cache.answered("a", "room", False, 1.5, 1.5)
    following.take(said("level", {"elapsed_ms": 400_000}), 400.0)
    assert cache.known("a", "room", 404.5) is True
    assert cache.known("a", "room", 404.7) is None, "the server's clock may have been faster by 0.4 s"
    assert not following.renews
    following.take(said("level", {"elapsed_ms": 501_000}), 501.0)
    assert cache.known("a", "room", 501.0)
    assert following.renews
    assert following.opening(502.0)["Last-Event-ID"] == "1"
    assert not following.renews
    following.take(said("ready", {"cursor": "1"}) + said("level", {"elapsed_ms": 3000}), 503.0 - AHEAD)
    assert following.renews, "that is from the future: this machine has slept"
    assert cache.known("a", "room", 505.0) is True
    assert cache.known("a", "room", 507.0) is None


def test_what_cannot_be_read_was_missed() -> None:
    """It is not skipped: the stream goes on from now, and whoever holds sockets is told so."""
    following = Following(cache := Cache(10, STALE), STALE)
    following.opening(0.0)
    following.take(said("ready", {"cursor": "1"}), 1.0)
    with pytest.raises(ValueError, match="Expecting"):
        following.take(b"id: 2\nevent: session.ended\ndata: {\n\n", 2.0)
    following.cut()
    assert "Last-Event-ID" not in following.opening(3.0)
    following.take(said("ready", {"cursor": "2"}), 3.0)
    assert (following.resets, cache.open) == (1, True)


def test_an_end_is_told_once_and_holds_at_once() -> None:
    """Whoever learns of it first: the stream, or an answer."""
    cache = Cache(10, STALE)
    cache.opened(-1.0, False)
    cache.asks("a")
    assert cache.answered("a", "room", False, 0.0, 0.0)
    assert cache.row("a", "ended")
    assert cache.known("a", "room", 1.0) is False
    assert not cache.row("a", "ended")
    cache.asks("b")
    assert cache.answered("b", None, True, 2.0, 2.0) is False
    assert cache.row("b", "ended"), "whoever holds a socket of it was not told yet"


def test_an_answer_that_took_too_long_says_nothing() -> None:
    """Unless the stream covers it."""
    cache = Cache(10, STALE)
    cache.opened(-1.0, False)
    cache.asks("a")
    assert cache.answered("a", "room", False, 0.0, STALE + 0.1) is None
    cache.level(1.0)
    assert cache.answered("a", "room", False, 0.0, STALE + 0.1) is True


def test_it_is_bounded() -> None:
    """The oldest are forgotten, and asked for again."""
    cache = Cache(3, STALE)
    cache.opened(-1.0, False)
    for n in range(10):
        cache.asks(str(n))
        cache.answered(str(n), "room", n % 2 == 1, 0.0, 0.0)
    assert [cache.known(str(n), "room", 0.0) for n in range(10)] == [None] * 4 + [True, False] * 3
