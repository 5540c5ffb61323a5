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
from enforcer.domain.errors import RequestIdReused, SessionConflict, SessionEnded
from enforcer.domain.model import Actor, ActorKind, EndReason
from enforcer.domain.rules import Rules
from enforcer.store.base import AuditQuery, SessionQuery
from enforcer.store.by_url import make_store
from enforcer.usecases.outages import TICK_SLACK
from enforcer.usecases.registry import Registry
from tests.contract.conftest import STORES, Clock, Fresh, fresh_store

ROOMS = ("alice", "bob")
MAX, IDLE, ABSOLUTE = 2, 100.0, 400.0
RULES = Rules(max_sessions=MAX, idle_timeout=IDLE, absolute_timeout=ABSOLUTE)
APP = Actor(ActorKind.APP)


@dataclass
class Expected:
    """What the model knows about one session."""

    room: str
    order: int
    active_at: float
    idle_at: float
    absolute_at: float
    reason: EndReason | None = None


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

    def claimed(self, room: str, name: str, replaces: str | None) -> list[str]:
        """The model's login; whom it displaces."""
        now = self.clock.now
        self.made += 1
        known = self.expected.get(name)
        self.expected[name] = Expected(
            room, self.made, now, now + IDLE, now + ABSOLUTE if known is None else known.absolute_at
        )
        if replaces in self.expected and replaces != name and self.expected[replaces].reason is None:
            self.expected[replaces].reason = EndReason.REPLACED  # in whichever room it is
        others = [n for n in self.live(room) if n != name]
        displaced = others[: max(0, len(others) + 1 - MAX)]
        for n in displaced:
            self.expected[n].reason = EndReason.DISPLACED
        return displaced

    # ---- what happens --------------------------------------------------------------------------

    @rule(room=st.sampled_from(ROOMS), which=st.integers(0, 12), replaces=st.none() | st.integers(0, 12))
    def login(self, room: str, which: int, replaces: int | None) -> None:
        """A login with an id that is new, live, ended or another room's."""
        name = f"s{which}"
        old = None if replaces is None else f"s{replaces}"
        known = self.expected.get(name)
        login = Login("unused", session=name, replaces=old)
        if known is not None and known.room != room:
            with pytest.raises(SessionConflict):
                self.run(self.registry.login(room, login))
        elif known is not None and known.reason is not None:
            with pytest.raises(SessionEnded):
                self.run(self.registry.login(room, login))
        else:
            answer = self.run(self.registry.login(room, login))
            assert answer.created is (known is None)
            assert list(answer.displaced) == self.claimed(room, name, old)
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
        e.idle_at = max(e.idle_at, e.active_at + IDLE)

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
        self.run(self.registry.flush())
        if expire:
            self.run(self.registry.expire())
        self.time_passes()

    @precondition(lambda self: self.restartable)
    @rule(away=st.sampled_from((0, 2, 30, 1000)))
    def restart(self, away: int) -> None:
        """The process ends and comes back: idle deadlines wait for it, absolute ones do not."""
        self.run(self.registry.flush())
        self.run(self.store.close())
        self.clock.now += away
        if self.clock.now - self.beat > TICK_SLACK:
            for e in self.expected.values():
                if e.reason is None and e.active_at <= self.beat:
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
            assert len(live) <= MAX
            listed = [s.session.id for s in self.run(self.registry.list_room(room))]
            assert listed == live[::-1]
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
