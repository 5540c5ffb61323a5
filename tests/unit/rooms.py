"""A room in memory that decisions are applied to as a store would, with the promises of every commit checked."""

from collections.abc import Collection
from typing import Any, TypeVar

from enforcer.domain.admission import Login
from enforcer.domain.deadlines import active_mark, left_mark, merged, seen_mark
from enforcer.domain.errors import Refused
from enforcer.domain.explaining import Explanation, explain_login
from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    Change,
    Decision,
    Device,
    EndReason,
    LoginAnswer,
    RememberedAnswer,
    RoomState,
    Session,
    Snapshot,
    Terms,
    WaitingLogin,
    newest_epoch,
)
from enforcer.domain.policy import (
    MAX_UNCLAIMED,
    MAX_WAITING,
    decide_end,
    decide_end_all,
    decide_expire,
    decide_join,
    decide_login,
)
from enforcer.domain.rules import Rules

T = TypeVar("T")

START = 1_700_000_000.0
APP = Actor(ActorKind.APP)
SLOTS = ("mobile", "desktop")


class Room:
    """One room. `records` has every session that there ever was, of this room or (by `foreign`) of another."""

    def __init__(self, rules: Rules, name: str = "alice") -> None:
        self.name = name
        self.rules = rules
        self.now = START
        self.epoch = 0
        self.waiting: tuple[WaitingLogin, ...] = ()
        self.records: dict[str, Session] = {}
        self.answers: dict[str, RememberedAnswer] = {}
        self.audit: list[AuditEntry] = []
        self.online: set[str] = set()
        self._made = 0
        self._most: dict[str | None, int] = {}

    # ---- what may happen ---------------------------------------------------------------------------

    def login(self, session: str | None = None, **more: Any) -> LoginAnswer | Refused:
        """`POST /notify`; `more` are members of `Login`."""
        login = self._login(session, more)
        self._made += 1
        if login.terms.max_sessions is not None:
            for slot in (None, *SLOTS):
                self._most[slot] = max(self._most.get(slot, 0), login.terms.max_sessions)
        state = self.state((session,) if session else (), login.request_id)
        return self.commit(decide_login(state, login, self.rules, self.now))

    def explain(self, session: str | None = None, **more: Any) -> Explanation:
        """What `login` with the same would do now."""
        login = self._login(session, more)
        named = [i for i in (session, login.replaces) if i is not None]
        return explain_login(self.state(named), login, self.rules, self.now)

    def _login(self, session: str | None, more: dict[str, Any]) -> Login:
        """Members of `Terms` are taken as members of the login."""
        terms = Terms(**{name: value for name, value in more.items() if name in Terms._fields})
        rest = {name: value for name, value in more.items() if name not in Terms._fields}
        rest.setdefault("alive", frozenset(self.online & self.live_ids))
        return Login(f"made-{self._made}", session, terms=terms, **rest)

    def join(self, session: str, alive: Collection[str] = ()) -> Session | Refused:
        """A page joins by the room's name (`join: "open"`), and its socket stays."""
        state = self.state((session,))
        outcome = self.commit(decide_join(state, session, self.rules, self.now, alive or frozenset(self.online)))
        if not isinstance(outcome, Refused):
            self.arrive(session)
        return outcome

    def end(self, session: str, reason: EndReason = EndReason.LOGOUT, by: Actor = APP) -> Session | None:
        """One session logs out."""
        return self.commit(decide_end(self.state((session,)), session, reason, by, self.rules, self.now))

    def end_all(self, keep: str | None = None) -> tuple[str, ...]:
        """Log out everywhere."""
        return self.commit(decide_end_all(self.state(), keep, EndReason.LOGOUT, APP, self.rules, self.now))

    def expire(self) -> None:
        """The timer looks at the room."""
        self.commit(decide_expire(self.state(), self.rules, self.now))

    def wait(self, seconds: float) -> None:
        """Time passes; the sessions with a socket go on being seen, as the gateway sees to."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + self.rules.alive_window / 3)
            for session in self.online & self.live_ids:
                self.arrive(session)
        self.expire()

    def arrive(self, session: str) -> None:
        """A socket of the session is open."""
        self.online.add(session)
        self._mark(session, seen_mark(self.records[session], self.now, self.rules))

    def leave(self, session: str) -> None:
        """Its last socket is closed."""
        if session in self.online:
            self.online.discard(session)
            self._mark(session, left_mark(session, self.records[session].claimed, self.now, self.rules))

    def active(self, session: str) -> None:
        """A human does something."""
        self._mark(session, active_mark(self.records[session], self.now, self.now, self.rules))

    def foreign(self, session: str) -> None:
        """The id belongs to another room."""
        self.records[session] = _blank(session)._replace(room="another room")

    # ---- what can be seen --------------------------------------------------------------------------

    @property
    def live(self) -> tuple[Session, ...]:
        """As the store orders them: unclaimed ones first, then the oldest claim first."""
        mine = (s for s in self.records.values() if s.room == self.name and not s.ended)
        return tuple(sorted(mine, key=lambda s: (s.epoch, s.started_at, s.id)))

    @property
    def live_ids(self) -> set[str]:
        return {s.id for s in self.live}

    @property
    def claimed(self) -> list[str]:
        """Ids of the live claimed sessions, oldest claim first."""
        return [s.id for s in self.live if s.claimed]

    def competing(self, slot: str | None) -> list[str]:
        """Ids of those that compete in a slot, oldest claim first."""
        return [s.id for s in self.live if s.claimed and s.slot == slot and not s.exempt]

    @property
    def unclaimed(self) -> list[str]:
        return [s.id for s in self.live if not s.claimed]

    def why(self, session: str) -> EndReason | None:
        """Why it ended; None while it lives."""
        return self.records[session].end_reason

    def state(self, sessions: Collection[str] = (), request_id: str | None = None) -> RoomState:
        found = {i: self.records[i] for i in sessions if i in self.records}
        kept = self.answers.get(request_id) if request_id else None
        return RoomState(self.name, self.epoch, self.live, self.waiting, found, kept)

    # ---- commits -----------------------------------------------------------------------------------

    def commit(self, decision: Decision[T]) -> T:
        """Applies a decision. Whatever it is, these hold of every one."""
        transitions = [t for s in decision.changed for t in _transitions(self.records.get(s.id), s)]
        aside = (AuditEvent.LOGIN_REFUSED, AuditEvent.REPORTED)
        told = [(e.event, e.session) for e in decision.audit if e.event not in aside]
        assert sorted(told, key=str) == sorted(transitions, key=str), "one audit entry per transition"
        assert len({s.id for s in decision.changed}) == len(decision.changed), "one record per session"
        for s in decision.changed:
            before = self.records.get(s.id)
            assert s.room == self.name
            assert before is None or before.room == self.name, "an id never changes its room"
            assert before is None or not before.ended or before == s._replace(reported_at=None), "what ended stays so"
            assert not (s.ended and before is None), "a session begins before it ends"
        new_epochs = [s.epoch for s in decision.changed if s.claimed and not s.ended]
        assert all(e > self.epoch for e in new_epochs), "a claim raises the epoch"
        if decision.epoch is not None:
            assert decision.epoch > self.epoch, "epochs strictly grow"
            assert decision.epoch >= int(self.now * 1e6)
            self.epoch = decision.epoch
        assert all(e <= self.epoch for e in new_epochs)
        if decision.waiting is not None:
            self.waiting = decision.waiting
        if decision.remember is not None:
            self.answers[decision.remember.request_id] = decision.remember
        before_it = self.live
        self.records |= {s.id: s for s in decision.changed}
        self._whoever_is_newest_hears_of_it(before_it, decision.changed)
        self.audit += decision.audit
        self.online &= self.live_ids
        assert len(self.unclaimed) <= MAX_UNCLAIMED
        assert len(self.waiting) <= MAX_WAITING
        for slot in {s.slot for s in self.live if s.claimed}:
            most = max(self.rules.limits(slot).max_sessions, self._most.get(slot, 0))
            assert len(self.competing(slot)) <= most
        return decision.result

    def _whoever_is_newest_hears_of_it(self, before: Collection[Session], changed: tuple[Session, ...]) -> None:
        """The change concerns each session that has become the newest of its slot by it, or is no longer."""
        change, ids = Change(self.name, changed), {s.id for s in changed}
        for s in self.live:
            if s in before and s.id not in ids:
                was, is_now = (Snapshot(s, newest_epoch(live, s.slot)).newest for live in (before, self.live))
                assert was == is_now or change.may_concern(s.epoch, was), "its pages must be told"

    def _mark(self, session: str, mark: Any) -> None:
        self.records[session] = merged(self.records[session], mark)


def _transitions(before: Session | None, after: Session) -> list[tuple[AuditEvent, str]]:
    """What an auditor would say about the change of one record."""
    found = []
    if after.claimed and (before is None or not before.claimed):
        found.append((AuditEvent.STARTED, after.id))
    elif before is not None and after.epoch > before.epoch:
        found.append((AuditEvent.CLAIMED, after.id))
    if after.ended and not after.passing and (before is None or not before.ended):
        found.append((AuditEvent.ENDED, after.id))
    return found


def _blank(session: str) -> Session:
    return Session(session, "", True, 1, START, START, START, START, None, None, None)


def phone(label: str = "Phone") -> Device:
    """A device to tell sessions apart by."""
    return Device(label=label, class_="phone", id="secret-id", ip="192.0.2.1")
