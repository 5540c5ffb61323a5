"""Outages: time in which no node was at work, because none ran or the store was away, and making up for it.

A stop of the process, a store that was away and a step of the wall clock show in the same way: the time since the last
note is not a second. The notes are in the store, everybody's who shares it.
"""

import logging
from collections.abc import Callable, Collection

from enforcer.store.base import Store

log = logging.getLogger(__name__)

TICK_SLACK = 3.0
"""Seconds between two ticks that are taken for an ordinary second; more, or less than none, is an outage or a step."""
STEP_SLACK = 2.0
"""Seconds by which the wall clock may run away from the time that passed before it is taken for a step."""
POSTPONE_BATCH = 2000
"""Sessions whose deadlines are moved in one commit after an outage."""
POSTPONING = "postponing"
LEASE = 30.0
"""Seconds after which another node takes over from one that died while it moved the deadlines."""


class Outages:
    """Keeps the note of one process, and knows when deadlines are not to be acted on."""

    def __init__(self, store: Store, elapsed: Callable[[], float], here: Collection[str]) -> None:
        """`elapsed` counts seconds and cannot be set, unlike the store's clock. `here` are sessions with a socket."""
        self._store = store
        self._elapsed = elapsed
        self._here = here
        self._grace = 0.0
        self._grace_until = 0.0
        self._beat_at: float | None = None
        self._beat_elapsed: float | None = None

    @property
    def grace(self) -> bool:
        """Whether idle and lost deadlines count as not passed: after a start, an outage, or the clock is in doubt."""
        now = self._store.now()
        looked_after = self._beat_at is not None and abs(now - self._beat_at) <= TICK_SLACK
        return not looked_after or now < self._grace_until

    async def resume(self, grace: float) -> None:
        """After the store was opened: what was open before may come back for `grace` seconds before anything ends.

        The time in which no node was at work is added to their deadlines by the first `tick`.
        """
        self._grace = grace
        beat_at, now = None, self._store.now()
        self._beat_elapsed = None
        if await self._store.logs.open_sessions():
            beat_at = await self._store.upkeep.last_beat()
            self._grace_until = now + grace
        self._beat_at = now if beat_at is None else beat_at

    async def tick(self) -> None:
        """Once a second: notes durably that a node is at work, and makes up for the time in which none was.

        Sessions with a socket here could report activity through an outage, but not through a step, which did not
        happen to them. The note is moved on only when the deadlines have been; a crash in between adds the outage once
        more, which keeps sessions longer and never shorter.
        """
        now, before = self._store.now(), self._beat_at
        if before is None:
            return  # the store has not been opened yet
        if abs(now - before) > TICK_SLACK:
            await self._make_up(before)
        else:
            await self._note()

    async def _make_up(self, before: float) -> None:
        """Adds the time in which no node was at work to the deadlines, unless another node does.

        Nothing is added if only this process was stopped.
        """
        last = await self._store.upkeep.last_beat()
        since, now = before if last is None else max(before, last), self._store.now()
        self._grace_until = max(self._grace_until, now + self._grace)
        if now - since <= TICK_SLACK:
            log.warning(
                "this process was stopped for a while, or its clock was set", extra={"seconds": round(now - before, 1)}
            )
            await self._note()
        elif await self._may_postpone():
            log.warning("no node was at work: idle and lost deadlines move", extra={"seconds": round(now - since, 1)})
            # Who was active after the last note and before the outage lost the same time; nobody is told apart by it.
            await self._postpone(now - since, since + TICK_SLACK, () if self._stepped(now - before) else self._here)
            await self._note()
            if self._store.shared is not None:
                await self._store.shared.give_back(POSTPONING)

    async def _may_postpone(self) -> bool:
        """Whether it is this process that moves the deadlines, for some time from now on."""
        return self._store.shared is None or await self._store.shared.lease(POSTPONING, LEASE)

    def _stepped(self, seconds: float) -> bool:
        """Whether the clock was set rather than so many seconds passed since the last note."""
        return self._beat_elapsed is not None and seconds - (self._elapsed() - self._beat_elapsed) > STEP_SLACK

    async def _note(self) -> None:
        now, elapsed = self._store.now(), self._elapsed()
        await self._store.upkeep.beat(now)
        self._beat_at, self._beat_elapsed = now, elapsed

    async def _postpone(self, seconds: float, since: float, skip: Collection[str]) -> None:
        after = await self._store.upkeep.postpone(seconds, since, skip, None, POSTPONE_BATCH)
        while after is not None:
            await self._may_postpone()
            after = await self._store.upkeep.postpone(seconds, since, skip, after, POSTPONE_BATCH)
