"""What a page may ask about the session that it speaks for, whichever way it asks: over its socket, or over HTTP."""

import asyncio

from enforcer.domain.model import Actor, ActorKind, EndReason, Session, Snapshot
from enforcer.http.rates import Rates
from enforcer.usecases.registry import Registry

BURST, RATE = 30, 5.0
"""What a session's pages may ask of each kind: so many at once, then so many a second."""
LONGEST_AGO_MS = 10**12
"""Milliseconds; an activity that is older counts as if it were so old."""


class Pages:
    """Raises as the registry does. A ticket was checked before, or a socket let in."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._rates = Rates(BURST, RATE)

    def wait(self, session: str, call: str) -> float | None:
        """Seconds until the session's pages may make a call of that kind; None: now, and then it counts."""
        return self._rates.wait((session, call), asyncio.get_running_loop().time())

    async def check(self, session: str, room: str) -> Snapshot:
        """Whether the session is live. Asking never keeps it so."""
        return await self._registry.live(session, room)

    async def activity(self, session: str, room: str, idle_for_ms: int) -> Snapshot:
        """A human was active `idle_for_ms` milliseconds ago, from 0."""
        return await self._registry.activity(session, room, min(idle_for_ms, LONGEST_AGO_MS) / 1000)

    async def log_out(self, session: Session, everywhere: bool) -> None:
        """The human logs out here, or everywhere. `session` was read as live: an ended one ends nobody."""
        by = Actor(ActorKind.PAGE, session.id, session.device)
        if everywhere:
            await self._registry.end_all(session.room, EndReason.LOGOUT_EVERYWHERE, by)
        else:
            await self._registry.end(session.id, EndReason.LOGOUT, by)
