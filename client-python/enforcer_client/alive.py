"""Whether a session is live, from memory: for asyncio, with a task that follows the stream."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import httpx

from .aclient import AsyncEnforcer
from .cache import Cache, Ended
from .calls import valid_session
from .errors import SessionEnded, SessionUnknown, Unavailable
from .following import EVENTS, PATH, READ_WITHIN, Following
from .listeners import Listeners
from .live import MAX_STALENESS, SIZE, TOO_LATE

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)


class AsyncLiveSessions:
    """As `LiveSessions`; one for an event loop. Its listeners are called on it."""

    def __init__(self, enforcer: AsyncEnforcer, *, size: int = SIZE, max_staleness: float = MAX_STALENESS) -> None:
        self._enforcer = enforcer
        self._max_staleness = max_staleness
        self._cache = Cache(size, max_staleness)
        self._on_end = Listeners()
        self._on_reset = Listeners()
        self._flights: dict[str, asyncio.Task[str | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def is_live(self, session: str, room: str | int) -> bool:
        """See `LiveSessions.is_live`."""
        if self._task is None:
            self.start()
        known = self._cache.known(session, str(room), time.monotonic())
        return await self._ask(session) == str(room) if known is None else known

    def start(self) -> None:
        """Follows the stream from now on."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._follow(), name="enforcer stream")

    @property
    def followed(self) -> bool:
        """Whether the stream is open."""
        return self._cache.open

    def on_end(self, listener: Callable[[Ended], object]) -> Callable[[], None]:
        """See `LiveSessions.on_end`."""
        return self._on_end.add(listener)

    def on_reset(self, listener: Callable[[], object]) -> Callable[[], None]:
        """See `LiveSessions.on_reset`."""
        return self._on_reset.add(listener)

    async def close(self) -> None:
        """Ends the task. May be called twice."""
        task, self._task = self._task, None
        for one in (task, *self._flights.values()):
            if one is not None:
                one.cancel()
        await asyncio.gather(*(t for t in (task, *self._flights.values()) if t is not None), return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    # ---- asking ----------------------------------------------------------------------------------

    async def _ask(self, session: str) -> str | None:
        """The room in which a session is live; None if in none. Whoever asks meanwhile waits for the same answer."""
        if not valid_session(session):
            return None
        flight = self._flights.get(session)
        if flight is None:
            self._cache.asks(session)
            flight = self._flights[session] = asyncio.get_running_loop().create_task(self._fly(session))
            flight.add_done_callback(lambda _: self._flights.pop(session, None))
        return await asyncio.shield(flight)  # whoever leaves takes the answer from nobody

    async def _fly(self, session: str) -> str | None:
        asked_at, room, ended = time.monotonic(), None, False
        try:
            room = (await self._enforcer.validate(session))["room"]
        except SessionEnded:
            ended = True
        except SessionUnknown:
            pass
        except BaseException:
            self._cache.failed(session)
            raise
        live = self._cache.answered(session, room, ended, asked_at, time.monotonic())
        if live is None:
            raise Unavailable(TOO_LATE)
        return room if live else None

    # ---- following -------------------------------------------------------------------------------

    async def _follow(self) -> None:
        following, warned = Following(self._cache, self._max_staleness), False
        while True:
            try:
                await self._read(following)
                continue
            except httpx.HTTPError as error:
                if self._cache.open or not warned:
                    log.warning("the stream of Enforcer is cut: %s; sessions are asked for one by one", error)
                warned = True
            except Exception:
                log.exception("the stream of Enforcer cannot be read")
            await asyncio.sleep(following.cut() * (0.5 + random.random() / 2))  # noqa: S311 - no secret

    async def _read(self, following: Following) -> None:
        """Until it is cut, which is an error, or to be renewed."""
        timeout = httpx.Timeout(5.0, read=READ_WITHIN)
        async with (
            self._enforcer.stream_client(timeout) as http,
            http.stream(
                "GET", PATH, params={"events": EVENTS}, headers=following.opening(time.monotonic())
            ) as response,
        ):
            if response.status_code != 200:
                following.refused(response.status_code)
                await response.aread()
                response.raise_for_status()
                raise httpx.RemoteProtocolError(f"status {response.status_code}")
            async for part in response.aiter_raw():
                resets = following.resets
                ends = following.take(part, time.monotonic())
                if following.resets != resets:
                    self._on_reset.tell()
                for end in ends:
                    self._on_end.tell(end)
                if following.renews:
                    return
        raise httpx.RemoteProtocolError("the server has closed it")
