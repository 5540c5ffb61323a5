"""`server-js`: its own tests, on a real server."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.late_stream import LateStream
from tests.running import ROOT, EnforcerProcess, require_command


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """A server of its own."""
    with EnforcerProcess(tmp_path / "enforcer") as made:
        yield made
    assert "Traceback" not in made.read_log()


def test_the_package_on_a_real_server(server: EnforcerProcess) -> None:
    """Client, cache, Express and Fastify."""
    node = require_command("node")
    own = {"ENFORCER_URL": server.url, "ENFORCER_AUTHKEY": server.authkey}
    with LateStream(server.port, lag=1.5) as link:
        environment = os.environ | own | {"ENFORCER_LATE_URL": link.url}
        command = [node, "--test", "--test-force-exit", "test/"]  # a failed test leaves its servers open
        done = subprocess.run(
            command, cwd=ROOT / "server-js", env=environment, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped 0" in done.stdout
