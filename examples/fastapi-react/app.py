"""A notebook: FastAPI answers, React shows, Enforcer keeps it to one live session per user. README.md says how."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from enforcer_client.fastapi import FastAPIEnforcer, Who
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

ENFORCER_URL = os.environ.get("ENFORCER_URL", "http://127.0.0.1:8080")
WEB = Path(__file__).parent / "web"
SALT = secrets.token_bytes(16)

enforcer = FastAPIEnforcer(ENFORCER_URL, os.environ["ENFORCER_AUTHKEY"])
live_session = enforcer.live_session


def hashed(password: str) -> bytes:
    """What is kept of a password."""
    return hashlib.scrypt(password.encode(), salt=SALT, n=2**14, r=8, p=1)


USERS = {name: hashed(f"{name}-demo") for name in ("alice", "bob")}
NOBODY = hashed(secrets.token_hex())
notes: dict[str, list[str]] = {name: [] for name in USERS}


class Login(BaseModel):
    """The log-in form."""

    user: str
    password: str


class Note(BaseModel):
    """A new note."""

    text: str


def only_our_own_pages(request: Request) -> None:
    """CSRF: browsers say where a POST comes from, so a page of another site cannot log anybody in or out."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise HTTPException(403, "this comes from another site")


app = FastAPI(lifespan=enforcer.lifespan, dependencies=[Depends(only_our_own_pages)])
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"])
app.mount("/web", StaticFiles(directory=WEB))


@app.post("/api/login")
async def login(request: Request, form: Login) -> None:
    """Claims the user's one session, after the password was right and before the cookie is set."""
    if not hmac.compare_digest(hashed(form.password), USERS.get(form.user, NOBODY)):
        raise HTTPException(401, "the name or the password is wrong")
    await enforcer.login(request, form.user)


@app.get("/api/me")
async def me(request: Request, who: Annotated[Who, Depends(live_session)]) -> dict[str, Any]:
    """Who is logged in, and what the page's guard needs."""
    ticket = request.session["enforcer"]["ticket"]
    return {"user": who.room, "session": who.session, "ticket": ticket, "enforcer": ENFORCER_URL}


@app.get("/api/notes")
async def read(who: Annotated[Who, Depends(live_session)]) -> list[str]:
    """The user's notes."""
    return notes[who.room]


@app.post("/api/notes")
async def write(who: Annotated[Who, Depends(live_session)], note: Note) -> list[str]:
    """One more."""
    notes[who.room].insert(0, note.text)
    return notes[who.room]


@app.post("/api/logout", status_code=204)
async def logout(request: Request) -> None:
    """Called by the page's guard, which names the session that is over: the browser may have logged in again since."""
    await enforcer.logout(request)


@app.get("/")
@app.get("/login")
async def page() -> FileResponse:
    """React decides what to show."""
    return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})
