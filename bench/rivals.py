"""The servers that are compared: a folder each under `rivals/`, described by its `rival.toml`.

    order       its place in the table
    title       what it is, in a line
    usual       false: only when it is named
    cwd         where it runs, if not in its folder
    install     run there while `installed` is missing
    start       the server, in the foreground; PORT, HOST and AUTHKEY are in its environment
    env         more environment
    config      written as JSON to the file {config} before the start
    max_rounds  for a slow one: no more rounds than this
    protocol    "centrifugo", if it does not speak as README.md asks for
    workloads   those that it can do, if not all
    cluster     `env` and `config` that differ when two nodes run over one Redis; without it, not in --cluster

{project} {python} {port} {key} {tmp} {config} {redis} are filled in everywhere.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import SERVER_CORES, Failed, Measured, free_port

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Rival:
    """One server that can be measured."""

    name: str
    folder: Path
    spec: dict[str, Any]

    @property
    def cwd(self) -> Path:
        """Where it runs."""
        return self.folder / str(self.spec.get("cwd", ".")).format(project=PROJECT)

    @property
    def clusters(self) -> bool:
        """Whether several nodes of it can work as one."""
        return "cluster" in self.spec

    def install(self) -> None:
        """Fetches what it needs, once."""
        if "install" in self.spec and not (self.cwd / self.spec["installed"]).exists():
            print(f"{self.name}: installing", file=sys.stderr)
            if subprocess.run(
                self.spec["install"], shell=True, cwd=self.cwd, stdout=sys.stderr, check=False
            ).returncode:
                raise Failed(f"{self.name}: {self.spec['install']!r} failed")

    def versions(self) -> str:
        """What it is built on, as it was installed."""
        packages = sorted((self.cwd / "node_modules").glob("*/package.json"))
        wanted = set(json.loads((self.cwd / "package.json").read_text())["dependencies"]) if packages else set()
        found = [json.loads(p.read_text()) for p in packages if p.parent.name in wanted]
        if (self.folder / "requirements.txt").exists():
            return ", ".join((self.folder / "requirements.txt").read_text().replace("==", " ").split("\n")).strip(", ")
        return ", ".join(f"{p['name']} {p['version']}" for p in found)

    @contextmanager
    def node(self, key: str, redis: str | None, number: int = 0) -> Iterator["Node"]:
        """Runs a node of it, with a directory that survives its restarts. `redis` is the URL when it is one of many."""
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-", dir=RESULTS) as tmp:
            made = Node(self, Path(tmp), key, redis, number)
            made.start()
            try:
                made.wait_until(made.healthy)
                yield made
            finally:
                made.kill()


class Node(Measured):
    """A running server."""

    def __init__(self, rival: Rival, tmp: Path, key: str, redis: str | None, number: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.protocol = str(rival.spec.get("protocol", ""))
        names = {
            "project": str(PROJECT),
            "python": sys.executable,
            "port": str(port),
            "key": key,
            "tmp": str(tmp),
            "config": str(tmp / "config.json"),
            "redis": redis or "",
        }
        spec = rival.spec
        several = spec["cluster"] if redis is not None else {}
        config = {**spec.get("config", {}), **several.get("config", {})}
        filled = {k: port if v == "{port}" else _filled(v, names) for k, v in config.items()}
        (tmp / "config.json").touch(mode=0o600)  # it holds a key
        (tmp / "config.json").write_text(json.dumps(filled))
        env = {k: _filled(v, names) for k, v in {**spec.get("env", {}), **several.get("env", {})}.items()}
        env = {"PORT": str(port), "HOST": "127.0.0.1", "AUTHKEY": key, **env}
        core = SERVER_CORES[number % len(SERVER_CORES)]
        super().__init__(rival.name, _filled(spec["start"], names), core, rival.cwd, env, RESULTS / f"{rival.name}.log")

    def healthy(self) -> bool:
        """Whether it serves."""
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=1) as reply:
            return bool(reply.status == 200)


def _filled(value: Any, names: dict[str, str]) -> Any:
    return value.format(**names) if isinstance(value, str) else value


def known() -> dict[str, Rival]:
    """All of them, in the order of the table."""
    found = [
        Rival(path.parent.name, path.parent, tomllib.loads(path.read_text()))
        for path in (HERE / "rivals").glob("*/rival.toml")
    ]
    return {rival.name: rival for rival in sorted(found, key=lambda r: int(r.spec["order"]))}


def chosen(names: Sequence[str] | None, cluster: bool) -> list[Rival]:
    """Those that were named, or the usual ones, installed; the first is compared with the others."""
    everybody = known()
    if unknown := set(names or ()) - set(everybody):
        raise Failed(f"there is no rival {', '.join(sorted(unknown))}; known: {', '.join(everybody)}")
    wanted = [everybody[n] for n in names] if names else [r for r in everybody.values() if r.spec.get("usual", True)]
    if cluster:
        wanted = [rival for rival in wanted if rival.clusters]
    for rival in wanted:
        rival.install()
    return wanted


@contextmanager
def redis_server(options: str = "--appendonly yes") -> Iterator[str]:
    """A Redis of our own, which writes its log to disk every second if not told otherwise; its URL."""
    if not shutil.which("redis-server"):
        raise Failed("redis-server is needed (Debian package redis-server)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-", dir=RESULTS) as tmp:
        command = f"redis-server --port {port} --bind 127.0.0.1 --dir {tmp} --save '' {options}"
        core = SERVER_CORES[2 % len(SERVER_CORES)]
        server = Measured("redis", command, core, Path(tmp), {}, RESULTS / "redis.log")
        server.start()
        try:
            server.wait_until(lambda: _listens(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True
