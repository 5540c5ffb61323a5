"""Whether a session is live, from memory: for code that waits, with a thread that follows the stream."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING

import httpx

from .cache import Cache, Ended
from .calls import valid_session
from .client import Enforcer
from .errors import SessionEnded, SessionUnknown, Unavailable
from .following import EVENTS, PATH, READ_WITHIN, Following
from .listeners import Listeners

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

TOO_LATE = "the answer took longer than max_staleness"
SIZE = 100_000
"""Sessions that are kept."""
MAX_STALENESS = 5.0
"""Seconds for which a session may be called live after its end, if nothing tells of it."""


class LiveSessions:
    """One for a process; the key of `enforcer` may `validate` and `stream`. Begins with the first question.

    `max_staleness` are seconds: an end that the stream tells of holds at once, one that it cannot tell of (it is cut,
    late or quiet) after so long at most.
    """

    def __init__(self, enforcer: Enforcer, *, size: int = SIZE, max_staleness: float = MAX_STALENESS) -> None:
        self._enforcer = enforcer
        self._size = size
        self._max_staleness = max_staleness
        self._on_end = Listeners()
        self._on_reset = Listeners()
        self._lock = threading.Lock()
        self._pid = 0
        self._closed = False
        self._cache = Cache(size, max_staleness)
        self._flights: dict[str, Future[str | None]] = {}
        self._response: httpx.Response | None = None
        self._thread: threading.Thread | None = None

    def is_live(self, session: str, room: str | int) -> bool:
        """Whether the session is live and of this room. What is not known is asked once.

        Raises:
            Unavailable: it is not known, and the server does not answer: refuse, and let the visitor come back.
            Refused: the key is wrong, or may not `validate`.
        """
        if self._pid != os.getpid():
            self.start()
        known = self._cache.known(session, str(room), time.monotonic())
        return self._ask(session) == str(room) if known is None else known

    def start(self) -> None:
        """Follows the stream from now on; after a fork once more, in the new process."""
        with self._lock:
            if self._closed or self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._cache = Cache(self._size, self._max_staleness)
            self._flights = {}
            self._thread = threading.Thread(target=self._follow, name="enforcer stream", daemon=True)
            self._thread.start()

    @property
    def followed(self) -> bool:
        """Whether the stream is open."""
        return self._cache.open

    def on_end(self, listener: Callable[[Ended], object]) -> Callable[[], None]:
        """Calls `listener`, on the thread of the stream, for each session that ends; returns what stops that.

        With it an application closes its own sockets. See also `on_reset`.
        """
        return self._on_end.add(listener)

    def on_reset(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Calls `listener` when ends may have been missed: ask `is_live` again for whoever holds a socket."""
        return self._on_reset.add(listener)

    def close(self) -> None:
        """Ends the thread. May be called twice."""
        self._closed = True
        response = self._response
        if response is not None:
            with contextlib.suppress(Exception):  # it may end in this moment
                response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        if self._thread is not None and self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ---- asking ----------------------------------------------------------------------------------

    def _ask(self, session: str) -> str | None:
        """The room in which a session is live; None if in none. Whoever asks meanwhile waits for the same answer."""
        if not valid_session(session):
            return None
        with self._lock:
            flight = self._flights.get(session)
            if mine := flight is None:
                flight = self._flights[session] = Future()
                self._cache.asks(session)
        assert flight is not None
        if mine:
            self._fly(session, flight)
        return flight.result()

    def _fly(self, session: str, flight: Future[str | None]) -> None:
        cache, asked_at, room, ended = self._cache, time.monotonic(), None, False
        try:
            room = self._enforcer.validate(session)["room"]
        except SessionEnded:
            ended = True
        except SessionUnknown:
            pass
        except BaseException as error:
            with self._lock:
                cache.failed(session)
                self._flights.pop(session, None)
            flight.set_exception(error)
            return
        with self._lock:
            live = cache.answered(session, room, ended, asked_at, time.monotonic())
            self._flights.pop(session, None)
        if live is None:
            flight.set_exception(Unavailable(TOO_LATE))
        else:
            flight.set_result(room if live else None)

    # ---- following -------------------------------------------------------------------------------

    def _follow(self) -> None:
        following, warned = Following(self._cache, self._max_staleness), False
        while not self._closed:
            try:
                self._read(following)
                continue
            except httpx.HTTPError as error:
                if (self._cache.open or not warned) and not self._closed:
                    log.warning("the stream of Enforcer is cut: %s; sessions are asked for one by one", error)
                warned = True
            except Exception:
                log.exception("the stream of Enforcer cannot be read")
            with self._lock:
                pause = following.cut()
            if not self._closed:
                time.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - no secret

    def _read(self, following: Following) -> None:
        """Until it is cut, which is an error, or to be renewed."""
        timeout = httpx.Timeout(5.0, read=READ_WITHIN)
        with (
            self._enforcer.stream_client(timeout) as http,
            http.stream(
                "GET", PATH, params={"events": EVENTS}, headers=following.opening(time.monotonic())
            ) as response,
        ):
            if response.status_code != 200:
                following.refused(response.status_code)
                response.read()
                response.raise_for_status()
                raise httpx.RemoteProtocolError(f"status {response.status_code}")
            self._response = response
            try:
                for part in response.iter_raw():
                    self._take(following, part)
                    if self._closed or following.renews:
                        return
            finally:
                self._response = None
        raise httpx.RemoteProtocolError("the server has closed it")

    def _take(self, following: Following, part: bytes) -> None:
        resets = following.resets
        with self._lock:
            ends = following.take(part, time.monotonic())
        if following.resets != resets:
            self._on_reset.tell()
        for end in ends:
            self._on_end.tell(end)
