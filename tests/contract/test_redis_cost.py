"""What things cost in Redis: trips of a login, commands at the server, and how little others' rooms matter."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from enforcer.domain.admission import Login
from enforcer.domain.rules import Rules
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.keys import BUCKETS
from enforcer.store.redis.store import FEWEST_ROOMS, MOST_PARTS, RedisStore
from enforcer.usecases.registry import Registry
from tests.redis_server import RedisCluster, RedisServer

LOGINS = 40


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[tuple[RedisStore, Registry]]:
    """A store on an empty Redis, and a registry over it."""
    async with begun(redis_server) as both:
        yield both


@asynccontextmanager
async def begun(redis: RedisServer | RedisCluster) -> AsyncIterator[tuple[RedisStore, Registry]]:
    """A store on Redis, emptied, and a registry over it; the scripts are known."""
    redis.flush()
    async with opened(redis) as store:
        registry = Registry(store, Rules(idle_timeout=900.0, absolute_timeout=9000.0), time.monotonic)
        await registry.resume(0)
        await registry.tick()
        for n in range(BUCKETS):  # on every server of a Cluster
            await registry.login(f"warm-{n}", Login(f"up-{n}"))
        yield store, registry


@asynccontextmanager
async def opened(redis: RedisServer | RedisCluster) -> AsyncIterator[RedisStore]:
    """One process's store."""
    store = RedisStore(redis_address(redis.url))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def trips(store: RedisStore, work: Callable[[], Awaitable[object]]) -> int:
    """How often Redis was asked something by it."""
    before = store.trips
    await work()
    return store.trips - before


@pytest.mark.parametrize(("kind", "most"), [("redis_server", 2), ("redis_cluster", 3)])
async def test_a_login_is_few_trips(request: pytest.FixtureRequest, kind: str, most: int) -> None:
    """New, displacing, named, repeated, or with something noticed about the session before."""
    logins = [
        Login("a"),
        Login("b", request_id="r", fingerprint="f"),
        Login("unused", "named", device=None),
        Login("unused", "named"),
        Login("c", replaces="named"),
    ]
    async with begun(request.getfixturevalue(kind)) as (store, registry):
        for login in logins:
            assert await trips(store, lambda login=login: registry.login("alice", login)) <= most  # type: ignore[misc]
        await registry.activity("c")
        assert await trips(store, lambda: registry.login("alice", Login("d"))) <= most
        repeat = Login("x", request_id="r", fingerprint="f")
        assert await trips(store, lambda: registry.login("alice", repeat)) == 1


async def test_validating_is_one_trip(node: tuple[RedisStore, Registry]) -> None:
    """On the node that knows where the session belongs; one more the first time elsewhere."""
    store, registry = node
    await registry.login("alice", Login("a"))
    assert await trips(store, lambda: registry.get("a")) == 1


async def test_a_look_for_deadlines_is_one_trip_whatever_there_is(node: tuple[RedisStore, Registry]) -> None:
    """A look at an index of each bucket, at no session."""
    store, registry = node
    for n in range(LOGINS):
        await registry.login(f"user-{n}", Login(f"s{n}"))
    assert await trips(store, lambda: store.upkeep.due(store.now(), 100)) == 1


async def test_a_login_costs_the_same_however_many_nodes_hold_other_rooms(
    node: tuple[RedisStore, Registry], redis_server: RedisServer
) -> None:
    """Commands at the server, with two and with eight subscribers: only holders of the room are told."""
    _, registry = node

    async def commands(subscribers: int) -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            for n in range(subscribers):
                other = await stack.enter_async_context(opened(redis_server))
                await other.hold(f"other-{n}")
            with redis_server.client() as client:
                client.config_resetstat()
                for n in range(LOGINS):
                    await registry.login(f"cost-{subscribers}-{n % 10}", Login(f"c{subscribers}-{n}"))
                stats = client.info("commandstats")
        # what the others do by themselves once a second is not the login's cost
        return {name: stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_spublish")}

    assert (
        await commands(2)
        == await commands(8)
        == {
            "cmdstat_evalsha": 2 * LOGINS,
            "cmdstat_spublish": LOGINS,
        }
    )


async def test_looking_at_what_is_held_costs_a_command_a_bucket(redis_server: RedisServer) -> None:
    """Once a second, however many rooms are held."""
    redis_server.flush()
    async with opened(redis_server) as store:
        for n in range(3 * BUCKETS):
            await store.hold(f"room-{n}")
        with redis_server.client() as client:
            client.config_resetstat()
            await store._feed._behind(range(BUCKETS))
            assert client.info("commandstats")["cmdstat_hmget"]["calls"] <= 2 * BUCKETS


@pytest.mark.parametrize("count", [5, 100, 600])
async def test_marks_are_bounded_in_trips_and_each_is_short(node: tuple[RedisStore, Registry], count: int) -> None:
    """Many come at once: a login must not wait for all of them, nor each of them cost a trip."""
    store, registry = node
    await asyncio.gather(*(registry.login(f"user-{n}", Login(f"s{n}")) for n in range(count)))
    for n in range(count):
        registry.sightings.arrived((await registry.get(f"s{n}")).session)
    parts = min(MOST_PARTS, -(-count // FEWEST_ROOMS))
    assert await trips(store, registry.sightings.flush) == 2 * parts
    snapshot = await store.get(f"s{count - 1}")
    assert snapshot is not None
    assert snapshot.session.online_until > store.now()
