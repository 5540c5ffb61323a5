"""All webhooks of a process: who sends them, how they stand, and what an operator may do about them.

Of the processes that share a store one sends, as long as it renews its lease; another takes over when it does not.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import NamedTuple

from enforcer.configuration.settings import Settings
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.deliveries import Answer, Delivery, HookState, Settlement, again
from enforcer.domain.errors import StoreUnavailable
from enforcer.process.metrics import Metrics
from enforcer.process.notices import Notices
from enforcer.process.tasks import cancelled
from enforcer.store.base import Store
from enforcer.store.cursors import cursor_of, cursor_text
from enforcer.usecases.registry import Registry
from enforcer.usecases.tail import Tail
from enforcer.webhooks.message import address_name, test_body
from enforcer.webhooks.sender import Sender
from enforcer.webhooks.wire import Wire

log = logging.getLogger(__name__)

SENDING = "webhooks"
LEASE, RENEW = 4.0, 1.0
"""Seconds after which another process takes over, and between two renewals."""
AGAIN_AT_ONCE, WAITING_AT_MOST = 100, 10_000
"""Deliveries that are put forward in one commit, and of those that wait for their next try in one call."""


class Standing(NamedTuple):
    """How a webhook stands. `lag` is how many seconds the oldest event has waited that was not taken up."""

    hook: Webhook
    state: HookState
    off: bool
    lag: float
    dead: int


class Webhooks:
    """Those of one process. `start` once the store is open."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        registry: Registry,
        tail: Tail,
        metrics: Metrics,
        notices: Notices,
        elapsed: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._store = store
        self._registry = registry
        self._tail = tail
        self._metrics = metrics
        self._notices = notices
        self._elapsed = elapsed
        self._turn_until = float("-inf")
        self._senders: dict[Webhook, Sender] = {}
        self._wires: dict[Webhook, Wire] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Makes hooks known that were not: they are sent what happens from now on. Raises StoreUnavailable."""
        known = await self._store.logs.outbox.hooks() if self._settings.webhooks else {}
        for hook in self._settings.webhooks:
            if hook.name not in known:
                await self._store.logs.outbox.begin(hook.name, cursor_text(await self._tail.end()))

    def start(self) -> None:
        """Sends from now on, when it is this process's turn."""
        if self._task is None and self._settings.webhooks:
            self._task = asyncio.create_task(self._run(), name="webhooks")

    def configure(self, settings: Settings) -> None:
        """Other settings; within moments they are in force."""
        self._settings = settings
        self._changed.set()
        self.start()

    async def stop(self) -> None:
        """Lets another process take over at once. May be called twice."""
        if self._task is not None:
            await cancelled([self._task])
            self._task = None
        await self._only(())
        for wire in self._wires.values():
            await wire.close()
        self._wires = {}
        if self._turn_until > self._elapsed() and self._store.shared is not None:
            try:
                await self._store.shared.give_back(SENDING)
            except StoreUnavailable as error:
                log.info("the turn to send webhooks is not given back", extra={"error": str(error)})
        self._turn_until = float("-inf")

    # ---- whose turn it is ------------------------------------------------------------------------

    def _my_turn(self) -> bool:
        return self._store.shared is None or self._elapsed() < self._turn_until

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                if self._settings.webhooks:
                    await self._take_turn()
                    if self._my_turn():
                        await self.begin()
            except StoreUnavailable as error:
                self._notices.warn("webhook-store", "webhooks wait for the store", error=str(error))
            except Exception:
                log.exception("webhooks failed; they go on")
            await self._only(self._settings.webhooks if self._my_turn() else ())
            try:
                async with asyncio.timeout(RENEW):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _take_turn(self) -> None:
        shared, asked = self._store.shared, self._elapsed()
        if shared is not None and await shared.lease(SENDING, LEASE):
            if self._turn_until < asked:
                log.info("webhooks are sent from here")
            self._turn_until = asked + LEASE

    async def _only(self, hooks: Collection[Webhook]) -> None:
        """These are sent from here, as they are configured now, and no others."""
        gone = [self._senders.pop(hook) for hook in list(self._senders) if hook not in hooks]
        await asyncio.gather(*(sender.stop() for sender in gone))
        for hook in hooks:
            if hook not in self._senders:
                self._senders[hook] = Sender(
                    hook,
                    self._store,
                    self._registry,
                    self._tail,
                    self._wire(hook),
                    self._metrics,
                    self._notices,
                    self._my_turn,
                    self._settings.retention,
                )
        for hook in [hook for hook in self._wires if hook not in self._settings.webhooks]:
            await self._wires.pop(hook).close()

    def _wire(self, hook: Webhook) -> Wire:
        if hook not in self._wires:
            self._wires[hook] = Wire(hook)
        return self._wires[hook]

    # ---- for operators ---------------------------------------------------------------------------

    def named(self, name: str) -> Webhook | None:
        """The hook of this name, if it is configured."""
        return next((hook for hook in self._settings.webhooks if hook.name == name), None)

    async def standing(self) -> list[Standing]:
        """How each stands, in the order of the configuration."""
        outbox = self._store.logs.outbox
        states = await outbox.hooks() if self._settings.webhooks else {}
        found = []
        for hook in self._settings.webhooks:
            state = states.get(hook.name, HookState(""))
            dead = await outbox.count_dead(hook.name)
            off = state.off == address_name(hook.url)
            found.append(Standing(hook, state, off, await self._lag(state.cursor), dead))
        return found

    async def _lag(self, text: str) -> float:
        cursor = cursor_of(text)
        part = None if cursor is None else await self._store.logs.audit_after(cursor, 1)
        if part is None or not part.rows:
            return 0.0
        return max(0.0, self._store.now() - part.rows[0][0].entry.at)

    async def dead(self, hook: Webhook, after: str | None, limit: int) -> list[Delivery]:
        """Dead letters, the oldest event first."""
        return await self._store.logs.outbox.dead(hook.name, after, limit)

    async def retry(self, hook: Webhook, ids: Collection[str] | None) -> int:
        """Switches a hook on again and tries these events now, or all that are dead or wait for their next try; how
        many."""
        await self.begin()
        outbox, now = self._store.logs.outbox, self._store.now()
        await outbox.settle(hook.name, Settlement(off=""))
        if ids is not None:
            found = await outbox.find(hook.name, ids)
            await outbox.settle(hook.name, Settlement(put=tuple(again(d, now) for d in found)))
            return len(found)
        count = 0
        while dead := await outbox.dead(hook.name, None, AGAIN_AT_ONCE):
            await outbox.settle(hook.name, Settlement(put=tuple(again(d, now) for d in dead)))
            count += len(dead)
        waiting = await outbox.due(hook.name, float("inf"), WAITING_AT_MOST)
        for first in range(0, len(waiting), AGAIN_AT_ONCE):
            part = waiting[first : first + AGAIN_AT_ONCE]
            await outbox.settle(hook.name, Settlement(put=tuple(again(d, now) for d in part)))
        return count + len(waiting)

    async def test(self, hook: Webhook, id_: str) -> Answer:
        """Sends a message with this id that tells of nothing; what came of it. It is not repeated."""
        now = self._store.now()
        return await self._wire(hook).send(id_, test_body(hook.name, now), now)
