"""How long and how much; the same for both engines."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations in seconds that pages are told, or feel.

    `ping_interval` lies between two pings of the server, and a ping must be answered within `ping_timeout` (Engine.IO
    4). An open socket must CONNECT, and a refused or disconnected one go, within `connect_within`.
    """

    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    connect_within: float = 10.0


CLOSE_WITHIN = 2.0
"""Seconds that a peer has to end the connection once it is told that it is closed."""
WRITE_LIMIT = 65_536
"""Bytes that may wait for a peer that does not read, beyond what its and our kernel hold; more, and it is cut."""
PACKETS_A_SECOND = 2500
"""Of one socket, whatever they say; a page sends a few, and one that sends more than this is cut."""
WAITING_PACKETS = 256
"""Packets of one page that may wait for their turn; a page that sends faster than it is answered is cut."""


class Floods:
    """Counts what each socket sends within a second. Nothing is kept of those that are silent."""

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[Hashable, int] = {}

    def too_much(self, socket: Hashable) -> bool:
        """Counts one more of the socket; whether it was one too many."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._counts = second, {}
        count = self._counts[socket] = self._counts.get(socket, 0) + 1
        return count > PACKETS_A_SECOND
