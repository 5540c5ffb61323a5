"""Flask: log in, log out, and every request of an ended session is refused.

enforcer = FlaskEnforcer(app)          # app.config["ENFORCER_URL"], app.config["ENFORCER_KEY"]
enforcer.login(user_id)                # after the password was right
enforcer.logout()                      # instead of session.clear()
{{ enforcer_script() }}                # in the layout
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, redirect, request, session
from markupsafe import Markup

from .client import Enforcer
from .errors import EnforcerError, SessionEnded, Unavailable
from .live import LiveSessions
from .records import Login, to_keep

log = logging.getLogger(__name__)

KEPT = "enforcer"
"""The member of Flask's session that holds the room, the session and the page's ticket."""


class FlaskEnforcer:
    """An extension. Settings: `ENFORCER_URL`, `ENFORCER_KEY`; `ENFORCER_PUBLIC_URL`, where browsers find it (the same);
    `ENFORCER_LOGIN_URL` ("/login"); `ENFORCER_EXEMPT`, endpoints that are not looked at (`static` and the log-in page
    should be).
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._refused: Callable[[], Any] | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Binds it to an application."""
        app.config.setdefault("ENFORCER_LOGIN_URL", "/login")
        app.config.setdefault("ENFORCER_EXEMPT", ("static",))
        app.config.setdefault("ENFORCER_PUBLIC_URL", app.config["ENFORCER_URL"])
        self._config = app.config
        self.client = Enforcer(app.config["ENFORCER_URL"], app.config["ENFORCER_KEY"])
        self.live = LiveSessions(self.client)
        app.extensions["enforcer"] = self
        app.before_request(self._check)
        app.register_error_handler(Unavailable, _unavailable)
        app.jinja_env.globals["enforcer_script"] = self.script

    def login(self, room: str | int, **terms: Any) -> Login:
        """The user has just logged in, in this browser. Raises as `Enforcer.login`, and then nobody is logged in."""
        before = session.get(KEPT)
        agent = {"user_agent": str(request.user_agent), "ip": request.remote_addr or ""}
        replaces = before["session"] if before else None
        told = self.client.login(room, replaces=replaces, device=agent, **terms)  # type: ignore[arg-type]
        session[KEPT] = to_keep(told)
        return told

    def logout(self, reason: str = "logout") -> bool:
        """The user logs out: the session of this browser ends, here and at the server.

        When the page of a session that was displaced asks for it, but its browser has logged in again meanwhile,
        nothing happens, and it returns False: the page names its session in `X-Enforcer-Session`.
        """
        kept = session.get(KEPT)
        named = request.headers.get("X-Enforcer-Session") or request.form.get("session")
        if kept is not None and named not in (None, kept["session"]):
            return False
        session.clear()
        if kept is not None:
            try:
                self.client.end(kept["session"], reason)
            except EnforcerError as error:
                log.warning("a session that has logged out is still open: %s", error)
        return True

    def refused(self, handler: Callable[[], Any]) -> Callable[[], Any]:
        """Decorates what answers requests of ended sessions, in place of the way to the log-in page.

        `g.enforcer_end_reason` says why it has ended, such as `displaced`; None if that is not known any more.
        """
        self._refused = handler
        return handler

    def script(self, **data: str) -> Markup:
        """The script line of the browser client; `data` are its `data-…` attributes. Empty if nobody is logged in."""
        kept = session.get(KEPT)
        if kept is None:
            return Markup()
        url = self._config["ENFORCER_PUBLIC_URL"].rstrip("/")
        attributes = {"url": url, "ticket": kept["ticket"], **data}
        told = Markup(" ").join(Markup('data-{}="{}"').format(n.replace("_", "-"), v) for n, v in attributes.items())
        return Markup('<script src="{}/client/session-guard.js" {} defer></script>').format(url, told)

    def _check(self) -> Any:
        kept = session.get(KEPT)
        if kept is None or request.endpoint in self._config["ENFORCER_EXEMPT"]:
            return None
        if self.live.is_live(kept["session"], kept["room"]):
            g.enforcer_session = kept["session"]
            return None
        g.enforcer_end_reason = reason = self._why(kept["session"])
        if reason == "replaced":  # this browser has logged in anew, and its cookie may be on the way
            return redirect(self._config["ENFORCER_LOGIN_URL"])
        session.clear()
        if self._refused is not None:
            return self._refused()
        return redirect(self._config["ENFORCER_LOGIN_URL"])

    def _why(self, ended: str) -> str | None:
        try:
            self.client.validate(ended)
        except SessionEnded as told:
            return told.reason
        except EnforcerError as error:
            log.warning("why a session has ended is not known: %s", error)
        return None


def _unavailable(error: Unavailable) -> Response:
    """What a request gets that nobody can answer for, unless the application has a handler of its own."""
    log.warning("a request is refused: %s", error)
    return Response("Please try again in a moment.", 503, {"Retry-After": "1"})
