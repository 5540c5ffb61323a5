"""Processes that are measured: each in a group of its own, pinned to a core, with its output in a file."""

import contextlib
import json
import os
import random
import resource
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
LOADER_CORE = CORES[1 % len(CORES)]
SERVER_CORES = [core for core in CORES if core != LOADER_CORE] or CORES
READY_WITHIN = 20.0


class Failed(Exception):
    """A run that does not count, and why."""


@dataclass(frozen=True)
class Sample:
    """What a process and its children have used so far: seconds of a steady clock, of processor time, and kB."""

    time: float
    cpu: float
    rss: int


def free_port() -> int:
    """A port below the ephemeral range, where no client can meet itself by accident."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise Failed("no free port")


def on_core(core: int) -> Callable[[], None]:
    """To be run in a child before its program: stays on a core, and may open as many files as the system allows."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


class Measured:
    """A command that can be started, killed and sampled."""

    def __init__(self, name: str, command: str, core: int, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._core = core
        self._cwd = cwd
        self._env = os.environ | dict(env)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        if self._popen is None:
            raise Failed(f"{self.name} does not run")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has neither been killed nor ended by itself."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Starts it, in a process group of its own."""
        with self.log.open("ab") as log:
            try:
                self._popen = subprocess.Popen(
                    shlex.split(self._command),
                    cwd=self._cwd,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=on_core(self._core),
                )
            except OSError as e:
                raise Failed(f"{self.name}: cannot run {self._command!r}: {e}") from None

    def terminate(self) -> None:
        """SIGTERM to the process; it may take its time."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Returns when it has ended by itself."""
        if self._popen is not None:
            self._popen.wait()

    def kill(self) -> None:
        """SIGKILL to the whole group. May be called twice."""
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
            self._popen = None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Returns when it is ready; raises Failed with the end of its log if it does not become so."""
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end and self.running:
            with contextlib.suppress(OSError):
                if ready():
                    return
            time.sleep(0.05)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        raise Failed(f"{self.name} did not become ready\n{tail}")

    def sample(self) -> Sample:
        """What it and its children have used."""
        ticks = pages = 0
        for fields in _family(self.pid):
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
        return Sample(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") // 1024)


@dataclass(frozen=True)
class Served:
    """A server of ours that runs."""

    pid: int
    port: int
    key: str

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def enforcer(directory: Path, **settings: object) -> Iterator[Served]:
    """A server of ours in a process of its own, from when it listens; on SQLite, unless the settings say else."""
    served = {"port": free_port(), "ipaddr": "127.0.0.1", "authkey": secrets.token_urlsafe(32)}
    served |= {"store": f"sqlite:///{directory}/enforcer.db", **settings}
    name = f"enforcer-{served['port']}"
    config, log = directory / f"{name}.json", directory / f"{name}.log"
    config.touch(mode=0o600)
    config.write_text(json.dumps(served))
    command = [sys.executable, "-m", "enforcer", "--config", str(config)]
    with log.open("wb") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise Failed(f"the server did not start\n{log.read_text()}")
            yield Served(process.pid, int(str(served["port"])), str(served["authkey"]))
        finally:
            process.terminate()


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _family(root: int) -> Iterator[list[str]]:
    """A process and its descendants: the fields of `/proc/PID/stat` after the name."""
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                stats[int(entry.name)] = fields
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    todo = [root]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        if pid in stats:
            yield stats[pid]
