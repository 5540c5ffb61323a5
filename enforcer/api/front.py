"""The HTTP/1.1 front: hands each request to the short path or to aiohttp.

What is wrong before there is a request is a problem document too, and never a traceback.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enforcer import protocol
from enforcer.api.context import CONTEXT
from enforcer.api.http1 import whole_request
from enforcer.api.short import ShortPath

log = logging.getLogger(__name__)

HEADERS_WITHIN = 15.0
"""Seconds that a new connection has to send its first request's head."""
MAX_HELD = 256 * 1024
"""Bytes that a client may send ahead of an answer before we stop to read."""


class FrontRunner(web.AppRunner):
    """Serves an application with the handler below."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _FrontServer(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.short_path = ShortPath(self.app[CONTEXT])
        return server


class _FrontServer(web.Server):
    short_path: ShortPath

    def __call__(self) -> RequestHandler:
        return _FrontHandler(self, self.short_path, loop=asyncio.get_running_loop(), **self._kwargs)


class _FrontHandler(RequestHandler):
    """One connection.

    A request that came whole and plain may take the short path, but only while aiohttp has nothing to do: answers go
    out in the order of their requests. After anything else has come, aiohttp alone knows where a request begins, and
    keeps the connection.
    """

    __slots__ = ("_answering", "_head_deadline", "_held", "_in_step", "_short_path")

    def __init__(self, manager: _FrontServer, short_path: ShortPath, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._short_path = short_path
        self._in_step = True
        self._held = b""
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self._answering is not None:
            self._held += data
            if len(self._held) > MAX_HELD and self.transport is not None:
                self.transport.pause_reading()
            return
        request = whole_request(data) if self._in_step else None
        self._in_step = request is not None
        if request is not None and not self._messages and not self._request_in_progress and not self._force_close:
            work = self._short_path.take(request)
            if work is not None:
                self._request_count += 1
                self._answering = self._loop.create_task(self._answer(work))
                return
        super().data_received(data)

    async def _answer(self, work: Coroutine[Any, Any, bytes]) -> None:
        answer = await work
        self._answering = None
        if self.transport is None:  # the client has left; what it asked for is done all the same
            return
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        self.transport.write(answer)
        held, self._held = self._held, b""
        if held:
            if len(held) > MAX_HELD:
                self.transport.resume_reading()
            self.data_received(held)

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        if self._answering is not None:
            await asyncio.wait({self._answering}, timeout=timeout)
        await super().shutdown(timeout)

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
