"""The one address of both engines: what is judged of every request before any engine sees it, and which engine does.

A client that opens a WebSocket at once goes to the direct engine; polling, and WebSockets that take over a polling
session, go to the polling engine.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from enforcer.configuration.settings import Settings
from enforcer.gateway.direct.engine import DirectEngine
from enforcer.gateway.direct.frames import HandshakeError, accept_handshake
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import Pace
from enforcer.gateway.places import Places
from enforcer.gateway.polling import PollingEngine
from enforcer.gateway.visitor import Visitor
from enforcer.http.origins import Edge, secret_in_url
from enforcer.http.plain_requests import Opening
from enforcer.http.problems import Problem
from enforcer.process.notices import Notices

BODY_WITHIN = 10.0
"""Seconds for the body of a polling POST to arrive."""

_ORIGIN = "a page of an origin that is not allowed wanted to connect: add the origin to `origins` if it is yours"
MAX_ORIGIN = 200
"""Characters of an origin that are kept for the log."""
RETRY_AFTER = 10
"""Seconds after which a page that found no place may come back."""

PATH = "/socket.io/"

_Query = Sequence[tuple[str, str]]


class Handshakes:
    """Serves `path` of an aiohttp application."""

    def __init__(self, hub: Hub, places: Places, notices: Notices, settings: Settings, edge: Edge, pace: Pace) -> None:
        self._places = places
        self._notices = notices
        self._polling = PollingEngine(hub, places, settings, pace)
        self._direct = DirectEngine(hub, places, settings, pace)
        self.configure(settings, edge)

    def configure(self, settings: Settings, edge: Edge) -> None:
        """New settings, for the next request."""
        self._settings = settings
        self._edge = edge
        self._places.configure(settings)

    def attach(self, app: web.Application) -> None:
        """Adds the route."""
        app.router.add_route("*", PATH, self._handle)

    async def close(self) -> None:
        """Closes every socket with 1001 (going away), so that its page reconnects, here or elsewhere."""
        await asyncio.gather(self._direct.close(), self._polling.close())

    def admit(self, opening: Opening, transport: asyncio.Transport, early: bytes) -> bool:
        """Takes a connection that opens a WebSocket, unless it takes over a polling session or something is wrong.

        False leaves it to `_handle`, which judges the same request again and says what is wrong with it. `early` came
        in behind the request.
        """
        if opening.path != PATH:
            return False
        peer = transport.get_extra_info("peername")
        request = _Opened(opening, peer[0] if peer else None)
        query = _query(request.query_string)
        asked = dict(query)
        if "sid" in asked or asked.get("EIO") != "4":
            return False
        if not self._edge.host_allowed(request.host) or secret_in_url(asked) is not None:
            return False
        try:
            self._judge(request, query)
            switching = _switching(request, asked)
            visitor = self._visitor(request, query)
            self._check_place(visitor)
        except Problem:
            return False
        self._direct.admit(transport, visitor, switching, early)
        return True

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """What aiohttp has read. That the host is ours and no secret is in the URL was judged as for all of HTTP."""
        query = _query(request.query_string)
        origin = request.headers.get("Origin")
        try:
            self._judge(request, query)
        except Problem as problem:
            if problem.code == "origin-not-allowed":
                address = self._visitor(request, query).ip
                self._notices.warn(problem.code, _ORIGIN, address=address, origin=origin)
            raise
        response = await self._answer(request, query)
        if not response.prepared:
            if origin is not None:
                response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response

    def _judge(self, request: "web.Request | _Opened", query: _Query) -> None:
        """Whose page it is, and whether it asks for anything that there is."""
        host = request.host if "Host" in request.headers else ""
        if not self._edge.origin_allowed(request.headers.get("Origin"), host):
            raise Problem("origin-not-allowed", "pages of this origin may not connect; see the setting origins")
        if request.method == "OPTIONS":
            return
        if request.method not in ("GET", "POST"):
            raise Problem("malformed-request", "Engine.IO knows GET and POST only")
        if all(name != "transport" for name, _ in query):
            raise Problem("malformed-request", "the parameter transport is missing: polling or websocket")
        if ("sid", "") in query:
            raise Problem("malformed-request", "the parameter sid is empty; the first request has none")

    async def _answer(self, request: web.Request, query: _Query) -> web.StreamResponse:
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "Content-Type"}
            return web.Response(status=204, headers=allowed)
        visitor = self._visitor(request, query)
        asked = dict(query)
        if request.method == "GET" and "websocket" in (asked["transport"], request.headers.get("Upgrade", "").lower()):
            _switching(request, asked)
        if request.method == "GET" and "sid" not in asked:
            self._check_place(visitor)
        body = await self._body(request) if request.method == "POST" else b""
        return await self._polling.handle(request, visitor, body)

    def _check_place(self, visitor: Visitor) -> None:
        """Before anything of a socket is there, whichever engine would have it."""
        if not self._places.free(visitor.ip, self._edge.is_own(visitor.ip)):
            raise Problem(
                "too-many-connections",
                "too many sockets are open, or too many that have not joined yet",
                headers={"Retry-After": str(RETRY_AFTER)},
            )

    def _visitor(self, request: "web.Request | _Opened", query: _Query) -> Visitor:
        return Visitor(
            self._edge.address(request.remote, request.headers),
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
                        raise Problem("too-large", f"at most {limit} bytes")
        except TimeoutError:
            raise Problem("too-slow", "the body did not arrive in time") from None
        except (ConnectionError, HttpProcessingError, web.RequestPayloadError):
            raise Problem("malformed-request", "the body broke off, or its chunks are not valid HTTP/1.1") from None
        return bytes(body)


class _Opened:
    """What is judged of a request, where aiohttp has made none of it."""

    __slots__ = ("headers", "host", "method", "path_qs", "query_string", "remote")

    def __init__(self, opening: Opening, remote: str | None) -> None:
        self.method = "GET"
        self.path_qs = f"{opening.path}?{opening.query}"
        self.query_string = opening.query
        self.headers = CIMultiDict(opening.fields)
        self.host = self.headers["host"]
        self.remote = remote


@lru_cache(maxsize=64)
def _query(text: str) -> _Query:
    """The parameters of a query string; those that open a WebSocket are nearly always the same."""
    return tuple(parse_qsl(text, keep_blank_values=True))


def _switching(request: web.Request | _Opened, asked: dict[str, str]) -> bytes:
    """The answer to a WebSocket's opening handshake, judged the same for both engines."""
    if asked["transport"] != "websocket":
        raise Problem("malformed-request", "a WebSocket needs transport=websocket")
    try:
        return accept_handshake(request.headers)
    except HandshakeError as error:
        version = {"Sec-WebSocket-Version": "13"} if error.status == web.HTTPUpgradeRequired.status_code else {}
        raise Problem("malformed-request", str(error), status=error.status, headers=version) from None  # RFC 6455 §4.4
