"""What every store promises: the docstrings of `enforcer.store.base.Store`, sentence by sentence."""

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enforcer.domain.deadlines import IDLE_SLACK, due_at, merged, postponed
from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import (
    FOREVER,
    AuditEntry,
    AuditEvent,
    Change,
    Decision,
    EndReason,
    Identity,
    LoginAnswer,
    Mark,
    RememberedAnswer,
    RoomState,
    Session,
    Terms,
    WaitingLogin,
)
from enforcer.domain.policy import REMEMBER_FOR
from enforcer.store import memory
from enforcer.store.base import Store
from enforcer.store.by_url import make_store
from enforcer.store.queries import AuditQuery, SessionQuery
from enforcer.store.sqlite import logs as sqlite_logs
from tests.contract.conftest import START, Clock
from tests.contract.rooms import DEVICE, deciding, ended, look, put, session, started

FULL = session(
    "full",
    epoch=2**53 - 1,
    started_at=START + 0.001,
    last_seen_at=START + 0.002,
    last_active_at=START + 0.003,
    seen_until=START + 0.004,
    idle_at=START + 1.5,
    absolute_at=START + 2.5,
    lost_at=START + 3.5,
    window_at=START + 4.5,
    online_until=START + 5.5,
    device=DEVICE,
    entry="sso",
    slot="mobile",
    exempt=True,
    impersonated_by="support – 7 👩",
    idle_timeout=12.5,
    warn_before=FOREVER,
    reported_at=START + 9,
    idp=Identity("https://idp.example", "ü", "s-1", 1_700_000_000),
    aliases=("email:alice@example.com", "opaque:42"),
)


# ---- reading what was written -----------------------------------------------------------------------


async def test_an_unknown_room_is_empty(store: Store) -> None:
    """Nobody has been there."""
    assert await store.room("nobody") == RoomState("nobody")


async def test_an_unknown_session_is_none(store: Store) -> None:
    """The store does not know the id."""
    assert await store.get("nobody") is None


@pytest.mark.parametrize("record", [FULL, session("plain"), ended(FULL, reason=EndReason.DISPLACED)], ids=lambda s: "")
async def test_a_record_comes_back_as_it_was_put(store: Store, record: Session) -> None:
    """Every field, exactly, whichever way it is read."""
    await put(store, record)
    snapshot = await store.get(record.id)
    assert snapshot is not None
    assert snapshot.session == record
    assert (await look(store, "alice", sessions=[record.id]))[0].found == {record.id: record}
    assert [s.session for s in await store.logs.sessions(SessionQuery())] == [record]


@pytest.mark.parametrize("room", ["a b", "ålice 👩", "' OR 1=1 --", "x" * 256, "{}", "A", "a", "\u200b", "%2F/.."])
async def test_rooms_are_compared_exactly(store: Store, room: str) -> None:
    """A room's name is opaque: no folding, no escaping, no normalising."""
    await put(store, session("s", room))
    assert [s.id for s in (await store.room(room)).sessions] == ["s"]
    assert (await store.room(room.swapcase() if room.swapcase() != room else room + "x")).sessions == ()


async def test_the_room_has_its_live_sessions_oldest_claim_first(store: Store) -> None:
    """Unclaimed ones (epoch 0) before them by start; ended ones not at all."""
    records = [
        session("new", epoch=9),
        session("old", epoch=3),
        session("page-2", epoch=0, claimed=False, started_at=START + 2),
        session("page-1", epoch=0, claimed=False, started_at=START + 1),
        ended(session("gone", epoch=5)),
        session("elsewhere", "bob"),
    ]
    await put(store, *records)
    state = await store.room("alice")
    assert [s.id for s in state.sessions] == ["page-1", "page-2", "old", "new"]
    assert (await look(store, "alice"))[0].sessions == state.sessions


async def test_epoch_and_waiting_stay_until_they_are_changed(store: Store) -> None:
    """`None` in a decision means unchanged; an empty tuple of waiting logins means none wait any more."""
    idp = Identity("https://idp.example", "a")
    terms = Terms("mobile", 2, "reject", 1.5, FOREVER, None, True, "support-7", ("a", "b"), idp, ("x",))
    waiting = (
        *(WaitingLogin(START, DEVICE, "sso", "old"), WaitingLogin(START + 1), WaitingLogin(START + 2, terms=terms)),
        *(WaitingLogin(START + 3, key="shop"), WaitingLogin(START + 4, DEVICE, None, "old", terms, "shop")),
    )
    await store.transact("alice", deciding(Decision(None, epoch=5, waiting=waiting)))
    await put(store, session("s"))
    state = await store.room("alice")
    assert (state.epoch, state.waiting) == (5, waiting)
    await store.transact("alice", deciding(Decision(None, waiting=())))
    state = await store.room("alice")
    assert (state.epoch, state.waiting) == (5, ())


async def test_found_has_what_was_asked_for_wherever_it_is(store: Store) -> None:
    """Live here, ended here, or of another room; unknown ids are absent, and nothing else is in it."""
    here, over, there = session("here"), ended(session("over")), session("there", "bob")
    await put(store, here, over, there, session("not asked for"))
    state, _ = await look(store, "alice", sessions=["here", "over", "there", "unknown"])
    assert state.found == {"here": here, "over": over, "there": there}


async def test_the_newest_epoch_is_that_of_the_live_sessions(store: Store) -> None:
    """A session is the newest if no live one of its room has a later claim; an ended one never is."""
    await put(store, session("a", epoch=1), session("b", epoch=2), session("z", "bob", epoch=99))
    newest = {i: s.newest for i in "ab" if (s := await store.get(i))}
    assert newest == {"a": False, "b": True}
    await put(store, ended(session("b", epoch=2)))
    newest = {i: s.newest for i in "ab" if (s := await store.get(i))}
    assert newest == {"a": True, "b": False}
    await put(store, session("m", epoch=3, slot="mobile"), session("n", epoch=4, slot="mobile", exempt=True))
    newest = {i: s.newest for i in "amn" if (s := await store.get(i))}
    assert newest == {"a": True, "m": True, "n": False}, "each slot has its own, and an exempt one is none"
    assert newest == {s.session.id: s.newest for s in await store.logs.sessions(SessionQuery(open=True, room="alice"))}


async def test_decide_is_given_the_stores_time(store: Store, clock: Clock) -> None:
    """`now` in a decision is the clock that decides here."""
    clock.now += 12.5
    _, now = await look(store, "alice")
    assert now == store.now() == START + 12.5


# ---- one atomic step --------------------------------------------------------------------------------


async def everything(store: Store) -> tuple[Any, ...]:
    """All that can be read from a store."""
    return (
        await store.room("alice"),
        await store.logs.sessions(SessionQuery()),
        await store.logs.audit(AuditQuery()),
        (await look(store, "alice", request_id="r"))[0].remembered,
    )


WHOLE = Decision(
    "result",
    changed=(session("a"), session("b", epoch=2)),
    epoch=2,
    waiting=(WaitingLogin(START),),
    audit=(started(session("a")), started(session("b", epoch=2))),
    remember=RememberedAnswer("r", "f", START, LoginAnswer("b", 2, True, ("x",), START + 9)),
)


async def test_a_decision_is_committed_as_a_whole(store: Store) -> None:
    """Records, epoch, waiting logins, audit rows and the remembered answer, in one step."""
    assert await store.transact("alice", deciding(WHOLE)) == WHOLE
    room, log, audit, kept = await everything(store)
    assert room == RoomState("alice", 2, WHOLE.changed, WHOLE.waiting)
    assert [s.session for s in log] == list(WHOLE.changed)
    assert [row.entry for row in audit] == list(WHOLE.audit)
    assert kept == WHOLE.remember


async def test_the_audit_rows_of_one_commit_name_one_operation(store: Store) -> None:
    """`operation` tells which rows belong together, and no two commits share one."""
    await store.transact("alice", deciding(WHOLE))
    await put(store, session("c"))
    operations = [row.operation for row in await store.logs.audit(AuditQuery())]
    assert operations[0] == operations[1] != operations[2]


async def test_if_decide_raises_nothing_is_committed(store: Store) -> None:
    """The error is the caller's, and the store is as before."""
    await put(store, session("s"))
    before = await everything(store)

    def decide(state: RoomState, now: float) -> Decision[None]:
        raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        await store.transact("alice", decide)
    assert await everything(store) == before


async def test_an_empty_decision_commits_nothing(store: Store) -> None:
    """A decision without a change leaves no trace, and nobody is told."""
    heard: list[Change] = []
    store.listen(heard.append)
    assert (await store.transact("alice", deciding(Decision(5)))).result == 5
    assert await everything(store) == (RoomState("alice"), [], [], None)
    assert heard == []


async def test_two_hundred_at_once_are_taken_one_after_the_other(store: Store) -> None:
    """Each decision about a room sees the state that the one before left: none is lost, none sees another's half."""

    def claim(n: int) -> Any:
        def decide(state: RoomState, now: float) -> Decision[int]:
            mine = session(f"s{n}", epoch=state.epoch + 1)
            over = tuple(ended(s, START + n) for s in state.sessions)
            return Decision(mine.epoch, changed=(mine, *over), epoch=mine.epoch, audit=(started(mine),))

        return decide

    made = await asyncio.gather(*(store.transact("alice", claim(n)) for n in range(200)))
    assert sorted(decision.result for decision in made) == list(range(1, 201))
    state = await store.room("alice")
    assert state.epoch == 200
    assert [s.epoch for s in state.sessions] == [200]
    assert [row.entry.epoch for row in await store.logs.audit(AuditQuery(limit=1000))] == list(range(1, 201))


async def test_every_later_read_sees_the_change(store: Store) -> None:
    """When `transact` has returned, nothing reads the state of before."""
    for n in range(1, 30):
        await store.transact("alice", deciding(Decision(None, changed=(session("s", epoch=n),), epoch=n)))
        snapshot = await store.get("s")
        assert snapshot is not None
        assert snapshot.session.epoch == (await store.room("alice")).epoch == n


async def test_listeners_are_told_before_transact_returns(store: Store) -> None:
    """With the room and the changed records, once for each commit, on the event loop, when reads see the change."""
    told: list[tuple[Change, asyncio.AbstractEventLoop]] = []
    store.listen(lambda change: told.append((change, asyncio.get_running_loop())))
    records = (session("a"), session("b"))
    await put(store, *records)
    assert told == [(Change("alice", records), asyncio.get_running_loop())]


async def test_every_listener_is_told(store: Store) -> None:
    """Several may listen."""
    first: list[Change] = []
    second: list[Change] = []
    store.listen(first.append)
    store.listen(second.append)
    await put(store, session("a"))
    assert len(first) == len(second) == 1


async def test_listeners_are_told_in_the_order_of_the_commits(store: Store) -> None:
    """Whoever follows a room hears of its claims as they happened."""
    heard: list[int] = []
    store.listen(lambda change: heard.append(change.sessions[0].epoch))

    def claim(state: RoomState, now: float) -> Decision[None]:
        return Decision(None, changed=(session("s", epoch=state.epoch + 1),), epoch=state.epoch + 1)

    await asyncio.gather(*(store.transact("alice", claim) for _ in range(50)))
    assert heard == list(range(1, 51))


async def test_ids_are_global(store: Store) -> None:
    """An id that is in use in one room is found from every other, also after its end."""
    await put(store, session("s", "bob"))
    assert (await look(store, "alice", sessions=["s"]))[0].found["s"].room == "bob"
    await put(store, ended(session("s", "bob")))
    assert (await look(store, "alice", sessions=["s"]))[0].found["s"].ended


# ---- the memory of request ids ----------------------------------------------------------------------


def remembering(request_id: str, at: float = START, fingerprint: str = "f") -> Decision[None]:
    """Only keeps an answer."""
    answer = LoginAnswer(None, 0, False)
    return Decision(None, remember=RememberedAnswer(request_id, fingerprint, at, answer))


async def test_an_answer_is_kept_for_its_room_and_request(store: Store) -> None:
    """Another room or another request id does not find it."""
    await store.transact("alice", deciding(remembering("r")))
    assert (await look(store, "alice", request_id="r"))[0].remembered == remembering("r").remember
    assert (await look(store, "alice", request_id="R"))[0].remembered is None
    assert (await look(store, "bob", request_id="r"))[0].remembered is None
    assert (await look(store, "alice"))[0].remembered is None


async def test_a_later_answer_takes_the_place_of_the_first(store: Store) -> None:
    """When its memory is over, a request id may be used again."""
    await store.transact("alice", deciding(remembering("r")))
    later = remembering("r", START + 700, "g")
    await store.transact("alice", deciding(later))
    assert (await look(store, "alice", request_id="r"))[0].remembered == later.remember


# ---- marks ------------------------------------------------------------------------------------------

moments = st.integers(-50, 50).map(lambda n: START + n)
maybe = st.none() | moments
any_mark = st.builds(
    Mark,
    session=st.sampled_from(["live", "bare", "over", "unknown"]),
    last_seen_at=maybe,
    seen_until=maybe,
    lost_at=maybe,
    left_until=maybe,
    last_active_at=maybe,
    idle_at=maybe,
    online_until=maybe,
    offline_at=maybe,
    acked_at=maybe,
    refused_at=maybe,
)
MARKED = {
    "live": session("live", idle_at=START, lost_at=START, absolute_at=START),
    "bare": session("bare"),
    "over": ended(session("over", idle_at=START)),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=st.lists(any_mark, max_size=6), acked=st.booleans())
async def test_marks_are_merged_as_the_domain_says(store: Store, marks: list[Mark], acked: bool) -> None:
    """`mark` equals `deadlines.merged`, one after the other; unknown ids are skipped."""
    expected = {i: s._replace(acked_at=START if acked else None) for i, s in MARKED.items()}
    await put(store, *expected.values())
    for mark in marks:
        if mark.session in expected:
            expected[mark.session] = merged(expected[mark.session], mark)
    await store.mark(marks)
    for id_, record in expected.items():
        snapshot = await store.get(id_)
        assert snapshot is not None
        assert snapshot.session == record


async def test_marks_tell_nobody_and_write_no_audit(store: Store) -> None:
    """What is merely noticed is no transition."""
    await put(store, session("s"))
    heard: list[Change] = []
    store.listen(heard.append)
    await store.mark([Mark("s", last_seen_at=START + 5)])
    assert heard == []
    assert len(await store.logs.audit(AuditQuery())) == 1


# ---- what is due ------------------------------------------------------------------------------------


async def test_due_rooms_are_given_the_longest_overdue_first(store: Store) -> None:
    """By the first deadline of their live sessions: idle with its slack, absolute, lost, or the login window."""
    await put(
        store,
        session("1", "idle", idle_at=START + 10),
        session("2", "absolute", absolute_at=START + 11),
        session("3", "lost", lost_at=START + 9, absolute_at=START + 500),
        session("4", "window", window_at=START + 10),
        session("5", "later", idle_at=START + 100),
        session("6", "never"),
        ended(session("7", "over", idle_at=START)),
    )
    assert await store.upkeep.due(START + 8.9, 10) == []
    assert await store.upkeep.due(START + 10 + IDLE_SLACK, 10) == ["lost", "window", "absolute", "idle"]
    assert await store.upkeep.due(START + 10, 10) == ["lost", "window"]
    assert await store.upkeep.due(START + 1000, 2) == ["lost", "window"]


async def test_due_changes_nothing(store: Store) -> None:
    """Asking twice gives the same."""
    await put(store, session("1", "a", idle_at=START), session("2", "b", lost_at=START))
    assert await store.upkeep.due(START + 99, 10) == await store.upkeep.due(START + 99, 10) == ["b", "a"]


async def test_due_looks_at_a_session_once(store: Store) -> None:
    """A deadline that came earlier again and again does not crowd out the other rooms."""
    for n in range(5):
        await put(store, session("s", "a", idle_at=START + 50 - n))
    await put(store, session("t", "b", idle_at=START + 90))
    assert await store.upkeep.due(START + 100, 2) == ["a", "b"]


async def test_due_follows_the_deadlines_as_they_move(store: Store) -> None:
    """A deadline may move later by activity, or earlier by a decision; ended sessions are due no more."""
    await put(store, session("s", "a", idle_at=START + 10))
    await store.mark([Mark("s", last_active_at=START + 50, idle_at=START + 60)])
    assert await store.upkeep.due(START + 20, 10) == []
    assert await store.upkeep.due(START + 60 + IDLE_SLACK, 10) == ["a"]
    await put(store, session("s", "a", idle_at=START + 5))
    assert await store.upkeep.due(START + 5 + IDLE_SLACK, 10) == ["a"]
    await put(store, ended(session("s", "a", idle_at=START + 5)))
    assert await store.upkeep.due(FOREVER, 10) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deadlines=st.lists(st.tuples(maybe, maybe, maybe, maybe), min_size=1, max_size=5), at=moments)
async def test_due_is_what_the_domain_says(store: Store, deadlines: list[Any], at: float) -> None:
    """A room is due exactly when `deadlines.due_at` of one of its sessions has come."""
    records = [
        session(f"s{n}", f"room{n}", idle_at=i, absolute_at=a, lost_at=lost, window_at=w)
        for n, (i, a, lost, w) in enumerate(deadlines)
    ]
    blank = [session(f"s{n}", f"room{n}") for n in range(5)]
    await put(store, *blank)
    await put(store, *records)
    expected = sorted((due_at(s), s.room) for s in records if due_at(s) <= at)
    assert sorted(await store.upkeep.due(at, 10)) == sorted(room for _, room in expected)


# ---- figures ----------------------------------------------------------------------------------------


async def test_live_sessions_are_counted(url: str, clock: Clock, store: Store) -> None:
    """Whatever became of the others, and after a restart of a store that remembers."""
    assert await store.logs.open_sessions() == 0
    await put(
        store, session("a"), session("b"), session("c", "bob"), session("page", claimed=False), ended(session("d"))
    )
    assert await store.logs.open_sessions() == 4
    await put(store, session("a", epoch=2), ended(session("b")))
    assert await store.logs.open_sessions() == 3
    await store.upkeep.forget("alice", ["a", "b"])
    await store.upkeep.purge(START + 1000, 100)
    assert await store.logs.open_sessions() == 3
    if not url.startswith("memory"):
        await store.close()
        again = make_store(url, clock)
        await again.open()
        await asyncio.gather(
            put(again, session("e", "carol")), again.logs.open_sessions(), put(again, ended(session("c", "bob")))
        )
        assert await again.logs.open_sessions() == 3
        await put(again, session("f", "carol"))
        assert await again.logs.open_sessions() == 4
        await again.close()


# ---- the session log --------------------------------------------------------------------------------


LOG = [
    session("a", started_at=START, slot="mobile"),
    ended(session("b", started_at=START + 1, slot="mobile"), reason=EndReason.DISPLACED),
    session("c", "bob", started_at=START + 1, device=DEVICE),
    ended(session("d", "bob", started_at=START + 2), reason=EndReason.IDLE),
    session("e", started_at=START + 3),
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (SessionQuery(), "abcde"),
        (SessionQuery(room="alice"), "abe"),
        (SessionQuery(room="nobody"), ""),
        (SessionQuery(open=True), "ace"),
        (SessionQuery(open=False), "bd"),
        (SessionQuery(reason=EndReason.IDLE), "d"),
        (SessionQuery(since=START + 1), "bcde"),
        (SessionQuery(until=START + 1), "a"),
        (SessionQuery(slot="mobile"), "ab"),
        (SessionQuery(slot=""), "cde"),
        (SessionQuery(device="desktop"), "c"),
        (SessionQuery(device=DEVICE.label), "c"),
        (SessionQuery(device="d-1"), "c"),
        (SessionQuery(device="Mozilla/5.0"), ""),
        (SessionQuery(since=START + 1, until=START + 3), "bcd"),
        (SessionQuery(room="bob", open=False, reason=EndReason.DISPLACED), ""),
        (SessionQuery(limit=2), "ab"),
        (SessionQuery(after=(START + 1, "b")), "cde"),
        (SessionQuery(after=(START + 1, "b"), limit=1, room="alice"), "e"),
        (SessionQuery(newest=True), "edcba"),
        (SessionQuery(newest=True, after=(START + 2, "d"), limit=2), "cb"),
        (SessionQuery(newest=True, after=(START + 1, "c"), room="alice"), "ba"),
        (SessionQuery(newest=True, since=START + 1, until=START + 3, open=True), "c"),
        (SessionQuery(newest=True, limit=1, until=START + 3), "d"),
        (SessionQuery(rooms="al"), "abe"),
        (SessionQuery(rooms="b", limit=1, after=(START + 1, "c")), "d"),
        (SessionQuery(rooms="l"), ""),
        (SessionQuery(rooms="al", room="bob"), ""),
    ],
)
async def test_the_session_log(store: Store, query: SessionQuery, ids: str) -> None:
    """Rows oldest start first, then by id; `since` included, `until` excluded, `after` is the last row before."""
    await put(store, *reversed(LOG))
    assert [s.session.id for s in await store.logs.sessions(query)] == list(ids)


@pytest.mark.parametrize("newest", [False, True])
async def test_pages_of_the_session_log_make_the_whole(store: Store, newest: bool) -> None:
    """Page by page, every row comes once, also where many started in the same moment; either way round."""
    await put(store, *(session(f"s{n:02}", started_at=START + n // 10) for n in range(35)))
    rows: list[str] = []
    after: tuple[float, str] | None = None
    while page := await store.logs.sessions(SessionQuery(limit=4, after=after, newest=newest)):
        rows += [s.session.id for s in page]
        after = (page[-1].session.started_at, page[-1].session.id)
    assert rows == [f"s{n:02}" for n in range(35)][:: -1 if newest else 1]


@pytest.fixture
def short_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of no time ends after three rows, where it is not after each of them."""
    monkeypatch.setattr(sqlite_logs, "PORTION", 3)
    monkeypatch.setattr(memory, "AT_ONCE", 3)


@pytest.mark.usefixtures("short_portions")
@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("reason", [None, EndReason.IDLE, EndReason.SECURITY])
async def test_what_is_searched_bit_by_bit_is_the_whole(store: Store, newest: bool, reason: EndReason | None) -> None:
    """A search that has no time tells how far it came, and goes on there: nothing is left out, nothing twice, also
    where many sessions began in one moment."""
    rows = [session(f"s{n:02}", f"r{n % 3}", started_at=START + n // 7) for n in range(40)]
    await put(store, *(ended(s, reason=EndReason.IDLE) if n % 9 == 4 else s for n, s in enumerate(rows)))
    query = SessionQuery(reason=reason, newest=newest, rooms="r", limit=2)
    whole = [s.session.id for s in await store.logs.sessions(replace(query, limit=100))]
    assert len(whole) == {None: 40, EndReason.IDLE: 4}.get(reason, 0)
    found: list[str] = []
    pauses: list[float] = []
    while True:
        part = await store.logs.search_sessions(query, 0)
        assert len(part.rows) <= query.limit
        found += [s.session.id for s in part.rows]
        if part.at is not None:
            pauses.append(part.at)
        if part.place is None and len(part.rows) < query.limit:
            break
        last = part.rows[-1].session if len(part.rows) == query.limit else None
        query = replace(query, after=part.place if last is None else (last.started_at, last.id))
    assert found == whole
    assert pauses == sorted(pauses, reverse=newest)
    assert reason is None or len(pauses) > 2, "it was searched in one go"


@pytest.mark.usefixtures("short_portions")
@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("rooms", ["r", "r2", "x"])
async def test_the_audit_log_searched_bit_by_bit_is_the_whole(store: Store, newest: bool, rooms: str) -> None:
    """The same of the audit log."""
    for n in range(20):
        entry = AuditEntry(START + n, AuditEvent.STARTED, f"r{n % 3}", f"s{n}", None, 1)
        await store.transact(entry.room, deciding(Decision(None, audit=(entry,))))
    query = AuditQuery(rooms=rooms, newest=newest, limit=4)
    whole = [row.seq for row in await store.logs.audit(replace(query, limit=100))]
    assert len(whole) == {"r": 20, "r2": 6, "x": 0}[rooms]
    found: list[int] = []
    pauses = 0
    while True:
        part = await store.logs.search_audit(query, 0)
        found += [row.seq for row in part.rows]
        pauses += part.at is not None
        if part.place is None and len(part.rows) < query.limit:
            break
        query = replace(query, after=part.rows[-1].seq if len(part.rows) == query.limit else part.place)
    assert found == whole
    assert pauses > 2, "it was searched in one go"


async def test_a_first_start_that_moves_moves_the_row(store: Store) -> None:
    """A page's session starts anew with its login: the log has it once, at its new place."""
    await put(store, session("page", claimed=False, epoch=0), session("b", started_at=START + 1))
    await put(store, session("page", started_at=START + 2))
    assert [s.session.id for s in await store.logs.sessions(SessionQuery())] == ["b", "page"]


# ---- the audit log ----------------------------------------------------------------------------------


async def test_the_audit_log(store: Store, clock: Clock) -> None:
    """`seq` grows with the commits; each filter and `after` choose rows, oldest first."""
    entries = [
        AuditEntry(START, AuditEvent.STARTED, "alice", "a", None, 1, None, DEVICE),
        AuditEntry(START + 1, AuditEvent.LOGIN_REFUSED, "alice", None),
        AuditEntry(START + 2, AuditEvent.ENDED, "alice", "a", EndReason.DISPLACED, 1, ended(session("a")).ended_by),
        AuditEntry(START + 3, AuditEvent.STARTED, "bob", "b", None, 1, slot="mobile", impersonated_by="support-7"),
        AuditEntry(START + 4, AuditEvent.REPORTED, "bob", "b", note="it wasn’t me"),
    ]
    for e in entries:
        clock.now = e.at
        await store.transact(e.room, deciding(Decision(None, audit=(e,))))
    rows = await store.logs.audit(AuditQuery())
    assert [row.entry for row in rows] == entries
    assert all(a.seq < b.seq for a, b in itertools.pairwise(rows))

    async def chosen(query: AuditQuery) -> list[AuditEntry]:
        return [row.entry for row in await store.logs.audit(query)]

    assert await chosen(AuditQuery(room="alice")) == entries[:3]
    assert await chosen(AuditQuery(session="a")) == [entries[0], entries[2]]
    assert await chosen(AuditQuery(since=START + 2)) == entries[2:]
    assert await chosen(AuditQuery(limit=1)) == entries[:1]
    assert await chosen(AuditQuery(newest=True)) == entries[::-1]
    assert await chosen(AuditQuery(newest=True, after=rows[3].seq, limit=2)) == [entries[2], entries[1]]
    assert await chosen(AuditQuery(newest=True, room="alice", limit=2)) == [entries[2], entries[1]]
    assert await chosen(AuditQuery(newest=True, room="alice", limit=2, after=rows[1].seq)) == [entries[0]]
    assert await chosen(AuditQuery(newest=True, session="a", until=START + 2)) == [entries[0]]
    assert await chosen(AuditQuery(newest=True, since=START + 2, until=START + 4)) == entries[3:1:-1]
    assert await chosen(AuditQuery(rooms="b", limit=1)) == [entries[3]]
    assert await chosen(AuditQuery(rooms="li")) == await chosen(AuditQuery(rooms="b", session="a")) == []
    assert await chosen(AuditQuery(after=rows[1].seq, limit=1)) == [entries[2]]


# ---- forgetting -------------------------------------------------------------------------------------


async def test_purge_forgets_what_ended_before(store: Store) -> None:
    """Ended sessions and their older audit rows go; live ones stay whatever their age."""
    ancient = session("ancient", started_at=START - 10**8)
    await put(store, ancient, session("old"), session("young"))
    await put(store, ended(session("old"), START), ended(session("young"), START + 10))
    assert await store.upkeep.purge(START + 10, 100) == 1
    assert await store.get("old") is None
    assert await store.get("young") is not None
    assert await store.get("ancient") is not None
    assert [s.session.id for s in await store.logs.sessions(SessionQuery())] == ["ancient", "young"]
    assert [row.entry.at for row in await store.logs.audit(AuditQuery()) if row.entry.at < START + 10] == []


async def test_forgetting_by_name(store: Store) -> None:
    """Ended sessions that are named go at once; live, unknown and other ones stay. Its room is as it was."""
    await put(store, session("live"), session("kept"), session("gone"))
    await put(store, ended(session("kept"), START), ended(session("gone"), START))
    await store.upkeep.forget("alice", ["gone", "live", "unknown"])
    assert await store.get("gone") is None
    assert (await look(store, "alice", sessions=["gone"]))[0].found == {}
    assert [s.session.id for s in await store.logs.sessions(SessionQuery())] == ["kept", "live"]
    assert [s.id for s in (await store.room("alice")).sessions] == ["live"]
    await store.upkeep.forget("nobody", ["gone"])


async def test_unclaimed_sessions_are_not_in_the_log(store: Store) -> None:
    """Anybody can have them: the log is of logins. They are known all the same."""
    await put(store, session("page", claimed=False), session("left", claimed=False), session("login"))
    await put(store, ended(session("left", claimed=False), START))
    for query in (SessionQuery(), SessionQuery(room="alice"), SessionQuery(limit=1), SessionQuery(open=True)):
        assert [s.session.id for s in await store.logs.sessions(query)] == ["login"]
    assert await store.logs.sessions(SessionQuery(open=False)) == []
    assert await store.get("left") is not None


async def test_purge_is_bounded(store: Store) -> None:
    """At most `limit` sessions a call, and it says how many, so that the caller can go on."""
    await put(store, *(ended(session(f"s{n}"), START) for n in range(5)))
    assert [await store.upkeep.purge(START + 1, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_purge_forgets_answers_past_their_memory(store: Store, clock: Clock) -> None:
    """Answers to request ids go after ten minutes, not before."""
    await store.transact("alice", deciding(remembering("r")))
    clock.now = START + REMEMBER_FOR - 1
    await store.upkeep.purge(START, 100)
    assert (await look(store, "alice", request_id="r"))[0].remembered is not None
    clock.now = START + REMEMBER_FOR
    await store.upkeep.purge(START, 100)
    assert (await look(store, "alice", request_id="r"))[0].remembered is None


async def test_purge_keeps_a_room_that_logins_wait_for(store: Store) -> None:
    """A waiting login survives the last session of its room."""
    await put(store, ended(session("s"), START), waiting=(WaitingLogin(START),))
    await store.upkeep.purge(START + 1, 100)
    assert (await store.room("alice")).waiting == (WaitingLogin(START),)


# ---- looking after the sessions ---------------------------------------------------------------------


async def test_the_last_beat_is_kept(store: Store) -> None:
    """None before the first; then the latest."""
    assert await store.upkeep.last_beat() is None
    await store.upkeep.beat(START)
    await store.upkeep.beat(START + 1.5)
    assert await store.upkeep.last_beat() == START + 1.5


async def test_postpone_moves_the_deadlines_of_open_sessions(store: Store) -> None:
    """Idle and lost, of those without later activity and not skipped; page by page, each once."""
    records = [session(f"s{n}", idle_at=START + n, lost_at=START + n, absolute_at=START + 50) for n in range(5)]
    apart = [
        session("active", idle_at=START, last_active_at=START + 20),
        session("skipped", idle_at=START),
        session("bare"),
        ended(session("over", idle_at=START)),
    ]
    await put(store, *records, *apart)
    after: str | None = None
    for _ in range(20):
        after = await store.upkeep.postpone(100, START + 10, {"skipped"}, after, 2)
        if after is None:
            break
    assert after is None
    for record in [*(postponed(s, 100) for s in records), *apart]:
        snapshot = await store.get(record.id)
        assert snapshot is not None
        assert snapshot.session == record


# ---- opening and closing ----------------------------------------------------------------------------


async def test_an_open_store_answers(store: Store) -> None:
    """`ping` returns if the store would take a login now."""
    await store.ping()


async def test_close_may_be_called_twice_or_without_open(url: str, clock: Clock) -> None:
    """Closing is idempotent."""
    store = make_store(url, clock)
    await store.close()
    await store.open()
    await store.close()
    await store.close()


async def test_a_closed_durable_store_does_not_answer(url: str, clock: Clock) -> None:
    """After `close`, what needs the store says that the outcome is unknown, and does not hang."""
    if url == "memory://":
        return  # nothing to let go of: it answers as long as it is there
    store = make_store(url, clock)
    await store.open()
    await store.close()
    for call in (store.ping(), store.get("s"), store.room("r"), put(store, session("s")), store.mark([Mark("s")])):
        with pytest.raises(StoreUnavailable):
            await call
