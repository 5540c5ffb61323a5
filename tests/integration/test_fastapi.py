"""FastAPI with the Python client, against the real server."""

import asyncio
from typing import Annotated

import httpx
from enforcer_client import AsyncEnforcer, AsyncLiveSessions
from enforcer_client.fastapi import FastAPIEnforcer, LiveSession, Who
from fastapi import Depends, FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware

from tests.running import EnforcerProcess


async def test_fastapi(shared: EnforcerProcess, room: str) -> None:
    """A dependency that knows whose request it is."""
    async with AsyncEnforcer(shared.url, shared.authkey) as client, AsyncLiveSessions(client) as live:
        app = FastAPI()
        live_session = LiveSession(live, lambda r: (r.headers["session"], room) if "session" in r.headers else None)

        @app.get("/who")
        async def who(me: Annotated[Who, Depends(live_session)], request: Request) -> dict[str, str]:
            return {"room": me.room, "path": request.url.path}

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as browser:
            session = (await client.login(room))["session"]
            mine = {"session": session}
            assert (await browser.get("/who", headers=mine)).json() == {"room": room, "path": "/who"}
            assert (await browser.get("/who")).status_code == 401
            await client.end(session)
            ended = await browser.get("/who", headers=mine)
            async with asyncio.timeout(30):
                while ended.status_code != 401:
                    await asyncio.sleep(0.01)  # the stream wants its turn
                    ended = await browser.get("/who", headers=mine)
            assert ended.json() == {"detail": "the session has ended"}


async def test_fastapi_with_sessions_of_starlette(shared: EnforcerProcess, room: str) -> None:
    """A browser that logs in twice keeps one session; its old page's log-out is none. Without an answer it is 503."""
    enforcer, away = FastAPIEnforcer(shared.url, shared.authkey), FastAPIEnforcer("http://127.0.0.1:9", "")
    away.client = AsyncEnforcer("http://127.0.0.1:9", "", timeout=0.1)
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="x" * 32)

    @app.post("/login")
    async def log_in(request: Request, nowhere: bool = False) -> None:
        await (away if nowhere else enforcer).login(request, room)

    @app.get("/who")
    async def who(me: Annotated[Who, Depends(enforcer.live_session)]) -> str:
        return me.session

    @app.post("/logout")
    async def log_out(request: Request) -> bool:
        return await enforcer.logout(request)

    async with (
        enforcer.lifespan(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as browser,
    ):
        assert (await browser.post("/login?nowhere=1")).headers["Retry-After"] == "1"
        assert (await browser.get("/who")).status_code == 401
        await browser.post("/login")
        old = (await browser.get("/who")).json()
        await browser.post("/login")
        assert (await enforcer.client.sessions(room))[0]["session"] == (await browser.get("/who")).json() != old
        assert shared.record(old)["end_reason"] == "replaced"
        assert not (await browser.post("/logout", headers={"X-Enforcer-Session": old})).json()
        assert (await browser.get("/who")).status_code == 200
        assert (await browser.post("/logout")).json()
        assert await enforcer.client.sessions(room) == []
        assert (await browser.get("/who")).status_code == 401
