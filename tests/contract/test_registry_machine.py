"""The whole registry against a model that anyone can follow, over every store.

Random logins, activity, ends, time, restarts and repeated requests; after each step every session that ever was must
be what the model says, for the reason the model says, with its transitions in the audit log once each.
"""

import asyncio
import logging
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from enforcer.domain.admission import Login
from enforcer.domain.deadlines import IDLE_SLACK
from enforcer.domain.errors import RequestIdReused, SessionConflict, SessionEnded, SessionLimit
from enforcer.domain.model import NO_TERMS, Actor, ActorKind, EndReason, Terms
from enforcer.domain.rules import Limits, Rules
from enforcer.store.by_url import make_store
from enforcer.store.queries import AuditQuery, SessionQuery
from enforcer.usecases.outages import TICK_SLACK
from enforcer.usecases.registry import Registry
from tests.contract.conftest import STORES, Clock, Fresh, fresh_store

ROOMS = ("alice", "bob")
MAX, IDLE, ABSOLUTE = 2, 100.0, 400.0
MOST = {None: MAX, "mobile": 1, "desktop": 2}
OWN_IDLE = 40.0
RULES = Rules(
    max_sessions=MAX,
    idle_timeout=IDLE,
    absolute_timeout=ABSOLUTE,
    slots={
        "mobile": Limits(max_sessions=1, idle_timeout=IDLE, absolute_timeout=ABSOLUTE),
        "desktop": Limits(max_sessions=2, policy="reject", idle_timeout=IDLE, absolute_timeout=ABSOLUTE),
    },
)
APP = Actor(ActorKind.APP)
names = st.integers(0, 12).map(lambda n: f"s{n}")
any_terms = st.fixed_dictionaries(
    {
        "slot": st.none() | st.sampled_from(["mobile", "desktop"]),
        "exempt": st.sampled_from([None, None, True, False]),
        "idle_timeout": st.sampled_from([None, OWN_IDLE]),
        "ends": st.lists(names, max_size=3).map(tuple),
    }
).map(lambda members: Terms(**members))


@dataclass
class Expected:
    """What the model knows about one session."""

    room: str
    order: int
    active_at: float
    idle_at: float
    absolute_at: float
    reason: EndReason | None = None
    slot: str | None = None
    exempt: bool = False
    idle: float = IDLE


class RegistryMachine(RuleBasedStateMachine):
    """Does things to a registry and to the model alike."""

    fresh: Fresh
    restartable: bool

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.url = type(self).fresh(Path(self.directory.name))
        self.clock = Clock()
        self.beat = self.clock.now
        self.expected: dict[str, Expected] = {}
        self.made = 0
        self.requests: dict[tuple[str, str], Any] = {}
        self.started = 0
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def open(self) -> None:
        self.store = make_store(self.url, self.clock)
        await self.store.open()
        self.registry = Registry(self.store, RULES, self.clock)
        await self.registry.resume(0.0)
        await self.registry.tick()

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()
        self.directory.cleanup()

    # ---- the model -----------------------------------------------------------------------------

    def live(self, room: str) -> list[str]:
        """Oldest login first."""
        names = [n for n, e in self.expected.items() if e.room == room and e.reason is None]
        return sorted(names, key=lambda n: self.expected[n].order)

    def time_passes(self) -> None:
        for e in self.expected.values():
            if e.reason is None and self.clock.now >= e.absolute_at:
                e.reason = EndReason.ABSOLUTE
            elif e.reason is None and self.clock.now >= e.idle_at + IDLE_SLACK:
                e.reason = EndReason.IDLE

    def competing(self, room: str, slot: str | None) -> list[str]:
        """Those of a slot that count, oldest login first."""
        return [n for n in self.live(room) if self.expected[n].slot == slot and not self.expected[n].exempt]

    def claimed(self, room: str, name: str, replaces: str | None, terms: Terms = NO_TERMS) -> list[str]:
        """The model's login; whom it displaces."""
        now = self.clock.now
        self.made += 1
        known = self.expected.get(name)
        e = Expected(room, self.made, now, 0, now + ABSOLUTE if known is None else known.absolute_at)
        e.slot = terms.slot if terms.slot is not None or known is None else known.slot
        e.exempt = terms.exempt if terms.exempt is not None else known is not None and known.exempt
        e.idle = terms.idle_timeout or (IDLE if known is None else known.idle)
        e.idle_at = now + e.idle
        going = [n for n in self.live(room) if n in terms.ends and n not in (name, replaces)]
        going = [n for n in going if not self.expected[n].exempt]
        self.expected[name] = e
        if replaces in self.expected and replaces != name and self.expected[replaces].reason is None:
            self.expected[replaces].reason = EndReason.REPLACED  # in whichever room it is
        if not e.exempt:
            others = [n for n in self.competing(room, e.slot) if n != name and n not in going]
            going += others[: max(0, len(others) + 1 - MOST[e.slot])]
        for n in going:
            self.expected[n].reason = EndReason.DISPLACED
        return going

    def refused(self, room: str, name: str, replaces: str | None, terms: Terms) -> list[str] | None:
        """Who is in the way of the model's login, where it is refused. In this model everybody is alive."""
        known = self.expected.get(name)
        slot = terms.slot if terms.slot is not None or known is None else known.slot
        exempt = terms.exempt if terms.exempt is not None else known is not None and known.exempt
        if slot != "desktop" or exempt:
            return None
        others = [n for n in self.competing(room, slot) if n not in (name, replaces, *terms.ends)]
        return others if len(others) >= MOST[slot] else None

    def everybody_is_seen(self) -> None:
        """Who is not alive is in nobody's way; in this model a validation has just asked about each."""
        for name, e in self.expected.items():
            if e.reason is None:
                self.run(self.registry.get(name))

    # ---- what happens --------------------------------------------------------------------------

    @rule(room=st.sampled_from(ROOMS), which=names, replaces=st.none() | names, terms=any_terms)
    def login(self, room: str, which: str, replaces: str | None, terms: Terms) -> None:
        """A login with an id that is new, live, ended or another room's. It is explained first, and comes so."""
        known = self.expected.get(which)
        login = Login("unused", session=which, replaces=replaces, terms=terms)
        self.everybody_is_seen()
        told = self.run(self.registry.explain(room, login))
        ends = [(s.id, reason) for s, reason in told.would_end]
        in_the_way = self.refused(room, which, replaces, terms)
        if known is not None and known.room != room:
            with pytest.raises(SessionConflict):
                self.run(self.registry.login(room, login))
            assert (told.code, ends) == ("session-conflict", [])
        elif known is not None and known.reason is not None:
            with pytest.raises(SessionEnded):
                self.run(self.registry.login(room, login))
            assert (told.code, ends) == ("session-ended", [])
        elif in_the_way is not None:
            with pytest.raises(SessionLimit) as refusal:
                self.run(self.registry.login(room, login))
            assert [s.id for s in refusal.value.sessions] == in_the_way == [s.id for s in told.counted]
            assert (told.code, ends) == ("session-limit", [])
        else:
            was_live = {n for n, e in self.expected.items() if e.reason is None}
            answer = self.run(self.registry.login(room, login))
            assert answer.created is (known is None)
            displaced = self.claimed(room, which, replaces, terms)
            assert list(answer.displaced) == displaced
            replaced = [replaces] if replaces != which and replaces in was_live else []
            assert told.code is None
            assert sorted(ends) == sorted(
                [(n, EndReason.DISPLACED) for n in displaced] + [(str(n), EndReason.REPLACED) for n in replaced]
            )
            self.started += known is None

    @rule(room=st.sampled_from(ROOMS), request=st.sampled_from(("r1", "r2")), body=st.sampled_from(("x", "y")))
    def login_with_a_lost_answer(self, room: str, request: str, body: str) -> None:
        """A login that is asked for again as long as its id is remembered has one effect."""
        key = (room, request)
        login = Login(f"m{self.made}", request_id=request, fingerprint=body)
        if key in self.requests and self.clock.now - self.requests[key][2] < 600:
            fingerprint, first, _ = self.requests[key]
            if fingerprint == body:
                assert self.run(self.registry.login(room, login)) == first
            else:
                with pytest.raises(RequestIdReused):
                    self.run(self.registry.login(room, login))
            return
        answer = self.run(self.registry.login(room, login))
        assert list(answer.displaced) == self.claimed(room, answer.session, None)
        self.started += 1
        self.requests[key] = (body, answer, self.clock.now)
        assert self.run(self.registry.login(room, login)) == answer

    @precondition(lambda self: self.expected)
    @rule(data=st.data(), idle_for=st.sampled_from((0.0, 1.0, 30.0, 500.0)))
    def activity(self, data: st.DataObject, idle_for: float) -> None:
        """Somebody did something, now or a while ago: never moves a deadline backwards."""
        name = data.draw(st.sampled_from(sorted(self.expected)))
        e = self.expected[name]
        if e.reason is not None:
            with pytest.raises(SessionEnded):
                self.run(self.registry.activity(name, idle_for=idle_for))
            return
        self.run(self.registry.activity(name, idle_for=idle_for))
        e.active_at = max(e.active_at, self.clock.now - idle_for)
        e.idle_at = max(e.idle_at, e.active_at + e.idle)

    @precondition(lambda self: self.expected)
    @rule(data=st.data(), reason=st.sampled_from((EndReason.LOGOUT, EndReason.ADMIN)))
    def end(self, data: st.DataObject, reason: EndReason) -> None:
        """One session ends; ending it again changes nothing."""
        name = data.draw(st.sampled_from(sorted(self.expected)))
        e = self.expected[name]
        e.reason = e.reason or reason
        assert self.run(self.registry.end(name, reason, APP)).end_reason is e.reason

    @rule(room=st.sampled_from(ROOMS), keep=st.none() | st.integers(0, 12))
    def end_all(self, room: str, keep: int | None) -> None:
        """Log out everywhere, perhaps but here."""
        kept = None if keep is None else f"s{keep}"
        going = [n for n in self.live(room) if n != kept]
        assert list(self.run(self.registry.end_all(room, EndReason.LOGOUT, APP, kept))) == going
        for name in going:
            self.expected[name].reason = EndReason.LOGOUT

    @rule(seconds=st.integers(1, 60), expire=st.booleans())
    def wait(self, seconds: int, expire: bool) -> None:
        """Time passes while the process looks after its sessions, with the timer or only with what reads meet."""
        for _ in range(0, seconds, 2):
            self.clock.now += 2
            self.run(self.registry.tick())
        self.beat = self.clock.now
        self.run(self.registry.sightings.flush())
        if expire:
            self.run(self.registry.expire())
        self.time_passes()

    @precondition(lambda self: self.restartable)
    @rule(away=st.sampled_from((0, 2, 30, 1000)))
    def restart(self, away: int) -> None:
        """The process ends and comes back: idle deadlines wait for it, absolute ones do not."""
        self.run(self.registry.sightings.flush())
        self.run(self.store.close())
        self.clock.now += away
        if self.clock.now - self.beat > TICK_SLACK:
            for e in self.expected.values():
                if e.reason is None and e.active_at <= self.beat + TICK_SLACK:
                    e.idle_at += self.clock.now - self.beat
        self.run(self.open())
        self.beat = self.clock.now
        self.time_passes()

    # ---- what must hold ------------------------------------------------------------------------

    @invariant()
    def every_session_is_as_expected(self) -> None:
        """Validate says of each session what the model says."""
        for name, e in self.expected.items():
            session = self.run(self.registry.get(name)).session
            assert session.end_reason is e.reason, f"{name}: {session}"
        for room in ROOMS:
            live = self.live(room)
            listed = self.run(self.registry.list_room(room))
            assert [s.session.id for s in listed] == live[::-1]
            for slot, most in MOST.items():
                competing = self.competing(room, slot)
                assert len(competing) <= most
                newest = [s.session.id for s in listed if s.newest and s.session.slot == slot]
                assert newest == competing[-1:]
        self.each_transition_is_logged_once()  # after the reads, which commit what expired
        self.the_log_and_each_read_agree()

    def the_log_and_each_read_agree(self) -> None:
        """A record is the same by its id, which may come from memory, and in the log, which never does."""
        for listed in self.run(self.store.logs.sessions(SessionQuery(limit=1000))):
            assert self.run(self.store.get(listed.session.id)) == listed
            assert self.store.at_hand(listed.session.id) in (None, listed)

    def each_transition_is_logged_once(self) -> None:
        """One row for each start and each end, and claims besides."""
        rows = [r.entry for r in self.run(self.store.logs.audit(AuditQuery(limit=100_000)))]
        assert sum(r.event == "started" for r in rows) == self.started
        ended = sorted((r.session, r.reason) for r in rows if r.event == "ended")
        assert ended == sorted((n, e.reason) for n, e in self.expected.items() if e.reason is not None)
        for room in ROOMS:
            epochs = [r.epoch for r in rows if r.room == room and r.event in ("started", "claimed")]
            assert epochs == sorted(set(epochs)), "epochs grow strictly"


@pytest.mark.parametrize("store", STORES)
def test_registry_is_what_the_model_says(
    store: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """The registry over this store and the model never disagree."""
    caplog.set_level(logging.ERROR)  # each restart says how long nobody looked after the sessions

    class Machine(RegistryMachine):
        fresh = staticmethod(fresh_store(request, store))
        restartable = store != "memory"

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
