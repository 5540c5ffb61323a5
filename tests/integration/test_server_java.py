"""`server-java`: its own tests, on a real server."""

import os
import re
import subprocess
from pathlib import Path

from tests.late_stream import LateStream
from tests.running import ROOT, EnforcerProcess, require_command


def test_the_client_on_a_real_server(tmp_path: Path) -> None:
    """Every call, and the cache with its stream."""
    require_command("java")
    mvn = require_command("mvn")
    with EnforcerProcess(tmp_path / "enforcer") as server, LateStream(server.port, lag=1.5) as link:
        own = {"ENFORCER_URL": server.url, "ENFORCER_AUTHKEY": server.authkey, "ENFORCER_LATE_URL": link.url}
        environment = os.environ | own
        command = [mvn, "-o", "-B", "-f", "server-java/pom.xml", "test"]  # `make` has filled Maven's cache
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        log = server.read_log()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Tests run: \d+, Failures: 0, Errors: 0, Skipped: 0\s", done.stdout), done.stdout
    assert "Traceback" not in log
