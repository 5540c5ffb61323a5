"""Measures the console among many sessions: how long each page takes, and for how long logins wait because of it.

    python -m bench.console [--rows 1000000]

A tenth of the sessions is open. Of each page: milliseconds until it is there, the median of some tries, and the longest
time in which the event loop did nothing else, the least of them, since the machine adds to it. A page that has not
searched everything says so: it is marked with `…`. Who asks is a process of its own.
"""

import argparse
import asyncio
import json
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.parse
from asyncio.subprocess import PIPE
from http.client import HTTPConnection
from pathlib import Path

import uvloop
from pydantic import SecretStr

from bench.store import DUE, fill
from enforcer.app import Server
from enforcer.configuration.settings import Settings
from enforcer.process import garbage
from enforcer.store.by_url import make_store

TRIES = 7
TICK = 0.001
DEVICE = json.dumps(["Firefox on Linux", "desktop", None, "Mozilla/5.0 (X11; Linux x86_64; rv:153.0)", "203.0.113.7"])
ENDED = """
    UPDATE sessions SET device = ?, ended_at = started_at + 60, end_reason = 'logout', ended_by = '["app", null, null]'
    WHERE CAST(substr(id, 2) AS INTEGER) % 10 <> 0
"""
AUDIT = """
    INSERT INTO audit (operation, at, event, room, session, epoch, actor, device)
    SELECT hex(randomblob(16)), started_at, 'started', room, id, 1, '["app", null, null]', device FROM sessions
"""


def pages(rows: int, now: float) -> dict[str, str]:
    """Each page by what it is."""
    past = urllib.parse.quote(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - rows / DUE + 60)))
    room = f"r{rows // 2}"
    return {
        "overview": "/admin/api/overview",
        "search": f"/admin/api/search?q={room}",
        "a user": f"/admin/api/user?room={room}",
        "a user's history": f"/admin/api/sessions?room={room}&limit=20",
        "sessions": "/admin/api/sessions?limit=50",
        "sessions, open": "/admin/api/sessions?open=true&limit=50",
        "sessions, ended": "/admin/api/sessions?open=false&limit=50",
        "sessions, reason of none": "/admin/api/sessions?reason=caep&limit=50",
        "sessions, device of none": "/admin/api/sessions?device=Lynx&limit=50",
        "sessions, slot of none": "/admin/api/sessions?slot=tv&limit=50",
        "sessions, of the first minute": f"/admin/api/sessions?until={past}&limit=50",
        "audit": "/admin/api/audit?limit=50",
        "audit of a user": f"/admin/api/audit?room={room}&limit=50",
        "audit of a session": f"/admin/api/audit?session=s{rows // 2}&limit=50",
        "audit, of the first minute": f"/admin/api/audit?until={past}&limit=50",
        "sessions.csv of none": "/admin/api/sessions.csv?reason=caep",
        "sessions.csv, of the first minute": f"/admin/api/sessions.csv?until={past}",
        "audit.csv, of the first minute": f"/admin/api/audit.csv?until={past}",
        "/v1/sessions, 1,000 rows": "/v1/sessions?limit=1000",
        "/v1/sessions, device of none": "/v1/sessions?device=Lynx",
        "/v1/audit, 1,000 rows": "/v1/audit?limit=1000",
    }


def ask(port: int, key: str) -> None:
    """Fetches each path that comes as a line, and says how it went: seconds, bytes, whether there is more to search."""
    server = HTTPConnection("127.0.0.1", port)
    server.request("POST", "/admin/login", f"key={key}", {"Content-Type": "application/x-www-form-urlencoded"})
    answer = server.getresponse()
    headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    answer.read()
    for line in sys.stdin:
        began = time.perf_counter()
        server.request(
            "GET", line.strip(), headers=headers | ({} if "/admin/" in line else {"Authorization": f"Bearer {key}"})
        )
        answer = server.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{line.strip()}: {answer.status} {body[:200]!r}")
        print(json.dumps([time.perf_counter() - began, len(body), b"searched_to" in body]), flush=True)


class Ticker:
    """Ticks on the event loop, and knows the longest time in which it could not."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.longest = 0.0
        self._due = self._loop.time()
        self._tick()

    def _tick(self) -> None:
        now = self._loop.time()
        self.longest = max(self.longest, now - self._due)
        self._due = now + TICK
        self._loop.call_at(self._due, self._tick)


async def measured(server: Server, key: str, rows: int, now: float) -> None:
    """Prints the table."""
    command = (sys.executable, "-m", "bench.console", "--ask", str(server.port))
    asking = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert asking.stdin is not None
    assert asking.stdout is not None
    asking.stdin.write(f"{key}\n".encode())
    ticker = Ticker()
    print(f"{'':36}{'ms':>8}{'held ms':>10}{'kB':>8}")
    for name, path in pages(rows, now).items():
        took, held, more, size = [], [], False, 0
        for _ in range(TRIES):
            await asyncio.sleep(0.05)
            ticker.longest = 0.0
            asking.stdin.write(f"{path}\n".encode())
            seconds, size, more = json.loads(await asking.stdout.readline())
            took.append(seconds * 1000)
            held.append(ticker.longest * 1000)
        times = f"{statistics.median(took):8.1f}{min(held):10.1f}"
        print(f"{name:36}{times}{size / 1000:8.0f}{' …' if more else ''}")
    asking.stdin.close()
    await asking.wait()


async def run(rows: int) -> None:
    """On SQLite."""
    key, now = secrets.token_urlsafe(32), time.time()
    with tempfile.TemporaryDirectory(prefix="enforcer-bench-") as directory:
        path = Path(directory) / "many.db"
        store = make_store(f"sqlite:///{path}", time.time)
        await store.open()
        await store.close()
        fill(path, rows, now)
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute(ENDED, (DEVICE,))
            database.execute(AUDIT)
        database.close()
        settings = Settings(
            port=0, ipaddr="127.0.0.1", authkey=(SecretStr(key),), admin=True, store=f"sqlite:///{path}"
        )
        server = Server(settings)
        began = time.perf_counter()
        await server.start()
        garbage.settle()
        print(f"{rows:,} sessions, a tenth of them open; the store is there after {time.perf_counter() - began:.2f} s")
        await measured(server, key, rows, now)
        await server.stop()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ask", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask is not None:
        ask(arguments.ask, sys.stdin.readline().strip())
    else:
        uvloop.run(run(arguments.rows))


if __name__ == "__main__":
    main()
