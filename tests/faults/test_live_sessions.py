"""What an application is told from memory while the server, the network or its key is not what it was."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from enforcer_client import Enforcer, LiveSessions, Refused, Unavailable

from tests.late_stream import LateStream
from tests.running import EnforcerProcess
from tests.running import until as within

STALE = 1.0
"""Seconds."""
KEY = "live-0123456789abcdef0123456789abcdef"
KEYS = [{"name": "app", "key": KEY, "may": ["login", "validate", "end", "stream"]}]


def until(condition: Callable[[], object]) -> None:
    """Waits for what comes at once, on a machine that may be busy."""
    within(condition, within=30.0)


def said(live: LiveSessions, session: str, room: str) -> bool | None:
    """Whether it is live; None if nobody can say, as on a machine that is busy."""
    try:
        return live.is_live(session, room)
    except Unavailable:
        return None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """One whose key may be taken away."""
    with EnforcerProcess(tmp_path_factory.mktemp("live") / "enforcer", keys=KEYS) as running:
        yield running
    assert "Traceback" not in running.read_log()


def test_a_stream_that_is_late_is_not_believed(server: EnforcerProcess) -> None:
    """From its first byte on, while rows come all the time and requests are answered at once."""
    with LateStream(server.port, lag=1.5) as link, Enforcer(link.url, KEY) as client:
        ends: list[str] = []
        with LiveSessions(client, max_staleness=STALE) as live:
            live.on_end(lambda end: ends.append(end.session))
            until(lambda: client.login("somebody else") and ends)
            session = client.login("late")["session"]
            until(lambda: said(live, session, "late"))
            client.end(session)
            ended = time.monotonic()
            while True:
                client.login("somebody else")
                asked = time.monotonic()
                if (live_now := said(live, session, "late")) is False:
                    break
                assert not live_now or asked - ended <= STALE, "called live for too long"
            until(lambda: session in ends)


def test_half_an_event_and_the_rest_again(server: EnforcerProcess) -> None:
    """The connection is cut in the middle of an end, twice: it is told once it is whole, and once."""
    with LateStream(server.port) as link, Enforcer(link.url, KEY) as client, LiveSessions(client) as live:
        ends: list[str] = []
        resets: list[bool] = []
        live.on_end(lambda end: ends.append(end.session))
        live.on_reset(lambda: resets.append(True))
        until(lambda: live.followed)
        first, second = client.login("half")["session"], client.login("whole")["session"]
        until(lambda: said(live, first, "half"))
        link.halves = 2
        client.end(first)
        until(lambda: ends)
        client.end(second)
        until(lambda: len(ends) == 2)
        assert (ends, resets, link.halves) == ([first, second], [], 0)
        assert not live.is_live(first, "half")


def test_a_server_that_hangs(server: EnforcerProcess) -> None:
    """Who asks is told in time that nobody can say; when it goes on, so does everything."""
    assert server.popen is not None
    with Enforcer(server.url, KEY, timeout=0.5) as client, LiveSessions(client, max_staleness=STALE) as live:
        until(lambda: live.followed)
        session = server.login("hangs")["session"]
        until(lambda: said(live, session, "hangs"))
        server.popen.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            while True:
                asked = time.monotonic()
                try:
                    assert live.is_live(session, "hangs"), "it has not ended"
                except Unavailable:
                    assert time.monotonic() - asked < 10.0
                    break
                assert asked - stopped <= STALE, "what is said was not so lately"
        finally:
            server.popen.send_signal(signal.SIGCONT)
        until(lambda: said(live, session, "hangs"))
        server.login("hangs")
        until(lambda: said(live, session, "hangs") is False)


def test_a_key_that_is_taken_away(server: EnforcerProcess) -> None:
    """Is a refusal, as a mistake in the set-up: nobody is called ended."""
    assert server.popen is not None
    with Enforcer(server.url, KEY) as client, LiveSessions(client, max_staleness=STALE) as live:
        until(lambda: live.followed)
        session = client.login("key")["session"]
        until(lambda: said(live, session, "key"))
        try:
            with_keys(server, [{**KEYS[0], "key": KEY[::-1]}])
            until(lambda: refused(live, session))
        finally:
            with_keys(server, KEYS)
        until(lambda: live.followed)
        until(lambda: said(live, session, "key"))


def refused(live: LiveSessions, session: str) -> bool:
    """Whether the key is; before that it is said to be live, or that nobody can say."""
    try:
        assert said(live, session, "key") is not False
    except Refused:
        return True
    return False


def with_keys(server: EnforcerProcess, keys: list[dict[str, object]]) -> None:
    """The server takes these keys from now on."""
    assert server.popen is not None
    server.settings["keys"] = keys
    server.write_config()
    server.popen.send_signal(signal.SIGHUP)


def test_another_database(tmp_path: Path) -> None:
    """Killed, and begun anew with nothing: what was known is dropped, and whoever holds sockets is told."""
    with EnforcerProcess(tmp_path / "enforcer", keys=KEYS) as server, Enforcer(server.url, KEY) as client:
        resets: list[bool] = []
        with LiveSessions(client) as live:
            live.on_reset(lambda: resets.append(True))
            until(lambda: live.followed)
            session = client.login("gone")["session"]
            until(lambda: said(live, session, "gone"))
            server.kill()
            until(lambda: not live.followed)
            for file in server.directory.glob("enforcer.db*"):
                file.unlink()
            server.start()
            until(lambda: resets)
            until(lambda: said(live, session, "gone") is False)
