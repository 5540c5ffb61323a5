"""Telling one socket that its session has ended, until it says that it knows."""

import asyncio
from collections.abc import Callable

from enforcer.gateway.socket import JSON, Socket

REPEAT_AFTER = (1.0, 3.0)
"""Seconds after the first telling at which it is repeated without an ack."""


class Kick:
    """Sends at once, repeats, and cuts the socket after `ack_timeout` seconds; an ack ends it with a disconnect.

    The state of it is only about this socket: the end itself is in the store, and whoever misses the news is refused
    on return.
    """

    __slots__ = ("_acked", "_event", "_payload", "_socket", "_timers")

    def __init__(
        self, socket: Socket, event: str, payload: JSON, ack_timeout: float, acked: Callable[[], None]
    ) -> None:
        self._socket = socket
        self._event = event
        self._payload = payload
        self._acked: Callable[[], None] | None = acked
        loop = asyncio.get_running_loop()
        self._timers = [loop.call_later(s, self._send) for s in REPEAT_AFTER if s < ack_timeout]
        self._timers.append(loop.call_later(ack_timeout, self._give_up))
        self._send()

    def stop(self) -> None:
        """The socket is gone, or it knows."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _send(self) -> None:
        self._socket.ask(self._event, self._payload, self._on_ack)

    def _on_ack(self) -> None:
        acked, self._acked = self._acked, None
        if acked is not None:
            self.stop()
            acked()
            self._socket.disconnect()

    def _give_up(self) -> None:
        self.stop()
        self._socket.cut()
