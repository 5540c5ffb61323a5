"""WebSocket framing by RFC 6455: frame by frame from its text, and by fuzzing."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.gateway.direct.frames import (
    Binary,
    Close,
    CloseCode,
    Event,
    HandshakeError,
    Inbox,
    Ping,
    Pong,
    ProtocolError,
    Text,
    accept_handshake,
    accept_key,
    close_frame,
    one_character,
    ping_frame,
    pong_frame,
    text_frame,
)
from tests.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, masked

LIMIT = 70_000


def read(*pieces: bytes, limit: int = LIMIT) -> list[Event | CloseCode]:
    """What comes out; the code of a protocol error at its end."""
    inbox = Inbox(limit)
    out: list[Event | CloseCode] = []
    for piece in pieces:
        try:
            out.extend(inbox.feed(piece))
        except ProtocolError as error:
            return [*out, error.code]
    return out


def read_until_fault(*pieces: bytes, limit: int = LIMIT) -> list[Event | CloseCode]:
    """As `read`, event by event, so that what came before a fault in the same piece is kept."""
    inbox = Inbox(limit)
    out: list[Event | CloseCode] = []
    try:
        for piece in pieces:
            for event in inbox.feed(piece):
                out.append(event)  # noqa: PERF402 - extend would lose what came before the fault
    except ProtocolError as error:
        out.append(error.code)
    return out


# ---- the opening handshake (§4.2) -------------------------------------------------------------------

ASKED = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def test_the_example_of_the_rfc() -> None:
    """§1.3 gives a key and its answer."""
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    head = accept_handshake(ASKED)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert head.endswith(b"\r\n\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"Extensions" not in head


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Upgrade", "h2c", 400),
        ("Connection", "keep-alive", 400),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "c2hvcnQ=", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ!!", 400),
        ("Sec-WebSocket-Key", "é" * 22 + "==", 400),
        ("Sec-WebSocket-Version", "8", 426),
        ("Sec-WebSocket-Version", "", 426),
    ],
)
def test_what_is_no_handshake_is_refused(header: str, value: str, status: int) -> None:
    """§4.2.1: each required header, and §4.4: the version."""
    with pytest.raises(HandshakeError) as refused:
        accept_handshake({**ASKED, header: value})
    assert refused.value.status == status


def test_tokens_may_be_spelt_and_listed_as_http_allows() -> None:
    """Firefox sends `keep-alive, Upgrade`; tokens are compared without regard to case."""
    assert accept_handshake({**ASKED, "Connection": "keep-alive, uPgrade", "Upgrade": "WebSocket"})


# ---- frames to the peer (§5.2) ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_lengths_are_written_in_their_shortest_form(size: int, head: bytes) -> None:
    """7, 16 or 64 bits, never masked."""
    assert text_frame(b"x" * size) == head + b"x" * size


def test_control_frames() -> None:
    """Pings, pongs and closes are one final frame each."""
    assert ping_frame(b"a") == b"\x89\x01a"
    assert pong_frame(b"") == b"\x8a\x00"
    assert close_frame(1001) == b"\x88\x02\x03\xe9"


# ---- frames from the peer ---------------------------------------------------------------------------


def test_the_examples_of_the_rfc() -> None:
    """§5.7, the masked ones."""
    assert read(bytes.fromhex("818537fa213d7f9f4d5158")) == [Text("Hello")]
    assert read(bytes.fromhex("898537fa213d7f9f4d5158")) == [Ping(b"Hello")]
    assert read(bytes.fromhex("8a8537fa213d7f9f4d5158")) == [Pong(b"Hello")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, LIMIT])
def test_messages_of_every_size(size: int) -> None:
    """All three forms of the length."""
    assert read(masked(BINARY, b"\xfe" * size)) == [Binary(b"\xfe" * size)]


def test_fragments_make_one_message_and_let_control_frames_in() -> None:
    """§5.4: control frames may come between the fragments; a character may be cut in two."""
    euro = "€".encode()
    assert read(
        masked(TEXT, b"a" + euro[:1], fin=False)
        + masked(PING, b"!")
        + masked(CONTINUATION, euro[1:2], fin=False)
        + masked(CONTINUATION, b"", fin=False)
        + masked(CONTINUATION, euro[2:])
        + masked(TEXT, b"next")
    ) == [Ping(b"!"), Text("a€"), Text("next")]
    assert read(masked(BINARY, b"\x00", fin=False), masked(CONTINUATION, b"\xff")) == [Binary(b"\x00\xff")]


FAULTS: dict[str, tuple[bytes, CloseCode]] = {
    "reserved bit 1": (masked(TEXT, rsv=0x40), CloseCode.PROTOCOL_ERROR),
    "reserved bit 2": (masked(TEXT, rsv=0x20), CloseCode.PROTOCOL_ERROR),
    "reserved bit 3": (masked(TEXT, rsv=0x10), CloseCode.PROTOCOL_ERROR),
    "unknown data frame": (masked(3), CloseCode.PROTOCOL_ERROR),
    "unknown control frame": (masked(11), CloseCode.PROTOCOL_ERROR),
    "not masked": (text_frame(b"x"), CloseCode.PROTOCOL_ERROR),
    "ping in pieces": (masked(PING, fin=False), CloseCode.PROTOCOL_ERROR),
    "long ping": (masked(PING, b"x" * 126), CloseCode.PROTOCOL_ERROR),
    "16 bits for 125": (b"\x81\xfe\x00\x7d", CloseCode.PROTOCOL_ERROR),
    "64 bits for 65535": (b"\x81\xff" + (65535).to_bytes(8), CloseCode.PROTOCOL_ERROR),
    "64th bit of a length": (b"\x81\xff\x80" + bytes(7), CloseCode.PROTOCOL_ERROR),
    "continuation of nothing": (masked(CONTINUATION), CloseCode.PROTOCOL_ERROR),
    "text within a message": (masked(TEXT, fin=False) + masked(TEXT), CloseCode.PROTOCOL_ERROR),
    "binary within a message": (masked(TEXT, fin=False) + masked(BINARY), CloseCode.PROTOCOL_ERROR),
    "too big": (masked(TEXT, b"x" * (LIMIT + 1)), CloseCode.TOO_BIG),
    "too big by its length alone": (b"\x81\xff" + (1 << 40).to_bytes(8), CloseCode.TOO_BIG),
    "too big in pieces": (
        masked(TEXT, b"x" * LIMIT, fin=False) + masked(CONTINUATION, b"x"),
        CloseCode.TOO_BIG,
    ),
    "no UTF-8": (masked(TEXT, b"\xff"), CloseCode.INVALID_DATA),
    "cut UTF-8": (masked(TEXT, b"\xe2\x82"), CloseCode.INVALID_DATA),
    "surrogate": (masked(TEXT, b"\xed\xa0\x80"), CloseCode.INVALID_DATA),
    "no UTF-8 in the first of many fragments": (masked(TEXT, b"\xff", fin=False), CloseCode.INVALID_DATA),
    "cut UTF-8 at the last fragment": (
        masked(TEXT, b"a", fin=False) + masked(CONTINUATION, b"\xe2"),
        CloseCode.INVALID_DATA,
    ),
    "half a close code": (masked(CLOSE, b"\x03"), CloseCode.PROTOCOL_ERROR),
    "a close reason that is no UTF-8": (masked(CLOSE, b"\x03\xe8\xff"), CloseCode.INVALID_DATA),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_have_their_code(fault: str) -> None:
    """Each MUST about what a client sends, with the code that §7.4.1 gives it; byte by byte too."""
    data, code = FAULTS[fault]
    assert read_until_fault(data) == [code]
    assert read_until_fault(*(data[n : n + 1] for n in range(len(data)))) == [code]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    """§7.4; nothing after a close is read."""
    inbox = Inbox(LIMIT)
    assert list(inbox.feed(masked(CLOSE, code.to_bytes(2) + b"bye") + masked(TEXT, b"x"))) == [Close(code)]
    assert list(inbox.feed(masked(TEXT, b"x") + b"\xff")) == []
    assert not inbox.empty


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_close_codes_that_may_not(code: int) -> None:
    """§7.4.1 keeps some for use within an endpoint; §7.4.2 leaves the rest undefined."""
    assert read(masked(CLOSE, code.to_bytes(2))) == [CloseCode.PROTOCOL_ERROR]


def test_nothing_is_kept_between_messages() -> None:
    """So an idle connection needs no inbox; in the middle of anything it does."""
    inbox = Inbox(LIMIT)
    assert inbox.empty
    for piece, empty in (
        (masked(TEXT, b"abc"), True),
        (masked(TEXT, b"abc")[:3], False),
        (masked(TEXT, b"abc")[3:], True),
        (masked(TEXT, b"a", fin=False), False),
        (masked(CONTINUATION, b"b"), True),
    ):
        list(inbox.feed(piece))
        assert inbox.empty is empty


def test_a_slow_sender_costs_no_more_than_its_bytes() -> None:
    """A message byte by byte is not copied again for each byte: 1 MB comes through in a moment."""
    data = masked(TEXT, b"x" * 1_000_000)
    inbox = Inbox(1_000_000)
    out = [event for n in range(0, len(data), 7) for event in inbox.feed(data[n : n + 7])]
    assert out == [Text("x" * 1_000_000)]


# ---- fuzzing ----------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.text(max_size=200).map(lambda s: (TEXT, s.encode(), Text(s))),
    st.binary(max_size=400).map(lambda b: (BINARY, b, Binary(b))),
    st.binary(max_size=125).map(lambda b: (PING, b, Ping(b))),
    st.binary(max_size=125).map(lambda b: (PONG, b, Pong(b))),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Event]]:
    """Valid bytes of a client with the events they stand for, messages in any number of fragments."""
    data, events = b"", []
    for opcode, payload, event in draw(st.lists(EVENTS, max_size=6)):
        key = draw(st.binary(min_size=4, max_size=4))
        if opcode in (PING, PONG):
            data += masked(opcode, payload, key=key)
        else:
            cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
            parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
            for n, part in enumerate(parts):
                data += masked(CONTINUATION if n else opcode, part, fin=n == len(parts) - 1, key=key)
        events.append(event)
    return data, events


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    at = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(at)]


@given(streams(), st.lists(st.integers(0, 10**6), max_size=20))
def test_any_split_of_a_stream_gives_the_same_events(stream: tuple[bytes, list[Event]], cuts: list[int]) -> None:
    """TCP may cut wherever it likes."""
    data, events = stream
    assert read(data) == events
    assert read(*split(data, cuts)) == events


@given(st.binary(max_size=600), st.lists(st.integers(0, 10**6), max_size=20))
def test_garbage_raises_nothing_but_a_protocol_error(data: bytes, cuts: list[int]) -> None:
    """Whatever comes in, in whatever pieces: the same events, then perhaps the same fault."""
    assert read_until_fault(*split(data, cuts), limit=100) == read_until_fault(data, limit=100)


@given(streams(), st.integers(0, 10**6), st.integers(0, 255), st.lists(st.integers(0, 10**6), max_size=8))
def test_a_flipped_byte_changes_no_split(
    stream: tuple[bytes, list[Event]], at: int, byte: int, cuts: list[int]
) -> None:
    """Almost valid streams reach deeper than noise."""
    data = bytearray(stream[0] or b"\x00")
    data[at % len(data)] = byte
    spoilt = bytes(data)
    assert read_until_fault(*split(spoilt, cuts)) == read_until_fault(spoilt)


@given(st.binary(max_size=9) | st.binary(min_size=5, max_size=5).map(lambda b: b"\x81\x81" + b))
def test_the_short_cut_says_what_the_inbox_says(data: bytes) -> None:
    """One character, whole, or nothing is said."""
    code = one_character(data)
    if code is not None:
        assert read(data) == [Text(chr(code))]
    elif len(data) == 7 and data[:2] == b"\x81\x81":
        assert read(data) == [CloseCode.INVALID_DATA]


@given(st.text(max_size=70_000))
def test_round_trip(text: str) -> None:
    """What we frame, masked by a client that echoes it, is what we read."""
    frame = text_frame(text.encode())
    size = len(text.encode())
    payload = frame[len(frame) - size :]
    assert read(masked(TEXT, payload, key=os.urandom(4)), limit=1_000_000) == [Text(text)]
