"""The stores that the contract is asked of."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from tests.redis_server import RedisCluster, RedisServer

STORES = ("memory", "sqlite", "sqlite on one core", "redis", "valkey", "cluster")
SERVERS = {"redis": "redis_server", "valkey": "valkey_server", "cluster": "redis_cluster"}
Fresh = Callable[[Path], str]


def fresh_store(request: pytest.FixtureRequest, name: str) -> Fresh:
    """Gives the setting `store` of an empty store of that kind; the directory is for those that have files."""
    if name == "memory":
        return lambda _: "memory://"
    if name == "sqlite on one core":
        request.getfixturevalue("one_core")
    if name.startswith("sqlite"):
        return lambda directory: f"sqlite:///{directory}/enforcer.db"
    redis: RedisServer | RedisCluster = request.getfixturevalue(SERVERS[name])

    def emptied(_: Path) -> str:
        redis.flush()
        return redis.url

    return emptied


START = 1_700_000_000.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Forgetful(sqlite3.Connection):
    """Has no memory for statements that begin so, one after the other, which Python says with an error of its own."""

    too_big: Sequence[str] = ()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.too_big and sql.strip().startswith(self.too_big[0]):
            self.too_big = self.too_big[1:]
            raise MemoryError
        return super().execute(sql, *values)


@pytest.fixture
def clock() -> Clock:
    """What the store takes for the time."""
    return Clock()


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The setting `store` of each store in turn."""
    return fresh_store(request, request.param)(tmp_path)


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """An open, empty store."""
    made = make_store(url, clock)
    await made.open()
    yield made
    await made.close()
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task() and "store" in repr(t)]
