"""Sends what one hook wants, in the process whose turn it is."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

from enforcer import protocol
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.deliveries import Answer, Delivery, Settlement
from enforcer.domain.errors import StoreUnavailable
from enforcer.process.metrics import Metrics
from enforcer.process.notices import Notices
from enforcer.process.tasks import cancelled
from enforcer.store.base import Store
from enforcer.store.cursors import Cursor, cursor_of, cursor_text
from enforcer.usecases.registry import Registry
from enforcer.usecases.tail import Entry, Kind, Tail
from enforcer.webhooks.message import address_name, delivery_of
from enforcer.webhooks.plan import Backlog
from enforcer.webhooks.wire import Wire

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at what is due, and whether somebody has switched the hook on."""
SETTLE_EVERY = 0.5
"""Seconds between two moves of the place in the log while all goes well."""
SOON = 0.1
"""Seconds until what waits for a turn of its room is looked at again."""
DUE_AT_ONCE = 64
"""Deliveries that are taken up in one look."""
TAKE = 100
"""Rows of the log that are taken up at once."""
PURGE_EVERY = 60.0
PURGE_BATCH = 500


class Sender:
    """Of one hook. `may_send` says whether it is still this process's turn; `retention` is the setting of this name."""

    def __init__(
        self,
        hook: Webhook,
        store: Store,
        registry: Registry,
        tail: Tail,
        wire: Wire,
        metrics: Metrics,
        notices: Notices,
        may_send: Callable[[], bool],
        retention: float | None,
    ) -> None:
        self._hook = hook
        self._store = store
        self._outbox = store.logs.outbox
        self._registry = registry
        self._tail = tail
        self._wire = wire
        self._notices = notices
        self._may_send = may_send
        self._retention = retention
        self._figures = metrics.webhook(hook.name)
        self._address = address_name(hook.url)
        self._wake = asyncio.Event()
        self._read_on = asyncio.Event()
        self._tries: dict[str, asyncio.Task[None]] = {}
        self._backlog: Backlog | None = None
        self._looked_at = self._settled_at = self._purged_at = self._not_before = float("-inf")
        self._more = False
        self._task = asyncio.create_task(self._run(), name=f"webhook {hook.name}")

    async def stop(self) -> None:
        """Ends what is under way, which is repeated later, and stores where the hook has come to."""
        await cancelled([self._task])
        await cancelled(self._tries.values())
        if self._backlog is not None and self._may_send():
            try:
                while await self._settle(self._backlog):
                    pass
            except StoreUnavailable as error:
                members = {"hook": self._hook.name, "error": str(error)}
                log.warning("where a webhook has come to is not stored", extra=members)
        self._figures.forget()

    # ---- the round -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._backlog is None:
            try:
                self._backlog = await self._begun()
            except StoreUnavailable as error:
                self._away(error)
                await asyncio.sleep(LOOK_EVERY)
            except Exception:
                log.exception("a webhook cannot begin; it is tried again", extra={"hook": self._hook.name})
                await asyncio.sleep(LOOK_EVERY)
        reading = asyncio.create_task(self._read(self._backlog), name=f"webhook {self._hook.name}: log")
        try:
            while True:
                await self._round(self._backlog)
        finally:
            await cancelled([reading])

    async def _begun(self) -> Backlog:
        """What the process before has left."""
        state = (await self._outbox.hooks()).get(self._hook.name)
        cursor = None if state is None else cursor_of(state.cursor)
        if state is None or cursor is None:
            raise StoreUnavailable(f"webhook {self._hook.name} is not known yet")
        backlog = Backlog(self._address, state, cursor)
        now = self._store.now()
        backlog.due(await self._outbox.due(self._hook.name, now, DUE_AT_ONCE), now)
        return backlog

    async def _round(self, backlog: Backlog) -> None:
        """Stores what must be stored, begins what may begin, then waits until there is more to do."""
        self._wake.clear()
        now = asyncio.get_running_loop().time()
        if now >= self._not_before and self._may_send():  # else somebody else stores where the hook has come to
            try:
                await self._with_store(backlog, now)
            except StoreUnavailable as error:
                self._away(error)
                self._not_before = now + LOOK_EVERY
            except Exception:
                log.exception("a webhook's part of the store failed; it goes on", extra={"hook": self._hook.name})
                self._not_before = now + LOOK_EVERY
        if self._may_send():
            for delivery in backlog.start(self._store.now()):
                task = asyncio.create_task(self._try(backlog, delivery), name=f"webhook {delivery.id}")
                self._tries[delivery.id] = task
        if backlog.room_to_read:
            self._read_on.set()
        wait = SOON if backlog.waits else min(SETTLE_EVERY, max(SOON, backlog.next_due - self._store.now()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _with_store(self, backlog: Backlog, now: float) -> None:
        more = self._more and backlog.hungry
        if more or now - self._settled_at >= SETTLE_EVERY or backlog.urgent:
            while await self._settle(backlog):  # first, so that what is over is not found due again
                pass
            self._settled_at = now
        if more or now - self._looked_at >= LOOK_EVERY or backlog.next_due <= self._store.now():
            await self._look(backlog)
            self._looked_at = now
        if now - self._purged_at >= PURGE_EVERY:
            await self._purge()
            self._purged_at = now

    async def _look(self, backlog: Backlog) -> None:
        """What is due, and what an operator has changed."""
        name, now = self._hook.name, self._store.now()
        state = (await self._outbox.hooks()).get(name)
        if state is None:  # the store was emptied
            await self._outbox.begin(name, cursor_text(backlog.read_to))
        else:
            backlog.seen(state)
        due = await self._outbox.due(name, now, DUE_AT_ONCE)
        self._more = len(due) == DUE_AT_ONCE
        backlog.due(due, now)
        self._figures.stands(
            up=not backlog.off and backlog.failing_since is None,
            lag=0.0 if backlog.oldest is None else max(0.0, now - backlog.oldest),
            dead=await self._outbox.count_dead(name),
        )

    async def _settle(self, backlog: Backlog) -> bool:
        """Stores what there is to store, or a part of it; whether there was something."""
        change = backlog.unsettled(self._store.now())
        if change is None:
            return False
        cursor = None if change.cursor is None else cursor_of(change.cursor)
        await self._outbox.settle(self._hook.name, change)
        backlog.settled(change, cursor)
        return bool(change.put or change.done)

    async def _purge(self) -> None:
        """Forgets dead letters of what happened longer ago than records are kept."""
        if self._retention is None:
            return
        before = self._store.now() - self._retention
        while old := [d.id for d in await self._outbox.dead(self._hook.name, None, PURGE_BATCH) if d.at < before]:
            await self._outbox.settle(self._hook.name, Settlement(done=tuple(old)))

    def _away(self, error: StoreUnavailable) -> None:
        kind = f"webhook-store {self._hook.name}"
        self._notices.warn(kind, "a webhook waits for the store", hook=self._hook.name, error=str(error))

    # ---- one try ---------------------------------------------------------------------------------

    async def _try(self, backlog: Backlog, delivery: Delivery) -> None:
        began = asyncio.get_running_loop().time()
        try:
            answer = await self._wire.send(delivery.id, delivery.body, self._store.now())
        except Exception as error:
            log.exception("a webhook could not be sent", extra={"hook": self._hook.name})
            answer = Answer(None, type(error).__name__)
        finally:
            del self._tries[delivery.id]
        was_off = backlog.off
        left = backlog.answered(delivery.id, answer, self._store.now(), random.random())  # noqa: S311 - no secret
        self._figures.tried(answer, asyncio.get_running_loop().time() - began)
        if left is not None:
            self._warn(left, answer, newly_off=backlog.off and not was_off)
        self._wake.set()

    def _warn(self, left: Delivery, answer: Answer, *, newly_off: bool) -> None:
        members = {"hook": self._hook.name, "status": answer.status, "error": answer.error}
        name = self._hook.name
        if newly_off:
            log.warning("a webhook is switched off: its receiver wants no more (410)", extra=members)
        elif left.due_at is None:
            remedy = f"an event is dead after {left.tries} tries: see `enforcer webhooks dead {name}`"
            self._notices.warn(f"webhook-dead {name}", remedy, **members)
        elif not answer.gone:
            self._notices.warn(f"webhook-failed {name}", "a webhook fails, and is tried again", **members)

    # ---- reading the log -------------------------------------------------------------------------

    async def _read(self, backlog: Backlog) -> None:
        """Follows the log from where the hook has come to."""
        while not self._tail.closed:
            try:
                with self._tail.followed(backlog.read_to) as follower:
                    while (news := await follower.news()).kind is not Kind.OVER:
                        if news.kind is Kind.RESET:
                            log.error(
                                "a webhook has missed events: what it had not been sent is not kept any more",
                                extra={"hook": self._hook.name},
                            )
                        if news.kind is not Kind.AWAY:
                            await self._take(backlog, news.rows, news.cursor)
            except Exception:
                log.exception("a webhook's part of the log cannot be read; it goes on", extra={"hook": self._hook.name})
                await asyncio.sleep(LOOK_EVERY)

    async def _take(self, backlog: Backlog, entries: Sequence[Entry], cursor: Cursor) -> None:
        """Takes rows up, some at a time, when there is room for them."""
        for first in range(0, len(entries), TAKE):
            while not backlog.room_to_read:
                self._read_on.clear()
                await self._read_on.wait()
            part = entries[first : first + TAKE]
            rows = [(await self._delivery(entry), entry.cursor) for entry in part]
            backlog.read(rows, part[-1].cursor)
            self._wake.set()
        backlog.read((), cursor)

    async def _delivery(self, entry: Entry) -> Delivery | None:
        row = entry.row
        e = row.entry
        if not self._hook.wants(protocol.HAPPENINGS[e.event], e.room):
            return None
        while True:
            try:
                snapshot = None if e.session is None else await self._registry.peek(e.session, e.room)
                break
            except StoreUnavailable as error:
                self._away(error)
                await asyncio.sleep(LOOK_EVERY)
        online = snapshot is not None and self._registry.sightings.online_anywhere(snapshot.session)
        record = None if snapshot is None else protocol.record(snapshot, online, self._registry.now())
        return delivery_of(self._hook.name, entry.cursor.log, row, record)
