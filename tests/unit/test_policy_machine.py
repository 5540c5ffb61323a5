"""Random histories of a room: whatever happens in whatever order, the promises hold."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enforcer.domain.deadlines import Rules
from enforcer.domain.errors import (
    Refused,
    RequestIdReused,
    SessionConflict,
    SessionEnded,
    SessionLimit,
    TooManyConnections,
)
from enforcer.domain.model import EndReason, LoginAnswer
from tests.unit.rooms import Room

NAMES = tuple(f"s{n}" for n in range(8))
ids = st.sampled_from(NAMES)
maybe_ids = st.none() | ids
seconds = st.sampled_from([0.001, 1.0, 5.0, 20.0, 31.0, 61.0, 400.0])

any_rules = st.builds(
    Rules,
    join=st.sampled_from(["ticket", "open"]),
    policy=st.sampled_from(["displace", "reject"]),
    max_sessions=st.integers(1, 3),
    idle_timeout=st.sampled_from([None, 300.0]),
    absolute_timeout=st.sampled_from([None, 1000.0]),
    lost_timeout=st.sampled_from([None, 500.0]),
)


class RoomMachine(RuleBasedStateMachine):
    """Joins, logins, leaves, returns, activity, time and logouts of one room. `Room.commit` judges each step."""

    @initialize(rules=any_rules)
    def begin(self, rules: Rules) -> None:
        self.room = Room(rules)
        self.room.foreign("theirs")
        self.dead: set[str] = set()
        self.newest: str | None = None

    @rule(session=maybe_ids | st.just("theirs"), replaces=maybe_ids, sockets=st.booleans())
    def log_in(self, session: str | None, replaces: str | None, sockets: bool) -> None:
        """A POST, with or without a session."""
        room = self.room
        room.expire()
        before = {s.id: s for s in room.live}
        claims = room.claimed
        unclaimed = set(room.unclaimed)
        waiting = len(room.waiting)
        alive = {s for s in claims if before[s].seen_until > room.now or s in room.online}
        outcome = room.login(session, replaces=replaces)
        if isinstance(outcome, Refused):
            assert {s.id: s for s in room.live} == before, "a refusal changes nothing"
            self._refused(outcome, session, alive - {session, replaces})
            return
        assert isinstance(outcome, LoginAnswer)
        if outcome.session is None:
            assert room.rules.open
            assert session is None
            assert {s.id: s for s in room.live} == before, "nobody ends while a login waits"
            assert len(room.waiting) == min(waiting + 1, 8)
            return
        self._claimed(outcome.session)
        if session is not None:
            assert outcome.session == session
        elif room.rules.open:
            assert outcome.session in unclaimed
        assert outcome.created == (outcome.session not in claims)
        assert set(outcome.displaced) == {s for s in before if room.why(s) is EndReason.DISPLACED}
        if replaces in before and replaces != outcome.session:
            assert room.why(replaces) is EndReason.REPLACED
        stayed = [s for s in claims if s not in (outcome.session, replaces) and room.why(s) is None]
        if room.rules.policy == "displace":
            in_the_way = [s for s in claims if s not in (outcome.session, replaces)]
            assert stayed == in_the_way[len(in_the_way) - len(stayed) :], "the oldest claims go first"
        else:
            assert not [s for s in alive - {replaces} if room.why(s) is not None], "reject never ends an alive session"
        if sockets:
            room.arrive(outcome.session)

    @precondition(lambda self: self.room.rules.open)
    @rule(session=ids | st.just("theirs"))
    def join(self, session: str) -> None:
        """A page comes, for the first time or again."""
        room = self.room
        room.expire()
        before = {s.id: s for s in room.live}
        claims, waited = room.claimed, len(room.waiting)
        alive = {s for s in claims if before[s].seen_until > room.now or s in room.online}
        outcome = room.join(session)
        if isinstance(outcome, Refused):
            assert {s.id: s for s in room.live} == before
            self._refused(outcome, session, set())
        elif session in before:
            assert set(room.live_ids) == set(before), "a page that is known changes nobody"
            assert len(room.waiting) == waited, "and takes no login"
        elif session in room.claimed:
            assert len(room.waiting) < waited
            self._claimed(session)
            if room.rules.policy == "reject":
                replaced = {s for s in alive if room.why(s) is EndReason.REPLACED}
                assert not [s for s in alive - replaced if room.why(s) is not None]
        else:
            assert set(room.live_ids) == {*before, session}, "joining alone ends nobody"

    @rule(session=ids)
    def leave(self, session: str) -> None:
        """Its sockets are closed."""
        self.room.leave(session)

    @rule(session=ids)
    def come_back(self, session: str) -> None:
        """A known session connects again with its ticket; that never claims."""
        if session in self.room.live_ids:
            self.room.arrive(session)

    @rule(session=ids)
    def be_active(self, session: str) -> None:
        """A human does something in a session that is still live."""
        self.room.expire()
        if session in self.room.live_ids:
            self.room.active(session)

    @rule(after=seconds)
    def time_passes(self, after: float) -> None:
        """Nobody does anything for a while; only time may end somebody."""
        before = self.room.live_ids
        claimed = bool(self.room.claimed)
        self.room.wait(after)
        for session in before - self.room.live_ids:
            why = self.room.why(session)
            assert why in {EndReason.IDLE, EndReason.ABSOLUTE, EndReason.LOST, EndReason.DISPLACED}
            if why is EndReason.DISPLACED:
                assert claimed
                assert not self.room.records[session].claimed

    @rule(session=ids)
    def log_out(self, session: str) -> None:
        """One session ends, the others do not notice."""
        self.room.expire()
        before = self.room.live_ids
        self.room.end(session)
        assert self.room.live_ids == before - {session}

    @rule(keep=maybe_ids)
    def log_out_everywhere(self, keep: str | None) -> None:
        """All end but the one to keep, and no login waits any more."""
        self.room.expire()
        before = self.room.live_ids
        assert set(self.room.end_all(keep)) == before - {keep}
        assert self.room.live_ids == before & {keep}
        assert self.room.waiting == ()

    @rule(request=st.sampled_from(["r1", "r2"]), session=maybe_ids)
    def repeat(self, request: str, session: str | None) -> None:
        """A request that is sent twice has one effect."""
        first = self.room.login(session, request_id=request, fingerprint=str(session))
        live, audit = self.room.live, len(self.room.audit)
        again = self.room.login(session, request_id=request, fingerprint=str(session))
        if not isinstance(first, Refused):
            assert again == first
            assert (self.room.live, len(self.room.audit)) == (live, audit)

    @invariant()
    def what_ended_stays_ended(self) -> None:
        """No id that was ever seen ended is live."""
        if hasattr(self, "room"):
            self.dead |= {s.id for s in self.room.records.values() if s.ended}
            assert not self.dead & self.room.live_ids

    def _claimed(self, session: str) -> None:
        """The newest login always stays; everyone else beyond the limit has gone."""
        room = self.room
        assert room.claimed[-1] == session
        assert room.unclaimed == []
        assert len(room.claimed) <= room.rules.max_sessions
        assert room.records[session].epoch == room.epoch

    def _refused(self, refusal: Refused, session: str | None, alive: set[str]) -> None:
        """Each refusal has its reason."""
        room = self.room
        match refusal:
            case SessionEnded():
                assert session is not None
                assert room.records[session].ended
            case SessionConflict():
                assert session == "theirs"
            case SessionLimit():
                assert room.rules.policy == "reject"
                assert {s.id for s in refusal.sessions} == alive
                assert len(alive) >= room.rules.max_sessions
            case TooManyConnections():
                assert len(room.unclaimed) == 16
            case _:
                assert not isinstance(refusal, RequestIdReused)
                raise AssertionError(refusal)


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
