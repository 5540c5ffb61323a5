"""What is counted of HTTP, and where Prometheus fetches it."""

import time
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import Handler, app_call
from enforcer.api.sessions import NO_STORE
from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.permissions import Caller, May

UNMATCHED = "unmatched"
"""The route of a request that none is for."""


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts and times each answer by the template of its route.

    A connection that becomes a WebSocket is a socket, which may last for days, and no answer.
    """
    began = time.perf_counter()
    try:
        response = await handler(request)
    except web.HTTPException as redirect:
        _answered(request, redirect.status, began)
        raise
    if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
        _answered(request, response.status, began)
    return response


def _answered(request: web.Request, status: int, began: float) -> None:
    resource = request.match_info.route.resource
    route = UNMATCHED if resource is None else resource.canonical
    request.app[CONTEXT].metrics.answered(request.method, route, status, began)


@app_call(May.METRICS)
async def scrape(request: web.Request, context: Context, _: Caller) -> web.Response:
    """`GET /metrics`: everything that is counted, in Prometheus' text format."""
    parsing.query(bodies.NoQuery, request)
    try:
        await context.registry.ping()
        context.metrics.open_sessions.set(await context.overview.open_sessions())
        context.metrics.store_up.set(1)
    except StoreUnavailable:
        context.metrics.store_up.set(0)
    headers = {**NO_STORE, "Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
    return web.Response(body=await context.metrics.exposition(), headers=headers)


ROUTES = (web.get("/metrics", scrape, allow_head=False),)
