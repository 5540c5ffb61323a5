"""Which store a URL means."""

import time
from collections.abc import Callable
from pathlib import Path

from enforcer.store.base import Store
from enforcer.store.memory import MemoryStore
from enforcer.store.redis.address import is_redis, redis_address
from enforcer.store.redis.store import RedisStore
from enforcer.store.sqlite.store import SQLiteStore


def kind_of(url: str) -> str:
    """Which kind of store that is, in a word."""
    return "redis" if is_redis(url) else "memory" if url == "memory://" else "sqlite"


def make_store(url: str, clock: Callable[[], float] | None = None, cache_mb: int = 32) -> Store:
    """The store that a validated setting `store` names. It is not opened yet.

    `cache_mb` is the setting of this name.
    `clock` gives UTC seconds in place of the clock that would decide: this machine's, or that of Redis.
    """
    if is_redis(url):
        return RedisStore(redis_address(url), clock)
    if url == "memory://":
        return MemoryStore(clock or time.time)
    return SQLiteStore(Path(url.removeprefix("sqlite:///")), clock or time.time, cache_mb)
