"""The HTTP/1.1 front: what is wrong before there is a request is a problem document too, and never a traceback."""

import asyncio
import logging
from typing import Any

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enforcer import protocol

log = logging.getLogger(__name__)

HEADERS_WITHIN = 15.0
"""Seconds that a new connection has to send its first request's head."""


class FrontRunner(web.AppRunner):
    """Serves an application with the handler below."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _FrontServer(made.request_handler, request_factory=made.request_factory, **made._kwargs)


class _FrontServer(web.Server):
    def __call__(self) -> RequestHandler:
        return _FrontHandler(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _FrontHandler(RequestHandler):
    """One connection."""

    __slots__ = ("_head_deadline",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._head_deadline = asyncio.get_running_loop().call_later(HEADERS_WITHIN, self._cut_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_deadline.cancel()
        super().connection_lost(exc)

    def _cut_if_silent(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What could not be parsed gets a problem document that repeats nothing of it: it may hold a ticket."""
        if exc is not None and status >= 500:
            log.error("unexpected error", exc_info=exc)
        else:
            log.debug("a request that is not HTTP from %s: %r", request.remote, type(exc))
        code = "internal" if status >= 500 else "malformed-request"
        document: dict[str, Any] = protocol.problem(code, status, "the request is not valid HTTP/1.1")
        answer = web.Response(body=orjson.dumps(document), status=status, content_type=protocol.PROBLEM_JSON)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()
        return answer
