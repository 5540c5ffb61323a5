"""How many sockets there may be: one count over both engines, judged before there is anything of a socket."""

import math

from enforcer.edge import block_of
from enforcer.gateway.hub import Hub
from enforcer.settings import Settings

MAX_WAITING = 10_000
"""Sockets that have not joined; a page joins within a round trip, so there are never many but in an attack."""


class Places:
    """Counts open sockets, joined or not. `fit` is how many the system lets us have.

    Strangers cannot take all places: those that have not joined share half of them, of which one address that is
    known to be a client's own has a quarter. Where all places are taken one more is let in as long as no other waits,
    so that its page is told why in its own protocol.
    """

    def __init__(self, hub: Hub, settings: Settings, fit: int) -> None:
        self._hub = hub
        self._fit = fit
        self._open = 0
        self._by_block: dict[str, int] = {}
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Other limits, for the next socket."""
        self._limit = min(settings.max_connections, self._fit)
        self._per_block = settings.max_connections_per_ip
        self._waiting = min(math.ceil(self._limit / 2), MAX_WAITING)
        self._waiting_of_block = max(1, self._waiting // 4)

    def free(self, ip: str, known: bool) -> bool:
        """Whether a socket of this address may be opened. `known`: no proxy hides others behind it."""
        joined = self._hub.joined
        waiting = self._open - joined
        if waiting >= (self._waiting if joined + waiting < self._limit else 1):
            return False
        if not known and self._per_block is None:
            return True
        block = block_of(ip)
        here = self._by_block.get(block, 0)
        waiting_here = here - self._hub.joined_from(block)
        if known and waiting_here >= self._waiting_of_block:
            return False
        return self._per_block is None or here < self._per_block or waiting_here < 1

    def take(self, ip: str) -> None:
        """A socket of this address is open now."""
        block = block_of(ip)
        self._open += 1
        self._by_block[block] = self._by_block.get(block, 0) + 1

    def leave(self, ip: str) -> None:
        """It is closed; once for each `take`."""
        block = block_of(ip)
        self._open -= 1
        self._by_block[block] -= 1
        if not self._by_block[block]:
            del self._by_block[block]
