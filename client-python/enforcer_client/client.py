"""The client for code that waits: one for the whole application, from any thread."""

from __future__ import annotations

import os
import random
import time
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import httpx

from . import calls
from .records import Device, Explanation, Login, Session, Terms, Tickets

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

T = TypeVar("T")
TIMEOUT = 5.0
"""Seconds for a call with all its tries."""


class Enforcer:
    """Calls the server at `url` with a `key` that may do what is asked. `timeout` are seconds for a call in all.

    Each call raises `Unavailable` if there is no answer in time, and a `Refused` for a refusal (`errors` has the tree).
    """

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._http: httpx.Client | None = None
        self._pid = 0

    def login(
        self,
        room: str | int,
        *,
        session: str | None = None,
        replaces: str | None = None,
        device: Device | None = None,
        request_id: str | None = None,
        **terms: Unpack[Terms],
    ) -> Login:
        """A user has just logged in. `replaces` is the session that this browser had before, if any.

        Raises:
            SessionLimit: policy `reject`, and the user is logged in elsewhere.
        """
        members = {"session": session, "replaces": replaces, "device": device, **terms}
        return self._call(calls.login(room, request_id or uuid.uuid4().hex, members))

    def validate(self, session: str, room: str | int | None = None) -> Session:
        """The session's record, if it is live.

        Raises:
            SessionEnded: it has ended.
            SessionUnknown: there is no such session, or it is another room's.
        """
        return self._call(calls.validate(session, None if room is None else str(room)))

    def activity(self, session: str) -> Session:
        """A human did something: the idle deadline moves. Raises as `validate`."""
        return self._call(calls.activity(session))

    def ticket(self, session: str, elevate_for: int | None = None) -> Tickets:
        """New tickets for a page; an elevated one for so many seconds, once the password was asked for again."""
        return self._call(calls.ticket(session, elevate_for))

    def end(self, session: str, reason: str = "logout") -> None:
        """Ends a session, if it has not ended."""
        self._call(calls.end(session, reason))

    def end_others(self, room: str | int, keep: str, reason: str = "logout_everywhere") -> list[str]:
        """Ends all sessions of a user but one; their ids. After a change of password: `password_changed`."""
        return self._call(calls.end_all(room, keep, reason))

    def end_all(self, room: str | int, reason: str = "logout_everywhere") -> list[str]:
        """Ends all sessions of a user; their ids."""
        return self._call(calls.end_all(room, None, reason))

    def explain(
        self, room: str | int, *, session: str | None = None, device: Device | None = None, **terms: Unpack[Terms]
    ) -> Explanation:
        """What a login would do now, and why; nothing is changed."""
        return self._call(calls.explain(room, {"session": session, "device": device, **terms}))

    def sessions(self, room: str | int) -> list[Session]:
        """The live sessions of a user, the newest login first."""
        return self._call(calls.sessions(room))

    def close(self) -> None:
        """Lets go of all connections. May be called twice; the next call opens new ones."""
        http, self._http = self._http, None
        if http is not None and self._pid == os.getpid():
            http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ---- the way there ---------------------------------------------------------------------------

    def _call(self, call: calls.Call[T]) -> T:
        """The answer, asked for again while there is none and time is left."""
        tries = calls.Tries(self.url, time.monotonic() + self._timeout)
        while True:
            left = tries.left(time.monotonic())
            try:
                response = self.http.request(
                    call.method, call.path, json=call.body, params=call.parameters, timeout=left
                )
            except httpx.TransportError as error:
                tries.failed(error)
            else:
                status, retry_after = response.status_code, response.headers.get("Retry-After")
                if tries.is_final(status, retry_after, time.monotonic()):
                    return calls.answer(call, status, response.content)
            time.sleep(tries.pause(random.random(), time.monotonic()))  # noqa: S311 - no secret

    def stream_client(self, timeout: httpx.Timeout) -> httpx.Client:
        """A client of its own for the stream, which lasts as long as it is read."""
        headers = {"Authorization": f"Bearer {self._key}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=timeout)

    @property
    def http(self) -> httpx.Client:
        """The connections, made in the process that uses them: those of a parent must not be shared."""
        if self._http is None or self._pid != os.getpid():
            headers = {"Authorization": f"Bearer {self._key}"}
            self._http, self._pid = httpx.Client(base_url=self.url, headers=headers, trust_env=False), os.getpid()
        return self._http
