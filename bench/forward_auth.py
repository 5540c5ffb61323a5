"""Measures what a reverse proxy's question costs: processor time alone, and how long it takes beside logins.

    python -m bench.forward_auth [--questions 20000] [--rate 500] [--seconds 10]

The server has a process of its own; the proxy's questions come one after the other over one connection, which wakes
the server up for each of them. Who logs in has a process of its own too, and all three share the machine.
"""

import argparse
import asyncio
import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable, stdin

import uvloop

from bench.admission import Caller
from bench.processes import free_port
from bench.store import percentile

TICKS = os.sysconf("SC_CLK_TCK")


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


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def log_in(caller: Caller, rate: float, seconds: float) -> int:
    """Logs in at a rate for so long; how often."""
    begin, count = time.perf_counter(), 0
    while (now := time.perf_counter()) < begin + seconds:
        due = int((now - begin) * rate)
        while count < due:
            await caller.login(room=f"user-{count % 2000}")
            count += 1
        await asyncio.sleep(0.001)
    return count


async def log_everybody_in(port: int, key: str, rate: float, seconds: float) -> None:
    """The process that logs in, over four connections that take turns: prints how often it did."""
    callers = [Caller(port, key) for _ in range(4)]
    for caller in callers:
        await caller.open()
    made = []
    for caller in callers:
        made.append(asyncio.create_task(log_in(caller, rate / len(callers), seconds)))
        await asyncio.sleep(1 / rate)
    print(sum(await asyncio.gather(*made)))


async def measure(server: Popen[bytes], port: int, key: str, arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    caller = Caller(port, key)
    await caller.open()
    ticket = json.loads(await caller.login(room="alice"))["proxy_ticket"]
    proxy = Proxy(port, ticket)
    await proxy.open()
    for _ in range(arguments.questions // 10):  # warms up
        await proxy.ask()
    used = processor_seconds(server.pid)
    for _ in range(arguments.questions):
        await proxy.ask()
    used = processor_seconds(server.pid) - used
    print(f"{used / arguments.questions * 1e6:.0f} µs of the server's processor time a question")

    took: list[float] = []
    sent = ["--port", str(port), "--rate", str(arguments.rate), "--seconds", str(arguments.seconds)]
    logins = await asyncio.create_subprocess_exec(
        executable, "-m", "bench.forward_auth", *sent, stdin=PIPE, stdout=PIPE
    )
    answer = asyncio.create_task(logins.communicate(key.encode()))
    while not answer.done():
        began = time.perf_counter()
        await proxy.ask()
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)
    made, _ = await answer
    p50, p99 = percentile(took, 0.5) * 1000, percentile(took, 0.99) * 1000
    print(
        f"beside {int(made) / arguments.seconds:.0f} logins/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms of {len(took):,} "
        "questions"
    )


def main() -> None:
    """Reads the command line, and runs a server for as long as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500, help="logins a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)  # for the process that logs in; the key by stdin
    arguments = parser.parse_args()
    if arguments.port:
        uvloop.run(log_everybody_in(arguments.port, stdin.readline().strip(), arguments.rate, arguments.seconds))
        return
    with tempfile.TemporaryDirectory(prefix="enforcer-bench-") as name:
        key, port, config = secrets.token_urlsafe(32), free_port(), Path(name) / "config.json"
        config.touch(mode=0o600)
        members = {"port": port, "ipaddr": "127.0.0.1", "authkey": key, "forward_auth": {}}
        config.write_text(json.dumps({**members, "store": f"sqlite:///{name}/enforcer.db"}))
        with (Path(name) / "log").open("wb") as log:
            server = Popen([executable, "-m", "enforcer", "--config", str(config)], stdout=PIPE, stderr=log)
            try:
                if server.stdout is not None:
                    server.stdout.readline()
                uvloop.run(measure(server, port, key, arguments))
            finally:
                server.terminate()
                server.wait(20)


if __name__ == "__main__":
    main()
