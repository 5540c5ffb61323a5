"""The server against its own OpenAPI document: thousands of requests that nobody would think of."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.running import EnforcerProcess

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CASES = 2000
_COUNT = re.compile(r"(\d+) generated, (\d+) passed")


def tried(server: EnforcerProcess, token: str, examples: int, *more: str) -> int:
    """Runs Schemathesis as this caller; how many requests it sent, all of which were answered as documented."""
    ran = subprocess.run(
        [
            str(SCHEMATHESIS),
            *("run", f"{server.url}/openapi.json", "--no-color", "--continue-on-failure"),
            *("--header", f"Authorization: Bearer {token}", "--checks", CHECKS),
            *("--max-examples", str(examples), "--suppress-health-check", "all"),
            *more,
        ],
        cwd=server.directory,
        env={k: v for k, v in os.environ.items() if k != "CI"},  # there it would choose its own effort
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counted = _COUNT.search(ran.stdout)
    assert counted is not None, ran.stdout
    assert counted[1] == counted[2], ran.stdout
    return int(counted[1])


def test_every_answer_is_as_the_document_says(enforcer: EnforcerProcess) -> None:
    """As an app server and as a page; no 5xx, no status or body of its own, no trace in the log."""
    page = enforcer.login("page")["ticket"]
    count = tried(enforcer, enforcer.authkey, 100, "--exclude-path", "/v1/stream")  # which never ends
    count += tried(enforcer, page, 100, "--include-path", "/session/status", "--include-path", "/session/activity")
    assert count >= CASES
    assert "Traceback" not in enforcer.read_log()
