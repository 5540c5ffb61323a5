"""`join: "open"`: each sentence of the rules as an example, in every order of page and POST."""

import pytest

from enforcer.domain.errors import SessionConflict, SessionEnded, SessionLimit, TooManyConnections
from enforcer.domain.model import AuditEvent, EndReason, LoginAnswer
from enforcer.domain.policy import MAX_UNCLAIMED, MAX_WAITING
from enforcer.domain.rules import Rules
from tests.unit.rooms import Room, phone

OPEN = Rules(join="open")
OPEN_REJECT = Rules(join="open", policy="reject")


@pytest.fixture
def room() -> Room:
    """An empty room with the rules of `open`."""
    return Room(OPEN)


# ---- joining ----------------------------------------------------------------------------------------


def test_joining_alone_ends_nobody(room: Room) -> None:
    """A page that joins is unclaimed, has epoch 0 and writes no audit row."""
    room.join("a")
    room.join("b")
    assert room.unclaimed == ["a", "b"]
    assert room.records["a"].epoch == 0
    assert room.audit == []


def test_a_known_page_is_let_in_as_it_is(room: Room) -> None:
    """A reload, or a second tab, joins the same session and changes nothing."""
    room.join("a")
    room.login()
    before = room.records["a"]
    room.join("a")
    assert room.records["a"] == before


def test_an_ended_page_is_refused(room: Room) -> None:
    """A page that comes back after its end is told so."""
    room.join("a")
    room.login()
    room.join("b")
    room.login()
    assert isinstance(room.join("a"), SessionEnded)


def test_an_id_of_another_room_is_refused(room: Room) -> None:
    """An open page cannot take a session of another user."""
    room.foreign("theirs")
    assert isinstance(room.join("theirs"), SessionConflict)


def test_a_seventeenth_unclaimed_page_is_refused(room: Room) -> None:
    """A room holds 16 unclaimed pages; the next is refused and the others stay."""
    for n in range(MAX_UNCLAIMED):
        room.join(f"p{n}")
    assert isinstance(room.join("one-more"), TooManyConnections)
    assert len(room.unclaimed) == MAX_UNCLAIMED == 16


# ---- POST after the page ----------------------------------------------------------------------------


def test_a_post_claims_the_newest_page(room: Room) -> None:
    """Page, then POST: the newest page is the login, and all other unclaimed ones are displaced."""
    room.join("older")
    room.wait(1)
    room.join("newer")
    answer = room.login(device=phone())
    assert isinstance(answer, LoginAnswer)
    assert (answer.session, answer.created, answer.displaced) == ("newer", True, ("older",))
    assert room.why("older") is EndReason.DISPLACED
    assert room.records["newer"].device == phone()


def test_the_second_browser_displaces_the_first(room: Room) -> None:
    """Page A, POST, page B, POST: B stays and A is displaced."""
    room.join("a")
    room.login()
    room.join("b")
    assert room.why("a") is None
    answer = room.login()
    assert isinstance(answer, LoginAnswer)
    assert (answer.session, answer.displaced) == ("b", ("a",))


def test_the_newest_page_is_the_one_that_first_joined_last(room: Room) -> None:
    """A reload of the older page does not make it the newest."""
    room.join("older")
    room.wait(1)
    room.join("newer")
    room.wait(1)
    room.join("older")
    answer = room.login()
    assert isinstance(answer, LoginAnswer)
    assert answer.session == "newer"


def test_a_page_that_joined_too_long_ago_is_not_claimed(room: Room) -> None:
    """Outside `login_window` a page is not the one that has just logged in; the login waits for another."""
    room.join("a")
    room.wait(room.rules.login_window)
    answer = room.login()
    assert isinstance(answer, LoginAnswer)
    assert answer.session is None
    assert room.why("a") is None


def test_a_post_with_a_session_claims_just_that(room: Room) -> None:
    """With `session` the POST claims it, known or not, and the unclaimed pages go."""
    room.join("a")
    answer = room.login("named")
    assert isinstance(answer, LoginAnswer)
    assert (answer.session, answer.displaced) == ("named", ("a",))


def test_a_post_with_the_pages_session_claims_the_page(room: Room) -> None:
    """An app that knows the page's id names it: that page is the login, whoever joined later."""
    room.join("mine")
    room.wait(1)
    room.join("other")
    answer = room.login("mine")
    assert isinstance(answer, LoginAnswer)
    assert (answer.session, answer.created, answer.displaced) == ("mine", True, ("other",))


# ---- POST before the page ---------------------------------------------------------------------------


def test_a_login_without_a_page_waits_and_nobody_ends(room: Room) -> None:
    """POST first: the answer has no session and the one who is in stays until a page takes the login."""
    room.join("a")
    room.login()
    answer = room.login()
    assert isinstance(answer, LoginAnswer)
    assert (answer.session, answer.created, answer.displaced) == (None, False, ())
    assert room.claimed == ["a"]


def test_the_next_unknown_page_takes_the_waiting_login(room: Room) -> None:
    """Only when the new page joins is the old one displaced."""
    room.join("a")
    room.login()
    room.login(device=phone(), entry="sso")
    room.join("b")
    assert room.claimed == ["b"]
    assert room.why("a") is EndReason.DISPLACED
    assert (room.records["b"].device, room.records["b"].entry) == (phone(), "sso")
    assert room.waiting == ()


def test_a_known_page_never_takes_a_waiting_login(room: Room) -> None:
    """The old browser reconnecting or reloading must not steal the login that is meant for the new one."""
    room.join("a")
    room.login()
    room.login()
    room.join("a")
    assert len(room.waiting) == 1
    room.join("b")
    assert room.claimed == ["b"]


def test_the_oldest_waiting_login_is_taken_first(room: Room) -> None:
    """Two POSTs in a row, then two pages: they are taken in order, and the last page stays."""
    room.login(device=phone("first"))
    room.login(device=phone("second"))
    room.join("a")
    assert room.records["a"].device == phone("first")
    room.join("b")
    assert room.records["b"].device == phone("second")
    assert room.claimed == ["b"]
    assert room.why("a") is EndReason.DISPLACED


def test_a_waiting_login_is_over_after_the_window(room: Room) -> None:
    """A page that comes after `login_window` takes nothing."""
    room.login()
    room.wait(room.rules.login_window)
    room.join("a")
    assert room.unclaimed == ["a"]
    assert room.waiting == ()


def test_a_ninth_waiting_login_drops_the_oldest(room: Room) -> None:
    """At most 8 logins wait; one more pushes out the oldest."""
    for n in range(MAX_WAITING + 1):
        room.login(device=phone(str(n)))
    assert MAX_WAITING == 8
    assert [w.device for w in room.waiting] == [phone(str(n)) for n in range(1, 9)]


def test_log_out_everywhere_clears_the_waiting_logins(room: Room) -> None:
    """After it, no page takes a login from before."""
    room.join("a")
    room.login()
    room.login()
    assert room.end_all() == ("a",)
    room.join("b")
    assert room.unclaimed == ["b"]


def test_a_waiting_login_remembers_what_it_replaces(room: Room) -> None:
    """`replaces` of a waiting login takes effect when a page takes it."""
    room.join("old")
    room.login()
    room.login(replaces="old")
    room.join("new")
    assert room.why("old") is EndReason.REPLACED


def test_a_repeated_post_waits_once(room: Room) -> None:
    """A repeat of a waiting login's request id gives the same answer and does not wait twice."""
    first = room.login(request_id="r", fingerprint="f")
    assert room.login(request_id="r", fingerprint="f") == first
    assert len(room.waiting) == 1


# ---- reloads and old pages --------------------------------------------------------------------------


def test_a_reloaded_old_page_does_not_creep_back_in(room: Room) -> None:
    """After its end the page makes a new id and joins; nobody claims it, so it is displaced after the window."""
    room.join("a")
    room.login()
    room.join("b")
    room.login()
    room.join("a-again")
    room.wait(room.rules.login_window - 1)
    assert room.why("a-again") is None
    room.wait(1)
    assert room.why("a-again") is EndReason.DISPLACED
    assert room.claimed == ["b"]


def test_without_a_claimed_session_pages_may_stay_unclaimed(room: Room) -> None:
    """Where nobody has logged in, listening pages are left alone."""
    room.join("a")
    room.wait(10 * room.rules.login_window)
    assert room.unclaimed == ["a"]


def test_an_unclaimed_page_is_lost_without_a_socket(room: Room) -> None:
    """It ends as `lost` with its window; nobody wanted it, so there is no audit row, and nothing of it is kept."""
    room.join("a")
    room.leave("a")
    room.wait(room.rules.login_window - 1)
    assert room.why("a") is None
    room.wait(1)
    assert room.why("a") is EndReason.LOST
    assert room.audit == []
    assert room.records["a"].passing


def test_an_unclaimed_page_that_leaves_later_is_lost_too(room: Room) -> None:
    """As soon as it counts as gone."""
    room.join("a")
    room.wait(2 * room.rules.login_window)
    room.leave("a")
    room.wait(room.rules.alive_window)
    assert room.why("a") is EndReason.LOST
    assert room.audit == []


def test_unclaimed_pages_do_not_count_for_the_limit() -> None:
    """With two allowed, listening pages take no place."""
    room = Room(Rules(join="open", max_sessions=2))
    room.join("a")
    room.login()
    room.join("b")
    room.login()
    assert room.claimed == ["a", "b"]


def test_an_unclaimed_page_has_no_idle_deadline() -> None:
    """Whatever a listening page reports, only a login starts the idle clock."""
    room = Room(Rules(join="open", idle_timeout=60))
    room.join("a")
    room.active("a")
    assert room.records["a"].idle_at is None


# ---- policy reject ----------------------------------------------------------------------------------


def test_reject_judges_a_post_without_session_as_anywhere() -> None:
    """A living session keeps the next login out; the listening page stays unclaimed."""
    room = Room(OPEN_REJECT)
    room.join("a")
    room.login()
    room.join("b")
    assert isinstance(room.login(), SessionLimit)
    assert (room.claimed, room.unclaimed) == (["a"], ["b"])


def test_reject_refuses_a_login_that_would_only_wait() -> None:
    """A login that the policy refuses does not wait for a page either."""
    room = Room(OPEN_REJECT)
    room.join("a")
    room.login()
    assert isinstance(room.login(), SessionLimit)
    assert room.waiting == ()


def test_a_waiting_login_that_is_refused_when_taken_leaves_the_page_unclaimed() -> None:
    """Two logins wait; the second page comes while the first is alive, so it only listens."""
    room = Room(OPEN_REJECT)
    room.login()
    room.login()
    room.join("a")
    room.join("b")
    assert (room.claimed, room.unclaimed, room.waiting) == (["a"], ["b"], ())
    assert room.audit[-1].event is AuditEvent.LOGIN_REFUSED
