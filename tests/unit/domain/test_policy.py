"""Who stays and who goes: each rule of `POST /notify` as an example."""

import pytest

from enforcer.domain.errors import RequestIdReused, SessionConflict, SessionEnded, SessionLimit
from enforcer.domain.model import ActorKind, AuditEvent, EndReason, LoginAnswer
from enforcer.domain.policy import REMEMBER_FOR
from enforcer.domain.rules import Rules
from tests.unit.rooms import START, Room, phone

ONE = Rules()
TWO = Rules(max_sessions=2)
REJECT = Rules(policy="reject")


def answered(outcome: object) -> LoginAnswer:
    """The outcome, which must be a login that was let in."""
    assert isinstance(outcome, LoginAnswer), outcome
    return outcome


def test_the_first_login_disturbs_nobody() -> None:
    """The first login of a user is created and displaces nobody."""
    room = Room(ONE)
    answer = answered(room.login("a"))
    assert (answer.session, answer.created, answer.displaced) == ("a", True, ())
    assert [e.event for e in room.audit] == [AuditEvent.STARTED]


def test_the_second_login_ends_the_first() -> None:
    """A login from elsewhere displaces the one before, and its record says by whom."""
    room = Room(ONE)
    room.login("a", device=phone())
    answer = answered(room.login("b", device=phone("Tablet")))
    assert answer.displaced == ("a",)
    assert room.claimed == ["b"]
    ended = room.records["a"]
    assert ended.end_reason is EndReason.DISPLACED
    assert ended.ended_by is not None
    assert (ended.ended_by.kind, ended.ended_by.session) == (ActorKind.LOGIN, "b")
    assert ended.ended_by.device == phone("Tablet")


def test_the_oldest_claims_beyond_the_limit_go_first() -> None:
    """With `max_sessions` 2, the third login ends the oldest claim, not the oldest session."""
    room = Room(TWO)
    room.login("a")
    room.login("b")
    room.login("a")  # claims again: now b is the oldest claim
    assert answered(room.login("c")).displaced == ("b",)
    assert room.claimed == ["a", "c"]


def test_lowering_the_limit_ends_all_beyond_it_at_the_next_login() -> None:
    """When an operator lowers `max_sessions`, the next login displaces as many as it takes, oldest first."""
    room = Room(Rules(max_sessions=4))
    for session in "abcd":
        room.login(session)
    room.rules = TWO
    assert answered(room.login("e")).displaced == ("a", "b", "c")


def test_two_posts_in_a_row_without_a_session_make_two_logins() -> None:
    """Without an id the server makes one each time, and the second login ends the first."""
    room = Room(ONE)
    first, second = answered(room.login()), answered(room.login())
    assert first.session != second.session
    assert second.displaced == (first.session,)


def test_the_same_live_session_again_becomes_the_newest() -> None:
    """`created` is false, the epoch grows, nobody is displaced, and the audit row is `claimed`."""
    room = Room(ONE)
    first = answered(room.login("a"))
    again = answered(room.login("a"))
    assert (again.session, again.created, again.displaced) == ("a", False, ())
    assert again.epoch > first.epoch
    assert room.audit[-1].event is AuditEvent.CLAIMED


def test_claiming_again_moves_the_idle_deadline_but_not_the_absolute_one() -> None:
    """Only the idle deadline of a live session moves when it logs in again."""
    room = Room(Rules(idle_timeout=600, absolute_timeout=3600))
    room.login("a")
    room.now += 100
    room.login("a")
    assert room.records["a"].idle_at == START + 700
    assert room.records["a"].absolute_at == START + 3600


def test_claiming_again_keeps_the_device_unless_another_is_given() -> None:
    """`device` and `entry` are replaced if given, and only then."""
    room = Room(ONE)
    room.login("a", device=phone(), entry="sso")
    room.login("a")
    assert (room.records["a"].device, room.records["a"].entry) == (phone(), "sso")
    room.login("a", device=phone("Tablet"), entry="direct")
    assert (room.records["a"].device, room.records["a"].entry) == (phone("Tablet"), "direct")


def test_an_ended_id_never_lives_again() -> None:
    """A login with an id that has ended is refused and carries its record."""
    room = Room(ONE)
    room.login("a")
    room.login("b")
    refused = room.login("a")
    assert isinstance(refused, SessionEnded)
    assert refused.session.end_reason is EndReason.DISPLACED
    assert room.claimed == ["b"]


def test_an_id_of_another_room_is_refused() -> None:
    """Ids are global: one that belongs to another room is a conflict, live or not."""
    room = Room(ONE)
    room.foreign("theirs")
    assert isinstance(room.login("theirs"), SessionConflict)
    assert room.live == ()


def test_replaces_ends_the_same_browsers_old_session_as_replaced() -> None:
    """A replaced session ends as `replaced` and is not in `displaced`."""
    room = Room(ONE)
    room.login("old")
    answer = answered(room.login("new", replaces="old"))
    assert answer.displaced == ()
    assert room.why("old") is EndReason.REPLACED


def test_a_replaced_session_does_not_count_for_the_limit() -> None:
    """With two allowed, replacing one of two disturbs the other not at all."""
    room = Room(TWO)
    room.login("a")
    room.login("b")
    assert answered(room.login("c", replaces="b")).displaced == ()
    assert room.claimed == ["a", "c"]


@pytest.mark.parametrize("id_", ["never-heard-of", "theirs", "gone"])
def test_replaces_of_what_is_not_live_here_is_ignored(id_: str) -> None:
    """An unknown id, another room's or an ended one in `replaces` changes nothing."""
    room = Room(TWO)
    room.foreign("theirs")
    room.login("gone")
    room.end("gone")
    room.login("a")
    before = dict(room.records)
    answered(room.login("b", replaces=id_))
    assert {i: s for i, s in room.records.items() if i != "b"} == before


def test_replaces_of_oneself_is_no_end() -> None:
    """A login that names its own session in `replaces` goes on living."""
    room = Room(ONE)
    room.login("a")
    answered(room.login("a", replaces="a"))
    assert room.claimed == ["a"]


# ---- request_id -------------------------------------------------------------------------------------


def test_a_repeated_request_has_no_second_effect() -> None:
    """The same request id and body give the same answer, even when the session has ended since."""
    room = Room(ONE)
    first = room.login(request_id="r", fingerprint="f")
    room.login("other")
    entries = len(room.audit)
    assert room.login(request_id="r", fingerprint="f") == first
    assert room.claimed == ["other"]
    assert len(room.audit) == entries


def test_a_request_id_with_another_body_is_refused() -> None:
    """One request id stands for one body."""
    room = Room(ONE)
    room.login("a", request_id="r", fingerprint="f")
    assert isinstance(room.login("b", request_id="r", fingerprint="g"), RequestIdReused)
    assert room.claimed == ["a"]


def test_a_request_id_is_forgotten_after_ten_minutes() -> None:
    """After its memory the same id is a new request."""
    assert REMEMBER_FOR == 600
    room = Room(ONE)
    first = answered(room.login(request_id="r", fingerprint="f"))
    room.now += REMEMBER_FOR - 1
    assert room.login(request_id="r", fingerprint="f") == first
    room.now += 1
    again = answered(room.login(request_id="r", fingerprint="f"))
    assert again.session != first.session


def test_a_refusal_is_not_remembered() -> None:
    """A refused login may be repeated with the same request id once the reason is gone."""
    room = Room(REJECT)
    room.login("a")
    assert isinstance(room.login("b", request_id="r", fingerprint="f"), SessionLimit)
    room.end("a")
    assert answered(room.login("b", request_id="r", fingerprint="f")).created


# ---- policy reject ----------------------------------------------------------------------------------


def test_reject_refuses_while_another_is_alive() -> None:
    """Under `reject` the second login is refused, told of the first, and nothing changes but the log."""
    room = Room(REJECT)
    room.login("a")
    before = dict(room.records)
    refused = room.login("b")
    assert isinstance(refused, SessionLimit)
    assert [s.id for s in refused.sessions] == ["a"]
    assert room.records == before
    assert room.audit[-1].event is AuditEvent.LOGIN_REFUSED


def test_reject_lets_in_when_the_other_is_dead() -> None:
    """A crashed browser does not keep its user out: a session that is not alive is displaced instead."""
    room = Room(REJECT)
    room.login("a")
    room.now += room.rules.alive_window
    assert answered(room.login("b")).displaced == ("a",)


def test_reject_counts_a_live_socket_whatever_the_record_says() -> None:
    """A session with a live socket in this process is alive even if its last sign of life is old."""
    room = Room(REJECT)
    room.login("a")
    room.now += 10 * room.rules.alive_window
    assert isinstance(room.login("b", alive={"a"}), SessionLimit)


def test_reject_displaces_the_dead_before_the_alive() -> None:
    """With room for two, an older but living session stays and the dead newer one goes."""
    room = Room(Rules(policy="reject", max_sessions=2))
    room.login("old-alive")
    room.login("new-dead")
    room.now += room.rules.alive_window
    room.arrive("old-alive")
    assert answered(room.login("c")).displaced == ("new-dead",)
    assert room.claimed == ["old-alive", "c"]


def test_reject_never_refuses_the_session_that_is_in_already() -> None:
    """The live session may log in again under `reject`."""
    room = Room(REJECT)
    room.login("a")
    assert not answered(room.login("a")).created


def test_reject_lets_a_browser_replace_its_own_session() -> None:
    """`replaces` does not count as being in the way."""
    room = Room(REJECT)
    room.login("a")
    assert answered(room.login("b", replaces="a")).displaced == ()
    assert room.why("a") is EndReason.REPLACED


# ---- ends -------------------------------------------------------------------------------------------


def test_a_session_ends_once() -> None:
    """Ending an ended session gives its record as it was; the first reason stays."""
    room = Room(ONE)
    room.login("a")
    room.end("a")
    entries = len(room.audit)
    ended = room.end("a", EndReason.ADMIN)
    assert ended is not None
    assert ended.end_reason is EndReason.LOGOUT
    assert len(room.audit) == entries


def test_ending_an_unknown_session_is_nothing() -> None:
    """An id that the room does not know has no record."""
    assert Room(ONE).end("nobody") is None


def test_log_out_everywhere_may_keep_one() -> None:
    """`except` keeps one session and ends the others."""
    room = Room(Rules(max_sessions=3))
    for session in "abc":
        room.login(session)
    assert room.end_all(keep="b") == ("a", "c")
    assert room.claimed == ["b"]


def test_expiry_comes_before_every_decision() -> None:
    """A session past its deadline is ended as such, not as displaced, by the login that meets it."""
    room = Room(Rules(absolute_timeout=100))
    room.login("a")
    room.now += 100
    assert answered(room.login("b")).displaced == ()
    assert room.why("a") is EndReason.ABSOLUTE


def test_an_expired_session_cannot_claim_again() -> None:
    """A login by a session whose deadline has just passed is refused, and the end is committed with the refusal."""
    room = Room(Rules(absolute_timeout=100))
    room.login("a")
    room.now += 100
    assert isinstance(room.login("a"), SessionEnded)
    assert room.why("a") is EndReason.ABSOLUTE


def test_the_epoch_is_the_clock_in_microseconds_or_one_more() -> None:
    """`max(old + 1, now in µs)`: it grows with the clock, and without it when the clock stands or goes back."""
    room = Room(ONE)
    first = answered(room.login()).epoch
    assert first == int(START * 1e6)
    assert answered(room.login()).epoch == first + 1
    room.epoch = int((START + 1000) * 1e6)
    assert answered(room.login()).epoch == int((START + 1000) * 1e6) + 1
