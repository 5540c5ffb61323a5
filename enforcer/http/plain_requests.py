"""Requests of HTTP/1.1 that arrive whole and plain (RFC 9112), read without a parser object.

Pure. A request is known only if all of it and nothing else is there and nothing about it is unusual; whatever is not
known is left to the full parser. So this may be strict to the point of refusing what is legal, but must never
understand a request otherwise than the full parser would.
"""

import re
import string
from functools import lru_cache
from typing import NamedTuple

_TARGET = rb"/[A-Za-z0-9._~:=+/-]*"  # nothing percent-encoded
_REQUEST_LINE = re.compile(rb"(GET|POST|DELETE) (" + _TARGET + rb") HTTP/1\.1")
_OPENING_LINE = re.compile(rb"GET (" + _TARGET + rb")\?([A-Za-z0-9._~:=+/&-]*) HTTP/1\.1")
# Both are linear: no two parts of them that stand side by side match the same byte.
_NAME = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode()
"""The bytes of a field's name (RFC 9110 §5.6.2)."""
_VALUE = bytes(range(ord(" "), ord("~") + 1)) + b"\t"
"""The bytes of a field's value that mean the same to everybody: printable ASCII."""
_UNUSUAL_BODY = frozenset({b"transfer-encoding", b"expect", b"content-encoding", b"te", b"trailer"})
"""Headers that change how a body is read."""
_UNUSUAL = _UNUSUAL_BODY | {b"upgrade"}
"""These, and what changes what becomes of the connection."""
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,6}")
_HEAD_END = b"\r\n\r\n"
FORWARD_AUTH = b"/forward-auth"
MAX_HEAD = 4096
"""Bytes of a request line and headers that are still plain."""


class Headers(NamedTuple):
    """What a header block says: whole fields, `content_type` in lower case."""

    authorization: str | None
    content_type: str
    content_length: int
    host: str
    x_forwarded_for: str | None
    forwarded: str | None
    cookie: str | None


class Opening(NamedTuple):
    """A request that opens a WebSocket (RFC 6455 §4.1). The names of the header fields are in lower case."""

    path: str
    query: str
    fields: dict[str, str]


class WholeRequest(NamedTuple):
    """One request. `path` has no query."""

    method: str
    path: str
    headers: Headers
    body: bytes


def whole_request(data: bytes) -> WholeRequest | None:
    """The request that these bytes are, from first to last; None if they are anything else."""
    end = data.find(_HEAD_END, 0, MAX_HEAD)
    line, _, block = data[: max(end, 0)].partition(b"\r\n")
    request = _REQUEST_LINE.fullmatch(line)
    if request is None:
        return None
    read = _meaning.__wrapped__ if request[2] == FORWARD_AUTH else _meaning  # each browser has a block of its own
    headers = read(block)
    body = data[end + len(_HEAD_END) :]
    if headers is None or len(body) != headers.content_length:
        return None
    return WholeRequest(request[1].decode(), request[2].decode(), headers, body)


def opening_request(data: bytes) -> Opening | None:
    """The opening request that these bytes are, from first to last; None if they are anything else."""
    if len(data) > MAX_HEAD or data.find(_HEAD_END) != len(data) - len(_HEAD_END):
        return None
    line, _, block = data.removesuffix(_HEAD_END).partition(b"\r\n")
    opening = _OPENING_LINE.fullmatch(line)
    if opening is None:
        return None
    fields = _fields(block)
    if fields is None or b"host" not in fields or fields.get(b"upgrade", b"").lower() != b"websocket":
        return None
    if b"upgrade" not in (token.strip() for token in fields.get(b"connection", b"").lower().split(b",")):
        return None
    if b"content-length" in fields or not _UNUSUAL_BODY.isdisjoint(fields):
        return None
    path, query = opening.groups()
    return Opening(path.decode(), query.decode(), {name.decode(): value.decode() for name, value in fields.items()})


@lru_cache(maxsize=256)
def _meaning(block: bytes) -> Headers | None:
    """What a header block says; the same callers send the same block again and again.

    None when a field comes twice, or when it is not plain how long the body is or that the connection stays open.
    """
    fields = _fields(block)
    if fields is None:
        return None
    length = fields.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(length) or b"host" not in fields or not _UNUSUAL.isdisjoint(fields):
        return None
    if fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    return Headers(
        _text(fields, b"authorization"),
        fields.get(b"content-type", b"").decode().lower(),
        int(length),
        fields[b"host"].decode(),
        _text(fields, b"x-forwarded-for"),
        _text(fields, b"forwarded"),
        _text(fields, b"cookie"),
    )


def _text(fields: dict[bytes, bytes], name: bytes) -> str | None:
    value = fields.get(name)
    return None if value is None else value.decode()


def _fields(block: bytes) -> dict[bytes, bytes] | None:
    """The header fields by their names in lower case; None when one comes twice or holds an unusual byte.

    The work is linear in the length of the block, whatever it holds: it comes from anybody.
    """
    fields: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not name or not colon or name.translate(None, _NAME) or value.translate(None, _VALUE):
            return None
        name = name.lower()
        if name in fields:
            return None
        fields[name] = value.strip(b" \t")
    return fields
