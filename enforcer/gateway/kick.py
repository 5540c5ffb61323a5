"""Telling one socket that its session has ended, until it says that it knows."""

import asyncio
from collections.abc import Callable

from enforcer.gateway.socket import News, Socket

REPEAT_AFTER = (1.0, 3.0)
"""Seconds after the first telling at which it is repeated without an ack."""


class Kick:
    """Sends at once, repeats, and cuts the socket after `ack_timeout` seconds; an ack ends it with a disconnect.

    `acked` is called once if the page does, `unacked` if it has not in time; neither if it leaves before.

    The state of it is only about this socket: the end itself is in the store, and whoever misses the news is refused
    on return. There is one timer at a time: almost every ack comes before the first repeat.
    """

    __slots__ = ("_ack_timeout", "_acked", "_news", "_socket", "_started", "_timer", "_told", "_unacked")

    def __init__(
        self,
        socket: Socket,
        news: News,
        ack_timeout: float,
        acked: Callable[[], None],
        unacked: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._news = news
        self._ack_timeout = ack_timeout
        self._acked: Callable[[], None] | None = acked
        self._unacked = unacked
        self._started = asyncio.get_running_loop().time()
        self._told = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tell()

    def stop(self) -> None:
        """The socket is gone, or it knows."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        repeat = REPEAT_AFTER[self._told] if self._told < len(REPEAT_AFTER) else self._ack_timeout
        next_step = self._tell if repeat < self._ack_timeout else self._give_up
        at = self._started + min(repeat, self._ack_timeout)
        self._timer = asyncio.get_running_loop().call_at(at, next_step)
        self._told += 1
        self._socket.ask(self._news, self._on_ack)

    def _on_ack(self) -> None:
        acked, self._acked = self._acked, None
        if acked is not None:
            self.stop()
            acked()
            self._socket.disconnect()

    def _give_up(self) -> None:
        self._timer = None
        self._unacked()
        self._socket.cut()
