"""`GET /session/seen`: how a request of `enforcer doctor` has arrived here, whatever lies between.

It is shown a ticket of its own, which whoever has the authkey can make, and tells nothing about anybody else.
"""

import time

from aiohttp import web

from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT
from enforcer.api.guard import bearer, host_of
from enforcer.api.sessions import json
from enforcer.domain.errors import TicketInvalid
from enforcer.http.problems import unauthorized
from enforcer.tickets import DOCTOR


async def seen(request: web.Request) -> web.Response:
    """The host, the addresses, and both clocks: this machine's and the store's, in UTC seconds."""
    context = request.app[CONTEXT]
    parsing.query(bodies.NoQuery, request)
    try:
        context.office.check(bearer(request) or "", DOCTOR)
    except TicketInvalid as e:
        raise unauthorized(str(e), e.code) from None
    return json(
        {
            "host": host_of(request),
            "address": context.client_ip(request),
            "peer": request.remote,
            "trusted": context.edge.is_trusted(request.remote),
            "forwarded": "X-Forwarded-For" in request.headers or "Forwarded" in request.headers,
            "clock": time.time(),
            "store_clock": context.registry.now(),
        }
    )


ROUTES = (web.get("/session/seen", seen, allow_head=False),)
