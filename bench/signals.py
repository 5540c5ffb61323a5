"""Measures signals of identity providers: how fast everybody is told, and what a flood of them costs others' logins.

    python -m bench.signals [--rounds 20] [--sessions 100] [--rate 1000] [--seconds 10]

1. A user with so many sessions, whose pages are on two nodes with one Redis: from the sending of a signal to the moment
   when each page has its `force-logout`.
2. Signed logout tokens about people who are not known, so many a second, on one node with SQLite; logins beside them.

Nodes, pages and senders share one machine.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from sys import executable
from typing import Any

import aiohttp
import jwt
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from bench.processes import enforcer, free_port
from bench.rivals import RESULTS, redis_server
from bench.store import percentile

KEY, ISSUER_KEY = "k" * 31 + "1", ec.generate_private_key(ec.SECP256R1())
LOGIN_EVERY = 0.01
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Page:
    """One joined page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    async def opened(cls, http: aiohttp.ClientSession, url: str, ticket: str) -> "Page":
        """Over a WebSocket, as the browser client does; returns when it is in."""
        socket = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
        await socket.receive_str()
        await socket.send_str("40" + json.dumps({"ticket": ticket}))
        page = cls(socket)
        await page._until('"session"')
        return page

    async def told(self) -> float:
        """Waits for its end; when it came."""
        said = await self._until('"force-logout"')
        at = time.perf_counter()
        await self._socket.send_str(f"43{said[2 : said.index('[')]}[]")
        await self._socket.close()
        return at

    async def _until(self, event: str) -> str:
        while True:
            said = await self._socket.receive_str()
            if said == "2":
                await self._socket.send_str("3")
            elif event in said:
                return said


async def everybody_is_told(http: aiohttp.ClientSession, nodes: Sequence[str], sessions: int, rounds: int) -> None:
    """Prints how long it took from the signal to each page."""
    took: list[float] = []
    for turn in range(rounds):
        room = f"user-{turn}"
        pages = []
        for n in range(sessions):
            url = nodes[n % len(nodes)]
            body = {"room": room, "aliases": [f"email:{room}@example.com"]}
            async with http.post(f"{url}/v1/sessions", json=body) as answer:
                ticket = (await answer.json())["ticket"]
            pages.append(await Page.opened(http, url, ticket))
        waiting = [asyncio.create_task(page.told()) for page in pages]
        await asyncio.sleep(0.1)
        revoked = {"sub_id": {"format": "email", "email": f"{room}@example.com"}}
        headers = {"Authorization": f"Bearer {KEY}"}
        began = time.perf_counter()
        async with http.post(f"{nodes[0]}/signals/incidents", json=revoked, headers=headers) as answer:
            assert answer.status == 204, answer.status
        took += [at - began for at in await asyncio.gather(*waiting)]
    told = ", ".join(f"{name} {percentile(took, share) * 1000:.1f} ms" for name, share in (("p50", 0.5), ("p99", 0.99)))
    print(f"a signal for a user with {sessions} sessions on {len(nodes)} nodes: told within {told}", end="")
    print(f", longest {max(took) * 1000:.1f} ms ({rounds} rounds)")


def tokens(issuer: str, count: int) -> list[str]:
    """Logout tokens, each about somebody else."""
    now = int(time.time())
    claims: dict[str, Any] = {"iss": issuer, "aud": "app", "iat": now, "exp": now + 600, "events": {EVENT: {}}}
    return [
        jwt.encode(dict(claims, jti=secrets.token_hex(8), sub=f"nobody-{n}"), ISSUER_KEY, "ES256", {"kid": "1"})
        for n in range(count)
    ]


async def flood(url: str, sent: Sequence[str], rate: int) -> dict[str, int]:
    """Sends them from a process of its own, so that it keeps up nobody whose time is measured; how often each status
    was answered."""
    command = [executable, "-m", "bench.signals", "--send-to", url, "--rate", str(rate)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    told, _ = await process.communicate("\n".join(sent).encode())
    statuses: dict[str, int] = json.loads(told)
    return statuses


async def sender(url: str, sent: Sequence[str], rate: int) -> None:
    """That process: sends them, so many a second, and prints the statuses."""
    statuses: Counter[int] = Counter()
    async with aiohttp.ClientSession() as http:
        await all_sent(http, url, sent, rate, statuses)
    print(json.dumps(statuses))


async def all_sent(
    http: aiohttp.ClientSession, url: str, sent: Sequence[str], rate: int, statuses: Counter[int]
) -> None:
    """Sends them, so many a second, and counts the answers."""
    began = time.perf_counter()

    async def send(token: str) -> None:
        async with http.post(f"{url}/signals/oidc", data={"logout_token": token}) as answer:
            statuses[answer.status] += 1

    async with asyncio.TaskGroup() as group:
        for n, token in enumerate(sent):
            group.create_task(send(token))
            await asyncio.sleep(max(0.0, began + (n + 1) / rate - time.perf_counter()))


async def logins(http: aiohttp.ClientSession, url: str, over: asyncio.Event) -> list[float]:
    """How long each login took, a hundred a second."""
    took: list[float] = []
    while not over.is_set():
        began = time.perf_counter()
        async with http.post(f"{url}/v1/sessions", json={"room": f"guest-{len(took)}"}) as answer:
            assert answer.status == 201, answer.status
            await answer.read()
        took.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, LOGIN_EVERY - took[-1]))
    return took


async def logins_beside(http: aiohttp.ClientSession, url: str, sent: Sequence[str], rate: int, seconds: float) -> None:
    """Prints how long logins took without signals and beside them."""
    for beside in (False, True):
        over = asyncio.Event()
        caller = asyncio.create_task(logins(http, url, over))
        began = time.perf_counter()
        if beside:
            statuses = await flood(url, sent, rate)
        else:
            await asyncio.sleep(seconds / 2)
        reached = len(sent) / (time.perf_counter() - began)
        over.set()
        took = await caller
        p50, p99 = percentile(took, 0.5) * 1000, percentile(took, 0.99) * 1000
        what = f"{reached:,.0f} signals a second of unknown subjects" if beside else "no signals"
        print(f"{what}: a login takes p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(took) * 1000:.1f} ms")
    print("the signals were answered " + ", ".join(f"{n:,} x {status}" for status, n in sorted(statuses.items())))


async def issuer() -> tuple[web.AppRunner, str]:
    """Publishes the key; its address."""
    jwk = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(ISSUER_KEY.public_key()))
    app = web.Application()
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    async def described(_: web.Request) -> web.Response:
        return web.json_response({"issuer": url, "jwks_uri": f"{url}/keys"})

    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": [{**jwk, "kid": "1", "alg": "ES256"}]})

    app.add_routes([web.get("/.well-known/openid-configuration", described), web.get("/keys", keys)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, url


async def run(arguments: argparse.Namespace) -> None:
    """Prints the figures."""
    settings: dict[str, Any] = {
        "max_sessions": 1000,
        "max_connections_per_room": 1000,
        "authkey": secrets.token_urlsafe(32),
    }
    headers = {"Authorization": f"Bearer {settings['authkey']}"}
    RESULTS.mkdir(exist_ok=True)
    runner, its = await issuer()
    settings["signals"] = {
        "incidents": {"kind": "token-revocation", "key": KEY},
        "oidc": {"kind": "backchannel-logout", "issuer": its, "client_id": "app", "allow_http": True},
    }
    connector = aiohttp.TCPConnector(limit=0)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="enforcer-bench-")))
        redis = stack.enter_context(redis_server())
        both = [stack.enter_context(enforcer(directory, store=redis, **settings)).url for _ in range(2)]
        async with aiohttp.ClientSession(headers=headers, connector=connector) as http:
            await everybody_is_told(http, both, arguments.sessions, arguments.rounds)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="enforcer-bench-")))
        alone = stack.enter_context(enforcer(directory, **settings)).url
        sent = tokens(its, int(arguments.rate * arguments.seconds))
        async with aiohttp.ClientSession(headers=headers) as http:
            await logins_beside(http, alone, sent, arguments.rate, arguments.seconds)
    await runner.cleanup()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--send-to", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send_to is not None:
        uvloop.run(sender(given.send_to, sys.stdin.read().split(), given.rate))
    else:
        uvloop.run(run(given))


if __name__ == "__main__":
    main()
