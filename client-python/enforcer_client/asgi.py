"""Middleware for ASGI, without a framework: requests and WebSockets of sessions that have ended are refused.

It wraps nothing that the application does: context variables and background tasks work as without it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .alive import AsyncLiveSessions
from .cache import Ended
from .errors import EnforcerError, Unavailable

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Identify = Callable[[Scope], "tuple[str, str | int] | None"]
"""The session and room of a request, as the application's own session has them; None: nobody is logged in."""

SESSION_ENDED, TRY_AGAIN = 4401, 1013
"""Codes with which a WebSocket is closed: its session has ended; it is not known whether it has."""


class EnforcerMiddleware:
    """Put it inside what reads your session (Starlette: `SessionMiddleware`), so that `identify` finds it in the scope.

    `on_refused` is an ASGI application that answers requests of ended sessions in place of a 401: it should clear the
    cookie and lead to the log-in page.
    """

    def __init__(self, app: App, live: AsyncLiveSessions, identify: Identify, on_refused: App | None = None) -> None:
        self._app = app
        self._live = live
        self._identify = identify
        self._on_refused = on_refused or _refusal(401, "session-ended", "The session has ended.")
        self._unavailable = _refusal(503, "unavailable", "Whether the session is live is not known now.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = self._identify(scope) if scope["type"] in ("http", "websocket") else None
        if who is None:
            await self._app(scope, receive, send)
            return
        session, room = who
        try:
            live = await self._live.is_live(session, room)
        except Unavailable as error:
            log.warning("a request is refused: %s", error)
            await self._refused(scope, receive, send, self._unavailable, TRY_AGAIN)
            return
        if not live:
            await self._refused(scope, receive, send, self._on_refused, SESSION_ENDED)
        elif scope["type"] == "http":
            await self._app(scope, receive, send)
        else:
            await self._socket(session, room, scope, receive, send)

    async def _refused(self, scope: Scope, receive: Receive, send: Send, answer: App, code: int) -> None:
        if scope["type"] == "http":
            await answer(scope, receive, send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": code})

    async def _socket(self, session: str, room: str | int, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's WebSocket, which is closed when its session ends: the application is told that it was."""
        ended, doubtful = asyncio.Event(), asyncio.Event()

        def on_end(end: Ended) -> None:
            if end.session == session:
                ended.set()

        stop = (self._live.on_end(on_end), self._live.on_reset(doubtful.set))
        closed = False

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal closed
            if closed:
                return
            closed = message["type"] == "websocket.close"
            await send(message)

        async def watch() -> None:
            while not ended.is_set():
                ends, doubts = asyncio.ensure_future(ended.wait()), asyncio.ensure_future(doubtful.wait())
                try:
                    await asyncio.wait((ends, doubts), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ends.cancel()
                    doubts.cancel()
                if doubtful.is_set():
                    doubtful.clear()
                    try:
                        if not await self._live.is_live(session, room):
                            return
                    except EnforcerError:  # nobody can say, or the key is refused: it has not ended for that
                        doubtful.set()
                        await asyncio.sleep(1.0)

        watching = asyncio.ensure_future(watch())

        async def received() -> MutableMapping[str, Any]:
            message = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((message, watching), return_when=asyncio.FIRST_COMPLETED)
                if message.done():
                    return message.result()
            finally:
                if not message.done():
                    message.cancel()
            await sent({"type": "websocket.close", "code": SESSION_ENDED, "reason": "session ended"})
            return {"type": "websocket.disconnect", "code": SESSION_ENDED}

        doubtful.set()  # it may have ended before somebody listened
        try:
            await self._app(scope, received, sent)
        finally:
            watching.cancel()
            for one in stop:
                one()


def _refusal(status: int, code: str, title: str) -> App:
    """An application that answers with a problem document (RFC 9457)."""
    body = json.dumps({"title": title, "status": status, "code": code}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"1"))

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer
