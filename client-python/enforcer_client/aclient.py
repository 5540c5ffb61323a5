"""The client for asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import httpx

from . import calls
from .client import TIMEOUT
from .records import Device, Explanation, Login, Session, Terms, Tickets

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

T = TypeVar("T")


class AsyncEnforcer:
    """As `Enforcer`; one for an event loop."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None

    async def login(
        self,
        room: str | int,
        *,
        session: str | None = None,
        replaces: str | None = None,
        device: Device | None = None,
        request_id: str | None = None,
        **terms: Unpack[Terms],
    ) -> Login:
        """See `Enforcer.login`."""
        members = {"session": session, "replaces": replaces, "device": device, **terms}
        return await self._call(calls.login(room, request_id or uuid.uuid4().hex, members))

    async def validate(self, session: str, room: str | int | None = None) -> Session:
        """See `Enforcer.validate`."""
        return await self._call(calls.validate(session, None if room is None else str(room)))

    async def activity(self, session: str) -> Session:
        """See `Enforcer.activity`."""
        return await self._call(calls.activity(session))

    async def ticket(self, session: str, elevate_for: int | None = None) -> Tickets:
        """See `Enforcer.ticket`."""
        return await self._call(calls.ticket(session, elevate_for))

    async def end(self, session: str, reason: str = "logout") -> None:
        """See `Enforcer.end`."""
        await self._call(calls.end(session, reason))

    async def end_others(self, room: str | int, keep: str, reason: str = "logout_everywhere") -> list[str]:
        """See `Enforcer.end_others`."""
        return await self._call(calls.end_all(room, keep, reason))

    async def end_all(self, room: str | int, reason: str = "logout_everywhere") -> list[str]:
        """See `Enforcer.end_all`."""
        return await self._call(calls.end_all(room, None, reason))

    async def explain(
        self, room: str | int, *, session: str | None = None, device: Device | None = None, **terms: Unpack[Terms]
    ) -> Explanation:
        """See `Enforcer.explain`."""
        return await self._call(calls.explain(room, {"session": session, "device": device, **terms}))

    async def sessions(self, room: str | int) -> list[Session]:
        """See `Enforcer.sessions`."""
        return await self._call(calls.sessions(room))

    async def close(self) -> None:
        """Lets go of all connections. May be called twice; the next call opens new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, call: calls.Call[T]) -> T:
        """The answer, asked for again while there is none and time is left."""
        tries = calls.Tries(self.url, time.monotonic() + self._timeout)
        while True:
            left = tries.left(time.monotonic())
            try:
                response = await asyncio.wait_for(
                    self.http.request(call.method, call.path, json=call.body, params=call.parameters, timeout=left),
                    left,
                )
            except TimeoutError:
                raise tries.unavailable() from None
            except httpx.TransportError as error:
                tries.failed(error)
            else:
                status, retry_after = response.status_code, response.headers.get("Retry-After")
                if tries.is_final(status, retry_after, time.monotonic()):
                    return calls.answer(call, status, response.content)
            await asyncio.sleep(tries.pause(random.random(), time.monotonic()))  # noqa: S311 - no secret

    def stream_client(self, timeout: httpx.Timeout) -> httpx.AsyncClient:
        """A client of its own for the stream, which lasts as long as it is read."""
        headers = {"Authorization": f"Bearer {self._key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=timeout)

    @property
    def http(self) -> httpx.AsyncClient:
        """The connections."""
        if self._http is None:
            headers = {"Authorization": f"Bearer {self._key}"}
            self._http = httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False)
        return self._http
