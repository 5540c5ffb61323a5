"""The chart by Helm: its command, or its engine as a Python package, which `tests/get-helm.sh` installs.

    python -m tests.helm lint|template CHART VALUES

In a process of its own, because the engine is a Go program that takes over signals. Prints what Helm finds wrong or,
with `template`, what it makes of the chart.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT

KUBERNETES = "1.30"


def helm(command: str, chart: Path, values: dict[str, object]) -> str:
    """What `helm lint --strict` or `helm template` says. Raises AssertionError if it is not content.

    Without Helm the test is skipped, in CI too, as not every registry has it.
    """
    program = shutil.which("helm")
    if program is not None:
        options = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
        what = ["lint", "--strict"] if command == "lint" else ["template", "e"]
        line = [program, *what, str(chart), "--kube-version", KUBERNETES, *options]
    elif importlib.util.find_spec("helm_python") is not None:
        line = [sys.executable, "-m", "tests.helm", command, str(chart), json.dumps(values)]
    else:
        pytest.skip("helm is not here, and its engine cannot be had")
    ran = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def main(command: str, chart: str, values: str) -> int:
    """By the engine."""
    from helm_python import chart as engine

    given = json.loads(values)
    if command == "lint":
        report = engine.lint(chart, given, strict=True, kube_version=KUBERNETES)
        print(json.dumps(report))
        wrong = [found for found in report["messages"] if found["severity"] >= 2]
        return 1 if wrong or report["errors"] else 0
    print("\n---\n".join(engine.Chart.load(chart).render(given, name="e").values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
