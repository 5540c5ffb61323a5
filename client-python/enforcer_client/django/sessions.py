"""Log-ins, log-outs and checks, as Django's sessions have them.

What belongs together is kept in Django's session under `KEPT`, never found by its key: that changes at each log-in.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.utils.module_loading import import_string

from ..client import Enforcer
from ..errors import EnforcerError
from ..live import LiveSessions
from ..records import to_keep

log = logging.getLogger(__name__)

KEPT = "enforcer"
"""The member of Django's session that holds the room, the session and the page's ticket."""
ADOPTED = 1000
"""The limit by which a session from before Enforcer is taken in: it ends no other."""


@lru_cache(maxsize=1)
def client() -> Enforcer:
    """The client of this process."""
    return Enforcer(settings.ENFORCER_URL, settings.ENFORCER_KEY)


@lru_cache(maxsize=1)
def live() -> LiveSessions:
    """What is known of sessions in this process."""
    return LiveSessions(client())


def room_of(user: Any) -> str:
    """The room of a user."""
    return str(_function("ENFORCER_ROOM")(user) if hasattr(settings, "ENFORCER_ROOM") else user.pk)


def logged_in(request: Any, user: Any, **_: Any) -> None:
    """`user_logged_in`: a claim, once a request and user. Raises as `Enforcer.login`, which the middleware answers."""
    if request is None or getattr(request, "session", None) is None:
        return  # a log-in without a browser
    if getattr(request, "_enforcer_login", None) == (user.pk, request.session.get(KEPT)):
        return
    request._enforcer_claims = True
    terms = _function("ENFORCER_TERMS")(request, user) if hasattr(settings, "ENFORCER_TERMS") else {}
    claim(request, user, terms)
    request._enforcer_login = (user.pk, request.session[KEPT])


def claim(request: Any, user: Any, terms: dict[str, Any]) -> None:
    """The session of this browser begins, in place of the one that it had."""
    before = request.session.get(KEPT) or getattr(request, "_enforcer_before", None)
    device = {
        name: value
        for name, value in (
            ("user_agent", request.META.get("HTTP_USER_AGENT")),
            ("ip", request.META.get("REMOTE_ADDR")),
        )
        if value
    }
    replaces = before["session"] if before else None
    told = client().login(room_of(user), replaces=replaces, device=device, **terms)  # type: ignore[arg-type]
    request.session[KEPT] = to_keep(told)


def logged_out(request: Any, **_: Any) -> None:
    """`user_logged_out`, which is sent before Django's session is emptied: the session of this browser ends."""
    kept = None if request is None or getattr(request, "session", None) is None else request.session.get(KEPT)
    if kept is None or getattr(request, "_enforcer_ended", False):
        return
    try:
        client().end(kept["session"])
    except EnforcerError as error:
        log.warning("a session that has logged out is still open: %s", error)


def log_out_everywhere(request: Any) -> None:
    """Logs this browser out, and all others of its user. Raises `EnforcerError`: then everybody is still logged in."""
    kept = request.session.get(KEPT)
    if kept is not None:
        client().end_others(kept["room"], kept["session"], "logout_everywhere")
    logout(request)


def password_changed(kept: dict[str, str]) -> None:
    """All other sessions of the user end."""
    try:
        client().end_others(kept["room"], kept["session"], "password_changed")
    except EnforcerError as error:
        log.warning("sessions from before a change of password are still open: %s", error)


def _function(name: str) -> Any:
    value = getattr(settings, name)
    return import_string(value) if isinstance(value, str) else value
