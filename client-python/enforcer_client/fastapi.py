"""FastAPI: a dependency that lets requests of live sessions in.

live_session = LiveSession(live, lambda request: request.session.get("enforcer"))

@app.get("/orders")
async def orders(who: Annotated[Who, Depends(live_session)]): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from .alive import AsyncLiveSessions
from .errors import Unavailable


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
            raise HTTPException(503, "whether the session is live is not known now", {"Retry-After": "1"}) from None
        raise HTTPException(401, "the session has ended")
