"""A disk that is full, and one that has room again. The kernel plays it: no file may grow beyond a limit."""

import resource
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import OpenPage
from tests.running import EnforcerProcess, until

ROOM_WITHIN = 15.0


def status(server: EnforcerProcess, path: str) -> int:
    """The status of an open address."""
    return httpx.get(server.url + path, timeout=10).status_code


def start_with_files_of(server: EnforcerProcess, size: int) -> None:
    """Starts it where no file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def has_noted_presence(server: EnforcerProcess) -> bool:
    """Whether its database says who had a socket."""
    with closing(sqlite3.connect(f"file:{server.directory}/enforcer.db?mode=ro", uri=True)) as database:
        return bool(database.execute("SELECT * FROM presence WHERE sessions <> '[]'").fetchall())


@pytest.mark.usefixtures("any_cores")
def test_full_disk_is_503_and_over_when_there_is_room(enforcer: EnforcerProcess) -> None:
    """While the disk is full logins are 503 and nobody is logged out; then everything works again by itself."""
    before = enforcer.login("alice", session="first")
    enforcer.fill_disk()

    body = {"room": "alice", "key": enforcer.authkey, "session": "second", "request_id": "r1"}
    refused = httpx.post(f"{enforcer.url}/notify", json=body, timeout=10)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"].isdigit()
    assert refused.json()["code"] == "unavailable"
    assert status(enforcer, "/readyz") == 503
    assert status(enforcer, "/healthz") == 200
    assert enforcer.record(before["session"])["active"] is True, "an outage logs nobody out"

    enforcer.limit_files(None)
    until(lambda: status(enforcer, "/readyz") == 200, ROOM_WITHIN)
    again = httpx.post(f"{enforcer.url}/notify", json=body, timeout=10)
    assert again.status_code == 200
    assert enforcer.record("first")["end_reason"] == "displaced"
    assert enforcer.record("second")["active"] is True
    assert "Traceback" not in enforcer.read_log()


def test_full_disk_at_the_start_is_waited_for(tmp_path: Path) -> None:
    """With no room for the database the process starts, is not ready, and becomes so when there is room."""
    server = EnforcerProcess(tmp_path / "enforcer", log_format="json")
    start_with_files_of(server, 2048)  # room for the configuration and the log, not for a database
    with ExitStack() as started:
        started.push(server)
        assert status(server, "/healthz") == 200
        assert status(server, "/readyz") == 503
        server.limit_files(None)
        until(lambda: status(server, "/readyz") == 200, ROOM_WITHIN)
        assert server.login("alice")["created"] is True


def test_a_disk_that_was_full_at_a_crash_is_waited_for_too(tmp_path: Path, open_page: OpenPage) -> None:
    """Who was here must be written down before anybody is answered; it is tried again and again."""
    server = EnforcerProcess(tmp_path / "enforcer", alive_window=3).start()
    with ExitStack() as started:
        started.push(server)
        page = open_page(server, server.login("alice", session="first"))
        page.joined()
        until(lambda: has_noted_presence(server))
        server.kill()
        page.close()
        start_with_files_of(server, (server.directory / "enforcer.db-wal").stat().st_size)
        assert status(server, "/readyz") == 503
        server.limit_files(None)
        until(lambda: status(server, "/readyz") == 200, ROOM_WITHIN)
        assert server.login("alice")["displaced"] == ["first"]
