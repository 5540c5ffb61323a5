"""Restarts servers under load, and counts what that costs those who use them.

    python -m bench.rolling [--sockets 5000] [--logins 200] [--delay 5] [--window 30] [--charts docs/images/operations]
    python -m bench.rolling --sqlite

Two nodes with Redis stand behind nginx. Each in turn gets a successor, then SIGTERM. With `--sqlite` it is one process
on a file, and another that waits for it to let go of the file. All is on one machine: the load takes a good part of it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from bench.charts import columns
from bench.processes import CORES, LOADER_CORE, Failed, Measured, free_port, on_core
from bench.rivals import RESULTS, redis_server
from bench.rolling_load import Load

ROOT = Path(__file__).resolve().parent.parent
NGINX = "daemon off; pid {d}/pid; error_log {d}/error.log; worker_rlimit_nofile 65536; worker_processes 1; user root;"
EVENTS = "events {{ worker_connections 40000; }} http {{ {temp} {conf} }}"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
LOST = ("logins failed for good", "kicks lost", "pages not back", "pages ended by mistake")
"""Figures that must be 0."""
QUIET = 10.0
"""Seconds of load before, between and after the restarts."""
WAITS = 2.5
"""Seconds after which a process that was started has loaded, and waits for the database."""
BACK_WITHIN = 60.0
"""Seconds in which everybody must be back after the last."""


class Node:
    """An Enforcer on a port of its own."""

    def __init__(self, directory: Path, name: str, core: int, port: int | None = None, **settings: object) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = directory / f"{name}.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"port": self.port, "ipaddr": "127.0.0.1", **settings}))
        command = f"{shlex.quote(sys.executable)} -m enforcer --config {shlex.quote(str(config))}"
        self.process = Measured(name, command, core, ROOT, {}, RESULTS / "rolling.log")

    async def start(self, http: aiohttp.ClientSession) -> None:
        """Returns when it is ready."""
        self.process.start()
        await self.ready(http)

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Returns when it takes logins."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{self.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
        raise Failed(f"{self.process.name} did not become ready; see {RESULTS / 'rolling.log'}")

    async def ended(self) -> None:
        """Returns when its process is gone."""
        await asyncio.to_thread(self.process.wait)


@contextlib.contextmanager
def nginx(directory: Path, ports: list[int]) -> Iterator[str]:
    """The example for two nodes, for as many as there are; pages do not poll here, so any node will do for each."""
    program = shutil.which("nginx")
    if program is None:
        raise Failed("nginx is needed")
    port = free_port()
    conf = (ROOT / "examples/nginx/cluster.conf").read_text()
    conf = conf.replace("ip_hash;", "").replace("listen 80;", f"listen {port};")
    servers = "\n".join(f"server 127.0.0.1:{p} max_fails=2 fail_timeout=5s;" for p in ports)
    conf = re.sub(r"server node-1.*\n.*server node-2.*\n", f"{servers}\n", conf)
    temp = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in TEMPORARY)
    file = directory / "nginx.conf"
    file.write_text((NGINX + EVENTS).format(d=directory, temp=temp, conf=conf))
    server = Measured("nginx", f"{program} -c {file}", LOADER_CORE, directory, {}, RESULTS / "nginx.log")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


async def roll(arguments: argparse.Namespace) -> Load:
    """Two nodes, one after the other."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-", dir=RESULTS)))
        key, window = secrets.token_urlsafe(32), float(arguments.window)
        common: dict[str, Any] = {
            "store": stack.enter_context(redis_server()),
            "authkey": key,
            "max_connections": 20_000,
        }
        common |= {"drain_delay": arguments.delay, "drain_window": window}
        nodes = [Node(directory, f"node-{n}", CORES[n % len(CORES)], **common) for n in range(4)]
        for node in nodes:
            stack.callback(node.process.kill)
        url = stack.enter_context(nginx(directory, [node.port for node in nodes]))
        async with aiohttp.ClientSession() as http:
            for node in nodes[:2]:
                await node.start(http)
            load = Load(url, key, arguments.sockets, arguments.logins)
            async with load:
                await asyncio.sleep(QUIET)
                for old, new in zip(nodes[:2], nodes[2:], strict=True):
                    await new.start(http)
                    load.note("SIGTERM")
                    old.process.terminate()
                    await old.ended()
                    load.note("exit")
                    await asyncio.sleep(QUIET)
                await load.settled(BACK_WITHIN)
            if arguments.charts is not None:
                arguments.charts.mkdir(parents=True, exist_ok=True)
                title = f"Pages that come back in each second, of {arguments.sockets:,} on two nodes"
                marks = [(at, name) for at, name in load.notes]
                (arguments.charts / "rolling-restart.svg").write_text(columns(title, load.returns_by_second(), marks))
        return load


async def again(arguments: argparse.Namespace) -> Load:
    """One process on SQLite, and one that is started before that ends, and waits for the database."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-", dir=RESULTS)))
        key = secrets.token_urlsafe(32)
        store = f"sqlite:///{directory}/enforcer.db"
        common: dict[str, Any] = {"store": store, "authkey": key, "max_connections": 20_000}
        node = Node(directory, "before", CORES[0], **common)
        after = Node(directory, "after", CORES[0], node.port, **common)
        stack.callback(node.process.kill)
        stack.callback(after.process.kill)
        url = stack.enter_context(nginx(directory, [node.port]))
        async with aiohttp.ClientSession() as http:
            await node.start(http)
            load = Load(url, key, arguments.sockets, arguments.logins)
            async with load:
                await asyncio.sleep(QUIET)
                after.process.start()
                await asyncio.sleep(WAITS)
                load.note("SIGTERM")
                node.process.terminate()
                await node.ended()
                load.note("exit")
                await after.ready(http)
                load.note("ready")
                await load.settled(BACK_WITHIN)
                await asyncio.sleep(QUIET)
                await load.settled(BACK_WITHIN)
        return load


def main() -> None:
    """Runs it; the figures are printed as JSON. The exit status is 1 if a login, a kick or a page was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=5000)
    parser.add_argument("--logins", type=float, default=200.0, help="a second")
    parser.add_argument("--delay", type=float, default=5.0, help="drain_delay, seconds")
    parser.add_argument("--window", type=float, default=30.0, help="drain_window, seconds")
    parser.add_argument("--sqlite", action="store_true", help="one process on a file, instead of two nodes")
    parser.add_argument("--charts", type=Path, help="a directory for the chart")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    on_core(LOADER_CORE)()
    random.seed(1)
    told = asyncio.run(again(arguments) if arguments.sqlite else roll(arguments)).figures()
    print(json.dumps(told, indent=2))
    sys.exit(any(told[name] for name in LOST))


if __name__ == "__main__":
    main()
