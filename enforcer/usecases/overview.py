"""How it goes, in one look: of all processes that share the store, from what each tells of itself."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import orjson

from enforcer import __version__
from enforcer.domain.errors import StoreUnavailable
from enforcer.protocol import JSON
from enforcer.store.base import Store
from enforcer.usecases.pulse import Pulse, percentile_ms


@dataclass(frozen=True, slots=True)
class Here:
    """What is asked of this process: its name, the kind of its store, its joined sockets, sessions that have one."""

    name: Callable[[], str]
    store: str
    sockets: Callable[[], int]
    online: Callable[[], int]


class Overview:
    """`elapsed` counts seconds since the start of anything steady."""

    def __init__(self, store: Store, pulse: Pulse, here: Here, elapsed: Callable[[], float]) -> None:
        self._store = store
        self._pulse = pulse
        self._here = here
        self._elapsed = elapsed
        self._began = elapsed()

    @property
    def shared(self) -> bool:
        """Whether there may be other processes."""
        return self._store.shared is not None

    async def open_sessions(self) -> int:
        """How many live sessions there are. Raises StoreUnavailable."""
        return await self._store.logs.open_sessions()

    async def announce(self) -> None:
        """Tells the other processes how it goes here, if there may be any."""
        if self._store.shared is not None:
            await self._store.shared.announce(orjson.dumps(self._own()).decode())

    async def farewell(self) -> None:
        """This process is none of them any more; if that cannot be said now, they find out."""
        if self._store.shared is not None:
            with suppress(StoreUnavailable):
                await self._store.shared.unannounce()

    async def told(self) -> JSON:
        """The overview. Raises StoreUnavailable."""
        own = self._own()
        others: list[str] = [] if self._store.shared is None else await self._store.shared.announced()
        nodes = sorted([own, *map(orjson.loads, others)], key=lambda node: str(node["node"]))
        ends: Counter[str] = Counter()
        kicks: Counter[int] = Counter()
        for node in nodes:
            ends.update(node.pop("ends_per_minute"))
            kicks.update({int(n): count for n, count in node.pop("kicks").items()})
        return {
            "open_sessions": await self.open_sessions(),
            "online": sum(node["online"] for node in nodes),
            "sockets": sum(node["sockets"] for node in nodes),
            "logins_per_minute": sum(node.pop("logins_per_minute") for node in nodes),
            "ends_per_minute": dict(ends),
            "kick_ms": {"p50": percentile_ms(kicks, 0.5), "p99": percentile_ms(kicks, 0.99)},
            "store": self._here.store,
            "nodes": nodes,
            "version": __version__,
            "uptime_s": own["uptime_s"],
        }

    def _own(self) -> JSON:
        lately = self._pulse.lately()
        return {
            "node": self._here.name(),
            "version": __version__,
            "uptime_s": round(self._elapsed() - self._began, 1),
            "sockets": self._here.sockets(),
            "online": self._here.online(),
            "logins_per_minute": lately.logins,
            "ends_per_minute": dict(lately.ends),
            "kicks": {str(n): count for n, count in lately.kicks.items()},
        }
