"""The polling engine: python-socketio on aiohttp, for polling and for WebSockets that take over from it.

Here and nowhere else socketio and engineio are touched. What they leave open at the edge is closed here: compression
is off (it costs about 100 kB per socket), sockets that never CONNECT are cut, two polls at a time and protocol errors
close the socket, and nothing is ever sent to an empty target, which python-socketio takes for "everyone".
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import engineio
import engineio.async_drivers.aiohttp as aiohttp_driver
import engineio.payload
import socketio
from aiohttp import WSCloseCode, web
from engineio.async_socket import AsyncSocket
from socketio import packet

from enforcer.configuration.settings import Settings
from enforcer.domain.model import Snapshot
from enforcer.gateway import packets
from enforcer.gateway.direct.frames import ProtocolError
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import WAITING_PACKETS, Floods, Pace
from enforcer.gateway.link import Link
from enforcer.gateway.places import Places
from enforcer.gateway.socket import News, Refusal
from enforcer.gateway.visitor import Visitor

log = logging.getLogger(__name__)

TAKEN_WITHIN = 1.0
"""Seconds in which a page takes what was sent last, before it is closed."""
_NAMESPACE = "/"
_POLLED = frozenset({"1", "3"})
"""Packets of Engine.IO that a page may send over polling, but for messages."""
_UPGRADING = _POLLED | {"2probe", "5"}
"""The same over a WebSocket that takes over from polling."""
_MESSAGE = re.compile("4[0-6]")
_BETWEEN = "\x1e"
"""Separates the packets of a polling payload (Engine.IO 4)."""
_NOOP = engineio.packet.Packet(engineio.packet.NOOP)
_VISITOR = web.RequestKey("visitor", Visitor)
_BODY = web.RequestKey("body", bytes)
_ENVIRON_VISITOR = "enforcer.visitor"

engineio.payload.Payload.max_decode_packets = WAITING_PACKETS  # a page may send what it kept while it was offline

_floods = Floods()
_silent = logging.getLogger("enforcer.gateway.socketio")
_silent.setLevel(logging.CRITICAL + 1)  # their loggers print packets, tickets included


class PollingEngine:
    """Brings sockets that poll, or that upgrade from polling, to the hub."""

    def __init__(self, hub: Hub, places: Places, settings: Settings, pace: Pace) -> None:
        self._server = _Server(hub, places, settings, pace)
        self._polls: dict[str, web.Request] = {}

    async def handle(self, request: web.Request, visitor: Visitor, body: bytes) -> web.StreamResponse:
        """A request that was let in, with its whole body."""
        request[_VISITOR] = visitor
        request[_BODY] = body
        sid = request.query.get("sid", "")
        if request.method == "POST":
            if not _is_payload(body):
                return await self._violated(sid)
        elif sid and request.query["transport"] == "polling":
            return await self._poll(request, sid)
        return await self._answer(request)

    async def _poll(self, request: web.Request, sid: str) -> web.StreamResponse:
        """A session is polled by one request at a time; a second one ends it (Engine.IO 4, HTTP long-polling)."""
        other = self._polls.get(sid)
        if other is not None and other.transport is not None:
            return await self._violated(sid)
        self._polls[sid] = request
        try:
            return await self._answer(request)
        finally:
            if self._polls.get(sid) is request:
                del self._polls[sid]

    async def _violated(self, sid: str) -> web.Response:
        await self._server.end(sid, WSCloseCode.PROTOCOL_ERROR)
        return web.Response(status=400, text="not what Engine.IO 4 allows")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse = await self._server.handle_request(request)
        return response

    async def close(self) -> None:
        """Closes every socket with 1001."""
        await self._server.close()


class _PolledSocket:
    """A connection in `/`, as the hub sees it."""

    __slots__ = ("_server", "eio_sid", "ip", "link", "origin", "sid", "snapshot")

    def __init__(self, server: "_Server", sid: str, eio_sid: str, visitor: Visitor) -> None:
        self._server = server
        self.sid = sid
        self.eio_sid = eio_sid
        self.ip = visitor.ip
        self.origin = visitor.origin
        self.link: Link | None = None
        self.snapshot: Snapshot | None = None

    @property
    def polls(self) -> bool:
        return self._server.polls(self.eio_sid)

    def send(self, news: News) -> None:
        self._server.send_event(self, news, None)

    def ask(self, news: News, acked: Callable[[], None]) -> None:
        self._server.send_event(self, news, lambda *_: acked())

    def disconnect(self) -> None:
        self._server.leave(self)

    def go_away(self) -> None:
        self._server.go_away(self.eio_sid)

    def cut(self) -> None:
        self._server.cut(self.eio_sid)


class _Server(socketio.AsyncServer):  # type: ignore[misc]
    """python-socketio with the seams that the hub needs."""

    def __init__(self, hub: Hub, places: Places, settings: Settings, pace: Pace) -> None:
        super().__init__(
            async_mode="aiohttp",
            async_handlers=False,  # the events of a socket are handled in the order they came
            cors_allowed_origins=[],  # judged before, by the handshake
            max_http_buffer_size=settings.max_message_size,
            ping_interval=pace.ping_interval,
            ping_timeout=pace.ping_timeout,
            http_compression=False,
            cookie=None,
            logger=_silent,
            engineio_logger=_silent,
        )
        self.eio._async = {
            **aiohttp_driver._async,
            "websocket": _WebSocket,
            "translate_request": _environ,
        }
        self._hub = hub
        self._places = places
        self._taken: dict[str, str] = {}  # the addresses of open sockets by their ids
        self._connect_within = pace.connect_within
        self._sockets: dict[str, _PolledSocket] = {}
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.on("connect", self._on_connect)
        self.on("disconnect", self._on_disconnect)

    # ---- what the hub asks for -----------------------------------------------------------------

    def send_event(self, socket: _PolledSocket, news: News, acked: Callable[..., None] | None) -> None:
        """The only place that sends an event: to one socket, by its engine id, never to a room."""
        if not socket.sid or not socket.eio_sid:
            raise ValueError("an event needs a socket to go to")
        if not self.manager.is_connected(socket.sid, _NAMESPACE):
            return
        ack_id = None if acked is None else self.manager._generate_ack_id(socket.sid, acked)
        self._soon(
            self._send_packet(
                socket.eio_sid,
                self.packet_class(packet.EVENT, namespace=_NAMESPACE, data=[news.event, news.payload], id=ack_id),
            )
        )

    def polls(self, eio_sid: str) -> bool:
        """Whether it has not been upgraded."""
        eio_socket = self.eio.sockets.get(eio_sid)
        return eio_socket is None or _carrier(eio_socket) is None

    def leave(self, socket: _PolledSocket) -> None:
        """DISCONNECT; a client that does not close the connection then is cut."""
        self._soon(self.disconnect(socket.sid))
        self._limit(socket.eio_sid)

    def cut(self, eio_sid: str, code: int = WSCloseCode.POLICY_VIOLATION) -> None:
        """Closes the transport of one socket."""
        self._soon(self.end(eio_sid, code))

    def go_away(self, eio_sid: str) -> None:
        """Closes it with 1001, after what was sent."""
        self._soon(self._end_behind(eio_sid))

    async def _end_behind(self, eio_sid: str) -> None:
        eio_socket = self.eio.sockets.get(eio_sid)
        if eio_socket is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TAKEN_WITHIN):
                    await eio_socket.queue.join()
            await self.end(eio_sid, WSCloseCode.GOING_AWAY)

    async def end(self, eio_sid: str, code: int) -> None:
        """As `cut`, at once. An unknown id is nobody's (engineio would take None for everybody)."""
        eio_socket = self.eio.sockets.get(eio_sid)
        if eio_socket is not None:
            await _close(eio_socket, code)
            self.eio.sockets.pop(eio_sid, None)

    async def close(self) -> None:
        """Closes all sockets with 1001 and stops what runs in the background."""
        closing = [_close(s, WSCloseCode.GOING_AWAY) for s in list(self.eio.sockets.values())]
        await asyncio.gather(*closing, return_exceptions=True)
        for deadline in self._deadlines.values():
            deadline.cancel()
        if self.eio.service_task_handle is not None:
            await self.eio.shutdown()

    def _soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs `work` on its own; what is started first sends first."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("sending to a closed socket: %r", error)

    def _limit(self, eio_sid: str) -> None:
        """Cuts the socket some seconds from now, unless it CONNECTs."""
        self._unlimit(eio_sid)
        self._deadlines[eio_sid] = asyncio.get_running_loop().call_later(self._connect_within, self.cut, eio_sid)

    def _unlimit(self, eio_sid: str) -> None:
        deadline = self._deadlines.pop(eio_sid, None)
        if deadline is not None:
            deadline.cancel()

    # ---- what python-socketio calls ------------------------------------------------------------

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        self._taken[eio_sid] = ip = environ[_ENVIRON_VISITOR].ip
        self._places.take(ip)  # before anything is awaited: the handshake has just seen that there is one
        await super()._handle_eio_connect(eio_sid, environ)
        self._limit(eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._unlimit(eio_sid)
        eio_socket = self.eio.sockets.get(eio_sid)
        if reason == self.eio.reason.CLIENT_DISCONNECT and eio_socket is not None and _carrier(eio_socket) is None:
            await eio_socket.queue.put(_NOOP)  # its pending poll is answered, else it would hang until the next ping
        try:
            await super()._handle_eio_disconnect(eio_sid, reason)
        finally:
            if (ip := self._taken.pop(eio_sid, None)) is not None:
                self._places.leave(ip)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """A message that is not Socket.IO ends the connection; what a page sends never becomes a traceback.

        None of our events is binary, and attachments would be kept until the last one has come: so they end it too.
        """
        if not isinstance(data, str):
            self.cut(eio_sid, WSCloseCode.UNSUPPORTED_DATA)
            return
        try:
            packets.read("4" + data)  # one judgement for both engines
            await super()._handle_eio_message(eio_sid, data)
        except ProtocolError as broken:
            log.debug("a page broke the protocol: %s", broken)
            self.cut(eio_sid, broken.code)
        except Exception as error:
            log.debug("a page broke the protocol: %r", error)
            self.cut(eio_sid, WSCloseCode.PROTOCOL_ERROR)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if self.manager.sid_from_eio_sid(eio_sid, namespace or _NAMESPACE) is not None:
            self.cut(eio_sid, WSCloseCode.PROTOCOL_ERROR)  # a second CONNECT while in the namespace
            return
        if namespace not in (None, _NAMESPACE):  # it says nothing about the socket in ours
            refusal = {"message": packets.INVALID_NAMESPACE}
            await self._send_packet(eio_sid, self.packet_class(packet.CONNECT_ERROR, data=refusal, namespace=namespace))
            return
        await super()._handle_connect(eio_sid, namespace, data)
        sid = self.manager.sid_from_eio_sid(eio_sid, _NAMESPACE)
        socket = self._sockets.get(sid)
        if socket is not None and self.manager.is_connected(sid, _NAMESPACE):
            self._unlimit(eio_sid)
            self._welcome(socket)  # only now: nothing may overtake the answer to CONNECT

    def _welcome(self, socket: _PolledSocket) -> None:
        snapshot, socket.snapshot = socket.snapshot, None
        if socket.link is not None and snapshot is not None:
            self._hub.welcome(socket.link, snapshot)

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        eio_sid = self.manager.eio_sid_from_sid(sid, _NAMESPACE)
        visitor: Visitor = environ[_ENVIRON_VISITOR]
        socket = _PolledSocket(self, sid, eio_sid, visitor)
        try:
            socket.link = self._hub.arrive(socket, visitor.shows(auth))
            socket.snapshot = await self._hub.join(socket.link)
        except Refusal as refusal:
            raise socketio.exceptions.ConnectionRefusedError(refusal.code, refusal.data) from None
        self._sockets[sid] = socket

    async def _on_disconnect(self, sid: str, reason: str) -> None:
        socket = self._sockets.pop(sid, None)
        if socket is not None:
            if socket.link is not None:
                self._hub.left(socket.link)
            if socket.eio_sid in self.eio.sockets:
                self._limit(socket.eio_sid)

    async def _handle_event_internal(
        self, server: Any, sid: str, eio_sid: str, data: list[Any], namespace: str, ack_id: int | None
    ) -> None:
        socket = self._sockets.get(sid)
        if socket is None or socket.link is None or not data or not isinstance(data[0], str):
            return
        answer, after = await self._hub.heard(socket.link, data[0], data[1] if len(data) > 1 else None)
        if ack_id is not None:
            await self._send_packet(
                eio_sid, self.packet_class(packet.ACK, namespace=namespace, id=ack_id, data=[answer])
            )
        if after is not None:
            after()


class _WebSocket(aiohttp_driver.WebSocket):  # type: ignore[misc]
    """engineio's driver without compression, reachable from its engine socket."""

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        self._sock = web.WebSocketResponse(
            max_msg_size=self.server.max_http_buffer_size, compress=False, timeout=2.0, autoping=True
        )
        await self._sock.prepare(request)
        self.environ = environ
        eio_socket: AsyncSocket = self.handler.__self__
        eio_socket.carrier = self._sock
        await self.handler(self)
        _floods.forget(self)
        if not eio_socket.upgraded:  # a probe that broke off: polling goes on, which engineio forgets if it was early
            eio_socket.upgrading = False
        return self._sock

    async def wait(self) -> str | bytes:
        """The next frame. One that is no packet ends the connection here; engineio would leave its socket behind."""
        frame: str | bytes = await super().wait()
        if _floods.too_much(self):
            await self._sock.close(code=WSCloseCode.POLICY_VIOLATION)
            raise OSError("very many packets")
        if isinstance(frame, str) and not _is_packet(frame, _UPGRADING):
            await self._sock.close(code=WSCloseCode.PROTOCOL_ERROR)
            raise OSError("not a packet of Engine.IO")
        return frame


class _Body:
    """A body that was read already, as engineio reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, length: int) -> bytes:
        return self._body


def _environ(request: web.Request) -> dict[str, Any]:
    environ: dict[str, Any] = aiohttp_driver.translate_request(request)
    environ[_ENVIRON_VISITOR] = request[_VISITOR]
    if request.method == "POST":
        environ["wsgi.input"] = _Body(request[_BODY])
        environ["CONTENT_LENGTH"] = str(len(request[_BODY]))
    return environ


def _is_packet(text: str, control: frozenset[str]) -> bool:
    return text in control or _MESSAGE.match(text) is not None


def _is_payload(body: bytes) -> bool:
    """Whether a polling body holds packets only; binary ones (base64, `b…`) are none of ours."""
    try:
        return all(_is_packet(text, _POLLED) for text in body.decode().split(_BETWEEN))
    except UnicodeDecodeError:
        return False


def _carrier(eio_socket: AsyncSocket) -> web.WebSocketResponse | None:
    """Its WebSocket; None while it polls."""
    return eio_socket.carrier if eio_socket.upgraded else None


async def _close(eio_socket: AsyncSocket, code: int) -> None:
    carrier = _carrier(eio_socket)
    await eio_socket.close(wait=False, abort=carrier is not None, reason=engineio.AsyncServer.reason.SERVER_DISCONNECT)
    if carrier is not None:
        await carrier.close(code=code)
