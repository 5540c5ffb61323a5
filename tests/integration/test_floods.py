"""What strangers can take: places, descriptors, time, the log. There is a bound for each, and others are served on."""

import asyncio
import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import httpx
import pytest

from enforcer.api import connection, connections
from tests.integration.inside import Inside, Time
from tests.integration.problems import problem
from tests.integration.raw import RawSocket, exchange
from tests.running import EnforcerProcess, require_command, until

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with the default settings; no tracebacks in its log."""
    with EnforcerProcess(tmp_path_factory.mktemp("floods") / "enforcer", store="memory://") as made:
        yield made
        assert "Traceback" not in made.read_log()


def granted(server: EnforcerProcess, count: int, **headers: str) -> int:
    """How many of so many polling handshakes were granted; the others must have been refused for now."""
    with httpx.Client(base_url=server.url, headers=headers) as http:
        answers = [http.get(HANDSHAKE) for _ in range(count)]
    for refused in (answer for answer in answers if answer.status_code != 200):
        problem(refused, 429, "too-many-connections")
        assert int(refused.headers["Retry-After"]) > 0
    return sum(answer.status_code == 200 for answer in answers)


# ---- places -----------------------------------------------------------------------------------------


async def test_both_engines_have_one_count_of_sockets(tmp_path: Path) -> None:
    """Joined or not; strangers get half of the places, and the pages that are joined the others."""
    with EnforcerProcess(tmp_path / "enforcer", max_connections=20, store="memory://") as server:
        ticket = server.login("alice")["ticket"]
        pages = [RawSocket(server, engine) for engine in ("direct", "polling") * 6]
        try:
            for page in pages:
                await page.__aenter__()
                await page.join(ticket)
            async with RawSocket(server), RawSocket(server, "polling"):
                assert await asyncio.to_thread(granted, server, 100) == 6, "20 but 12 pages and 2 strangers"
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await RawSocket(server).__aenter__()
                assert refused.value.status == 429
            for page in pages:
                await page.untouched()
        finally:
            for page in pages:
                await page.__aexit__()


async def test_strangers_share_half_of_the_places(tmp_path: Path) -> None:
    """Whichever way they come; who was let in before may still join, and places that are left are had again."""
    with EnforcerProcess(tmp_path / "enforcer", max_connections=20, store="memory://") as server:
        ticket = server.login("alice")["ticket"]
        async with RawSocket(server) as early, RawSocket(server, "polling") as other:
            assert await asyncio.to_thread(granted, server, 100) == 8
            await early.join(ticket)
            await other.join(ticket)
            assert await asyncio.to_thread(granted, server, 100) == 2
        began = time.monotonic()
        await asyncio.to_thread(until, lambda: granted(server, 1) == 1, 15.0, 0.5)
        assert time.monotonic() - began < 13, "strangers are cut after 10 s"


async def test_one_address_has_a_part_of_the_strangers_places(tmp_path: Path) -> None:
    """Where a trusted proxy tells the addresses, one of them cannot keep the others out; nor can a network of IPv6."""
    with EnforcerProcess(
        tmp_path / "enforcer", max_connections=40, trusted_proxies=["127.0.0.1"], store="memory://"
    ) as server:
        assert granted(server, 50, **{"X-Forwarded-For": "203.0.113.7"}) == 5
        assert sum(granted(server, 10, **{"X-Forwarded-For": f"2001:db8::{n}"}) for n in range(1, 5)) == 5
        login = server.login("alice")
        async with RawSocket(server, **{"X-Forwarded-For": "198.51.100.1"}) as page:
            await page.join(login["ticket"])


async def test_pages_of_no_user_leave_nothing(tmp_path: Path, engine: str) -> None:
    """With `join: "open"` anybody can name a room: so many from one address, in no log, and gone with their window."""
    with EnforcerProcess(tmp_path / "enforcer", join="open", login_window=2) as server:
        refused, admitted, began = 0, 0, time.monotonic()
        async with RawSocket(server, engine) as page:
            for n in range(2000):
                answer = await page.connect({"room": f"random-{n}", "session": f"s-{n}"})
                if answer.startswith("44"):
                    assert json.loads(answer[2:])["message"] == "too-many-connections"
                    assert json.loads(answer[2:])["data"]["retry_ms"] > 0
                    refused += 1
                    if refused > 20:
                        break
                else:
                    admitted += 1
                    assert (await page.packet()).startswith('42["session"')
                    await page.send("41")
            assert refused > 20
            assert 200 <= admitted <= 201 + 20 * (time.monotonic() - began)
            answer = await page.connect({"room": "random-0", "session": "s-0"})
            assert answer.startswith("40"), "one that is known may come back"
        with sqlite3.connect(
            f"file:{server.directory}/enforcer.db?mode=ro", uri=True, check_same_thread=False
        ) as database:

            def rows() -> list[int]:
                tables = ("sessions", "audit", "rooms")
                return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

            assert server.call("GET", "/v1/sessions").json()["items"] == []
            await asyncio.to_thread(until, lambda: rows() == [0, 0, 0], 30.0, 0.5)
        assert server.call("GET", "/v1/audit").json()["items"] == []


# ---- descriptors and time ---------------------------------------------------------------------------


def test_a_process_short_of_descriptors_serves_on(tmp_path: Path) -> None:
    """Idle connections make way, and the log says what is to be done."""
    server = EnforcerProcess(tmp_path / "enforcer", store="memory://")
    server.wrapper = (require_command("prlimit"), "--nofile=96:96")
    with server, ExitStack() as stack:
        for _ in range(300):
            strangers = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            strangers.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            strangers.recv(4096)
            strangers.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            if _ % 50 == 49:
                assert server.login("alice")["created"]
                assert httpx.get(f"{server.url}/healthz").status_code == 200
        log = server.read_log()
    assert len(re.findall("open files run out", log)) == 1
    assert "LimitNOFILE" in log
    assert "Traceback" not in log


async def test_idle_connections_have_a_bound_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where descriptors are plenty: the longest idle make way, those that are in use and that are new do not."""
    monkeypatch.setattr(connections, "MAX_WAITING", 10)
    health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    async with Inside(tmp_path, Time()) as server:
        opened = []
        for _ in range(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            opened.append((reader, writer))
            writer.write(health)
            await reader.readuntil(b"}")
        async with asyncio.timeout(10):
            assert [await reader.read(1) for reader, _ in opened[:20]] == [b""] * 20
        for reader, writer in opened[20:]:
            writer.write(health)
            async with asyncio.timeout(10):
                await reader.readuntil(b"}")
        for _, writer in opened:
            writer.close()


def test_the_demo_has_a_rate_of_logins(tmp_path: Path) -> None:
    """Anybody may log in there, and each login stays in the store and the log."""
    with (
        EnforcerProcess(tmp_path / "enforcer", demo=True, store="memory://") as server,
        httpx.Client(base_url=server.url) as http,
    ):
        answers = [http.post("/demo/login", json={"name": "x", "window": "w"}) for _ in range(130)]
        assert [answer.status_code for answer in answers[:100]] == [200] * 100
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) > 10
        problem(refused[0], 429, "rate-limited")


async def test_health_is_answered_where_sockets_have_all_descriptors(tmp_path: Path) -> None:
    """A connection that there is no place for is told so."""
    server = EnforcerProcess(tmp_path / "enforcer", store="memory://", max_connections_per_room=1000)
    server.wrapper = (require_command("prlimit"), "--nofile=80:80")
    with server:
        ticket = server.login("alice")["ticket"]
        pages: list[RawSocket] = []
        try:
            while await _opened(page := RawSocket(server)):
                pages.append(page)
                await page.join(ticket)
            assert 20 < len(pages) < 70
            with ExitStack() as stack:
                for _ in range(40):
                    poll = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                    poll.sendall(
                        b"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nAuthorization: Bearer "
                        + server.authkey.encode()
                        + b"\r\nContent-Type: application/json\r\n\r\n{"
                    )
                await asyncio.to_thread(until, lambda: _status(server, "/v1/sessions/x") == 503)
                assert httpx.get(f"{server.url}/healthz").status_code == 200
            for page in pages:
                await page.untouched()
        finally:
            for page in pages:
                await page.__aexit__()
        assert "Traceback" not in server.read_log()


def _status(server: EnforcerProcess, path: str) -> int | None:
    """Of the answer, if there was one."""
    try:
        return httpx.get(server.url + path).status_code
    except httpx.TransportError:
        return None


async def _opened(page: RawSocket) -> bool:
    """Whether there was a place for the socket."""
    try:
        await page.__aenter__()
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status not in (429, 503)
    return True


async def ended_after(server: EnforcerProcess, *parts: bytes, drip: bytes = b"") -> float:
    """Sends parts, each after the answer to the one before, then a byte a second; the seconds from the last part
    until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for part in parts[:-1]:
        writer.write(part)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
    writer.write(parts[-1])
    began = time.monotonic()
    while time.monotonic() - began < 60:
        try:
            async with asyncio.timeout(1):
                if not await reader.read(1000):
                    break
        except TimeoutError:
            writer.write(drip)
        except ConnectionError:
            break
    writer.close()
    return time.monotonic() - began


async def test_each_head_has_a_deadline(server: EnforcerProcess) -> None:
    """The first one and any other, with a fast answer and without, however slowly it comes."""
    health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    short = f"GET /v1/sessions/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.authkey}\r\n\r\n".encode()
    half = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: "
    post = b"POST /notify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    took = await asyncio.gather(
        ended_after(server, half),
        ended_after(server, half, drip=b"x"),
        ended_after(server, health, half, drip=b"x"),
        ended_after(server, short, half),
        ended_after(server, post, half),
        ended_after(server, health + half[:20]),
        ended_after(server, health, health, b"\r\n"),
    )
    assert all(10 < seconds < 20 for seconds in took), took


async def test_an_idle_connection_is_kept_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the 60 s of proxies, but not for an hour; each answer begins the time anew."""
    assert 60 < connection.KEEP_ALIVE < 120
    monkeypatch.setattr(connection, "KEEP_ALIVE", 1.5)
    health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    async with Inside(tmp_path, Time()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(health)
            await reader.readuntil(b"}")
            await asyncio.sleep(1)
        async with asyncio.timeout(10):
            assert await reader.read(1) == b""
        writer.close()


async def test_a_client_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    """Its rows are not kept for it, and it does not keep its connection."""
    with EnforcerProcess(tmp_path / "enforcer", store="memory://") as server:
        for n in range(60):
            server.call("POST", "/v1/sessions", json={"room": f"r{n}", "device": {"user_agent": "x" * 500}})
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(("127.0.0.1", server.port))
            request = f"GET /v1/sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.authkey}\r\n\r\n"
            lazy.sendall(request.encode() * 300)
            await asyncio.to_thread(until, lambda: not _connected(server, lazy), 45.0, 0.5)
        assert "Traceback" not in server.read_log()


def _connected(server: EnforcerProcess, client: socket.socket) -> bool:
    """Whether the server still has its end of the connection, as the kernel's table tells."""
    port = client.getsockname()[1]
    ends = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        row[1].endswith(f":{server.port:04X}") and row[2].endswith(f":{port:04X}") and row[3] == "01" for row in ends
    )


# ---- bodies and the log -----------------------------------------------------------------------------

ENCODED = {
    "/notify": 415,
    "/v1/sessions": 415,
    "/v1/sessions/validate": 415,
    "/v1/users/logout": 415,
    "/session/activity": 415,
    "/session/logout": 415,
    HANDSHAKE + "&sid=x": 415,
    "/nothing": 415,
}


@pytest.mark.parametrize("coding", ["deflate", "gzip", "br", "zstd", "identity", ""])
@pytest.mark.parametrize("path", ENCODED)
def test_an_encoded_body_is_refused_before_it_is_read(server: EnforcerProcess, path: str, coding: str) -> None:
    """Rubbish, a bomb or a truncated one alike: nobody waits for it, and nothing is unpacked."""
    key = f"Authorization: Bearer {server.authkey}\r\n" if path.startswith("/v1") else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}Content-Type: application/json\r\nConnection: close\r\n"
        f"Content-Encoding: {coding}\r\nContent-Length: 1000\r\n\r\n"
    )
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=8) as connection:
        connection.sendall(head.encode() + b"\x78\x9c\xff")
        answer = connection.recv(65536)
    assert time.monotonic() - began < 2
    assert answer.startswith(b"HTTP/1.1 415 "), answer
    assert b'"unsupported-media-type"' in answer


def test_a_wrong_key_comes_before_an_encoded_body(server: EnforcerProcess) -> None:
    """The order of judgement: the header key first."""
    headers = {"Authorization": "Bearer no", "Content-Encoding": "gzip"}
    assert httpx.post(f"{server.url}/v1/sessions", headers=headers, content=b"x").status_code == 401


CHUNKED = "Transfer-Encoding: chunked\r\n"
BROKEN = {
    "chunk that is none": (CHUNKED, b"zz\r\nrubbish\r\n"),
    "chunk too long": (CHUNKED, b"2\r\n{}x\r\n0\r\n\r\n"),
    "chunk of a huge size": (CHUNKED, b"ffffffffffffffffffff\r\n{}"),
    "trailer that is none": (CHUNKED, b"2\r\n{}\r\n0\r\n\x00\r\n\r\n"),
    "less than was said": ("Content-Length: 100\r\n", b"{}"),
    "cut within a chunk": (CHUNKED, b"10\r\n{"),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_body_that_breaks_off_leaves_no_traceback(server: EnforcerProcess, broken: str, reset: bool) -> None:
    """Whether anybody reads it or not, and whoever is asked."""
    framing, body = BROKEN[broken]
    key = f"Authorization: Bearer {server.authkey}\r\n"
    for path in (
        "/notify",
        "/v1/sessions",
        HANDSHAKE,
        HANDSHAKE + "&sid=x",
        "/session/activity",
        "/nothing",
        "/healthz",
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}Content-Type: application/json\r\n{framing}\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=8) as connection:
            connection.sendall(head.encode() + body)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            else:
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(15)
                answer = connection.recv(65536)
                assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    log = server.read_log()
    assert "Traceback" not in log
    assert "unexpected" not in log


def test_a_reader_of_a_log_that_leaves_is_no_error(server: EnforcerProcess) -> None:
    """In the middle of a stream."""
    for n in range(50):
        server.login(f"gone-{n}", device={"user_agent": "x" * 500})
    request = (
        f"GET /v1/sessions HTTP/1.1\r\nHost: a\r\nAccept: text/csv\r\nAuthorization: Bearer {server.authkey}\r\n\r\n"
    )
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(request.encode())
            connection.recv(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    log = server.read_log()
    assert "Traceback" not in log
    assert "unexpected" not in log


# ---- large heads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9_000, 40_000, 60_000])
@pytest.mark.parametrize("fields", [1, 20])
async def test_large_cookies_come_along(server: EnforcerProcess, engine: str, size: int, fields: int) -> None:
    """The script, the calls of pages and app servers, the handshake of both engines."""
    login = server.login("cookies")
    cookies = [("Cookie", "c" * (size // fields)) for _ in range(fields)]
    as_page = [("Authorization", f"Bearer {login['ticket']}"), *cookies]
    as_app = [*server.headers.items(), *cookies]
    async with httpx.AsyncClient(base_url=server.url) as http:
        answers = [
            await http.get("/client/session-guard.js", headers=cookies),
            await http.get("/session/status", headers=as_page),
            await http.get(f"/v1/sessions/{login['session']}", headers=as_app),
            await http.post("/notify", headers=as_app, json={"room": "x"}),
        ]
    assert [answer.status_code for answer in answers] == [200] * 4
    async with RawSocket(server, engine, Cookie="c" * size) as page:
        await page.join(login["ticket"])


@pytest.mark.parametrize("path", ["/healthz", "/v1/sessions/x", "/socket.io/?EIO=4&transport=websocket"])
@pytest.mark.parametrize("fields", [1, 50])
def test_a_head_beyond_the_limit_is_431(server: EnforcerProcess, path: str, fields: int) -> None:
    """All of it counts, not only each line, and whether its end is there or not."""
    lines = "".join(f"X-{n}: {'x' * (70_000 // fields)}\r\n" for n in range(fields))
    for end in ("", "\r\n"):
        answer = exchange(server, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}{end}".encode())
        assert answer.startswith(b"HTTP/1.1 431 "), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too-large"


def test_the_limit_of_a_head_can_be_set(tmp_path: Path) -> None:
    """For sites with more cookies still."""
    with EnforcerProcess(tmp_path / "enforcer", max_header_size=100_000, store="memory://") as server:
        assert httpx.get(f"{server.url}/healthz", headers={"Cookie": "c" * 90_000}).status_code == 200
        assert httpx.get(f"{server.url}/healthz", headers={"Cookie": "c" * 110_000}).status_code == 431


async def test_an_error_of_ours_fills_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the event loop finds that nobody handled is said once a minute and kind; a lost connection not at all."""
    async with Inside(tmp_path, Time()):
        loop = asyncio.get_running_loop()
        for error in (ZeroDivisionError(), ConnectionResetError(), ZeroDivisionError(), KeyError("x")):
            loop.call_exception_handler({"message": "a task failed", "exception": error})
        said = [r for r in caplog.records if r.exc_info]
        assert [r.exc_info[0] for r in said if r.exc_info] == [ZeroDivisionError, KeyError]
    assert asyncio.get_running_loop().get_exception_handler() is None
