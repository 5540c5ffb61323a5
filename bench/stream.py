"""Measures the stream of what happened: how late it is with many readers, what it weighs, and what a slow reader loses.

    python -m bench.stream [--readers 100] [--rate 1000] [--seconds 20]

The server, who logs in, and the readers have a process each; all three share the machine. A login that displaces
another is two events. Late is from the moment that the row names, at which the login was decided, until its bytes have
arrived; so the commit is in it. Each reader looks at the first event of what it finds, which is the latest of them.
"""

import argparse
import asyncio
import json
import socket
import tempfile
import time
from collections.abc import Awaitable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

import uvloop

from bench.logins import logged_in
from bench.processes import Served, enforcer, processor_seconds
from bench.store import percentile

STAMP = b'"at":"'
WARM = 3.0
"""Seconds that do not count, in which every user comes to have a session."""
FAST = 2000.0
"""Logins a second, or as many as the server takes, until the slow reader is cut."""
BEHIND = 64 * 1024
"""Bytes that the system keeps for the slow reader."""


@lru_cache(maxsize=4)
def second(text: bytes) -> float:
    """Of `2026-11-28T07:00:00`, in Unix seconds."""
    return datetime.fromisoformat(text.decode() + "+00:00").timestamp()


class Reader(asyncio.Protocol):
    """Reads a stream and keeps nothing but how late it was."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.events = 0
        self.late: list[float] = []
        self.cut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Some events, rarely with the middle of one at the end."""
        now = time.time()
        self.events += data.count(b"\nid: ")
        if (at := data.find(STAMP)) >= 0:
            text = data[at + len(STAMP) : at + len(STAMP) + 24]
            if len(text) == 24:
                self.late.append(now - second(text[:19]) - int(text[20:23]) / 1000)

    def close(self) -> None:
        """Leaves."""
        self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """It should not."""
        self.cut = True


class Follower:
    """Reads a stream by an ordinary socket, when it is told to, and knows where it is."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self.seqs: list[int] = []
        self.first = 1
        """The first row that it must be told."""
        self.cursor = ""
        self.open()

    def open(self) -> None:
        """Connects, and goes on behind the last event that was read."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BEHIND)
        self._socket.settimeout(10)
        self._socket.connect(("127.0.0.1", self._port))
        self._socket.sendall(request(self._key, self.cursor))
        self._rest = b""

    def ready(self) -> None:
        """Reads where the log ends now, and no more."""
        while not self.cursor:
            self._take_all(self._socket.recv(65536))

    def read(self, until: int) -> bool:
        """Reads until the row of this number, or until the server cuts it; whether the row came."""
        while not self.seqs or self.seqs[-1] < until:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self._socket.close()
                return False
            self._take_all(data)
        return True

    def _take_all(self, data: bytes) -> None:
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            self._take(event)

    def _take(self, event: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
        if b"data" in fields:
            told = json.loads(fields[b"data"])
            self.cursor = fields[b"id"].strip().decode() if b"id" in fields else told["cursor"]
            if "seq" in told:
                self.seqs.append(int(told["seq"]))


def request(key: str, cursor: str = "") -> bytes:
    """Asks for the stream as HTTP/1.0, so that there are no chunks around the events."""
    resume = f"Last-Event-ID: {cursor}\r\n" if cursor else ""
    return f"GET /v1/stream HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{resume}\r\n".encode()


def resident(pid: int) -> int:
    """Memory of a process, kB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def streams(port: int, key: str) -> int:
    """How many the server has open."""
    with urlopen(Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {key}"})) as answer:
        return int(float(answer.read().decode().partition("\nenforcer_streams ")[2].split()[0]))


async def measure(server: Served, arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    pid, port, key = server.pid, server.port, server.key
    alone = growth(await weighed(pid, logged_in(port, key, arguments.rate / 2, arguments.seconds)), arguments.seconds)
    loop, asked = asyncio.get_running_loop(), request(key)
    opened = [await loop.create_connection(lambda: Reader(asked), "127.0.0.1", port) for _ in range(arguments.readers)]
    readers = [reader for _, reader in opened]
    slow = await asyncio.to_thread(Follower, port, key)
    await asyncio.to_thread(slow.ready)
    slow.first = await asyncio.to_thread(newest, port, key)
    await logged_in(port, key, arguments.rate / 2, WARM)
    await asyncio.sleep(1)
    for reader in readers:
        reader.late.clear()
        reader.events = 0
    used = processor_seconds(pid)
    weights = await weighed(pid, logged_in(port, key, arguments.rate / 2, arguments.seconds))
    used = processor_seconds(pid) - used
    await asyncio.sleep(2)
    if any(reader.cut for reader in readers):
        raise RuntimeError(f"{sum(reader.cut for reader in readers)} readers were cut")
    late = [one for reader in readers for one in reader.late]
    events = [reader.events for reader in readers]
    p50, p99 = percentile(late, 0.5) * 1000, percentile(late, 0.99) * 1000
    print(f"{arguments.readers} readers, {max(events) / arguments.seconds:,.0f} events/s to each")
    print(f"late: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(late) * 1000:.1f} ms")
    print(f"processor: {used / arguments.seconds * 100:.0f} % of a core")
    print(f"memory: {weights[0] / 1024:.1f} MB, and {weights[-1] / 1024:.1f} after it; more in the second half, MB/s:")
    print(f"  {growth(weights, arguments.seconds):.2f}, and {alone:.2f} by the same logins without readers")
    if len(set(events)) != 1:
        raise RuntimeError(f"readers were told different things: {sorted(set(events))}")
    for reader in readers:
        reader.close()
    while await asyncio.to_thread(streams, port, key):
        await logged_in(port, key, FAST, 2)
    print(await asyncio.to_thread(catch_up, slow, port, key))


async def weighed(pid: int, work: Awaitable[object]) -> list[int]:
    """The memory of a process while something is done."""
    doing, weights = asyncio.ensure_future(work), [resident(pid)]
    while not doing.done():
        await asyncio.sleep(0.25)
        weights.append(resident(pid))
    await doing
    return weights


def growth(weights: list[int], seconds: float) -> float:
    """MB a second in the second half of that time."""
    return (weights[-1] - weights[len(weights) // 2]) / 1024 / (seconds / 2)


def catch_up(slow: Follower, port: int, key: str) -> str:
    """The slow reader, which has not read a byte so far, comes back as often as it must; what it says."""
    last, cuts = newest(port, key), 0
    while not slow.read(last):
        cuts += 1
        slow.open()
    missing = set(range(slow.first, last + 1)) - set(slow.seqs)
    if missing or len(slow.seqs) != len(set(slow.seqs)) or slow.seqs != sorted(slow.seqs):
        raise RuntimeError(f"the slow reader misses {len(missing)} of {last} rows, or has some twice or turned round")
    return f"the slow reader: cut {cuts} times, came back by its cursor, and has all {len(slow.seqs):,} rows in order"


def newest(port: int, key: str) -> int:
    """The number of the last row: one more is made and waited for."""
    follower = Follower(port, key)
    body = json.dumps({"room": "last", "key": key}).encode()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(
            b"POST /notify HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        caller.sendall(body)
        caller.recv(65536)
    follower.read(1)
    return follower.seqs[-1]


def main() -> None:
    """Reads the command line, and runs a server for as long as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=1000, help="events a second, two for each login")
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    settings = {"max_streams": arguments.readers + 2}
    settings["cache_mb"] = 1  # sessions at hand grow to that in their time; here the stream's memory is looked at
    with tempfile.TemporaryDirectory(prefix="enforcer-bench-") as name, enforcer(Path(name), **settings) as server:
        uvloop.run(measure(server, arguments))


if __name__ == "__main__":
    main()
