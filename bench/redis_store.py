"""Measures the Redis store by itself: logins a second, processor time, and what sessions and subscriptions cost Redis.

    python -m bench.redis_store [--seconds 3] [--sessions 2000]

One process and a Redis of its own on one machine. Figures depend on it: compare the lines of one run, not runs.
"""

import argparse
import asyncio
import platform
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from redis.asyncio import Redis

from bench.rivals import RESULTS, redis_server
from bench.store import claims, percentile
from enforcer.domain.admission import Login
from enforcer.domain.model import Device
from enforcer.domain.rules import Rules
from enforcer.process.garbage import settle
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.store import RedisStore
from enforcer.usecases.registry import Registry, new_session_id

CALLERS = (1, 10, 100)
KINDS = {"no file": "--appendonly no", "appendfsync always": "--appendonly yes --appendfsync always"}
SUBSCRIBERS = (0, 2, 8)
NOT_OF_LOGINS = ("hmget", "ping", "info", "config|resetstat")
"""What processes do by themselves, and what is done to measure."""
DEVICE = Device(
    "Chrome on Windows", "desktop", "d-0123456789abcdef", "Mozilla/5.0 (Windows NT 10.0) " + 80 * "x", "::1"
)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[RedisStore, Registry]]:
    """One process's store, and what asks it."""
    store = RedisStore(redis_address(url))
    await store.open()
    try:
        registry = Registry(store, Rules(), time.monotonic)
        await registry.resume(0)
        yield store, registry
    finally:
        await store.close()


async def logins(url: str, callers: int, seconds: float) -> str:
    """A line about so many callers in a closed loop."""
    async with opened(url) as (store, _):
        began = time.process_time()
        rate, took = await claims(store, callers, seconds)
        cpu = (time.process_time() - began) / len(took)
    p50, p99 = percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3
    return f"{callers:>9,}{rate:>11,.0f}{p50:>9.2f}{p99:>9.2f}{cpu * 1e6:>9.0f}"


async def memory(url: str, sessions: int) -> tuple[float, float]:
    """Bytes of Redis that an open session takes, and one that has ended, its audit rows included."""
    async with opened(url) as (_, registry), Redis.from_url(url, protocol=2) as client:

        async def all_log_in() -> int:
            for start in range(0, sessions, 100):
                rooms = [f"user-{n}" for n in range(start, start + 100)]
                await asyncio.gather(*(registry.login(r, Login(new_session_id(), device=DEVICE)) for r in rooms))
            return int((await client.info("memory"))["used_memory"])

        await registry.login("first", Login(new_session_id()))
        used = [int((await client.info("memory"))["used_memory"]), await all_log_in(), await all_log_in()]
    return (used[1] - used[0]) / sessions, (used[2] - used[1]) / sessions


async def with_subscribers(url: str, subscribers: int, logins: int) -> tuple[float, float]:
    """What a login is for Redis while so many processes hold other rooms: commands, those inside of scripts included,
    and processor microseconds."""
    async with opened(url) as (_, registry), Redis.from_url(url, protocol=2) as client:
        others = [RedisStore(redis_address(url)) for _ in range(subscribers)]
        for n, other in enumerate(others):
            await other.open()
            await other.hold(f"other-{n}")
        for n in range(100):
            await registry.login(f"cost-{n}", Login(new_session_id()))
        await client.config_resetstat()
        before = await client.info("cpu")
        for n in range(logins):
            await registry.login(f"cost-{n % 100}", Login(new_session_id()))
        after, commands = await client.info("cpu"), await client.info("commandstats")
        for other in others:
            await other.close()
    calls = sum(of["calls"] for name, of in commands.items() if name.removeprefix("cmdstat_") not in NOT_OF_LOGINS)
    cpu = sum(after[part] - before[part] for part in ("used_cpu_user", "used_cpu_sys"))
    return calls / logins, cpu / logins * 1e6


async def run(arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    settle()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    print(f"\n{'':20}{'callers':>9}{'logins/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'µs CPU':>9}")
    for kind, options in KINDS.items():
        with redis_server(options) as url:
            for callers in CALLERS:
                print(f"{kind:20}{await logins(url, callers, arguments.seconds)}")
    with redis_server(KINDS["no file"]) as url:
        live, ended = await memory(url, arguments.sessions)
    print(f"\nan open session: {live:,.0f} bytes of Redis; one that has ended: {ended:,.0f}")
    print(f"\n{'processes with other rooms':30}{'commands a login':>18}{'µs CPU of Redis':>18}")
    for subscribers in SUBSCRIBERS:
        with redis_server(KINDS["no file"]) as url:
            commands, cpu = await with_subscribers(url, subscribers, arguments.sessions)
        print(f"{subscribers:<30}{commands:>18.1f}{cpu:>18.0f}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--sessions", type=int, default=2000, help="open sessions whose memory is measured")
    RESULTS.mkdir(exist_ok=True)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
