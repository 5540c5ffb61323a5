"""One round of one server: the loader does its workloads, one after the other, while the server is sampled."""

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import LOADER_CORE, Failed, Sample, on_core
from bench.rivals import HERE, RESULTS, Node, Rival, redis_server

GIVE_UP_AFTER = 120.0
"""Seconds that a workload may take longer than it is asked to."""
LOADER = HERE / "loader" / "wsload"
WORKLOADS = {
    "login": "login",
    "validate": "validate",
    "connect": "connect",
    "takeover": "takeover:{rate}",
    "closed": "takeover",
    "storm": "storm",
    "mixed": "mixed:{rate}",
    "restart": "restart",
}
"""Name → mode of the loader, in the order in which they run."""
WITHOUT_SOCKETS = frozenset({"login", "validate"})
"""These have a server of their own, so that the others find a fresh one."""

Result = dict[str, dict[str, Any]]
"""Workload → what the loader says of it, and what the server used."""


@dataclass(frozen=True)
class Load:
    """How much of what is asked for."""

    sockets: int
    rate: int
    seconds: float
    hold: float | None
    workloads: Sequence[str]
    nodes: int = 1
    profile: bool = False

    def options(self) -> list[str]:
        """The loader's."""
        hold = [] if self.hold is None else [f"--hold={self.hold}"]
        return [
            f"--users={self.sockets}",
            f"--requests={2 * self.sockets}",
            f"--secs={self.seconds}",
            f"--limit={GIVE_UP_AFTER + self.seconds}",
            *hold,
        ]


def build_loader() -> None:
    """Compiles it."""
    if subprocess.run(["make", "-s", "-C", str(LOADER.parent)], check=False).returncode:
        raise Failed("the loader does not build: a C compiler and make are needed")


def run_once(rival: Rival, load: Load) -> Result:
    """A round, with fresh servers."""
    result: Result = {}
    for part in (WITHOUT_SOCKETS, WORKLOADS.keys() - WITHOUT_SOCKETS):
        able = rival.spec.get("workloads", WORKLOADS)
        names = [name for name in WORKLOADS if name in load.workloads and name in part and name in able]
        if names:
            key = secrets.token_hex(24)
            with ExitStack() as stack:
                redis = stack.enter_context(redis_server()) if load.nodes > 1 else None
                nodes = [stack.enter_context(rival.node(key, redis, number)) for number in range(load.nodes)]
                result |= _drive(nodes, key, names, load)
    return result


def _drive(nodes: Sequence[Node], key: str, names: Sequence[str], load: Load) -> Result:
    modes = [WORKLOADS[name].format(rate=load.rate) for name in names]
    spoken = ["--centrifugo"] if nodes[0].protocol == "centrifugo" else []
    fresh = _sum([node.sample() for node in nodes])
    loader = subprocess.Popen(
        [str(LOADER), "--key", key, *(f"--url={node.url}" for node in nodes), *spoken, *load.options(), *modes],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=on_core(LOADER_CORE),
    )
    profiler = _Profiler(nodes[0], names[0]) if load.profile else None
    marks: list[tuple[str, Sample]] = []
    try:
        assert loader.stdout is not None
        assert loader.stderr is not None
        for line in loader.stderr:
            word = line.split()[0]
            if word in ("BEGIN", "HOLD", "END"):
                marks.append((word, _sum([node.sample() for node in nodes])))
            elif word == "READY":
                for node in nodes:
                    node.kill()
                    node.start()
            else:
                raise Failed(f"loader: {line.strip()}")
        lines = loader.stdout.read().splitlines()
    finally:
        loader.kill()
        loader.wait()
        if profiler is not None:
            profiler.stop()
    for node in nodes:
        if not node.running:
            raise Failed(f"{node.name} ended by itself, see {node.log.relative_to(HERE)}")
    if len(lines) < len(names):
        raise Failed(f"the loader stopped after {len(lines)} of {len(names)} workloads")
    return _with_samples(names, [json.loads(line) for line in lines], marks, fresh, len(nodes))


def _with_samples(
    names: Sequence[str], said: list[dict[str, Any]], marks: list[tuple[str, Sample]], fresh: Sample, nodes: int
) -> Result:
    """Puts what the server used between the loader's marks to what the loader says."""
    passing = iter(marks)
    for name, result in zip(names, said, strict=True):
        at: dict[str, Sample] = {}
        for word, sample in passing:
            at[word] = sample
            if word == "END":
                break
        first, last = at.get("HOLD", at["BEGIN"]), at["END"]
        wall = (last.time - first.time) / nodes
        if name != "restart" and wall > 0:
            result["server_cpu"] = (last.cpu - first.cpu) / wall
        result["rss_fresh"], result["rss_first"], result["rss"] = fresh.rss, first.rss, last.rss
    return dict(zip(names, said, strict=True))


def _sum(samples: Sequence[Sample]) -> Sample:
    return Sample(sum(s.time for s in samples), sum(s.cpu for s in samples), sum(s.rss for s in samples))


class _Profiler:
    """py-spy on a server; writes a flame graph beside the other results."""

    def __init__(self, node: Node, first_workload: str) -> None:
        self.path = RESULTS / f"{node.name}-{first_workload}.svg"
        spy = Path(sys.executable).with_name("py-spy")
        if not spy.exists():
            raise Failed("--profile needs py-spy: pip install py-spy")
        command = [str(spy), "record", "--native", "--threads", "--rate", "250", "--pid", str(node.pid)]
        self._popen = subprocess.Popen(
            [*command, "--output", str(self.path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)  # it reads the symbols first, and must not do so while the clock runs

    def stop(self) -> None:
        """Ends the record; the graph is written then."""
        self._popen.send_signal(signal.SIGINT)
        self._popen.wait(60)
        print(f"flame graph: {self.path}", file=sys.stderr)
