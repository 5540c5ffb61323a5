"""`join: "open"` on a real server: page and POST in every order, with each client over each transport."""

import itertools
from datetime import datetime

from tests.integration.pages import Opener, Page
from tests.running import EnforcerProcess, until

_browsers = itertools.count(1)


def browser(server: EnforcerProcess, open_page: Opener, room: str, session: str | None = None, **more: object) -> Page:
    """A browser opens a page of `room`; without `session` it is a fresh one."""
    session = session or f"browser-{next(_browsers)}"
    page = open_page(server, auth={"room": room, "session": session}, **more)
    page.session = session  # type: ignore[attr-defined]
    page.first = page.joined()  # type: ignore[attr-defined]
    return page


def session_of(page: Page) -> str:
    """The session that a page speaks for."""
    return str(page.session)  # type: ignore[attr-defined]


def ended_as(page: Page, reason: str) -> None:
    """The page is told so, and let go."""
    assert page.take("force-logout")["reason"] == reason
    page.take("disconnect")


def test_a_page_alone_is_unclaimed(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A page that joins by name is told that nobody has claimed it; no ticket is given to anybody."""
    page = browser(shared_open, open_page, room)
    told = page.first  # type: ignore[attr-defined]
    assert (told["claimed"], told["newest"], told["epoch"]) == (False, False, 0)
    assert "ticket" not in told


def test_post_after_the_page(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Page, POST: the page is the login and hears that it is claimed."""
    page = browser(shared_open, open_page, room)
    answer = shared_open.login(room)
    assert (answer["session"], answer["created"], answer["displaced"]) == (session_of(page), True, [])
    assert (answer["ticket"], answer["proxy_ticket"]) == (None, None)
    told = page.take("session")
    assert (told["claimed"], told["newest"], told["epoch"]) == (True, True, answer["epoch"])
    page.untouched()


def test_post_before_the_page(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """POST, page: the login waits, the page takes it, and only then does the one before end."""
    old = browser(shared_open, open_page, room)
    shared_open.login(room)
    answer = shared_open.login(room)
    assert (answer["session"], answer["pending"], answer["displaced"]) == (None, True, [])
    old.untouched()
    new = browser(shared_open, open_page, room)
    assert new.first["claimed"] is True  # type: ignore[attr-defined]
    ended_as(old, "displaced")
    new.untouched()


def test_two_browsers(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Page A, POST, page B, POST: A is told and let go, B stays."""
    a = browser(shared_open, open_page, room)
    shared_open.login(room)
    b = browser(shared_open, open_page, room)
    a.untouched()
    assert shared_open.login(room)["displaced"] == [session_of(a)]
    ended_as(a, "displaced")
    b.untouched()


def test_two_tabs(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Two tabs share the browser's session: a login touches neither, another browser's ends both."""
    tabs = [browser(shared_open, open_page, room)]
    tabs.append(browser(shared_open, open_page, room, session_of(tabs[0])))
    shared_open.login(room)
    for page in tabs:
        page.untouched()
    other = browser(shared_open, open_page, room)
    shared_open.login(room)
    for page in tabs:
        ended_as(page, "displaced")
    other.untouched()


def test_a_reload_keeps_the_session(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A reload joins with the same id: it is as claimed as before, and takes no waiting login."""
    page = browser(shared_open, open_page, room)
    shared_open.login(room)
    assert shared_open.login(room)["session"] is None
    page.close()
    again = browser(shared_open, open_page, room, session_of(page))
    assert again.first["claimed"] is True  # type: ignore[attr-defined]
    new = browser(shared_open, open_page, room)
    assert new.first["claimed"] is True  # type: ignore[attr-defined]
    ended_as(again, "displaced")


def test_an_old_page_does_not_creep_back_in(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """After its end, the same id is refused; a new id is unclaimed and displaced when the window is over."""
    old = browser(shared_open, open_page, room)
    shared_open.login(room)
    new = browser(shared_open, open_page, room)
    shared_open.login(room)
    ended_as(old, "displaced")
    refusal = open_page(shared_open, auth={"room": room, "session": session_of(old)}).refused()
    assert (refusal["message"], refusal["data"]["reason"]) == ("session-ended", "displaced")
    back = browser(shared_open, open_page, room)
    assert back.first["claimed"] is False  # type: ignore[attr-defined]
    ended_as(back, "displaced")
    new.untouched()


def test_two_posts_in_a_row(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Two logins wait, two pages come: each takes one in turn, and the last one stays."""
    for label in ("first", "second"):
        assert shared_open.login(room, device={"label": label})["pending"] is True
    a = browser(shared_open, open_page, room)
    assert shared_open.record(session_of(a))["device"] == {"label": "first"}
    b = browser(shared_open, open_page, room)
    assert shared_open.record(session_of(b))["device"] == {"label": "second"}
    ended_as(a, "displaced")
    b.untouched()


def test_a_post_with_a_session_claims_that(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """An app that knows its page's id names it; every other page of the room goes."""
    mine = browser(shared_open, open_page, room)
    other = browser(shared_open, open_page, room)
    answer = shared_open.login(room, session=session_of(mine))
    assert (answer["session"], answer["displaced"]) == (session_of(mine), [session_of(other)])
    ended_as(other, "displaced")
    mine.untouched()


def test_a_waiting_login_is_over_after_the_window(shared_open: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """A page that comes when `login_window` has passed only listens."""
    shared_open.login(room)

    def too_late() -> bool:
        probe = browser(shared_open, open_ws, f"{room}-clock-{next(_browsers)}")
        probe.close()
        return started + 3.1 < _server_seconds(probe)

    started = _server_seconds(browser(shared_open, open_ws, f"{room}-clock"))
    until(too_late, every=0.3)
    assert browser(shared_open, open_ws, room).first["claimed"] is False  # type: ignore[attr-defined]


def _server_seconds(page: Page) -> float:
    """The server's clock when the page joined."""
    return datetime.fromisoformat(page.first["server_now"]).timestamp()  # type: ignore[attr-defined]


def test_a_page_may_name_its_room_in_the_address(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """`?room=…&session=…` for pages that can only write an address."""
    page = open_page(shared_open, query={"room": room, "session": f"{room}-s"})
    told = page.joined()
    assert (told["room"], told["session"]) == (room, f"{room}-s")


def test_a_page_without_a_session_gets_one(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A page that brings no id is told the one that was made for it."""
    page = open_page(shared_open, auth={"room": room})
    made = page.joined()["session"]
    assert shared_open.login(room)["session"] == made


def test_what_cannot_join(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """No room, an impossible room or session, an id of another room: refused as a mistake in the set-up."""
    taken = session_of(browser(shared_open, open_page, room))
    for auth, code in [
        ({}, "room-required"),
        ({"session": "s"}, "room-required"),
        ({"room": "a\nb"}, "invalid-request"),
        ({"room": ""}, "room-required"),
        ({"room": 5.5}, "invalid-request"),
        ({"room": room, "session": "a b"}, "invalid-request"),
        ({"room": room + "-other", "session": taken}, "session-conflict"),
    ]:
        assert open_page(shared_open, auth=auth).refused()["message"] == code, auth


def test_pages_cannot_log_out_everywhere(shared_open: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Without a ticket a page speaks for itself only; its own logout works."""
    page = browser(shared_open, open_page, room)
    assert page.call("logout", {"everywhere": True}) == {"ok": False, "code": "ticket-required"}
    page.untouched()
    assert page.call("logout", {"everywhere": False}) == {"ok": True}
    page.take("disconnect")
    assert shared_open.record(session_of(page))["end_reason"] == "logout"


def test_a_ticket_is_good_in_open_too(shared_open: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """A page that shows a ticket which is none is refused, whatever room it names."""
    refusal = open_ws(shared_open, auth={"room": room, "session": "s-1", "ticket": "nonsense"}).refused()
    assert refusal["message"] == "ticket-invalid"


def test_a_seventeenth_unclaimed_page_is_asked_to_come_later(
    shared_open: EnforcerProcess, open_ws: Opener, room: str
) -> None:
    """16 pages may listen to a room that nobody has logged in to; the next is refused for now."""
    for _ in range(16):
        browser(shared_open, open_ws, room)
    refusal = open_ws(shared_open, auth={"room": room, "session": f"{room}-17"}).refused()
    assert refusal["message"] == "too-many-connections"


def test_a_room_that_is_a_number(shared_open: EnforcerProcess, open_page: Opener) -> None:
    """A page may name it so, too."""
    page = open_page(shared_open, auth={"room": 4711, "session": f"browser-{next(_browsers)}"})
    assert page.joined()["room"] == "4711"
