"""The benchmark itself, small: it runs, and it finds no lost event and no wrong victim."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT, require_command

USERS = 400
WORKLOADS = "login,validate,connect,takeover,closed,storm,restart"
SMALL = ("--servers", "enforcer", "--quick", "--sockets", str(USERS), "--secs", "1", "--rate", "50")


def run(module: str, *arguments: str) -> str:
    """What a program of the benchmark prints; it must end well."""
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_small_run_finds_no_error(tmp_path: Path) -> None:
    """Every workload; what it finds is in its results, and drawn.

    With far more users than the loader has connections, so that no two logins of a user are under way at once: which of
    them is the newest would be open.
    """
    require_command("cc")
    require_command("make")
    results, charts = tmp_path / "results.json", tmp_path / "charts"
    printed = run("bench", *SMALL, "--workloads", WORKLOADS, "--json", str(results), "--charts", str(charts))
    (round_,) = json.loads(results.read_text())["results"]["enforcer"]
    assert list(round_) == WORKLOADS.split(",")
    for workload, result in round_.items():
        assert set(result["errors"].values()) == {0}, (workload, result)
    assert round_["connect"]["live"] == USERS
    assert round_["restart"]["forgotten"] == 0, "what was answered outlives kill -9"
    assert "errors: lost events" in printed
    assert "prefers-color-scheme: dark" in (charts / "connects-s.svg").read_text()


def test_a_small_run_on_two_nodes_finds_no_error(tmp_path: Path) -> None:
    """Takeovers across nodes: nothing lost, nobody wrong told."""
    for command in ("cc", "make", "redis-server"):
        require_command(command)
    results = tmp_path / "results.json"
    run("bench", "--cluster", *SMALL, "--workloads", "takeover,closed", "--json", str(results))
    (round_,) = json.loads(results.read_text())["results"]["enforcer"]
    for workload, result in round_.items():
        assert set(result["errors"].values()) == {0}, (workload, result)


def test_the_redis_store_is_measured() -> None:
    """Small; what a login costs does not depend on who holds other rooms."""
    require_command("redis-server")
    printed = run("bench.redis_store", "--seconds", "0.2", "--sessions", "200")
    lines = [line.split() for line in printed.splitlines()]
    commands = {line[0]: line[1] for line in lines[-3:]}
    assert commands["0"] == commands["2"] == commands["8"], printed


@pytest.mark.soak
@pytest.mark.parametrize("one_process", [False, True], ids=["two nodes", "sqlite"])
def test_a_restart_under_load_loses_nothing(one_process: bool) -> None:
    """No login for good, no kick, no page; everybody is back."""
    for command in ("nginx", "redis-server"):
        require_command(command)
    small = ("--sockets", "200", "--logins", "20", "--delay", "1", "--window", "3")
    told = json.loads(run("bench.rolling", *small, *(["--sqlite"] if one_process else [])))
    assert told["logins"] > 300
    assert told["pages that came back"] > 50
