"""The HTTP/1.1 front: a connection that opens a WebSocket goes to whoever takes it, plain requests get fast answers, or
go to aiohttp.

What is wrong before there is a request is a problem document too, and never a traceback.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any, cast

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler

from enforcer.api.context import CONTEXT, Context
from enforcer.api.fast_answers import FastAnswers
from enforcer.http.plain_requests import Opening, opening_request, whole_request
from enforcer.http.problems import Problem, head_too_large
from enforcer.process.descriptors import Descriptors

log = logging.getLogger(__name__)

HEAD_WITHIN = 15.0
"""Seconds for the head of a request to arrive, from its first byte; of the first one, from the opening of the
connection to its first byte, and again to its last."""
KEEP_ALIVE = 75.0
"""Seconds that a connection may be idle between two requests; as nginx has it for its clients."""
UNREAD_WITHIN = 30.0
"""Seconds that an answer may wait for a client that does not read on."""
REFUSED_WITHIN = 2.0
"""Seconds for the request on a connection that there is no place for."""
MAX_WAITING = 20_000
"""Connections that are not sockets; one more, and one that is idle makes way: each of them takes some kilobytes."""
MAX_SURPLUS = 8
"""Connections that there is no place for; one more, and the first of them goes."""
MAX_HELD = 256 * 1024
"""Bytes that a client may send ahead of an answer before we stop to read."""
_LOOKED_AT = 256
"""Connections that are compared to find one that has been idle for long."""
_HEALTH = (b"GET /healthz ", b"GET /readyz ", b"HEAD /healthz ", b"HEAD /readyz ")
"""How the requests begin that are answered as long as there is one descriptor."""

TakeSocket = Callable[[Opening, asyncio.Transport], bool]
"""Takes a connection over, or says that it does not."""
_FROM_OUTSIDE = (ConnectionError, HttpProcessingError, TimeoutError, web.PayloadAccessError, web.RequestPayloadError)
"""What a client can raise in aiohttp."""


class ConnectionsRunner(web.AppRunner):
    """Serves an application; `take_socket` is asked about connections that open a WebSocket with their first bytes."""

    def __init__(self, app: web.Application, take_socket: TakeSocket, descriptors: Descriptors, **kwargs: Any) -> None:
        no_limit = app[CONTEXT].settings.max_header_size + MAX_HELD  # of a line: here the whole head counts
        super().__init__(
            app,
            keepalive_timeout=KEEP_ALIVE,
            auto_decompress=False,  # nobody may send compressed bodies
            max_line_size=no_limit,
            max_field_size=no_limit,
            **kwargs,
        )
        self._take_socket = take_socket
        self._descriptors = descriptors

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Connections(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.context = self.app[CONTEXT]
        server.fast_answers = FastAnswers(server.context)
        server.take_socket = self._take_socket
        server.descriptors = self._descriptors
        return server


class _Connections(web.Server):
    context: Context
    fast_answers: FastAnswers
    take_socket: TakeSocket
    descriptors: Descriptors

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: dict[_NewConnection | _Connection, None] = {}
        """Connections that are not sockets, those first that were opened first or looked at longest ago."""
        self.surplus: dict[asyncio.Transport, None] = {}
        """Connections that there is no place for, and that may only ask for health; likewise."""

    def __call__(self) -> "_NewConnection":  # type: ignore[override]
        return _NewConnection(self)

    def handler(self) -> "_Connection":
        """For a connection that asks for more than a socket."""
        return _Connection(self, self.fast_answers, loop=asyncio.get_running_loop(), **self._kwargs)

    def room_for_one(self) -> bool:
        """Whether a new connection can stay. When descriptors are scarce, one that has been idle for long goes."""
        scarce = self.descriptors.scarce()
        if scarce:
            self._warn()
        elif len(self.waiting) < MAX_WAITING:
            return True
        oldest = self._longest_idle()
        if oldest is None:
            return not scarce
        del self.waiting[oldest]
        oldest.close_idle()
        return True

    def _longest_idle(self) -> "_NewConnection | _Connection | None":
        """Of some that were not looked at lately; those that wait for an answer are put behind."""
        idle = []
        for connection in list(islice(self.waiting, _LOOKED_AT)):
            if connection.idle_since is None:
                del self.waiting[connection]
                self.waiting[connection] = None
            else:
                idle.append(connection)
        return min(idle, key=lambda connection: connection.idle_since or 0.0, default=None)

    def _warn(self) -> None:
        self.context.notices.warn(
            "descriptors",
            "open files run out: idle connections are closed, new ones may be refused;"
            " raise the limit (LimitNOFILE= of systemd, ulimits of a container)",
            limit=str(self.descriptors.limit),
        )

    def bear(self, transport: asyncio.Transport) -> None:
        """A connection beyond what there is place for: it has a part of the reserve until others want it."""
        self.surplus[transport] = None
        if len(self.surplus) > MAX_SURPLUS:
            oldest = next(iter(self.surplus))
            del self.surplus[oldest]
            oldest.abort()

    def pre_shutdown(self) -> None:
        for connection in list(self.waiting):
            if isinstance(connection, _NewConnection):
                connection.close_idle()
        super().pre_shutdown()


class _NewConnection(asyncio.Protocol):
    """A connection that has said nothing yet. Its first bytes say who is to have it; most sockets never see aiohttp."""

    __slots__ = ("_deadline", "_refused", "_server", "_transport", "idle_since")

    def __init__(self, server: _Connections) -> None:
        self._server = server
        self.idle_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._refused = not self._server.room_for_one()
        if self._refused:
            self._server.bear(self._transport)
        self._deadline = loop.call_later(REFUSED_WITHIN if self._refused else HEAD_WITHIN, self.close_idle)
        self.idle_since = loop.time()
        self._server.waiting[self] = None

    def data_received(self, data: bytes) -> None:
        self._leave()
        self._server.surplus.pop(self._transport, None)
        if self._refused and not data.startswith(_HEALTH):
            full = Problem("too-many-connections", "no more connections can be had now", status=503)
            refuse(self._transport, full.message(retry_after=REFUSED_WITHIN))
            self._server.bear(self._transport)
            return
        opening = opening_request(data)
        if opening is not None and self._server.take_socket(opening, self._transport):
            return
        handler = self._server.handler()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._server.surplus.pop(self._transport, None)

    def close_idle(self) -> None:
        """Ends it."""
        self._transport.abort()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._server.waiting.pop(self, None)


class _Refused(asyncio.Protocol):
    """A connection that has been answered and is over. What still comes in is not heard: a connection that is closed
    with something unread is reset, and the client might never see the answer (RFC 9112 §9.6)."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._end = asyncio.get_running_loop().call_later(REFUSED_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()


def refuse(transport: asyncio.Transport, answer: bytes) -> None:
    """Says it, and ends the connection as soon as its client has."""
    protocol = transport.get_protocol()
    transport.write(answer)
    transport.set_protocol(_Refused(transport))
    protocol.connection_lost(None)
    if transport.can_write_eof():
        transport.write_eof()


class _Connection(RequestHandler):
    """One connection.

    A request that came whole and plain may get a fast answer, but only while aiohttp has nothing to do: answers go
    out in the order of their requests. After anything else has come, aiohttp alone knows where a request begins, and
    keeps the connection.
    """

    __slots__ = (
        "_answering",
        "_body",
        "_connections",
        "_head_deadline",
        "_head_size",
        "_held",
        "_in_step",
        "_peer",
        "_short_path",
        "_unread_deadline",
    )

    def __init__(self, manager: _Connections, fast_answers: FastAnswers, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._connections = manager
        self._short_path = fast_answers
        self._in_step = True
        self._held = b""
        self._answering: asyncio.Task[None] | None = None
        self._body: StreamReader = EMPTY_PAYLOAD
        """Of the request that came last."""
        self._peer: str | None = None
        self._head_size = 0
        """Bytes of a head whose end is still to come."""
        self._head_deadline: asyncio.TimerHandle | None = None
        self._unread_deadline: asyncio.TimerHandle | None = None

    @property
    def idle_since(self) -> float | None:
        """When it was answered last; None while it is owed an answer."""
        if self._messages or self._request_in_progress or self._answering is not None or self._upgraded:
            return None
        return self._next_keepalive_close_time - KEEP_ALIVE

    def close_idle(self) -> None:
        """Ends it."""
        if self.transport is not None:
            self.transport.abort()

    # ---- what comes in -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._answering is not None or (self._in_step and self.writing_paused):
            self._hold(data)
            return
        request = whole_request(data) if self._in_step else None
        self._in_step = request is not None
        if request is not None and not self._messages and not self._request_in_progress and not self._force_close:
            taken = self._short_path.take(request, self._peer)
            if taken is not None:
                self._request_count += 1
                self._head_is_there()
                if not isinstance(taken, bytes):
                    self._answering = self._loop.create_task(self._answer(taken))
                elif self.transport is not None:
                    self._send(self.transport, taken)
                return
        known, in_body = self._request_count, self._upgraded or not self._body.is_eof()
        super().data_received(data)
        if self._request_count != known:
            self._head_is_there()
            self._body = self._messages[-1][1]
            in_body = self._upgraded or self._body is not EMPTY_PAYLOAD or data.endswith(b"\r\n\r\n")
        if data and not in_body:
            self._expect_head(len(data))

    def _hold(self, data: bytes) -> None:
        """For later: an answer is being made, or has not been read."""
        self._held += data
        if len(self._held) > MAX_HELD and self.transport is not None:
            self.transport.pause_reading()

    def _go_on(self) -> None:
        """With what was held."""
        held, self._held = self._held, b""
        if held and self.transport is not None:
            if len(held) > MAX_HELD:
                self.transport.resume_reading()
            self.data_received(held)

    def _expect_head(self, size: int) -> None:
        """Some of a head is there, but not its end."""
        self._head_size += size
        limit = self._connections.context.settings.max_header_size
        if self._head_size > limit:
            self._head_is_there()
            if self.idle_since is None:  # answers that come first are still to be made
                self.force_close()
            elif self.transport is not None:
                transport, self.transport = self.transport, None  # so that this end of ours does not close it
                refuse(transport, head_too_large(limit).message())
        elif self._head_deadline is None:
            self._head_deadline = self._loop.call_later(HEAD_WITHIN, self.force_close)

    def _head_is_there(self) -> None:
        self._head_size = 0
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    # ---- what goes out -------------------------------------------------------------------------

    def _send(self, transport: asyncio.Transport, answer: bytes) -> None:
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        transport.write(answer)

    async def _answer(self, work: Coroutine[Any, Any, bytes]) -> None:
        answer = await work
        self._answering = None
        if self.transport is not None:  # else the client has left; what it asked for is done all the same
            self._send(self.transport, answer)
            self._go_on()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._unread_deadline = self._loop.call_later(UNREAD_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        self._all_read()
        super().resume_writing()
        self._go_on()

    def _all_read(self) -> None:
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    # ---- its beginning and end -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.waiting[self] = None
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else None

    async def start(self) -> None:
        """aiohttp's work on this connection. When that ends, a client that does not read cannot keep it open."""
        transport = self.transport
        if transport is None:  # its first bytes have ended it already
            return
        try:
            await super().start()
        finally:
            if transport.get_protocol() is self and transport.get_write_buffer_size():
                self._unread_deadline = self._loop.call_later(UNREAD_WITHIN, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.waiting.pop(self, None)
        self._head_is_there()
        self._all_read()
        self._body = EMPTY_PAYLOAD  # which knows this connection: it would wait for the collector
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        if self._answering is not None:
            await asyncio.wait({self._answering}, timeout=timeout)
        await super().shutdown(timeout)

    # ---- what is wrong -------------------------------------------------------------------------

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """What a client can cause leaves no traceback."""
        error = kwargs.get("exc_info")
        if isinstance(error, _FROM_OUTSIDE):
            log.debug("a request broke off: %r", type(error))
        else:
            super().log_exception(*args, **kwargs)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What could not be parsed gets a problem document that repeats nothing of it: it may hold a ticket."""
        if exc is not None and status >= 500 and not isinstance(exc, _FROM_OUTSIDE):
            log.error("unexpected error", exc_info=exc)
            problem = Problem("internal", "an error that should not happen; the log has more")
        elif isinstance(exc, LineTooLong):
            problem = head_too_large(self._connections.context.settings.max_header_size)
        else:
            log.debug("a request that is not HTTP from %s: %r", request.remote, type(exc))
            problem = Problem("malformed-request", "the request is not valid HTTP/1.1")
        answer = problem.response()
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()
        return answer
