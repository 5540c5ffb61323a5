"""The calls of pages, by their ticket: a way to the same truth where sockets are blocked."""

import functools
import math
from collections.abc import Awaitable, Callable

from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import Handler, bearer, host_of
from enforcer.api.sessions import json
from enforcer.domain.deadlines import warn_before
from enforcer.domain.errors import SessionEnded, SessionUnknown, TicketExpired, TicketInvalid
from enforcer.domain.model import Snapshot
from enforcer.http.problems import problem_of, rate_limited, unauthorized
from enforcer.tickets import PAGE, Ticket

PREFIX = "/session/"
_ORIGIN = "a page of an origin that is not allowed wanted to ask: add the origin to `origins` if it is yours"
_TICKET = "a ticket that this server has not made was shown: both need one authkey, or the page is another server's"

_KINDS = {
    "status": protocol.EVENT_CHECK,
    "activity": protocol.EVENT_ACTIVITY,
    "logout": protocol.EVENT_LOGOUT,
}
"""The events that mean the same: they share a rate. Of any other call the name is its kind."""

PageHandler = Callable[[web.Request, Context, Ticket], Awaitable[web.Response]]


def page_call(handler: PageHandler, *, ended: bool = False) -> Handler:
    """A call that needs a page ticket. For a page, every refusal of its session or ticket is 401.

    With `ended` it is for sessions that have ended, whose tickets may have expired.
    """

    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        token = bearer(request)
        if token is None:
            raise unauthorized("give the page's ticket in the header Authorization: Bearer …")
        parsing.query(bodies.NoQuery, request)
        try:
            ticket = context.office.check(token, PAGE)
            call = request.path.removeprefix(PREFIX)
            wait = context.pages.wait(ticket.session, _KINDS.get(call, call))
            if wait is not None:
                raise rate_limited(wait, "this session's pages ask too often", retry_ms=math.ceil(wait * 1000))
            now = context.registry.now()
            if ticket.expired(now) and not ended:
                await context.registry.live(ticket.session, ticket.room)  # that it has ended is the better answer
                ticket.judge_life(now)
            return await handler(request, context, ticket)
        except SessionEnded as e:
            context.registry.sightings.refused(e.session)
            told = protocol.force_logout_payload(e.session, context.settings.redirects)
            raise unauthorized(str(e), e.code, **told) from None
        except (TicketInvalid, TicketExpired, SessionUnknown) as e:
            if isinstance(e, TicketInvalid):
                context.notices.warn(
                    e.code, _TICKET, address=context.client_ip(request), origin=request.headers.get("Origin")
                )
            raise unauthorized(str(e), e.code) from None

    return guarded


@page_call
async def status(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`GET /session/status`: is my session alive? Asking never keeps it so."""
    return _answer(context, ticket, await context.pages.check(ticket.session, ticket.room))


@page_call
async def activity(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`POST /session/activity`: the human did something."""
    body = parsing.validated(bodies.PageActivityBody, await parsing.read_json(request, optional=True))
    return _answer(context, ticket, await context.pages.activity(ticket.session, ticket.room, body.idle_for_ms))


@page_call
async def logout(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`POST /session/logout`: the human logs out here, or everywhere. An ended session ends nobody."""
    body = parsing.validated(bodies.PageLogoutBody, await parsing.read_json(request, optional=True))
    session = (await context.pages.check(ticket.session, ticket.room)).session
    await context.pages.log_out(session, body.everywhere)
    return web.Response(status=204)


async def preflight(request: web.Request) -> web.Response:
    """What a browser asks first about a cross-origin call (Fetch standard, CORS preflight)."""
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        },
    )


@web.middleware
async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets pages of the configured origins read the answers of `/session/*`, errors included.

    Others get the same answers without the headers, which their browser then keeps from them.
    """
    if not request.path.startswith(PREFIX):
        return await handler(request)
    try:
        response = await handler(request)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        response = problem.response()
    origin = request.headers.get("Origin")
    context = request.app[CONTEXT]
    if origin is not None and context.edge.origin_allowed(origin, host_of(request)):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    elif origin is not None:
        context.notices.warn("origin-not-allowed", _ORIGIN, address=context.client_ip(request), origin=origin)
    response.headers["Vary"] = "Origin"
    return response


def _answer(context: Context, ticket: Ticket, snapshot: Snapshot) -> web.Response:
    now = context.registry.now()
    fresh = context.office.renewed(ticket, snapshot.session.absolute_at, now)
    warning = warn_before(snapshot.session, context.registry.rules)
    return json(protocol.session_payload(snapshot, warning, now, fresh))


ROUTES = (
    web.get("/session/status", status, allow_head=False),
    web.post("/session/activity", activity),
    web.post("/session/logout", logout),
    web.options("/session/{call:status|activity|logout|devices|devices/end|report}", preflight),
)
