"""Whom a change may concern: never fewer than those for whom something is new."""

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.model import Change, Session
from tests.contract.rooms import ended, session

rooms = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=6)
"""Of each session, by its epoch: whether it is live before, live after, and changed all the same."""


def newest(live: list[Session]) -> int:
    """The highest epoch."""
    return max((s.epoch for s in live), default=0)


@given(room=rooms)
def test_whoever_becomes_the_newest_or_is_no_longer_is_concerned(room: list[tuple[bool, bool, bool]]) -> None:
    """And of a change that may not be whole everybody is."""
    sessions = [session(f"s{n}", epoch=n + 1) for n in range(len(room))]
    before = [s for s, (was, _, _) in zip(sessions, room, strict=True) if was]
    after = [s for s, (_, live, _) in zip(sessions, room, strict=True) if live]
    changed = tuple(
        s if live else ended(s)
        for s, (was, live, too) in zip(sessions, room, strict=True)
        if was != live or (was and too)
    )
    change = Change("alice", changed)
    others = [s for s in before if s in after and s not in changed]
    for other in others:
        was_newest, is_newest = (other.epoch == newest(live) for live in (before, after))
        assert was_newest == is_newest or change.may_concern(other.epoch, was_newest)
        assert Change("alice", changed, whole=False).may_concern(other.epoch, was_newest)


def test_a_login_concerns_the_one_that_was_the_newest_alone() -> None:
    """Of a hundred tabs and sessions that stay, one is told something."""
    login = Change("alice", (session("new", epoch=101),))
    assert [epoch for epoch in range(1, 101) if login.may_concern(epoch, newest=epoch == 100)] == [100]
    assert not Change("alice", (ended(session("old", epoch=1)),)).may_concern(2, newest=False)
