"""Guessing keys, and what a wrong set-up looks like from outside: refused, slowed down, and said in the log."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.inside import Inside, Time
from tests.integration.problems import problem
from tests.integration.raw import RawSocket, refusal
from tests.running import EnforcerProcess

PROXY = "127.0.0.1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """A server behind a proxy that tells addresses; each test has its own count."""
    made = EnforcerProcess(
        tmp_path / "enforcer", trusted_proxies=[PROXY], metrics_key="m" * 20 + "n" * 20, store="memory://"
    )
    with made:
        yield made
    log = made.read_log()
    assert "Traceback" not in log
    assert made.authkey not in log
    assert "guess" not in log


def bearer(key: str, ip: str) -> dict[str, str]:
    """The header field with a key, from a client with this address."""
    return {"Authorization": f"Bearer {key}", "X-Forwarded-For": ip}


def guessed(server: EnforcerProcess, ip: str, times: int = 30) -> None:
    """So many wrong keys."""
    with httpx.Client(base_url=server.url) as http:
        for n in range(times):
            problem(http.get("/v1/sessions/x", headers=bearer(f"guess-{n}", ip)), 401, "unauthorized")


def shown(server: EnforcerProcess, ip: str, key: str) -> list[httpx.Response]:
    """The answers to a key, in each way in which one can be shown, with a fast answer and without."""
    headers = bearer(key, ip)
    with httpx.Client(base_url=server.url) as http:
        return [
            http.get("/v1/sessions/x", headers=headers),
            http.get("/v1/sessions/x?require=active", headers=headers),
            http.post("/notify", headers=headers, json={"room": "alice"}),
            http.post("/notify", headers={"X-Forwarded-For": ip}, json={"room": "alice", "key": key}),
            http.post("/notify?", headers={"X-Forwarded-For": f"{ip}:80"}, json={"room": "alice", "key": key}),
            http.get("/metrics", headers=headers),
            http.get("/v1/users/alice/sessions", headers=headers),
        ]


def test_a_right_guess_is_refused_like_the_wrong_ones(server: EnforcerProcess) -> None:
    """After thirty wrong keys nobody learns from that address which one is right; others are not touched by it."""
    guessed(server, "192.0.2.1")
    for key in (server.authkey, "guess-right"):
        for answer in shown(server, "192.0.2.1", key):
            problem(answer, 429, "rate-limited")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert [answer.status_code for answer in shown(server, "192.0.2.2", server.authkey)] == [
        *(404, 404, 200, 200, 200, 200, 200)
    ]
    ticket = server.login("bob")["ticket"]
    assert httpx.get(f"{server.url}/session/status", headers=bearer(ticket, "192.0.2.1")).status_code == 200
    assert httpx.get(f"{server.url}/healthz", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200


@pytest.mark.parametrize("way", range(6))
def test_who_has_shown_a_right_key_is_not_refused(server: EnforcerProcess, way: int) -> None:
    """However it was shown: the application must not be kept out by somebody else behind its address."""
    with httpx.Client(base_url=server.url) as http:
        headers = bearer(server.authkey, "192.0.2.1")
        ways: list[dict[str, Any]] = [
            {"method": "GET", "url": "/v1/sessions/x", "headers": headers},
            {"method": "GET", "url": "/v1/sessions/x?require=active", "headers": headers},
            {"method": "POST", "url": "/notify", "headers": headers, "json": {"room": "a"}},
            {
                "method": "POST",
                "url": "/notify",
                "headers": {"X-Forwarded-For": "192.0.2.1"},
                "json": {"room": "a", "key": server.authkey},
            },
            {"method": "GET", "url": "/v1/audit", "headers": headers},
            {"method": "GET", "url": "/metrics", "headers": bearer("m" * 20 + "n" * 20, "192.0.2.1")},
        ]
        assert http.request(**ways[way]).status_code in (200, 404)
    guessed(server, "192.0.2.1")
    problem(shown(server, "192.0.2.1", "guess-more")[0], 429, "rate-limited")
    assert [answer.status_code for answer in shown(server, "192.0.2.1", server.authkey)] == [
        *(404, 404, 200, 200, 200, 200, 200)
    ]


IN_URL = (
    "/v1/sessions/x?key={}",
    "/v1/sessions/x?authkey={}",
    "/notify?key={}",
    "/nothing?token={}",
    "/socket.io/?EIO=4&transport=polling&key={}",
    "/client/session-guard.js?access_token={}",
)
INNOCENT = (
    "/{}",
    "/{}/",
    "/v1/sessions/{}",
    "/v1/sessions?room={}",
    "/v1/users/{}/sessions",
    "/session/status?room={}",
    "/socket.io/?EIO=4&transport=polling&sid={}",
    "/socket.io/?EIO=4&transport=polling&room={}",
    "/healthz?x={}",
    "/metrics?x={}",
)


@pytest.mark.parametrize("path", [*IN_URL, *INNOCENT])
def test_a_url_is_no_oracle(server: EnforcerProcess, path: str) -> None:
    """Whoever has shown no key gets the same answer for a right one in the URL as for a wrong one of its length."""
    wrong = "guess".ljust(len(server.authkey), "-")
    ip = {"X-Forwarded-For": "192.0.2.1"}
    hit, miss = (httpx.get(server.url + path.format(key), headers=ip) for key in (server.authkey, wrong))
    assert hit.status_code == miss.status_code
    assert hit.headers.get("Content-Type") == miss.headers.get("Content-Type")
    if path in IN_URL:
        problem(hit, 400, "credentials-in-url")
        assert hit.content == miss.content


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_key_in_a_url_counts_as_a_wrong_one(server: EnforcerProcess, right: bool) -> None:
    """Be it right or not."""
    key = server.authkey if right else "guess"
    with httpx.Client(base_url=server.url, headers={"X-Forwarded-For": "192.0.2.1"}) as http:
        answers = [http.get(f"/nothing?key={key}").status_code for _ in range(32)]
    assert answers == [400] * 30 + [429] * 2
    problem(shown(server, "192.0.2.1", server.authkey)[0], 429, "rate-limited")


def test_who_knows_the_key_is_told_that_it_stands_in_the_url(server: EnforcerProcess) -> None:
    """Wherever it is in it, and encoded too: it would be in logs."""
    encoded = "".join(f"%{ord(c):02x}" for c in server.authkey)
    for path in ("/v1/sessions/{}", "/v1/sessions/x?room={}", "/v1/audit?room={}", "/v1/users/{}/sessions"):
        for written in (server.authkey, encoded):
            answer = server.call("GET", path.format(written), headers={"X-Forwarded-For": "192.0.2.1"})
            problem(answer, 400, "credentials-in-url")


# ---- what the operator reads ------------------------------------------------------------------------


async def test_a_wrong_set_up_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first at once, then a line a minute and kind, with a count, the address, the origin and what to do."""
    time = Time()
    async with Inside(tmp_path, time) as server:

        async def wrong_key() -> None:
            assert (await server.call("GET", "/v1/sessions/x", "guess"))[0] in (401, 429)

        async def wrong_page() -> None:
            assert (await server.call("GET", "/session/status", "ticket-guess"))[0] == 401

        for _ in range(31):
            await wrong_key()
        await wrong_page()
        said = warnings(caplog)
        assert [(kind, row["count"]) for kind, row in said] == [
            *(("wrong-key", 1), ("address-refused", 1), ("ticket-invalid", 1))
        ]
        assert all(row["address"] == "127.0.0.1" for _, row in said)
        assert "authkey" in said[0][1]["message"]
        await time.advance(61)
        assert [(kind, row["count"]) for kind, row in warnings(caplog)] == [("wrong-key", 29)]
        await time.advance(61)
        assert warnings(caplog) == []
        await wrong_key()
        assert [(kind, row["count"]) for kind, row in warnings(caplog)] == [("wrong-key", 1)]
    assert "guess" not in caplog.text


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """The rated lines since the last time, by kind."""
    rows = [(r.__dict__["kind"], r.__dict__ | {"message": r.getMessage()}) for r in caplog.records if "kind" in vars(r)]
    assert all(row["levelno"] == logging.WARNING for _, row in rows)
    caplog.clear()
    return rows


async def test_each_kind_of_wrong_set_up_is_in_the_log(tmp_path: Path) -> None:
    """A page from a wrong origin, of another server, without a ticket, with a key in its URL, under another name."""
    made = EnforcerProcess(tmp_path / "one", log_format="json", hostnames=["127.0.0.1"], store="memory://")
    with made as server, EnforcerProcess(tmp_path / "other", store="memory://") as other:
        foreign = other.login("alice")["ticket"]
        for engine in ("direct", "polling"):
            async with RawSocket(server, engine, Origin="http://127.0.0.1:9") as page:
                assert refusal(await page.connect({"ticket": foreign}))["message"] == "ticket-invalid"
                assert refusal(await page.connect({"room": "alice"}))["message"] == "ticket-required"
        polling = "/socket.io/?EIO=4&transport=polling"
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get(polling, headers={"Origin": "https://evil.example"})).status_code == 403
            assert (await http.get("/session/status", headers={"Origin": "https://evil.example"})).status_code == 401
            assert (await http.get(polling + "&key=guess")).status_code == 400
            assert (await http.get("/client/session-guard.js", headers={"Host": "evil.example"})).status_code == 421
            for _ in range(31):
                await http.get("/v1/sessions/x", headers={"Authorization": "Bearer guess"})
            await http.get("/v1/sessions/x", headers=server.headers)
        log = server.read_log()
    rows = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    said = {row["kind"]: row for row in rows if "kind" in row}
    assert said.keys() == {
        *("ticket-invalid", "ticket-required", "origin-not-allowed", "key-in-url", "misdirected"),
        *("wrong-key", "address-refused"),
    }
    assert len([row for row in rows if "kind" in row]) == len(said)
    assert all((row["level"], row["address"], row["count"]) == ("warning", "127.0.0.1", 1) for row in said.values())
    assert said["ticket-invalid"]["origin"] == "http://127.0.0.1:9"
    assert said["origin-not-allowed"]["origin"].startswith("https://evil.example")
    assert "`origins`" in said["origin-not-allowed"]["message"]
    assert foreign not in log
    assert "guess" not in log
    assert server.authkey not in log
