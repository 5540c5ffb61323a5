"""The examples for reverse proxies, in front of an application that knows nothing of sessions."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from tests.proxies import KINDS, Proxied, proxied


@pytest.fixture(params=KINDS, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Each proxy in turn."""
    with proxied(request.param, tmp_path_factory.mktemp("proxied")) as site:
        yield site


def test_only_who_has_logged_in_comes_through(site: Proxied) -> None:
    """Everybody else is sent to the log-in page; a later login sends the earlier browser there, too."""
    with site.visitor() as earlier, site.visitor() as later:
        answer = earlier.get("/some/page?q=1")
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/login")
        site.log_in(earlier)
        assert earlier.get("/some/page?q=1").text.startswith("Private page")
        site.log_in(later)
        assert later.get("/").text.startswith("Private page")
        answer = earlier.get("/")
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/login")


def test_the_application_is_told_by_nobody_else(site: Proxied) -> None:
    """What a browser sends under the names of the identity headers never arrives."""
    false = {"X-Enforcer-Session": "s", "X-Enforcer-Room": "admin", "x-enforcer-slot": "vip"}
    with site.visitor() as visitor:
        assert visitor.get("/", headers=false).status_code == 302
        site.log_in(visitor, "bob")
        lines = visitor.get("/", headers=false).text.splitlines()[1:]
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert told.pop("x-enforcer-slot", "") == ""
        session = told.pop("x-enforcer-session")
        assert site.enforcer.record(session)["room"] == "bob"
        assert told == {"x-enforcer-room": "bob"}


def test_bodies_go_to_the_application_alone(site: Proxied) -> None:
    """Whatever their size and kind."""
    with site.visitor() as visitor:
        site.log_in(visitor)
        for body in (b"", b"x" * 100_000):
            answer = visitor.post("/orders", content=body, headers={"Content-Type": "text/plain"})
            assert answer.status_code == 200, answer.text
            assert answer.content.endswith(body)
        answer = visitor.post("/orders", content=iter([b"in ", b"chunks"]))
        assert answer.text.endswith("in chunks")


async def test_a_websocket_comes_through(site: Proxied) -> None:
    """And is refused without a session."""
    with site.visitor() as visitor:
        await asyncio.to_thread(site.log_in, visitor)
        cookie = {"Cookie": visitor.headers["Cookie"]}
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{site.url}/echo", headers=cookie) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=5) == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{site.url}/echo")


def test_nothing_else_of_enforcer_is_outside(site: Proxied) -> None:
    """The calls of app servers, and the question itself, are the application's addresses here."""
    with site.visitor() as visitor:
        for path in ("/notify", "/v1/logs/audit", "/metrics", "/forward-auth", "/_enforcer"):
            answer = visitor.get(path)
            assert answer.status_code in (302, 404), path
        assert visitor.get("/client/session-guard.js").status_code == 200


def test_it_cannot_be_said(site: Proxied) -> None:
    """Enforcer is away: a page says so, nobody is let through, and nobody is logged out."""
    with site.visitor() as visitor:
        site.log_in(visitor, "bob")
        site.enforcer.kill()
        try:
            answer = visitor.get("/")
        finally:
            site.enforcer.start()
        assert answer.status_code == 503
        assert "not been logged out" in answer.text
        assert visitor.get("/").text.startswith("Private page")
