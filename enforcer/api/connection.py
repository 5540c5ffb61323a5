"""One connection of HTTP/1.1, from its first byte to its last.

It is ours as long as requests come one by one and each is plain: those get fast answers. One that opens a WebSocket
gives the connection away. The first request that is neither makes it aiohttp's for good, because from then on aiohttp
alone knows where a request begins; what we still hold against such a connection are its deadlines.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from aiohttp import web

from enforcer.http.plain_requests import (
    HEAD_END,
    Opening,
    WholeRequest,
    may_go_on,
    opening_request,
    whole_request,
)
from enforcer.http.problems import Problem, head_too_large

HEAD_WITHIN = 15.0
"""Seconds for the head of a request to arrive, from its first byte; of the first one, from the opening of the
connection to its first byte, and again to its last."""
KEEP_ALIVE = 75.0
"""Seconds that a connection may be idle between two requests; as nginx has it for its clients."""
UNREAD_WITHIN = 30.0
"""Seconds that an answer may wait for a client that does not read on."""
REFUSED_WITHIN = 2.0
"""Seconds for the request on a connection that there is no place for."""
MAX_HELD = 256 * 1024
"""Bytes that a client may send ahead of an answer before we stop to read."""
_HEALTH = (b"GET /healthz ", b"GET /readyz ", b"HEAD /healthz ", b"HEAD /readyz ")
"""How the requests begin that are answered as long as there is one descriptor."""
FastAnswer = bytes | Coroutine[Any, Any, bytes] | None


class Keeper(Protocol):
    """What a connection asks of those who keep them all."""

    @property
    def max_head(self) -> int:
        """Bytes of a request line and headers."""
        ...

    def opened(self, connection: "Connection", transport: asyncio.Transport) -> bool:
        """It is there; whether there is a place for it."""
        ...

    def closed(self, connection: "Connection", transport: asyncio.Transport) -> None:
        """It is not there any more, or not ours."""
        ...

    def accepted(self, transport: asyncio.Transport) -> None:
        """Its first request is looked at, place or not."""
        ...

    def declined(self, transport: asyncio.Transport) -> None:
        """It was told that there is no place."""
        ...

    def take_socket(self, opening: Opening, transport: asyncio.Transport, early: bytes) -> bool:
        """Gives a connection that opens a WebSocket away; `early` came in behind the request. False: it stays."""
        ...

    def fast_answer(self, request: WholeRequest, peer: str | None) -> FastAnswer:
        """The bytes to send, or the work that leads to them; None leaves the request to aiohttp."""
        ...

    def handler(self, connection: "Connection") -> web.RequestHandler:
        """aiohttp's part of a connection."""
        ...


class Connection(asyncio.Protocol):
    """See above. `idle_since` is when it was answered last, or opened; None while it is owed an answer.

    `fast`: whether it may ask for what is answered without aiohttp.
    """

    __slots__ = (
        "_answering",
        "_body",
        "_close_at",
        "_data",
        "_deadline",
        "_fast",
        "_handler",
        "_head_ended",
        "_head_size",
        "_keeper",
        "_last",
        "_peer",
        "_refused",
        "_surplus",
        "_transport",
        "_unread",
        "_upgrading",
        "_working",
        "idle_since",
    )

    def __init__(self, keeper: Keeper, fast: bool) -> None:
        self._keeper = keeper
        self._fast = fast
        self.idle_since: float | None = None
        self._data = bytearray()
        """What has come and is not looked at yet: a head without its end, or what was sent ahead of an answer."""
        self._answering: asyncio.Task[None] | None = None
        self._handler: web.RequestHandler | None = None
        self._unread: asyncio.TimerHandle | None = None
        # Of a connection that is aiohttp's:
        self._working = False
        """A request is being handled."""
        self._upgrading = False
        """It may become a WebSocket: what comes in is not HTTP."""
        self._body: Any = None
        """Of the request that came last."""
        self._head_size = 0
        """Bytes that came behind the last head."""
        self._head_ended = False
        """The end of a head has come whose request is not handled yet."""
        self._last = b""
        """The end of what came last, in which the end of a head may begin."""
        self._surplus = 0
        """Bytes that have come of the head after the request that is being handled."""

    # ---- its beginning and end -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer: str | None = peer[0] if peer else None
        self._refused = not self._keeper.opened(self, self._transport)
        loop = asyncio.get_running_loop()
        self.idle_since = loop.time()
        self._close_at: float | None = self.idle_since + (REFUSED_WITHIN if self._refused else HEAD_WITHIN)
        self._deadline = loop.call_at(self._close_at, self._look_at_the_clock)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._all_read()
        self._body = None
        if self._handler is not None:
            handler, self._handler = self._handler, None
            # Not at once: a request that has just come is begun first, which without a connection would be an error.
            asyncio.get_running_loop().call_soon(handler.connection_lost, exc)

    def close_idle(self) -> None:
        """Ends it."""
        self._transport.abort()

    async def finish(self, within: float) -> None:
        """Lets a fast answer that is being made go out, then ends it."""
        if self._answering is not None:
            await asyncio.wait({self._answering}, timeout=within)
        if self._handler is None:
            self._transport.close()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._keeper.closed(self, self._transport)

    # ---- its time ------------------------------------------------------------------------------

    def _close_by(self, when: float | None) -> None:
        """Closes it then, unless something else is said meanwhile. One timer is moved on when it is met: most never
        are."""
        self._close_at = when
        if when is not None and when < self._deadline.when():
            self._deadline.cancel()
            self._deadline = asyncio.get_running_loop().call_at(when, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._close_at is not None and self._close_at <= now:
            self.close_idle()
        else:
            self._deadline = loop.call_at(self._close_at or now + HEAD_WITHIN, self._look_at_the_clock)

    def pause_writing(self) -> None:
        self._await_reader()
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._all_read()
        if self._handler is not None:
            self._handler.resume_writing()
        elif self._answering is None:
            self._go_on()

    def _await_reader(self) -> None:
        if self._unread is None:
            self._unread = asyncio.get_running_loop().call_later(UNREAD_WITHIN, self._not_read)

    def _not_read(self) -> None:
        self._unread = None
        if self._transport.get_write_buffer_size():
            self._transport.abort()

    def _all_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    # ---- while it is ours ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._pass_on(self._handler, data)
        elif self._answering is not None or self._unread is not None:
            self._data += data
            if len(self._data) > MAX_HELD:
                self._transport.pause_reading()
        elif self._data:
            self._data += data
            self._look_at(self._data, len(self._data) - len(data))
        else:
            self._look_at(data, 0)

    def _look_at(self, data: bytes | bytearray, known: int) -> None:
        """All that has come since the last answer; there was no end of a head in the first `known` bytes."""
        end = data.find(HEAD_END, max(0, known - 3))
        size = len(data) if end < 0 else end + len(HEAD_END)
        if self._refused and self._is_declined(data):
            return
        if size > self._keeper.max_head:
            self._refuse(head_too_large(self._keeper.max_head))
        elif end >= 0:
            self._take(bytes(data), size)
        elif not may_go_on(data, known):
            self._hand_over(bytes(data))
        elif not known:
            self._data += data
            self._close_by(asyncio.get_running_loop().time() + HEAD_WITHIN)

    def _take(self, data: bytes, size: int) -> None:
        """A whole head is there, of so many bytes, and maybe more."""
        self._data.clear()
        opening = opening_request(data[:size])
        if opening is not None and self._keeper.take_socket(opening, self._transport, data[size:]):
            self._leave()
            return
        request = whole_request(data) if self._fast else None
        answer = None if request is None else self._keeper.fast_answer(request, self._peer)
        if answer is None:
            self._hand_over(data)
        elif isinstance(answer, bytes):
            self._send(answer)
        else:
            self.idle_since = None
            self._close_by(None)
            self._answering = asyncio.get_running_loop().create_task(self._answer(answer))

    async def _answer(self, work: Coroutine[Any, Any, bytes]) -> None:
        answer = await work
        self._answering = None
        if not self._transport.is_closing():  # else the client has left; what it asked for is done all the same
            self._send(answer)
            self._go_on()

    def _send(self, answer: bytes) -> None:
        self._transport.write(answer)
        self.idle_since = asyncio.get_running_loop().time()
        self._close_by(self.idle_since + KEEP_ALIVE)

    def _go_on(self) -> None:
        """With what was sent ahead."""
        if self._data and self._unread is None:
            if len(self._data) > MAX_HELD:
                self._transport.resume_reading()
            data = bytes(self._data)
            self._data.clear()
            self._look_at(data, 0)

    # ---- what is refused -----------------------------------------------------------------------

    def _is_declined(self, data: bytes | bytearray) -> bool:
        """There is no place for it, so it may ask for health alone. Judged once, by its first bytes."""
        self._refused = False
        self._keeper.accepted(self._transport)
        if data.startswith(_HEALTH):
            return False
        transport = self._transport
        full = Problem("too-many-connections", "no more connections can be had now", status=503)
        self._refuse(full, REFUSED_WITHIN)
        self._keeper.declined(transport)
        return True

    def _refuse(self, problem: Problem, retry_after: float | None = None) -> None:
        """Says it, and ends the connection as soon as its client has."""
        self._transport.write(problem.message(retry_after))
        self._transport.set_protocol(_Refused(self._transport))
        if self._handler is not None:
            self._handler.transport = None  # so that its end does not close ours
        self.connection_lost(None)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    # ---- while it is aiohttp's -----------------------------------------------------------------

    def _hand_over(self, data: bytes) -> None:
        self._data.clear()
        self._close_by(None)
        self._handler = self._keeper.handler(self)
        self._handler.connection_made(self._transport)
        self._pass_on(self._handler, data)

    def _pass_on(self, handler: web.RequestHandler, data: bytes) -> None:
        in_body = self._upgrading or (self._body is not None and not self._body.is_eof())
        handler.data_received(data)
        if in_body or self._handler is None:
            self._last = b""
            return
        seen = self._last + data
        end = seen.rfind(HEAD_END)
        self._last = seen[1 - len(HEAD_END) :]
        if end >= 0:
            self._head_ended = True
            self._head_size = len(seen) - end - len(HEAD_END)
            self.idle_since = None  # it is owed an answer from here on
        else:
            self._head_size += len(data)
        if not self._head_ended and self._head_size > self._keeper.max_head:
            if self._working:  # an answer that comes first is still to be made
                self.close_idle()
            else:
                self._refuse(head_too_large(self._keeper.max_head))
        elif self._working:
            self._surplus += len(data)
        elif self._close_at is None:
            self._close_by(asyncio.get_running_loop().time() + HEAD_WITHIN)

    def begun(self, request: web.BaseRequest) -> None:
        """aiohttp handles a request from now on.

        Raises:
            ConnectionResetError: the client has left meanwhile.
        """
        if self._handler is None:
            raise ConnectionResetError("the client has left")
        self._working = True
        self._upgrading = "Upgrade" in request.headers
        self._body = request.content
        self.idle_since = None
        self._close_by(None)
        chunked = "Transfer-Encoding" in request.headers
        self._surplus = 0 if chunked else max(0, self._head_size - (request.content_length or 0))
        self._head_size = 0
        self._head_ended = False

    def answered(self) -> None:
        """The answer is written, so far as the client reads."""
        if self._handler is None:
            return
        now = asyncio.get_running_loop().time()
        self._working = self._upgrading = False
        self.idle_since = now
        if self._surplus:
            self._head_size, self._surplus = self._surplus, 0
            self._close_by(now + HEAD_WITHIN)
        if self._transport.get_write_buffer_size():
            self._await_reader()


class _Refused(asyncio.Protocol):
    """A connection that has been answered and is over. What still comes in is not heard: a connection that is closed
    with something unread is reset, and the client might never see the answer (RFC 9112 §9.6)."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._end = asyncio.get_running_loop().call_later(REFUSED_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
