"""What goes over the wire, as pure functions: names, codes, payloads.

The codes are listed once here and once in the browser client (`client-js/src/codes.ts`); a test holds them equal.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeGuard

from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditEvent,
    AuditRow,
    Device,
    EndReason,
    Identity,
    Session,
    Snapshot,
)

EVENT_SESSION = "session"
EVENT_FORCE_LOGOUT = "force-logout"
EVENT_ACTIVITY = "activity"
EVENT_CHECK = "check"
EVENT_LOGOUT = "logout"
EVENT_DRAIN = "drain"

HAPPENINGS: Mapping[AuditEvent, str] = {
    AuditEvent.STARTED: "session.started",
    AuditEvent.CLAIMED: "session.claimed",
    AuditEvent.ENDED: "session.ended",
    AuditEvent.LOGIN_REFUSED: "login.refused",
    AuditEvent.REPORTED: "session.reported",
}
"""What the stream and webhooks call the transitions of the audit log."""

ENDING_CODES = frozenset({"session-ended", "session-unknown"})
"""The page's session is over."""
TICKET_CODES = frozenset({"ticket-expired", "ticket-invalid"})
"""The page asks its app for a new ticket once, then reports an error; it never logs out."""
SETUP_CODES = frozenset({"ticket-required", "room-required", "session-conflict", "invalid-request"})
"""A mistake in the page's set-up: reported, not retried."""
RETRY_CODES = frozenset({"unavailable", "too-many-connections"})
"""The page tries again later."""

PROBLEM_JSON = "application/problem+json"
PROBLEMS: Mapping[str, tuple[int, str]] = {
    "malformed-request": (400, "The request is not HTTP"),
    "malformed-json": (400, "The body is not JSON"),
    "credentials-in-url": (400, "A key or ticket stands in the URL"),
    "unauthorized": (401, "The key is missing or wrong"),
    "ticket-invalid": (401, "The ticket is not valid"),
    "ticket-expired": (401, "The ticket has expired"),
    "origin-not-allowed": (403, "Pages of this origin may not connect"),
    "elevation-required": (403, "The user must prove again who it is"),
    "not-allowed": (403, "This is not allowed here"),
    "not-found": (404, "There is nothing here"),
    "session-unknown": (404, "There is no such session"),
    "method-not-allowed": (405, "This method is not for this address"),
    "too-slow": (408, "The request took too long to arrive"),
    "session-limit": (409, "The user is logged in elsewhere"),
    "signed-out": (409, "The identity provider has signed the user out"),
    "session-live": (409, "The session is live"),
    "session-conflict": (409, "The session id belongs to another room"),
    "request-id-reused": (409, "The request id was used for another request"),
    "session-ended": (410, "The session has ended"),
    "too-late": (410, "It is too late for that"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "The body must be application/json, not encoded"),
    "invalid-request": (422, "Something in the request is not as it must be"),
    "rate-limited": (429, "Too many requests"),
    "too-many-connections": (429, "A limit on connections is reached"),
    "too-many-streams": (429, "A limit on streams is reached"),
    "misdirected": (421, "This server does not answer for that host"),
    "internal": (500, "A bug in the server"),
    "unavailable": (503, "This cannot be answered now"),
}
"""Code → usual status and title. `session-ended` and `session-unknown` have others where a call says so."""

MESSAGES: Mapping[EndReason, str] = {
    EndReason.DISPLACED: "You have been logged out because you logged in somewhere else.",
    EndReason.REPLACED: "You have logged in again in this browser.",
    EndReason.IDLE: "You have been logged out because you were inactive.",
    EndReason.ABSOLUTE: "You have been logged out because the longest time for one login is over.",
    EndReason.LOGOUT: "You have logged out.",
    EndReason.LOGOUT_EVERYWHERE: "You have been logged out because you logged out everywhere.",
    EndReason.PASSWORD_CHANGED: "You have been logged out because your password was changed.",
    EndReason.SECURITY: "You have been logged out to protect your account.",
    EndReason.ADMIN: "An administrator has ended your session.",
    EndReason.LOST: "Your session has ended because it was not used for a long time.",
    EndReason.IDP_LOGOUT: "You have been logged out because you logged out where you sign in.",
    EndReason.CAEP: "You have been logged out because your account was changed or locked where you sign in.",
}
"""What a page can show; clients with texts of their own go by `reason`."""

ASKED_REASONS = (
    EndReason.LOGOUT,
    EndReason.LOGOUT_EVERYWHERE,
    EndReason.PASSWORD_CHANGED,
    EndReason.SECURITY,
    EndReason.ADMIN,
)
"""Why app servers and administrators may end a session; the first is meant where none is named."""

JSON = dict[str, Any]

_SESSION_ID = re.compile(r"[A-Za-z0-9._~\-:=+]{1,256}")
_SLOT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def valid_room(room: object) -> TypeGuard[str]:
    """1 to 256 characters, no control characters, no lone surrogates."""
    return isinstance(room, str) and 1 <= len(room) <= 256 and plain(room)


def plain(text: str) -> bool:
    """No control characters, no lone surrogates."""
    return text.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs") for c in text)


def room_text(room: object) -> object:
    """A room as its text: the decimal one of a JSON integer (some sites' user ids are numbers); all else as it is."""
    return str(room) if isinstance(room, int) and not isinstance(room, bool) else room


def valid_session(session: object) -> TypeGuard[str]:
    """1 to 256 of `A–Z a–z 0–9 . _ ~ - : = +`, but not `.` or `..`, which proxies would fold away."""
    return isinstance(session, str) and _SESSION_ID.fullmatch(session) is not None and session not in (".", "..")


def valid_slot(slot: object) -> TypeGuard[str]:
    """1 to 64 of `A–Z a–z 0–9 . _ -`."""
    return isinstance(slot, str) and _SLOT.fullmatch(slot) is not None


def iso(at: float | None) -> str | None:
    """ISO 8601 UTC with milliseconds, as in `2026-11-21T08:30:00.123Z`."""
    return None if at is None else _iso(round(at, 3))


@lru_cache(maxsize=1024)
def _iso(at: float) -> str:
    """Answers about one session name the same few moments again and again."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def remaining_ms(deadline: float | None, now: float) -> int | None:
    """Milliseconds until the deadline, never negative."""
    return None if deadline is None else max(0, round((deadline - now) * 1000))


def remaining_s(deadline: float | None, now: float) -> float | None:
    """Seconds until the deadline, to the millisecond, never negative."""
    return None if deadline is None else max(0.0, round(deadline - now, 3))


def problem(code: str, status: int, detail: str, members: Mapping[str, Any] | None = None) -> JSON:
    """A problem document (RFC 9457) for a code of `PROBLEMS`; `members` are added to it."""
    document: JSON = {
        "type": f"/docs/troubleshooting#{code}",
        "title": PROBLEMS[code][1],
        "status": status,
        "detail": detail,
        "code": code,
    }
    return document | dict(members or {})


def device_json(device: Device | None) -> JSON | None:
    """A device for app servers and operators: all members that were given."""
    if device is None:
        return None
    members = {
        "label": device.label,
        "class": device.class_,
        "id": device.id,
        "user_agent": device.user_agent,
        "ip": device.ip,
    }
    return {name: value for name, value in members.items() if value is not None}


def page_device(device: Device | None) -> JSON | None:
    """A device for pages: never more than its label and class."""
    return None if device is None else {"label": device.label, "class": device.class_}


def actor_json(actor: Actor | None) -> JSON | None:
    """Who ended a session, for app servers and operators."""
    if actor is None:
        return None
    members: JSON = {"kind": actor.kind.value}
    if actor.session is not None:
        members["session"] = actor.session
    if actor.name is not None:
        members["name"] = actor.name
    if actor.device is not None:
        members["device"] = device_json(actor.device)
    if actor.key is not None:
        members["key"] = actor.key
    return members


def identity_json(idp: Identity | None) -> JSON | None:
    """Who logged in, as the app told it from the ID token."""
    if idp is None:
        return None
    members = {"iss": idp.iss, "sub": idp.sub, "sid": idp.sid, "auth_time": idp.auth_time}
    return {name: value for name, value in members.items() if value is not None}


def delivery(session: Session, now: float) -> str | None:
    """How the news of its end reached the session's browser; None while live and when its own page logged out."""
    if session.ended_at is None:
        return None
    by = session.ended_by
    if by is not None and by.kind is ActorKind.PAGE and by.session == session.id:
        return None
    if session.acked_at is not None:
        return "acked"
    if session.refused_at is not None:
        return "refused_on_return"
    return "gone" if now >= session.seen_until else "pending"


def record(snapshot: Snapshot, online: bool, now: float) -> JSON:
    """The session record of the HTTP API."""
    return still(snapshot) | moving(snapshot.session, online, now)


def still(snapshot: Snapshot) -> JSON:
    """The part of a session record that only a decision changes."""
    s = snapshot.session
    return {
        "session": s.id,
        "room": s.room,
        "active": not s.ended,
        "claimed": s.claimed,
        "newest": snapshot.newest,
        "epoch": s.epoch,
        "started_at": iso(s.started_at),
        "device": device_json(s.device),
        "entry": s.entry,
        "ended_at": iso(s.ended_at),
        "end_reason": s.end_reason,
        "ended_by": actor_json(s.ended_by),
        "slot": s.slot,
        "exempt": s.exempt,
        "impersonated_by": s.impersonated_by,
        "idp": identity_json(s.idp),
        "aliases": list(s.aliases),
    }


def other(session: Session, online: bool) -> JSON:
    """A session that is in a login's way, or that ends for it, for app servers."""
    return {
        "session": session.id,
        "device": device_json(session.device),
        "started_at": iso(session.started_at),
        "last_seen_at": iso(session.last_seen_at),
        "online": online,
    }


def device_entry(session: Session, current: bool, online: bool) -> JSON:
    """A session for the pages of its user. Of one that support has opened they see that and no device."""
    support = session.impersonated_by is not None
    return {
        "session": session.id,
        "current": current,
        "device": None if support else page_device(session.device),
        "slot": session.slot,
        "started_at": iso(session.started_at),
        "last_seen_at": iso(session.last_seen_at),
        "online": online,
        **({"support": True} if support else {}),
    }


def moving(session: Session, online: bool, now: float) -> JSON:
    """The part of a session record that time and what is merely noticed change."""
    live = not session.ended
    return {
        "online": online and live,
        "last_seen_at": iso(session.last_seen_at),
        "last_active_at": iso(session.last_active_at),
        "idle_expires_in": remaining_s(session.idle_at, now) if live else None,
        "absolute_expires_in": remaining_s(session.absolute_at, now) if live else None,
        "delivery": delivery(session, now),
    }


def audit_record(row: AuditRow) -> JSON:
    """A row of the audit log, as the HTTP API shows it."""
    e = row.entry
    return {
        "seq": str(row.seq),
        "at": iso(e.at),
        "event": e.event.value,
        "room": e.room,
        "session": e.session,
        "reason": e.reason,
        "epoch": e.epoch,
        "by": actor_json(e.by),
        "device": device_json(e.device),
        "slot": e.slot,
        "impersonated_by": e.impersonated_by,
        "note": e.note,
    }


def session_payload(snapshot: Snapshot, warn_before: float, now: float, ticket: str | None = None) -> JSON:
    """The `session` event: what a page knows about its live session. Times are remaining milliseconds."""
    s = snapshot.session
    payload: JSON = {
        "session": s.id,
        "room": s.room,
        "active": True,
        "claimed": s.claimed,
        "newest": snapshot.newest,
        "epoch": s.epoch,
        "idle_ms": remaining_ms(s.idle_at, now),
        "warn_ms": round(warn_before * 1000),
        "absolute_ms": remaining_ms(s.absolute_at, now),
        "server_now": iso(now),
    }
    if ticket is not None:
        payload["ticket"] = ticket
    return payload


def force_logout_payload(session: Session, redirects: Mapping[str, str]) -> JSON:
    """The `force-logout` event of an ended session. `redirect` is only ever one of the configured targets.

    A session that came without `entry` counts as `direct`. `by.self` is there, and true, when the session itself asked
    for its end, in one of its pages.
    """
    reason = session.end_reason
    assert reason is not None, "only an ended session is told so"
    by = session.ended_by
    told_by: JSON | None = None
    if by is not None and by.kind is ActorKind.PAGE and by.session == session.id:
        told_by = {"device": page_device(by.device), "self": True}
    elif by is not None and by.device is not None:
        told_by = {"device": page_device(by.device)}
    return {
        "session": session.id,
        "room": session.room,
        "reason": reason.value,
        "message": MESSAGES[reason],
        "at": iso(session.ended_at),
        "by": told_by,
        "redirect": redirects.get(session.entry or "direct"),
    }
