"""What attackers try, each on a real server: refused, nobody else hurt, nothing secret in the log."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import jwt
import pytest

from enforcer.tickets import PROXY, derive_key
from tests.integration.pages import Opener
from tests.integration.problems import problem
from tests.integration.raw import RawSocket, exchange, refusal
from tests.running import EnforcerProcess, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server of this module. At its end: no traceback, no key and no ticket in its log."""
    made = EnforcerProcess(tmp_path_factory.mktemp("security") / "enforcer", log_format="json")
    with made:
        yield made
    log = made.read_log()
    assert "Traceback" not in log
    assert made.authkey not in log
    assert "eyJ" not in log, "a ticket is in the log"


async def alive(server: EnforcerProcess) -> None:
    """The server still lets in whoever may come."""
    room = "still-alive"
    login = await asyncio.to_thread(server.login, room)
    async with RawSocket(server) as page:
        await page.join(login["ticket"])
        await page.untouched()


# ---- tickets ----------------------------------------------------------------------------------------


def claims(room: str, session: str, **changes: Any) -> dict[str, Any]:
    """What a ticket of ours claims."""
    return {"iss": "enforcer", "aud": "enforcer:page", "sub": room, "sid": session, "iat": 1_700_000_000, **changes}


def signed(server: EnforcerProcess, room: str, session: str, **changes: Any) -> str:
    """A ticket of the server's own, but for what it claims."""
    return jwt.encode(claims(room, session, **changes), derive_key(server.authkey), algorithm="HS256")


def bare(server: EnforcerProcess, room: str, session: str) -> str:
    """A ticket whose header says nothing but that there is no signature."""
    parts = (b'{"alg":"none"}', json.dumps(claims(room, session)).encode(), b"")
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


FORGERIES: dict[str, Callable[[EnforcerProcess, str, str], str]] = {
    "alg none": lambda s, r, i: jwt.encode(claims(r, i), None, algorithm="none"),  # type: ignore[arg-type]
    "alg none alone": bare,
    "other key": lambda s, r, i: jwt.encode(claims(r, i), derive_key("x" * 40), algorithm="HS256"),
    "the authkey itself": lambda s, r, i: jwt.encode(claims(r, i), s.authkey, algorithm="HS256"),
    "other algorithm": lambda s, r, i: jwt.encode(claims(r, i), derive_key(s.authkey) * 2, algorithm="HS512"),
    "for a proxy": lambda s, r, i: signed(s, r, i, aud=PROXY),
    "other issuer": lambda s, r, i: signed(s, r, i, iss="me"),
    "no ticket at all": lambda s, r, i: "nonsense",
}


def status(server: EnforcerProcess, ticket: str) -> httpx.Response:
    """What the page that has this ticket is told of its session."""
    return httpx.get(f"{server.url}/session/status", headers={"Authorization": f"Bearer {ticket}"})


async def turned_away(server: EnforcerProcess, engine: str, ticket: str, code: str) -> dict[str, Any]:
    """Neither a socket nor a call is let in with this ticket; what the call is told."""
    async with RawSocket(server, engine) as page:
        assert refusal(await page.connect({"ticket": ticket}))["message"] == code
    return problem(status(server, ticket), 401, code)


@pytest.mark.parametrize("forged", FORGERIES)
async def test_forged_tickets_are_refused(server: EnforcerProcess, engine: str, room: str, forged: str) -> None:
    """For a session that is live."""
    session = server.login(room)["session"]
    assert status(server, signed(server, room, session)).status_code == 200, (
        "the right one must do, or nothing is shown"
    )
    await turned_away(server, engine, FORGERIES[forged](server, room, session), "ticket-invalid")


async def test_an_expired_ticket_is_refused_as_such(server: EnforcerProcess, engine: str, room: str) -> None:
    """The session lives, so the page is to ask for a new ticket, and must not log out."""
    session = server.login(room)["session"]
    await turned_away(server, engine, signed(server, room, session, exp=1_700_000_000), "ticket-expired")
    assert server.record(session)["active"] is True


async def test_an_ended_session_is_told_so_however_old_its_ticket(
    server: EnforcerProcess, engine: str, room: str
) -> None:
    """The session is judged before the ticket's own life, at every edge: a laptop that is opened the next morning."""
    session = server.login(room)["session"]
    expired = signed(server, room, session, exp=1_700_000_000)
    headers = {"Authorization": f"Bearer {expired}"}
    problem(httpx.post(f"{server.url}/session/activity", headers=headers), 401, "ticket-expired")
    problem(httpx.post(f"{server.url}/session/logout", headers=headers), 401, "ticket-expired")
    assert server.record(session)["active"] is True, "an expired ticket ends nothing, and extends nothing"
    server.call("DELETE", f"/v1/sessions/{session}")
    told = await turned_away(server, engine, expired, "session-ended")
    assert (told["session"], told["reason"]) == (session, "logout")
    for call in ("activity", "logout"):
        told = problem(httpx.post(f"{server.url}/session/{call}", headers=headers), 401, "session-ended")
        assert (told["session"], told["reason"]) == (session, "logout")
    assert server.record(session)["delivery"] == "refused_on_return"
    forged = jwt.encode(claims(room, session, exp=1_700_000_000), derive_key("x" * 40), algorithm="HS256")
    await turned_away(server, engine, forged, "ticket-invalid")
    await turned_away(server, engine, signed(server, room + "-other", session, exp=1_700_000_000), "session-unknown")


async def test_a_ticket_joins_its_own_room_only(server: EnforcerProcess, engine: str, room: str) -> None:
    """A signed ticket for a session of another room opens neither; what else stands in `auth` does not count."""
    victim, mine = server.login(room), server.login(room + "-mine")
    await turned_away(server, engine, signed(server, room, mine["session"]), "session-unknown")
    async with RawSocket(server, engine) as page:
        answer = await page.connect({"ticket": mine["ticket"], "room": room, "session": victim["session"]})
        assert answer.startswith("40{")
        told = json.loads((await page.packet())[2:])[1]
        assert (told["room"], told["session"]) == (room + "-mine", mine["session"])


@pytest.mark.parametrize("reason", ["displaced", "logout"])
async def test_a_ticket_is_worth_nothing_after_its_session(
    server: EnforcerProcess, engine: str, room: str, reason: str
) -> None:
    """Replayed after the end it is refused, as often as it is tried, and told why."""
    old = server.login(room)
    if reason == "displaced":
        server.login(room)
    else:
        server.call("DELETE", f"/v1/sessions/{old['session']}")
    for _ in range(3):
        told = await turned_away(server, engine, old["ticket"], "session-ended")
        assert (told["reason"], told["session"]) == (reason, old["session"])


def test_a_ticket_does_not_belong_into_a_url(server: EnforcerProcess, room: str) -> None:
    """It would be in logs and histories."""
    ticket = server.login(room)["ticket"]
    problem(httpx.get(f"{server.url}/session/status?ticket={ticket}"), 400, "credentials-in-url")


# ---- rooms and sockets ------------------------------------------------------------------------------


async def test_a_room_named_like_a_socket_receives_nothing(server: EnforcerProcess, engine: str, room: str) -> None:
    """A user whose name is another socket's id gets nothing of that socket, nor it anything of the user's."""
    victim = server.login(room)
    async with RawSocket(server, engine) as page:
        sid = await page.join(victim["ticket"])
        for name in (sid, page.sid):
            intruder = server.login(name)
            async with RawSocket(server, engine) as other:
                await other.join(intruder["ticket"])
                server.login(name)  # kicks the intruder
                assert (await other.packet()).startswith("42")
                await page.untouched()


async def test_a_kick_without_sockets_is_no_broadcast(server: EnforcerProcess, engine: str, room: str) -> None:
    """Ends that nobody listens for reach nobody; python-socketio would take an empty target for everyone."""
    bystander = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.join(bystander["ticket"])
        first = server.login(room + "-empty")
        server.login(room + "-empty")
        server.call("DELETE", f"/v1/sessions/{first['session']}")
        server.call("DELETE", f"/v1/users/{room}-empty/sessions")
        await page.untouched()


async def test_a_second_connect_closes_the_socket(server: EnforcerProcess, engine: str, room: str) -> None:
    """One socket speaks for one session, once."""
    login = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.join(login["ticket"])
        await page.send("40" + json.dumps({"ticket": login["ticket"]}))
        assert await page.closed() == 1002
    assert server.record(login["session"])["active"] is True
    until(lambda: server.record(login["session"])["online"] is False)


async def test_an_unknown_namespace_is_refused(server: EnforcerProcess, engine: str, room: str) -> None:
    """`/admin` is nobody's; the socket may still join where it belongs."""
    login = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.send("40/admin," + json.dumps({"ticket": login["ticket"]}))
        assert (await page.packet()).startswith("44/admin,")
        await page.join(login["ticket"])
        await page.send("40/admin,")
        assert (await page.packet()).startswith("44/admin,")
        await page.untouched()


async def test_nothing_is_heard_before_connect(server: EnforcerProcess, engine: str) -> None:
    """Events of a socket that has not joined do nothing."""
    async with RawSocket(server, engine) as page:
        await page.send('420["logout",{"everywhere":true}]')
        await page.send('420["check"]')
        assert refusal(await page.connect())["message"] == "ticket-required"


# ---- what is not Socket.IO --------------------------------------------------------------------------

DEEP = "[" * 5000
GARBAGE: dict[str, str | bytes] = {
    "unknown engine packet": "9x",
    "no packet type": "x",
    "base64 that is none": "b!",
    "empty frame": "",
    "no packet": "4",
    "deep engine packet": "4" + DEEP,
    "deep pong": "3" + DEEP,
    "unknown packet": "49",
    "letters": "4abc",
    "broken JSON": '42["check"',
    "no array": '42{"a":1}',
    "number": "425",
    "deep JSON": "42" + DEEP,
    "deep auth": "40" + '{"a":' * 3000,
    "huge id": "42" + "1" * 200 + '["check"]',
    "binary event": '451-["check",{"_placeholder":true,"num":0}]',
    "many attachments": '4599999999-["check"]',
    "binary": b"\x00\x01\x02",
    "binary ack": '461-0["x",{"_placeholder":true,"num":9}]',
    "connect error from a page": '44{"message":"x"}',
    "namespace only": "42/",
    "empty event": "42[]",
}
ODD: dict[str, str] = {
    "lone surrogate": '42["\\ud800"]',
    "ack of nothing": "43999[]",
    "ack without id": "43[]",
    "event name is no text": '42[{"a":1}]',
    "reserved event": '42["connect"]',
    "disconnect event": '42["disconnect"]',
    "event of ours": '42["force-logout",{"session":"x"}]',
    "other namespace": '42/admin,["check"]',
    "leave another namespace": "41/admin,",
    "prototype": '42["__proto__",{"constructor":1}]',
    "arguments that make no sense": '42["logout",[[["x"]]],5,null]',
}


@pytest.mark.parametrize("joined", [True, False], ids=["joined", "not joined"])
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_closes_the_socket(
    server: EnforcerProcess, engine: str, room: str, garbage: str, joined: bool
) -> None:
    """What is not Socket.IO, or binary, ends the connection of its sender; nobody is logged out by it."""
    bystander, login = server.login(room), server.login(room + "-garbage")
    async with RawSocket(server, engine) as other, RawSocket(server, engine) as page:
        await other.join(bystander["ticket"])
        if joined:
            await page.join(login["ticket"])
        await page.send(GARBAGE[garbage])
        assert await page.closed() in (1002, 1003)
        await other.untouched()
    assert server.record(login["session"])["active"] is True
    until(lambda: server.record(login["session"])["online"] is False)


@pytest.mark.parametrize("odd", ODD)
async def test_odd_events_do_nothing(server: EnforcerProcess, engine: str, room: str, odd: str) -> None:
    """What is Socket.IO but makes no sense has no effect."""
    login = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.join(login["ticket"])
        await page.send(ODD[odd])
        await page.untouched()
    assert server.record(login["session"])["active"] is True


async def test_an_oversized_frame_closes_the_socket(server: EnforcerProcess, engine: str, room: str) -> None:
    """A message beyond `max_message_size` is not read: 1009."""
    login = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.join(login["ticket"])
        await page.send('42["check","' + "x" * 20_000 + '"]')
        assert await page.closed() == 1009
    await alive(server)


async def test_a_flood_of_garbage_leaves_the_server_well(server: EnforcerProcess, engine: str) -> None:
    """A few hundred sockets that break off in the middle of something."""

    async def break_off(n: int) -> None:
        kinds = list(GARBAGE.values())
        async with RawSocket(server, engine) as page:
            await page.send(kinds[n % len(kinds)])

    for _ in range(5):
        await asyncio.gather(*(break_off(n) for n in range(60)))
    await alive(server)


async def test_a_silent_socket_is_cut(server: EnforcerProcess) -> None:
    """One that never sends CONNECT is closed after ten seconds, over either transport."""
    opened = httpx.get(f"{server.url}/socket.io/?EIO=4&transport=polling").text
    sid = json.loads(opened[1:])["sid"]
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket") as ws,
    ):
        assert (await ws.receive(2)).data.startswith("0{")
        started = asyncio.get_running_loop().time()
        message = await ws.receive(14)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
        assert 8 < asyncio.get_running_loop().time() - started < 12
        poll = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
        for _ in range(3):  # a farewell may wait there
            async with http.get(poll) as answer:
                if answer.status == 400:
                    break
        assert answer.status == 400


# ---- polling ----------------------------------------------------------------------------------------


def handshake(server: EnforcerProcess) -> str:
    """A polling session's id."""
    answer = httpx.get(f"{server.url}/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 200, answer.text
    sid: str = json.loads(answer.text[1:])["sid"]
    return sid


def test_an_oversized_polling_body_is_413(server: EnforcerProcess) -> None:
    """With and without a length; the same address still works afterwards."""
    address = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={handshake(server)}"
    answer = httpx.post(address, content=b"4" * 20_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"4" * 1024

    answer = httpx.post(address, content=chunks())
    assert answer.status_code == 413
    assert handshake(server)


def test_a_polling_body_may_come_in_pieces(server: EnforcerProcess, room: str) -> None:
    """A body that TCP cuts into segments is one body."""
    login = server.login(room)
    sid = handshake(server)
    address = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
    body = ("40" + json.dumps({"ticket": login["ticket"]})).encode()
    head = (
        f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    answer = exchange(server, head, *(body[i : i + 40] for i in range(0, len(body), 40)))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    packets = ""
    while '42["session"' not in packets:
        packets += httpx.get(server.url + address, timeout=10).text
    assert login["session"] in packets


@pytest.mark.parametrize(
    "query",
    [
        "EIO=4&transport=polling&sid=unknown",
        "EIO=4&transport=carrier-pigeon",
        "EIO=3&transport=polling",
        "transport=polling",
        "EIO=nonsense&transport=polling",
        "EIO=4&transport=websocket",
    ],
)
def test_a_handshake_that_is_none_is_400(server: EnforcerProcess, query: str) -> None:
    """Unknown ids, transports and versions."""
    assert httpx.get(f"{server.url}/socket.io/?{query}").status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"4", b"b!!!", b"9", b"x" * 100, b"\x1e" * 50, ("4" + DEEP).encode()]
)
def test_garbage_over_polling_is_no_500(server: EnforcerProcess, body: bytes) -> None:
    """The answer is a refusal or nothing, never a bug."""
    address = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={handshake(server)}"
    assert httpx.post(address, content=body).status_code in (200, 400)
    assert handshake(server)


@pytest.mark.parametrize("probe", [[], ["2probe"], ["2probe", "4x"], ["nonsense"]], ids=str)
async def test_an_upgrade_that_breaks_off_leaves_polling_as_it_was(
    server: EnforcerProcess, room: str, probe: list[str]
) -> None:
    """A proxy that lets a WebSocket open and then drops it must not cost the page its kick."""
    login = server.login(room)
    address = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={(sid := handshake(server))}"
    async with aiohttp.ClientSession() as http:

        async def poll(until_seen: str) -> None:
            async with asyncio.timeout(8):
                packets = ""
                while until_seen not in packets:
                    async with http.get(address) as answer:
                        assert answer.status == 200, await answer.text()
                        packets += await answer.text()

        async with http.post(address, data="40" + json.dumps({"ticket": login["ticket"]})) as answer:
            assert answer.status == 200
        await poll('42["session"')
        upgrade = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid={sid}"
        async with http.ws_connect(upgrade) as ws:
            for frame in probe:
                await ws.send_str(frame)
        await asyncio.to_thread(server.login, room)
        await poll('["force-logout"')


# ---- origins ----------------------------------------------------------------------------------------


async def refused_origin(server: EnforcerProcess, origin: str) -> None:
    """Neither transport lets pages of this origin in."""
    headers = {"Origin": origin}
    answer = httpx.get(f"{server.url}/socket.io/?EIO=4&transport=polling", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin-not-allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await RawSocket(server, **headers).__aenter__()
    assert refused.value.status == 403


async def allowed_origin(server: EnforcerProcess, origin: str) -> None:
    """Both transports let pages of this origin in."""
    answer = httpx.get(f"{server.url}/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"
    async with RawSocket(server, Origin=origin):
        pass


async def test_same_host_takes_any_port_of_its_host(server: EnforcerProcess) -> None:
    """The default: pages of the same host, whatever the port; no others."""
    for origin in ("http://127.0.0.1:3000", "https://127.0.0.1", server.url):
        await allowed_origin(server, origin)
    for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "http://["):
        await refused_origin(server, origin)
    async with RawSocket(server):
        pass  # a native app sends none


async def test_a_list_of_origins_is_exact(tmp_path: Path) -> None:
    """Only what is listed, not even the own host."""
    with EnforcerProcess(tmp_path / "listed", origins=["https://app.example"], store="memory://") as server:
        await allowed_origin(server, "https://app.example")
        for origin in (server.url, "http://app.example", "https://app.example:8443", "https://sub.app.example"):
            await refused_origin(server, origin)


# ---- guessing the key -------------------------------------------------------------------------------


def test_guessing_the_key_is_slowed_down_and_the_right_one_still_works(tmp_path: Path) -> None:
    """After too many wrong keys, in headers and bodies alike: 429 with `Retry-After`; an address that has shown a right
    key is never refused for others' failures."""
    with EnforcerProcess(tmp_path / "guessed", store="memory://") as server:
        server.login("bob")
        with httpx.Client(base_url=server.url) as http:

            def guess(n: int) -> httpx.Response:
                if n % 2:
                    return http.post("/notify", json={"room": "alice", "key": f"guess-{n}"})
                return http.get("/v1/sessions/x", headers={"Authorization": f"Bearer guess-{n}"})

            answers = [guess(n) for n in range(40)]
        assert [a.status_code for a in answers] == [401] * 30 + [429] * 10
        for refused in answers[-2:]:
            problem(refused, 429, "rate-limited")
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert server.login("alice")["created"] is True
        assert server.call("GET", "/v1/users/alice/sessions").status_code == 200
        log = server.read_log()
        assert "guess-" not in log
        assert server.authkey not in log


@pytest.mark.parametrize("key", ["é" * 40, "\ud800" * 40, "x" * 5000, "", "0"])
def test_odd_keys_are_just_wrong(server: EnforcerProcess, key: str) -> None:
    """Whatever the characters, the answer is the same 401."""
    body = json.dumps({"room": "alice", "key": key})
    answer = httpx.post(f"{server.url}/notify", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


# ---- the log ----------------------------------------------------------------------------------------


def test_what_callers_send_cannot_forge_the_log(server: EnforcerProcess, room: str) -> None:
    """Each line of a JSON log is one object, whatever stands in names and labels."""
    server.login(f'{room} "}}\u2028 {{"level": "error"}}', device={"label": "a\n\x1b[31mERROR forged\r\n"})
    lines = server.read_log().rstrip("\n").split("\n")
    for line in lines:
        if line.startswith("{"):
            json.loads(line)
        else:
            assert line.startswith("enforcer: "), line
    assert not any("forged" in line and not line.startswith("{") for line in lines)


# ---- limits -----------------------------------------------------------------------------------------


def test_a_room_has_a_limit_of_sockets(tmp_path: Path, open_ws: Opener) -> None:
    """One more socket is refused for now; other rooms are not touched by it."""
    with EnforcerProcess(tmp_path / "limited", max_connections_per_room=3, store="memory://") as server:
        login = server.login("alice")
        pages = [open_ws(server, auth={"ticket": login["ticket"]}) for _ in range(3)]
        for page in pages:
            page.joined()
        refused = open_ws(server, auth={"ticket": login["ticket"]}).refused()
        assert refused["message"] == "too-many-connections"
        assert refused["data"]["retry_ms"] > 0
        open_ws(server, auth={"ticket": server.login("bob")["ticket"]}).joined()
        pages[0].close()
        until(lambda: _joins(open_ws(server, auth={"ticket": login["ticket"]})), every=0.1)


def _joins(page: Any) -> bool:
    until(lambda: {"session", "connect_error"} & set(page.kinds()))
    return "session" in page.kinds()
