"""`/forward-auth`: a reverse proxy asks for each request whether its session is live.

The proxy sends what the browser sent, or a part of it, and acts on the status. So the answers are small, never cached,
and always carry all the identity headers, empty if there is nothing to say: whatever the browser sent under these
names is overwritten.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from aiohttp import web

from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import bearer, host_of
from enforcer.configuration.settings import ForwardAuth
from enforcer.domain.errors import SessionEnded, SessionUnknown, StoreUnavailable, TicketExpired, TicketInvalid
from enforcer.domain.model import Session
from enforcer.http.cookies import cookies_called
from enforcer.http.origins import origin_allowed
from enforcer.http.plain_requests import FORWARD_AUTH
from enforcer.http.problems import RETRY_AFTER, Problem
from enforcer.protocol import PROBLEMS
from enforcer.tickets import PROXY, Ticket

OPTIONS = {"on_refused": ("302",), "on_unavailable": ("401", "403"), "activity": ("1",)}
"""What the query of the exact path may say. Below it the query is the visitor's."""
_FOREIGN = "a ticket that this server has not made came through the reverse proxy: both need one authkey"


async def forward_auth(request: web.Request) -> web.Response:
    """Any method, this path and everything below it. The body is never read."""
    context = request.app[CONTEXT]
    setting = context.settings.forward_auth
    if setting is None:
        raise web.HTTPNotFound
    options = _options(request) if request.path == FORWARD_AUTH else {}
    outcomes = context.metrics.forward_auth
    try:
        ticket = _ticket(context, setting, request)
        session = await _judged(context, ticket, setting.activity or "activity" in options)
    except StoreUnavailable:
        outcomes["unavailable"].inc()
        status = int(options.get("on_unavailable", 503))
        return _answer(status, "unavailable", headers={"Retry-After": str(RETRY_AFTER)})
    except (SessionEnded, SessionUnknown, TicketInvalid, TicketExpired) as error:
        outcomes["refused"].inc()
        ended = error.session if isinstance(error, SessionEnded) else None
        if ended is not None:
            context.registry.sightings.refused(ended)
        target = login_address(context, setting, ended)
        if "on_refused" in options and target:
            return _answer(302, error.code, target, {"Location": _with_return(context, request, target)})
        return _answer(401, error.code, target)
    outcomes["allowed"].inc()
    return web.Response(headers=identity(session))


def identity(session: Session | None) -> dict[str, str]:
    """The headers that tell the application who it is; rooms in percent-encoded UTF-8 (RFC 3986 §2.1)."""
    return {
        "X-Enforcer-Session": "" if session is None else session.id,
        "X-Enforcer-Room": "" if session is None else quote(session.room, safe=""),
        "X-Enforcer-Slot": "" if session is None else session.slot or "",
        "Cache-Control": "no-store",
    }


def login_address(context: Context, setting: ForwardAuth, session: Session | None) -> str:
    """Where a visitor without a live session may log in: by the entry of the one that has ended; "" for nowhere."""
    redirects = context.settings.redirects
    known = None if session is None else redirects.get(session.entry or "direct")
    return known or setting.login_url or ""


def proxy_ticket(name: str, cookie_fields: list[str], token: str | None) -> str:
    """The credential: the cookie of this name, or without one the bearer token.

    Raises:
        TicketInvalid: there is none, or there are two cookies, of which nobody can know which is the browser's own.
    """
    found = cookies_called(name, cookie_fields)
    if len(found) > 1:
        raise TicketInvalid(f"two cookies are called {name}")
    if found:
        return found[0]
    if not token:
        raise TicketInvalid(f"there is no cookie {name} and no bearer token")
    return token


def _ticket(context: Context, setting: ForwardAuth, request: web.Request) -> Ticket:
    shown = proxy_ticket(setting.cookie, request.headers.getall("Cookie", []), bearer(request))
    try:
        return context.office.check(shown, PROXY)
    except TicketInvalid as error:
        context.notices.warn(error.code, _FOREIGN, address=context.client_ip(request))
        raise


async def _judged(context: Context, ticket: Ticket, activity: bool) -> Session:
    """The live session; that it has ended is a better answer than that the ticket has expired."""
    registry = context.registry
    session = (await registry.live(ticket.session, ticket.room)).session
    ticket.judge_life(registry.now())
    if activity:
        session = (await registry.activity(ticket.session, ticket.room)).session
    return session


def _options(request: web.Request) -> Mapping[str, str]:
    """The query of the exact path, which the operator has written into the proxy's configuration."""
    try:
        given = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise Problem("invalid-request", "the query has too many options") from None
    for name, value in given:
        if value not in OPTIONS.get(name, ()):
            known = "; ".join(f"{option}={'|'.join(values)}" for option, values in OPTIONS.items())
            raise Problem("invalid-request", f"an option of {FORWARD_AUTH} is not known; there are {known}")
    return dict(given)


def _with_return(context: Context, request: web.Request, target: str) -> str:
    """The target with `return_to`, the address that was asked for, if a trusted proxy names it and it is a page of
    ours: anything else would send people anywhere (open redirect)."""
    headers = request.headers
    scheme, host, path = (headers.getall(f"X-Forwarded-{part}", []) for part in ("Proto", "Host", "Uri"))
    if len(scheme) != 1 or len(host) != 1 or len(path) != 1 or not context.edge.is_trusted(request.remote):
        return target
    wanted = f"{scheme[0]}://{host[0]}{path[0]}"
    if not _is_ours(wanted, scheme[0], host[0], path[0], host_of(request), context.settings.origins):
        return target
    separator = "&" if urlsplit(target).query else "?"
    address, hash_, fragment = target.partition("#")
    return address + separator + urlencode({"return_to": wanted}) + hash_ + fragment


def _is_ours(wanted: str, scheme: str, host: str, path: str, asked: str, origins: object) -> bool:
    if (
        scheme not in ("http", "https")
        or path[:1] != "/"
        or path[:2] == "//"
        or not wanted.isascii()
        or not wanted.isprintable()
    ):
        return False
    if any(sign in wanted for sign in '\\ "<>'):
        return False
    try:
        split = urlsplit(wanted)
        if split.netloc != host or split.username is not None or split.port == 0:
            return False
    except ValueError:
        return False
    usual = split.port == {"http": 80, "https": 443}[scheme]  # a port that an origin leaves out (RFC 6454 §4)
    origin = f"{scheme}://{host.rpartition(':')[0] if usual else host}".lower()
    return host.lower() == asked.lower() or (isinstance(origins, tuple) and origin_allowed(origin, asked, origins))


def _answer(status: int, code: str, redirect: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    said = {**identity(None), "X-Enforcer-Code": code, "X-Enforcer-Redirect": redirect, **(headers or {})}
    return web.Response(status=status, text=f"{PROBLEMS[code][1]}\n" if status != 302 else "", headers=said)


async def _go_on(_: web.Request) -> None:
    """A client that waits for a 100 before it sends its body waits for nothing: no body is wanted."""


ROUTES = (
    web.route("*", FORWARD_AUTH, forward_auth, expect_handler=_go_on),
    web.route("*", FORWARD_AUTH + "/{path:.*}", forward_auth, expect_handler=_go_on),
)
