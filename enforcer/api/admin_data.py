"""What the console shows and does, under `/admin/api/`; for its own pages only, so no name here is promised.

Whoever logs in sees the rooms of the key, and may look at and end every session in them.
"""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing, webhooks
from enforcer.api.admin import LOOK_AGAIN, console_call, lasts
from enforcer.api.context import Context
from enforcer.api.guard import judge_room
from enforcer.api.logs import CSV, audit_log, session_log
from enforcer.api.sessions import explained, json, show
from enforcer.api.stream import event, stream
from enforcer.configuration.describing import in_force
from enforcer.domain.errors import SessionUnknown, StoreUnavailable
from enforcer.domain.model import Actor, ActorKind, EndReason
from enforcer.domain.permissions import Caller
from enforcer.process.tasks import cancelled


class RoomQuery(bodies.Strict):
    """Whose sessions."""

    room: bodies.Room


class SearchQuery(bodies.Strict):
    """A room or the id of a session, exactly."""

    q: str


async def overview(request: web.Request, context: Context, _: Caller) -> web.Response:
    """`GET /admin/api/overview`."""
    parsing.query(bodies.NoQuery, request)
    return json(await context.overview.told())


async def search(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /admin/api/search?q=`: the room of this name if anything is known of it, and the session with this id."""
    text = parsing.query(SearchQuery, request).q.strip()
    rooms: list[protocol.JSON] = []
    found: list[protocol.JSON] = []
    if protocol.valid_room(text) and caller.sees(text):
        live = await context.registry.list_room(text)
        known = bool(live) or await context.registry.has_history(text)
        rooms = [{"room": text, "live": len(live)}] if known else []
    if protocol.valid_session(text):
        try:
            found = [show(context, await context.registry.look(text, caller.rooms))]
        except SessionUnknown:
            found = []
    return json({"rooms": rooms, "sessions": found})


async def user(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /admin/api/user?room=`: the live sessions of a room."""
    room = parsing.query(RoomQuery, request).room
    judge_room(caller, room)
    return json({"room": room, "sessions": [show(context, s) for s in await context.registry.list_room(room)]})


async def end(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /admin/api/end`: ends one session, or all of a room; always by kind `admin`, whatever the reason."""
    body = parsing.validated(bodies.AdminEndBody, await parsing.read_json(request))
    reason, by = body.reason or EndReason.ADMIN, Actor(ActorKind.ADMIN, key=caller.name)
    registry = context.registry
    if body.room is not None:
        judge_room(caller, body.room)
        return json({"ended": list(await registry.end_all(body.room, reason, by))})
    assert body.session is not None  # one of both is there
    before = (await registry.look(body.session, caller.rooms)).session
    await registry.end(body.session, reason, by, within=caller.rooms)
    return json({"ended": [] if before.ended else [body.session]})


async def explain(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /admin/api/explain`: what a login would do now, and why."""
    body = parsing.validated(bodies.ClaimBody, await parsing.read_json(request))
    return json(await explained(context, body, caller))


async def settings(request: web.Request, context: Context, _: Caller) -> web.Response:
    """`GET /admin/api/settings`: what is in force, and where it comes from; never a secret."""
    parsing.query(bodies.NoQuery, request)
    return json({"settings": in_force(context.settings)})


async def sessions(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /admin/api/sessions`: the session log, newest start first."""
    return await session_log(request, context, caller, newest=True)


async def audit(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /admin/api/audit`: the audit log, newest first."""
    return await audit_log(request, context, caller, newest=True)


async def session_csv(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /admin/api/sessions.csv`: what a link can fetch, for which no header can be chosen."""
    return await session_log(request, context, caller, CSV, newest=True)


async def audit_csv(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /admin/api/audit.csv`, likewise."""
    return await audit_log(request, context, caller, CSV, newest=True)


async def live(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /admin/api/stream`: as `/v1/stream`, with an event `overview` every two seconds, until the session ends."""

    async def beside(saying: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        task = asyncio.ensure_future(anext(saying, None))
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                await asyncio.wait({task}, timeout=max(0.0, due - loop.time()))
                if task.done():
                    said = task.result()
                    if said is None:
                        return
                    yield said
                    task = asyncio.ensure_future(anext(saying, None))
                if loop.time() >= due:
                    due = loop.time() + LOOK_AGAIN
                    try:
                        if not await lasts(request, context):
                            return
                        hooks = await webhooks.standings(context, caller)
                        told = {"webhooks": [hook for hook in hooks if hook["state"] != "ok" or hook["dead"]]}
                        yield event("overview", await context.overview.told() | told)
                    except StoreUnavailable:
                        yield event("unavailable", {"retry_ms": round(LOOK_AGAIN * 1000)})
        finally:
            await cancelled([task])

    return await stream(request, context, caller, beside)


ROUTES = (
    web.get("/admin/api/overview", console_call(overview, by_hand=False), allow_head=False),
    web.get("/admin/api/search", console_call(search), allow_head=False),
    web.get("/admin/api/user", console_call(user), allow_head=False),
    web.get("/admin/api/sessions", console_call(sessions), allow_head=False),
    web.get("/admin/api/audit", console_call(audit), allow_head=False),
    web.get("/admin/api/sessions.csv", console_call(session_csv), allow_head=False),
    web.get("/admin/api/audit.csv", console_call(audit_csv), allow_head=False),
    web.get("/admin/api/stream", console_call(live, by_hand=False), allow_head=False),
    web.get("/admin/api/settings", console_call(settings), allow_head=False),
    web.get("/admin/api/webhooks", console_call(webhooks.listed), allow_head=False),
    web.get("/admin/api/webhooks/{name}/dead", console_call(webhooks.dead), allow_head=False),
    web.post("/admin/api/webhooks/{name}/retry", console_call(webhooks.retry)),
    web.post("/admin/api/webhooks/{name}/test", console_call(webhooks.test)),
    web.post("/admin/api/end", console_call(end)),
    web.post("/admin/api/explain", console_call(explain)),
)
