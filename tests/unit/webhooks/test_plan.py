"""What a hook is sent next: against a receiver, a store and a crash at any moment."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.deliveries import SPREAD, TABLE, Answer, Delivery, HookState, Settlement, again, tried
from enforcer.store.cursors import Cursor, cursor_of, cursor_text
from enforcer.webhooks.plan import AT_ONCE, PATIENCE, RETRIES, Backlog

LOG = "00112233aabbccdd"
OK, WRONG, SILENT, GONE = Answer(204), Answer(500, "status 500"), Answer(None, "no answer"), Answer(410, "status 410")


def delivery(seq: int, room: str = "alice") -> Delivery:
    """An event of the log."""
    return Delivery(f"app_{seq}", room, float(seq), "{}")


def place(seq: int) -> Cursor:
    """The cursor behind a row."""
    return Cursor(LOG, (seq,))


def rows(*rooms: str, first: int = 1) -> list[tuple[Delivery | None, Cursor]]:
    """Rows of the log, from `first` on, one a room."""
    return [(delivery(n, room), place(n)) for n, room in enumerate(rooms, first)]


def fresh(state: HookState | None = None) -> Backlog:
    """A hook that begins where the log does."""
    return Backlog("here", state or HookState(cursor_text(place(0))), place(0))


# ---- what an answer means --------------------------------------------------------------------------


@given(spread=st.floats(0, 1), now=st.floats(0, 1e10))
def test_the_table(spread: float, now: float) -> None:
    """After each failure the next try comes by the table, later by a fifth at most; after the tenth it is dead."""
    left: Delivery | None = delivery(1)
    for n, seconds in enumerate((5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400), 1):
        assert left is not None
        left = tried(left, WRONG if n % 2 else SILENT, now, spread)
        assert left is not None
        assert left.due_at is not None
        assert now + seconds <= left.due_at <= now + seconds * (1 + SPREAD) + 1e-3
        assert (left.tries, left.status) == (n, 500 if n % 2 else None)
    dead = tried(left, WRONG, now, spread)
    assert dead is not None
    assert (dead.due_at, dead.tries) == (None, len(TABLE) + 1)
    assert again(dead, now) == dead._replace(due_at=now, tries=0)


def test_only_2xx_is_taken() -> None:
    """A redirect is a failure, and so is what is none of HTTP's usual numbers."""
    taken = {status for status in range(100, 1000) if tried(delivery(1), Answer(status), 0.0, 0.0) is None}
    assert taken == set(range(200, 300))


def test_a_receiver_that_is_gone_gets_nothing_more_until_it_is_switched_on() -> None:
    """410: the event waits, is not counted as a failure of its own, and comes first when the hook is on again."""
    backlog = fresh()
    backlog.read(rows("a", "b"), place(2))
    assert len(backlog.start(0.0)) == 2
    backlog.answered("app_1", GONE, 1.0, 0.5)
    backlog.answered("app_2", OK, 1.0, 0.5)
    backlog.read(rows("c", first=3), place(3))
    assert backlog.off
    assert backlog.start(2.0) == []
    change = backlog.unsettled(2.0)
    assert change is not None
    assert (change.off, [d.id for d in change.put]) == ("here", ["app_1"])
    backlog.settled(change, place(2))
    state = HookState(change.cursor or "", *(change.health or (None, None)), off="here")
    backlog.seen(state)
    assert backlog.off
    backlog.seen(state._replace(off=""))
    backlog.due([change.put[0]], 3.0)
    assert [d.id for d in backlog.start(3.0)] == ["app_1", "app_3"]
    assert Backlog("here", state, place(2)).off
    elsewhere = Backlog("there", state, place(2))
    assert not elsewhere.off
    change = elsewhere.unsettled(4.0)
    assert change is not None
    assert change.off == "", "another address switches it on, and the store is told"


# ---- order, and who holds up whom ------------------------------------------------------------------


def test_the_next_event_of_a_room_waits_for_the_answer_but_not_for_ever() -> None:
    """In the order of the room; a receiver that hangs holds the next one up for a second."""
    backlog = fresh()
    backlog.read(rows("a", "a", "b", "a"), place(4))
    assert [d.id for d in backlog.start(0.0)] == ["app_1", "app_3"]
    assert backlog.waits
    assert backlog.start(PATIENCE / 2) == []
    backlog.answered("app_3", OK, 0.5, 0.0)
    assert [d.id for d in backlog.start(PATIENCE)] == ["app_2"]
    backlog.answered("app_2", WRONG, PATIENCE, 0.0)
    assert [d.id for d in backlog.start(PATIENCE)] == ["app_4"]


def test_what_fails_again_and_again_leaves_room_for_what_is_new() -> None:
    """At most eight are under way, four of them retries."""
    backlog = fresh()
    backlog.due([delivery(n, "old")._replace(tries=2, due_at=1.0) for n in range(100, 120)], 2.0)
    assert len(backlog.start(2.0)) == RETRIES
    backlog.read(rows(*(f"room-{n}" for n in range(20))), place(20))
    assert len(backlog.start(2.0)) == AT_ONCE - RETRIES
    assert backlog.start(2.0) == []


# ---- a crash at any moment -------------------------------------------------------------------------


@dataclass
class World:
    """The log, the store, the receiver and the process; what the test may do with them."""

    rooms: list[str]
    now: float = 0.0
    cursor: int = 0
    stored: dict[str, Delivery] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    begun: dict[str, int] = field(default_factory=dict)
    ever: set[int] = field(default_factory=set)
    under_way: dict[str, Delivery] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    """What this process has read, sent and been told of."""
    again: set[str] = field(default_factory=set)
    """What the process before has left in the store."""
    asked: tuple[Settlement, str] | None = None
    """What the store was asked to store, and does, and says."""

    def __post_init__(self) -> None:
        self.life()

    def life(self) -> None:
        """A process begins, as the one before has left the store: nothing may be lost by that."""
        for seq in range(1, len(self.rooms) + 1):
            assert seq in self.taken or seq > self.cursor or f"app_{seq}" in self.stored, f"{seq} is lost"
        self.under_way, self.over, self.asked = {}, set(), None
        self.read_to = self.cursor
        self.again = set(self.stored)
        self.backlog = Backlog("here", HookState(cursor_text(place(self.cursor))), place(self.cursor))
        self.look()

    def look(self) -> None:
        """What is due is taken up."""
        due = [d for d in self.stored.values() if d.due_at is not None and d.due_at <= self.now]
        self.backlog.due(due, self.now)

    def read(self, count: int) -> None:
        """Some more of the log is read."""
        part = self.rooms[self.read_to : self.read_to + count]
        if part and self.backlog.room_to_read:
            self.backlog.read(rows(*part, first=self.read_to + 1), place(self.read_to + len(part)))
            self.read_to += len(part)

    def start(self) -> None:
        """First attempts are in the order of their room, and not too much is under way."""
        for d in self.backlog.start(self.now):
            assert d.id not in self.over, f"{d.id} is sent again"
            self.under_way[d.id] = d
            seq = int(d.id[4:])
            if seq not in self.ever:
                assert seq > self.begun.get(d.room, 0), f"{seq} of {d.room} goes out after {self.begun[d.room]}"
                self.begun[d.room] = seq
                self.ever.add(seq)
        assert len(self.under_way) <= AT_ONCE
        assert sum(d.tries > 0 for d in self.under_way.values()) <= RETRIES

    def answer(self, which: int, answer: Answer) -> None:
        """The receiver answers one of those under way."""
        if self.under_way:
            id_ = sorted(self.under_way)[which % len(self.under_way)]
            del self.under_way[id_]
            if self.backlog.answered(id_, answer, self.now, 0.5) is None:
                self.taken.add(int(id_[4:]))
                if id_ not in self.again:  # what was stored before may also stand behind the cursor
                    self.over.add(id_)

    def settle(self, outcome: str) -> None:
        """What must be stored is stored; or the store does not answer, and then it is stored or not."""
        change = self.backlog.unsettled(self.now) if self.asked is None else None
        if change is not None:
            if outcome != "lost":
                self.store(change)
            self.asked = change, outcome

    def told(self) -> None:
        """The store says that it has stored, or nothing."""
        if self.asked is not None:
            change, outcome = self.asked
            self.asked = None
            if outcome == "stored":
                self.backlog.settled(change, None if change.cursor is None else cursor_of(change.cursor))

    def store(self, change: Settlement) -> None:
        """One step of the store."""
        if change.cursor is not None:
            found = cursor_of(change.cursor)
            assert found is not None
            self.cursor = found.places[0]
        for d in change.put:
            self.stored[d.id] = d
        for id_ in change.done:
            self.stored.pop(id_, None)


STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 12)),
    st.tuples(st.just("start")),
    st.tuples(st.just("answer"), st.integers(0, 7), st.sampled_from([OK, OK, OK, WRONG, SILENT])),
    st.tuples(st.just("settle"), st.sampled_from(["stored", "stored", "lost", "unknown"])),
    st.tuples(st.just("told")),
    st.tuples(st.just("look")),
    st.tuples(st.just("pass"), st.sampled_from([0.1, 1.0, 7.0, 400.0])),
    st.tuples(st.just("life")),
)


@settings(max_examples=500, deadline=None)
@given(rooms=st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), steps=st.lists(STEPS, min_size=5, max_size=80))
def test_nothing_is_lost_whatever_happens(rooms: list[str], steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Each event is taken, or stored, or still to be read, at every moment; in the end all of them are taken once."""
    world = World(rooms)
    for name, *arguments in steps:
        if name == "pass":
            world.now += arguments[0]
        else:
            getattr(world, name)(*arguments)
    world.life()
    for _ in range(40 * (len(rooms) + 4)):
        if world.taken == set(range(1, len(rooms) + 1)) and not world.stored and world.cursor == len(rooms):
            break
        world.now += 500.0
        world.look()
        world.read(10)
        world.start()
        for _ in range(AT_ONCE):
            world.answer(0, OK)
        world.told()
        world.settle("stored")
        world.told()
    assert world.taken == set(range(1, len(rooms) + 1))
    assert world.stored == {}
    assert world.cursor == len(rooms)


def test_what_comes_while_the_store_works_is_stored_next() -> None:
    """An answer between asking the store and its saying so: the one is forgotten, the other put off."""
    backlog = fresh()
    backlog.read(rows("a", "b"), place(2))
    backlog.start(0.0)
    asked = backlog.unsettled(0.0)
    assert asked is not None
    assert [d.tries for d in asked.put] == [0, 0]
    backlog.answered("app_1", OK, 1.0, 0.0)
    backlog.answered("app_2", WRONG, 1.0, 0.0)
    backlog.settled(asked, place(2))
    after = backlog.unsettled(1.0)
    assert after is not None
    assert after.done == ("app_1",)
    assert [(d.id, d.tries, d.due_at) for d in after.put] == [("app_2", 1, 6.0)]
    backlog.settled(after, place(2))
    assert backlog.unsettled(2.0) is None


def test_what_the_store_may_not_have_is_stored_again() -> None:
    """The store has not answered: an event under way is told with each move of the place until it has."""
    backlog = fresh()
    backlog.read(rows("a", "b"), place(2))
    backlog.start(0.0)
    for _ in range(2):
        asked = backlog.unsettled(0.0)
        assert asked is not None
        assert [d.id for d in asked.put] == ["app_1", "app_2"]
    backlog.settled(asked, place(2))
    assert backlog.unsettled(0.0) is None
