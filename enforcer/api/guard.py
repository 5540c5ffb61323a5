"""Lets app servers and operators in: what is judged first about their calls, in the order that the API promises."""

import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from enforcer.api.auth import AuthKeys
from enforcer.api.context import CONTEXT, Context
from enforcer.api.problems import Problem, rate_limited, unauthorized
from enforcer.edge import credentials_in_url

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KeyedHandler = Callable[[web.Request, Context], Awaitable[web.StreamResponse]]


@web.middleware
async def no_credentials_in_url(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A key or a ticket in a URL ends up in logs: refused before anything else is looked at."""
    context = request.app[CONTEXT]
    if credentials_in_url(request.query, request.path_qs, context.settings.all_keys):
        raise Problem("credentials-in-url", "keys and tickets do not belong into a URL; use the Authorization header")
    return await handler(request)


def bearer(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 §2.1); None without the header, "" for another scheme."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def judge_key(
    context: Context, request: web.Request, key: str, opens: Callable[[AuthKeys, str], bool] = AuthKeys.right
) -> None:
    """Returns if the key `opens` what it is shown for.

    Raises:
        Problem: `unauthorized`, the same for every wrong key; `rate-limited` after too many.
    """
    if opens(context.authkeys, key):
        return
    wait = context.authkeys.failed(context.client_ip(request))
    if wait is not None:
        raise rate_limited(wait)
    raise unauthorized("the key is wrong")


def app_call(handler: KeyedHandler) -> Handler:
    """A call that needs the authkey in the header."""
    return _keyed(handler, AuthKeys.right, "the authkey")


def metrics_call(handler: KeyedHandler) -> Handler:
    """A call that needs the metrics_key in the header, if not the authkey."""
    return _keyed(handler, AuthKeys.may_scrape, "the authkey or the metrics_key")


def _keyed(handler: KeyedHandler, opens: Callable[[AuthKeys, str], bool], which: str) -> Handler:
    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        key = bearer(request)
        if key is None:
            raise unauthorized(f"give {which} in the header Authorization: Bearer …")
        judge_key(context, request, key, opens)
        return await handler(request, context)

    return guarded
