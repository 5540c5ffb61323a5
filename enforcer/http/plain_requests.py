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
_OPENING_LINE = re.compile(rb"GET (" + _TARGET + rb")\?([A-Za-z0-9._~:=+/&%?!$'()*,;@-]*) HTTP/1\.1")
_ANY_LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]")
# All are linear: no two parts of them that stand side by side match the same byte.
_NAME = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode()
"""The bytes of a field's name (RFC 9110 §5.6.2)."""
_VALUE = bytes(range(ord(" "), ord("~") + 1)) + b"\t"
"""The bytes of a field's value that mean the same to everybody: printable ASCII."""
_TEXT = _VALUE + bytes(range(0x80, 0x100))
"""The same with `obs-text` (RFC 9110 §5.5), which cookies may hold."""
_ONCE = frozenset({b"host", b"origin", b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version"})
"""Headers of an opening request that mean nothing when they come twice."""
_UNUSUAL_BODY = frozenset({b"transfer-encoding", b"expect", b"content-encoding", b"te", b"trailer"})
"""Headers that change how a body is read."""
_UNUSUAL = _UNUSUAL_BODY | {b"upgrade"}
"""These, and what changes what becomes of the connection."""
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,6}")
HEAD_END = b"\r\n\r\n"
FORWARD_AUTH = "/forward-auth"
"""Where reverse proxies ask about requests of others."""
MAX_HEAD = 4096
"""Bytes of a request line and headers that are still plain, but for those that open a WebSocket."""


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
    fields: tuple[tuple[str, str], ...]


class WholeRequest(NamedTuple):
    """One request. `path` has no query."""

    method: str
    path: str
    headers: Headers
    body: bytes


def whole_request(data: bytes) -> WholeRequest | None:
    """The request that these bytes are, from first to last; None if they are anything else."""
    end = data.find(HEAD_END, 0, MAX_HEAD)
    line, _, block = data[: max(end, 0)].partition(b"\r\n")
    request = _REQUEST_LINE.fullmatch(line)
    if request is None:
        return None
    path = request[2].decode()
    headers = _meaning(block) if path == FORWARD_AUTH else _known_meaning(block)  # each browser has a block of its own
    body = data[end + len(HEAD_END) :]
    if headers is None or len(body) != headers.content_length:
        return None
    return WholeRequest(request[1].decode(), path, headers, body)


def opening_request(head: bytes) -> Opening | None:
    """The opening request that this head is, its blank line included; None if it is anything else.

    However long it is: browsers send along the cookies of the site.
    """
    line, _, block = head.removesuffix(HEAD_END).partition(b"\r\n")
    opening = _OPENING_LINE.fullmatch(line)
    if opening is None or not head.endswith(HEAD_END):
        return None
    fields = _all_fields(block)
    if fields is None:
        return None
    once = dict(fields)
    if b"host" not in once or once.get(b"upgrade", b"").lower() != b"websocket":
        return None
    if b"upgrade" not in (token.strip() for token in once.get(b"connection", b"").lower().split(b",")):
        return None
    if b"content-length" in once or not _UNUSUAL_BODY.isdisjoint(once):
        return None
    path, query = opening.groups()
    texts = tuple((name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in fields)
    return Opening(path.decode(), query.decode(), texts)


def may_go_on(head: bytes | bytearray, known: int) -> bool:
    """Whether these bytes can be the beginning of a head (RFC 9112 §2.1); what cannot need not be waited for.

    The first `known` of them could. A head that comes byte by byte is not copied each time.
    """
    if head.count(b"\n", max(1, known)) > head.count(b"\r\n", max(0, known - 1)):
        return False  # a line that ends without CR
    end = head.find(b"\r\n")
    if end < 0:
        return head[:1].isupper()
    return end < known - 1 or _ANY_LINE.fullmatch(head, 0, end) is not None


def _meaning(block: bytes) -> Headers | None:
    """What a header block says.

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


_known_meaning = lru_cache(maxsize=256)(_meaning)
"""The same app servers send the same block again and again."""


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


def _all_fields(block: bytes) -> list[tuple[bytes, bytes]] | None:
    """As `_fields`, but what may come several times does."""
    fields: list[tuple[bytes, bytes]] = []
    seen: set[bytes] = set()
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not name or not colon or name.translate(None, _NAME) or value.translate(None, _TEXT):
            return None
        name = name.lower()
        if name in _ONCE:
            if name in seen:
                return None
            seen.add(name)
        fields.append((name, value.strip(b" \t")))
    return fields
