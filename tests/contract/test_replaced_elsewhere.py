"""A login that replaces a session of another room takes two commits: what lies between can be finished."""

from typing import Any, cast

import pytest

from enforcer.domain.admission import Login
from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import EndReason
from enforcer.domain.rules import Rules
from enforcer.store.base import Store
from enforcer.store.queries import AuditQuery
from enforcer.usecases.registry import Registry
from tests.contract.conftest import Clock


class Spoilt:
    """A store that takes no decisions about one room."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, room: str, decide: Any, **options: Any) -> Any:
        """Unless it is that room."""
        if room == self.away:
            raise StoreUnavailable("cut off")
        return await self._store.transact(room, decide, **options)


async def test_a_repeat_finishes_what_an_outage_left(store: Store, clock: Clock) -> None:
    """The claim is committed, then the store is gone: 503, and a repeat ends the other room's session, once."""
    spoilt = Spoilt(store)
    registry = Registry(cast(Store, spoilt), Rules(), clock)
    await registry.login("alice", Login("a"))
    spoilt.away = "alice"
    change = Login("b", replaces="a", request_id="r", fingerprint="f")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await registry.login("bob", change)
        assert [s.session.id for s in await registry.list_room("bob")] == ["b"]
        assert (await registry.get("a")).session.ended is False
    spoilt.away = None
    for _ in range(2):
        assert (await registry.login("bob", Login("c", replaces="a", request_id="r", fingerprint="f"))).session == "b"
    ended = (await registry.get("a")).session
    assert (ended.end_reason, ended.ended_by and ended.ended_by.session) == (EndReason.REPLACED, "b")
    rows = [(row.entry.event.value, row.entry.session) for row in await store.logs.audit(AuditQuery())]
    assert sorted(rows) == [("ended", "a"), ("started", "a"), ("started", "b")]
