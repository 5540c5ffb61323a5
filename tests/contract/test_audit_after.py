"""The audit log behind a cursor: nothing is lost, doubled or turned round, and what is not kept any more is said."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enforcer.domain.model import AuditRow, Decision, RoomState
from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from enforcer.store.cursors import Cursor, cursor_of, cursor_text
from enforcer.store.queries import AuditPart, AuditQuery
from tests.contract.conftest import SERVERS, START, Clock
from tests.contract.rooms import deciding, ended, put, session, started
from tests.redis_server import RedisCluster, RedisServer


async def add(store: Store, room: str, rows: int = 1) -> None:
    """One commit to a room: its rows of the audit log are numbered by the room's epoch."""

    def decide(state: RoomState, now: float) -> Decision[None]:
        entries = tuple(started(session(f"s{state.epoch + n}", room, epoch=state.epoch + n)) for n in range(rows))
        return Decision(None, epoch=state.epoch + rows, audit=entries)

    await store.transact(room, decide)


async def part_of(store: Store, cursor: Cursor | None, limit: int) -> AuditPart:
    """What is behind a cursor that is kept; the cursor goes through its text, as readers have it."""
    kept = None if cursor is None else cursor_of(cursor_text(cursor))
    part = await store.logs.audit_after(kept, limit)
    assert part is not None
    assert len(part.rows) <= limit
    return part


async def the_rest(store: Store, cursor: Cursor, limit: int = 100) -> list[AuditRow]:
    """All rows behind a cursor, part by part."""
    rows: list[AuditRow] = []
    while True:
        part = await part_of(store, cursor, limit)
        rows += [row for row, _ in part.rows]
        if not part.more:
            return rows
        cursor = part.cursor


def by_room(rows: list[AuditRow]) -> dict[str, list[int | None]]:
    """The epochs of each room's rows, as they came."""
    found: dict[str, list[int | None]] = {}
    for row in rows:
        found.setdefault(row.entry.room, []).append(row.entry.epoch)
    return found


async def test_it_begins_where_the_log_ends_now(store: Store) -> None:
    """Without a cursor nothing that was before comes, and everything after."""
    await put(store, session("before"))
    part = await part_of(store, None, 10)
    assert part.rows == ()
    await put(store, session("a"), session("b", "bob"))
    assert {row.entry.session for row in await the_rest(store, part.cursor)} == {"a", "b"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 3)), min_size=1, max_size=12),
    limit=st.integers(1, 9),
    data=st.data(),
)
async def test_any_cursor_goes_on_right_behind_its_row(
    store: Store, commits: list[tuple[str, int]], limit: int, data: st.DataObject
) -> None:
    """Each row comes once whatever the parts are, a room's in order; and from each row's cursor the rest comes."""
    cursor = (await part_of(store, None, 1)).cursor
    seen = {room: (await store.room(room)).epoch for room in "abcdefgh"}
    for room, rows in commits:
        await add(store, room, rows)
    taken: list[tuple[AuditRow, Cursor]] = []
    while (part := await part_of(store, cursor, limit)).rows:
        taken += part.rows
        assert part.cursor == part.rows[-1][1]
        cursor = part.cursor
    rows = [row for row, _ in taken]
    wanted = {room: list(range(before, (await store.room(room)).epoch)) for room, before in seen.items()}
    assert by_room(rows) == {room: epochs for room, epochs in wanted.items() if epochs}
    at = data.draw(st.integers(0, len(taken) - 1))
    rest = await the_rest(store, taken[at][1], limit)
    assert by_room(rest) == by_room(rows[at + 1 :])


async def test_nothing_is_lost_while_others_write(store: Store) -> None:
    """A reader in the middle of many writers has each room's rows, all of them, in order."""
    rooms, commits = [f"room-{n}" for n in range(24)], 12
    cursor = (await part_of(store, None, 1)).cursor
    rows: list[AuditRow] = []

    async def write(room: str) -> None:
        for n in range(commits):
            await add(store, room, 1 + n % 2)

    async def read(until: asyncio.Future[list[None]]) -> None:
        nonlocal cursor
        through = False
        while not through:
            through = until.done()  # then one more look finds the last of them
            while (part := await part_of(store, cursor, 40)).rows:
                rows.extend(row for row, _ in part.rows)
                cursor = part.cursor
            await asyncio.sleep(0)

    writing = asyncio.gather(*(write(room) for room in rooms))
    await asyncio.gather(writing, read(writing))
    wanted = commits + commits // 2
    assert by_room(rows) == {room: list(range(wanted)) for room in sorted(by_room(rows), key=list(by_room(rows)).index)}
    assert sorted(by_room(rows)) == sorted(rooms)


async def test_a_cursor_behind_which_rows_were_forgotten_is_none(store: Store, clock: Clock) -> None:
    """Who has read all that was forgotten goes on; who has not must begin anew."""
    start = (await part_of(store, None, 1)).cursor
    for n in range(3):
        clock.now = START + n
        await store.transact("alice", deciding(Decision(None, audit=(started(session("s"))._replace(at=clock.now),))))
    (_, first), (_, second), (_, third) = (await part_of(store, start, 10)).rows
    await store.upkeep.purge(START + 2, 1000)
    assert len(await store.logs.audit(AuditQuery())) == 1, "two of three were forgotten"
    assert await store.logs.audit_after(start, 10) is None
    assert await store.logs.audit_after(first, 10) is None
    assert [cursor for _, cursor in (await part_of(store, second, 10)).rows] == [third]
    await store.upkeep.purge(START + 3, 1000)
    assert (await part_of(store, third, 10)).rows == ()


async def test_a_cursor_of_another_log_is_none(store: Store, tmp_path: Path) -> None:
    """Of another database, another kind of store, or a place that this log has never reached."""
    await put(store, session("s"))
    here = (await part_of(store, None, 1)).cursor
    for url in ("memory://", f"sqlite:///{tmp_path}/another.db"):
        other = make_store(url)
        await other.open()
        there = (await part_of(other, None, 1)).cursor
        await other.close()
        assert await store.logs.audit_after(there, 10) is None
    beyond = here._replace(places=tuple(place + 1 for place in here.places))
    assert await store.logs.audit_after(beyond, 10) is None


async def test_the_log_of_a_durable_store_stays_the_same(url: str, clock: Clock) -> None:
    """A cursor is good over a restart, and for another process on the same data."""
    if url == "memory://":
        return  # everything is forgotten with the process
    store = make_store(url, clock)
    await store.open()
    cursor = (await part_of(store, None, 1)).cursor
    await put(store, session("a"))
    await store.close()
    again = make_store(url, clock)
    await again.open()
    assert [row.entry.session for row in await the_rest(again, cursor)] == ["a"]
    await again.close()


@pytest.mark.parametrize("server", list(SERVERS.values()), ids=list(SERVERS))
async def test_a_redis_that_was_emptied_has_another_log(request: pytest.FixtureRequest, server: str) -> None:
    """Even when it has rows again, with the same stamps: what was lost must not be passed over in silence."""
    redis: RedisServer | RedisCluster = request.getfixturevalue(server)
    redis.flush()
    store = make_store(redis.url)
    await store.open()
    cursor = (await part_of(store, None, 1)).cursor
    redis.flush()
    await put(store, session("a"), ended(session("a")))
    assert await store.logs.audit_after(cursor, 10) is None
    await store.close()
