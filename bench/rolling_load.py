"""The load of `rolling`: pages that come back as the browser client does, and logins that take over from them."""

import asyncio
import contextlib
import json
import random
import secrets
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

AGAIN = (0.5, 1.0)
"""Seconds between two tries of a page, and of a login, at random."""
GIVE_UP = 30.0
"""Seconds after which a login has failed for good."""
TOLD_WITHIN = 20.0
"""Seconds in which the page of a session that was ended must know it."""
TRYING = 100
"""Pages that open their socket at the same time, at most, while the load is set up."""
TRIED_AGAIN = {500, 502, 503, 504}


@dataclass(eq=False)
class Page:
    """One login's page."""

    room: str
    session: str
    ticket: str
    joined: bool = False
    over: str | None = None
    """How it has learnt that its session is over: `told` or `refused`."""
    ended_at: float | None = None
    """When another login has ended it."""
    gone_at: float | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """It was joined once."""
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Load:
    """A context manager: `sockets` pages of as many users, and `rate` logins a second of users at random."""

    def __init__(self, url: str, key: str, sockets: int, rate: float) -> None:
        self.url = url
        self._key, self._sockets, self._rate = key, sockets, rate
        self._pages: dict[str, Page] = {}
        self._ended: list[Page] = []
        self._busy: set[str] = set()
        self._places = asyncio.Semaphore(TRYING)
        self._running: set[asyncio.Task[None]] = set()
        self._count: Counter[str] = Counter()
        self._away: list[float] = []
        self._took: list[float] = []
        self._told_after: list[float] = []
        self._returns: list[float] = []
        self._began = 0.0
        self._more = True
        self.notes: list[tuple[float, str]] = []

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=False))
        await asyncio.gather(*(self._first(f"user-{n}") for n in range(self._sockets)))
        self._began = time.monotonic()
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, trace: TracebackType | None) -> None:
        self._more = False
        await self._driver
        if kind is None:
            await asyncio.gather(*self._running)
            await self.settled(TOLD_WITHIN)
        everybody = [p.task for p in (*self._pages.values(), *self._ended) if p.task is not None]
        for task in (*everybody, *self._running):
            task.cancel()
        await asyncio.gather(*everybody, *self._running, return_exceptions=True)
        await self._http.close()

    def note(self, name: str) -> None:
        """Something has happened to a server."""
        self.notes.append((time.monotonic() - self._began, name))

    async def settled(self, within: float) -> None:
        """Returns when every page is where it belongs, or the time is over."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if all(p.joined for p in self._pages.values()) and all(p.over for p in self._ended):
                return
            await asyncio.sleep(0.05)

    # ---- logins ------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        number, began = 0, time.monotonic()
        rooms = list(self._pages)
        while self._more:
            await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            number += 1
            room = random.choice(rooms)
            if room not in self._busy:
                task = asyncio.create_task(self._take_over(room))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _first(self, room: str) -> None:
        async with self._places:
            answer = await self._login(room)
            if answer is None:
                raise RuntimeError(f"{room} could not log in")
            await self._open(room, answer)
            await self._pages[room].came.wait()

    async def _take_over(self, room: str) -> None:
        self._busy.add(room)
        try:
            began = time.monotonic()
            answer = await self._login(room)
            if answer is None:
                self._count["logins failed for good"] += 1
                return
            self._count["logins"] += 1
            self._took.append(time.monotonic() - began)
            old = self._pages[room]
            if old.session not in answer["displaced"]:
                self._count["old session not displaced"] += 1
            old.ended_at = time.monotonic()
            self._ended.append(old)
            if old.over is not None:  # the push was faster than the answer
                self._told_after.append(0.0)
            await self._open(room, answer)
        finally:
            self._busy.discard(room)

    async def _login(self, room: str) -> dict[str, Any] | None:
        """With one `request_id` for all tries, as docs/protocol.md wants it."""
        body = {"room": room, "key": self._key, "request_id": secrets.token_hex(8)}
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                timeout = aiohttp.ClientTimeout(total=10)
                async with self._http.post(f"{self.url}/notify", json=body, timeout=timeout) as response:
                    if response.status == 200:
                        told: dict[str, Any] = await response.json()
                        return told
                    if response.status not in TRIED_AGAIN:
                        self._count[f"login answered {response.status}"] += 1
                        return None
            self._count["logins tried again"] += 1
            await asyncio.sleep(random.uniform(*AGAIN))
        return None

    # ---- pages -------------------------------------------------------------------------------------

    async def _open(self, room: str, answer: dict[str, Any]) -> None:
        page = Page(room, answer["session"], answer["ticket"])
        self._pages[room] = page
        page.task = asyncio.create_task(self._live(page))

    async def _live(self, page: Page) -> None:
        while page.over is None:
            wait = random.uniform(*AGAIN)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                address = f"{self.url}/socket.io/?EIO=4&transport=websocket"
                async with self._http.ws_connect(address, autoclose=True, max_msg_size=0) as socket:
                    asked = await self._converse(page, socket)
                    wait = wait if asked is None else asked / 1000 * random.uniform(1, 1.1)
            if page.joined:
                page.joined, page.gone_at = False, time.monotonic()
            elif page.over is None:
                self._count["pages that tried again"] += 1
            if page.over is None:
                await asyncio.sleep(wait)
        if page.ended_at is None and page is self._pages[page.room] and page.room not in self._busy:
            self._count["pages ended by mistake"] += 1
        elif page.ended_at is not None:
            self._told_after.append(time.monotonic() - page.ended_at)

    async def _converse(self, page: Page, socket: aiohttp.ClientWebSocketResponse) -> float | None:
        """Until the socket closes; in how many milliseconds the page is asked to come back, if it is."""
        asked: float | None = None
        async for message in socket:
            text = str(message.data)
            if text == "2":
                await socket.send_str("3")
            elif text.startswith("0"):
                await socket.send_str("40" + json.dumps({"ticket": page.ticket}))
            elif text.startswith("40"):
                self._came(page)
            elif text.startswith("44"):
                told = json.loads(text[2:])
                if told["message"] == "session-ended":
                    page.over = "refused"
                asked = told.get("data", {}).get("retry_ms")
                return asked
            elif text.startswith("42"):
                number, _, rest = text[2:].partition("[")
                name, payload = json.loads("[" + rest)
                if name == "force-logout":
                    if payload["session"] != page.session:
                        self._count["pages told of another session"] += 1
                    page.over = "told"
                    await socket.send_str(f"43{number}[]")
                    return None
                if name == "drain":
                    self._count["pages told to come back"] += 1
                    asked = payload["retry_ms"]
        return asked

    def _came(self, page: Page) -> None:
        page.joined = True
        page.came.set()
        if page.gone_at is not None:
            now = time.monotonic()
            self._returns.append(now - self._began)
            self._away.append(now - page.gone_at)
            page.gone_at = None

    # ---- figures -----------------------------------------------------------------------------------

    def returns_by_second(self) -> list[int]:
        """How many pages came back in each second of the load."""
        counted = Counter(int(at) for at in self._returns)
        return [counted[second] for second in range(int(max(self._returns, default=0)) + 1)]

    def figures(self) -> dict[str, Any]:
        """What is to be known of it."""
        lost = [p for p in self._ended if p.over is None]
        busy = [n for n in self.returns_by_second() if n]
        return {
            "events": [f"{at:.2f} s {name}" for at, name in self.notes],
            "logins": self._count["logins"],
            "logins failed for good": self._count["logins failed for good"],
            "kicks lost": len(lost),
            "learnt": dict(Counter(p.over for p in self._ended)),
            "pages not back": sum(not p.joined for p in self._pages.values()),
            "pages ended by mistake": self._count["pages ended by mistake"],
            "pages that came back": len(self._returns),
            "seconds away": _spread(self._away),
            "seconds of a login": _spread(self._took),
            "seconds until told": _spread(self._told_after),
            "returns in a second": {"median": statistics.median(busy), "most": max(busy)} if busy else {},
            **dict(sorted(self._count.items())),
        }


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(int(len(ordered) * q), len(ordered) - 1)], 4) for name, q in at.items()}
