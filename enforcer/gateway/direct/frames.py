"""WebSocket framing as a server sees it (RFC 6455), without any I/O: bytes in, events out.

No extensions and no subprotocols. One error, `ProtocolError`, stands for everything that a peer can do wrong; it says
the code to close with.
"""

import base64
import binascii
import codecs
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The fixed text of RFC 6455 §1.3 that proves that a server knows the protocol."""

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_FIN, _RSV, _OPCODE, _CONTROL, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x08, 0x80, 0x7F
_MAX_CONTROL = 125


class CloseCode(IntEnum):
    """Why a connection is closed (RFC 6455 §7.4.1); those that we send."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011


class ProtocolError(Exception):
    """The peer broke the protocol: the connection is to be closed with `code`. The message repeats nothing it sent."""

    def __init__(self, code: CloseCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class HandshakeError(Exception):
    """The opening request asks for no WebSocket that we speak; `status` is the HTTP status of the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text message."""

    data: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A whole binary message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping; the answer is a pong with the same data."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """A pong, asked for or not."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer closes, with a code or (None) without. Nothing comes after it."""

    code: int | None


Event = Text | Binary | Ping | Pong | Close


def accept_handshake(headers: Mapping[str, str]) -> bytes:
    """The whole `101 Switching Protocols` for an opening GET (RFC 6455 §4.2); header names in any case.

    Raises:
        HandshakeError: 426 for another version of the protocol, 400 for everything else.
    """
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        raise HandshakeError(400, "the request does not upgrade to websocket")
    if "upgrade" not in {token.strip().lower() for token in headers.get("Connection", "").split(",")}:
        raise HandshakeError(400, "the request lacks Connection: Upgrade")
    if headers.get("Sec-WebSocket-Version", "").strip() != "13":
        raise HandshakeError(426, "version 13 of the WebSocket protocol is spoken here")
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16:
        raise HandshakeError(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
    )


def accept_key(key: str) -> str:
    """The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


# ---- to the peer --------------------------------------------------------------------------------


def text_frame(data: bytes) -> bytes:
    """A text message in one frame; `data` is UTF-8."""
    return _frame(_TEXT, data)


def ping_frame(data: bytes) -> bytes:
    """A ping with up to 125 bytes."""
    return _frame(_PING, data)


def pong_frame(data: bytes) -> bytes:
    """The answer to a ping with these up to 125 bytes."""
    return _frame(_PONG, data)


def close_frame(code: int) -> bytes:
    """The last frame."""
    return _frame(_CLOSE, code.to_bytes(2))


def _frame(opcode: int, data: bytes) -> bytes:
    """One final frame; what a server sends is never masked (RFC 6455 §5.1)."""
    size = len(data)
    if size <= _MAX_CONTROL:
        return bytes((_FIN | opcode, size)) + data
    if size < 1 << 16:
        return bytes((_FIN | opcode, 126)) + size.to_bytes(2) + data
    return bytes((_FIN | opcode, 127)) + size.to_bytes(8) + data


# ---- from the peer ------------------------------------------------------------------------------


def one_character(data: bytes) -> int | None:
    """The code of the ASCII character that is all of a text message, if these bytes are its whole frame; else None.

    That is the answer to a ping, and so almost all that is ever heard of idle sockets: for them it stands before the
    `Inbox`, which would say the same at ten times the cost.
    """
    if len(data) != 7 or data[0] != _FIN | _TEXT or data[1] != _MASKED | 1:
        return None
    code = data[6] ^ data[2]
    return code if code < 0x80 else None


class Inbox:
    """Turns the bytes of one connection into events, however they were cut into pieces.

    Keeps nothing between whole messages: while `empty`, it can be thrown away and a new one made for the next bytes.
    `limit` is the largest message, in bytes.
    """

    __slots__ = ("_assembly", "_buffer", "_closed", "_limit", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer: bytearray | None = None
        self._assembly: _Assembly | None = None
        self._size = 0  # bytes of the fragmented message so far
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether the last byte ended a message."""
        return self._buffer is None and self._assembly is None and not self._closed

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete. To be read to its end before the next call.

        Raises:
            ProtocolError: after the events before the fault. Nothing more may be fed.
        """
        source: bytes | bytearray = data
        if self._buffer is not None:
            self._buffer += data
            source = self._buffer
        at = 0
        while not self._closed and (head := self._head(source, at)) is not None:
            first, start, end = head
            if end > len(source):
                break
            payload = _unmasked(source[start:end], source[start - 4 : start])
            at = end
            event = self._control(first, payload) if first & _CONTROL else self._data(first, payload)
            if event is not None:
                yield event
        if at == len(source) or self._closed:
            self._buffer = None
        elif self._buffer is not None:
            del self._buffer[:at]
        else:
            self._buffer = bytearray(memoryview(data)[at:])

    def _head(self, source: bytes | bytearray, at: int) -> tuple[int, int, int] | None:
        """First byte, start and end of the payload of the frame at `at`; None while its head is not complete."""
        have = len(source) - at
        if have < 2:
            return None
        first, second = source[at], source[at + 1]
        if first & _RSV or first & _OPCODE not in _OPCODES:
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a frame of no known kind")
        if not second & _MASKED:
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a frame that is not masked")
        size, start = second & _LENGTH, at + 2
        if first & _CONTROL:
            if not first & _FIN or size > _MAX_CONTROL:
                raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a control frame in pieces, or too long")
        elif size > _MAX_CONTROL:
            wide = 2 if size == 126 else 8
            if have < 2 + wide:
                return None
            size, start = int.from_bytes(source[start : start + wide]), start + wide
            if size < (126 if wide == 2 else 1 << 16) or size >> 63:
                raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a length that is not written in its shortest form")
        if not first & _CONTROL:
            self._judge_order(first, size)
        start += 4  # the masking key
        return (first, start, start + size) if start - at <= have else None

    def _judge_order(self, first: int, size: int) -> None:
        """A data frame must fit to what came before, and into the limit (RFC 6455 §5.4)."""
        continues = first & _OPCODE == _CONTINUATION
        if continues is (self._assembly is None):
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a fragment out of order")
        if self._size + size > self._limit:
            raise ProtocolError(CloseCode.TOO_BIG, f"a message of more than {self._limit} bytes")

    def _control(self, first: int, payload: bytes) -> Event:
        opcode = first & _OPCODE
        if opcode != _CLOSE:
            return Ping(payload) if opcode == _PING else Pong(payload)
        self._closed = True
        return Close(_close_code(payload))

    def _data(self, first: int, payload: bytes) -> Event | None:
        """The message that this frame completes."""
        if self._assembly is None:
            if first & _FIN:
                return Text(_text(payload)) if first & _OPCODE == _TEXT else Binary(payload)
            self._assembly = _Assembly(first & _OPCODE == _TEXT)
        self._size += len(payload)
        self._assembly.add(payload, final=bool(first & _FIN))
        if not first & _FIN:
            return None
        event = self._assembly.message()
        self._assembly, self._size = None, 0
        return event


class _Assembly:
    """A message in fragments. Text is checked as it comes: what is no UTF-8 fails before the end is there."""

    __slots__ = ("_binary", "_decoder", "_text")

    def __init__(self, text: bool) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")() if text else None
        self._text: list[str] = []
        self._binary = bytearray()

    def add(self, payload: bytes, final: bool) -> None:
        """The next fragment."""
        if self._decoder is None:
            self._binary += payload
            return
        try:
            piece = self._decoder.decode(payload, final)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        if piece:  # a peer may send any number of empty fragments
            self._text.append(piece)

    def message(self) -> Text | Binary:
        """All of it."""
        return Binary(bytes(self._binary)) if self._decoder is None else Text("".join(self._text))


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> ProtocolError:
    return ProtocolError(CloseCode.INVALID_DATA, "text that is not UTF-8")


def _close_code(payload: bytes) -> int | None:
    """The code in a close frame (RFC 6455 §5.5.1 and §7.4)."""
    if not payload:
        return None
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "a close code that no peer may send")
    _text(payload[2:])
    return code


def _unmasked(payload: bytes | bytearray, key: bytes | bytearray) -> bytes:
    """Takes the mask off (RFC 6455 §5.3): one XOR of two long integers."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
