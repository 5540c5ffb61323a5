"""What `memory://` knows of webhooks, as long as the process lives."""

from collections.abc import Collection

from enforcer.domain.deliveries import Delivery, HookState, Settlement


class MemoryOutbox:
    """See `store.base.Outbox` for what each method promises."""

    def __init__(self) -> None:
        self._hooks: dict[str, HookState] = {}
        self._deliveries: dict[str, dict[str, Delivery]] = {}

    async def begin(self, hook: str, cursor: str) -> None:
        self._hooks.setdefault(hook, HookState(cursor))
        self._deliveries.setdefault(hook, {})

    async def hooks(self) -> dict[str, HookState]:
        return dict(self._hooks)

    async def settle(self, hook: str, change: Settlement) -> None:
        state = self._hooks[hook]
        if change.cursor is not None:
            state = state._replace(cursor=change.cursor)
        if change.health is not None:
            state = state._replace(failing_since=change.health[0], status=change.health[1])
        if change.off is not None:
            state = state._replace(off=change.off)
        self._hooks[hook] = state
        kept = self._deliveries[hook]
        for delivery in change.put:
            kept[delivery.id] = delivery
        for id_ in change.done:
            kept.pop(id_, None)

    async def due(self, hook: str, until: float, limit: int) -> list[Delivery]:
        kept = self._deliveries.get(hook, {}).values()
        due = sorted((d.due_at, d.id, d) for d in kept if d.due_at is not None and d.due_at <= until)
        return [delivery for *_, delivery in due[:limit]]

    async def dead(self, hook: str, after: str | None, limit: int) -> list[Delivery]:
        kept = self._deliveries.get(hook, {})
        place = kept.get(after) if after is not None else None
        found = sorted((d.at, d.id, d) for d in kept.values() if d.due_at is None)
        return [d for at, id_, d in found if place is None or (at, id_) > (place.at, place.id)][:limit]

    async def count_dead(self, hook: str) -> int:
        return sum(d.due_at is None for d in self._deliveries.get(hook, {}).values())

    async def find(self, hook: str, ids: Collection[str]) -> list[Delivery]:
        kept = self._deliveries.get(hook, {})
        return [kept[id_] for id_ in ids if id_ in kept]
