"""What is in deploy/: rules for Prometheus, the chart for Helm. The unit of systemd is in `test_install`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    helm = tool("helm", "helm is not here; the chart is not rendered")
    secret = ("--set", "existingSecret=mine")
    assert "0 chart(s) failed" in done(helm, "lint", "--strict", str(CHART), *secret)
    drain = ("--set", "config.drain_delay=20", "--set", "config.drain_window=40")
    shown = done(helm, "template", "e", str(CHART), *secret, *drain, "--kube-version", "1.30")
    kinds = re.findall(r"^kind: (\w+)", shown, re.MULTILINE)
    assert {"Deployment", "PodDisruptionBudget", "ConfigMap"} <= set(kinds)
    assert kinds.count("Service") == 2
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)", shown)
    assert grace is not None
    assert int(grace[1]) >= 20 + 40 + 10
    for line in ("maxSurge: 1", "maxUnavailable: 0", "readOnlyRootFilesystem: true", "name: mine"):
        assert line in shown
