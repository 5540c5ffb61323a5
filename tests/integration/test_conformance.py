"""Engine.IO v4 and Socket.IO v5, promise by promise from their texts, over polling, WebSocket and upgrade.

The server runs in this process with a quick pace, so that heartbeats are waited for and not slept through.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import pytest
from yarl import URL

from enforcer.app import Server
from enforcer.configuration.settings import Settings
from enforcer.gateway.direct.frames import text_frame
from enforcer.gateway.limits import Pace
from tests.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, masked

PACE = Pace(ping_interval=1.0, ping_timeout=0.5, connect_within=1.0)
WITHIN = 5.0
SEPARATOR = "\x1e"


class Site:
    """A running server, and what an app server would ask of it."""

    def __init__(self, url: str, authkey: str, http: aiohttp.ClientSession) -> None:
        self.engine = url + "/socket.io/"
        self.http = http
        self._url = url
        self._authkey = authkey

    async def login(self, room: str) -> dict[str, Any]:
        """The answer of `POST /notify`."""
        async with self.http.post(self._url + "/notify", json={"room": room, "key": self._authkey}) as answer:
            assert answer.status == 200
            found: dict[str, Any] = await answer.json()
            return found

    async def get(self, query: str, method: str = "GET", **options: Any) -> tuple[int, str]:
        """Status and body of one plain request."""
        async with self.http.request(method, f"{self.engine}?{query}", **options) as answer:
            return answer.status, await answer.text()

    async def opens(self, query: str) -> bool:
        """Whether a WebSocket can be opened there."""
        try:
            async with self.http.ws_connect(f"{self.engine}?{query}"):
                return True
        except aiohttp.WSServerHandshakeError as error:
            if error.status != 400:
                raise
            return False


@pytest.fixture
async def site(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Site]:
    """A server on a free port of this process. Whatever a test sends, nothing of it is an error in the log."""
    authkey = secrets.token_urlsafe(32)
    settings = Settings(port=0, ipaddr="127.0.0.1", authkey=authkey, store="memory://")
    server = Server(settings, pace=PACE)
    await server.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(WITHIN)) as http:
        yield Site(f"http://127.0.0.1:{server.port}", authkey, http)
    await server.stop()
    records = [r for phase in ("setup", "call") for r in caplog.get_records(phase)]
    assert not [r for r in records if r.levelname == "ERROR" and not r.name.endswith(".client")]  # the tests' own


class Polling:
    """A session over HTTP long-polling, packet by packet."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._in: list[str] = []

    async def open(self) -> Self:
        """The handshake."""
        status, body = await self.site.get("EIO=4&transport=polling")
        assert status == 200
        self._greeted(body)
        return self

    def _greeted(self, packet: str) -> None:
        assert packet[0] == "0"
        self.handshake: dict[str, Any] = json.loads(packet[1:])
        self.query = f"EIO=4&transport=polling&sid={self.handshake['sid']}"

    async def send(self, *packets: str) -> None:
        """One POST with all of them."""
        status, body = await self.site.get(self.query, "POST", data=SEPARATOR.join(packets))
        assert (status, body.lower()) == (200, "ok")

    async def receive(self, pings: bool = False) -> str:
        """The next packet, of as many polls as it takes; pings are answered, or handed out. EOFError at the end."""
        while True:
            if not self._in:
                status, body = await self.site.get(self.query)
                if status != 200:
                    assert status == 400
                    raise EOFError
                self._in = body.split(SEPARATOR)
            packet = self._in.pop(0)
            if packet == "1":
                raise EOFError
            if packet == "2" and not pings:
                await self.site.get(self.query, "POST", data="3")  # it may be over by now
            elif packet != "6":
                return packet

    async def close(self) -> None:
        """Whatever state it is in."""
        await self.site.get(self.query, "POST", data="1")


class WebSocket:
    """A session over a WebSocket that was opened at once."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def open(self) -> Self:
        """The handshake."""
        self.ws = await self.site.http.ws_connect(self.site.engine + "?EIO=4&transport=websocket")
        packet = await self.receive()
        assert packet[0] == "0"
        self.handshake: dict[str, Any] = json.loads(packet[1:])
        self.query = f"EIO=4&transport=websocket&sid={self.handshake['sid']}"
        return self

    async def send(self, *packets: str) -> None:
        """A frame each."""
        for packet in packets:
            await self.ws.send_str(packet)

    async def receive(self, pings: bool = False) -> str:
        """The next packet; pings are answered, or handed out. EOFError at the end."""
        while True:
            message = await self.ws.receive(WITHIN)
            if message.type is not aiohttp.WSMsgType.TEXT or message.data == "1":
                raise EOFError
            if message.data == "2" and not pings:
                await self.send("3")
            elif message.data != "6":
                return str(message.data)

    async def close(self) -> None:
        """Whatever state it is in."""
        await self.ws.close()


class Upgraded(WebSocket):
    """A session that began with polling and is on a WebSocket now."""

    async def open(self) -> Self:
        """The handshake, the probe, the upgrade."""
        polling = await Polling(self.site).open()
        self.handshake, self.query = polling.handshake, polling.query
        self.ws = await self.site.http.ws_connect(self.site.engine + "?" + self.query.replace("polling", "websocket"))
        await self.send("2probe")
        assert await self.receive() == "3probe"
        await self.send("5")
        return self


Session = Polling | WebSocket
TRANSPORTS: dict[str, type[Polling] | type[WebSocket]] = {
    "polling": Polling,
    "websocket": WebSocket,
    "upgraded": Upgraded,
}


@pytest.fixture(params=TRANSPORTS)
async def session(request: pytest.FixtureRequest, site: Site) -> AsyncIterator[Session]:
    """An open Engine.IO session over each transport."""
    opened = await TRANSPORTS[request.param](site).open()
    yield opened
    await opened.close()


async def joined(session: Session, room: str = "alice") -> dict[str, Any]:
    """CONNECT to `/` with a good ticket; the first `session` event's payload."""
    ticket = (await session.site.login(room))["ticket"]
    await session.send("40" + json.dumps({"ticket": ticket}))
    answer = await session.receive()
    assert answer.startswith('40{"sid":"'), answer
    event = await session.receive()
    assert event.startswith('42["session",'), event
    payload: dict[str, Any] = json.loads(event[2:])[1]
    return payload


async def exhausted(session: Session, pings: bool = False) -> None:
    """Reads until the server closes."""
    try:
        while True:
            await session.receive(pings)
    except EOFError:
        pass


async def ended(session: Session) -> None:
    """The server has closed it; over polling its id is unknown from then on."""
    await exhausted(session)
    if isinstance(session, Polling):
        assert (await session.site.get(session.query))[0] == 400


# ---- Engine.IO: handshake ---------------------------------------------------------------------------


async def test_the_handshake_says_what_the_client_must_know(session: Session) -> None:
    """sid, upgrades, pingInterval and pingTimeout in ms, maxPayload in bytes."""
    told = session.handshake
    assert isinstance(told["sid"], str)
    assert told["sid"]
    assert told["upgrades"] == ([] if type(session) is WebSocket else ["websocket"])
    assert (told["pingInterval"], told["pingTimeout"], told["maxPayload"]) == (1000, 500, 16_384)


@pytest.mark.parametrize(
    ("query", "method"),
    [
        ("transport=polling", "GET"),
        ("EIO=abc&transport=polling", "GET"),
        ("EIO=3&transport=polling", "GET"),
        ("EIO=4", "GET"),
        ("EIO=4&transport=abc", "GET"),
        ("EIO=4&transport=websocket", "GET"),
        ("EIO=4&transport=polling&sid=abc", "GET"),
        ("EIO=4&transport=polling&sid=", "GET"),
        ("EIO=4&transport=polling", "POST"),
        ("EIO=4&transport=polling&sid=abc", "POST"),
        ("EIO=4&transport=polling", "PUT"),
        ("EIO=4&transport=polling", "DELETE"),
        ("EIO=4&transport=polling", "PATCH"),
        ("", "GET"),
    ],
)
async def test_a_request_that_opens_nothing_is_400(site: Site, query: str, method: str) -> None:
    """Version and transport are mandatory, ids must be known, a handshake is a GET."""
    assert (await site.get(query, method))[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        *("transport=websocket", "EIO=abc&transport=websocket", "EIO=3&transport=websocket", "EIO=4"),
        *("EIO=4&transport=abc", "EIO=4&transport=websocket&sid=abc", "EIO=4&transport=websocket&sid="),
    ],
)
async def test_a_websocket_that_opens_nothing_is_400(site: Site, query: str) -> None:
    """The same for an opening handshake of a WebSocket."""
    assert not await site.opens(query)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [("Sec-WebSocket-Version", "8", 426), ("Sec-WebSocket-Key", "x", 400), ("Connection", "close", 400)],
)
@pytest.mark.parametrize("upgrade", [False, True], ids=["direct", "upgrade"])
async def test_a_broken_websocket_handshake_is_refused(
    site: Site, header: str, value: str, status: int, upgrade: bool
) -> None:
    """RFC 6455 §4.2.1 and §4.4, for both engines."""
    asked = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        header: value,
    }
    query = "EIO=4&transport=websocket"
    if upgrade:
        query += "&sid=" + (await Polling(site).open()).handshake["sid"]
    got, _ = await site.get(query, headers=asked)
    assert got == status


# ---- Engine.IO: messages ----------------------------------------------------------------------------


async def test_packets_go_both_ways(session: Session) -> None:
    """One after the other."""
    await joined(session)
    await session.send('421["check"]')
    assert (await session.receive()).startswith('431[{"session"')


async def test_many_packets_at_once_keep_their_order(session: Session) -> None:
    """Over polling they are one payload; forty are what a page may have kept while it was offline."""
    await joined(session)
    await session.send(*(f'42{n}["check"]' for n in range(40)))
    for n in range(40):
        assert (await session.receive()).startswith(f"43{n}[")


async def test_polling_answers_in_plain_text(site: Site) -> None:
    """The payload's content type."""
    async with site.http.get(site.engine + "?EIO=4&transport=polling") as answer:
        assert answer.content_type == "text/plain"
        assert (answer.charset or "").lower() == "utf-8"


@pytest.mark.parametrize("body", ["abc", "", "9", "0{}", "2", "6", f"421[]{SEPARATOR}", "4", "b!!", "é"])
async def test_an_invalid_polling_payload_ends_the_session(site: Site, body: str) -> None:
    """400, and the id is unknown from then on."""
    session = await Polling(site).open()
    status, _ = await site.get(session.query, "POST", data=body)
    assert status == 400
    assert (await site.get(session.query))[0] == 400


@pytest.mark.parametrize("packet", ["abc", "", "9", "0{}", "2", "2probe", "5", "6"])
async def test_an_invalid_packet_ends_the_websocket(site: Site, packet: str) -> None:
    """A client never opens, nor pings but to probe."""
    session = await WebSocket(site).open()
    await session.send(packet)
    await ended(session)


async def test_two_polls_at_once_end_the_session(site: Site) -> None:
    """There is one GET at a time: the second is 400, and the session is over."""
    session = await Polling(site).open()
    first = asyncio.create_task(site.get(session.query))
    answers = [await site.get(session.query), await first]
    assert 400 in [status for status, _ in answers]
    assert (await site.get(session.query))[0] == 400


# ---- Engine.IO: heartbeat ---------------------------------------------------------------------------


async def test_the_server_pings_and_a_pong_keeps_the_session(session: Session) -> None:
    """Two rounds, each within the interval (and a little)."""
    await joined(session)
    for _ in range(2):
        async with asyncio.timeout(PACE.ping_interval + 0.4):
            assert await session.receive(pings=True) == "2"
        await session.send("3")
    await session.send('421["check"]')
    assert (await session.receive()).startswith("431[")


async def test_no_pong_ends_the_session(session: Session) -> None:
    """After interval and timeout, and not before; its socket is not online any more."""
    await joined(session)
    started = asyncio.get_running_loop().time()
    assert await session.receive(pings=True) == "2"
    await exhausted(session, pings=True)
    waited = asyncio.get_running_loop().time() - started
    assert PACE.ping_timeout <= waited < 3 * (PACE.ping_interval + PACE.ping_timeout)


async def test_messages_are_no_pongs(session: Session) -> None:
    """Only a pong answers a ping: who just goes on talking is closed too."""
    await joined(session)
    assert await session.receive(pings=True) == "2"
    await session.send('421["check"]', '422["check"]')
    assert (await session.receive()).startswith("431[")
    await exhausted(session, pings=True)


# ---- Engine.IO: closing -----------------------------------------------------------------------------


async def test_a_client_closes(session: Session) -> None:
    """Packet `1`; a poll that hangs is answered."""
    await joined(session)
    hanging = asyncio.create_task(session.receive()) if isinstance(session, Polling) else None
    await session.send("1")
    if hanging is not None:
        with pytest.raises(EOFError):
            await hanging
    await ended(session)


# ---- Engine.IO: upgrade -----------------------------------------------------------------------------


async def test_an_upgrade_releases_the_hanging_poll(site: Site) -> None:
    """With a noop, so that nothing is lost between the transports."""
    session = await Polling(site).open()
    await joined(session)
    hanging = asyncio.create_task(site.get(session.query))
    ws = await site.http.ws_connect(site.engine + "?" + session.query.replace("polling", "websocket"))
    await ws.send_str("2probe")
    assert await ws.receive_str() == "3probe"
    assert await hanging == (200, "6")
    await ws.send_str("5")
    await ws.send_str('421["check"]')
    while not (packet := await ws.receive_str()).startswith("431["):
        assert packet in ("2", "6")
    await ws.close()


async def test_after_an_upgrade_the_old_ways_are_closed(site: Site) -> None:
    """No polling and no second WebSocket with the same id; the first one is not disturbed."""
    session = await Upgraded(site).open()
    await joined(session)
    assert (await site.get(session.query))[0] == 400
    assert (await site.get(session.query, "POST", data="421[]"))[0] == 400
    assert not await site.opens(session.query.replace("polling", "websocket"))
    await session.send('421["check"]')
    assert (await session.receive()).startswith("431[")
    await session.close()


async def test_a_direct_session_has_no_other_transport(site: Site) -> None:
    """Its id opens nothing else."""
    session = await WebSocket(site).open()
    assert (await site.get(session.query.replace("websocket", "polling")))[0] == 400
    assert not await site.opens(session.query)
    await session.close()


# ---- Socket.IO: connection to a namespace -----------------------------------------------------------


async def test_a_connect_is_answered_with_an_id_of_its_own(session: Session) -> None:
    """Not the id of the Engine.IO session, which is a secret of the transport."""
    ticket = (await session.site.login("alice"))["ticket"]
    await session.send("40" + json.dumps({"ticket": ticket}))
    answer = json.loads((await session.receive())[2:])
    assert set(answer) == {"sid"}
    assert answer["sid"] != session.handshake["sid"]


@pytest.mark.parametrize("auth", ["", "{}", '{"ticket":"x"}', "[]", '"x"', "5", "null"])
async def test_a_refused_connect_gets_connect_error_and_may_try_again(session: Session, auth: str) -> None:
    """`{message, data}`, whatever `auth` was; the connection stays for another try."""
    await session.send("40" + auth)
    answer = await session.receive()
    assert answer.startswith("44{")
    assert json.loads(answer[2:])["message"] in ("ticket-required", "ticket-invalid")
    await joined(session)


@pytest.mark.parametrize("namespace", ["/random", "/admin", "/é"])
async def test_an_unknown_namespace_is_refused(session: Session, namespace: str) -> None:
    """`Invalid namespace`, in that namespace."""
    await session.send(f"40{namespace},")
    answer = await session.receive()
    assert answer.startswith(f"44{namespace},"), answer
    assert json.loads(answer.partition(",")[2]) == {"message": "Invalid namespace"}
    await joined(session)


async def test_without_connect_the_session_is_closed(session: Session) -> None:
    """After a while, whatever else was said."""
    await session.send('42["check"]')
    started = asyncio.get_running_loop().time()
    await ended(session)
    assert asyncio.get_running_loop().time() - started < PACE.connect_within + 1


async def test_a_client_leaves_and_comes_back(session: Session) -> None:
    """DISCONNECT ends the namespace, not the connection; nothing is heard in between."""
    await joined(session)
    await session.send("41", '421["check"]')
    await joined(session, "bob")
    await session.send('422["check"]')
    assert (await session.receive()).startswith("432[")


async def test_a_client_that_left_and_stays_is_closed(session: Session) -> None:
    """As one that never came."""
    await joined(session)
    await session.send("41")
    await ended(session)


async def test_a_kick_disconnects(session: Session) -> None:
    """An event with an ack id; on the ack, DISCONNECT."""
    told = await joined(session)
    await session.site.login("alice")
    packet = await session.receive()
    assert packet.startswith("42")
    digits = packet[2 : packet.index("[")]
    assert digits.isdigit()
    event, payload = json.loads(packet[2 + len(digits) :])
    assert (event, payload["session"]) == ("force-logout", told["session"])
    await session.send(f"43{digits}[]")
    assert await session.receive() == "41"


# ---- Socket.IO: events ------------------------------------------------------------------------------


async def test_an_event_without_an_id_is_not_acked(session: Session) -> None:
    """And one with an id is, exactly once, with that id."""
    await joined(session)
    await session.send('42["check"]', '42["nonsense",1,[2]]', '42456["check"]')
    assert (await session.receive()).startswith("43456[")
    await session.send('420["check",null]')
    assert (await session.receive()).startswith("430[")


INVALID = ("4abc", "49", "4", "42{}", "42", '42"check"', '42abc["check"]', '42["check"', "43{}", '44{"message":"x"}')
BINARY_PACKETS = ('451-["check",{"_placeholder":true,"num":0}]', '461-1[{"_placeholder":true,"num":0}]')


@pytest.mark.parametrize("packet", [*INVALID, *BINARY_PACKETS])
async def test_a_packet_that_is_none_closes_the_connection(session: Session, packet: str) -> None:
    """Unknown types, payloads that are not what the type wants, ids that are no numbers; and binary."""
    await joined(session)
    if isinstance(session, Polling):
        await session.site.get(session.query, "POST", data=packet)
    else:
        await session.send(packet)
    await ended(session)


# ---- RFC 6455 on the wire ---------------------------------------------------------------------------


async def test_control_frames_come_between_fragments(site: Site) -> None:
    """§5.4 and §5.5.2: a ping is answered at once, with its data, in the middle of a message that is heard then."""
    url = URL(site.engine)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        f"GET {url.path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {url.authority}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        + masked(TEXT, b"40/no", fin=False)  # right behind the request, in the same segment
        + masked(PING, b"are you there")
        + masked(CONTINUATION, b"", fin=False)
        + masked(CONTINUATION, b"where,")
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    refusal = b'44/nowhere,{"message":"Invalid namespace"}'
    async with asyncio.timeout(WITHIN):
        told = await reader.readuntil(refusal)
        assert b"\x8a\x0dare you there\x81" + bytes([len(refusal)]) + refusal in told
        writer.write(masked(CLOSE, (3000).to_bytes(2) + b"bye"))
        assert (await reader.read()).endswith(b"\x88\x02" + (3000).to_bytes(2))
    writer.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (text_frame(b"3"), 1002),
        (masked(TEXT, b"3", rsv=0x40), 1002),
        (masked(3), 1002),
        (masked(BINARY, b"x"), 1003),
        (masked(TEXT, b"\xff"), 1007),
        (masked(TEXT, b"x" * 20_000), 1009),
        (masked(CLOSE, (1005).to_bytes(2)), 1002),
    ],
    ids=["unmasked", "reserved bit", "reserved opcode", "binary", "no UTF-8", "too big", "bad close code"],
)
async def test_a_broken_frame_is_answered_with_its_code(site: Site, frame: bytes, code: int) -> None:
    """§7.4.1, and the connection ends."""
    session = await WebSocket(site).open()
    beneath: asyncio.Transport = session.ws._writer.transport  # the library itself would never send this
    beneath.write(frame)
    message = await session.ws.receive(WITHIN)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)
    await session.close()
