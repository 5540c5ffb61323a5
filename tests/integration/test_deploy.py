"""What is in deploy/: rules for Prometheus, the chart for Helm. The unit of systemd is in `test_install`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helm import helm
from tests.running import ROOT

CHART = ROOT / "deploy/helm/enforcer"


def tool(name: str, reason: str) -> str:
    """A program that not every machine has, nor every registry: without it the test is skipped, in CI too."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return found or pytest.skip(reason)


def done(*command: str) -> str:
    """What a command prints, which must succeed."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_rules_are_what_prometheus_takes() -> None:
    """By its own tool."""
    promtool = tool("promtool", "promtool is not here; tests/get-promtool.sh takes it out of Debian's package")
    rules = ROOT / "deploy/prometheus/alerts.yaml"
    said = done(promtool, "check", "rules", str(rules))
    assert f"SUCCESS: {rules.read_text().count('- alert:')} rules found" in said


def test_the_chart_is_rendered() -> None:
    """Without a warning; a process is given as long as its drain takes, and none goes before the next is there."""
    values: dict[str, object] = {"existingSecret": "mine", "config": {"drain_delay": 20, "drain_window": 40}}
    helm("lint", CHART, values)
    shown = helm("template", CHART, values)
    kinds = re.findall(r"^kind: (\w+)", shown, re.MULTILINE)
    assert {"Deployment", "PodDisruptionBudget", "ConfigMap"} <= set(kinds)
    assert kinds.count("Service") == 2
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)", shown)
    assert grace is not None
    assert int(grace[1]) >= 20 + 40 + 10
    for line in ("maxSurge: 1", "maxUnavailable: 0", "readOnlyRootFilesystem: true", "name: mine"):
        assert line in shown
