"""SIGTERM: pages are sent elsewhere, what was noticed is written, the process ends well and soon."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.pages import Opener
from tests.integration.raw import RawSocket
from tests.running import EnforcerProcess


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
async def test_sigterm_closes_sockets_with_1001_and_exits_0(tmp_path: Path, engine: str, store: str) -> None:
    """Every socket learns that the server goes away, joined or not; exit 0 within ten seconds."""
    settings = {"store": store} if store == "memory://" else {}
    server = EnforcerProcess(tmp_path / "enforcer", **settings).start()
    try:
        login = server.login("alice")
        async with RawSocket(server, engine) as joined, RawSocket(server, engine) as silent:
            await joined.join(login["ticket"])
            assert server.popen is not None
            started = time.monotonic()
            server.popen.terminate()
            assert await joined.closed() == 1001
            assert await silent.closed() == 1001
            assert await asyncio.to_thread(server.popen.wait, 10) == 0
            assert time.monotonic() - started < 10
    finally:
        server.stop()
    assert "Traceback" not in server.read_log()


def test_a_page_comes_back_after_a_restart(tmp_path: Path, open_page: Opener) -> None:
    """A restart ends nobody: the page is told of a lost connection, never of an end, and joins again by its ticket."""
    server = EnforcerProcess(tmp_path / "enforcer")
    with server:
        login = server.login("alice")
        page = open_page(server, auth={"ticket": login["ticket"]})
        page.joined()
    page.take("disconnect")
    assert "force-logout" not in page.kinds()
    with server:
        assert server.record(login["session"])["active"] is True
        again = open_page(server, auth={"ticket": login["ticket"]})
        assert again.joined()["epoch"] == login["epoch"]


def test_what_was_noticed_last_is_written(tmp_path: Path, open_ws: Opener) -> None:
    """Acks and activity of the last second are on the disk after a stop."""
    server = EnforcerProcess(tmp_path / "enforcer", idle_timeout="10m")
    with server:
        login = server.login("alice")
        page = open_ws(server, auth={"ticket": login["ticket"]})
        page.joined()
        other = server.login("bob")
        active = httpx.post(f"{server.url}/session/activity", headers={"Authorization": f"Bearer {other['ticket']}"})
        assert active.status_code == 200
        last_active = server.record(other["session"])["last_active_at"]
        server.login("alice")
        page.take("force-logout")
        page.take("disconnect")  # the server disconnects on the ack
    with server:
        assert server.record(login["session"])["delivery"] == "acked"
        assert server.record(other["session"])["last_active_at"] == last_active


def test_a_kick_while_the_server_was_away_is_told_on_return(tmp_path: Path, open_page: Opener) -> None:
    """The end is committed; a page that could not be told is refused when it comes back after a kill."""
    server = EnforcerProcess(tmp_path / "enforcer").start()
    login = server.login("alice")
    page = open_page(server, auth={"ticket": login["ticket"]}, acks=False)
    page.joined()
    server.login("alice")
    server.kill()
    page.take("disconnect")
    with server:
        refusal = open_page(server, auth={"ticket": login["ticket"]}).refused()
        assert (refusal["message"], refusal["data"]["reason"]) == ("session-ended", "displaced")
        assert server.record(login["session"])["delivery"] == "refused_on_return"
