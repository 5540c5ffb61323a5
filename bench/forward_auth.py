"""Measures what a reverse proxy's question costs: processor time alone, and how long it takes beside logins.

    python -m bench.forward_auth [--questions 20000] [--rate 500] [--seconds 10]

The server has a process of its own; the proxy's questions come one after the other over one connection, which wakes
the server up for each of them. Who logs in has a process of its own too, and all three share the machine.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import uvloop

from bench.logins import Caller, logged_in
from bench.processes import Served, enforcer, processor_seconds
from bench.store import percentile


class Proxy:
    """One connection over which questions follow one another."""

    def __init__(self, port: int, ticket: str) -> None:
        self._port = port
        self._question = (
            f"GET /forward-auth HTTP/1.1\r\nHost: app.example\r\nX-Forwarded-For: 203.0.113.7\r\n"
            f"X-Forwarded-Uri: /orders\r\nCookie: theme=dark; enforcer_proxy={ticket}\r\n\r\n"
        ).encode()

    async def open(self) -> None:
        """Connects."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self) -> None:
        """A question, whose answer must be yes."""
        self._writer.write(self._question)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the question was answered {head[:60]!r}")


async def measure(server: Served, arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    caller = Caller(server.port, server.key)
    await caller.open()
    ticket = json.loads(await caller.login(room="alice"))["proxy_ticket"]
    proxy = Proxy(server.port, ticket)
    await proxy.open()
    for _ in range(arguments.questions // 10):  # warms up
        await proxy.ask()
    used = processor_seconds(server.pid)
    for _ in range(arguments.questions):
        await proxy.ask()
    used = processor_seconds(server.pid) - used
    print(f"{used / arguments.questions * 1e6:.0f} µs of the server's processor time a question")

    took: list[float] = []
    logins = asyncio.create_task(logged_in(server.port, server.key, arguments.rate, arguments.seconds))
    while not logins.done():
        began = time.perf_counter()
        await proxy.ask()
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)
    p50, p99 = percentile(took, 0.5) * 1000, percentile(took, 0.99) * 1000
    print(
        f"beside {await logins / arguments.seconds:.0f} logins/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms of {len(took):,} "
        "questions"
    )


def main() -> None:
    """Reads the command line, and runs a server for as long as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500, help="logins a second")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="enforcer-bench-") as name,
        enforcer(Path(name), forward_auth={}) as server,
    ):
        uvloop.run(measure(server, arguments))


if __name__ == "__main__":
    main()
