"""What a reverse proxy is told about the requests of others."""

import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from enforcer.tickets import PROXY, TicketKeys
from tests.running import EnforcerProcess

COOKIE = "enforcer_proxy"
NAMES = ("X-Enforcer-Session", "X-Enforcer-Room", "X-Enforcer-Slot")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """One that proxies may ask; the tests are a trusted one."""
    settings: dict[str, Any] = {
        "forward_auth": {"login_url": "/log-in?from=proxy#form"},
        "redirects": {"sso": "https://idp.example/logout"},
        "trusted_proxies": ["127.0.0.1"],
        "origins": ["https://app.example"],
        "idle_timeout": "1h",
    }
    with EnforcerProcess(tmp_path_factory.mktemp("asked") / "enforcer", **settings) as server:
        yield server
    assert "Traceback" not in server.read_log()


def asked(server: EnforcerProcess, path: str = "", method: str = "GET", **kwargs: Any) -> httpx.Response:
    """The answer to a proxy."""
    return httpx.request(method, f"{server.url}/forward-auth{path}", timeout=10, **kwargs)


def cookie(login: dict[str, Any]) -> dict[str, str]:
    """As a browser sends it."""
    return {"Cookie": f"theme=dark; {COOKIE}={login['proxy_ticket']}; x=1"}


def refused(answer: httpx.Response, code: str, status: int = 401) -> None:
    """Small, never cached, with all the headers."""
    assert (answer.status_code, answer.headers["X-Enforcer-Code"]) == (status, code)
    assert len(answer.content) <= 512
    assert answer.headers["Cache-Control"] == "no-store"
    assert [answer.headers[name] for name in NAMES] == ["", "", ""]


@pytest.mark.parametrize("by", ["cookie", "quoted cookie", "bearer"])
@pytest.mark.parametrize("user_agent", ["curl", "Grüße"], ids=["fast", "not fast"])
def test_a_live_session_comes_through(server: EnforcerProcess, by: str, user_agent: str) -> None:
    """The application is told who it is; the room in percent-encoded UTF-8."""
    login = server.login("ann@müller.example / 1", slot="mobile")
    ticket = login["proxy_ticket"]
    shown = {
        "cookie": {"Cookie": f"{COOKIE}={ticket}"},
        "quoted cookie": {"Cookie": f'{COOKIE}="{ticket}"'},
        "bearer": {"Authorization": f"Bearer {ticket}"},
    }[by]
    answer = asked(server, headers=[*shown.items(), ("User-Agent", user_agent.encode())])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [answer.headers[name] for name in NAMES] == [login["session"], answer.headers[NAMES[1]], "mobile"]
    assert answer.headers[NAMES[1]].isascii()
    assert unquote(answer.headers[NAMES[1]]) == "ann@müller.example / 1"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
@pytest.mark.parametrize("path", ["", "/", "/a/b%2Fc;d?key=1&ticket=2&on_refused=302", "/v1/sessions/x"])
def test_any_request_may_be_asked_about(server: EnforcerProcess, method: str, path: str) -> None:
    """Below the path it is the visitor's address, which is not looked at."""
    login = server.login("alice")
    assert asked(server, path, method, headers=cookie(login)).status_code == 200
    refused(asked(server, path, method), "ticket-invalid")


def test_the_body_is_not_waited_for(server: EnforcerProcess) -> None:
    """A proxy that sends the head alone, with the length of a body that never comes, is answered."""
    head = "POST /forward-auth HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n{}\r\n\r\n"
    for field in ("Content-Length: 1000000", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"):
        with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
            connection.sendall(head.format(field).encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_an_upgrade_is_ignored(server: EnforcerProcess) -> None:
    """The browser's WebSocket headers are sent along by some proxies; the answer is one of HTTP all the same."""
    login = server.login("alice")
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x" * 24, **cookie(login)}
    with httpx.Client(base_url=server.url) as client:
        for _ in range(3):
            answer = client.get("/forward-auth", headers={**fields, "Sec-WebSocket-Version": "13"})
            assert (answer.status_code, answer.headers[NAMES[0]]) == (200, login["session"])


def test_an_ended_session_is_refused(server: EnforcerProcess) -> None:
    """At once; where to go is by the entry of its login, and the record says that it came back."""
    login = server.login("bob", entry="sso")
    assert asked(server, headers=cookie(login)).status_code == 200
    server.login("bob")
    answer = asked(server, headers=cookie(login))
    refused(answer, "session-ended")
    assert answer.headers["X-Enforcer-Redirect"] == "https://idp.example/logout"
    assert server.record(login["session"])["delivery"] == "refused_on_return"


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}={'x' * 16_384}"},
        {"Cookie": f"other={COOKIE}"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer a.b.c"},
    ],
)
def test_what_is_no_ticket(server: EnforcerProcess, shown: dict[str, str]) -> None:
    """Whoever has no session here may log in."""
    answer = asked(server, headers=shown)
    refused(answer, "ticket-invalid")
    assert answer.headers["X-Enforcer-Redirect"] == "/log-in?from=proxy#form"


def test_tickets_of_others(server: EnforcerProcess, tmp_path: Any) -> None:
    """A page's ticket, one of another server, and two cookies of one name are none."""
    login = server.login("carl")
    refused(asked(server, headers={"Cookie": f"{COOKIE}={login['ticket']}"}), "ticket-invalid")
    twice = f"{COOKIE}={login['proxy_ticket']}; {COOKIE}={login['proxy_ticket']}"
    refused(asked(server, headers={"Cookie": twice}), "ticket-invalid")
    lines = [("Cookie", f"{COOKIE}={login['proxy_ticket']}"), ("Cookie", f"{COOKIE}=x")]
    refused(asked(server, headers=lines), "ticket-invalid")
    with EnforcerProcess(tmp_path / "other", store="memory://") as other:
        refused(asked(server, headers=cookie(other.login("carl"))), "ticket-invalid")


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example", "X-Forwarded-Uri": "/a?b=c&d=%C3%BC"}


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ({}, True),
        ({"X-Forwarded-Host": "evil.example"}, False),
        ({"X-Forwarded-Host": "app.example.evil.example"}, False),
        ({"X-Forwarded-Host": "app.example@evil.example"}, False),
        ({"X-Forwarded-Host": "app.example:443"}, True),
        ({"X-Forwarded-Host": "app.example:80"}, False),
        ({"X-Forwarded-Host": "app.example:444"}, False),
        ({"X-Forwarded-Proto": "javascript"}, False),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"X-Forwarded-Uri": "@evil.example/"}, False),
        ({"X-Forwarded-Uri": ".evil.example/"}, False),
        ({"X-Forwarded-Uri": "/a\\b"}, False),
        ({"X-Forwarded-Uri": "//evil.example/"}, False),
        ({"X-Forwarded-Uri": "/a b"}, False),
        ({"X-Forwarded-Host": ""}, False),
    ],
)
def test_a_way_back(server: EnforcerProcess, said: dict[str, str], back: bool) -> None:
    """Only to a page of an allowed origin, as a trusted proxy names it; else to the log-in page alone."""
    fields = FORWARDED | said
    answer = asked(server, "?on_refused=302", headers=fields)
    refused(answer, "ticket-invalid", 302)
    wanted = httpx.URL(answer.headers["Location"])
    assert (wanted.path, wanted.params["from"], wanted.fragment) == ("/log-in", "proxy", "form")
    given = wanted.params.get("return_to")
    expected = f"{fields['X-Forwarded-Proto']}://{fields['X-Forwarded-Host']}{fields['X-Forwarded-Uri']}"
    assert given == (expected if back else None)


def test_a_stranger_names_no_way_back(tmp_path: Any) -> None:
    """Without a trusted proxy anybody could have written the headers. Without a target it is 401 as ever."""
    with EnforcerProcess(tmp_path / "a", store="memory://", forward_auth={"login_url": "/in"}) as server:
        host = f"127.0.0.1:{server.port}"
        fields = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "X-Forwarded-Uri": "/x"}
        assert asked(server, "?on_refused=302", headers=fields).headers["Location"] == "/in"
        server.stop()
        server.settings |= {"forward_auth": {}, "trusted_proxies": ["127.0.0.0/8"]}
        server.start()
        refused(asked(server, "?on_refused=302", headers=fields), "ticket-invalid")


@pytest.mark.parametrize("query", ["?on_refused=200", "?on_unavailable=200", "?activity=0", "?x=1", "?on_refused"])
def test_options_that_are_none(server: EnforcerProcess, query: str) -> None:
    """The operator has mistyped: nobody is let through."""
    answer = asked(server, query, headers=cookie(server.login("alice")))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_it_counts_as_seen_and_not_as_activity(server: EnforcerProcess) -> None:
    """Unless the option says that a request is a human's."""
    login = server.login("dora")
    before = server.record(login["session"])
    time.sleep(0.01)
    asked(server, headers=cookie(login))
    assert server.record(login["session"])["last_active_at"] == before["last_active_at"]
    asked(server, "?activity=1", headers=cookie(login))
    assert server.record(login["session"])["last_active_at"] > before["last_active_at"]


def test_the_store_is_away(tmp_path: Any) -> None:
    """It cannot be said: 503, or what the proxy can make use of; nobody is let through or logged out."""
    with EnforcerProcess(tmp_path / "a", store="redis://127.0.0.1:1", forward_auth={}) as server:
        ticket = TicketKeys([server.authkey]).sign(PROXY, "alice", "s", time.time(), None)
        for query, status in (("", 503), ("?on_unavailable=401", 401), ("?on_unavailable=403", 403)):
            answer = asked(server, query, headers={"Cookie": f"{COOKIE}={ticket}"})
            refused(answer, "unavailable", status)
            assert answer.headers["Retry-After"] == "1"


def test_it_is_off_until_it_is_set(shared: EnforcerProcess) -> None:
    """404, and open rooms have no tickets."""
    assert shared.call("GET", "/forward-auth").status_code == 404
    assert shared.call("GET", "/forward-auth/x").status_code == 404
