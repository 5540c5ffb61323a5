"""A disk that is full, and one that has room again. The kernel plays it: no file may grow beyond a limit."""

import resource
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.running import EnforcerProcess, until

ROOM_WITHIN = 15.0


def status(server: EnforcerProcess, path: str) -> int:
    """The status of an open address."""
    return httpx.get(server.url + path, timeout=10).status_code


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
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Room for the configuration and the log, not for a database.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with ExitStack() as started:
        started.push(server)
        assert status(server, "/healthz") == 200
        assert status(server, "/readyz") == 503
        server.limit_files(None)
        until(lambda: status(server, "/readyz") == 200, ROOM_WITHIN)
        assert server.login("alice")["created"] is True
