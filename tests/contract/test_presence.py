"""A session with a socket is alive now, and its record says so, also after the process that had the socket has died."""

from collections.abc import AsyncIterator

import pytest

from enforcer.domain.admission import Login
from enforcer.domain.deadlines import LEFT_FOR
from enforcer.domain.rules import Rules
from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from enforcer.store.queries import SessionQuery
from enforcer.usecases.registry import Registry
from enforcer.usecases.sightings import SEEN_EVERY
from tests.contract.conftest import Clock

RULES = Rules(alive_window=60.0)
AN_HOUR = 3600


@pytest.fixture
async def registry(store: Store, clock: Clock) -> Registry:
    """On an open store, with `alice` logged in as `a`."""
    made = Registry(store, RULES, clock)
    await made.resume(0.0)
    await made.login("alice", Login("a"))
    return made


@pytest.fixture
async def successor(url: str, clock: Clock) -> AsyncIterator[Registry]:
    """Not opened before the test closes the first store."""
    store = make_store(url, clock)
    yield Registry(store, RULES, clock)
    await store.close()


async def seconds(registry: Registry, clock: Clock, count: int) -> None:
    """So many seconds pass, with the work of each of them."""
    for _ in range(count):
        clock.now += 1
        await registry.sightings.note_presence()
        await registry.sightings.flush()
        await registry.tick()


async def arrive(registry: Registry) -> None:
    """A socket of `a` is opened."""
    registry.sightings.arrived((await registry.get("a")).session)


async def taken_over(registry: Registry, successor: Registry, store: Store) -> None:
    """The first process has died; another opens the store."""
    await store.close()
    await successor._store.open()
    await successor.resume(0.0)


async def test_with_a_socket_it_is_seen_now(registry: Registry, clock: Clock) -> None:
    """However long nothing is written about it."""
    await arrive(registry)
    await seconds(registry, clock, AN_HOUR)
    session = (await registry.get("a")).session
    assert session.last_seen_at >= clock.now - SEEN_EVERY
    assert session.seen_until >= clock.now + RULES.alive_window - SEEN_EVERY
    assert (await registry.list_room("alice"))[0].session.seen_until >= session.seen_until


async def test_what_ends_it_says_when_it_was_seen_last(registry: Registry, clock: Clock) -> None:
    """Also in the record of a session that was displaced while its socket was open."""
    await arrive(registry)
    await seconds(registry, clock, AN_HOUR)
    await registry.login("alice", Login("b"))
    ended = (await registry.get("a")).session
    assert ended.ended
    assert ended.last_seen_at >= clock.now - SEEN_EVERY


async def test_after_its_last_socket_it_is_alive_for_a_moment(registry: Registry, clock: Clock) -> None:
    """Counted from the close, whatever was written when."""
    await arrive(registry)
    await arrive(registry)
    await seconds(registry, clock, AN_HOUR)
    registry.sightings.left("a")
    assert registry.sightings.online("a")
    registry.sightings.left("a")
    assert not registry.sightings.online("a")
    for _ in range(2):  # before and after it is written
        session = (await registry.get("a")).session
        assert session.last_seen_at == clock.now
        assert session.seen_until == clock.now + LEFT_FOR
        await registry.sightings.flush()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_idle_socket_costs_its_record_nothing(registry: Registry, store: Store, clock: Clock) -> None:
    """Who is here is written, but into no record: there may be very many of them."""
    await arrive(registry)
    logged_in_at = clock.now
    await seconds(registry, clock, AN_HOUR)
    (listed,) = await store.logs.sessions(SessionQuery())
    assert listed.session.last_seen_at == logged_in_at
    assert (await registry.get("a")).session.last_seen_at == clock.now


@pytest.mark.parametrize("url", ["sqlite", "redis"], indirect=True)
async def test_the_next_process_knows_who_was_here(
    registry: Registry, successor: Registry, store: Store, clock: Clock
) -> None:
    """Who had a socket when the process died was seen shortly before."""
    await arrive(registry)
    await seconds(registry, clock, AN_HOUR)
    await taken_over(registry, successor, store)
    session = (await successor.get("a")).session
    assert clock.now - SEEN_EVERY <= session.last_seen_at <= clock.now
    assert session.seen_until == session.last_seen_at + RULES.alive_window


@pytest.mark.parametrize("url", ["sqlite", "redis"], indirect=True)
async def test_who_had_left_before_is_not_called_back(
    registry: Registry, successor: Registry, store: Store, clock: Clock
) -> None:
    """The note of who was here is older than the leave."""
    await arrive(registry)
    await seconds(registry, clock, AN_HOUR)
    registry.sightings.left("a")
    await registry.sightings.flush()
    left_at = clock.now
    await taken_over(registry, successor, store)
    session = (await successor.get("a")).session
    assert session.last_seen_at == left_at
    assert session.seen_until == left_at + LEFT_FOR


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_nobody_is_noted_when_all_have_left(
    registry: Registry, successor: Registry, store: Store, clock: Clock
) -> None:
    """A note of long ago would stand otherwise."""
    await arrive(registry)
    await seconds(registry, clock, SEEN_EVERY)
    registry.sightings.left("a")
    await seconds(registry, clock, SEEN_EVERY)
    before = (await registry.get("a")).session
    await taken_over(registry, successor, store)
    assert (await successor.get("a")).session == before
