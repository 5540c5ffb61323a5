"""What Redis knows of webhooks: the keys of each are on one server."""

from collections.abc import Collection
from typing import Any

import orjson

from enforcer.domain.deliveries import Delivery, HookState, Settlement
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.keys import Keys
from enforcer.store.redis.scripts import SETTLE

_FIELDS = ("cursor", "failing_since", "status", "off")


class RedisOutbox:
    """See `store.base.Outbox` for what each method promises."""

    def __init__(self, servers: Servers, keys: Keys) -> None:
        self._servers = servers
        self._keys = keys

    async def begin(self, hook: str, cursor: str) -> None:
        await self._servers.run(
            ("HSETNX", self._keys.of_hook(hook, "hook"), "cursor", cursor), ("SADD", self._keys.hooks, hook)
        )

    async def hooks(self) -> dict[str, HookState]:
        (found,) = await self._servers.ask(("SMEMBERS", self._keys.hooks))
        names = sorted(name.decode() for name in found)
        if not names:
            return {}
        rows = await self._servers.ask(*(("HMGET", self._keys.of_hook(name, "hook"), *_FIELDS) for name in names))
        return {name: _state(row) for name, row in zip(names, rows, strict=True) if row[0] is not None}

    async def settle(self, hook: str, change: Settlement) -> None:
        values: dict[str, float | str | None] = {}
        if change.cursor is not None:
            values["cursor"] = change.cursor
        if change.health is not None:
            values["failing_since"], values["status"] = change.health
        if change.off is not None:
            values["off"] = change.off
        given = [(n, v if isinstance(v, str) else repr(v)) for n, v in values.items() if v is not None]
        put = [
            (d.id, orjson.dumps(tuple(d)).decode(), False if d.due_at is None else repr(d.due_at), repr(d.at))
            for d in change.put
        ]
        told = {
            "set": [text for pair in given for text in pair],
            "unset": [name for name, value in values.items() if value is None],
            "put": put,
            "done": change.done,
        }
        keys = [self._keys.of_hook(hook, name) for name in ("hook", "deliveries", "due", "dead")]
        await self._servers.run(SETTLE.call(keys, [orjson.dumps(told)]))

    async def due(self, hook: str, until: float, limit: int) -> list[Delivery]:
        key = self._keys.of_hook(hook, "due")
        (ids,) = await self._servers.ask(("ZRANGEBYSCORE", key, "-inf", repr(until), "LIMIT", 0, limit))
        return await self._all(hook, ids)

    async def dead(self, hook: str, after: str | None, limit: int) -> list[Delivery]:
        key, start = self._keys.of_hook(hook, "dead"), 0
        if after is not None:
            (rank,) = await self._servers.ask(("ZRANK", key, after))
            start = 0 if rank is None else rank + 1
        (ids,) = await self._servers.ask(("ZRANGE", key, start, start + limit - 1))
        return await self._all(hook, ids)

    async def count_dead(self, hook: str) -> int:
        (count,) = await self._servers.ask(("ZCARD", self._keys.of_hook(hook, "dead")))
        return int(count)

    async def find(self, hook: str, ids: Collection[str]) -> list[Delivery]:
        return await self._all(hook, list(ids))

    async def _all(self, hook: str, ids: list[Any]) -> list[Delivery]:
        """Those of these that there are, in this order."""
        if not ids:
            return []
        (rows,) = await self._servers.ask(("HMGET", self._keys.of_hook(hook, "deliveries"), *ids))
        return [Delivery(*orjson.loads(row)) for row in rows if row is not None]


def _state(row: list[bytes | None]) -> HookState:
    cursor, since, status, off = row
    return HookState(
        (cursor or b"").decode(),
        None if since is None else float(since),
        None if status is None else int(status),
        (off or b"").decode(),
    )
