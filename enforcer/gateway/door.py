"""The one address of both engines: what is judged of every request before any engine sees it, and which engine does.

A client that opens a WebSocket at once goes to the direct engine; polling, and WebSockets that take over a polling
session, go to the stock one.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from enforcer import protocol
from enforcer.edge import Proxies, host_allowed, origin_allowed, secret_in_url
from enforcer.gateway.direct import DirectEngine
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import Pace
from enforcer.gateway.places import Places
from enforcer.gateway.stock import StockEngine
from enforcer.gateway.visitor import Visitor
from enforcer.gateway.wire.websocket import HandshakeError, accept_handshake
from enforcer.http1 import Opening
from enforcer.notices import Notices
from enforcer.settings import Settings

BODY_WITHIN = 10.0
"""Seconds for the body of a polling POST to arrive."""

_ORIGIN = "a page of an origin that is not allowed wanted to connect: add the origin to `origins` if it is yours"
MAX_ORIGIN = 200
"""Characters of an origin that are kept for the log."""
RETRY_AFTER = 10
"""Seconds after which a page that found no place may come back."""

_Query = Sequence[tuple[str, str]]


class _Refused(Exception):
    """A refusal before there is a socket; goes out as a problem document."""

    def __init__(self, code: str, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status or protocol.PROBLEMS[code][0]


class Door:
    """Serves `path` of an aiohttp application."""

    def __init__(
        self, hub: Hub, places: Places, notices: Notices, settings: Settings, pace: Pace, path: str = "/socket.io/"
    ) -> None:
        self._path = path
        self._places = places
        self._notices = notices
        self._stock = StockEngine(hub, places, settings, pace)
        self._direct = DirectEngine(hub, places, settings, pace)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """New origins, proxies and keys, for the next request."""
        self._settings = settings
        self._proxies = Proxies(settings.trusted_proxies)
        self._places.configure(settings)

    def attach(self, app: web.Application) -> None:
        """Adds the route."""
        app.router.add_route("*", self._path, self._handle)

    async def close(self) -> None:
        """Closes every socket with 1001 (going away), so that its page reconnects, here or elsewhere."""
        await asyncio.gather(self._direct.close(), self._stock.close())

    def admit(self, opening: Opening, transport: asyncio.Transport) -> bool:
        """Takes a connection whose first request is this one, if it is for the direct engine and nothing is wrong.

        False leaves it to `_handle`, which answers the same request the long way, and says what is wrong with it.
        """
        if opening.path != self._path:
            return False
        peer = transport.get_extra_info("peername")
        knock = _Knock(opening, peer[0] if peer else None)
        query = _query(knock.query_string)
        asked = dict(query)
        if not self._is_direct(asked):
            return False
        try:
            self._judge(knock, query)
            switching = _switching(knock, asked)
            visitor = self._visitor(knock, query)
            self._check_place(visitor)
        except _Refused:
            return False
        self._direct.admit(transport, visitor, switching)
        return True

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = _query(request.query_string)
        try:
            self._judge(request, query)
            response = await self._answer(request, query)
        except _Refused as refused:
            if refused.code == "origin-not-allowed":
                ip = self._visitor(request, query).ip
                self._notices.warn(refused.code, _ORIGIN, address=ip, origin=request.headers.get("Origin"))
            return _problem(refused)
        origin = request.headers.get("Origin")
        if not response.prepared:
            if origin is not None:
                response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response

    def _judge(self, request: "web.Request | _Knock", query: _Query) -> None:
        """Where the request comes from, and what it shows in its URL."""
        host = request.host if "Host" in request.headers else ""
        if not host_allowed(host, self._settings.hostnames):
            raise _Refused("misdirected", "this server does not answer for the host that the request names")
        if secret_in_url(name for name, _ in query) is not None:
            raise _Refused("credentials-in-url", "keys and tickets do not belong into a URL; send them in auth")
        if not origin_allowed(request.headers.get("Origin"), host, self._settings.origins):
            raise _Refused("origin-not-allowed", "pages of this origin may not connect; see the setting origins")
        if request.method == "OPTIONS":
            return
        if request.method not in ("GET", "POST"):
            raise _Refused("malformed-request", "Engine.IO knows GET and POST only")
        if all(name != "transport" for name, _ in query):
            raise _Refused("malformed-request", "the parameter transport is missing: polling or websocket")
        if ("sid", "") in query:
            raise _Refused("malformed-request", "the parameter sid is empty; the first request has none")

    async def _answer(self, request: web.Request, query: _Query) -> web.StreamResponse:
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "Content-Type"}
            return web.Response(status=204, headers=allowed)
        visitor = self._visitor(request, query)
        asked = dict(query)
        if request.method == "GET" and "websocket" in (asked["transport"], request.headers.get("Upgrade", "").lower()):
            switching = _switching(request, asked)
            if self._is_direct(asked):
                self._check_place(visitor)
                return self._direct.open(request, visitor, switching)
        if request.method == "GET" and "sid" not in asked:
            self._check_place(visitor)
        body = await self._body(request) if request.method == "POST" else b""
        return await self._stock.handle(request, visitor, body)

    def _is_direct(self, asked: dict[str, str]) -> bool:
        """Whether an opening request is for the direct engine: it takes over no polling session."""
        return "sid" not in asked and asked.get("EIO") == "4"

    def _check_place(self, visitor: Visitor) -> None:
        """Before anything of a socket is there, whichever engine would have it."""
        if not self._places.free(visitor.ip, self._proxies.known(visitor.ip)):
            raise _Refused("too-many-connections", "too many sockets are open, or too many that have not joined yet")

    def _visitor(self, request: "web.Request | _Knock", query: _Query) -> Visitor:
        return Visitor(
            self._proxies.client_ip(
                request.remote, request.headers.getall("X-Forwarded-For", ()), request.headers.getall("Forwarded", ())
            ),
            sys.intern(origin[:MAX_ORIGIN]) if (origin := request.headers.get("Origin")) is not None else None,
            {name: value for name, value in query if name in ("room", "session")} or None,
        )

    async def _body(self, request: web.Request) -> bytes:
        """The whole body, however it was cut into segments."""
        limit = self._settings.max_message_size
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_WITHIN):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit or (request.content_length or 0) > limit:
                        raise _Refused("too-large", f"at most {limit} bytes")
        except TimeoutError:
            raise _Refused("too-slow", "the body did not arrive in time") from None
        except (ConnectionError, HttpProcessingError, web.RequestPayloadError):
            raise _Refused("malformed-request", "the body broke off, or its chunks are not valid HTTP/1.1") from None
        return bytes(body)


class _Knock:
    """What is judged of a request, where aiohttp has made none of it."""

    __slots__ = ("headers", "host", "method", "path_qs", "query_string", "remote")

    def __init__(self, opening: Opening, remote: str | None) -> None:
        self.method = "GET"
        self.path_qs = f"{opening.path}?{opening.query}"
        self.query_string = opening.query
        self.headers = CIMultiDict(opening.fields)
        self.host = opening.fields["host"]
        self.remote = remote


@lru_cache(maxsize=64)
def _query(text: str) -> _Query:
    """The parameters of a query string; those that open a WebSocket are nearly always the same."""
    return tuple(parse_qsl(text, keep_blank_values=True))


def _switching(request: web.Request | _Knock, asked: dict[str, str]) -> bytes:
    """The answer to a WebSocket's opening handshake, judged the same for both engines."""
    if asked["transport"] != "websocket":
        raise _Refused("malformed-request", "a WebSocket needs transport=websocket")
    try:
        return accept_handshake(request.headers)
    except HandshakeError as error:
        raise _Refused("malformed-request", str(error), error.status) from None


def _problem(refused: _Refused) -> web.Response:
    document = protocol.problem(refused.code, refused.status, str(refused))
    headers = {"Cache-Control": "no-store"}
    if refused.code == "too-many-connections":
        headers["Retry-After"] = str(RETRY_AFTER)
    if refused.status == web.HTTPUpgradeRequired.status_code:
        headers["Sec-WebSocket-Version"] = "13"  # RFC 6455 §4.4
    body = orjson.dumps(document)
    return web.Response(body=body, status=refused.status, content_type=protocol.PROBLEM_JSON, headers=headers)
