"""Who stays and who goes. Every rule about it lives in this folder, as pure functions of a room's state.

Each `decide_*` takes the state, the request, the rules and `now` (UTC seconds), and returns a `Decision`.
They may run more than once for one request: no I/O, no clock, no randomness; ids are made by the caller.
A refusal is a *result*, not an exception: what was expired or logged on the way is committed all the same.
"""

from collections.abc import Callable, Collection
from typing import TypeVar

from enforcer.domain.admission import Admission, Login, judged, unusable
from enforcer.domain.deadlines import lost_deadline
from enforcer.domain.draft import Draft
from enforcer.domain.errors import (
    Refused,
    RequestIdReused,
    SessionLimit,
    SessionLive,
    SignedOut,
    TooLate,
    TooManyConnections,
)
from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    Decision,
    Elsewhere,
    EndReason,
    LoginAnswer,
    RememberedAnswer,
    RoomState,
    Session,
    WaitingLogin,
)
from enforcer.domain.rules import Rules, own_or_usual

T = TypeVar("T")

REMEMBER_FOR = 600.0
"""Seconds that the answer to a `request_id` is kept."""

REPORT_WITHIN = 7 * 86400.0
"""Seconds after its end in which a session can be reported."""

MAX_WAITING = 8
"""Waiting logins of a room; one more drops the oldest."""

MAX_UNCLAIMED = 16
"""Unclaimed sessions of a room."""


# ---- decisions ---------------------------------------------------------------------------------


def decide_login(state: RoomState, login: Login, rules: Rules, now: float) -> Decision[LoginAnswer | Refused]:
    """A login claims the room: its session becomes the newest of its slot, and those beyond `max_sessions` in it end.
    An exempt one does neither.

    In `join: "open"` a login that names no session claims for the newest page that joined within `login_window`;
    if there is none, it waits for one, and nobody ends yet.
    """
    kept = state.remembered
    if login.request_id is not None and kept is not None and now - kept.at < REMEMBER_FOR:
        if kept.fingerprint != login.fingerprint:
            return Decision(
                RequestIdReused(f"request_id {login.request_id!r} was used with another body; make a new one")
            )
        return Decision(kept.answer, elsewhere=_again(login, kept.answer))

    draft = Draft(state, now)
    draft.expire(rules)
    admission = judged(draft, login, rules)
    if admission.refusal is not None:
        _note_refusal(draft, login, admission)
        return draft.decision(admission.refusal)
    answer = _wait(draft, login) if admission.waits else _claim(draft, admission, login, rules)
    return draft.decision(answer, _remember(login, answer, now))


def decide_join(
    state: RoomState, session: str, rules: Rules, now: float, alive: Collection[str] = ()
) -> Decision[Session | Refused]:
    """A page joins a room by its name (`join: "open"`).

    A known live id is let in as it is. An unknown one takes the oldest waiting login, if there is one, and only
    then are the others displaced; else it becomes an unclaimed session. Joining alone never ends anybody.
    """
    draft = Draft(state, now)
    draft.expire(rules)
    known = draft.find(session)
    if known is not None:
        return draft.decision(unusable(known, state.room) or known)
    while draft.waiting:
        oldest, *others = draft.waiting
        draft.waiting = tuple(others)
        login = Login(
            session,
            session,
            oldest.replaces,
            oldest.device,
            oldest.entry,
            alive=alive,
            terms=oldest.terms,
            key=oldest.key,
        )
        admission = judged(draft, login, rules)
        if admission.refusal is None:
            _claim(draft, admission, login, rules)
            return draft.decision(draft.live[session])
        _note_refusal(draft, login, admission)
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
    draft = Draft(state, now)
    draft.expire(rules)
    live = draft.live.get(session)
    return draft.decision(draft.end(live, reason, by) if live is not None else draft.find(session))


def decide_end_all(
    state: RoomState, keep: str | None, reason: EndReason, by: Actor, rules: Rules, now: float
) -> Decision[tuple[str, ...]]:
    """Log out everywhere: ends all live sessions of the room but `keep`, and forgets the waiting logins.

    The session that asked for it itself, by its page, has logged out; the others were logged out by it.
    """
    draft = Draft(state, now)
    draft.expire(rules)
    draft.waiting = ()
    return _end_those(draft, lambda s: s.id != keep, reason, by)


def decide_end_some(
    state: RoomState, wanted: Callable[[Session], bool], reason: EndReason, by: Actor, rules: Rules, now: float
) -> Decision[tuple[str, ...]]:
    """Ends the live sessions of the room that are `wanted`."""
    draft = Draft(state, now)
    draft.expire(rules)
    return _end_those(draft, wanted, reason, by)


def decide_report(
    state: RoomState, session: str, note: str | None, rules: Rules, now: float
) -> Decision[Session | Refused | None]:
    """A user says of an ended session "it wasn't me"; once, later reports of it change nothing.

    The result is its record, `None` if the room has no such session, or a refusal: it is live, or ended too long ago.
    """
    draft = Draft(state, now)
    draft.expire(rules)
    found = draft.find(session)
    if found is None or found.room != state.room:
        return draft.decision(None)
    if found.ended_at is None:
        return draft.decision(SessionLive(f"session {session!r} is live; log it out instead"))
    if now - found.ended_at >= REPORT_WITHIN:
        return draft.decision(TooLate(f"session {session!r} ended more than {REPORT_WITHIN / 86400:.0f} days ago"))
    if found.reported_at is None:
        draft.report(found, note, Actor(ActorKind.PAGE, session, found.device))
    return draft.decision(found)


def decide_expire(state: RoomState, rules: Rules, now: float) -> Decision[None]:
    """Ends what is over by now, and nothing else."""
    draft = Draft(state, now)
    draft.expire(rules)
    return draft.decision(None)


# ---- how a claim goes --------------------------------------------------------------------------


def _app(login: Login) -> Actor | None:
    """Whose login it is, if its key has a name."""
    return None if login.key is None else Actor(ActorKind.APP, key=login.key)


def _note_refusal(draft: Draft, login: Login, admission: Admission) -> None:
    """The policy's refusals are logged; a wrong id is the caller's mistake."""
    if isinstance(admission.refusal, SessionLimit | SignedOut):
        draft.audit.append(
            AuditEntry(
                draft.now,
                AuditEvent.LOGIN_REFUSED,
                draft.state.room,
                login.session,
                by=_app(login),
                device=login.device,
                slot=admission.slot,
                impersonated_by=login.terms.impersonated_by,
            )
        )


def _wait(draft: Draft, login: Login) -> LoginAnswer:
    """No page is there yet: the login waits for one."""
    waiting = WaitingLogin(draft.now, login.device, login.entry, login.replaces, login.terms, login.key)
    draft.waiting = (*draft.waiting, waiting)[-MAX_WAITING:]
    return LoginAnswer(None, draft.epoch, created=False)


def _claim(draft: Draft, admission: Admission, login: Login, rules: Rules) -> LoginAnswer:
    """Makes the session that was judged the newest of its slot and ends those that must go."""
    created = admission.target is None or not admission.target.claimed
    newest = _claimed(draft, admission, login, rules)
    draft.claim(newest, AuditEvent.STARTED if created else AuditEvent.CLAIMED, _app(login))
    by = Actor(ActorKind.LOGIN, newest.id, newest.device, login.key)
    for s, reason in admission.would_end:
        draft.end(s, reason, by)
    if login.replaces is not None and login.replaces != newest.id and login.replaces not in draft.changed:
        draft.elsewhere = Elsewhere(login.replaces, by)
    displaced = tuple(s.id for s, reason in admission.would_end if reason is EndReason.DISPLACED)
    return LoginAnswer(newest.id, newest.epoch, created, displaced, newest.absolute_at)


def _claimed(draft: Draft, admission: Admission, login: Login, rules: Rules) -> Session:
    """The record of the session that claims. Of a live one, what the login leaves out stays."""
    now, terms, target = draft.now, login.terms, admission.target
    limits = rules.limits(admission.slot)
    before = target if target is not None and target.claimed else None
    own_idle, own_warning, impersonated_by = terms.idle_timeout, terms.warn_before, terms.impersonated_by
    idp, aliases = terms.idp, terms.aliases
    if before is not None:
        own_idle = before.idle_timeout if own_idle is None else own_idle
        own_warning = before.warn_before if own_warning is None else own_warning
        impersonated_by = before.impersonated_by if impersonated_by is None else impersonated_by
        idp = before.idp if idp is None else idp
        aliases = before.aliases if aliases is None else aliases
    idle = own_or_usual(own_idle, limits.idle_timeout)
    if before is None or terms.absolute_timeout is not None:
        absolute = own_or_usual(terms.absolute_timeout, limits.absolute_timeout)
        absolute_at = None if absolute is None else now + absolute
    else:
        absolute_at = before.absolute_at
    seen_until = now + rules.alive_window
    return Session(
        id=target.id if target is not None else login.session or login.new_id,
        room=draft.state.room,
        claimed=True,
        epoch=draft.next_epoch(),
        started_at=now if before is None else before.started_at,
        last_seen_at=now,
        last_active_at=now,
        seen_until=seen_until if before is None else max(before.seen_until, seen_until),
        idle_at=None if idle is None else now + idle,
        absolute_at=absolute_at,
        lost_at=lost_deadline(True, now, rules),
        device=login.device or (before and before.device),
        entry=login.entry or (before and before.entry),
        online_until=0.0 if before is None else before.online_until,
        slot=admission.slot,
        exempt=admission.exempt,
        impersonated_by=impersonated_by,
        idle_timeout=own_idle,
        warn_before=own_warning,
        idp=idp,
        aliases=aliases or (),
    )


def _end_those(
    draft: Draft, wanted: Callable[[Session], bool], reason: EndReason, by: Actor
) -> Decision[tuple[str, ...]]:
    going = [s for s in draft.unclaimed() + draft.claimed() if wanted(s)]
    for s in going:
        own = by.kind is ActorKind.PAGE and s.id == by.session
        draft.end(s, EndReason.LOGOUT if own else reason, by)
    return draft.decision(tuple(s.id for s in going))


def _again(login: Login, answer: LoginAnswer) -> Elsewhere | None:
    """What a repeated login replaces: it finishes what a crash between the claim and the other room's end left."""
    if login.replaces is None or answer.session is None or login.replaces == answer.session:
        return None
    return Elsewhere(login.replaces, Actor(ActorKind.LOGIN, answer.session, login.device, login.key))


def _remember(login: Login, outcome: LoginAnswer | Refused, now: float) -> RememberedAnswer | None:
    if login.request_id is None or isinstance(outcome, Refused):
        return None
    return RememberedAnswer(login.request_id, login.fingerprint, now, outcome)
