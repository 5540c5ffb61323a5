"""FastAPI: log in, log out, and a dependency that lets requests of live sessions in.

enforcer = FastAPIEnforcer(url, key)
app = FastAPI(lifespan=enforcer.lifespan)
app.add_middleware(SessionMiddleware, secret_key=...)

await enforcer.login(request, user.id)  # after the password was right
await enforcer.logout(request)  # instead of request.session.clear()

@app.get("/orders")
async def orders(who: Annotated[Who, Depends(enforcer.live_session)]): ...

An application that keeps its sessions elsewhere takes `LiveSession` alone.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from .aclient import AsyncEnforcer
from .alive import AsyncLiveSessions
from .errors import EnforcerError, Unavailable
from .records import Login, to_keep

log = logging.getLogger(__name__)

KEPT = "enforcer"
"""The member of Starlette's session that holds the room, the session and the page's ticket."""


class Who(NamedTuple):
    """Whose request it is."""

    session: str
    room: str


class LiveSession:
    """`identify` gives the session and room of a request or WebSocket, None if nobody is logged in.

    The dependency is `Who`; else 401, or 503 while it is not known (with `Retry-After`).
    """

    def __init__(
        self, live: AsyncLiveSessions, identify: Callable[[HTTPConnection], tuple[str, str | int] | list[str] | None]
    ) -> None:
        self._live = live
        self._identify = identify

    async def __call__(self, connection: HTTPConnection) -> Who:
        who = self._identify(connection)
        if who is None:
            raise HTTPException(401, "nobody is logged in")
        session, room = who
        try:
            if await self._live.is_live(session, room):
                return Who(session, str(room))
        except Unavailable:
            raise _unavailable("whether the session is live is not known now") from None
        raise HTTPException(401, "the session has ended")


class FastAPIEnforcer:
    """For an application with Starlette's `SessionMiddleware`: its session keeps what belongs to a browser's login."""

    def __init__(self, url: str, key: str) -> None:
        self.client = AsyncEnforcer(url, key)
        self.live = AsyncLiveSessions(self.client)
        self.live_session = LiveSession(self.live, identify)

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """The application's: the stream is followed as long as it runs."""
        async with self.client, self.live:
            yield

    async def login(self, connection: HTTPConnection, room: str | int, **terms: Any) -> Login:
        """The user has just logged in, in this browser. Raises as `Enforcer.login`, and 503 if there is no answer; then
        nobody is logged in.
        """
        before = connection.session.get(KEPT)
        agent = {
            "user_agent": connection.headers.get("User-Agent", ""),
            "ip": connection.client.host if connection.client else "",
        }
        replaces = before["session"] if before else None
        try:
            told = await self.client.login(room, replaces=replaces, device=agent, **terms)  # type: ignore[arg-type]
        except Unavailable:
            raise _unavailable("nobody can log in at the moment") from None
        connection.session[KEPT] = to_keep(told)
        return told

    async def logout(self, connection: HTTPConnection, reason: str = "logout") -> bool:
        """Ends the session that the page names (`X-Enforcer-Session`), or else the one of this browser.

        False: the browser has logged in again since; nothing has happened.
        """
        kept = connection.session.get(KEPT)
        named = connection.headers.get("X-Enforcer-Session")
        if named is not None and (kept is None or named != kept["session"]):
            return False
        connection.session.clear()
        if kept is not None:
            try:
                await self.client.end(kept["session"], reason)
            except EnforcerError as error:
                log.warning("a session that has logged out is still open: %s", error)
        return True


def identify(scope: Mapping[str, Any]) -> tuple[str, str] | None:
    """Whose login a request or WebSocket comes from, as `FastAPIEnforcer` keeps it; for the ASGI middleware as well."""
    kept = scope.get("session", {}).get(KEPT)
    return (kept["session"], kept["room"]) if kept else None


def _unavailable(why: str) -> HTTPException:
    return HTTPException(503, why, {"Retry-After": "1"})
