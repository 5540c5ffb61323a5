"""A login that replaces a session of another room takes two commits: what lies between can be finished."""

from collections.abc import Collection
from typing import Any

import pytest

from enforcer.deadlines import Rules
from enforcer.errors import StoreUnavailable
from enforcer.model import EndReason
from enforcer.policy import Login
from enforcer.registry import Registry
from enforcer.store.base import AuditQuery, Store
from tests.contract.conftest import Clock


async def test_a_repeat_finishes_what_an_outage_left(store: Store, clock: Clock) -> None:
    """The claim is committed, then the store is gone: 503, and a repeat ends the other room's session, once."""
    away = False

    async def transact(room: str, decide: Any, *, sessions: Collection[str] = (), request_id: str | None = None) -> Any:
        if away and room == "alice":
            raise StoreUnavailable("cut off")
        return await store.transact(room, decide, sessions=sessions, request_id=request_id)

    registry = Registry(store, Rules(), clock, transact)
    await registry.login("alice", Login("a"))
    away = True
    change = Login("b", replaces="a", request_id="r", fingerprint="f")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await registry.login("bob", change)
        assert [s.session.id for s in await registry.list_room("bob")] == ["b"]
        assert (await registry.get("a")).session.ended is False
    away = False
    for _ in range(2):
        assert (await registry.login("bob", Login("c", replaces="a", request_id="r", fingerprint="f"))).session == "b"
    ended = (await registry.get("a")).session
    assert (ended.end_reason, ended.ended_by and ended.ended_by.session) == (EndReason.REPLACED, "b")
    rows = [(row.entry.event.value, row.entry.session) for row in await store.audit(AuditQuery())]
    assert sorted(rows) == [("ended", "a"), ("started", "a"), ("started", "b")]
