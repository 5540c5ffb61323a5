"""The real server inside the test's own event loop, with a time that the test moves."""

import asyncio
import heapq
import itertools
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from enforcer.app import Server
from enforcer.configuration.settings import Settings
from enforcer.process.clock import Clock
from tests.running import free_port

START = 1_800_000_000.0


class Time:
    """The wall clock and the patience of background work. Stands still until `advance` or `step`."""

    def __init__(self) -> None:
        self._passed = 0.0
        self._stepped = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = itertools.count()
        self._asleep = asyncio.Condition()

    @property
    def clock(self) -> Clock:
        """What a server takes for the time."""
        return Clock(lambda: START + self._passed + self._stepped, lambda: self._passed, self._sleep)

    async def advance(self, seconds: float) -> None:
        """Lets time pass as it does: everything that is due on the way is done, and done with, in its order."""
        end = self._passed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            everybody = len(self._sleepers)
            at, _, wake = heapq.heappop(self._sleepers)
            self._passed = max(self._passed, at)
            wake.set()
            async with self._asleep, asyncio.timeout(10):
                await self._asleep.wait_for(lambda everybody=everybody: len(self._sleepers) >= everybody)
        self._passed = end

    def overslept(self, seconds: float) -> None:
        """Time passes, and background work has not had its turn yet."""
        self._passed += seconds

    def step(self, seconds: float) -> None:
        """Sets the wall clock: no time has passed."""
        self._stepped += seconds

    async def _sleep(self, seconds: float) -> None:
        wake = asyncio.Event()
        sleeper = (self._passed + seconds, next(self._order), wake)
        async with self._asleep:
            heapq.heappush(self._sleepers, sleeper)
            self._asleep.notify_all()
        try:
            await wake.wait()
        finally:
            if sleeper in self._sleepers:  # cancelled
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)


class Inside:
    """A server on a free port with a database of its own, kept over restarts; an async context manager."""

    def __init__(self, directory: Path, time: Time, **settings: Any) -> None:
        self.port = free_port()
        self.authkey = secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{self.port}"
        self._time = time
        self._settings = Settings(
            port=self.port,
            ipaddr="127.0.0.1",
            authkey=self.authkey,
            **{"store": f"sqlite:///{directory}/enforcer.db", **settings},
        )

    async def __aenter__(self) -> Self:
        self._server = Server(self._settings, self._time.clock)
        await self._server.start()
        self._http = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()
        await self._server.stop()

    async def call(self, method: str, path: str, ticket: str | None = None, **body: Any) -> tuple[int, Any]:
        """A call with the authkey, or as the page with this ticket; the status and what it was answered."""
        headers = {"Authorization": f"Bearer {ticket or self.authkey}"}
        async with self._http.request(method, path, json=body or None, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def login(self, room: str, **body: Any) -> dict[str, Any]:
        """`POST /notify`, which must be taken."""
        status, answer = await self.call("POST", "/notify", room=room, **body)
        assert status == 200, answer
        return dict(answer)

    async def record(self, session: str) -> dict[str, Any]:
        """The session's record, which must be there."""
        status, answer = await self.call("GET", f"/v1/sessions/{session}")
        assert status == 200, answer
        return dict(answer)

    async def audit(self, room: str) -> list[tuple[str, str, str | None]]:
        """What happened in the room: event, session, reason."""
        _, answer = await self.call("GET", f"/v1/audit?room={room}")
        return [(row["event"], row["session"], row["reason"]) for row in answer["items"]]
