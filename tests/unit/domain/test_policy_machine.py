"""Random histories of a room: whatever happens in whatever order, the promises hold."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enforcer.domain.errors import (
    Refused,
    RequestIdReused,
    SessionConflict,
    SessionEnded,
    SessionLimit,
    TooManyConnections,
)
from enforcer.domain.explaining import Explanation
from enforcer.domain.model import FOREVER, AuditEvent, Device, EndReason, LoginAnswer, Session
from enforcer.domain.rules import Limits, Rules
from tests.unit.rooms import SLOTS, Room

NAMES = tuple(f"s{n}" for n in range(8))
ids = st.sampled_from(NAMES)
maybe_ids = st.none() | ids
any_ids = maybe_ids | st.just("theirs")
seconds = st.sampled_from([0.001, 1.0, 5.0, 20.0, 31.0, 61.0, 400.0])

limits = st.builds(
    Limits,
    policy=st.sampled_from(["displace", "reject"]),
    max_sessions=st.integers(1, 3),
    idle_timeout=st.sampled_from([None, 200.0]),
    absolute_timeout=st.sampled_from([None, 600.0]),
)
any_rules = st.builds(
    Rules,
    join=st.sampled_from(["ticket", "open"]),
    policy=st.sampled_from(["displace", "reject"]),
    max_sessions=st.integers(1, 3),
    idle_timeout=st.sampled_from([None, 300.0]),
    absolute_timeout=st.sampled_from([None, 1000.0]),
    lost_timeout=st.sampled_from([None, 500.0]),
    slots=st.dictionaries(st.sampled_from(SLOTS), limits),
)
any_terms = st.fixed_dictionaries(
    {},
    optional={
        "slot": st.sampled_from(SLOTS),
        "max_sessions": st.integers(1, 3),
        "policy": st.sampled_from(["displace", "reject"]),
        "idle_timeout": st.sampled_from([50.0, FOREVER]),
        "absolute_timeout": st.sampled_from([100.0, FOREVER]),
        "exempt": st.booleans(),
        "impersonated_by": st.just("support-7"),
        "ends": st.lists(ids | st.just("theirs"), max_size=3).map(tuple),
        "device": st.sampled_from([Device(class_="mobile"), Device(label="x")]),
    },
)


class RoomMachine(RuleBasedStateMachine):
    """Joins, logins, leaves, returns, activity, time and logouts of one room. `Room.commit` judges each step."""

    @initialize(rules=any_rules)
    def begin(self, rules: Rules) -> None:
        self.room = Room(rules)
        self.room.foreign("theirs")
        self.dead: set[str] = set()
        self.newest: str | None = None

    @rule(
        session=maybe_ids | st.just("theirs"),
        replaces=maybe_ids | st.just("theirs"),
        more=any_terms,
        sockets=st.booleans(),
    )
    def log_in(self, session: str | None, replaces: str | None, more: dict[str, Any], sockets: bool) -> None:
        """A POST, with or without a session. First it is explained, and then it must come so."""
        room = self.room
        room.expire()
        before = {s.id: s for s in room.live}
        waiting, logged = room.waiting, len(room.audit)
        alive = {s for s in room.claimed if before[s].seen_until > room.now or s in room.online}
        told = room.explain(session, replaces=replaces, **more)
        assert ({s.id: s for s in room.live}, room.waiting, len(room.audit)) == (before, waiting, logged)

        outcome = room.login(session, replaces=replaces, **more)

        own_room = [(s.id, reason) for s, reason in told.would_end if s.room == room.name]
        ended = [(row.session, row.reason) for row in room.audit[logged:] if row.event is AuditEvent.ENDED]
        assert own_room == ended
        assert told.why
        if isinstance(outcome, Refused):
            assert told.code == outcome.code
            assert own_room == []
            assert {s.id: s for s in room.live} == before, "a refusal changes nothing"
            self._refused(outcome, session, alive, told)
            return
        assert told.code is None
        assert isinstance(outcome, LoginAnswer)
        if outcome.session is None:
            assert room.rules.open
            assert session is None
            assert {s.id: s for s in room.live} == before, "nobody ends while a login waits"
            assert len(room.waiting) == min(len(waiting) + 1, 8)
            return
        self._admitted(outcome, session, replaces, more, told, before, alive)
        if sockets:
            room.arrive(outcome.session)

    def _admitted(
        self,
        outcome: LoginAnswer,
        session: str | None,
        replaces: str | None,
        more: dict[str, Any],
        told: Explanation,
        before: dict[str, Session],
        alive: set[str],
    ) -> None:
        """Who stays and who goes, without looking at how it is decided."""
        room = self.room
        assert outcome.session is not None
        new = room.records[outcome.session]
        assert session in (None, new.id)
        assert (told.slot, told.max_sessions is None) == (new.slot, new.exempt)
        assert new.epoch == room.epoch
        assert outcome.created == (new.id not in before or not before[new.id].claimed)
        gone = {s for s in before if room.why(s) is not None}
        displaced = {s for s in before if room.why(s) is EndReason.DISPLACED}
        assert set(outcome.displaced) == displaced
        if replaces in before and replaces != new.id:
            assert room.why(replaces) is EndReason.REPLACED
        assert gone - displaced <= {replaces}
        chosen = {s for s in more.get("ends", ()) if s in before and not before[s].exempt} - {new.id, replaces}
        assert chosen <= displaced, "whom the login names goes"
        by_limit = {s for s in displaced - chosen if before[s].claimed}
        assert not [s for s in by_limit if before[s].exempt or before[s].slot != new.slot], "slots do not compete"
        if new.exempt:
            assert displaced == chosen
            return
        assert room.unclaimed == []
        assert told.max_sessions is not None
        assert room.competing(new.slot)[-1] == new.id
        assert len(room.competing(new.slot)) <= told.max_sessions
        if told.policy == "reject":
            assert not by_limit & alive, "reject never ends an alive session"
        else:
            stayed = [before[s].epoch for s in room.competing(new.slot) if s in before and s != new.id]
            assert all(before[s].epoch < min(stayed) for s in by_limit if stayed), "the oldest claims go first"

    @precondition(lambda self: self.room.rules.open)
    @rule(session=ids | st.just("theirs"))
    def join(self, session: str) -> None:
        """A page comes, for the first time or again."""
        room = self.room
        room.expire()
        before = {s.id: s for s in room.live}
        waited = len(room.waiting)
        outcome = room.join(session)
        if isinstance(outcome, Refused):
            assert {s.id: s for s in room.live} == before
            self._refused(outcome, session, set(), None)
        elif session in before:
            assert set(room.live_ids) == set(before), "a page that is known changes nobody"
            assert len(room.waiting) == waited, "and takes no login"
        elif session in room.claimed:
            assert len(room.waiting) < waited
            assert room.records[session].epoch == room.epoch
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

    def _refused(self, refusal: Refused, session: str | None, alive: set[str], told: Explanation | None) -> None:
        """Each refusal has its reason."""
        room = self.room
        match refusal:
            case SessionEnded():
                assert session is not None
                assert room.records[session].ended
            case SessionConflict():
                assert session == "theirs"
            case SessionLimit():
                assert told is not None
                assert told.policy == "reject"
                assert refusal.sessions == told.counted
                assert {s.id for s in refusal.sessions} <= alive & set(room.competing(refusal.slot))
                assert len(refusal.sessions) >= refusal.max_sessions
            case TooManyConnections():
                assert len(room.unclaimed) == 16
            case _:
                assert not isinstance(refusal, RequestIdReused)
                raise AssertionError(refusal)


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
