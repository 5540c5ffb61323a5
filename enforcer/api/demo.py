"""The demo page: log in as any name in two windows and watch the first one leave.

It plays the app server as well as the page, so it needs no key; in return it touches rooms beginning `demo:` only.
"""

import asyncio
from typing import Annotated

from aiohttp import web
from pydantic import Field

from enforcer import protocol
from enforcer.api import bodies
from enforcer.api.context import CONTEXT, Context
from enforcer.api.sessions import json
from enforcer.api.site import static_file
from enforcer.domain.admission import Login
from enforcer.domain.model import Device, Session
from enforcer.http.origins import block_of
from enforcer.http.problems import rate_limited
from enforcer.store.base import SessionQuery
from enforcer.usecases.registry import new_session_id

MAX_NAME = 64
"""Characters of a name."""
LOOK_BACK = 3600.0
"""Seconds: ended sessions that started earlier are not listed."""
SHOWN = 8
"""Ended sessions that are listed."""
ENTRY = "demo"
"""How a demo user comes in: the redirects of the operator's own application are not meant for this page."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

Name = Annotated[bodies.Room, Field(max_length=MAX_NAME)]


class DemoLoginBody(bodies.Strict):
    """Somebody logs in by nothing but a name, in a window that calls itself `window`."""

    name: Name
    window: Annotated[str, Field(min_length=1, max_length=64)]
    class_: Annotated[str | None, Field(alias="class", max_length=32)] = None


class DemoQuery(bodies.Strict):
    """Whose sessions."""

    name: Name


async def login(request: web.Request) -> web.Response:
    """`POST /demo/login`: what an app server does at a login; a ticket for the page, whatever `join` is."""
    context = request.app[CONTEXT]
    wait = context.demo_rates.wait(block_of(context.client_ip(request)), asyncio.get_running_loop().time())
    if wait is not None:
        raise rate_limited(wait, "too many logins from this address")
    members = await bodies.read_json(request)
    bodies.query(bodies.NoQuery, request)
    body = bodies.validated(DemoLoginBody, members)
    # With an id of its own the login never waits for a page, as it would in `join: "open"`.
    session, room = new_session_id(), bodies.DEMO_ROOMS + body.name
    device = Device(label=body.window, class_=body.class_)
    answer = await context.registry.login(room, Login(new_id=session, session=session, device=device, entry=ENTRY))
    issued = context.office.issue(room, session, answer.absolute_at, context.registry.now())
    return json({"session": session, "ticket": issued.page, "displaced": len(answer.displaced)})


async def sessions(request: web.Request) -> web.Response:
    """`GET /demo/sessions?name=…`: the user's live sessions, newest first, and those that have ended of late."""
    context = request.app[CONTEXT]
    query = bodies.query(DemoQuery, request)
    room, now = bodies.DEMO_ROOMS + query.name, context.registry.now()
    live = [s.session for s in await context.registry.list_room(room)]
    log = await context.registry.sessions(SessionQuery(room=room, open=False, since=now - LOOK_BACK, limit=500))
    ended = sorted((s.session for s in log), key=lambda s: s.ended_at or now, reverse=True)
    rules = context.settings.rules
    return json(
        {
            "policy": rules.policy,
            "max_sessions": rules.max_sessions,
            "now": protocol.iso(now),
            "sessions": [_shown(context, s) for s in live + ended[:SHOWN]],
        }
    )


def _shown(context: Context, session: Session) -> protocol.JSON:
    """A session for everybody who knows the name: the first characters of its id are enough to tell it apart."""
    by = session.ended_by
    told_in = None if session.ended_at is None or session.acked_at is None else session.acked_at - session.ended_at
    return {
        "id": session.id[:8],
        "window": session.device.label if session.device else None,
        "live": not session.ended,
        "online": not session.ended and context.registry.online_anywhere(session),
        "started_at": protocol.iso(session.started_at),
        "ended_at": protocol.iso(session.ended_at),
        "reason": session.end_reason,
        "by": by.device.label if by and by.device and by.session != session.id else None,
        "told_in_ms": None if told_in is None else max(0, round(told_in * 1000)),
    }


async def slash(request: web.Request) -> web.Response:
    """`GET /demo/`: the page's own addresses are relative to `/demo`."""
    raise web.HTTPPermanentRedirect("../demo")


ROUTES = (
    web.get("/demo", static_file("demo/index.html", "text/html", HEADERS)),
    web.get("/demo/", slash),
    web.get("/demo/demo.css", static_file("demo/demo.css", "text/css", HEADERS)),
    web.get("/demo/demo.js", static_file("demo/demo.js", "text/javascript", HEADERS)),
    web.get("/demo/identity.js", static_file("demo/identity.js", "text/javascript", HEADERS)),
    web.get("/demo/sessions.js", static_file("demo/sessions.js", "text/javascript", HEADERS)),
    web.get("/demo/icon.svg", static_file("demo/icon.svg", "image/svg+xml", HEADERS)),
    web.post("/demo/login", login),
    web.get("/demo/sessions", sessions, allow_head=False),
)
