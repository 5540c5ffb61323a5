"""Measures the stores by themselves: durable logins a second, validations a second, start with many rows.

    python -m bench.store [--seconds 3] [--rows 1000000] [--store sqlite|memory]

One process on one core, in a fresh directory. Figures depend on the machine and above all on its disk: compare the
columns of one run, not runs.
"""

import argparse
import asyncio
import platform
import random
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from enforcer.domain.admission import Login
from enforcer.domain.deadlines import IDLE_SLACK
from enforcer.domain.rules import Rules
from enforcer.process import garbage
from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from enforcer.store.queries import SessionQuery
from enforcer.usecases.registry import Registry, new_session_id

CALLERS = (1, 10, 100, 1000)
AMONG = (10_000, 100_000, 1_000_000)
"""Open sessions beside which is measured what becomes slower with them."""
DUE = 100
"""Sessions whose time is over in each second of the measurement of expiry."""


async def claims(store: Store, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Logins a second with so many callers in a closed loop, and how long each took (seconds)."""
    registry = Registry(store, Rules(idle_timeout=3600), time.monotonic)
    await registry.resume(0)
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        turn = 0
        while (began := time.perf_counter()) < end:
            turn += 1
            await registry.login(f"user-{number}-{turn % 50}", Login(new_session_id()))
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller(n) for n in range(callers)))
    return len(took) / (time.perf_counter() - began), took


async def validations(store: Store, seconds: float) -> float:
    """`registry.get` of known sessions a second, in the process."""
    registry = Registry(store, Rules(), time.monotonic)
    await registry.resume(0)
    ids = [f"known-{n}" for n in range(1000)]
    await asyncio.gather(*(registry.login(f"room-{i}", Login(i, i)) for i in ids))
    done, end, began = 0, time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < end:
        for session in ids:
            await registry.get(session)
        done += len(ids)
    return done / (time.perf_counter() - began)


def fill(path: Path, rows: int, now: float) -> None:
    """Puts open sessions into a fresh database. They began one after the other, `DUE` in each second, and that is how
    their idle deadlines come."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(
            "INSERT INTO sessions (id, room, claimed, epoch, started_at, last_seen_at, last_active_at, seen_until, "
            "idle_at, absolute_at, lost_at) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    f"s{n}",
                    f"r{n}",
                    n,
                    now + n / DUE - rows / DUE,
                    now,
                    now,
                    now + 60,
                    now + 900 + n / DUE,
                    now + 1e6,
                    now + 1e7,
                )
                for n in range(rows)
            ),
        )
        database.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('beat', ?)", (now,))
    database.close()


async def start_with(path: Path, rows: int) -> tuple[float, float]:
    """Seconds to open a store with so many open sessions, and MB that the process grew by it."""
    store = make_store(f"sqlite:///{path}", time.time)
    await store.open()
    await store.close()
    fill(path, rows, time.time())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    store = make_store(f"sqlite:///{path}", time.time)
    await store.open()
    await Registry(store, Rules(), time.monotonic).resume(60)
    took = time.perf_counter() - began
    await store.close()
    return took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


async def expiry(path: Path, turns: int) -> float:
    """Processor milliseconds that a second costs in which `DUE` of the sessions of `fill` are over."""
    late = 900.0 + IDLE_SLACK
    store = make_store(f"sqlite:///{path}", lambda: time.time() + late)
    await store.open()
    await store.upkeep.beat(store.now())
    registry = Registry(store, Rules(idle_timeout=900), time.monotonic)
    await registry.resume(0)
    while await registry.expire():
        pass
    used = time.process_time()
    ended = 0
    for _ in range(turns):
        late += 1
        await registry.tick()
        while rooms := await registry.expire():
            ended += rooms
    used = time.process_time() - used
    await store.close()
    assert ended >= turns * DUE / 2, "nothing was due"
    return used / ended * DUE * 1000


async def among(path: Path, rows: int, seconds: float) -> tuple[float, float, float, float, float]:
    """Among so many open sessions: logins a second of one caller and of 64, and microseconds of processor time that it
    takes to read a session that nobody has asked for lately, to list a room, and to read a page of the session log."""
    store = make_store(f"sqlite:///{path}", time.time)
    await store.open()
    await store.close()
    now = time.time()
    fill(path, rows, now)
    await store.open()
    alone, _ = await claims(store, 1, seconds)
    many, _ = await claims(store, 64, seconds)
    registry = Registry(store, Rules(), time.monotonic)
    await registry.resume(0)
    picked = random.Random(1).sample(range(rows), min(rows, 5_000))
    reads = await each(len(picked), lambda n: registry.look(f"s{picked[n]}"))
    lists = await each(len(picked), lambda n: registry.list_room(f"r{picked[n]}"))
    pages = await each(200, lambda n: registry.sessions(SessionQuery(since=now + (picked[n] - rows) / DUE, limit=100)))
    await store.close()
    return alone, many, reads, lists, pages


async def each(times: int, work: Callable[[int], Awaitable[object]]) -> float:
    """Microseconds of processor time of one call of many."""
    used = time.process_time()
    for n in range(times):
        await work(n)
    return (time.process_time() - used) / times * 1e6


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of all lie."""
    return statistics.quantiles(values, n=1000)[int(share * 1000) - 1] if len(values) > 1 else values[0]


async def run(arguments: argparse.Namespace) -> None:
    """Prints a table a store."""
    garbage.settle()  # as the server does it
    print(f"{platform.machine()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(prefix="enforcer-bench-", dir=arguments.directory) as directory:
        urls: dict[str, Callable[[int], str]] = {
            "sqlite": lambda n: f"sqlite:///{directory}/{n}.db",
            "memory": lambda n: "memory://",
        }
        for name, url in urls.items():
            if arguments.store not in (None, name):
                continue
            print(f"\n{name:8}{'callers':>9}{'claims/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
            for callers in CALLERS:
                store = make_store(url(callers), time.time)
                await store.open()
                rate, took = await claims(store, callers, arguments.seconds)
                await store.close()
                p50, p99 = percentile(took, 0.5) * 1000, percentile(took, 0.99) * 1000
                print(f"{'':8}{callers:>9,}{rate:>11,.0f}{p50:>9.2f}{p99:>9.2f}")
            store = make_store(url(0), time.time)
            await store.open()
            print(f"{'':8}{'validate/s':>9}{await validations(store, arguments.seconds):>10,.0f}")
            await store.close()
        if arguments.rows and arguments.store in (None, "sqlite"):
            took_to_start, grown = await start_with(Path(directory) / "many.db", arguments.rows)
            print(f"\n{'open sessions':>13}{'1 caller':>10}{'64':>8}  logins/s", end="")
            print(f"{'read':>8}{'room':>8}{'100 rows':>10}  µs")
            for rows in sorted({min(n, arguments.rows) for n in AMONG}):
                alone, many, *costs = await among(Path(directory) / f"{rows}.db", rows, arguments.seconds)
                print(
                    f"{rows:>13,}{alone:>10,.0f}{many:>8,.0f}{'':10}{costs[0]:>8.0f}{costs[1]:>8.0f}{costs[2]:>10.0f}"
                )
            print(f"\nstart with {arguments.rows:,} open sessions: {took_to_start:.2f} s, {grown:.0f} MB more")
            few = Path(directory) / "few.db"
            await start_with(few, min(arguments.rows, 20 * DUE))
            for path, rows in ((few, min(arguments.rows, 20 * DUE)), (Path(directory) / "many.db", arguments.rows)):
                cost = await expiry(path, 10)
                print(f"a second with {DUE} expiring of {rows:,} open ones: {cost:.1f} ms of processor time")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rows", type=int, default=1_000_000, help="open sessions for the start; 0 leaves it out")
    parser.add_argument("--store", choices=("sqlite", "memory"))
    parser.add_argument("--directory", type=Path, help="where to put the databases: another disk, another figure")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
