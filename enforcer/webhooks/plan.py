"""What of a hook is sent next, and what must be stored before it may be forgotten. Pure.

A first attempt goes out in the order of its room: the next event of a room waits for the answer to the one before, but
no longer than `PATIENCE`, so that a receiver that hangs holds up nobody. Where the log was read to is stored only
together with everything before that place that is under way or has failed; so a crash loses nothing, and repeats what
was under way.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from enforcer.domain.deliveries import Answer, Delivery, HookState, Settlement, tried
from enforcer.store.cursors import Cursor, cursor_text

AT_ONCE = 8
"""Events of a hook that are under way at a time."""
RETRIES = 4
"""Of these at most so many were tried before: what fails again and again leaves room for what is new."""
PATIENCE = 1.0
"""Seconds that the next event of a room waits for the answer to the one before."""
WINDOW = 500
"""Events that are read ahead of those that are sent."""
UNSETTLED = 200
"""Changes that are not stored, beyond which nothing more is begun: the store is away."""
PART = 50
"""Deliveries in one settlement, so that no login waits long for it."""


class _Waiting(NamedTuple):
    """An event that was not tried yet, and the place of the log before it."""

    delivery: Delivery
    before: Cursor


class _UnderWay(NamedTuple):
    """A try. `first`: the first one of this event, so that others of its room come after it."""

    delivery: Delivery
    since: float
    first: bool


class Backlog:
    """Of one hook, in the process that sends. `address` names the hook's address; `cursor` is where reading begins."""

    def __init__(self, address: str, state: HookState, cursor: Cursor) -> None:
        self._address = address
        self._read_to = cursor
        self._stored_to = cursor
        self._waiting: deque[_Waiting] = deque()
        self._resumed: deque[Delivery] = deque()
        """What the process before had begun to send, or a receiver that was gone has not got."""
        self._retries: dict[str, Delivery] = {}
        self._under_way: dict[str, _UnderWay] = {}
        self._put: dict[str, Delivery] = {}
        self._done: set[str] = set()
        self._told: set[str] = set()
        """Ids that the store may have."""
        self._kept: set[str] = set()
        """Ids of first attempts under way, or about to be, that it has for sure."""
        self._switched = state.off not in ("", address)
        """Whether the hook's being on or off is not stored."""
        self._health = (state.failing_since, state.status)
        self._stored_health = self._health
        self._dues: list[float] = []
        """When what was put off here is due, a heap."""
        self.off = state.off == address
        """Whether the receiver has said that it wants no more."""

    # ---- what there is to send -------------------------------------------------------------------

    @property
    def room_to_read(self) -> bool:
        """Whether more of the log may be read."""
        return len(self._waiting) < WINDOW

    @property
    def read_to(self) -> Cursor:
        """Behind everything that was read."""
        return self._read_to

    @property
    def waits(self) -> bool:
        """Whether something waits for no more than a turn of its room."""
        return bool(self._waiting or self._resumed) and len(self._under_way) < AT_ONCE and not self.off

    @property
    def oldest(self) -> float | None:
        """When the first event happened that waits for its first try; None if none does."""
        return self._waiting[0].delivery.at if self._waiting else None

    @property
    def next_due(self) -> float:
        """When something is due that was put off here; infinite if nothing was."""
        return self._dues[0] if self._dues else math.inf

    @property
    def urgent(self) -> bool:
        """Whether something is to be stored that nobody else knows."""
        return bool(self._put) or self._switched

    @property
    def hungry(self) -> bool:
        """Whether all that was taken up as due is begun."""
        return not self._retries and not self._resumed

    def read(self, rows: Sequence[tuple[Delivery | None, Cursor]], cursor: Cursor) -> None:
        """Rows of the log in their order, each with the cursor behind it, None where the hook does not want one;
        `cursor` is behind them all."""
        known = self._known() if rows else ()
        for delivery, behind in rows:
            if delivery is not None and delivery.id not in known:
                self._waiting.append(_Waiting(delivery, self._read_to))
            self._read_to = behind
        self._read_to = cursor

    def due(self, rows: Sequence[Delivery], now: float) -> None:
        """What the store says is due at `now`. What is known here already is passed over."""
        while self._dues and self._dues[0] <= now:
            heapq.heappop(self._dues)
        known = self._known()
        for delivery in rows:
            if delivery.id in known:
                continue
            self._told.add(delivery.id)
            if delivery.tries == 0:
                self._kept.add(delivery.id)
                self._resumed.append(delivery)
            else:
                self._retries[delivery.id] = delivery

    def _known(self) -> set[str]:
        return {*self._under_way, *self._retries, *self._put, *self._done, *(d.id for d in self._resumed)}

    def start(self, now: float) -> list[Delivery]:
        """What goes out now; it counts as under way from here on, until `answered`."""
        begun: list[Delivery] = []
        while not self.off and len(self._under_way) < AT_ONCE and self._unstored < UNSETTLED:
            delivery = self._next_retry() or self._next_first(now)
            if delivery is None:
                break
            begun.append(delivery)
            self._under_way[delivery.id] = _UnderWay(delivery, now, delivery.tries == 0)
        return begun

    def _next_retry(self) -> Delivery | None:
        if not self._retries or sum(not u.first for u in self._under_way.values()) >= RETRIES:
            return None
        return self._retries.pop(min(self._retries, key=lambda i: self._retries[i].due_at or 0.0))

    def _next_first(self, now: float) -> Delivery | None:
        held = {u.delivery.room for u in self._under_way.values() if u.first and now - u.since < PATIENCE}
        for n, delivery in enumerate(self._resumed):
            if delivery.room not in held:
                del self._resumed[n]
                return delivery
        for n, waiting in enumerate(self._waiting):
            if waiting.delivery.room not in held:
                del self._waiting[n]
                return waiting.delivery
        return None

    def answered(self, id_: str, answer: Answer, now: float, spread: float) -> Delivery | None:
        """A try is over; what is left to do, None if the event was taken. `spread` as in `tried`."""
        delivery = self._under_way.pop(id_).delivery
        self._kept.discard(id_)
        left = tried(delivery, answer, now, spread)
        if left is None:
            self._put.pop(id_, None)
            if id_ in self._told:
                self._done.add(id_)
        else:
            self._put[id_] = left
            if left.due_at is not None:
                heapq.heappush(self._dues, left.due_at)
        if answer.gone and not self.off:
            self.off = self._switched = True
        since = None if answer.taken else now if self._health[0] is None else self._health[0]
        self._health = since, answer.status
        return left

    @property
    def failing_since(self) -> float | None:
        """When the first try failed after the last that did not."""
        return self._health[0]

    def seen(self, state: HookState) -> None:
        """What the store says of the hook: somebody may have switched it on."""
        if self.off and not self._switched and state.off != self._address:
            self.off = False

    # ---- what must be stored ---------------------------------------------------------------------

    @property
    def _unstored(self) -> int:
        return len(self._put) + len(self._done)

    def unsettled(self, now: float) -> Settlement | None:
        """What is to be stored, None if nothing is; a part of it where it is much."""
        put = list(self._put.values())[:PART]
        cursor = None
        if len(put) == len(self._put):
            # The log was read to a place only if all that is before it and not over is stored, or will be with it.
            begun = (u.delivery for u in self._under_way.values() if u.first and u.delivery.id not in self._kept)
            put += [delivery._replace(due_at=now) for delivery in begun]
            cursor = self._waiting[0].before if self._waiting else self._read_to
        done = sorted(self._done)[:PART]
        health = None if self._health == self._stored_health else self._health
        off = (self._address if self.off else "") if self._switched else None
        if cursor == self._stored_to and not put and not done and health is None and off is None:
            return None
        self._told.update(delivery.id for delivery in put)
        text = None if cursor is None else cursor_text(cursor)
        return Settlement(text, health, off, tuple(put), tuple(done))

    def settled(self, stored: Settlement, cursor: Cursor | None) -> None:
        """This is stored; `cursor` is the one that its text stands for."""
        for delivery in stored.put:
            if delivery.id in self._under_way:
                self._kept.add(delivery.id)
            if self._put.get(delivery.id) == delivery:
                del self._put[delivery.id]
                if delivery.id not in self._under_way:  # whoever takes it up finds it in the store
                    self._told.discard(delivery.id)
        for id_ in stored.done:
            self._done.discard(id_)
            self._told.discard(id_)
        if cursor is not None:
            self._stored_to = cursor
        if stored.health is not None:
            self._stored_health = stored.health
        if stored.off is not None and bool(stored.off) == self.off:
            self._switched = False
