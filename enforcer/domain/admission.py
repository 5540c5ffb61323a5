"""Who may stay: what a login would do to the others of its room, judged in one place. Pure; it changes nothing.

`policy.decide_login` does what is judged here, and `explaining` says it, so that both agree.
"""

from collections.abc import Collection
from dataclasses import dataclass

from enforcer.domain.draft import Draft
from enforcer.domain.errors import Refused, SessionConflict, SessionEnded, SessionLimit, SignedOut
from enforcer.domain.model import NO_TERMS, Device, EndReason, RoomState, Session, Terms
from enforcer.domain.rules import Rules
from enforcer.domain.signals import signed_out


@dataclass(frozen=True, slots=True)
class Login:
    """A user has just logged in. `new_id` is used when the login names no session.

    `fingerprint` stands for the parsed body; two requests with one `request_id` must agree in it.
    `alive` are sessions with a live socket in this process: they count as alive whatever their record says.
    `key` names the key that it came with, if it has a name.
    """

    new_id: str
    session: str | None = None
    replaces: str | None = None
    device: Device | None = None
    entry: str | None = None
    request_id: str | None = None
    fingerprint: str = ""
    alive: Collection[str] = ()
    terms: Terms = NO_TERMS
    key: str | None = None


@dataclass(slots=True)
class Admission:
    """What a login would do. Filled in by `judged`, and only read after that.

    `target` is the live session that claims, None for a new one; `waits` if it has to wait for its page.
    `max_sessions` and `policy` are those that it is judged by, `counted` the sessions that count for the limit, oldest
    claim first: with policy `reject` those that are alive. `would_end` are the sessions that end for it in this room
    and why, in this order; nobody if there is a `refusal`.
    """

    target: Session | None
    slot: str | None
    exempt: bool
    policy: str
    max_sessions: int
    counted: tuple[Session, ...] = ()
    would_end: tuple[tuple[Session, EndReason], ...] = ()
    refusal: Refused | None = None
    waits: bool = False


def judged(draft: Draft, login: Login, rules: Rules) -> Admission:
    """What a login would do to a room in which nobody is left whose time is over."""
    target: Session | None = None
    refusal: Refused | None = None
    if login.session is not None:
        found = draft.find(login.session)
        refusal = unusable(found, draft.state.room)
        target = found if refusal is None else None
    elif rules.open:
        target = _newest_page(draft, rules)
    if refusal is None and signed_out(draft.state.room, login.terms, draft.state.signalled):
        refusal = SignedOut(
            f"the identity provider has signed the user of room {draft.state.room!r} out since; send the user to log in"
            " there again"
        )
    waits = rules.open and login.session is None and target is None
    slot = slot_of(login, target, rules)
    limits, terms = rules.limits(slot), login.terms
    admission = Admission(
        target,
        slot,
        exempt=_exempt(terms, target),
        policy=limits.policy if terms.policy is None else terms.policy,
        max_sessions=limits.max_sessions if terms.max_sessions is None else terms.max_sessions,
        refusal=refusal,
        waits=waits,
    )
    if refusal is None:
        _judge(admission, draft, login)
    return admission


def unusable(found: Session | None, room: str) -> Refused | None:
    """Why a session id cannot be used in this room, if it cannot."""
    if found is None:
        return None
    if found.room != room:
        return SessionConflict(f"session {found.id!r} belongs to another room; leave `session` out or make a new id")
    if found.ended:
        return SessionEnded(f"session {found.id!r} has ended ({found.end_reason}); ended ids never live again", found)
    return None


def slot_of(login: Login, target: Session | None, rules: Rules) -> str | None:
    """The slot that a login names; else, for a new session or a new device, the one that its class names."""
    if login.terms.slot is not None:
        return login.terms.slot
    if target is not None and target.claimed and login.device is None:
        return target.slot
    class_ = None if login.device is None else login.device.class_
    return class_ if class_ in rules.slots else None


def is_alive(session: Session, login: Login, now: float) -> bool:
    """Whether it counts under policy `reject`: it was seen of late, or has a socket here."""
    return session.seen_until > now or session.id in login.alive


def replaced_elsewhere(state: RoomState, login: Login) -> Session | None:
    """The live session of another room that a login replaces, if the store was asked for it."""
    found = None if login.replaces is None else state.found.get(login.replaces)
    return found if found is not None and found.room != state.room and not found.ended else None


def _newest_page(draft: Draft, rules: Rules) -> Session | None:
    """`join: "open"`: the newest page that no login has claimed and that came within `login_window`."""
    return max(
        (s for s in draft.unclaimed() if draft.now < s.started_at + rules.login_window),
        key=lambda s: (s.started_at, s.id),
        default=None,
    )


def _exempt(terms: Terms, target: Session | None) -> bool:
    if terms.exempt is not None:
        return terms.exempt
    return terms.impersonated_by is not None or (target is not None and target.exempt)


def _judge(a: Admission, draft: Draft, login: Login) -> None:
    """Who counts, and who ends: the replaced, the chosen, unclaimed pages, those beyond the limit."""
    own = a.target.id if a.target is not None else login.session
    replaced = None if login.replaces is None or login.replaces == own else draft.live.get(login.replaces)
    not_counted = {own, login.replaces}
    chosen: list[Session] = []
    if login.terms.ends:
        named = frozenset(login.terms.ends)
        chosen = [
            s for s in draft.unclaimed() + draft.claimed() if s.id in named and s.id not in not_counted and not s.exempt
        ]
        not_counted |= named
    others: list[Session] = []
    if not a.exempt:
        others = [s for s in draft.claimed() if s.slot == a.slot and s.id not in not_counted and not s.exempt]
    counted = others
    if a.policy == "reject":
        counted = [s for s in others if is_alive(s, login, draft.now)]
        if not a.exempt and len(counted) >= a.max_sessions:
            a.counted, a.refusal = tuple(counted), _limit_reached(a, draft, counted)
            return
        others = sorted(others, key=lambda s: is_alive(s, login, draft.now))  # those that are not alive go first
    a.counted = tuple(counted)
    if a.waits:
        return
    pages = [] if a.exempt else [s for s in draft.unclaimed() if s.id not in not_counted]
    too_many = others[: max(0, len(others) + 1 - a.max_sessions)]
    ends = [(s, EndReason.DISPLACED) for s in (*chosen, *pages, *too_many)]
    a.would_end = tuple(ends) if replaced is None else ((replaced, EndReason.REPLACED), *ends)


def _limit_reached(a: Admission, draft: Draft, alive: list[Session]) -> SessionLimit:
    where = "" if a.slot is None else f" in slot {a.slot!r}"
    return SessionLimit(
        f"room {draft.state.room!r} has {len(alive)} live session(s){where} and max_sessions is {a.max_sessions}",
        alive,
        a.slot,
        a.max_sessions,
    )
