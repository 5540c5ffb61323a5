"""`internal_port`: what is not for browsers is not on their port."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.pages import Opener
from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, free_port

INTERNAL = (
    *(("POST", "/notify"), ("POST", "/v1/sessions"), ("GET", "/v1/sessions"), ("GET", "/v1/users/alice/sessions")),
    *(("GET", "/v1/audit"), ("GET", "/v1/stream"), ("POST", "/v1/logout-all"), ("GET", "/metrics")),
    *(("GET", "/forward-auth"), ("GET", "/forward-auth/any/path"), ("POST", "/signals/idp"), ("GET", "/admin")),
    *(("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/%76%31/audit"), ("GET", "/v1/nothing")),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """One with two ports; `url` is that of app servers, whose calls its helpers make."""
    port, internal = free_port(), free_port()
    one = EnforcerProcess(
        tmp_path_factory.mktemp("enforcer"), port=port, internal_port=internal, forward_auth={}, metrics_key="m" * 40
    )
    one.url = f"http://127.0.0.1:{internal}"
    with one:
        yield one
    assert "Traceback" not in one.read_log()


@pytest.fixture(scope="module")
def public(server: EnforcerProcess) -> str:
    """The address that browsers have."""
    return f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(("method", "path"), INTERNAL)
def test_browsers_find_nothing_of_it(server: EnforcerProcess, public: str, method: str, path: str) -> None:
    """404, with the right key too, and the same as for what there is not; on one connection after the other."""
    with httpx.Client(headers=server.headers) as client:
        for _ in range(2):
            answer = client.request(method, public + path, json={"room": "x"} if method == "POST" else None)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_fast_answers_are_internal_too(server: EnforcerProcess, public: str) -> None:
    """A login, a validation and a proxy's question as every library writes them, which go another way in the server."""
    login = server.login("alice")
    assert server.record(login["session"])["active"]
    bearer = {"Authorization": f"Bearer {login['proxy_ticket']}"}
    assert httpx.get(f"{server.url}/forward-auth", headers=bearer).status_code == 200
    for answer in (
        httpx.post(f"{public}/notify", json={"room": "alice", "key": server.authkey}),
        httpx.get(f"{public}/v1/sessions/{login['session']}", headers=server.headers),
        httpx.get(f"{public}/forward-auth", headers=bearer),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert [s["session"] for s in server.call("GET", "/v1/users/alice/sessions").json()["sessions"]] == [
        login["session"]
    ]


def test_pages_are_served_and_health_is_on_both(server: EnforcerProcess, public: str, open_page: Opener) -> None:
    """A page needs the public port alone; probes may ask either."""
    login = server.login("bob")
    for address in (public, server.url):
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.get(f"{address}/readyz").status_code == 200
    assert httpx.get(f"{public}/client/session-guard.js").status_code == 200
    ticket = {"Authorization": f"Bearer {login['ticket']}"}
    assert httpx.get(f"{public}/session/status", headers=ticket).status_code == 200
    inside, server.url = server.url, public
    try:
        page = open_page(server, auth={"ticket": login["ticket"]})
    finally:
        server.url = inside
    page.joined()
    server.login("bob")
    assert page.take("force-logout")["reason"] == "displaced"


def test_workers_share_both_ports(tmp_path: Path, redis_server: RedisServer) -> None:
    """Each process listens on both."""
    redis_server.flush()
    one = EnforcerProcess(tmp_path, store=redis_server.url, workers=2, internal_port=free_port())
    public, one.url = one.url, f"http://127.0.0.1:{one.settings['internal_port']}"
    with one:
        for n in range(8):
            login = one.login(f"u{n}")
            ticket = {"Authorization": f"Bearer {login['ticket']}"}
            assert httpx.get(f"{public}/session/status", headers=ticket).status_code == 200
            assert httpx.get(f"{public}/v1/audit", headers=one.headers).status_code == 404
