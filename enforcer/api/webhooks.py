"""Webhooks for operators: how each stands, its dead letters, trying again, a test."""

import logging
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import Context
from enforcer.api.guard import app_call
from enforcer.api.sessions import json
from enforcer.configuration.reading import did_you_mean
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.deliveries import Delivery
from enforcer.domain.permissions import Caller, May
from enforcer.http.problems import Problem
from enforcer.usecases.registry import new_session_id
from enforcer.webhooks.hooks import Standing

log = logging.getLogger(__name__)

HookName = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]
MessageId = Annotated[str, Field(min_length=1, max_length=256)]


class DeadQuery(bodies.Strict):
    """Which dead letters."""

    after: MessageId | None = None
    limit: Annotated[int, Field(ge=1, le=1000, strict=False)] = 100


class RetryBody(bodies.Strict):
    """Which events to try again; none: all that are dead or wait for their next try."""

    ids: Annotated[list[MessageId], Field(max_length=1000)] | None = None


async def listed(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /v1/webhooks`: how each stands."""
    parsing.query(bodies.NoQuery, request)
    return json(await standings(context, caller))


async def standings(context: Context, caller: Caller) -> list[protocol.JSON]:
    """How each webhook stands that is the caller's."""
    return [_standing(one) for one in await context.webhooks.standing() if caller.sees(one.hook.rooms)]


async def dead(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /v1/webhooks/{name}/dead`: events that no try was taken of, the oldest first."""
    hook, query = _named(context, caller, request), parsing.query(DeadQuery, request)
    found = await context.webhooks.dead(hook, query.after, query.limit)
    return json([_dead_letter(delivery) for delivery in found])


async def retry(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/webhooks/{name}/retry`: switches it on again, and tries now what has failed."""
    hook = _named(context, caller, request)
    members = await parsing.read_json(request, optional=True)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(RetryBody, members)
    retried = await context.webhooks.retry(hook, body.ids)
    log.info("webhook tried again", extra={"hook": hook.name, "events": retried, "key": caller.name or "authkey"})
    return json({"retried": retried}, 202)


async def test(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/webhooks/{name}/test`: sends a message of type `webhook.test` at once; what came of it."""
    hook = _named(context, caller, request)
    members = await parsing.read_json(request, optional=True)
    parsing.query(bodies.NoQuery, request)
    parsing.validated(bodies.NoBody, members)
    id_ = f"test_{new_session_id()}"
    answer = await context.webhooks.test(hook, id_)
    log.info("webhook tested", extra={"hook": hook.name, "taken": answer.taken, "key": caller.name or "authkey"})
    return json({"id": id_, "delivered": answer.taken, "status": answer.status, "error": answer.error})


def _named(context: Context, caller: Caller, request: web.Request) -> Webhook:
    name = request.match_info["name"]
    hook = context.webhooks.named(name)
    if hook is None or not caller.sees(hook.rooms):
        close = did_you_mean(name, [hook.name for hook in context.settings.webhooks if caller.sees(hook.rooms)])
        raise Problem("not-found", f"there is no webhook {name!r}{close}")
    return hook


def _standing(s: Standing) -> protocol.JSON:
    failing = s.state.failing_since
    return {
        "name": s.hook.name,
        "url": s.hook.url,
        "state": "off" if s.off else "ok" if failing is None else "failing",
        "lag": round(s.lag, 3),
        "failing_since": protocol.iso(failing),
        "dead": s.dead,
        "last_status": s.state.status,
    }


def _dead_letter(d: Delivery) -> protocol.JSON:
    return {
        "id": d.id,
        "at": protocol.iso(d.at),
        "room": d.room,
        "tries": d.tries,
        "last_tried_at": protocol.iso(d.tried_at),
        "last_status": d.status,
        "last_error": d.error,
        "body": orjson.Fragment(d.body),
    }


ROUTES = (
    web.get("/v1/webhooks", app_call(May.ADMIN)(listed), allow_head=False),
    web.get("/v1/webhooks/{name}/dead", app_call(May.ADMIN)(dead), allow_head=False),
    web.post("/v1/webhooks/{name}/retry", app_call(May.ADMIN)(retry)),
    web.post("/v1/webhooks/{name}/test", app_call(May.ADMIN)(test)),
)
