"""Measures what a login costs that says who may stay, and what logins notice while everybody is logged out.

    python -m bench.admission [--rounds 10] [--logins 400] [--sessions 100000]

The server and its caller share one process, in turns of so many logins, so that what the machine does besides hits
all kinds of login alike. Processor time is compared; it is the caller's too, which is the same for all.
"""

import argparse
import asyncio
import logging
import secrets
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.logins import Caller
from bench.processes import free_port
from bench.store import fill, percentile
from enforcer.app import Server
from enforcer.configuration.settings import Settings
from enforcer.domain.admission import Login
from enforcer.domain.model import Actor, ActorKind, EndReason
from enforcer.domain.rules import Rules
from enforcer.process import garbage
from enforcer.store.by_url import make_store
from enforcer.usecases.registry import Registry, new_session_id

SLOTS = {"mobile": {"max_sessions": 1}, "desktop": {"max_sessions": 2}}
OWN = {"slot": "mobile", "max_sessions": 1, "idle_timeout": 900, "warn_before": 60}
ROOM = 100
"""Live sessions of the full room."""


async def kinds_of_login(directory: Path, rounds: int, logins: int) -> dict[str, list[float]]:
    """Microseconds of processor time a login, of each kind and round."""
    key, port = secrets.token_urlsafe(32), free_port()
    members: dict[str, Any] = {"port": port, "ipaddr": "127.0.0.1", "authkey": key, "slots": SLOTS}
    settings = Settings(store=f"sqlite:///{directory}/logins.db", **members)
    server = Server(settings)
    await server.start()
    caller = Caller(port, key)
    await caller.open()
    for n in range(ROOM):
        await caller.login(room="full", session=f"first-{n}", max_sessions=ROOM)
    kinds: dict[str, dict[str, Any]] = {
        "plain": {"room": "plain"},
        "slot and own limits": {"room": "own", **OWN},
        "room of one": {"room": "one", "max_sessions": 1},
        f"room of {ROOM}": {"room": "full", "max_sessions": ROOM},
    }
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(rounds + 1):
        for kind, body in kinds.items():
            used = time.process_time()
            for _ in range(logins):
                await caller.login(**body)
            if turn:  # the first warms up
                took[kind].append((time.process_time() - used) / logins * 1e6)
    caller.close()
    await server.stop()
    return took


async def logins_while_all_end(directory: Path, sessions: int) -> tuple[int, float, list[float]]:
    """How many sessions were ended, in how many seconds, and how long each login took meanwhile."""
    path = directory / "many.db"
    store = make_store(f"sqlite:///{path}", time.time)
    await store.open()
    await store.close()
    fill(path, sessions, time.time())
    await store.open()
    registry = Registry(store, Rules(), time.monotonic)
    await registry.resume(0)
    took: list[float] = []
    through = asyncio.Event()

    async def log_in() -> None:
        while not through.is_set():
            began = time.perf_counter()
            await registry.login(f"new-{len(took) % 500}", Login(new_session_id()))
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.005)

    caller = asyncio.create_task(log_in())
    began = time.perf_counter()
    ended = await registry.end_everybody(EndReason.ADMIN, Actor(ActorKind.ADMIN))
    seconds = time.perf_counter() - began
    through.set()
    await caller
    await store.close()
    return ended, seconds, took


async def run(arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    garbage.settle()  # as the server does it
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="enforcer-bench-", dir=arguments.directory) as name:
        took = await kinds_of_login(Path(name), arguments.rounds, arguments.logins)
        cost = {kind: statistics.median(each) for kind, each in took.items()}
        for kind, us in cost.items():
            print(f"{kind:22}{us:8.0f} µs of processor time a login, caller included")
        print(f"a slot and own limits: {cost['slot and own limits'] / cost['plain'] - 1:+.1%}")
        print(f"a full room: {cost[f'room of {ROOM}'] / cost['room of one']:.2f} x")
        ended, seconds, waits = await logins_while_all_end(Path(name), arguments.sessions)
        p50, p99 = percentile(waits, 0.5) * 1000, percentile(waits, 0.99) * 1000
        print(f"{ended:,} sessions ended in {seconds:.1f} s; {len(waits):,} logins meanwhile, ", end="")
        print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(waits) * 1000:.1f} ms")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logins", type=int, default=400, help="of each kind in each round")
    parser.add_argument("--sessions", type=int, default=100_000, help="that are live when everybody is logged out")
    parser.add_argument("--directory", type=Path, help="where to put the databases: another disk, another figure")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
