"""What a call may raise, one tree by the `code` of the server's answer.

EnforcerError
├── Unavailable        no answer in time, or the server cannot reach its store: whether it took effect is unknown
├── Refused            the server understood and refuses; `code` is its public name
│   ├── Unauthorized   the key is missing or wrong
│   ├── NotAllowed     the key may not do this
│   ├── SessionUnknown there is no such session, or not in this room
│   ├── SessionEnded   it has ended; carries why and when
│   ├── SessionLimit   policy `reject`: enough others are alive; carries them
│   ├── SessionConflict  the id belongs to another room
│   ├── SignedOut      the identity provider has signed this log-in out
│   ├── RequestIdReused
│   ├── InvalidRequest something in the call is not as it must be
│   └── RateLimited    too many calls, or too many wrong keys before
└── ProtocolError      what answers is not Enforcer
"""

from collections.abc import Mapping
from typing import Any


class EnforcerError(Exception):
    """Everything that this package raises on purpose."""


class Unavailable(EnforcerError):
    """No answer in time. Repeating is safe: a login is repeated with its `request_id`."""


class ProtocolError(EnforcerError):
    """What answers is not Enforcer."""


class Refused(EnforcerError):
    """A refusal. `members` are those of the problem document (RFC 9457)."""

    def __init__(self, code: str, status: int, detail: str, members: Mapping[str, Any]) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.status = status
        self.detail = detail
        self.members = members


class Unauthorized(Refused):
    """The key is missing or wrong."""


class NotAllowed(Refused):
    """The key may not do this."""


class SessionUnknown(Refused):
    """There is no such session, or not in the room that was named."""


class SessionEnded(Refused):
    """The session has ended, for ever."""

    @property
    def reason(self) -> str:
        """Why: `displaced`, `logout`, …"""
        return str(self.members.get("end_reason"))


class SessionLimit(Refused):
    """As many others as are allowed are alive."""

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """They: `session`, `device`, `started_at`, `last_seen_at`, `online`. One of them may be named in `ends`."""
        found: list[dict[str, Any]] = self.members.get("sessions", [])
        return found


class SessionConflict(Refused):
    """The session id is another room's."""


class SignedOut(Refused):
    """The identity provider has signed this log-in out."""


class RequestIdReused(Refused):
    """The request id was used for another login."""


class InvalidRequest(Refused):
    """Something in the call is not as it must be; the detail says what."""


class RateLimited(Refused):
    """Too many calls."""


_BY_CODE: Mapping[str, type[Refused]] = {
    "unauthorized": Unauthorized,
    "not-allowed": NotAllowed,
    "session-unknown": SessionUnknown,
    "session-ended": SessionEnded,
    "session-limit": SessionLimit,
    "session-conflict": SessionConflict,
    "signed-out": SignedOut,
    "request-id-reused": RequestIdReused,
    "invalid-request": InvalidRequest,
    "rate-limited": RateLimited,
}


def refusal(status: int, document: object) -> EnforcerError:
    """The error that a problem document stands for; by its code, never by the status."""
    if not isinstance(document, dict) or not isinstance(code := document.get("code"), str):
        return ProtocolError(f"status {status} without a problem document: is this Enforcer's address?")
    if code == "unavailable":
        return Unavailable(str(document.get("detail", code)))
    return _BY_CODE.get(code, Refused)(code, status, str(document.get("detail", "")), document)
