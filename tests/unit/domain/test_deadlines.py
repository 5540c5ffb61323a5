"""When time ends a session, and how notes about it are merged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.deadlines import (
    IDLE_SLACK,
    LEFT_FOR,
    LOST_STEP,
    active_mark,
    due_at,
    expiry,
    joined_marks,
    left_mark,
    lost_deadline,
    lost_due,
    merged,
    postponed,
    seen_mark,
)
from enforcer.domain.model import FOREVER, EndReason, Mark, Session
from enforcer.domain.rules import Rules
from tests.unit.rooms import START

RULES = Rules(idle_timeout=600, absolute_timeout=3600, lost_timeout=7200)


def session(**fields: object) -> Session:
    """A live claimed session without deadlines, but for `fields`."""
    blank = Session("s", "alice", True, 1, START, START, START, START, None, None, None)
    return blank._replace(**fields)  # type: ignore[arg-type]


# ---- expiry -----------------------------------------------------------------------------------------


def test_without_deadlines_nothing_ends() -> None:
    """Time-outs are off until chosen."""
    assert expiry(session(), START + 10**9, RULES) is None
    assert due_at(session()) == FOREVER


@pytest.mark.parametrize(
    ("field", "slack", "reason"),
    [("idle_at", IDLE_SLACK, EndReason.IDLE), ("absolute_at", 0, EndReason.ABSOLUTE), ("lost_at", 0, EndReason.LOST)],
)
def test_each_deadline_ends_with_its_reason(field: str, slack: float, reason: EndReason) -> None:
    """A moment before nothing happens; at the deadline (idle: two seconds later) it is over, and due just then."""
    s = session(**{field: START + 100})
    assert expiry(s, START + 100 + slack - 0.001, RULES) is None
    assert expiry(s, START + 100 + slack, RULES) is reason
    assert due_at(s) == START + 100 + slack


def test_the_absolute_deadline_comes_first() -> None:
    """When several have passed, the one that nothing could have moved is the reason."""
    s = session(idle_at=START, absolute_at=START + 5, lost_at=START)
    assert expiry(s, START + 10, RULES) is EndReason.ABSOLUTE


def test_in_the_grace_only_the_absolute_deadline_counts() -> None:
    """After an outage pages may come back before idle or lost sessions end."""
    graceful = replace(RULES, grace=True)
    assert expiry(session(idle_at=START, lost_at=START), START + 100, graceful) is None
    assert expiry(session(absolute_at=START), START + 100, graceful) is EndReason.ABSOLUTE


def test_an_unclaimed_session_is_lost_after_the_alive_window() -> None:
    """Claimed ones live for `lost_timeout` unseen, if there is one."""
    assert lost_deadline(False, START, RULES) == START + RULES.alive_window
    assert lost_deadline(True, START, RULES) == START + 7200
    assert lost_deadline(True, START, replace(RULES, lost_timeout=None)) is None


def test_an_outage_moves_idle_and_lost_but_not_absolute() -> None:
    """What is postponed after an outage is what sockets and humans could not do meanwhile."""
    s = postponed(session(idle_at=1.0, lost_at=2.0, absolute_at=3.0), 10)
    assert (s.idle_at, s.lost_at, s.absolute_at) == (11, 12, 3)


# ---- marks ------------------------------------------------------------------------------------------


def test_a_sign_of_life_never_moves_the_idle_deadline() -> None:
    """Checks keep a session alive, only humans keep it from being idle."""
    before = session(idle_at=START + 600)
    after = merged(before, seen_mark(before, START + 50, RULES))
    assert after.seen_until == START + 50 + RULES.alive_window
    assert after.idle_at == before.idle_at
    assert after.last_active_at == before.last_active_at


def test_activity_moves_the_idle_deadline() -> None:
    """Human activity 10 seconds ago counts from then."""
    s = session(idle_at=START + 600)
    after = merged(s, active_mark(s, START + 40, START + 50, RULES))
    assert (after.last_active_at, after.idle_at) == (START + 40, START + 640)


def test_activity_never_goes_backwards_nor_into_the_future() -> None:
    """A late or lying report cannot shorten the deadline, nor push it beyond now."""
    s = session(idle_at=START + 640, last_active_at=START + 40)
    assert merged(s, active_mark(s, START, START + 50, RULES)).idle_at == START + 640
    assert merged(s, active_mark(s, START + 10**6, START + 50, RULES)).idle_at == START + 650


def test_a_clean_close_shortens_the_life() -> None:
    """After its last socket was closed cleanly, a session counts as alive for a moment only."""
    s = session(seen_until=START + 60)
    assert merged(s, left_mark(s.id, s.claimed, START + 1, RULES)).seen_until == START + 1 + LEFT_FOR


def test_a_return_takes_the_close_back() -> None:
    """A page that moves on closes and opens: as one note it is alive for the whole window."""
    s = session(seen_until=START + 60)
    both = joined_marks(left_mark(s.id, s.claimed, START + 1, RULES), seen_mark(s, START + 2, RULES))
    assert merged(s, both).seen_until == START + 2 + RULES.alive_window


def test_never_lost_stays_never() -> None:
    """A note that was made while the page was unclaimed sets no deadline after its login."""
    unclaimed = session(claimed=False, lost_at=START + 60)
    note = seen_mark(unclaimed, START, replace(RULES, lost_timeout=None))
    assert merged(session(lost_at=None), note).lost_at is None


def test_the_first_ack_stays() -> None:
    """`acked_at` and `refused_at` are those of the first tab, also of an ended session."""
    ended = session(ended_at=START, end_reason=EndReason.DISPLACED, acked_at=START + 1)
    after = merged(ended, Mark("s", acked_at=START + 5, refused_at=START + 6, seen_until=START + 99))
    assert (after.acked_at, after.refused_at, after.seen_until) == (START + 1, START + 6, START)


times = st.integers(0, 100).map(lambda n: START + n)
maybe = st.none() | times


@st.composite
def marks(draw: st.DrawFn, now: float) -> Mark:
    """Notes as they are really made at `now`, alone or several in one."""
    rules = draw(st.sampled_from([RULES, Rules(), Rules(idle_timeout=60, lost_timeout=None)]))
    s = session(claimed=draw(st.booleans()))
    made = draw(
        st.sampled_from(
            [
                seen_mark(s, now, rules),
                left_mark(s.id, s.claimed, now, rules),
                active_mark(s, draw(times), now, rules),
                Mark("s", acked_at=now),
                Mark("s", refused_at=now),
            ]
        )
    )
    return made


@given(
    data=st.data(),
    first_at=st.integers(0, 50),
    gap=st.integers(0, 50),
    ended=st.booleans(),
    idle_at=maybe,
    lost_at=maybe,
    acked_at=maybe,
)
def test_two_notes_in_one_do_the_same_as_one_after_the_other(
    data: st.DataObject,
    first_at: int,
    gap: int,
    ended: bool,
    idle_at: float | None,
    lost_at: float | None,
    acked_at: float | None,
) -> None:
    """`merged(merged(s, a), b) == merged(s, joined_marks(a, b))` for notes in the order of time.

    The session was seen no later than the first note, as it is when notes are made from its record.
    """
    s = session(
        idle_at=idle_at,
        lost_at=lost_at,
        acked_at=acked_at,
        seen_until=START + data.draw(st.integers(0, first_at)) + RULES.alive_window,
        ended_at=START if ended else None,
        end_reason=EndReason.LOGOUT if ended else None,
    )
    a = data.draw(marks(START + first_at))
    b = data.draw(marks(START + first_at + gap))
    assert merged(merged(s, a), b) == merged(s, joined_marks(a, b))


@given(data=st.data(), at=st.integers(0, 50))
def test_a_note_twice_is_a_note_once(data: st.DataObject, at: int) -> None:
    """A batch that is written again after an unknown outcome changes nothing."""
    mark = data.draw(marks(START + at))
    s = session(seen_until=START + 30, lost_at=START)
    assert merged(merged(s, mark), mark) == merged(s, mark)


def test_a_sign_of_life_moves_the_lost_deadline_in_steps() -> None:
    """It is indexed: not worth a write for each call. The last close says it exactly."""
    s = session(lost_at=START + 7200)
    step = 7200 * LOST_STEP
    assert seen_mark(s, START + step - 1, RULES).lost_at is None
    assert seen_mark(s, START + step + 1, RULES).lost_at == START + step + 1 + 7200
    assert left_mark(s.id, s.claimed, START + 1, RULES).lost_at == START + 1 + 7200
    assert lost_due(s, START + 1, RULES) == pytest.approx(START + step)
    assert lost_due(session(), START, RULES) == FOREVER
    assert lost_due(s, START, replace(RULES, lost_timeout=None)) == FOREVER
