"""The demo page: log in as any name in two windows and watch the first one leave.

It plays the app server as well as the page, so it needs no key; in return it touches rooms beginning `demo:` only.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.sessions import json
from enforcer.api.site import static_file
from enforcer.domain.admission import Login
from enforcer.domain.errors import SessionLimit
from enforcer.domain.model import NO_TERMS, Device, Session, Terms
from enforcer.http.origins import block_of
from enforcer.http.problems import Problem, rate_limited
from enforcer.store.queries import SessionQuery
from enforcer.usecases.registry import new_session_id

MAX_NAME = 64
"""Characters of a name."""
LOOK_BACK = 3600.0
"""Seconds: ended sessions that started earlier are not listed."""
SHOWN = 8
"""Ended sessions that are listed."""
ENTRY = "demo:"
"""How a demo user comes in, and by which rule. The redirects of the operator's own application do not count here."""
SHORT = 8
"""Characters of a session's id that are told: enough to tell it apart, and none is given away."""
ELEVATED = 86400.0
"""Seconds that a page may end the user's other sessions. With passwords it is minutes, after asking for it again."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

Name = Annotated[bodies.Room, Field(max_length=MAX_NAME)]
Rule = Literal["one", "two", "phone-desktop", "ask", "server"]
"""Who may stay; `server`: as the settings say."""
TERMS: dict[str, Terms] = {
    "one": Terms(max_sessions=1, policy="displace"),
    "two": Terms(max_sessions=2, policy="displace"),
    "phone-desktop": Terms(max_sessions=1, policy="displace"),
    "ask": Terms(max_sessions=1, policy="reject"),
    "server": NO_TERMS,
}


class DemoLoginBody(bodies.Strict):
    """Somebody logs in by nothing but a name, in a window that calls itself `window`.

    The rule is for a name that nobody is logged in with; else theirs holds. `ends` are ids as they are told here, cut.
    """

    name: Name
    window: Annotated[str, Field(min_length=1, max_length=64)]
    class_: Annotated[str | None, Field(alias="class", max_length=32)] = None
    rule: Rule = "server"
    ends: Annotated[list[Annotated[str, Field(max_length=SHORT)]], Field(max_length=100, default_factory=list)]


class DemoQuery(bodies.Strict):
    """Whose sessions."""

    name: Name


async def login(request: web.Request) -> web.Response:
    """`POST /demo/login`: what an app server does at a login; a ticket for the page, whatever `join` is."""
    context = request.app[CONTEXT]
    wait = context.demo_rates.wait(block_of(context.client_ip(request)), asyncio.get_running_loop().time())
    if wait is not None:
        raise rate_limited(wait, "too many logins from this address")
    members = await parsing.read_json(request)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(DemoLoginBody, members)
    # With an id of its own the login never waits for a page, as it would in `join: "open"`.
    session, room = new_session_id(), bodies.DEMO_ROOMS + body.name
    live = [s.session for s in await context.registry.list_room(room)]
    rule = _rule_in_force(context, live) or body.rule
    # Those of another rule are not alive any more; in slots of their own they would stay for good.
    ends = [s.id for s in live if s.id[:SHORT] in body.ends or _rule_of(s) != rule]
    terms = _terms(rule, body.class_, ends)
    device = Device(label=body.window, class_=body.class_)
    claim = Login(new_id=session, session=session, device=device, entry=ENTRY + rule, terms=terms)
    try:
        answer = await context.registry.login(room, claim)
    except SessionLimit as e:
        in_the_way = [_choice(context, s) for s in e.sessions]
        members = {"rule": rule, "max_sessions": e.max_sessions, "sessions": in_the_way}
        raise Problem(e.code, str(e), members=members) from None
    now = context.registry.now()
    issued = context.office.issue(room, session, answer.absolute_at, now)
    return json(
        {
            "session": session,
            "ticket": issued.page,
            "elevated_ticket": context.office.elevated(room, session, answer.absolute_at, now, now + ELEVATED)
            if context.settings.device_ends == "elevated"
            else None,
            "displaced": len(answer.displaced),
        }
    )


def _rule_of(session: Session) -> str:
    rule = (session.entry or "").removeprefix(ENTRY)
    return rule if rule in TERMS else "server"


def _rule_in_force(context: Context, live: Sequence[Session]) -> str | None:
    """The rule of the newest login that is alive. None if there is none: then a login may choose another."""
    now, online = context.registry.now(), context.registry.sightings.online_anywhere
    return next((_rule_of(s) for s in live if s.seen_until > now or online(s)), None)


def _terms(rule: str, class_: str | None, ends: Collection[str]) -> Terms:
    """What a login by this rule asks for."""
    terms = TERMS[rule]._replace(ends=tuple(sorted(ends)))
    return terms._replace(slot="mobile" if class_ == "mobile" else "desktop") if rule == "phone-desktop" else terms


def _choice(context: Context, session: Session) -> protocol.JSON:
    """A session in the way, as `<session-guard-choose>` shows it."""
    return protocol.other(session, context.registry.sightings.online_anywhere(session)) | {
        "session": session.id[:SHORT]
    }


async def sessions(request: web.Request) -> web.Response:
    """`GET /demo/sessions?name=…`: the user's live sessions, newest first, and those that have ended of late."""
    context = request.app[CONTEXT]
    query = parsing.query(DemoQuery, request)
    room, now = bodies.DEMO_ROOMS + query.name, context.registry.now()
    live = [s.session for s in await context.registry.list_room(room)]
    log = await context.registry.sessions(SessionQuery(room=room, open=False, since=now - LOOK_BACK, limit=500))
    ended = sorted((s.session for s in log), key=lambda s: s.ended_at or now, reverse=True)
    rules = context.settings.rules
    return json(
        {
            "rule": _rule_in_force(context, live),
            "policy": rules.policy,
            "max_sessions": rules.max_sessions,
            "now": protocol.iso(now),
            "sessions": [_shown(context, s) for s in live + ended[:SHOWN]],
        }
    )


def _shown(context: Context, session: Session) -> protocol.JSON:
    """A session for everybody who knows the name."""
    by = session.ended_by
    told_in = None if session.ended_at is None or session.acked_at is None else session.acked_at - session.ended_at
    return {
        "id": session.id[:SHORT],
        "window": session.device.label if session.device else None,
        "slot": session.slot,
        "live": not session.ended,
        "online": not session.ended and context.registry.sightings.online_anywhere(session),
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
    web.get("/demo/rules.js", static_file("demo/rules.js", "text/javascript", HEADERS)),
    web.get("/demo/sessions.js", static_file("demo/sessions.js", "text/javascript", HEADERS)),
    web.get("/demo/icon.svg", static_file("demo/icon.svg", "image/svg+xml", HEADERS)),
    web.post("/demo/login", login),
    web.get("/demo/sessions", sessions, allow_head=False),
)
