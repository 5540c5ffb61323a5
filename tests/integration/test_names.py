"""Under which names a server answers, whose pages may connect, and whose address a client has."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest

from tests.integration.problems import problem
from tests.integration.raw import RawSocket, exchange
from tests.running import EnforcerProcess

PATHS = (
    "/client/session-guard.js",
    "/notify",
    "/v1/sessions/x",
    "/v1/sessions/x?require=active",
    "/session/status",
    "/socket.io/?EIO=4&transport=polling",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/demo",
    "/nothing",
    "/",
    "/healthz/",
    "/nothing?key=x",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server that answers under three names, and only to pages of these."""
    directory = tmp_path_factory.mktemp("names") / "enforcer"
    with EnforcerProcess(
        directory, hostnames=["App.example", "127.0.0.1", "[::1]"], demo=True, store="memory://"
    ) as made:
        yield made


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
def test_another_name_is_misdirected(server: EnforcerProcess, path: str, method: str) -> None:
    """Whatever is asked and shown, before anything else is judged."""
    for host in ("evil.example", "evil.example:80", "app.example.evil.example", "app.example.", "localhost", "[::2]"):
        problem(server.call(method, path, headers={"Host": host, "Origin": f"http://{host}"}), 421, "misdirected")
    assert server.call(method, path, headers={"Host": "APP.example:8080"}).status_code != 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_for_everybody(server: EnforcerProcess, path: str) -> None:
    """Those who ask do so by address."""
    assert httpx.get(server.url + path, headers={"Host": "10.0.0.7:8080"}).status_code == 200
    assert exchange(server, f"GET {path} HTTP/1.0\r\n\r\n".encode()).startswith(b"HTTP/1.0 200")


async def test_a_socket_of_another_name_is_misdirected(server: EnforcerProcess, engine: str) -> None:
    """A name that was made to lead here is the same host as its page's, and is refused all the same."""
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    with pytest.raises((aiohttp.WSServerHandshakeError, AssertionError)) as refused:
        await RawSocket(server, engine, **evil).__aenter__()
    assert "421" in str(refused.value) or "misdirected" in str(refused.value)
    ticket = server.login("alice")["ticket"]
    async with RawSocket(server, engine, Host="app.example:9", Origin="https://app.example") as page:
        await page.join(ticket)


@pytest.mark.parametrize(
    ("request_line", "host", "status"),
    [
        ("GET / HTTP/1.0", None, 421),
        ("GET http://evil.example/ HTTP/1.1", "app.example", 421),
        ("GET http://app.example/nothing HTTP/1.1", "evil.example", 404),
    ],
)
def test_the_name_that_counts(server: EnforcerProcess, request_line: str, host: str | None, status: int) -> None:
    """That of an absolute address, else that of the field (RFC 9112 §3.2.2); none is not ours."""
    field = "" if host is None else f"Host: {host}\r\n"
    answer = exchange(server, f"{request_line}\r\n{field}Connection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] == str(status).encode(), answer


def test_without_the_setting_any_name_will_do(shared: EnforcerProcess) -> None:
    """As before."""
    assert shared.call("GET", "/v1/audit", headers={"Host": "anything.example"}).status_code == 200


APPS = ("capacitor://localhost", "app://obsidian.md", "chrome-extension://abcdefghijklmnop", "tauri://localhost")


async def test_apps_have_origins_of_their_own(tmp_path: Path, engine: str) -> None:
    """Exactly those that are listed, of any scheme; a default port is as browsers leave it out."""
    listed = [*APPS, "https://app.example:443", "http://app.example:80", "https://app.example:8443"]
    with EnforcerProcess(tmp_path / "enforcer", origins=listed, store="memory://") as server:
        ticket = server.login("alice")["ticket"]
        allowed = [*APPS, "https://app.example", "http://app.example", "https://app.example:8443"]
        for origin in allowed:
            async with RawSocket(server, engine, Origin=origin) as page:
                await page.join(ticket)
        async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {ticket}"}) as http:
            for origin in allowed:
                answer = await http.get("/session/status", headers={"Origin": origin})
                assert answer.headers["Access-Control-Allow-Origin"] == origin
            for origin in ("capacitor://localhost:1", "app://other", "chrome-extension://b", "null", "file://"):
                answer = await http.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})
                problem(answer, 403, "origin-not-allowed")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_each_client_is_its_own_address(tmp_path: Path, engine: str, header: str) -> None:
    """With and without a port, however its proxy writes it."""
    with EnforcerProcess(
        tmp_path / "enforcer", trusted_proxies=["127.0.0.1"], max_connections_per_ip=1, store="memory://"
    ) as server:
        ticket = server.login("alice")["ticket"]
        clients = ("203.0.113.7:4711", "203.0.113.8", "[2001:db8::1]:4711", "[2001:db8:1::1]")
        if header == "Forwarded":
            clients = tuple(f'for="{client}";proto=https' for client in clients)
        pages = [RawSocket(server, engine, **{header: client}) for client in clients]
        try:
            for page in pages:
                await page.__aenter__()
                await page.join(ticket)
            for page in pages:
                await page.untouched()
        finally:
            for page in pages:
                await page.__aexit__()
        again = clients[0].replace("4711", "4712")
        async with RawSocket(server, engine, **{header: again}) as first:
            await first.join(ticket)
            async with RawSocket(server, engine, **{header: again.replace("4712", "1")}) as second:
                assert (await second.connect({"ticket": ticket})).startswith("44")
