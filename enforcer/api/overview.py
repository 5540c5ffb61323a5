"""`GET /v1/overview`: how it goes, in one look."""

from aiohttp import web

from enforcer.api import bodies, parsing
from enforcer.api.context import Context
from enforcer.api.guard import app_call
from enforcer.api.sessions import json
from enforcer.domain.permissions import Caller, May


@app_call(May.READ)
async def overview(request: web.Request, context: Context, _: Caller) -> web.Response:
    """Of the whole server, whatever rooms the caller sees."""
    parsing.query(bodies.NoQuery, request)
    return json(await context.overview.told())


ROUTES = (web.get("/v1/overview", overview, allow_head=False),)
