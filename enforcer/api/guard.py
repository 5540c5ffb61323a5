"""Lets app servers and operators in: what is judged first about their calls, in the order that the API promises."""

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web

from enforcer.api import parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.domain.errors import NotAllowed
from enforcer.domain.permissions import Caller, May, why_not, why_not_room
from enforcer.http.origins import TICKET_PARAMETERS, secret_in_url
from enforcer.http.plain_requests import FORWARD_AUTH
from enforcer.http.problems import Problem, head_too_large, rate_limited, unauthorized

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KeyedHandler = Callable[[web.Request, Context, Caller], Awaitable[web.StreamResponse]]


HEALTH = ("/healthz", "/readyz")
KEYED = ("/notify", "/v1/", "/metrics", "/signals/")
"""How the paths begin whose calls show a key, which is judged before the body."""

INTERNAL = (*KEYED, FORWARD_AUTH, "/admin", "/docs", "/openapi.json")
"""How the paths begin that `internal_port` takes away from `port`."""

_WRONG_KEY = "a wrong key was shown: give the application the authkey of this server's configuration"
_KEY_IN_URL = "a key was shown in a URL, which ends up in logs: send it in the Authorization header, and change the key"
_REFUSED = "an address is refused for a minute after its many wrong keys: mend the application that shows them"
_MISDIRECTED = "a request named a host that is not in `hostnames`: add the name if it is yours"


def host_of(request: web.Request) -> str:
    """The host that a request names; "" if none, for which aiohttp would ask the system, which may take long."""
    return request.host if "Host" in request.headers else ""


@web.middleware
async def internal_port(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Where app servers have a port of their own, the other one serves pages alone."""
    if request.path.startswith(INTERNAL) and not request.app[CONTEXT].is_internal(request):
        raise web.HTTPNotFound
    return await handler(request)


@web.middleware
async def known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A name that is not ours may be another site's that was made to lead here (DNS rebinding). Health is for all."""
    context = request.app[CONTEXT]
    if request.path not in HEALTH and not context.edge.host_allowed(host_of(request)):
        context.notices.warn("misdirected", _MISDIRECTED, address=context.client_ip(request), host=host_of(request))
        raise Problem("misdirected", "this server does not answer for the host that the request names")
    return await handler(request)


@web.middleware
async def bounded_head(request: web.Request, handler: Handler) -> web.StreamResponse:
    """aiohttp's parser has a limit for each line, and for their number; here all of them count."""
    limit = request.app[CONTEXT].settings.max_header_size
    if sum(len(name) + len(value) + 4 for name, value in request.raw_headers) + len(request.path_qs) > limit:
        raise head_too_large(limit)
    return await handler(request)


@web.middleware
async def no_encoded_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Where no key is judged first, a body that would have to be unpacked is refused at once, if it is wanted."""
    if not request.path.startswith((*KEYED, FORWARD_AUTH)):
        parsing.refuse_encoded(request)
    return await handler(request)


@web.middleware
async def no_credentials_in_url(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A key or a ticket in a URL ends up in logs: refused before anything else is looked at.

    A key counts as a wrong one, be it right or wrong, and the answer is the same: else it could be guessed here.
    """
    if request.path.startswith(FORWARD_AUTH + "/"):  # a visitor's own address, which is not ours to judge
        return await handler(request)
    name = secret_in_url(request.query)
    if name is None:
        return await handler(request)
    context = request.app[CONTEXT]
    raise _in_url() if name in TICKET_PARAMETERS else _failure(context, request, _in_url(), "key-in-url", _KEY_IN_URL)


def _in_url() -> Problem:
    return Problem("credentials-in-url", "keys and tickets do not belong into a URL; use the Authorization header")


def _failure(context: Context, request: web.Request, problem: Problem, kind: str, remedy: str) -> Problem:
    """Counts a wrong key and says so in the log; the problem, or that there were too many."""
    ip = context.client_ip(request)
    context.notices.warn(kind, remedy, address=ip, origin=request.headers.get("Origin"))
    wait = context.authkeys.failed(ip)
    return problem if wait is None else rate_limited(wait)


def bearer(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 §2.1); None without the header, "" for another scheme."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def judge_key(context: Context, request: web.Request, key: str, *opening: May) -> Caller:
    """Whose key it is, if it may make a call that any of `opening` opens.

    Raises:
        Problem: `unauthorized`, the same for every wrong key; `rate-limited` after too many, for right ones too where
            the address has shown none before; `credentials-in-url` for a right one that stands in the URL as well.
        NotAllowed: it is a key of ours that is not for this.
    """
    keys, ip = context.authkeys, context.client_ip(request)
    wait = keys.refused(ip)
    if wait is not None:
        context.notices.warn("address-refused", _REFUSED, address=ip)
        raise rate_limited(wait)
    caller = keys.caller(key)
    if caller is None:
        raise _failure(context, request, unauthorized("the key is wrong"), "wrong-key", _WRONG_KEY)
    keys.accepted(ip)
    if key in unquote(request.path_qs):  # who knows the key may be told so
        raise _failure(context, request, _in_url(), "key-in-url", _KEY_IN_URL)
    missing = why_not(caller, *opening)
    if missing is not None:
        raise NotAllowed(missing)
    return caller


def judge_room(caller: Caller, room: str | None) -> None:
    """Returns if the caller may name this room, or names none. Raises `NotAllowed`."""
    missing = None if room is None else why_not_room(caller, room)
    if missing is not None:
        raise NotAllowed(missing)


def app_call(*opening: May) -> Callable[[KeyedHandler], Handler]:
    """A call that needs a key in the header that may do any of `opening`."""

    def keyed(handler: KeyedHandler) -> Handler:
        @functools.wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            context = request.app[CONTEXT]
            key = bearer(request)
            if key is None:
                raise unauthorized("give a key in the header Authorization: Bearer …")
            caller = judge_key(context, request, key, *opening)
            parsing.refuse_encoded(request)
            return await handler(request, context, caller)

        return guarded

    return keyed
