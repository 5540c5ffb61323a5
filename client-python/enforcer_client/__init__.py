"""Enforcer from Python: calls, and whether a session is live from memory.

    enforcer = Enforcer("http://127.0.0.1:8080", key)
    live = LiveSessions(enforcer)
    login = enforcer.login("alice", device={"user_agent": user_agent})
    live.is_live(login["session"], "alice")

`AsyncEnforcer` and `AsyncLiveSessions` are the same for asyncio. Middleware: `asgi`, `wsgi`, `flask`, `fastapi`.
"""

from .aclient import AsyncEnforcer
from .alive import AsyncLiveSessions
from .cache import Ended
from .client import Enforcer
from .errors import (
    EnforcerError,
    InvalidRequest,
    NotAllowed,
    ProtocolError,
    RateLimited,
    Refused,
    RequestIdReused,
    SessionConflict,
    SessionEnded,
    SessionLimit,
    SessionUnknown,
    SignedOut,
    Unauthorized,
    Unavailable,
)
from .live import LiveSessions
from .records import Device, Explanation, Login, Session, Terms, Tickets

__version__ = "0.1.0"

__all__ = [
    "AsyncEnforcer",
    "AsyncLiveSessions",
    "Device",
    "Ended",
    "Enforcer",
    "EnforcerError",
    "Explanation",
    "InvalidRequest",
    "LiveSessions",
    "Login",
    "NotAllowed",
    "ProtocolError",
    "RateLimited",
    "Refused",
    "RequestIdReused",
    "Session",
    "SessionConflict",
    "SessionEnded",
    "SessionLimit",
    "SessionUnknown",
    "SignedOut",
    "Terms",
    "Tickets",
    "Unauthorized",
    "Unavailable",
]
