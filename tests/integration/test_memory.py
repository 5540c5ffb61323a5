"""What a socket costs the server, in bytes."""

import asyncio
import json
import resource
from pathlib import Path

import aiohttp
import pytest

from tests.frames import TEXT, masked
from tests.running import EnforcerProcess, missing

EXPECTED = 2_560
"""Bytes of resident memory for one more joined socket with a session and a room of its own, all in: transport,
protocol, link, indexes, presence. Measured over 5,000 with CPython 3.11 on x86-64 Linux; write down what is better."""
MAY_GROW = 1.25
WARM_UP, SOCKETS = 1_000, 5_000

OPENING = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def resident(server: EnforcerProcess) -> int:
    """Bytes of the server's memory that are in RAM."""
    assert server.popen is not None
    status = Path(f"/proc/{server.popen.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


async def tickets(url: str, authkey: str, start: int, count: int) -> list[str]:
    """That many users log in."""

    async def one(number: int) -> str:
        body = {"room": f"user-{number}", "key": authkey}
        async with http.post(url + "/notify", json=body) as answer:
            ticket: str = (await answer.json())["ticket"]
            return ticket

    async with aiohttp.ClientSession() as http:
        return await asyncio.gather(*(one(n) for n in range(start, start + count)))


async def join(port: int, ticket: str) -> asyncio.StreamWriter:
    """A socket that is in, and idle from then on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(OPENING + masked(TEXT, b"40" + json.dumps({"ticket": ticket}).encode()))
    await reader.readuntil(b'42["session",')
    return writer


async def join_all(port: int, all_tickets: list[str]) -> list[asyncio.StreamWriter]:
    """Fifty at a time."""
    writers: list[asyncio.StreamWriter] = []
    for n in range(0, len(all_tickets), 50):
        writers += await asyncio.gather(*(join(port, t) for t in all_tickets[n : n + 50]))
    return writers


@pytest.fixture
def enough_files() -> None:
    """Each socket is a file, here and in the server."""
    needed = WARM_UP + SOCKETS + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        missing(f"{needed} open files are needed, but only {hard} are allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@pytest.mark.usefixtures("enough_files")
async def test_a_joined_socket_costs_what_it_did(enforcer: EnforcerProcess) -> None:
    """The price of 5,000 more, after a crowd that makes the server fetch what it needs in any case."""
    warm = await tickets(enforcer.url, enforcer.authkey, 0, WARM_UP)
    later = await tickets(enforcer.url, enforcer.authkey, WARM_UP, SOCKETS)
    writers = await join_all(enforcer.port, warm)
    before = resident(enforcer)
    writers += await join_all(enforcer.port, later)
    each = (resident(enforcer) - before) / SOCKETS
    print(f"{each:.0f} bytes a socket")
    for writer in writers:
        writer.close()
    assert each < EXPECTED * MAY_GROW
    assert each > EXPECTED / 2, "so much better that EXPECTED would not notice a regression; write the new figure down"
