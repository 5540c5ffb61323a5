"""One connection of the direct engine."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Protocol

from enforcer.gateway import packets
from enforcer.gateway.direct.frames import (
    Close,
    CloseCode,
    Event,
    Inbox,
    Ping,
    Pong,
    ProtocolError,
    Text,
    close_frame,
    one_character,
    pong_frame,
    text_frame,
)
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import WAITING_PACKETS, WRITE_LIMIT, Floods
from enforcer.gateway.link import Link
from enforcer.gateway.packets import Engine, Kind, Packet
from enforcer.gateway.socket import News, Refusal
from enforcer.gateway.visitor import Visitor

log = logging.getLogger(__name__)

_PING = text_frame(packets.PING)
_PONG = ord(Engine.PONG.value)
_QUESTION = 0
"""The ack id of every question; a socket has only one open."""


class Keeper(Protocol):
    """What a socket asks of its engine."""

    hub: Hub
    max_message_size: int
    floods: Floods

    def new_id(self) -> str:
        """An id for a CONNECT."""
        ...

    def await_connect(self, socket: "DirectSocket") -> None:
        """The socket is in no namespace: it must CONNECT, or go, in time."""
        ...

    def connected(self, socket: "DirectSocket") -> None:
        """The socket has joined."""
        ...

    def await_close(self, socket: "DirectSocket") -> None:
        """The socket is closed by us: its peer must follow in time."""
        ...

    def gone(self, socket: "DirectSocket") -> None:
        """The connection is no more."""
        ...

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what a socket cannot do at once."""
        ...


class _State(Enum):
    """What a connection is still good for."""

    OPEN = "open"
    CLOSING = "closing"
    """We have said so; only the peer's close is waited for."""
    DEAF = "deaf"
    """It broke the protocol, so that nothing it sends can be understood any more."""


class DirectSocket(asyncio.Protocol):
    """One connection, and the hub's `Socket` in the namespace `/`."""

    __slots__ = (
        "_acked",
        "_asked_pong",
        "_engine",
        "_held",
        "_inbox",
        "_line",
        "_link",
        "_state",
        "_transport",
        "_visitor",
        "spoke",
    )

    def __init__(self, engine: Keeper, visitor: Visitor) -> None:
        self._engine = engine
        self._visitor = visitor
        self._transport: asyncio.Transport | None = None
        self._inbox: Inbox | None = None  # only in the middle of a message
        self._line: deque[Packet] | None = None  # only while a packet is being handled
        self._link: Link | None = None  # only in the namespace, or on the way there
        self._acked: Callable[[], None] | None = None
        self._held: list[bytes] | None = None  # only while several things are said in one breath
        self._asked_pong = False
        self._state = _State.OPEN
        self.spoke = 0

    def opened(self, transport: asyncio.Transport, greeting: bytes, early: bytes) -> None:
        """The connection is ours; `early` came in behind the request."""
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_LIMIT)
        transport.write(greeting)
        if early:
            self.data_received(early)

    # ---- what the hub asks for -----------------------------------------------------------------

    @property
    def ip(self) -> str:
        return self._visitor.ip

    @property
    def origin(self) -> str | None:
        return self._visitor.origin

    @property
    def polls(self) -> bool:
        return False

    def send(self, news: News) -> None:
        self._write(text_frame(packets.event(news.event, news.payload)))

    def ask(self, news: News, acked: Callable[[], None]) -> None:
        self._acked = acked
        if news.written is None:
            news.written = text_frame(packets.event(news.event, news.payload, _QUESTION))
        self._write(news.written)

    def disconnect(self) -> None:
        if self._link is not None:
            self._write(text_frame(packets.disconnected()))
            self._leave()

    def go_away(self) -> None:
        self.close(CloseCode.GOING_AWAY)

    def cut(self) -> None:
        self.close(CloseCode.POLICY_VIOLATION)

    # ---- what the engine asks for --------------------------------------------------------------

    def ping(self) -> None:
        """Asks for a sign of life."""
        self._asked_pong = True
        self._write(_PING)

    def expect_pong(self) -> None:
        """The time for an answer to the last ping is over."""
        if self._asked_pong:
            self.abort()

    def close(self, code: CloseCode) -> None:
        """Says why and ends our side (RFC 6455 §7.1.1); of what still comes in only the peer's close counts."""
        if self._state is not _State.OPEN or self._transport is None:
            return
        self._write(close_frame(code))
        self._let_go()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._shut()
        self._engine.await_close(self)

    def abort(self) -> None:
        """Ends the connection without a word."""
        if self._transport is not None:
            self._shut()
            self._transport.abort()

    # ---- what the transport tells --------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._inbox is None and one_character(data) == _PONG:
            self._asked_pong = False
            return
        if self._state is _State.DEAF:
            return
        inbox = self._inbox or Inbox(self._engine.max_message_size)
        self._held = []
        try:
            for event in inbox.feed(data):
                self._on_frame(event)
        except ProtocolError as broken:
            log.debug("a page broke the protocol: %s", broken)
            self.close(broken.code)
            self._state = _State.DEAF
        self._let_go()
        self._inbox = None if inbox.empty or self._state is _State.DEAF else inbox

    def pause_writing(self) -> None:
        """More than `WRITE_LIMIT` waits for a peer that does not read: it is not worth the memory."""
        log.debug("a page that does not read is cut")
        asyncio.get_running_loop().call_soon(self.abort)  # not now: somebody is in the middle of telling it something

    def connection_lost(self, exc: Exception | None) -> None:
        self._shut()
        self._transport = None
        self._engine.gone(self)

    # ---- packets -------------------------------------------------------------------------------

    def _on_frame(self, event: Event) -> None:
        if self._state is not _State.OPEN:
            if isinstance(event, Close) and self._transport is not None:
                self._transport.close()  # both sides have said it
            return
        if self._engine.floods.too_much(self):
            if self._transport is not None:
                self._transport.pause_reading()  # not even to throw it away
            raise ProtocolError(CloseCode.POLICY_VIOLATION, "a page sends very many packets")
        match event:
            case Text(data):
                packet = packets.read(data)
                if isinstance(packet, Packet):
                    self._on_packet(packet)
                elif packet is Engine.PONG:
                    self._asked_pong = False
                elif packet is Engine.CLOSE:
                    self.close(CloseCode.NORMAL)
            case Ping(data):
                self._write(pong_frame(data))
            case Pong():
                pass
            case Close(code):
                self._answer_close(code)
            case _:
                raise ProtocolError(CloseCode.UNSUPPORTED_DATA, "binary messages are not for this server")

    def _answer_close(self, code: int | None) -> None:
        """The peer has closed: the same code back, and the end (RFC 6455 §5.5.1)."""
        assert self._transport is not None
        self._write(close_frame(CloseCode.NORMAL if code is None else code))
        self._let_go()
        self._shut()
        self._transport.close()

    def _on_packet(self, packet: Packet) -> None:
        """Packets are handled in the order they came: what needs the store makes the others wait."""
        if self._line is not None:
            if len(self._line) >= WAITING_PACKETS:
                raise ProtocolError(CloseCode.POLICY_VIOLATION, "a page sends faster than it can be answered")
            self._line.append(packet)
        elif not self._handled_at_once(packet):
            self._line = deque((packet,))
            self._engine.work(self._handle(self._line))

    def _handled_at_once(self, packet: Packet) -> bool:
        """Handles what needs no waiting; False if it does."""
        if packet.namespace != packets.NAMESPACE:
            if packet.kind is Kind.CONNECT:
                self._write(text_frame(packets.refused(packets.INVALID_NAMESPACE, namespace=packet.namespace)))
            return True
        match packet.kind:
            case Kind.ACK:
                self._on_ack(packet)
            case Kind.DISCONNECT:
                self._leave()
            case Kind.CONNECT:
                return False
            case Kind.EVENT:
                return self._link is None  # before CONNECT it is nobody's
        return True

    def _on_ack(self, packet: Packet) -> None:
        if packet.id == _QUESTION and self._acked is not None:
            acked, self._acked = self._acked, None
            acked()

    async def _handle(self, line: deque[Packet]) -> None:
        """A CONNECT or an event, and what comes in meanwhile."""
        try:
            while line and self._state is _State.OPEN:
                packet = line.popleft()
                if self._handled_at_once(packet):
                    continue
                if packet.kind is Kind.CONNECT:
                    await self._connect(packet.data)
                else:
                    await self._event(packet)
        except ProtocolError as broken:
            self.close(broken.code)
        except Exception:
            log.exception("a packet could not be handled")
            self.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._line = None

    async def _connect(self, auth: object) -> None:
        if self._link is not None:
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a second CONNECT while in the namespace")
        hub = self._engine.hub
        try:
            self._link = link = hub.arrive(self, self._visitor.shows(auth))
            snapshot = await hub.join(link)
        except Refusal as refusal:
            self._link = None
            self._write(text_frame(packets.refused(refusal.code, refusal.data)))
            return
        self._engine.connected(self)
        self._held = [text_frame(packets.connected(self._engine.new_id()))]
        hub.welcome(link, snapshot)
        self._let_go()

    async def _event(self, packet: Packet) -> None:
        name, *arguments = packet.data
        if self._link is None or not isinstance(name, str):
            return
        answer, after = await self._engine.hub.heard(self._link, name, arguments[0] if arguments else None)
        if packet.id is not None:
            self._write(text_frame(packets.ack(packet.id, answer)))
        if after is not None:
            after()

    # ---- how -----------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self._state is not _State.OPEN or self._transport is None:
            return
        if self._held is None:
            self._transport.write(data)
        else:
            self._held.append(data)

    def _let_go(self) -> None:
        """Sends what was held back, in one piece: each call of the system costs as much as a few frames."""
        held, self._held = self._held, None
        if held and self._transport is not None:
            self._transport.write(b"".join(held))

    def _leave(self) -> None:
        """Out of the namespace; the connection stays for a while."""
        if self._link is not None:
            link, self._link, self._acked = self._link, None, None
            self._engine.hub.left(link)
            self._engine.await_connect(self)

    def _shut(self) -> None:
        """Nothing is told or heard any more."""
        self._state = _State.CLOSING
        self._held = None
        if self._link is not None:
            link, self._link, self._acked = self._link, None, None
            self._engine.hub.left(link)
