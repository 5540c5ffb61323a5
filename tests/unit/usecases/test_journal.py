"""Counting take-overs, and saying things seldom."""

import logging

import pytest

from enforcer.process.notices import EVERY, MAX_KINDS, Notices
from enforcer.usecases.journal import LOOKED_AT, WAR_WITHIN, TakeOvers


def test_take_overs_are_forgotten_after_a_minute() -> None:
    """Only those of the last minute count, each room's for itself."""
    seen = TakeOvers()
    assert [seen.another("alice", now) for now in range(5)] == [1, 2, 3, 4, 5]
    assert seen.another("bob", 5) == 1
    assert seen.another("alice", WAR_WITHIN + 2.5) == 3
    assert seen.another("alice", 10 * WAR_WITHIN) == 1


def test_take_overs_are_kept_in_bounded_memory() -> None:
    """However many rooms there are."""
    seen = TakeOvers()
    for n in range(3 * LOOKED_AT):
        assert seen.another(f"user-{n}", n / 1000) == 1
    assert len(seen._recent) == len(seen._by_room) == LOOKED_AT


def test_a_notice_is_said_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With how often it came since the last line; each kind for itself."""
    now = 0.0
    notices = Notices(logging.getLogger("notices"), lambda: now)
    assert [notices.warn("a", "A", n=1) for _ in range(3)] == [True, False, False]
    assert notices.warn("b", "B") is True
    now = EVERY - 0.1
    assert notices.warn("a", "A", n=2) is False
    now = EVERY
    assert notices.warn("a", "A", n=3) is True
    said = [(r.getMessage(), getattr(r, "n", None), getattr(r, "count", None)) for r in caplog.records]
    assert said == [("A", 1, 1), ("B", None, 1), ("A", 3, 4)]


def test_a_flood_of_kinds_is_no_flood_of_lines() -> None:
    """Beyond so many nothing is said until the oldest are a minute old."""
    now = 0.0
    notices = Notices(logging.getLogger("notices"), lambda: now)
    assert sum(notices.warn(f"kind {n}", "x") for n in range(10 * MAX_KINDS)) == MAX_KINDS
    now = EVERY
    assert notices.warn("another", "x") is True
