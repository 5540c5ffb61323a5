"""Time in a session's life: when it ends by itself, and what keeps it alive.

Pure: `now` is an argument (UTC seconds). Three different things are kept apart: a sign of life (`seen_until`,
`lost_at`) comes from sockets and calls; human activity alone moves the idle deadline; nothing moves the absolute one.
"""

from enforcer.domain.model import FOREVER, EndReason, Mark, Session
from enforcer.domain.rules import Rules, own_or_usual

IDLE_SLACK = 2.0
"""Seconds after the idle deadline before it is acted on: activity is flushed once a second, maybe on another node."""

LEFT_FOR = 10.0
"""Seconds that a session still counts as alive after its last socket was closed cleanly: a page that moves on is back
well within it, and a closed browser does not keep its user out for the whole of `alive_window`."""

LOST_STEP = 0.02
"""Share of a session's lost time-out by which its lost deadline moves at least: it is indexed, and signs of life are
many. So a session may be given up too early by that; from when its last socket is closed it is exact."""


def lost_deadline(claimed: bool, now: float, rules: Rules) -> float | None:
    """When a session that is seen now would be given up: unclaimed ones after `alive_window` already."""
    if not claimed:
        return now + rules.alive_window
    return None if rules.lost_timeout is None else now + rules.lost_timeout


def lost_due(session: Session, now: float, rules: Rules) -> float:
    """From when on a sign of life moves the lost deadline that the record has; see `LOST_STEP`."""
    later = lost_deadline(session.claimed, now, rules)
    if later is None or session.lost_at is None:
        return FOREVER
    return session.lost_at - (1 - LOST_STEP) * (later - now)


def idle_timeout(session: Session, rules: Rules) -> float | None:
    """Seconds without human activity after which the session ends: its own, else its slot's; None is never."""
    return own_or_usual(session.idle_timeout, rules.limits(session.slot).idle_timeout)


def warn_before(session: Session, rules: Rules) -> float:
    """Seconds before an end by time from which on its pages warn; 0 if they are not to."""
    return own_or_usual(session.warn_before, rules.limits(session.slot).warn_before) or 0.0


def due_at(session: Session) -> float:
    """The first moment at which time alone may change this live session; `FOREVER` if never."""
    return min(
        FOREVER if session.idle_at is None else session.idle_at + IDLE_SLACK,
        FOREVER if session.absolute_at is None else session.absolute_at,
        FOREVER if session.lost_at is None else session.lost_at,
        FOREVER if session.window_at is None else session.window_at,
    )


def expiry(session: Session, now: float, rules: Rules) -> EndReason | None:
    """Why the live session is over by now, or `None`. The absolute deadline knows no grace and comes first."""
    if session.absolute_at is not None and now >= session.absolute_at:
        return EndReason.ABSOLUTE
    if rules.grace:
        return None
    if session.idle_at is not None and now >= session.idle_at + IDLE_SLACK:
        return EndReason.IDLE
    if session.lost_at is not None and now >= session.lost_at:
        return EndReason.LOST
    return None


def active_mark(session: Session, active_at: float, now: float, rules: Rules) -> Mark:
    """Human activity at `active_at` (at most `now`) moves the idle deadline, never backwards; unclaimed have none."""
    at = max(session.last_active_at, min(active_at, now))
    timeout = idle_timeout(session, rules)
    return seen_mark(session, now, rules)._replace(
        last_active_at=at,
        idle_at=None if timeout is None or not session.claimed else at + timeout,
    )


def seen_mark(session: Session, now: float, rules: Rules) -> Mark:
    """The session showed a sign of life: a live socket or a call about it. Never moves the idle deadline."""
    return Mark(
        session.id,
        last_seen_at=now,
        seen_until=now + rules.alive_window,
        lost_at=lost_deadline(session.claimed, now, rules) if now >= lost_due(session, now, rules) else None,
    )


def online_mark(session: Session, now: float, rules: Rules) -> Mark:
    """It has a live socket now."""
    return seen_mark(session, now, rules)._replace(online_until=now + rules.alive_window)


def left_mark(session: str, claimed: bool, now: float, rules: Rules) -> Mark:
    """The session's last socket was closed cleanly: it stays alive for a moment only."""
    return Mark(
        session,
        last_seen_at=now,
        seen_until=now + rules.alive_window,
        left_until=now + min(LEFT_FOR, rules.alive_window),
        offline_at=now,
        lost_at=lost_deadline(claimed, now, rules),
    )


def merged(session: Session, mark: Mark) -> Session:
    """The record with the mark applied; what stores do in batches (see `Mark`)."""
    acked_at = mark.acked_at if session.acked_at is None else session.acked_at
    refused_at = mark.refused_at if session.refused_at is None else session.refused_at
    if session.ended:
        return session._replace(acked_at=acked_at, refused_at=refused_at)
    seen_until = max(session.seen_until, mark.seen_until or 0.0)
    if mark.left_until is not None:
        seen_until = min(seen_until, mark.left_until)
    online_until = max(session.online_until, mark.online_until or 0.0)
    if mark.offline_at is not None:
        online_until = min(online_until, mark.offline_at)
    return session._replace(
        online_until=online_until,
        last_seen_at=max(session.last_seen_at, mark.last_seen_at or 0.0),
        seen_until=seen_until,
        # None is "never", and stays so: a note from before the page's login must not set a deadline after it
        lost_at=None if session.lost_at is None else _latest(session.lost_at, mark.lost_at),
        last_active_at=max(session.last_active_at, mark.last_active_at or 0.0),
        idle_at=_latest(session.idle_at, mark.idle_at),
        acked_at=acked_at,
        refused_at=refused_at,
    )


def postponed(session: Session, seconds: float) -> Session:
    """The record after an outage of ours that lasted `seconds`; the absolute deadline stays where it is."""
    return session._replace(
        idle_at=None if session.idle_at is None else session.idle_at + seconds,
        lost_at=None if session.lost_at is None else session.lost_at + seconds,
    )


def joined_marks(first: Mark, second: Mark) -> Mark:
    """One mark that does what `first` and then `second` would do."""
    left_until = first.left_until if second.seen_until is None else None  # a sign of life takes a close back
    if second.left_until is not None:
        left_until = second.left_until if left_until is None else min(left_until, second.left_until)
    offline_at = first.offline_at if second.online_until is None else None
    if second.offline_at is not None:
        offline_at = second.offline_at if offline_at is None else min(offline_at, second.offline_at)
    return Mark(
        first.session,
        online_until=_latest(first.online_until, second.online_until),
        offline_at=offline_at,
        last_seen_at=_latest(first.last_seen_at, second.last_seen_at),
        seen_until=_latest(first.seen_until, second.seen_until),
        lost_at=_latest(first.lost_at, second.lost_at),
        left_until=left_until,
        last_active_at=_latest(first.last_active_at, second.last_active_at),
        idle_at=_latest(first.idle_at, second.idle_at),
        acked_at=first.acked_at if first.acked_at is not None else second.acked_at,
        refused_at=first.refused_at if first.refused_at is not None else second.refused_at,
    )


def _latest(a: float | None, b: float | None) -> float | None:
    """The later of two deadlines; one that is not given changes nothing."""
    return a if b is None else b if a is None else max(a, b)
