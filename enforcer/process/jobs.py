"""Background work of a process: flush what was noticed, expire, refresh presence, purge."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from enforcer.configuration.settings import Settings
from enforcer.domain.errors import StoreUnavailable
from enforcer.process.clock import Clock
from enforcer.process.notices import Notices
from enforcer.process.tasks import cancelled
from enforcer.usecases.overview import Overview
from enforcer.usecases.registry import EXPIRE_BATCH, Registry

log = logging.getLogger(__name__)

FLUSH_EVERY = 1.0
EXPIRE_EVERY = 0.5
NOTICES_EVERY = 1.0
ANNOUNCE_EVERY = 2.0
PURGE_EVERY = 60.0
PURGE_BATCH = 1000


class Jobs:
    """Starts the jobs of one process and stops them; by `clock` they wait for their next turn."""

    def __init__(
        self, registry: Registry, overview: Overview, settings: Settings, clock: Clock, notices: Notices
    ) -> None:
        self._registry = registry
        self._overview = overview
        self._notices = notices
        self._settings = settings
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Runs them until `stop`."""
        jobs: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
            ("flush", FLUSH_EVERY, self._flush),
            ("expire", EXPIRE_EVERY, self._expire),
            ("notices", NOTICES_EVERY, self._notices.due),
        ]
        if self._overview.shared:
            jobs.append(("announce", ANNOUNCE_EVERY, self._overview.announce))
        if self._settings.retention is not None:
            jobs.append(("purge", PURGE_EVERY, self._purge))
        self._tasks = [asyncio.create_task(_every(seconds, work, name, self._clock)) for name, seconds, work in jobs]

    async def stop(self) -> None:
        """Ends them between two steps. May be called twice."""
        await cancelled(self._tasks)
        self._tasks = []

    async def _flush(self) -> None:
        """Once a second: a share of the live sockets' presence, everything else that was noticed, and the time."""
        await asyncio.gather(
            self._registry.sightings.note_presence(), self._registry.sightings.flush(), self._registry.tick()
        )

    async def _expire(self) -> None:
        while await self._registry.expire() >= EXPIRE_BATCH:
            pass  # each round waits for the store, so logins come in between

    async def _purge(self) -> None:
        assert self._settings.retention is not None
        while await self._registry.purge(self._settings.retention, PURGE_BATCH) >= PURGE_BATCH:
            pass


async def _every(seconds: float, work: Callable[[], Awaitable[object]], name: str, clock: Clock) -> None:
    """Runs `work` again and again; an outage of the store is said once, and the job goes on when it is over.

    What the work itself takes is part of the time, but half of it is rest whatever happens.
    """
    failing, took = False, 0.0
    while True:
        await clock.sleep(max(seconds - took, seconds / 2))
        began = clock.elapsed()
        try:
            await work()
            if failing:
                log.info("the store answers again", extra={"job": name})
            failing = False
        except StoreUnavailable as e:
            if not failing:
                log.warning("the store does not answer", extra={"job": name, "error": str(e)})
            failing = True
        except Exception:
            log.exception("a background job failed; it goes on")
        took = clock.elapsed() - began
