"""The HTTP/1.1 front: a connection that opens a WebSocket goes to whoever takes it, requests take the short path, or
go to aiohttp.

What is wrong before there is a request is a problem document too, and never a traceback.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enforcer.api.context import CONTEXT
from enforcer.api.problems import Problem
from enforcer.api.short import ShortPath
from enforcer.http1 import Opening, opening_request, whole_request

log = logging.getLogger(__name__)

HEADERS_WITHIN = 15.0
"""Seconds that a new connection has to send its first request's head."""
MAX_HELD = 256 * 1024
"""Bytes that a client may send ahead of an answer before we stop to read."""

TakeSocket = Callable[[Opening, asyncio.Transport], bool]
"""Takes a connection over, or says that it does not."""


class FrontRunner(web.AppRunner):
    """Serves an application; `take_socket` is asked about connections that open a WebSocket with their first bytes."""

    def __init__(self, app: web.Application, take_socket: TakeSocket, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._take_socket = take_socket

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _FrontServer(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.short_path = ShortPath(self.app[CONTEXT])
        server.take_socket = self._take_socket
        return server


class _FrontServer(web.Server):
    short_path: ShortPath
    take_socket: TakeSocket

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.silent: set[_Reception] = set()

    def __call__(self) -> "_Reception":  # type: ignore[override]
        return _Reception(self)

    def handler(self) -> "_FrontHandler":
        """For a connection that asks for more than a socket."""
        return _FrontHandler(self, self.short_path, loop=asyncio.get_running_loop(), **self._kwargs)

    def pre_shutdown(self) -> None:
        for reception in list(self.silent):
            reception.close()
        super().pre_shutdown()


class _Reception(asyncio.Protocol):
    """A connection that has said nothing yet. Its first bytes say who is to have it; most sockets never see aiohttp."""

    __slots__ = ("_deadline", "_server", "_transport")

    def __init__(self, server: _FrontServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(HEADERS_WITHIN, self.close)
        self._server.silent.add(self)

    def data_received(self, data: bytes) -> None:
        self._leave()
        opening = opening_request(data)
        if opening is not None and self._server.take_socket(opening, self._transport):
            return
        handler = self._server.handler()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def close(self) -> None:
        """Ends it."""
        self._transport.abort()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._server.silent.discard(self)


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
            taken = self._short_path.take(request)
            if taken is not None:
                self._request_count += 1
                if not isinstance(taken, bytes):
                    self._answering = self._loop.create_task(self._answer(taken))
                elif self.transport is not None:
                    self._send(self.transport, taken)
                return
        super().data_received(data)

    def _send(self, transport: asyncio.Transport, answer: bytes) -> None:
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        transport.write(answer)

    async def _answer(self, work: Coroutine[Any, Any, bytes]) -> None:
        answer = await work
        self._answering = None
        if self.transport is None:  # the client has left; what it asked for is done all the same
            return
        self._send(self.transport, answer)
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
        answer = Problem(code, "the request is not valid HTTP/1.1", status=status).response()
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()
        return answer
