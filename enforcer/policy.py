"""Who stays and who goes. Every rule about it lives here, as pure functions of a room's state.

Each `decide_*` takes the state, the request, the rules and `now` (UTC seconds), and returns a `Decision`.
They may run more than once for one request: no I/O, no clock, no randomness; ids are made by the caller.
A refusal is a *result*, not an exception: what was expired or logged on the way is committed all the same.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from enforcer.deadlines import Rules, expiry, lost_deadline
from enforcer.errors import Refused, RequestIdReused, SessionConflict, SessionEnded, SessionLimit, TooManyConnections
from enforcer.model import (
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    Decision,
    Device,
    Elsewhere,
    EndReason,
    LoginAnswer,
    RememberedAnswer,
    RoomState,
    Session,
    WaitingLogin,
)

T = TypeVar("T")

REMEMBER_FOR = 600.0
"""Seconds that the answer to a `request_id` is kept."""

MAX_WAITING = 8
"""Waiting logins of a room; one more drops the oldest."""

MAX_UNCLAIMED = 16
"""Unclaimed sessions of a room."""

TIMER = Actor(ActorKind.TIMER)


@dataclass(frozen=True, slots=True)
class Login:
    """A user has just logged in. `new_id` is used when the login names no session.

    `fingerprint` stands for the parsed body; two requests with one `request_id` must agree in it.
    `alive` are sessions with a live socket in this process: they count as alive whatever their record says.
    """

    new_id: str
    session: str | None = None
    replaces: str | None = None
    device: Device | None = None
    entry: str | None = None
    request_id: str | None = None
    fingerprint: str = ""
    alive: Collection[str] = ()


# ---- decisions ---------------------------------------------------------------------------------


def decide_login(state: RoomState, login: Login, rules: Rules, now: float) -> Decision[LoginAnswer | Refused]:
    """A login claims the room: its session becomes the newest, those beyond `max_sessions` end.

    In `join: "open"` a login that names no session claims for the newest page that joined within `login_window`;
    is there none, it waits for one and nobody ends yet.
    """
    kept = state.remembered
    if login.request_id is not None and kept is not None and now - kept.at < REMEMBER_FOR:
        if kept.fingerprint != login.fingerprint:
            return Decision(
                RequestIdReused(f"request_id {login.request_id!r} was used with another body; make a new one")
            )
        return Decision(kept.answer, elsewhere=_again(login, kept.answer))

    draft = _Draft(state, now)
    draft.expire(rules)
    target: Session | None = None
    if login.session is not None:
        target = draft.find(login.session)
        if refusal := _refusal(target, state.room):
            return draft.decision(refusal)
    elif rules.open:
        target = max(
            (s for s in draft.unclaimed() if now < s.started_at + rules.login_window),
            key=lambda s: (s.started_at, s.id),
            default=None,
        )
        if target is None:
            return _wait(draft, login, rules)
    outcome = _claim(draft, target, login, rules)
    return draft.decision(outcome, _remember(login, outcome, now))


def decide_join(
    state: RoomState, session: str, rules: Rules, now: float, alive: Collection[str] = ()
) -> Decision[Session | Refused]:
    """A page joins a room by its name (`join: "open"`).

    A known live id is let in as it is. An unknown one takes the oldest waiting login, if there is one, and only
    then are the others displaced; else it becomes an unclaimed session. Joining alone never ends anybody.
    """
    draft = _Draft(state, now)
    draft.expire(rules)
    known = draft.find(session)
    if known is not None:
        return draft.decision(_refusal(known, state.room) or known)
    while draft.waiting:
        oldest, *others = draft.waiting
        draft.waiting = tuple(others)
        login = Login(session, session, oldest.replaces, oldest.device, oldest.entry, alive=alive)
        if not isinstance(_claim(draft, None, login, rules), Refused):
            return draft.decision(draft.live[session])
    if len(draft.unclaimed()) >= MAX_UNCLAIMED:
        return draft.decision(
            TooManyConnections(f"room {state.room!r} has {MAX_UNCLAIMED} pages that no login has claimed; try later")
        )
    page = Session(
        id=session,
        room=state.room,
        claimed=False,
        epoch=0,
        started_at=now,
        last_seen_at=now,
        last_active_at=now,
        seen_until=now + rules.alive_window,
        idle_at=None,
        absolute_at=None,
        lost_at=lost_deadline(False, now, rules),
        window_at=now + rules.login_window,
    )
    draft.put(page)
    return draft.decision(page)


def decide_end(
    state: RoomState, session: str, reason: EndReason, by: Actor, rules: Rules, now: float
) -> Decision[Session | None]:
    """Ends one live session. The result is its record, ended now or before; `None` if the room has no such session."""
    draft = _Draft(state, now)
    draft.expire(rules)
    live = draft.live.get(session)
    return draft.decision(draft.end(live, reason, by) if live is not None else draft.find(session))


def decide_end_all(
    state: RoomState, keep: str | None, reason: EndReason, by: Actor, rules: Rules, now: float
) -> Decision[tuple[str, ...]]:
    """Log out everywhere: ends all live sessions of the room but `keep`, and forgets the waiting logins.

    The session that asked for it itself, by its page, has logged out; the others were logged out by it.
    """
    draft = _Draft(state, now)
    draft.expire(rules)
    draft.waiting = ()
    going = [s for s in draft.unclaimed() + draft.claimed() if s.id != keep]
    for s in going:
        own = by.kind is ActorKind.PAGE and s.id == by.session
        draft.end(s, EndReason.LOGOUT if own else reason, by)
    return draft.decision(tuple(s.id for s in going))


def decide_expire(state: RoomState, rules: Rules, now: float) -> Decision[None]:
    """Ends what is over by now, and nothing else."""
    draft = _Draft(state, now)
    draft.expire(rules)
    return draft.decision(None)


# ---- how a claim goes --------------------------------------------------------------------------


def _refusal(found: Session | None, room: str) -> Refused | None:
    """Why a session id cannot be used in this room, if it cannot."""
    if found is None:
        return None
    if found.room != room:
        return SessionConflict(f"session {found.id!r} belongs to another room; leave `session` out or make a new id")
    if found.ended:
        return SessionEnded(f"session {found.id!r} has ended ({found.end_reason}); ended ids never live again", found)
    return None


def _wait(draft: "_Draft", login: Login, rules: Rules) -> Decision[LoginAnswer | Refused]:
    """No page is there yet: the login waits for one, unless the policy refuses it already."""
    outcome: LoginAnswer | Refused | None = _limit(draft, _others(draft, login, None), login, rules)
    if outcome is None:
        waiting = WaitingLogin(draft.now, login.device, login.entry, login.replaces)
        draft.waiting = (*draft.waiting, waiting)[-MAX_WAITING:]
        outcome = LoginAnswer(None, draft.epoch, created=False)
    return draft.decision(outcome, _remember(login, outcome, draft.now))


def _others(draft: "_Draft", login: Login, target: Session | None) -> list[Session]:
    """The claimed sessions that a login finds in its way, oldest claim first."""
    own = {login.replaces, target.id if target is not None else login.session}
    return [s for s in draft.claimed() if s.id not in own]


def _limit(draft: "_Draft", others: list[Session], login: Login, rules: Rules) -> SessionLimit | None:
    """Policy `reject`: the refusal, logged, if as many others as are allowed are really alive."""
    if rules.policy != "reject":
        return None
    alive = [s for s in others if _alive(s, login, draft.now)]
    if len(alive) < rules.max_sessions:
        return None
    draft.audit.append(
        AuditEntry(draft.now, AuditEvent.LOGIN_REFUSED, draft.state.room, login.session, device=login.device)
    )
    return SessionLimit(
        f"room {draft.state.room!r} has {len(alive)} live session(s) and max_sessions is {rules.max_sessions}", alive
    )


def _alive(session: Session, login: Login, now: float) -> bool:
    return session.seen_until > now or session.id in login.alive


def _claim(draft: "_Draft", target: Session | None, login: Login, rules: Rules) -> LoginAnswer | SessionLimit:
    """Makes `target`, or a new session, the newest of the room and ends those that must go."""
    now = draft.now
    others = _others(draft, login, target)
    if refusal := _limit(draft, others, login, rules):
        return refusal
    created = target is None or not target.claimed
    epoch = draft.next_epoch()
    if target is None or created:
        newest = Session(
            id=target.id if target is not None else login.session or login.new_id,
            room=draft.state.room,
            claimed=True,
            epoch=epoch,
            started_at=now,
            last_seen_at=now,
            last_active_at=now,
            seen_until=now + rules.alive_window,
            idle_at=None if rules.idle_timeout is None else now + rules.idle_timeout,
            absolute_at=None if rules.absolute_timeout is None else now + rules.absolute_timeout,
            lost_at=lost_deadline(True, now, rules),
            device=login.device,
            entry=login.entry,
        )
    else:
        newest = target._replace(
            epoch=epoch,
            last_seen_at=now,
            last_active_at=now,
            seen_until=max(target.seen_until, now + rules.alive_window),
            idle_at=None if rules.idle_timeout is None else now + rules.idle_timeout,
            lost_at=lost_deadline(True, now, rules),
            device=login.device or target.device,
            entry=login.entry or target.entry,
        )
    draft.claim(newest, AuditEvent.STARTED if created else AuditEvent.CLAIMED)
    by = Actor(ActorKind.LOGIN, newest.id, newest.device)
    if login.replaces is not None and login.replaces != newest.id:
        if login.replaces in draft.live:
            draft.end(draft.live[login.replaces], EndReason.REPLACED, by)
        elif login.replaces not in draft.changed:
            draft.elsewhere = Elsewhere(login.replaces, by)
    too_many = max(0, len(others) + 1 - rules.max_sessions)
    if rules.policy == "reject":  # those in the way that are not alive go first; there are enough of them
        others.sort(key=lambda s: _alive(s, login, now))
    going = [s for s in draft.unclaimed() if s.id != newest.id] + others[:too_many]
    for s in going:
        draft.end(s, EndReason.DISPLACED, by)
    return LoginAnswer(newest.id, newest.epoch, created, tuple(s.id for s in going), newest.absolute_at)


def _again(login: Login, answer: LoginAnswer) -> Elsewhere | None:
    """What a repeated login replaces: it finishes what a crash between the claim and the other room's end left."""
    if login.replaces is None or answer.session is None or login.replaces == answer.session:
        return None
    return Elsewhere(login.replaces, Actor(ActorKind.LOGIN, answer.session, login.device))


def _remember(login: Login, outcome: LoginAnswer | Refused, now: float) -> RememberedAnswer | None:
    if login.request_id is None or isinstance(outcome, Refused):
        return None
    return RememberedAnswer(login.request_id, login.fingerprint, now, outcome)


class _Draft:
    """A room being changed: keeps records, audit and epoch consistent with each other."""

    def __init__(self, state: RoomState, now: float) -> None:
        self.state = state
        self.now = now
        self.live = {s.id: s for s in state.sessions}
        self.epoch = state.epoch
        self.waiting = state.waiting
        self.changed: dict[str, Session] = {}
        self.audit: list[AuditEntry] = []
        self.elsewhere: Elsewhere | None = None

    def claimed(self) -> list[Session]:
        """The live claimed sessions, oldest claim first."""
        return sorted((s for s in self.live.values() if s.claimed), key=lambda s: s.epoch)

    def unclaimed(self) -> list[Session]:
        """The live sessions that no login has claimed, first joined first."""
        return sorted((s for s in self.live.values() if not s.claimed), key=lambda s: (s.started_at, s.id))

    def find(self, session: str) -> Session | None:
        """The record as it stands now, if it is live here, was changed here or the store was asked for it."""
        return self.changed.get(session) or self.live.get(session) or self.state.found.get(session)

    def put(self, session: Session) -> None:
        self.live[session.id] = self.changed[session.id] = session

    def next_epoch(self) -> int:
        """The epoch of a claim made now: it grows strictly, and with the clock if it can."""
        return max(self.epoch + 1, int(self.now * 1e6))

    def claim(self, newest: Session, event: AuditEvent) -> None:
        """Puts a session that has the next epoch: it is the newest of the room from now on."""
        self.epoch = newest.epoch
        self.put(newest)
        self.audit.append(AuditEntry(self.now, event, newest.room, newest.id, None, newest.epoch, None, newest.device))

    def end(self, session: Session, reason: EndReason, by: Actor) -> Session:
        """Ends a live session: the record keeps who and why, and the audit row says the same.

        There is none of a page that came and went and that no login wanted: anybody can have such.
        """
        ended = session._replace(ended_at=self.now, end_reason=reason, ended_by=by)
        del self.live[session.id]
        self.changed[session.id] = ended
        if ended.passing:
            return ended
        self.audit.append(
            AuditEntry(self.now, AuditEvent.ENDED, session.room, session.id, reason, session.epoch, by, session.device)
        )
        return ended

    def expire(self, rules: Rules) -> None:
        """Ends what time has ended: sessions past a deadline, unclaimed pages beside a login, waiting logins."""
        for s in list(self.live.values()):
            if reason := expiry(s, self.now, rules):
                self.end(s, reason, TIMER)
        overdue = [s for s in self.unclaimed() if s.window_at is not None and self.now >= s.window_at]
        newest = max(self.claimed(), key=lambda s: s.epoch, default=None) if overdue else None
        for s in overdue:
            if newest is None and s.seen_until > self.now:  # it is looked at again when it has left
                self.put(s._replace(window_at=s.seen_until))
            elif newest is None:
                if not rules.grace:
                    self.end(s, EndReason.LOST, TIMER)
            else:
                self.end(s, EndReason.DISPLACED, Actor(ActorKind.LOGIN, newest.id, newest.device))
        self.waiting = tuple(w for w in self.waiting if self.now < w.at + rules.login_window)

    def decision(self, result: T, remember: RememberedAnswer | None = None) -> Decision[T]:
        return Decision(
            result,
            changed=tuple(self.changed.values()),
            epoch=None if self.epoch == self.state.epoch else self.epoch,
            waiting=None if self.waiting == self.state.waiting else self.waiting,
            audit=tuple(self.audit),
            remember=remember,
            elsewhere=self.elsewhere,
        )
