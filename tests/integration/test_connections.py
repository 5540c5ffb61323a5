"""Connections: fast answers are those of aiohttp, in the order of the requests, whatever comes how."""

import asyncio
import json
import re
import socket
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.frames import TEXT, masked
from tests.running import EnforcerProcess


class Connection:
    """One kept-open connection, byte by byte."""

    def __init__(self, server: EnforcerProcess) -> None:
        self._server = server

    async def __aenter__(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Puts bytes on the way."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """The next answer: status, headers but those that differ each time, JSON."""
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self._reader.readexactly(int(headers.pop("content-length", "0")))
        for name in ("date", "server"):
            headers.pop(name, None)
        return int(status.split()[1]), headers, json.loads(body) if body else None

    async def ended(self) -> bool:
        """Whether the server closes it."""
        async with asyncio.timeout(10):
            return await self._reader.read(1) == b""


def get(server: EnforcerProcess, session: str, *, query: str = "", **headers: str) -> bytes:
    """A validation. With a query it is aiohttp's."""
    return request(server, "GET", f"/v1/sessions/{session}{query}", None, headers)


def post(server: EnforcerProcess, body: dict[str, Any], **headers: str) -> bytes:
    """A login."""
    return request(server, "POST", "/notify", json.dumps(body).encode(), headers)


def request(server: EnforcerProcess, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    fields = {"Host": "a", "Authorization": f"Bearer {server.authkey}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items() if v)
    return head.encode() + b"\r\n" + (body or b"")


def still(document: dict[str, Any]) -> dict[str, Any]:
    """What does not change from one read to the next."""
    return {name: value for name, value in document.items() if not re.search(r"_in$|_at$", name)}


@pytest.mark.parametrize("session", ["known", "ended", "unknown"])
async def test_fast_answers_are_those_of_the_handlers(shared: EnforcerProcess, room: str, session: str) -> None:
    """Status, headers and body of a validation."""
    if session != "unknown":
        session = shared.login(room)["session"]
    if session == "ended":
        shared.call("DELETE", f"/v1/sessions/{session}")
    async with Connection(shared) as fast, Connection(shared) as full:
        await fast.send(get(shared, session))
        await full.send(get(shared, session, query=f"?room={room}"))
        fast_answer, full_answer = await fast.answer(), await full.answer()
    assert fast_answer[0] == full_answer[0] == (404 if session == "unknown" else 200)
    assert fast_answer[1] == full_answer[1]
    if session != "unknown":  # where the question names the room, the answer does
        assert still(fast_answer[2]) == still(full_answer[2])


async def test_logins_are_refused_alike(shared: EnforcerProcess, room: str) -> None:
    """What the registry refuses is the same problem; a chunked body is for aiohttp."""
    mine = shared.login(room)["session"]
    body = {"room": f"{room}-2", "session": mine}
    async with Connection(shared) as fast, Connection(shared) as full:
        await fast.send(post(shared, body))
        raw = json.dumps(body).encode()
        head = request(
            shared, "POST", "/notify", None, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        )
        await full.send(head + f"{len(raw):x}\r\n".encode() + raw + b"\r\n0\r\n\r\n")
        assert await fast.answer() == await full.answer()


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_requests_in_pieces(shared: EnforcerProcess, room: str, size: int) -> None:
    """However TCP cuts them."""
    session = shared.login(room)["session"]
    stream = get(shared, session) + post(shared, {"room": room, "session": session}) + get(shared, session)
    async with Connection(shared) as connection:
        for start in range(0, len(stream), size):
            await connection.send(stream[start : start + size])
            await asyncio.sleep(0)
        assert [(await connection.answer())[2]["session"] for _ in range(3)] == [session] * 3


@pytest.mark.parametrize("cut", [-3, -2, -1, 0])
async def test_a_head_may_end_in_two_pieces(shared: EnforcerProcess, cut: int) -> None:
    """On a connection that is aiohttp's, where what follows is a body longer than a head may be."""
    async with Connection(shared) as connection:
        await connection.send(request(shared, "GET", "/healthz", None, {}))
        assert (await connection.answer())[0] == 200
        body = b"x" * 100_000
        whole = request(shared, "POST", "/socket.io/?EIO=4&transport=polling&sid=none", body, {})
        at = len(whole) - len(body) + cut
        await connection.send(whole[:at])
        await asyncio.sleep(0.05)  # so that TCP does not join them
        await connection.send(whole[at:])
        assert (await connection.answer())[0] == 413, "the body is what is too large here"


async def test_answers_come_in_the_order_of_the_requests(shared: EnforcerProcess, room: str) -> None:
    """Sent one after the other without waiting: short and long, reads that are quick and logins that are not."""
    async with Connection(shared) as connection:
        expected = []
        for n in range(60):
            session = f"{room}-{n}"
            await connection.send(post(shared, {"room": session, "session": session}))
            await connection.send(get(shared, session, query="?room=" + session if n % 3 == 0 else ""))
            expected += [session, session]
            if n % 7 == 0:
                await connection.send(request(shared, "DELETE", "/v1/sessions/none", None, {}))
                expected.append(None)
        answers = [(await connection.answer())[2] for _ in expected]
    assert [answer.get("session") for answer in answers] == expected


async def test_a_client_that_never_reads_ahead_of_itself(shared: EnforcerProcess, room: str) -> None:
    """Much is sent behind a login that waits for the disk; all of it is answered."""
    body = {"room": room, "device": {"user_agent": "x" * 500}}
    count = 600
    async with Connection(shared) as connection:
        sending = asyncio.create_task(connection.send(post(shared, body) * count))
        for _ in range(count):
            assert (await connection.answer())[0] == 200
        await sending


async def test_a_client_that_leaves_at_once_has_logged_in(shared: EnforcerProcess, room: str) -> None:
    """Nobody is there for the answer; the login was taken."""
    async with Connection(shared) as connection:
        await connection.send(post(shared, {"room": room, "session": f"{room}-gone"}))
    while not shared.call("GET", f"/v1/users/{room}/sessions").json()["sessions"]:
        await asyncio.sleep(0.01)
    assert shared.record(f"{room}-gone")["active"] is True


@pytest.mark.parametrize("header", [{"Connection": "close"}, {"Authorization": "", "Connection": "close"}], ids=str)
async def test_a_connection_ends_when_it_is_asked_to(
    shared: EnforcerProcess, room: str, header: dict[str, str]
) -> None:
    """`Connection: close` is for aiohttp, which knows how."""
    session = shared.login(room)["session"]
    async with Connection(shared) as connection:
        await connection.send(get(shared, session))
        assert (await connection.answer())[0] == 200
        await connection.send(get(shared, session, **header))
        assert (await connection.answer())[0] == (200 if "Authorization" not in header else 401)
        assert await connection.ended()


async def test_the_key_in_the_path_is_refused(shared: EnforcerProcess) -> None:
    """An id that is the key would be in logs."""
    async with Connection(shared) as connection:
        await connection.send(get(shared, shared.authkey))
        status, _, document = await connection.answer()
    assert (status, document["code"]) == (400, "credentials-in-url")


# ---- sockets ----------------------------------------------------------------------------------------


async def open_socket(server: EnforcerProcess, way: str, query: str, *fields: str) -> tuple[int, bytes]:
    """Opens a WebSocket by hand; the status, and what came behind the head of the answer."""
    lines = [
        f"GET /socket.io/?{query} HTTP/1.1",
        *("Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *fields,
    ]
    opening = "\r\n".join([*lines, "", ""]).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(10):
        if before := BEFORE.get(way):
            writer.write(before.replace(b"KEY", server.authkey.encode()))
            await reader.readuntil(b"}")
        for start in range(0, len(opening), size := 50 if way == "in pieces" else len(opening)):
            writer.write(opening[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        if way == "with early bytes":
            writer.write(masked(TEXT, b"40/nowhere,"))
        head = await reader.readuntil(b"\r\n\r\n")
        behind = await reader.read(2 if b" 101 " in head else 4096)
        if b" 101 " in head and way == "with early bytes":
            await reader.readuntil(b"44/nowhere,")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), behind


BEFORE = {
    "after a plain request": b"GET /v1/sessions/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n",
    "after another request": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
}
"""What came on the same connection, as proxies do that keep connections: one is ours still, the other is aiohttp's."""


@pytest.mark.parametrize("way", ["at once", "in pieces", "with early bytes", *BEFORE])
@pytest.mark.parametrize(
    ("query", "fields", "status"),
    [
        ("EIO=4&transport=websocket", (), 101),
        ("EIO=4&transport=websocket&x=%20", (), 101),
        ("EIO=4&transport=websocket", ("Origin: http://127.0.0.1:9", "Cookie: é", "Cookie: b"), 101),
        ("EIO=4&transport=websocket", ("Origin: http://evil.example",), 403),
        ("EIO=4&transport=websocket&ticket=x", (), 400),
        ("EIO=3&transport=websocket", (), 400),
        ("EIO=4&transport=websocket&sid=unknown", (), 400),
        ("EIO=4&transport=polling", (), 400),
        ("EIO=4&transport=websocket", ("Sec-WebSocket-Protocol: chat", "X: " + "x" * 40_000), 101),
    ],
)
async def test_sockets_open_alike_on_all_ways(
    shared: EnforcerProcess, way: str, query: str, fields: tuple[str, ...], status: int
) -> None:
    """However the request comes, and whatever came before it on the connection."""
    got, behind = await open_socket(shared, way, query, *fields)
    assert got == status
    if status == 101:
        assert behind[0] == 0x81, "a text frame: the greeting"
    else:
        assert behind.startswith((b"{", b'"')), "why, as a problem document or in the words of Engine.IO"


async def test_a_connection_that_says_nothing_does_not_hinder_a_stop(tmp_path: Path) -> None:
    """Nor does one that has been answered and is kept open."""
    with EnforcerProcess(tmp_path / "enforcer", store="memory://") as server:
        async with Connection(server), Connection(server) as kept:
            await kept.send(get(server, "none"))
            await kept.answer()
            started = asyncio.get_running_loop().time()
            assert await asyncio.to_thread(server.stop) == 0
            assert asyncio.get_running_loop().time() - started < 5


def test_clients_that_leave_at_once_leave_no_traceback(tmp_path: Path) -> None:
    """By a reset or an orderly end, with the request, half of it, or something else just on its way."""
    with EnforcerProcess(tmp_path / "enforcer", store="memory://") as server:
        health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        half = {"Content-Length": "9", "Content-Type": "application/json"}
        requests = [
            health,
            request(server, "POST", "/v1/sessions", None, half) + b"{",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
            b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        for n, (before, last, reset) in enumerate([*product([b"", health], requests, [False, True])] * 20):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                if before:
                    connection.sendall(before)
                    assert connection.recv(10), n
                connection.sendall(last)
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        assert server.call("GET", "/healthz").status_code == 200
        assert "Traceback" not in server.read_log()
