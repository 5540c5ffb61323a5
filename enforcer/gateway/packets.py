"""Engine.IO v4 over a WebSocket and Socket.IO v5 in it, without any I/O: text in, packets out, and the way back.

A text message is one packet of Engine.IO; its first character is the type. A message (`4`) carries one packet of
Socket.IO: `<type>[<namespace>,][<id>][<JSON>]`. Binary packets are refused: none of our events has any.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

import orjson

from enforcer.gateway.direct.frames import CloseCode, ProtocolError

NAMESPACE = "/"
INVALID_NAMESPACE = "Invalid namespace"
PING = b"2"
_MAX_ID_DIGITS = 15


class Engine(Enum):
    """A packet of Engine.IO that is no message, and that a client may send outside of an upgrade."""

    CLOSE = "1"
    PONG = "3"


class Kind(Enum):
    """A packet of Socket.IO that a page may send."""

    CONNECT = "0"
    DISCONNECT = "1"
    EVENT = "2"
    ACK = "3"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of Socket.IO. `data` is the list of an EVENT (never empty) or ACK, or the `auth` of a CONNECT."""

    kind: Kind
    namespace: str
    id: int | None
    data: Any


_ENGINE = {e.value: e for e in Engine}
_KINDS = {k.value: k for k in Kind}


def read(text: str) -> Engine | Packet:
    """The packet that a text message holds.

    Raises:
        ProtocolError: it holds none that a page may send.
    """
    if text[:1] == "4":
        return _message(text)
    engine = _ENGINE.get(text)
    if engine is None:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "not a packet of Engine.IO that a client may send")
    return engine


def _message(text: str) -> Packet:
    kind = _KINDS.get(text[1:2])
    if kind is None:
        binary = text[1:2] in ("5", "6")
        code = CloseCode.UNSUPPORTED_DATA if binary else CloseCode.PROTOCOL_ERROR
        raise ProtocolError(code, "not a packet of Socket.IO that a client may send here")
    namespace, at = NAMESPACE, 2
    if text[2:3] == "/":
        comma = text.find(",", 2)
        end = len(text) if comma < 0 else comma
        namespace, at = text[2:end], end + 1
    digits = at
    while text[digits : digits + 1] in _DIGITS:
        digits += 1
    if digits - at > _MAX_ID_DIGITS:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "an ack id that is too long")
    id_ = int(text[at:digits]) if digits > at else None
    data = _json(text[digits:]) if digits < len(text) else None
    if (kind is Kind.EVENT and not data) or (kind in (Kind.EVENT, Kind.ACK) and not isinstance(data, list)):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "an event or ack without its list")
    return Packet(kind, namespace, id_, data)


_DIGITS = frozenset("0123456789")


def _not_json(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")


_decode = json.JSONDecoder(parse_constant=_not_json).decode
"""Not orjson: a lone surrogate in a text is allowed in JSON (RFC 8259 §8.2), and nobody is cut for it."""


def _json(text: str) -> Any:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "not JSON") from None


# ---- to the page --------------------------------------------------------------------------------


def opened(sid: str, ping_interval: float, ping_timeout: float, max_payload: int) -> bytes:
    """The first packet: the handshake of Engine.IO. Times in seconds, `max_payload` in bytes."""
    return b"0" + orjson.dumps(
        {
            "sid": sid,
            "upgrades": [],
            "pingInterval": round(ping_interval * 1000),
            "pingTimeout": round(ping_timeout * 1000),
            "maxPayload": max_payload,
        }
    )


def connected(sid: str) -> bytes:
    """A CONNECT to `/` is granted."""
    return b"40" + orjson.dumps({"sid": sid})


def refused(code: str, data: object = None, namespace: str = NAMESPACE) -> bytes:
    """A CONNECT is refused: CONNECT_ERROR."""
    members = {"message": code} if data is None else {"message": code, "data": data}
    return b"44" + _where(namespace) + orjson.dumps(members)


def disconnected() -> bytes:
    """The page is out of `/`."""
    return b"41"


def event(name: str, payload: object, id_: int | None = None) -> bytes:
    """An event; with an id, the page is asked for an ack."""
    return b"42" + (b"" if id_ is None else b"%d" % id_) + orjson.dumps([name, payload])


def ack(id_: int, answer: object) -> bytes:
    """The answer to an event with that id."""
    return b"43%d" % id_ + orjson.dumps([answer])


def _where(namespace: str) -> bytes:
    return b"" if namespace == NAMESPACE else namespace.encode(errors="replace") + b","
