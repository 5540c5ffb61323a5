"""The command `enforcer`: what it prints, and how it refuses to start."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from enforcer import __version__
from enforcer.settings import SAMPLE_AUTHKEY
from tests.running import ROOT, EnforcerProcess, free_port

KEY = "Zk3vR9xW2mQ8tY5uB7nL4pS6dF1gH0jC-secret"
NOBODY = 65534


def python(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python …`, which must end by itself."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ENFORCER_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**plain, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m enforcer …`"""
    return python("-m", "enforcer", *arguments, cwd=cwd, **environ)


def configured(directory: Path, **settings: Any) -> Path:
    """A configuration in `directory`, on a free port of this machine."""
    path = directory / "config.json"
    path.touch(mode=0o600)
    values = {"port": free_port(), "ipaddr": "127.0.0.1", "authkey": KEY, **settings}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))
    return path


def refused(ran: subprocess.CompletedProcess[str]) -> str:
    """A start that was refused as it should: exit 2, one line on stderr, no trace, never the key. The line."""
    assert ran.returncode == 2, ran
    assert ran.stdout == ""
    lines = ran.stderr.splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("enforcer: ")
    assert KEY not in ran.stderr
    assert "Traceback" not in ran.stderr
    return lines[0].removeprefix("enforcer: ")


# ---- commands ---------------------------------------------------------------------------------------


def test_genkey_prints_a_key_that_works(tmp_path: Path) -> None:
    """A new one each time, long enough for a configuration."""
    keys = [run("genkey", cwd=tmp_path).stdout.strip() for _ in range(2)]
    assert keys[0] != keys[1]
    config = configured(tmp_path, authkey=keys[0])
    assert run("check-config", str(config), cwd=tmp_path).returncode == 0


def test_check_config_says_every_problem_at_once(tmp_path: Path) -> None:
    """One line each, exit 2, and never the key."""
    config = configured(tmp_path, authkey="short-" + "k", polcy="reject", port=99999, idle_timeout="soon")
    config.chmod(0o644)
    ran = run("check-config", str(config), cwd=tmp_path)
    assert ran.returncode == 2
    lines = ran.stdout.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    for part in ("chmod 600", "port: ", "idle_timeout: ", "'polcy' is not a setting; did you mean 'policy'?"):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert "short-" not in ran.stdout + ran.stderr


def test_check_config_warns_and_exits_0(tmp_path: Path) -> None:
    """What works but deserves a second thought is no error."""
    config = configured(tmp_path, join="open", idle_timeout="60s", warn_before=5)
    ran = run("check-config", "--config", str(config), cwd=tmp_path)
    assert ran.returncode == 0
    assert "warning: join is open" in ran.stdout
    assert "WCAG 2.2.1" in ran.stdout
    assert "can be used" in ran.stdout


def test_the_example_is_refused_only_for_its_key(tmp_path: Path) -> None:
    """`config.json.example` is right but for the key, which everybody knows."""
    example = tmp_path / "config.json"
    shutil.copy(ROOT / "config.json.example", example)
    example.chmod(0o600)
    assert SAMPLE_AUTHKEY in example.read_text()
    assert refused(run(cwd=tmp_path)).startswith("authkey is still the sample value")


def test_init_writes_a_configuration_once(tmp_path: Path) -> None:
    """With a fresh key, for its owner only; one that is there stays as it is."""
    assert run("init", cwd=tmp_path).returncode == 0
    config = tmp_path / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    first = config.read_text()
    assert run("init", cwd=tmp_path).returncode == 0
    assert config.read_text() == first
    assert run("check-config", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("command", [(), ("serve",), ("check-config",), ("genkey",), ("init",)])
def test_help_works_on_every_command(tmp_path: Path, command: tuple[str, ...]) -> None:
    """`--help` and `--config FILE` are everywhere."""
    ran = run(*command, "--help", cwd=tmp_path)
    assert ran.returncode == 0
    assert "--config" in ran.stdout


def test_the_version(tmp_path: Path) -> None:
    """`--version` says it."""
    assert run("--version", cwd=tmp_path).stdout.strip() == f"enforcer {__version__}"


def test_an_unknown_command_is_an_error(tmp_path: Path) -> None:
    """Exit 2, as for all that the caller must mend."""
    assert run("dance", cwd=tmp_path).returncode == 2


# ---- starts that are refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_session": 2}, "'max_session' is not a setting; did you mean 'max_sessions'?"),
        ({"port": "eighty"}, "port: "),
        ({"max_sessions": 0}, "max_sessions: "),
        ({"authkey": "x" * 31}, "authkey has 31 characters, at least 32 are needed; run `enforcer genkey`"),
        ({"authkey": ...}, "authkey is missing; run `enforcer genkey`"),
        ({"workers": 2}, "workers: more than one process needs a store that they can share"),
        ({"store": "redis://a,b"}, "store: several hosts need redis+sentinel://"),
        ({"ipaddr": "192.0.2.1"}, "192.0.2.1 is not an address of this machine; change `ipaddr`"),
        ({"ipaddr": "not an address"}, "cannot listen on not an address"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    """One clear line each."""
    assert refused(run("--config", str(configured(tmp_path, **settings)), cwd=tmp_path)).startswith(sentence)


def test_several_problems_are_one_line(tmp_path: Path) -> None:
    """Joined by `; `."""
    line = refused(run("--config", str(configured(tmp_path, port=-1, policy="x")), cwd=tmp_path))
    assert "port: " in line
    assert "; policy: " in line


def test_a_configuration_that_others_can_read(tmp_path: Path) -> None:
    """It holds the key; the line says how to mend it."""
    config = configured(tmp_path)
    config.chmod(0o644)
    assert refused(run("--config", str(config), cwd=tmp_path)).endswith(f"run: chmod 600 {config}")


def test_a_missing_configuration(tmp_path: Path) -> None:
    """Named, with what to do."""
    assert "nothing.json does not exist" in refused(run("--config", "nothing.json", cwd=tmp_path))
    assert refused(run(cwd=tmp_path)).startswith("authkey is missing")


def test_a_port_in_use(tmp_path: Path) -> None:
    """Says which, and what to do; the database is let go again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = configured(tmp_path, port=port)
        line = refused(run("--config", str(config), cwd=tmp_path))
    assert line == f"127.0.0.1 port {port} is in use; stop the other process, or change `port`"


def test_a_database_of_another_process(tmp_path: Path) -> None:
    """The second process is kept out, the first goes on."""
    with EnforcerProcess(tmp_path / "first") as server:
        config = configured(tmp_path, store=server.settings["store"])
        assert "enforcer.db is in use by another process" in refused(run("--config", str(config), cwd=tmp_path))
        assert server.login("alice")["created"] is True


@pytest.mark.parametrize("place", ["missing/enforcer.db", "file/enforcer.db", "directory"])
def test_a_place_for_the_database_that_is_none(tmp_path: Path, place: str) -> None:
    """A missing directory, a file in its place, a directory in the database's place."""
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    config = configured(tmp_path, store=f"sqlite:///{tmp_path}/{place}")
    assert place.split("/")[0] in refused(run("--config", str(config), cwd=tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is not touched."""
    (tmp_path / "enforcer.db").write_text("important\n" * 500)
    config = configured(tmp_path)
    assert "is not a usable database" in refused(run("--config", str(config), cwd=tmp_path))
    assert (tmp_path / "enforcer.db").read_text().startswith("important")


AS_NOBODY = f"""
import os, sys
from enforcer.cli import main
if os.geteuid() == 0:  # what root may not do nobody finds out; so somebody else does it
    os.chown(os.environ["CONFIG"], {NOBODY}, -1)
    os.chown(".", {NOBODY}, -1)
    os.setgroups([])
    os.setuid({NOBODY})
os.chmod(".", 0o500)
sys.exit(main(["--config", os.environ["CONFIG"]]))
"""


def test_a_directory_that_is_not_writable() -> None:
    """SQLite makes files beside the database; the line says which directory."""
    with tempfile.TemporaryDirectory(prefix="enforcer-tests-") as name:  # one that an ordinary user may enter
        config = configured(Path(name))
        ran = python("-c", AS_NOBODY, cwd=Path(name), CONFIG=str(config))
        Path(name).chmod(0o700)
    assert refused(ran).endswith("of the store is not writable for this user")


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    """Containers start without a file; a wrong value there is refused without being shown."""
    assert "can be used" in run("check-config", cwd=tmp_path, ENFORCER_AUTHKEY=KEY).stdout
    line = refused(run(cwd=tmp_path, ENFORCER_AUTHKEY=KEY, ENFORCER_PORT="eighty"))
    assert line.startswith("port: ")


def test_flags_override_the_file(tmp_path: Path) -> None:
    """A wrong flag is refused like a wrong setting; the key cannot be given as one."""
    config = configured(tmp_path)
    assert refused(run("--config", str(config), "--port", "70000", cwd=tmp_path)).startswith("port: ")
    assert run("--config", str(config), "--authkey", KEY, cwd=tmp_path).returncode == 2


def test_more_connections_may_wait_than_one_queue_holds(tmp_path: Path) -> None:
    """While the process stands still the kernel completes more handshakes than `somaxconn` allows for one socket."""
    one_queue = int(Path("/proc/sys/net/core/somaxconn").read_text()) + 1
    wanted = one_queue + 1000
    with EnforcerProcess(tmp_path / "enforcer", max_connections=wanted) as server, ExitStack() as clients:
        assert server.popen is not None
        server.popen.send_signal(signal.SIGSTOP)
        poller = select.poll()
        for _ in range(wanted):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", server.port))
            poller.register(client, select.POLLOUT)
        completed: set[int] = set()
        deadline = time.monotonic() + 0.9  # a dropped one comes again after a second
        while len(completed) < wanted and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poller.poll(left * 1000):
                completed.add(descriptor)
                poller.unregister(descriptor)
        server.popen.send_signal(signal.SIGCONT)
        assert len(completed) > one_queue
