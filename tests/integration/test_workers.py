"""`workers`: several processes on one port, one log, one set of signals."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pages import Opener
from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, until

WORKERS = 3


@pytest.fixture
def crew(tmp_path: Path, redis_server: RedisServer) -> Iterator[EnforcerProcess]:
    """A server of three processes on an empty Redis."""
    redis_server.flush()
    with EnforcerProcess(tmp_path / "enforcer", store=redis_server.url, workers=WORKERS) as server:
        yield server
    assert "Traceback" not in server.read_log()


def pids(server: EnforcerProcess) -> dict[str, int]:
    """The worker's numbers and the processes that they are now, as the log tells."""
    return {n: int(pid) for n, pid in re.findall(r"a worker is up worker=(\d+) pid=(\d+)", server.read_log())}


def is_alive(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_all_serve_the_port_and_know_the_same(crew: EnforcerProcess, open_ws: Opener) -> None:
    """Twelve pages spread over the processes; one login ends eleven of them, whichever process they are on."""
    logins = [crew.login("alice", session=f"s{n}") for n in range(20)]
    assert len(set(pids(crew).values())) == WORKERS
    last = crew.login("bob")
    pages = [open_ws(crew, auth={"ticket": last["ticket"]}) for _ in range(12)]
    for page in pages:
        assert page.joined()["active"] is True
    crew.login("bob")
    for page in pages:
        assert page.take("force-logout")["reason"] == "displaced"
    live = crew.call("GET", "/v1/users/alice/sessions").json()["sessions"]
    assert [s["session"] for s in live] == [logins[-1]["session"]]
    by_worker = set(re.findall(r"INFO login .*worker=(\d+)", crew.read_log()))
    assert by_worker <= {"1", "2", "3"}
    assert len(by_worker) > 1, "one process has answered everything"


def test_a_crashed_worker_is_started_again(crew: EnforcerProcess) -> None:
    """kill -9 of one: the others go on, a new one comes, nothing that was answered is lost."""
    first = crew.login("alice")
    victim = pids(crew)["2"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: pids(crew)["2"] != victim)
    assert crew.record(first["session"])["active"] is True
    assert "a worker ended, it is started again" in crew.read_log()


def test_sigterm_ends_all(tmp_path: Path, redis_server: RedisServer) -> None:
    """Exit 0, and no process is left."""
    server = EnforcerProcess(tmp_path / "enforcer", store=redis_server.url, workers=2).start()
    until(lambda: len(pids(server)) == 2)
    children = pids(server).values()
    assert server.stop() == 0
    assert not [pid for pid in children if is_alive(pid)]


def test_no_worker_outlives_its_starter(tmp_path: Path, redis_server: RedisServer) -> None:
    """Even if that is killed with -9."""
    server = EnforcerProcess(tmp_path / "enforcer", store=redis_server.url, workers=2).start()
    until(lambda: len(pids(server)) == 2)
    children = pids(server).values()
    server.kill()
    until(lambda: not [pid for pid in children if is_alive(pid)], 15)


def test_sighup_reaches_all(crew: EnforcerProcess) -> None:
    """Each reads the configuration again."""
    crew.settings["event_name"] = "kicked"
    crew.write_config()
    assert crew.popen is not None
    crew.popen.send_signal(signal.SIGHUP)
    until(lambda: crew.read_log().count("the configuration is reloaded") == WORKERS)


def refused(server: EnforcerProcess, reason: str) -> None:
    """It does not start, says why, and its exit status says that somebody must mend something."""
    with pytest.raises(AssertionError, match=reason):
        server.start()
    assert server.stop() == 2


def test_a_port_in_use_is_said_once(tmp_path: Path, redis_server: RedisServer) -> None:
    """One line, exit 2, as for one process."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = EnforcerProcess(tmp_path / "enforcer", store=redis_server.url, workers=2, port=port)
        refused(server, "is in use; stop the other process")


def test_a_worker_that_cannot_start_ends_all(tmp_path: Path) -> None:
    """A wrong password is said, and never shown."""
    with RedisServer(tmp_path / "redis", requirepass="right") as redis:
        url = f"redis://:wr0ng-secret@127.0.0.1:{redis.port}"
        server = EnforcerProcess(tmp_path / "enforcer", store=url, workers=2)
        refused(server, "refuses the user or the password")
        assert "wr0ng-secret" not in server.read_log()


def test_workers_without_a_shared_store_are_refused(tmp_path: Path) -> None:
    """At the start, with the reason."""
    refused(
        EnforcerProcess(tmp_path / "enforcer", workers=2), "more than one process needs a store that they can share"
    )
