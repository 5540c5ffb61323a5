"""What stores keep of webhooks."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enforcer.domain.deliveries import Delivery, HookState, Settlement
from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from enforcer.store.memory_outbox import MemoryOutbox

IDS = [f"app_{n}" for n in range(6)]
DELIVERIES = st.builds(
    Delivery,
    id=st.sampled_from(IDS),
    room=st.sampled_from(["alice", "Zoë\n"]),
    at=st.sampled_from([1.5, 2.0, 1_700_000_000.123]),
    body=st.sampled_from(["{}", '{"a": "é\\u0000"}']),
    tries=st.integers(0, 10),
    due_at=st.one_of(st.none(), st.sampled_from([0.0, 3.25, 1_700_000_005.5])),
    status=st.sampled_from([None, 500]),
    error=st.sampled_from([None, "no answer"]),
    tried_at=st.sampled_from([None, 7.125]),
)
CHANGES = st.builds(
    Settlement,
    cursor=st.sampled_from([None, "AAAA", "BBBB"]),
    health=st.sampled_from([None, (None, 204), (5.5, None), (1_700_000_000.25, 503)]),
    off=st.sampled_from([None, "", "0123"]),
    put=st.lists(DELIVERIES, max_size=4, unique_by=lambda d: d.id).map(tuple),
    done=st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
)


def disjoint(change: Settlement) -> Settlement:
    """Nobody puts and forgets the same one in one step."""
    return change._replace(done=tuple(i for i in change.done if i not in {d.id for d in change.put}))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(["app", "siem.x"]), CHANGES.map(disjoint)), max_size=8))
async def test_every_store_keeps_the_same(store: Store, changes: list[tuple[str, Settlement]]) -> None:
    """Whatever is stored: the model is a few dictionaries."""
    outbox, model = store.logs.outbox, MemoryOutbox()
    for hook in ("app", "siem.x"):
        for one in (outbox, model):
            await one.begin(hook, "0000")
            await one.settle(hook, Settlement("0000", (None, None), "", done=tuple(IDS)))
    for hook, change in changes:
        await outbox.settle(hook, change)
        await model.settle(hook, change)
    assert await outbox.hooks() == await model.hooks()
    for hook in ("app", "siem.x", "unknown"):
        assert await outbox.count_dead(hook) == await model.count_dead(hook)
        for until in (0.0, 3.25, float("inf")):
            assert await outbox.due(hook, until, 9) == await model.due(hook, until, 9)
        dead = await model.dead(hook, None, 9)
        assert await outbox.dead(hook, None, 9) == dead
        assert (await outbox.due(hook, float("inf"), 1)) == (await model.due(hook, float("inf"), 1))
        for n, delivery in enumerate(dead):
            assert await outbox.dead(hook, delivery.id, 2) == dead[n + 1 : n + 3]
        assert set(await outbox.find(hook, [*IDS, "other"])) == set(await model.find(hook, IDS))
        assert await outbox.find(hook, []) == []


async def test_a_hook_that_is_known_stays_where_it_is(store: Store) -> None:
    """Whoever begins it again."""
    await store.logs.outbox.begin("app", "AAAA")
    await store.logs.outbox.begin("app", "BBBB")
    assert await store.logs.outbox.hooks() == {"app": HookState("AAAA")}


async def test_what_a_durable_store_was_told_is_there_after_a_restart(url: str, tmp_path: Path) -> None:
    """The place in the log, and what is under way."""
    if url == "memory://":
        return  # everything is forgotten with the process
    store = make_store(url)
    await store.open()
    await store.logs.outbox.begin("app", "AAAA")
    kept = Delivery("app_1", "alice", 1.0, "{}")
    await store.logs.outbox.settle("app", Settlement("BBBB", put=(kept,)))
    await store.close()
    again = make_store(url)
    await again.open()
    assert await again.logs.outbox.hooks() == {"app": HookState("BBBB")}
    assert await again.logs.outbox.due("app", 1.0, 10) == [kept]
    await again.close()
