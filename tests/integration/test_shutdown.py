"""SIGTERM: pages are sent elsewhere, what was noticed is written, the process ends well and soon."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.pages import Opener
from tests.integration.raw import RawSocket
from tests.running import EnforcerProcess, until


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


async def test_a_drain_sends_pages_elsewhere_evenly(tmp_path: Path, engine: str) -> None:
    """First only `/readyz` says so; then the sockets are closed one after the other, and the process ends with them."""
    server = EnforcerProcess(tmp_path / "enforcer", drain_delay=1, drain_window=2).start()
    try:
        async with contextlib.AsyncExitStack() as pages, httpx.AsyncClient() as client:
            sockets = [await pages.enter_async_context(RawSocket(server, engine)) for _ in range(8)]
            for n, socket in enumerate(sockets):
                await socket.join(server.login(f"u{n}")["ticket"])
            assert server.popen is not None
            stop = asyncio.create_task(asyncio.to_thread(server.popen.wait, 15))
            server.popen.terminate()
            began = time.monotonic()
            await sockets[0].untouched()
            while (ready := await client.get(f"{server.url}/readyz")).status_code == 200:
                assert time.monotonic() < began + 5
            assert (ready.status_code, ready.json()["code"]) == (503, "unavailable")
            assert server.login("late")["created"]
            left = await asyncio.gather(*(drained(socket) for socket in sockets))
            assert await stop == 0
            ended = time.monotonic()
    finally:
        server.stop()
    times = sorted(at - began for at, _ in left)
    assert times[0] >= 1  # all are served for drain_delay
    assert times[-1] - times[0] >= 1  # eight sockets in two seconds: a quarter of a second apart
    assert ended - began < 10
    # What they are told is when the process will be gone: nobody else can serve SQLite's sessions.
    assert all(0 < retry_ms <= 2000 for _, retry_ms in left)
    assert "Traceback" not in server.read_log()


async def drained(socket: RawSocket) -> tuple[float, int]:
    """Waits for the `drain` and the close behind it; when that was, and when the page may come back."""
    name, payload = json.loads((await socket.packet())[2:])
    at = time.monotonic()
    assert name == "drain"
    assert await socket.closed() == 1001
    return at, payload["retry_ms"]


async def test_a_second_signal_ends_a_drain_at_once(tmp_path: Path) -> None:
    """Whoever is in a hurry does not wait; without sockets nobody waits for the window either."""
    server = EnforcerProcess(tmp_path / "enforcer", drain_delay=60, drain_window=60).start()
    try:
        async with RawSocket(server) as page:
            await page.join(server.login("alice")["ticket"])
            assert server.popen is not None
            server.popen.terminate()
            await asyncio.to_thread(until, lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
            server.popen.terminate()
            assert await page.closed() == 1001
            assert await asyncio.to_thread(server.popen.wait, 10) == 0
    finally:
        server.stop()


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
