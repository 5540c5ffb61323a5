"""The short reader of HTTP/1.1 against the full one: what it understands, both understand alike."""

import asyncio
import string
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from enforcer.http.plain_requests import MAX_HEAD, may_go_on, opening_request, whole_request

PLAIN = b"POST /notify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def test_a_plain_request() -> None:
    """All that a fast answer needs of it."""
    request = whole_request(PLAIN.replace(b"Host: a", b"Host: a\r\nAUTHORIZATION:  Bearer key \t"))
    assert request is not None
    assert (request.method, request.path, request.body) == ("POST", "/notify", b"{}")
    assert request.headers == ("Bearer key", "application/json", 2, "a", None, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"G",
        PLAIN + PLAIN,
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(b"POST", b"post"),
        PLAIN.replace(b"/notify", b"/notify?key=x"),
        PLAIN.replace(b"/notify", b"/n%6ftify"),
        PLAIN.replace(b"/notify", b"http://a/notify"),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"Host: a\r\n", b""),
        PLAIN.replace(b"Host: a", b"Host: a\r\nHost: a"),
        PLAIN.replace(b"Host: a", b"Host: a\r\n folded"),
        PLAIN.replace(b"Host: a", b"Host : a"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nContent-Length: 2"),
        PLAIN.replace(b"Length: 2", b"Length: +2"),
        PLAIN.replace(b"Length: 2", b"Length: 02"),
        PLAIN.replace(b"Length: 2", b"Length: 2, 2"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nTransfer-Encoding: chunked"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nContent-Encoding: gzip"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nExpect: 100-continue"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nUpgrade: websocket"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nConnection: close"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nConnection: keep-alive, upgrade"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nX: \x00"),
        PLAIN.replace(b"Host: a", b"Host: \xe9"),
        PLAIN.replace(b"Host: a", b"Host: a\r\nX: " + b"x" * MAX_HEAD),
    ],
)
def test_what_is_not_plain_is_left_alone(data: bytes) -> None:
    """Not refused: the full parser judges it."""
    assert whole_request(data) is None


KNOWN = st.sampled_from(["/notify", "/v1/sessions/s-1"])
OPENING = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_a_plain_opening() -> None:
    """Path, query and fields."""
    opening = opening_request(OPENING)
    assert opening is not None
    assert (opening.path, opening.query) == ("/socket.io/", "EIO=4&transport=websocket")
    assert dict(opening.fields)["connection"] == "Upgrade"


def test_an_opening_as_browsers_and_proxies_send_it() -> None:
    """Long cookies, fields that come twice, escapes in the query."""
    more = b"Cookie: \xc3\xa9\r\nX-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\nX: " + b"x" * 60_000
    opening = opening_request(OPENING.replace(b"Host: a", b"Host: a\r\n" + more).replace(b"EIO=4", b"EIO=4&t=%20!"))
    assert opening is not None
    assert opening.query == "EIO=4&t=%20!&transport=websocket"
    assert [value for name, value in opening.fields if name == "x-forwarded-for"] == ["1", "2"]
    assert dict(opening.fields)["cookie"] == "é"


@pytest.mark.parametrize(
    "data",
    [
        OPENING[:-1],
        OPENING + b"x",
        OPENING.replace(b"GET", b"POST"),
        OPENING.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        OPENING.replace(b"Host: a", b"Host: a\r\nHost: a"),
        OPENING.replace(b"Host: a", b"Host: a\r\nContent-Length: 0"),
        OPENING.replace(b"Host: a", b"Host: a\r\nTransfer-Encoding: chunked"),
        OPENING.replace(b"Host: a", b"Host: a\r\nConnection: Upgrade"),
        OPENING.replace(b"Host: a", b"Host: a\r\nX: \x00"),
        OPENING.replace(b"transport", b'"'),
        PLAIN,
    ],
)
def test_an_opening_that_is_not_plain_is_left_alone(data: bytes) -> None:
    """As with requests."""
    assert opening_request(data) is None


@given(data=st.data())
def test_every_piece_of_a_head_may_go_on(data: st.DataObject) -> None:
    """However it is cut."""
    head = data.draw(st.sampled_from([OPENING, PLAIN[:-2]]))
    known = 0
    for end in sorted(data.draw(st.sets(st.integers(1, len(head)), min_size=1))):
        assert may_go_on(head[:end], known)
        known = end


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01",
        b"\r\n",
        b"get / HTTP/1.1\r\n",
        b"GET /\r\n",
        b"GET / HTTP/2\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 64])
def test_what_cannot_become_a_head_is_not_waited_for(data: bytes, size: int) -> None:
    """Nor when it comes byte by byte."""
    assert not all(may_go_on(data[: known + size], known) for known in range(0, len(data), size))


TOKEN = st.text(string.ascii_letters + string.digits + "-_!#", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=12)
USUAL = st.sampled_from(
    [
        ("Host", "a"),
        ("host", "b:80"),
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer abc"),
        ("Content-Length", "2"),
        ("Content-Length", "0"),
        ("Connection", "keep-alive"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Bytes that are nearly, or quite, a request."""
    method = draw(st.sampled_from(["GET", "POST", "POST", "DELETE", "PUT", "get"]))
    path = draw(st.one_of(*[KNOWN] * 3, st.text(max_size=8).map("/".__add__)))
    headers = draw(st.sampled_from([[("Host", "a")], [("Host", "a"), ("Content-Length", "2")], []]))
    headers = headers + draw(st.lists(st.one_of(USUAL, st.tuples(TOKEN, VALUE)), max_size=3))
    end = draw(st.sampled_from([*["\r\n"] * 7, "\n"]))
    separator = draw(st.sampled_from([": ", ": ", ": ", ":", ":\t", " : "]))
    head = end.join([f"{method} {path} HTTP/1.1", *(name + separator + value for name, value in headers), "", ""])
    return head.encode("utf-8", "surrogatepass") + draw(st.sampled_from([b"", b"{}", b"{}{}"]))


@settings(max_examples=1000)
@given(requests())
@example(PLAIN)
def test_nothing_is_understood_otherwise_than_by_the_full_parser(data: bytes) -> None:
    """Whatever is taken here is for aiohttp one whole request too, with the same method, path, fields and body."""
    request = whole_request(data)
    event("left alone" if request is None else "understood")
    if request is None:
        return
    messages = parsed(data)
    assert len(messages) == 1
    message, body = messages[0]
    assert (message.method, message.path) == (request.method, request.path)
    assert message.headers.getall("Authorization", [None]) == [request.headers.authorization]
    assert message.headers.get("Content-Type", "").lower() == request.headers.content_type
    assert (message.should_close, message.upgrade, message.chunked) == (False, False, False)
    assert body == request.body


@settings(max_examples=500)
@given(st.data())
def test_no_opening_is_understood_otherwise_than_by_the_full_parser(data: st.DataObject) -> None:
    """With some bytes of it changed: path, query and fields are as aiohttp has them, and it is an upgrade."""
    raw = bytearray(OPENING)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from([b"", b"x", b" ", b":", b"\r\n"]))
    opening = opening_request(bytes(raw))
    event("left alone" if opening is None else "understood")
    if opening is None:
        return
    ((message, body),) = parsed(bytes(raw), upgrade=True)
    assert (message.method, message.path) == ("GET", f"{opening.path}?{opening.query}")
    assert [(name.lower(), value) for name, value in message.headers.items()] == list(opening.fields)
    assert body == b""


def parsed(data: bytes, upgrade: bool = False) -> list[tuple[Any, bytes]]:
    """What aiohttp's parser, the one that serves, makes of it; bodies are complete."""

    async def feed() -> list[tuple[Any, bytes]]:
        loop = asyncio.get_running_loop()
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        messages, upgraded, tail = parser.feed_data(data)
        assert upgraded is upgrade
        assert tail == b""
        return [(message, await payload.read()) for message, payload in messages]

    async def in_time() -> list[tuple[Any, bytes]]:
        async with asyncio.timeout(5):  # an unfinished body would be waited for
            return await feed()

    return asyncio.run(in_time())
