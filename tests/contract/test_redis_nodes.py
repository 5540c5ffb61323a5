"""Several processes on one Redis: what each hears of the others, and what they do to each other's commits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from enforcer.domain.admission import Login
from enforcer.domain.errors import SessionLimit, StoreUnavailable
from enforcer.domain.model import Change, Decision, LoginAnswer, RoomState, Session, Terms
from enforcer.domain.rules import Rules
from enforcer.store.queries import SessionQuery
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.keys import Keys
from enforcer.store.redis.rooms import Outcome, Rooms
from enforcer.store.redis.store import RedisStore
from enforcer.usecases.registry import Registry
from tests.contract.conftest import SERVERS, START, Clock
from tests.contract.rooms import deciding, ended, put, session, started
from tests.redis_server import RedisCluster, RedisServer
from tests.running import until

WITHIN = 5.0


@pytest.fixture(params=list(SERVERS.values()), ids=list(SERVERS))
def redis(request: pytest.FixtureRequest) -> RedisServer | RedisCluster:
    """An empty Redis of each kind."""
    found: RedisServer | RedisCluster = request.getfixturevalue(request.param)
    found.flush()
    return found


@pytest.fixture
async def nodes(redis: RedisServer | RedisCluster) -> AsyncIterator[list[RedisStore]]:
    """Two processes' stores."""
    stores = [RedisStore(redis_address(redis.url)) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]


def subscriptions(redis: RedisServer | RedisCluster) -> int:
    """Channels that somebody listens to."""
    return sum(len(server.channels()) for server in redis.servers)


class Heard:
    """The changes that a store tells of."""

    def __init__(self, store: RedisStore) -> None:
        self.changes: list[Change] = []
        self._news = asyncio.Event()
        store.listen(self._hear)

    def _hear(self, change: Change) -> None:
        self.changes.append(change)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when it is true, tried at each change."""
        async with asyncio.timeout(WITHIN):
            while not condition():
                self._news.clear()
                await self._news.wait()


def claim(id_: str) -> Callable[[RoomState, float], Decision[int]]:
    """A login: all others end."""

    def decide(state: RoomState, now: float) -> Decision[int]:
        mine = session(id_, state.room, epoch=state.epoch + 1, started_at=now)
        over = tuple(ended(s, now) for s in state.sessions)
        return Decision(mine.epoch, changed=(mine, *over), epoch=mine.epoch, audit=(started(mine),))

    return decide


async def test_a_held_room_is_heard_of_and_others_are_not(nodes: list[RedisStore]) -> None:
    """With the very records that were committed; a barrier shows that nothing of the other room came."""
    here, there = nodes
    heard = Heard(here)
    await here.hold("alice")
    await put(there, session("x", "bob"))
    record = session("s", "alice")
    await put(there, record)
    await heard.until(lambda: len(heard.changes) >= 1)
    assert heard.changes == [Change("alice", (record,))]


async def test_own_commits_are_told_once(nodes: list[RedisStore]) -> None:
    """The channel's echo of our own commit is none of our business."""
    here, there = nodes
    heard = Heard(here)
    await here.hold("alice")
    await put(here, session("own"))
    await put(there, session("other"))
    await heard.until(lambda: len(heard.changes) >= 2)
    assert [s.id for c in heard.changes for s in c.sessions] == ["own", "other"]


async def test_after_the_last_release_nothing_is_heard(
    nodes: list[RedisStore], redis: RedisServer | RedisCluster
) -> None:
    """Each hold wants its release; the barrier is another room that is still held."""
    here, there = nodes
    heard = Heard(here)
    for _ in range(2):
        await here.hold("alice")
    await here.hold("bob")
    here.release("alice")
    await put(there, session("1"))
    await heard.until(lambda: len(heard.changes) == 1)
    here.release("alice")
    await asyncio.to_thread(until, lambda: subscriptions(redis) == 1)
    await put(there, session("2"))
    await put(there, session("x", "bob"))
    await heard.until(lambda: len(heard.changes) == 2)
    assert heard.changes[1].room == "bob"


async def test_a_lost_message_is_made_up_for(nodes: list[RedisStore], redis: RedisServer | RedisCluster) -> None:
    """After a commit while the subscription was away, the comparison tells a second later who is live."""
    here, there = nodes
    heard = Heard(here)
    await put(there, session("old"))
    await here.hold("alice")
    for server in redis.servers:
        with server.client() as client:
            client.client_kill_filter(_type="pubsub")
    await there.transact("alice", claim("new"))
    await heard.until(lambda: bool(heard.changes) and [s.id for s in heard.changes[-1].sessions] == ["new"])


async def test_nonsense_on_a_channel_harms_nobody(
    nodes: list[RedisStore], redis: RedisServer | RedisCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else speaks on it; what follows is heard."""
    here, there = nodes
    heard = Heard(here)
    await here.hold("alice")
    with redis.client() as client:
        client.execute_command("SPUBLISH", Keys("enf").channel("alice"), "?")
    await put(there, session("s"))
    await heard.until(lambda: len(heard.changes) == 1)
    assert "could not be followed" in caplog.text


async def test_two_nodes_claim_at_once(nodes: list[RedisStore]) -> None:
    """Two hundred logins of one user on two nodes: one stays, epochs strictly grow, each has one audit row."""
    made = await asyncio.gather(*(nodes[n % 2].transact("alice", claim(f"s{n}")) for n in range(200)))
    assert sorted(decision.result for decision in made) == list(range(1, 201))
    for node in nodes:
        state = await node.room("alice")
        assert [s.epoch for s in state.sessions] == [200]


async def test_one_id_in_two_rooms_at_once_belongs_to_one(nodes: list[RedisStore]) -> None:
    """Whoever comes second finds the record of the first."""

    for n in range(10):
        rooms = [f"a{n}", f"b{n}"]
        ids = [f"s{n}"]

        def decide(state: RoomState, now: float, n: int = n) -> Decision[Session]:
            found = state.found.get(f"s{n}")
            mine = session(f"s{n}", state.room)
            return Decision(found) if found else Decision(mine, changed=(mine,))

        made = await asyncio.gather(
            *(node.transact(room, decide, sessions=ids) for node, room in zip(nodes, rooms, strict=True))
        )
        won = [decision.result for decision in made]
        assert won[0].room == won[1].room
        snapshot = await nodes[0].get(f"s{n}")
        assert snapshot is not None
        assert snapshot.session.room == won[0].room


async def test_a_home_without_a_commit_does_not_keep_an_id_from_another_room(nodes: list[RedisStore]) -> None:
    """A process that died between the two steps leaves nothing that anyone would notice."""
    here, there = nodes
    assert await rooms_of(here).reserve("alice", ["s"]) == []
    assert await there.get("s") is None
    await put(there, session("s", "bob"))
    snapshot = await here.get("s")
    assert snapshot is not None
    assert snapshot.session.room == "bob"


async def test_a_late_commit_of_a_lost_home_fails(nodes: list[RedisStore]) -> None:
    """A node that stood still between reserving the id and committing finds that another room has it now."""
    slow, quick = rooms_of(nodes[0]), nodes[1]
    loaded = await slow.load("alice")
    assert await slow.reserve("alice", ["s"]) == []
    proposal = slow.proposal(loaded, Decision(None, changed=(session("s"),)))
    await put(quick, session("s", "bob"))
    assert await slow.commit(proposal) is Outcome.OVERTAKEN
    assert await slow.reserve("alice", ["s"]) == ["s"]


def rooms_of(store: RedisStore) -> Rooms:
    """The store's own way to its rooms, to stop between two steps."""
    return store._rooms


async def test_scripts_come_back_after_they_are_forgotten(
    nodes: list[RedisStore], redis: RedisServer | RedisCluster
) -> None:
    """SCRIPT FLUSH, or a server that was restarted, costs a trip and nothing else."""
    await put(nodes[0], session("a"))
    for server in redis.servers:
        with server.client() as client:
            client.script_flush()
    await put(nodes[1], session("b"))
    assert {s.id for s in (await nodes[0].room("alice")).sessions} == {"a", "b"}


async def test_nobody_there_is_unavailable_within_a_bounded_time() -> None:
    """An address where nobody listens."""
    store = RedisStore(redis_address("redis://127.0.0.1:1"))
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await store.open()
        with pytest.raises(StoreUnavailable):
            await store.transact("alice", deciding(Decision(None, epoch=1)))
    await store.close()


async def test_a_node_of_the_version_before_takes_no_slot_away(redis: RedisServer | RedisCluster) -> None:
    """It knows 20 values of a session and writes no more, for all sessions of a room in which it commits anything."""
    store = RedisStore(redis_address(redis.url))
    await store.open()
    phone = session("phone", slot="mobile", idle_timeout=60.0, impersonated_by="support-7", exempt=True)
    await put(store, phone, session("plain"))
    room = "alice"
    keys = Keys("enf")
    (text,) = await store._servers.ask(("HGET", keys.of_room(room, "rooms"), room))
    _, epoch, waiting, live = orjson.loads(text)
    old = orjson.dumps([[["by the old one", START]], epoch, waiting, [row[:20] for row in live]])
    await store._servers.run(
        ("HSET", keys.of_room(room, "rooms"), room, old),
        ("HSET", keys.of_room(room, "versions"), room, "by the old one"),
    )
    assert set((await store.room(room)).sessions) == {phone, session("plain")}
    assert [s.session for s in await store.logs.sessions(SessionQuery(slot="mobile"))] == [phone]
    await put(store, ended(phone))
    assert (await store.room(room)).sessions == (session("plain"),)
    found = await store.get("phone")
    assert found is not None
    assert found.session == ended(phone)
    (beside,) = await store._servers.ask(("HGET", keys.of_room(room, "beside"), room))
    assert beside is None, "nothing is left of it where nobody needs it"
    await store.close()


async def test_an_outage_is_made_up_for_once(redis: RedisServer | RedisCluster) -> None:
    """Two nodes notice at the same moment that nobody looked after the sessions: one moves the deadlines."""
    clock = Clock()
    stores = [RedisStore(redis_address(redis.url), clock) for _ in range(2)]
    nodes = [Registry(store, Rules(idle_timeout=100.0), clock) for store in stores]
    for store, node in zip(stores, nodes, strict=True):
        await store.open()
        await node.resume(60)
        await node.tick()
    await nodes[0].login("alice", Login("s"))
    clock.now += 1000
    await asyncio.gather(*(node.tick() for node in nodes))
    for _ in range(3):  # who waited finds that it is done
        await asyncio.gather(*(node.tick() for node in nodes))
    snapshot = await stores[0].get("s")
    assert snapshot is not None
    assert snapshot.session.idle_at == START + 100 + 1000
    for store in stores:
        await store.close()


async def test_a_note_that_comes_late_is_none(nodes: list[RedisStore]) -> None:
    """What lay in the way while Redis stood still does not say that the sessions were looked after."""
    here, _ = nodes
    now = (await here.transact("alice", lambda state, now: Decision(now))).result
    await here.upkeep.beat(now)
    with pytest.raises(StoreUnavailable):
        await here.upkeep.beat(now - 5)
    assert await here.upkeep.last_beat() == now


async def test_logins_that_choose_are_decided_once(nodes: list[RedisStore]) -> None:
    """Twenty on two nodes at the same time name the one session that is in the way: one of them is admitted."""
    registries = [Registry(store, Rules(policy="reject"), time.monotonic) for store in nodes]
    await registries[0].login("alice", Login("old"))
    terms = Terms(ends=("old",))

    async def log_in(number: int) -> LoginAnswer | SessionLimit:
        try:
            return await registries[number % 2].login("alice", Login(f"new-{number}", terms=terms))
        except SessionLimit as refusal:
            return refusal

    outcomes = await asyncio.gather(*(log_in(number) for number in range(20)))
    (admitted,) = [outcome for outcome in outcomes if isinstance(outcome, LoginAnswer)]
    assert admitted.displaced == ("old",)
    refused = [outcome for outcome in outcomes if isinstance(outcome, SessionLimit)]
    assert {s.id for refusal in refused for s in refusal.sessions} == {admitted.session}
    for registry in registries:
        assert [s.session.id for s in await registry.list_room("alice")] == [admitted.session]


async def test_a_lease_is_held_by_one(nodes: list[RedisStore]) -> None:
    """It may be renewed by its holder, and is another's when it was given back or has run out."""
    here, there = nodes
    assert [await here.lease("t", 60), await there.lease("t", 60), await here.lease("t", 60)] == [True, False, True]
    await there.give_back("t")
    assert not await there.lease("t", 60), "given back by one who did not have it"
    await here.give_back("t")
    assert await there.lease("t", 0.2)
    await asyncio.sleep(0.5)  # longer than the lease
    assert await here.lease("t", 60)


async def test_the_time_is_that_of_the_server(nodes: list[RedisStore]) -> None:
    """`now` follows Redis, in decisions and between them."""
    at = (await nodes[0].transact("alice", lambda state, now: Decision(now))).result
    assert abs(nodes[0].now() - at) < 0.5


async def test_processes_hear_what_others_say_of_themselves(redis: RedisServer | RedisCluster) -> None:
    """The latest of each, for ten seconds, or until it is taken back."""
    clock = Clock()
    here, there = (RedisStore(redis_address(redis.url), clock) for _ in range(2))
    for store in (here, there):
        await store.open()
    await here.announce("before")
    await here.announce("I am\nhere")
    await there.announce("there")
    assert (await here.announced(), await there.announced()) == (["there"], ["I am\nhere"])
    clock.now += 9
    await there.announce("still there")
    clock.now += 1
    assert (await here.announced(), await there.announced()) == (["still there"], [])
    await there.unannounce()
    assert await here.announced() == []
    for store in (here, there):
        await store.close()
