"""Middleware for WSGI, without a framework: requests of sessions that have ended are refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from .errors import Unavailable
from .live import LiveSessions

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Identify = Callable[[Environ], "tuple[str, str | int] | None"]
"""The session and room of a request, as the application's own session has them; None: nobody is logged in."""


class EnforcerMiddleware:
    """Put it inside what reads your session. `on_refused` answers requests of ended sessions in place of a 401."""

    def __init__(self, app: App, live: LiveSessions, identify: Identify, on_refused: App | None = None) -> None:
        self._app = app
        self._live = live
        self._identify = identify
        self._on_refused = on_refused or _refusal("401 Unauthorized", "session-ended", "The session has ended.")
        told = "Whether the session is live is not known now."
        self._unavailable = _refusal("503 Service Unavailable", "unavailable", told)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        who = self._identify(environ)
        if who is None:
            return self._app(environ, start_response)
        try:
            app = self._app if self._live.is_live(*who) else self._on_refused
        except Unavailable as error:
            log.warning("a request is refused: %s", error)
            app = self._unavailable
        return app(environ, start_response)


def _refusal(status: str, code: str, title: str) -> App:
    body = json.dumps({"title": title, "status": int(status[:3]), "code": code}).encode()
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
    if code == "unavailable":
        headers.append(("Retry-After", "1"))

    def answer(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return answer
