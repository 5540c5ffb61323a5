"""The direct engine: what a connection leaves of itself, and what it does with peers that mean no good."""

import asyncio
import gc
import json
import random
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp.web_protocol import RequestHandler

from enforcer.app import Server
from enforcer.configuration.settings import Settings
from enforcer.gateway.direct.frames import Inbox
from enforcer.gateway.direct.socket import DirectSocket
from enforcer.gateway.limits import Pace
from tests.frames import BINARY, CONTINUATION, PING, TEXT, masked
from tests.integration.raw import RawSocket, refusal
from tests.integration.test_memory import OPENING, join, resident, tickets
from tests.running import EnforcerProcess, until

WITHIN = 8.0


def alive(kind: type) -> int:
    """How many objects of a type there are in this process."""
    gc.collect()
    # Not `isinstance`: it asks the proxies of other libraries what they stand for.
    return sum(issubclass(type(thing), kind) for thing in gc.get_objects())


# ---- what is there of a socket ----------------------------------------------------------------------


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_nothing_of_aiohttp_stays_with_an_idle_socket(run: Callable[[Any], None]) -> None:
    """No handler, no task, no inbox: one small object a socket."""
    run(_nothing_stays())


async def _nothing_stays() -> None:
    authkey = secrets.token_urlsafe(32)
    server = Server(Settings(port=0, ipaddr="127.0.0.1", authkey=authkey, store="memory://"))
    await server.start()
    try:
        await _compare(server.port, await tickets(f"http://127.0.0.1:{server.port}", authkey, 0, 20))
    finally:
        await server.stop()


async def _compare(port: int, all_tickets: list[str]) -> None:
    await asyncio.to_thread(until, lambda: alive(RequestHandler) == 0)  # the connections of the logins are closed
    tasks = len(asyncio.all_tasks())
    writers = [await join(port, ticket) for ticket in all_tickets]
    assert alive(DirectSocket) == 20
    assert alive(RequestHandler) == 0
    assert len(asyncio.all_tasks()) <= tasks
    assert alive(Inbox) == 0
    for writer in writers:
        writer.close()
    await asyncio.to_thread(until, lambda: alive(DirectSocket) == 0)


# ---- peers that mean no good ------------------------------------------------------------------------


def dial(server: EnforcerProcess) -> socket.socket:
    """A connection on which a WebSocket is open."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=WITHIN)
    connection.sendall(OPENING)
    head = b""
    while b'"maxPayload"' not in head:
        head += connection.recv(4096)
    return connection


async def test_a_page_that_does_not_read_is_cut(enforcer: EnforcerProcess) -> None:
    """What is sent to it is not kept without bound; others do not notice."""
    login = enforcer.login("alice")
    pings = masked(PING, b"x" * 125) * 2_000  # 0.26 MB
    async with RawSocket(enforcer) as bystander:
        await bystander.join(login["ticket"])
        before = resident(enforcer)
        with dial(enforcer) as greedy, pytest.raises(ConnectionError):
            greedy.sendall(pings * 1_000)  # 260 MB, if nobody stops it
        await bystander.untouched()
        assert resident(enforcer) - before < 20_000_000


async def test_a_page_that_asks_too_fast_is_cut(enforcer: EnforcerProcess) -> None:
    """A thousand questions in one go are more than may wait."""
    login = enforcer.login("alice")
    with dial(enforcer) as hasty:
        hasty.sendall(masked(TEXT, b"40" + json.dumps({"ticket": login["ticket"]}).encode()))
        told = b""
        while b'42["session"' not in told:
            told += hasty.recv(4096)
        hasty.sendall(masked(TEXT, b'420["check"]') * 1_000)
        while chunk := hasty.recv(65536):
            told += chunk
    assert told.endswith(b"\x88\x02" + (1008).to_bytes(2))
    assert enforcer.record(login["session"])["active"] is True


async def test_fuzzed_connections_leave_the_server_as_it_was(enforcer: EnforcerProcess) -> None:
    """Some ten thousand frames, most of them broken somewhere, on connections that break off anywhere."""
    chance = random.Random(5)
    good = [b"40", b'42["check"]', b"41", b"3", b"1", b'42["activity",{"idle_for_ms":0}]', b"43[]", b"40/x,", b"2probe"]

    def frame() -> bytes:
        payload = bytearray(chance.choice(good) if chance.random() < 0.7 else chance.randbytes(chance.randrange(300)))
        if payload and chance.random() < 0.2:
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        opcode = chance.choice([TEXT, TEXT, TEXT, TEXT, BINARY, CONTINUATION, PING, chance.randrange(16)])
        made = bytearray(masked(opcode, bytes(payload), fin=chance.random() < 0.9, key=chance.randbytes(4)))
        if chance.random() < 0.05:
            made[chance.randrange(min(4, len(made)))] ^= 1 << chance.randrange(8)
        return bytes(made)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", enforcer.port)
        data = OPENING + b"".join(frame() for _ in range(chance.randrange(1, 12)))
        cuts = sorted(chance.randrange(len(data)) for _ in range(3))
        try:
            for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
                writer.write(data[a:b])
                await writer.drain()
            if chance.random() < 0.7:
                async with asyncio.timeout(0.2):
                    await reader.read()
        except (ConnectionError, TimeoutError):
            pass
        writer.close()

    async def some() -> None:
        for _ in range(25):
            await asyncio.gather(*(one() for _ in range(40)))

    login = enforcer.login("alice")
    async with RawSocket(enforcer) as bystander:
        await bystander.join(login["ticket"])
        await some()
        before = resident(enforcer)
        await some()
        await bystander.untouched()
        assert resident(enforcer) - before < 4_000_000
    assert "Traceback" not in enforcer.read_log()
    assert "ERROR" not in enforcer.read_log()


# ---- time -------------------------------------------------------------------------------------------


async def test_a_server_that_stood_still_cuts_nobody() -> None:
    """A process that was stopped or starved has asked for pongs that could not come: it gives them their time again."""
    pace = Pace(ping_interval=1.5, ping_timeout=1.0)
    server = Server(Settings(port=0, ipaddr="127.0.0.1", authkey="k" * 40, store="memory://"), pace=pace)
    await server.start()
    url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        assert (await ws.receive_str(timeout=WITHIN)).startswith("0{")
        assert await ws.receive_str(timeout=WITHIN) == "2"
        time.sleep(2.5)  # noqa: ASYNC251 - the server is in this process, and stands still as well
        await asyncio.sleep(0.25)  # the way of the pong, in the server's time
        await ws.send_str("3")
        await ws.send_str("40/nowhere,")
        assert (await ws.receive_str(timeout=WITHIN)).startswith("44/nowhere,")
    await server.stop()


# ---- who may open a socket -------------------------------------------------------------------------------------


async def test_an_address_has_a_limit_of_sockets(tmp_path: Any, engine: str) -> None:
    """By the address that a trusted proxy names; what stands before it in the header is anybody's word."""
    settings = {"trusted_proxies": ["127.0.0.1"], "max_connections_per_ip": 2, "store": "memory://"}
    with EnforcerProcess(tmp_path / "enforcer", **settings) as server:
        login = server.login("alice")
        mine = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        other = {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}
        async with RawSocket(server, engine, **mine) as first, RawSocket(server, engine, **mine) as second:
            await first.join(login["ticket"])
            await second.join(login["ticket"])
            async with RawSocket(server, engine, **mine) as third:
                assert refusal(await third.connect({"ticket": login["ticket"]}))["message"] == "too-many-connections"
            async with RawSocket(server, engine, **other) as fourth:
                await fourth.join(login["ticket"])
                await first.untouched()


async def test_sockets_that_never_join_have_a_limit_too(tmp_path: Any) -> None:
    """They are refused at the handshake; those that are there may still join."""
    with EnforcerProcess(tmp_path / "enforcer", max_connections=4, store="memory://") as server:
        login = server.login("alice")
        async with RawSocket(server) as first, RawSocket(server) as second:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await RawSocket(server).__aenter__()
            assert refused.value.status == 429
            await first.join(login["ticket"])
            async with RawSocket(server):
                await second.join(login["ticket"])


@pytest.mark.parametrize("secret", ["ticket=eyJ", "key=x", "token=x", "Authorization=x"])
async def test_secrets_in_the_url_are_refused(enforcer: EnforcerProcess, secret: str) -> None:
    """Before there is a socket."""
    url = f"{enforcer.url}/socket.io/?EIO=4&transport=websocket&{secret}"
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url)
    assert refused.value.status == 400


async def test_the_url_may_name_room_and_session(tmp_path: Any) -> None:
    """For pages that can only write an address, with `join: "open"`; `auth` comes before it."""
    with EnforcerProcess(tmp_path / "enforcer", join="open", store="memory://") as server:
        url = f"{server.url}/socket.io/?EIO=4&transport=websocket&room=alice&session=one"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
            for auth, session in (("", "one"), ('{"session":"two"}', "two")):
                assert (await ws.receive_str())[0] in "04"
                await ws.send_str("40" + auth)
                assert (await ws.receive_str()).startswith("40{")
                told = json.loads((await ws.receive_str())[2:])[1]
                assert (told["room"], told["session"]) == ("alice", session)
                await ws.send_str("41")
                await ws.send_str("40/no,")
