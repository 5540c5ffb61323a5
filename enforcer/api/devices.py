"""What a user sees of the own sessions, and may do about them: the list, ending others, "it wasn't me"."""

import functools

from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import Context
from enforcer.api.pages import page_call
from enforcer.api.sessions import json
from enforcer.domain import devices
from enforcer.domain.errors import ElevationRequired, NotAllowed, SessionLive, SessionUnknown
from enforcer.domain.model import Actor, ActorKind, EndReason
from enforcer.http.problems import Problem
from enforcer.tickets import Ticket

MOST_SHOWN = 100
"""Sessions of a list; `more` counts the others."""
NOTE_LIMIT = 500
"""Characters that are kept of what a user writes."""


@page_call
async def list_devices(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`GET /session/devices`: the live sessions of the page's user, those that were seen last first."""
    registry = context.registry
    own = (await registry.live(ticket.session, ticket.room)).session
    sessions = [s.session for s in await registry.list_room(own.room) if s.session.claimed or s.session.id == own.id]
    sessions.sort(key=lambda s: (s.last_seen_at, s.epoch), reverse=True)
    return json(
        {
            "sessions": [
                protocol.device_entry(s, s.id == own.id, registry.sightings.online_anywhere(s))
                for s in sessions[:MOST_SHOWN]
            ],
            "more": max(0, len(sessions) - MOST_SHOWN),
            "max_sessions": registry.rules.limits(own.slot).max_sessions,
            "may_end": _why_not(context, ticket) is None,
        }
    )


@page_call
async def end_devices(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`POST /session/devices/end`: ends another session of the user, or all others, as a log-out."""
    body = parsing.validated(bodies.DeviceEndBody, await parsing.read_json(request))
    registry = context.registry
    own = (await registry.live(ticket.session, ticket.room)).session
    refusal = _why_not(context, ticket)
    if refusal is not None and (body.session != own.id or isinstance(refusal, NotAllowed)):
        raise refusal
    if body.session is None:
        return json({"ended": list(await registry.end_others(own))})
    try:
        found = (await registry.get(body.session, own.room)).session
    except SessionUnknown as e:  # the page's own session is well: this must not read as its end
        raise Problem(e.code, str(e)) from None
    if found.ended:
        return json({"ended": []})
    by = Actor(ActorKind.PAGE, own.id, own.device)
    await registry.end(found.id, EndReason.LOGOUT, by, own.room)
    return json({"ended": [found.id]})


def _why_not(context: Context, ticket: Ticket) -> ElevationRequired | NotAllowed | None:
    """Why a page with this ticket may not end other sessions now; None if it may."""
    match context.settings.device_ends:
        case "off":
            return NotAllowed("pages may not end sessions here; see the setting device_ends")
        case "elevated" if not ticket.elevated(context.registry.now()):
            return ElevationRequired("ask for the password again, then show an elevated ticket")
        case _:
            return None


@functools.partial(page_call, ended=True)
async def report(request: web.Request, context: Context, ticket: Ticket) -> web.Response:
    """`POST /session/report`: the user of an ended session says "it wasn't me". It ends nothing; once is enough."""
    body = parsing.validated(bodies.ReportBody, await parsing.read_json(request, optional=True))
    note = None if body.note is None else devices.tidied(body.note, NOTE_LIMIT) or None
    try:
        await context.registry.report(ticket.session, ticket.room, note)
    except SessionLive:
        ticket.judge_life(context.registry.now())
        raise
    return web.Response(status=204)


ROUTES = (
    web.get("/session/devices", list_devices, allow_head=False),
    web.post("/session/devices/end", end_devices),
    web.post("/session/report", report),
)
