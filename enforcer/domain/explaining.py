"""What a login would do, and why, in sentences for an administrator. Pure, and it changes nothing.

It says what `admission.judged` says, which is what `policy.decide_login` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from enforcer.domain.admission import Admission, Login, judged, replaced_elsewhere
from enforcer.domain.deadlines import expiry
from enforcer.domain.draft import Draft
from enforcer.domain.errors import SessionLimit
from enforcer.domain.model import EndReason, RoomState, Session
from enforcer.domain.rules import Rules


@dataclass(frozen=True, slots=True)
class Explanation:
    """`code` is that of the refusal, None if the login would be admitted; the other members are as in `Admission`.

    `would_end` has also what the login replaces in another room. `why` are sentences, the deciding ones first.
    """

    code: str | None
    slot: str | None
    policy: str
    max_sessions: int | None
    counted: tuple[Session, ...]
    would_end: tuple[tuple[Session, EndReason], ...]
    why: tuple[str, ...]


def explain_login(state: RoomState, login: Login, rules: Rules, now: float) -> Explanation:
    """What `decide_login` would do with this login now. `state.found` should have what it replaces, too."""
    draft = Draft(state, now)
    draft.expire(rules)
    admission = judged(draft, login, rules)
    would_end = admission.would_end
    away = replaced_elsewhere(state, login)
    own = admission.target.id if admission.target is not None else login.session
    claims = admission.refusal is None and not admission.waits
    if claims and away is not None and away.id != own and expiry(away, now, rules) is None:
        would_end = (*would_end, (away, EndReason.REPLACED))
    return Explanation(
        None if admission.refusal is None else admission.refusal.code,
        admission.slot,
        admission.policy,
        None if admission.exempt else admission.max_sessions,
        () if admission.exempt else admission.counted,
        would_end,
        tuple(_sentences(admission, would_end, login, rules)),
    )


def _sentences(
    a: Admission, would_end: tuple[tuple[Session, EndReason], ...], login: Login, rules: Rules
) -> Iterator[str]:
    if a.refusal is not None and not isinstance(a.refusal, SessionLimit):
        yield f"{a.refusal}; the login would be refused"
        return
    yield from _about_the_limit(a, login, rules)
    if a.waits:
        yield "no page is there to take the login; it would wait for one, and nobody ends before that page comes"
        return
    for session, reason in would_end:
        yield f"{_named(session)} would end: {_cause(a, session, reason, login)}"
    if a.refusal is None and not would_end:
        yield "nobody would end"


def _about_the_limit(a: Admission, login: Login, rules: Rules) -> Iterator[str]:
    if a.exempt:
        if login.terms.impersonated_by is not None:
            yield f"{login.terms.impersonated_by!r} acts for the user, so the login is exempt"
        yield "the login is exempt: it counts for no limit and displaces nobody"
        return
    where = "" if a.slot is None else f" in slot {a.slot}"
    limit = f"max_sessions is {a.max_sessions}{where} ({_source(a.slot, login.terms.max_sessions, rules)})"
    counted = f"{len(a.counted)} other {'session counts' if len(a.counted) == 1 else 'sessions count'}"
    if a.policy == "reject":
        yield f"policy is reject ({_source(a.slot, login.terms.policy, rules)}): only sessions that are alive count"
    if a.refusal is None:
        yield f"{limit}, and {counted}"
        return
    yield f"{limit}, and {counted}, so the login would be refused and nobody would end"
    for session in a.counted:
        yield f"{_named(session)} is in the way"


def _source(slot: str | None, own: object, rules: Rules) -> str:
    if own is not None:
        return "from the login"
    return "from the settings of the slot" if slot in rules.slots else "from the settings"


def _cause(a: Admission, session: Session, reason: EndReason, login: Login) -> str:
    if reason is EndReason.REPLACED:
        return "the login replaces it"
    if session.id in login.terms.ends:
        return "the login names it in `ends`"
    if not session.claimed:
        return "no login has claimed it"
    if a.policy == "reject":
        return "it is beyond the limit, and not alive"
    return "it is beyond the limit, and the oldest logins go first"


def _named(session: Session) -> str:
    label = None if session.device is None else session.device.label
    began = datetime.fromtimestamp(session.started_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"session {session.id}{f' ({label})' if label else ''}, live since {began},"
