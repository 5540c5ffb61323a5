"""Runs what the tests talk to: the real server in a process of its own, on a free port."""

import contextlib
import json
import os
import random
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from enforcer.process.loglines import GATHER

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN = 20.0
WITHOUT_UVLOOP = """
import sys
sys.modules["uvloop"] = None
from enforcer.command.cli import main
sys.exit(main())
"""


PORTS = range(10_000, 22_000)
"""Below those that the system gives to connections, so that none takes a port between its choice and its use; and a
Redis Cluster's own, 10,000 higher, are so, too."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, and that no other worker of this run will choose."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    mine = PORTS[int(worker[2:]) :: int(workers)]
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            port = random.choice(mine)
            s.bind(("127.0.0.1", port))
            return port


def require_command(*names: str) -> str:
    """The path of the first command that is there. Without any: skipped on a laptop, failed in CI."""
    for name in names:
        if found := shutil.which(name):
            return found
    missing(f"{' or '.join(names)} is not installed; `make test` as root on Debian installs it")


def missing(reason: str) -> Any:
    """What a test needs is not here: that is for the reader of the report to mend, and in CI a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def until(condition: Callable[[], object], within: float = 8.0, every: float = 0.02) -> None:
    """Returns when `condition` is true; raises AssertionError if that takes longer than `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not true within {within} s"
        time.sleep(every)


def answers(address: str) -> bool:
    """Whether there is a page at an address."""
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def running_program(command: Sequence[str], log: Path, address: str, **environment: str) -> Iterator[None]:
    """Another program, in the project's folder, from when it answers at `address`. What it says is in `log`.

    At the end all that it has started goes with it.
    """
    own = {**os.environ, **environment}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, env=own, stdout=output, stderr=output, start_new_session=True) as program,
    ):
        try:
            deadline = time.monotonic() + START_WITHIN
            while not answers(address):
                assert program.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


class EnforcerProcess:
    """`python -m enforcer` with a configuration of its own; a context manager.

    Keyword arguments are settings. The database is kept over `kill` and `start`. Without `uvloop` it runs on the event
    loop of the standard library, as it does where there is no other.
    """

    def __init__(self, directory: Path, *, uvloop: bool = True, **settings: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._program = ["-m", "enforcer"] if uvloop else ["-c", WITHOUT_UVLOOP]
        self.directory = directory
        self.authkey: str = settings.get("authkey") or secrets.token_urlsafe(32)
        self.port: int = settings.pop("port", None) or free_port()
        self.settings = {
            "port": self.port,
            "ipaddr": "127.0.0.1",
            "authkey": self.authkey,
            "store": f"sqlite:///{directory}/enforcer.db",
            **settings,
        }
        self.config = directory / "config.json"
        self.log = directory / "enforcer.log"
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers = {"Authorization": f"Bearer {self.authkey}"}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ENFORCER_")}
        self.popen: subprocess.Popen[bytes] | None = None
        self.wrapper: tuple[str, ...] = ()
        """A command that runs the server's, such as `prlimit`."""

    def write_config(self) -> None:
        """As an operator would: only the owner may read it."""
        self.config.touch(mode=0o600)
        self.config.write_text(json.dumps(self.settings))

    def start(self) -> Self:
        """Returns when it answers. Raises AssertionError with its log if it does not."""
        self.write_config()
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [*self.wrapper, sys.executable, *self._program, "--config", str(self.config)],
                cwd=self.directory,
                env=self.environment | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline().decode()
        if "is listening on" not in line:
            self.popen.wait(START_WITHIN)
            raise AssertionError(f"the server did not start: {line}{self.read_log()}")
        return self

    def read_log(self) -> str:
        """What it has written to stderr so far; lines may be written as late as `GATHER` says."""
        if self.popen is not None:
            time.sleep(2 * GATHER)
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.popen is None:
            return 0
        popen, self.popen = self.popen, None
        popen.send_signal(number)
        try:
            status = popen.wait(15)
        finally:
            popen.kill()
            popen.wait()
            assert popen.stdout is not None
            popen.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def limit_files(self, size: int | None) -> None:
        """The kernel plays a full disk: no file of the process may grow beyond `size` bytes; None: there is room."""
        assert self.popen is not None
        soft = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.popen.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def fill_disk(self) -> None:
        """Its database cannot grow any more."""
        self.limit_files((self.directory / "enforcer.db-wal").stat().st_size)

    # ---- what an app server would say ----------------------------------------------------------

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """A call with the authkey in the header."""
        headers = {**self.headers, **kwargs.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=10, **kwargs)

    def login(self, room: str, **body: Any) -> dict[str, Any]:
        """`POST /notify`; the answer, which must be 200."""
        response = httpx.post(f"{self.url}/notify", json={"room": room, "key": self.authkey, **body}, timeout=10)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def record(self, session: str) -> dict[str, Any]:
        """`GET /v1/sessions/{id}`; the record, which must be there."""
        response = self.call("GET", f"/v1/sessions/{session}")
        assert response.status_code == 200, response.text
        record: dict[str, Any] = response.json()
        return record
