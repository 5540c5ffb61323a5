"""Logs in at a rate, for measurements of what goes on beside it; prints how often it did.

    python -m bench.logins --port 8080 --rate 500 --seconds 10 < KEY

It is a process of its own, and imports little, so that it begins at once and keeps up nobody whose time is measured.
"""

import argparse
import asyncio
import sys
import time
from subprocess import PIPE
from typing import Any

import orjson
import uvloop

CONNECTIONS = 4


class Caller:
    """One connection to the server, over which logins follow one another."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = (
            f"POST /notify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        )

    async def open(self) -> None:
        """Connects."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def login(self, **body: Any) -> bytes:
        """A login, which must be taken; the answer."""
        text = orjson.dumps(body)
        self._writer.write(f"{self._head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self._reader.readexactly(length)

    def close(self) -> None:
        """Leaves."""
        self._writer.close()


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


async def logged_in(port: int, key: str, rate: float, seconds: float) -> int:
    """Has a process log in; how often it did."""
    given = ["--port", str(port), "--rate", str(rate), "--seconds", str(seconds)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, *given, stdin=PIPE, stdout=PIPE)
    told, _ = await process.communicate(key.encode())
    return int(told)


async def run(port: int, key: str, rate: float, seconds: float) -> int:
    """Over connections that take turns."""
    callers = [Caller(port, key) for _ in range(CONNECTIONS)]
    for caller in callers:
        await caller.open()
    made = []
    for caller in callers:
        made.append(asyncio.create_task(log_in(caller, rate / len(callers), seconds)))
        await asyncio.sleep(1 / rate)
    return sum(await asyncio.gather(*made))


def main() -> None:
    """Reads the command line, and the key."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="logins a second")
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    print(uvloop.run(run(given.port, sys.stdin.readline().strip(), given.rate, given.seconds)))


if __name__ == "__main__":
    main()
