"""What the Python client believes of sessions, against a server, a stream and a network that does what it likes."""

import math
from dataclasses import dataclass, field

from enforcer_client.cache import SLACK, Cache
from hypothesis import given, settings
from hypothesis import strategies as st

STALE = 5.0
SESSIONS = ("a", "b")


@dataclass
class World:
    """Sessions, the log of what happened to them, a stream of it, and a cache that reads that. All of one room each."""

    now: float = 100.0
    live: dict[str, float | None] = field(default_factory=dict)
    """When each session ended; None: it has not."""
    log: list[tuple[str, str, float]] = field(default_factory=list)
    read: int = 0
    connected: bool = False
    least: float = math.inf
    asked: dict[str, tuple[float, str | None, bool, bool]] = field(default_factory=dict)
    """Of questions under way: when they were sent, the answer, and whether there is one."""

    def __post_init__(self) -> None:
        self.cache = Cache(100, STALE)

    # ---- what happens ----------------------------------------------------------------------------

    def login(self, session: str) -> None:
        """A session begins, once."""
        if session not in self.live:
            self.live[session] = None
            self.log.append((session, "started", self.now))

    def asked_now(self, session: str) -> None:
        """A question and its answer, at once."""
        for step in (self.ask, self.judged, self.answer):
            step(session)

    def heard(self, count: int) -> None:
        """Something happens to others, and is told, each in its moment."""
        for _ in range(count):
            self.deliver(100)
            self.other()
            self.deliver(100)

    def late(self, seconds: float) -> None:
        """Something happens to others, and is told later."""
        self.other()
        self.passes(seconds)
        self.deliver(1)

    def end(self, session: str) -> None:
        """A session ends."""
        if session in self.live and self.live[session] is None:
            self.live[session] = self.now
            self.log.append((session, "ended", self.now))

    def other(self) -> None:
        """Something happens to somebody else."""
        self.log.append(("other", "claimed", self.now))

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    # ---- asking ----------------------------------------------------------------------------------

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
            if self.now - at > STALE:  # the client gives up before
                self.cache.failed(session)
            else:
                self.cache.answered(session, room, ended, at)

    # ---- the stream ------------------------------------------------------------------------------

    def open(self, resumed: bool, again: int) -> None:
        """Opened behind the last row, perhaps some rows before it; or from now on, and what was meanwhile is lost."""
        if not self.connected:
            self.connected = True
            if resumed and self.least < math.inf:
                self.read = max(0, self.read - again)
            else:
                resumed, self.read, self.least = False, len(self.log), math.inf
            self.cache.opened(self.now, resumed)

    def cut(self) -> None:
        """The connection is gone, and noticed."""
        if self.connected:
            self.connected = False
            self.cache.cut()

    def reset(self) -> None:
        """Rows behind the cursor are not kept any more."""
        if self.connected:
            self.read = len(self.log)
            self.cache.reset(self.now)

    def deliver(self, count: int) -> None:
        """Some rows arrive, as late as they are."""
        for session, event, at in self.log[self.read : self.read + count] if self.connected else ():
            self.read += 1
            self.least = min(self.least, self.now - at)
            self.cache.row(session, event, at, self.now)

    # ---- what is promised ------------------------------------------------------------------------

    def check(self) -> None:
        """Never called live for too long after its end; never called ended while it is live."""
        late = (
            self.least if self.least < math.inf else 0.0
        )  # a network that is always late cannot be told from one that is not
        for session in SESSIONS:
            known = self.cache.known(session, "room", self.now)
            ended = self.live.get(session, -math.inf)
            if known is True:
                assert ended is None or self.now - ended <= STALE + late + 1e-9, f"{session} ended {ended}"
            if known is False:
                assert ended is not None, f"{session} is live"
            assert self.cache.known(session, "another room", self.now) is not True


NAMES = st.sampled_from(("a", "a", "a", "b"))
STEPS = st.one_of(
    *(st.tuples(st.just(name), NAMES) for name in ("login", "end", "asked_now", "ask", "judged", "answer")),
    st.tuples(st.just("heard"), st.just(1)),
    st.tuples(st.just("late"), st.sampled_from([0.5, 3.0, 6.0])),
    st.tuples(st.just("passes"), st.sampled_from([0.01, 3.0, 6.0])),
    st.tuples(st.just("open"), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("cut")),
    st.tuples(st.just("reset")),
    st.tuples(st.just("deliver"), st.sampled_from([1, 100])),
)
BEGIN = [("open", False, 0), ("passes", 0.01), ("login", "a"), ("deliver", 9), ("asked_now", "a")]


@settings(max_examples=500, deadline=None)
@given(steps=st.lists(STEPS, min_size=8, max_size=60), begun=st.booleans())
def test_it_never_says_live_for_too_long_nor_ended_of_a_live_one(steps: list[tuple], begun: bool) -> None:  # type: ignore[type-arg]
    """Rows that are late, doubled or lost over a cut, a reset at any moment, answers that cross with the stream."""
    world = World()
    for name, *arguments in [*(BEGIN if begun else [("login", "a")]), *steps]:
        getattr(world, name)(*arguments)
        world.check()


def test_what_the_stream_covers_is_not_asked_again() -> None:
    """As long as rows come; then it is."""
    world = World()
    for name, *arguments in BEGIN:
        getattr(world, name)(*arguments)
    for _ in range(20):
        world.passes(1.0)
        world.other()
        world.deliver(1)
        assert world.cache.known("a", "room", world.now) is True
    world.passes(STALE - SLACK - 0.1)
    assert world.cache.known("a", "room", world.now) is True
    world.passes(0.2)
    assert world.cache.known("a", "room", world.now) is None, "nothing was heard"
    world.other()
    world.deliver(1)
    assert world.cache.known("a", "room", world.now) is True, "it is heard again"
    world.cut()
    assert world.cache.known("a", "room", world.now) is None


def test_an_end_is_told_once_and_holds_at_once() -> None:
    """Whoever learns of it first: the stream, or an answer."""
    cache = Cache(10, STALE)
    cache.opened(-1.0, False)
    cache.asks("a")
    assert cache.answered("a", "room", False, 0.0)
    assert cache.row("a", "ended", 1.0, 1.0)
    assert cache.known("a", "room", 1.0) is False
    assert not cache.row("a", "ended", 1.0, 2.0)
    cache.asks("b")
    assert not cache.answered("b", None, True, 2.0)
    assert cache.row("b", "ended", 2.0, 3.0), "whoever holds a socket of it was not told yet"


def test_it_is_bounded() -> None:
    """The oldest are forgotten, and asked for again."""
    cache = Cache(3, STALE)
    cache.opened(-1.0, False)
    for n in range(10):
        cache.asks(str(n))
        cache.answered(str(n), "room", n % 2 == 1, 0.0)
    assert [cache.known(str(n), "room", 0.0) for n in range(10)] == [None] * 4 + [True, False] * 3
