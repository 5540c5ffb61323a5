"""Pages with tickets on a real server: each promise with each client over each transport."""

from typing import Any

import httpx
import pytest

from tests.integration.conftest import CLIENTS, client_named
from tests.integration.pages import Opener, Page
from tests.running import EnforcerProcess, until


def enter(server: EnforcerProcess, open_page: Opener, room: str, **options: Any) -> tuple[Page, dict[str, Any]]:
    """A user logs in, and the page joins with its ticket."""
    login = server.login(room, **options.pop("body", {}))
    page = open_page(server, auth={"ticket": login["ticket"]}, **options)
    page.session = page.joined()  # type: ignore[attr-defined]
    return page, login


def tab(server: EnforcerProcess, open_page: Opener, login: dict[str, Any], **options: Any) -> Page:
    """One more tab of the same browser."""
    page = open_page(server, auth={"ticket": login["ticket"]}, **options)
    page.joined()
    return page


def test_a_ticket_joins_its_session(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A page joins by its ticket and is told its session, member by member."""
    page, login = enter(shared, open_page, room)
    told = page.session  # type: ignore[attr-defined]
    assert set(told) == {
        *("session", "room", "active", "claimed", "newest", "epoch", "idle_ms", "warn_ms", "absolute_ms", "server_now")
    }
    assert (told["session"], told["room"], told["epoch"]) == (login["session"], room, login["epoch"])
    assert (told["active"], told["claimed"], told["newest"]) == (True, True, True)
    assert (told["idle_ms"], told["absolute_ms"]) == (None, None)
    assert shared.record(login["session"])["online"] is True


def test_a_second_login_ends_the_first(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """The main job: the older page is told why and by what, acknowledges, and is disconnected; the newer stays."""
    first, old = enter(shared, open_page, room)
    second, new = enter(
        shared, open_page, room, body={"device": {"label": "Firefox", "class": "phone", "ip": "192.0.2.7"}}
    )
    assert new["displaced"] == [old["session"]]
    told = first.take("force-logout")
    assert told == {
        "session": old["session"],
        "room": room,
        "reason": "displaced",
        "message": "You have been logged out because you logged in somewhere else.",
        "at": shared.record(old["session"])["ended_at"],
        "by": {"device": {"label": "Firefox", "class": "phone"}},
        "redirect": None,
    }
    first.take("disconnect")
    assert first.kinds() == []
    second.untouched()
    until(lambda: shared.record(old["session"])["delivery"] == "acked")


def test_an_ended_page_is_refused_on_return(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Who missed the news is refused at the next CONNECT, with all that `force-logout` would have said."""
    old = shared.login(room)
    shared.login(room)
    assert shared.record(old["session"])["delivery"] == "pending"
    refusal = open_page(shared, auth={"ticket": old["ticket"]}).refused()
    assert refusal["message"] == "session-ended"
    assert (refusal["data"]["session"], refusal["data"]["reason"]) == (old["session"], "displaced")
    assert shared.record(old["session"])["delivery"] == "refused_on_return"


def test_check_answers_and_never_extends(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """`check` is answered with the session; it is no activity."""
    page, login = enter(shared, open_page, room)
    before = shared.record(login["session"])["last_active_at"]
    assert page.call("check")["session"] == login["session"]
    assert shared.record(login["session"])["last_active_at"] == before


def test_tabs_share_their_sessions_fate(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Every tab of the ended session is told and let go; no tab of the new one is."""
    first, old = enter(shared, open_page, room)
    others = [tab(shared, open_page, old) for _ in range(2)]
    second, new = enter(shared, open_page, room)
    neighbour = tab(shared, open_page, new)
    for page in (first, *others):
        assert page.take("force-logout")["reason"] == "displaced"
        page.take("disconnect")
    second.untouched()
    neighbour.untouched()


def test_a_claim_never_touches_its_own_sockets(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Logging in again with the same session disturbs none of its tabs; they are told the new epoch."""
    page, login = enter(shared, open_page, room)
    other = tab(shared, open_page, login)
    again = shared.login(room, session=login["session"])
    assert again["created"] is False
    for each in (page, other):
        assert each.take("session")["epoch"] == again["epoch"]
        each.untouched()


def test_logout_ends_this_browser(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """The page that asks gets its ack, then a disconnect; the session's other tabs are told `logout`."""
    page, login = enter(shared, open_page, room)
    other = tab(shared, open_page, login)
    assert page.call("logout", {"everywhere": False}) == {"ok": True}
    page.take("disconnect")
    assert page.kinds() == []
    assert other.take("force-logout")["reason"] == "logout"
    other.take("disconnect")
    record = shared.record(login["session"])
    assert (record["active"], record["end_reason"], record["delivery"]) == (False, "logout", None)


def test_logout_everywhere_ends_all_browsers(shared_two: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Every session of the user ends; another user's does not. Over polling the ticket is shown again."""
    page, login = enter(shared_two, open_page, room)
    elsewhere, other = enter(shared_two, open_page, room)
    stranger, _ = enter(shared_two, open_page, room + "-stranger")
    assert page.call("logout", {"everywhere": True, "ticket": login["ticket"]}) == {"ok": True}
    page.take("disconnect")
    assert elsewhere.take("force-logout")["reason"] == "logout_everywhere"
    assert shared_two.record(other["session"])["ended_by"]["kind"] == "page"
    stranger.untouched()


def test_activity_moves_the_idle_deadline(shared_two: EnforcerProcess, open_page: Opener, room: str) -> None:
    """Activity is answered with the session; other tabs are told; a lie about the future does not help."""
    page, login = enter(shared_two, open_page, room)
    other = tab(shared_two, open_page, login)
    answer = page.call("activity", {"idle_for_ms": 0})
    assert 599_000 < answer["idle_ms"] <= 600_000
    assert other.take("session")["idle_ms"] <= 600_000
    assert page.call("activity", {"idle_for_ms": -1}) == {"ok": False, "code": "invalid-request"}
    assert page.call("activity", {"idle_for_ms": "5"}) == {"ok": False, "code": "invalid-request"}
    page.untouched()


def test_an_admin_ends_a_session(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """`DELETE` with `reason=admin` reaches the page with that reason."""
    page, login = enter(shared, open_page, room)
    assert shared.call("DELETE", f"/v1/sessions/{login['session']}?reason=admin").status_code == 204
    told = page.take("force-logout")
    assert (told["reason"], told["by"]) == ("admin", None)
    page.take("disconnect")


def test_replaced_by_the_same_browser(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A login that names the browser's old session ends it as `replaced`."""
    page, login = enter(shared, open_page, room)
    shared.login(room, replaces=login["session"])
    assert page.take("force-logout")["reason"] == "replaced"


def test_an_event_that_nobody_knows_hurts_nobody(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """A page of another version may say what we do not understand."""
    page, _ = enter(shared, open_page, room)
    assert page.call("dance", {"a": [1, None, "é"]}) == {"ok": False, "code": "invalid-request"}
    page.untouched()


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "ticket-required"),
        ({}, "ticket-required"),
        ({"room": "alice", "session": "s"}, "ticket-required"),
        ({"ticket": "nonsense"}, "ticket-invalid"),
        ({"ticket": 5}, "ticket-invalid"),
        ({"ticket": ""}, "ticket-invalid"),
    ],
)
def test_without_a_good_ticket_nobody_joins(
    shared: EnforcerProcess, open_page: Opener, auth: dict[str, Any] | None, code: str
) -> None:
    """A room's name is not enough, nor is anything that is not a ticket."""
    assert open_page(shared, auth=auth).refused()["message"] == code


def test_a_kick_without_an_ack_is_repeated_then_cut(
    request: pytest.FixtureRequest, shared: EnforcerProcess, room: str
) -> None:
    """All clients and transports as tabs of one session that never acknowledge: told at 0, 1 and 3 s, cut at 5 s."""
    login = shared.login(room)
    tabs = [
        Page(client_named(request, name), shared.url, how, auth={"ticket": login["ticket"]}, acks=False)
        for name in CLIENTS
        for how in ("websocket", "polling", "upgrade")
    ]
    try:
        for page in tabs:
            page.joined()
        shared.login(room)
        for page in tabs:
            until(lambda page=page: "disconnect" in page.kinds(), 9)
            assert page.kinds() == ["force-logout"] * 3 + ["disconnect"]
            told = [at for at in page.times if at >= page.times[-4]]
            after = [at - told[0] for at in told]
            assert 0.8 < after[1] < 1.8
            assert 2.8 < after[2] < 3.8
            assert 4.8 < after[3] < 6.5
    finally:
        for page in tabs:
            page.close()
    assert shared.record(login["session"])["delivery"] in ("pending", "gone")


def test_a_page_goes_to_the_configured_target(shared_two: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """`entry` picks the redirect; one that is not listed goes nowhere."""
    for entry, target in (("sso", "https://idp.example/logout"), (None, "/login"), ("other", None)):
        page, login = enter(shared_two, open_ws, f"{room}-{entry}", body={"entry": entry} if entry else {})
        shared_two.call("DELETE", f"/v1/sessions/{login['session']}")
        assert page.take("force-logout")["redirect"] == target


def test_a_closed_page_is_not_online(shared: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """`online` says whether a live socket is there now."""
    page, login = enter(shared, open_ws, room)
    page.close()
    until(lambda: shared.record(login["session"])["online"] is False)
    assert shared.record(login["session"])["active"] is True


def test_a_kick_to_nobody_disturbs_nobody(shared: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """Ends of sessions without any socket are sent to nobody, not to everybody."""
    bystander, _ = enter(shared, open_ws, room)
    shared.login(room + "-b")
    shared.login(room + "-b")
    for login in (shared.login(room + "-c"), shared.login(room + "-d")):
        shared.call("DELETE", f"/v1/sessions/{login['session']}")
    bystander.untouched()
    assert bystander.kinds() == []


@pytest.mark.parametrize("how", ["websocket", "polling"])
def test_the_event_can_be_renamed(tmp_path: Any, open_ws: Opener, how: str) -> None:
    """Sites whose pages listen for another name set `event_name`."""
    with EnforcerProcess(tmp_path / "renamed", event_name="SessionExpired", store="memory://") as server:
        page, _ = enter(server, open_ws, "alice", transport=how)
        server.login("alice")
        assert page.take("SessionExpired")["reason"] == "displaced"
        page.take("disconnect")


def test_a_session_past_its_absolute_deadline_is_ended(tmp_path: Any, open_ws: Opener) -> None:
    """Time ends a session on the server, and the page hears of it by itself."""
    with EnforcerProcess(tmp_path / "short", absolute_timeout=1, store="memory://") as server:
        page, login = enter(server, open_ws, "alice")
        assert page.take("force-logout")["reason"] == "absolute"
        record = server.record(login["session"])
        assert record["ended_by"] == {"kind": "timer"}
        assert (
            httpx.get(
                f"{server.url}/session/status", headers={"Authorization": f"Bearer {login['ticket']}"}
            ).status_code
            == 401
        )


def test_an_idle_session_is_ended_unless_a_human_is_there(tmp_path: Any, open_ws: Opener) -> None:
    """Checks and a live socket do not keep it; two seconds after its deadline it ends as `idle`."""
    with EnforcerProcess(tmp_path / "idle", idle_timeout=1, store="memory://") as server:
        page, login = enter(server, open_ws, "alice")
        until(lambda: "force-logout" in page.kinds() or not page.call("check").get("active"), 8, every=0.3)
        assert page.take("force-logout")["reason"] == "idle"
        assert server.record(login["session"])["end_reason"] == "idle"


@pytest.fixture(scope="module")
def shared_two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that lets two browsers in, with an idle time-out and redirects."""
    with EnforcerProcess(
        tmp_path_factory.mktemp("two") / "enforcer",
        max_sessions=2,
        idle_timeout="10m",
        redirects={"direct": "/login", "sso": "https://idp.example/logout"},
    ) as server:
        yield server
    assert "Traceback" not in server.read_log()
