"""The console at `/admin`: its page, and who has logged in to it.

A key that may `admin` is exchanged for a cookie, so that it is typed once and kept nowhere. What the page then asks is
under `/admin/api/` (`admin_data`). Cross-site requests are kept out three times: by `SameSite=Strict`, by a token that
each change must show, and by its `Origin`.
"""

import functools
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import Handler, host_of
from enforcer.api.sessions import json
from enforcer.api.site import static_file
from enforcer.domain.errors import NotAllowed
from enforcer.domain.permissions import Caller, May, why_not
from enforcer.http.console_cookies import LIFETIME, NAME, ConsoleSession, renewed
from enforcer.http.cookies import cookies_called
from enforcer.http.problems import Problem, rate_limited, unauthorized

PREFIX = "/admin"
MAX_FAILURES = 5
"""Wrong keys of one address in a minute. Who types a key needs no more, and applications log in elsewhere."""
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_WRONG_KEY = "a wrong key was shown to log in to the console"

LOOK_AGAIN = 2.0
"""Seconds between two looks whether the session of an open stream still lasts."""

ConsoleHandler = Callable[[web.Request, Context, Caller], Awaitable[web.StreamResponse]]


# ---- who asks ------------------------------------------------------------------------------------


def console_call(handler: ConsoleHandler, *, by_hand: bool = True) -> Handler:
    """A call of the page: 401 without a cookie that is good, 403 for a change without its token or of another origin.

    `by_hand`: somebody has done something, so the session lasts on, unless the page says that it asks by itself.
    """

    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        context = _switched_on(request)
        session, caller = await _whose(request, context)
        if request.method != "GET":
            _judge_change(request, context, session)
        response = await handler(request, context, caller)
        itself = not by_hand or request.headers.get("X-Console") == "live"
        fresh = None if itself else renewed(session, context.registry.now())
        if fresh is not None and not response.prepared:
            _hand_out(request, context, response, fresh)
        return response

    return guarded


def _switched_on(request: web.Request) -> Context:
    context = request.app[CONTEXT]
    if not context.settings.admin:
        raise web.HTTPNotFound
    return context


async def _whose(request: web.Request, context: Context) -> tuple[ConsoleSession, Caller]:
    cookies = cookies_called(NAME, request.headers.getall("Cookie", ()))
    found = context.cookies.read(cookies[0], context.registry.now()) if len(cookies) == 1 else None
    if found is None or await context.registry.remembered(_ended(found[0])):
        raise unauthorized("log in to the console first")
    return found


async def lasts(request: web.Request, context: Context) -> bool:
    """Whether the session that has begun this request has not ended since."""
    try:
        await _whose(request, context)
    except Problem:
        return False
    return context.settings.admin


def _ended(session: ConsoleSession) -> str:
    """The name that is kept of a session that was logged out, as long as its cookie could be shown again."""
    return f"console:{session.id}"


def _judge_change(request: web.Request, context: Context, session: ConsoleSession) -> None:
    _judge_origin(request, context, request.headers.get("Origin", "none"))
    if not context.cookies.csrf_right(session, request.headers.get("X-CSRF-Token", "")):
        raise NotAllowed("the header X-CSRF-Token is missing or wrong; GET /admin/session tells it")


def _judge_origin(request: web.Request, context: Context, origin: str) -> None:
    """The origin of a change is that of the console itself, whatever pages of others may do here."""
    parts = urlsplit(origin)
    host = _forwarded(request, context, "X-Forwarded-Host") or host_of(request)
    default = ":443" if parts.scheme == "https" else ":80"
    same = parts.netloc.lower().removesuffix(default) == host.lower().removesuffix(default)
    if parts.scheme not in ("http", "https") or not same or (_is_https(request, context) and parts.scheme != "https"):
        raise Problem("origin-not-allowed", f"a change comes from the console's own pages, not from origin {origin!r}")


def _forwarded(request: web.Request, context: Context, name: str) -> str | None:
    """What a trusted proxy says in this header."""
    values = request.headers.getall(name, ())
    return values[0].strip() if len(values) == 1 and context.edge.is_trusted(request.remote) else None


def _is_https(request: web.Request, context: Context) -> bool:
    return request.secure or _forwarded(request, context, "X-Forwarded-Proto") == "https"


# ---- logging in and out --------------------------------------------------------------------------


async def login(request: web.Request) -> web.StreamResponse:
    """`POST /admin/login`: the form field `key`, for a cookie and what `GET /admin/session` tells."""
    context = _switched_on(request)
    ip = context.client_ip(request)
    if (origin := request.headers.get("Origin")) is not None:
        _judge_origin(request, context, origin)
    for guesses in (context.guesses, context.authkeys):
        if (wait := guesses.refused(ip)) is not None:
            raise rate_limited(wait)
    form = parsing.validated(bodies.AdminLoginForm, await parsing.read_form(request))
    parsing.query(bodies.NoQuery, request)
    caller = context.authkeys.caller(form.key)
    if caller is None:
        context.notices.warn("wrong-key", _WRONG_KEY, address=ip, origin=origin)
        waits = [guesses.failed(ip) for guesses in (context.guesses, context.authkeys)]
        if (wait := max((w for w in waits if w is not None), default=None)) is not None:
            raise rate_limited(wait)
        raise unauthorized("the key is wrong")
    context.guesses.accepted(ip)
    if (missing := why_not(caller, May.ADMIN)) is not None:
        raise NotAllowed(missing)
    await context.registry.ping()  # a session that could not be looked up would be none
    session = context.cookies.begin(secrets.token_urlsafe(16), form.key, context.registry.now())
    response = json(_told(context, session, caller))
    _hand_out(request, context, response, session)
    return response


def _told(context: Context, session: ConsoleSession, caller: Caller) -> protocol.JSON:
    return {
        "key": caller.name or "authkey",
        "csrf": context.cookies.csrf(session),
        "expires_in": round(session.ends_in(context.registry.now()), 3),
    }


def _hand_out(request: web.Request, context: Context, response: web.StreamResponse, session: ConsoleSession) -> None:
    response.set_cookie(
        NAME,
        context.cookies.cookie(session),
        path=PREFIX,
        max_age=int(session.lasts(context.registry.now())),
        httponly=True,
        samesite="Strict",
        secure=_is_https(request, context),
    )


async def who_am_i(request: web.Request) -> web.StreamResponse:
    """`GET /admin/session`: which key has logged in, the token for changes, and for how long. Asking adds nothing."""
    context = _switched_on(request)
    session, caller = await _whose(request, context)
    parsing.query(bodies.NoQuery, request)
    return json(_told(context, session, caller))


async def logout(request: web.Request) -> web.StreamResponse:
    """`POST /admin/logout`: the cookie is worth nothing any more, wherever a copy of it is."""
    context = _switched_on(request)
    session, _ = await _whose(request, context)
    _judge_change(request, context, session)
    await context.registry.remember(_ended(session), LIFETIME)
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    response.del_cookie(NAME, path=PREFIX, httponly=True, samesite="Strict", secure=_is_https(request, context))
    return response


# ---- the page ------------------------------------------------------------------------------------


def _file(name: str, content_type: str) -> Handler:
    answer = static_file(f"console/{name}", content_type, PAGE_HEADERS)

    async def handler(request: web.Request) -> web.StreamResponse:
        _switched_on(request)
        return await answer(request)

    return handler


ROUTES = (
    web.post("/admin/login", login),
    web.post("/admin/logout", logout),
    web.get("/admin/session", who_am_i, allow_head=False),
    web.get("/admin", _file("index.html", "text/html")),
    web.get("/admin/", _file("index.html", "text/html")),
    web.get("/admin/console.js", _file("console.js", "text/javascript")),
    web.get("/admin/console.css", _file("console.css", "text/css")),
    web.get("/admin/icon.svg", _file("icon.svg", "image/svg+xml")),
)
