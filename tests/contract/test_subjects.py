"""Of whom signals speak: what every store promises, and that no login slips past a signal on any node."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any

import pytest

from enforcer.domain.admission import Login
from enforcer.domain.errors import SignedOut
from enforcer.domain.model import FOREVER, Decision, EndReason, Identity, RoomState, Terms
from enforcer.domain.rules import Rules
from enforcer.domain.signals import KEPT, Signal, of_alias, of_person, of_room, of_session, subjects_of
from enforcer.store.base import Store
from enforcer.store.memory import MemoryStore
from enforcer.store.queries import Claim
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.store import RedisStore
from enforcer.usecases.registry import Registry
from enforcer.usecases.signals import UNKNOWN_BURST, Outcome, Signals, TooManyUnknown
from tests.contract.conftest import SERVERS, START, Clock
from tests.contract.rooms import deciding, ended, session
from tests.redis_server import RedisCluster, RedisServer

ISS = "https://idp.example"
ALICE = Identity(ISS, "a1", "s1", int(START))
ALIASES = ("email:Alice@example.com", "opaque:42")


async def claimed(store: Store, id_: str, room: str = "alice", **fields: Any) -> None:
    """A session that signals can speak of."""
    record = session(id_, room, **{"idp": ALICE, "aliases": ALIASES, **fields})
    claim = Claim(subjects_of(room, record.idp, record.aliases), id_)
    await store.transact(room, deciding(Decision(None, changed=(record,), epoch=1)), claim=claim)


async def seen(store: Store, *subjects: str) -> dict[str, float]:
    """What a claim of these is decided with."""

    def decide(state: RoomState, now: float) -> Decision[dict[str, float]]:
        return Decision(dict(state.signalled))

    return (await store.transact("alice", decide, claim=Claim(subjects))).result


async def test_rooms_are_found_by_each_subject_until_their_sessions_are_forgotten(store: Store, clock: Clock) -> None:
    """Live or ended; a claim that came to nothing, or only asked, is found by nobody."""
    await claimed(store, "1")
    await claimed(store, "2", "bob", aliases=())
    subjects = [of_session(ISS, "s1"), of_person(ISS, "a1"), of_alias("email:alice@EXAMPLE.com"), of_alias("opaque:42")]
    assert [await store.subjects.rooms([s]) for s in subjects] == [{"alice", "bob"}] * 2 + [{"alice"}] * 2
    assert await store.subjects.rooms([of_room("bob")]) == {"bob"}
    assert await store.subjects.rooms([]) == set()
    nothing = deciding(Decision(None))
    await store.transact("carol", nothing, claim=Claim(("x", "y"), "3"))
    await store.transact("carol", nothing, claim=Claim(("x", "y"), "4", new=True))
    await store.transact("carol", nothing, claim=Claim(("x", "y")))
    assert await store.subjects.rooms(["x", "y", of_person(ISS, "nobody")]) == set()
    over = ended(session("1", idp=ALICE, aliases=ALIASES))
    await store.transact("alice", deciding(Decision(None, changed=(over,))))
    assert await store.subjects.rooms(subjects) == {"alice", "bob"}
    assert await store.upkeep.purge(START + 1, 10) == 1
    assert await store.subjects.rooms(subjects) == {"bob"}
    await store.upkeep.forget("bob", ["2"])
    assert await store.subjects.rooms(subjects) == {"bob"}, "live sessions stay"


async def test_a_session_that_changes_its_subjects_is_found_by_the_new_ones(store: Store) -> None:
    """When it claims again."""
    await claimed(store, "1")
    other = ALICE._replace(sid="s2", sub="a2")
    await claimed(store, "1", idp=other)
    assert await store.subjects.rooms([of_session(ISS, "s2")]) == {"alice"}
    snapshot = await store.get("1")
    assert snapshot is not None
    assert (snapshot.session.idp, snapshot.session.aliases) == (other, ALIASES)


async def test_what_is_noted_is_known_to_claims_for_its_time(store: Store, clock: Clock) -> None:
    """Those asked for; the later moment stays, and a new note begins a new time."""
    a, b, c = of_session(ISS, "1"), of_person(ISS, "a"), of_alias("c")
    await store.subjects.note({a: FOREVER, b: START}, 100)
    assert await seen(store, a, b, c) == {a: FOREVER, b: START}
    assert await seen(store, c) == {}
    clock.now += 60
    await store.subjects.note({b: START - 5}, 100)
    assert await seen(store, b) == {b: START}
    await store.subjects.note({b: START + 5}, 100)
    clock.now += 50
    assert await seen(store, a, b) == {b: START + 5}
    clock.now += 51
    assert await seen(store, b) == {}
    await store.subjects.note({b: START - 9}, 100)
    assert await seen(store, b) == {b: START - 9}, "what is over counts for nothing"


async def test_a_message_is_taken_once(store: Store, clock: Clock) -> None:
    """Of many who try at the same time one succeeds; it is free again when its time is over."""
    assert not await store.subjects.used("m")
    assert sum(await asyncio.gather(*(store.subjects.use("m", 100) for _ in range(20)))) == 1
    assert await store.subjects.used("m")
    assert await store.subjects.use("other", 100)
    clock.now += 101
    assert not await store.subjects.used("m")


# ---- signals ------------------------------------------------------------------------------------

_numbers = itertools.count()


def signal(*subjects: str, **fields: Any) -> Signal:
    """A message of its own."""
    usual = {"once": f"jti-{next(_numbers)}", "at": START}
    return Signal("idp", EndReason.IDP_LOGOUT, subjects, **{**usual, **fields})


async def test_a_signal_ends_what_it_means_once(store: Store, clock: Clock) -> None:
    """And holds for logins that it overtakes; a repeat does nothing."""
    registry = Registry(store, Rules(max_sessions=9), clock)
    signals = Signals(registry, store.subjects, clock)
    for id_, idp in (("1", ALICE), ("2", ALICE._replace(sid="s2")), ("3", None)):
        await registry.login("alice", Login("x", session=id_, terms=Terms(idp=idp)))
    gone = signal(of_session(ISS, "s1"))
    assert await signals.take(gone) is Outcome.ENDED
    assert await signals.take(gone) is Outcome.REPEATED
    assert [s.session.id for s in await registry.list_room("alice")] == ["3", "2"]
    record = (await registry.get("1")).session
    assert record.ended_by is not None
    assert (record.end_reason, record.ended_by.kind, record.ended_by.name) == ("idp_logout", "signal", "idp")
    with pytest.raises(SignedOut):
        await registry.login("alice", Login("4", terms=Terms(idp=ALICE)))
    assert await signals.take(signal(of_person(ISS, "a1"))) is Outcome.ENDED
    assert await signals.take(signal(of_person(ISS, "a1"))) is Outcome.NOTHING
    assert await signals.take(signal(of_room("alice"), rooms=("alice",))) is Outcome.ENDED
    assert await registry.list_room("alice") == []
    assert await signals.take(signal(of_room("nobody"), rooms=("nobody",))) is Outcome.UNKNOWN
    clock.now += KEPT + 1
    assert (await registry.login("alice", Login("5", terms=Terms(idp=ALICE)))).session == "5"


async def test_unknown_subjects_are_bounded(clock: Clock) -> None:
    """A flood of them is refused, and known ones are not."""
    store = MemoryStore(clock)
    registry = Registry(store, Rules(), clock)
    signals = Signals(registry, store.subjects, lambda: 0.0)
    await registry.login("alice", Login("1", terms=Terms(idp=ALICE)))
    for n in range(UNKNOWN_BURST):
        assert await signals.take(signal(of_person(ISS, f"nobody-{n}"))) is Outcome.UNKNOWN
    with pytest.raises(TooManyUnknown):
        await signals.take(signal(of_person(ISS, "one more")))
    assert await seen(store, of_person(ISS, "one more")) == {}
    assert await signals.take(signal(of_person(ISS, "a1"))) is Outcome.ENDED


# ---- nodes --------------------------------------------------------------------------------------


@pytest.fixture(params=["redis", "cluster"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[list[RedisStore]]:
    """Two processes' stores on one empty Redis."""
    redis: RedisServer | RedisCluster = request.getfixturevalue(SERVERS[request.param])
    redis.flush()
    stores = [RedisStore(redis_address(redis.url)) for _ in range(2)]
    for made in stores:
        await made.open()
    yield stores
    for made in stores:
        await made.close()


async def test_no_login_slips_past_a_signal(nodes: list[RedisStore]) -> None:
    """A login and the end of its session at the issuer, at the same moment on two nodes: whichever comes first, nobody
    of them is logged in when both are answered."""
    registries = [Registry(store, Rules(), time.monotonic) for store in nodes]
    signals = Signals(registries[1], nodes[1].subjects, time.monotonic)

    async def once(n: int) -> None:
        idp = Identity(ISS, f"u{n}", f"s{n}")
        login = Login(f"new-{n}", session=None if n % 2 else f"own-{n}", terms=Terms(idp=idp))

        async def sign_out() -> None:
            await asyncio.sleep(n % 12 * 0.0003)  # when it comes is what is tried; the end is the same
            await signals.take(signal(of_session(ISS, f"s{n}"), at=time.time()))

        with suppress(SignedOut):
            await asyncio.gather(registries[0].login(f"user-{n}", login), shielded := asyncio.create_task(sign_out()))
        await shielded
        assert not await registries[0].list_room(f"user-{n}"), n

    for n in range(60):
        await once(n)


@pytest.mark.parametrize("session_id", ["own", None])
async def test_a_signal_between_the_look_and_the_commit(
    nodes: list[RedisStore], session_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login has read the room and that nothing was signalled; then the whole signal is done on the other node. The
    commit that comes after it must not count."""
    registries = [Registry(store, Rules(), time.monotonic) for store in nodes]
    signals = Signals(registries[1], nodes[1].subjects, time.monotonic)
    look, came = nodes[0].subjects.signalled, 0

    async def looked(subjects: Collection[str]) -> dict[str, float]:
        nonlocal came
        seen = await look(subjects)
        if not came:
            assert await signals.take(signal(of_session(ISS, "s1"))) is Outcome.NOTHING
        came += 1
        return seen

    monkeypatch.setattr(nodes[0].subjects, "signalled", looked)
    with pytest.raises(SignedOut):
        await registries[0].login("alice", Login("new", session=session_id, terms=Terms(idp=ALICE)))
    assert came == 2, "it was decided again"
    assert await registries[1].list_room("alice") == []
    assert await nodes[1].subjects.rooms([of_session(ISS, "s1")]) == set(), "a login that was refused leaves nothing"


async def test_a_message_is_taken_on_one_node(nodes: list[RedisStore]) -> None:
    """Shown to both at the same moment, again and again."""
    registries = [Registry(store, Rules(), time.monotonic) for store in nodes]
    both = [Signals(r, s.subjects, time.monotonic) for r, s in zip(registries, nodes, strict=True)]
    await registries[0].login("alice", Login("1", terms=Terms(idp=ALICE)))
    for _ in range(10):
        message = signal(of_person(ISS, "a1"))
        outcomes = await asyncio.gather(*(signals.take(message) for signals in both))
        assert sum(outcome is not Outcome.REPEATED for outcome in outcomes) == 1
