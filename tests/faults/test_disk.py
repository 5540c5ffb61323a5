"""A disk that is full, and one that has room again. The kernel plays it: no file may grow beyond a limit."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.running import EnforcerProcess

NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Waits for a condition, and fails with what did not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def status(server: EnforcerProcess, path: str) -> int:
    """The status of an open address."""
    return httpx.get(server.url + path, timeout=10).status_code


def test_full_disk_is_503_and_over_when_there_is_room(enforcer: EnforcerProcess) -> None:
    """While the disk is full logins are 503 and nobody is logged out; then everything works again by itself."""
    before = enforcer.login("alice", session="first")
    assert enforcer.popen is not None
    wal = Path(f"{enforcer.directory}/enforcer.db-wal")
    resource.prlimit(enforcer.popen.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))

    body = {"room": "alice", "key": enforcer.authkey, "session": "second", "request_id": "r1"}
    refused = httpx.post(f"{enforcer.url}/notify", json=body, timeout=10)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"].isdigit()
    assert refused.json()["code"] == "unavailable"
    assert status(enforcer, "/readyz") == 503
    assert status(enforcer, "/healthz") == 200
    assert enforcer.record(before["session"])["active"] is True, "an outage logs nobody out"

    resource.prlimit(enforcer.popen.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    until(lambda: status(enforcer, "/readyz") == 200, "ready again")
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
    with server_stopping(server):
        assert status(server, "/healthz") == 200
        assert status(server, "/readyz") == 503
        assert server.popen is not None
        resource.prlimit(server.popen.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
        until(lambda: status(server, "/readyz") == 200, "ready")
        assert server.login("alice")["created"] is True


class server_stopping:  # noqa: N801 - reads as the `with` statement that it is
    """Stops a server that was started by hand."""

    def __init__(self, server: EnforcerProcess) -> None:
        self.server = server

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, *_: object) -> None:
        self.server.stop()
