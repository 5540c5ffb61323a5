"""The direct engine: clients that open a WebSocket at once.

One small object is all there is of a connection: no task, queue, timer or reader while it is idle. Pings and deadlines
of all sockets hang on one timer. `frames` and `packets` know the bytes, the hub decides.
"""

import asyncio
import itertools
import secrets
from collections.abc import Coroutine
from typing import Any

from enforcer.configuration.settings import Settings
from enforcer.gateway import packets
from enforcer.gateway.direct.frames import CloseCode, text_frame
from enforcer.gateway.direct.socket import DirectSocket
from enforcer.gateway.direct.wheel import PingWheel, WaitingLine
from enforcer.gateway.hub import Hub
from enforcer.gateway.limits import CLOSE_WITHIN, Floods, Pace
from enforcer.gateway.places import Places
from enforcer.gateway.visitor import Visitor

TICK = 0.5
"""Seconds between two turns of the wheel: the sockets of half a second are pinged together, so that an idle process
sleeps in between."""
LATE = 1.0
"""Seconds of delay that are caught up; after a longer stop of the process, pages get their time to answer again."""


class DirectEngine:
    """Opens direct sockets, gives them their time, closes them."""

    def __init__(self, hub: Hub, places: Places, settings: Settings, pace: Pace) -> None:
        self.hub = hub
        self._places = places
        self.max_message_size = settings.max_message_size
        self.floods = Floods()
        self._pace = pace
        self._wheel: PingWheel[DirectSocket] = PingWheel(
            round(pace.ping_interval / TICK), round(pace.ping_timeout / TICK)
        )
        self._unjoined: WaitingLine[DirectSocket] = WaitingLine(pace.connect_within)
        self._closing: WaitingLine[DirectSocket] = WaitingLine(CLOSE_WITHIN)
        self._ids = (f"{prefix}{n:x}" for prefix in (secrets.token_urlsafe(12),) for n in itertools.count())
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Future[None] | None = None  # once it is closing

    def admit(self, transport: asyncio.Transport, visitor: Visitor, switching: bytes, early: bytes) -> None:
        """Takes a connection that opens a WebSocket; `switching` is the answer, `early` came in behind the request."""
        socket = DirectSocket(self, visitor)
        transport.set_protocol(socket)
        self._places.take(socket.ip)
        self._wheel.add(socket)
        self.await_connect(socket)
        self._keep_time()
        hello = packets.opened(self.new_id(), self._pace.ping_interval, self._pace.ping_timeout, self.max_message_size)
        socket.opened(transport, switching + text_frame(hello), early)
        if self._all_gone is not None:
            socket.close(CloseCode.GOING_AWAY)

    async def close(self) -> None:
        """Closes every socket with 1001; returns when their peers have gone, or had their time."""
        self._all_gone = asyncio.get_running_loop().create_future()
        for socket in list(self._wheel):
            socket.close(CloseCode.GOING_AWAY)
        if len(self._wheel):
            await self._all_gone
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- what its sockets ask for --------------------------------------------------------------

    def new_id(self) -> str:
        """An id for a handshake or a CONNECT. It opens nothing here, so it need be unique only, not secret."""
        return next(self._ids)

    def await_connect(self, socket: DirectSocket) -> None:
        """The socket is in no namespace: it must CONNECT, or go, in time."""
        self._unjoined.add(socket, asyncio.get_running_loop().time())

    def connected(self, socket: DirectSocket) -> None:
        """The socket has joined."""
        self._unjoined.discard(socket)

    def await_close(self, socket: DirectSocket) -> None:
        """The socket is closed by us: its peer must follow in time."""
        self._unjoined.discard(socket)
        self._closing.add(socket, asyncio.get_running_loop().time())

    def gone(self, socket: DirectSocket) -> None:
        """The connection is no more."""
        self._places.leave(socket.ip)
        self.floods.forget(socket)
        self._wheel.discard(socket)
        self._unjoined.discard(socket)
        self._closing.discard(socket)
        if self._all_gone is not None and not len(self._wheel) and not self._all_gone.done():
            self._all_gone.set_result(None)

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what a socket cannot do at once."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- time ----------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        """The timer runs while there are sockets."""
        if self._timer is None:
            self._next_tick(asyncio.get_running_loop().time())

    def _next_tick(self, last: float) -> None:
        due = last + TICK
        self._timer = asyncio.get_running_loop().call_at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        if not len(self._wheel):
            self._timer = None
            return
        now = asyncio.get_running_loop().time()
        # Ticks that are late follow each other, each after a round of the loop, so that pongs are read in between.
        self._next_tick(due if now - due < LATE else now)
        to_ping, unanswered = self._wheel.turn()
        for socket in unanswered:
            socket.expect_pong()
        for socket in to_ping:
            socket.ping()
        for socket in self._unjoined.over(now):
            socket.cut()
        for socket in self._closing.over(now):
            socket.abort()
