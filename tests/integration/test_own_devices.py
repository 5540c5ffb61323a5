"""What a user sees of the own sessions and may do about them: the list, ending others, "it wasn't me"."""

from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from enforcer.tickets import derive_key
from tests.integration.inside import START, Inside, Time
from tests.integration.pages import Opener
from tests.integration.problems import problem
from tests.running import EnforcerProcess

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server that lets a user have many sessions, and pages of one origin."""
    directory = tmp_path_factory.mktemp("devices") / "enforcer"
    with EnforcerProcess(directory, max_sessions=200, origins=[ORIGIN], trusted_proxies=["127.0.0.1"]) as server:
        yield server
    assert "Traceback" not in server.read_log()


def ask(server: EnforcerProcess, method: str, path: str, ticket: str, **options: Any) -> httpx.Response:
    """A call of a page."""
    headers = {"Authorization": f"Bearer {ticket}", "Origin": ORIGIN}
    return httpx.request(method, f"{server.url}/session/{path}", headers=headers, timeout=10, **options)


def elevated(server: EnforcerProcess, session: str, seconds: float = 300) -> str:
    """What the app gets when its user has shown the password again."""
    told = server.call("POST", f"/v1/sessions/{session}/ticket", json={"elevate_for": seconds}).json()
    assert told["elevated_expires_in"] == seconds
    ticket: str = told["elevated_ticket"]
    return ticket


def test_a_user_sees_the_own_sessions(many: EnforcerProcess, room: str, open_ws: Opener) -> None:
    """Those seen last first, this one marked, support without its device; nothing that pages must not know."""
    first = many.login(room, device={"label": "Phone", "class": "mobile", "id": "secret", "ip": "192.0.2.1"})
    many.login(room, impersonated_by="support-7", device={"label": "Support's desk"}, slot="desk")
    mine = many.login(room)
    open_ws(many, auth={"ticket": mine["ticket"]}).joined()
    answer = ask(many, "GET", "devices", mine["ticket"])
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    told = answer.json()
    assert (told["more"], told["max_sessions"], told["may_end"]) == (0, 200, False)
    for secret in ("secret", "192.0.2.1", "support-7", "Support's"):
        assert secret not in answer.text
    by_device = {(s["device"] or {}).get("label"): s for s in told["sessions"] if not s.get("support")}
    phone = by_device["Phone"]
    assert phone.keys() == {"session", "current", "device", "slot", "started_at", "last_seen_at", "online"}
    assert (phone["session"], phone["current"], phone["online"]) == (first["session"], False, False)
    assert phone["device"] == {"label": "Phone", "class": "mobile"}
    (own,) = [s for s in told["sessions"] if s["current"]]
    assert (own["session"], own["online"], own["device"]) == (mine["session"], True, None)
    (support,) = [s for s in told["sessions"] if s.get("support")]
    assert (support["device"], support["slot"]) == (None, "desk")
    seen = [s["last_seen_at"] for s in told["sessions"]]
    assert seen == sorted(seen, reverse=True)


def test_the_list_has_a_hundred_at_most(many: EnforcerProcess, room: str) -> None:
    """And says how many more there are."""
    ticket = ""
    for _ in range(103):
        ticket = many.login(room)["ticket"]
    told = ask(many, "GET", "devices", ticket).json()
    assert (len(told["sessions"]), told["more"]) == (100, 3)
    assert told["sessions"][0]["current"] is True


def test_others_are_ended_by_who_has_shown_the_password(many: EnforcerProcess, room: str, open_ws: Opener) -> None:
    """With an elevated ticket: one by its id, or all but exempt ones; as a log-out by the page."""
    phone, tablet, third, mine = (many.login(room) for _ in range(4))
    support = many.login(room, impersonated_by="support-7")
    page = open_ws(many, auth={"ticket": phone["ticket"]})
    page.joined()
    body = {"session": phone["session"]}
    problem(ask(many, "POST", "devices/end", mine["ticket"], json=body), 403, "elevation-required")
    problem(ask(many, "POST", "devices/end", mine["ticket"], json={"others": True}), 403, "elevation-required")
    ticket = elevated(many, mine["session"])
    assert ask(many, "GET", "devices", ticket).json()["may_end"] is True
    assert ask(many, "POST", "devices/end", ticket, json=body).json() == {"ended": [phone["session"]]}
    assert page.take("force-logout")["reason"] == "logout"
    assert many.record(phone["session"])["ended_by"]["kind"] == "page"
    assert ask(many, "POST", "devices/end", ticket, json=body).json() == {"ended": []}
    told = ask(many, "POST", "devices/end", ticket, json={"others": True}).json()
    assert told == {"ended": [tablet["session"], third["session"]]}
    assert many.record(support["session"])["active"]
    theirs = many.login(f"{room} of another")["session"]
    for unknown in (theirs, "no-such"):
        problem(ask(many, "POST", "devices/end", ticket, json={"session": unknown}), 404, "session-unknown")
    for wrong in ({}, {"others": False}, {"others": True, **body}, {"session": "a b"}, {"others": 1}):
        problem(ask(many, "POST", "devices/end", ticket, json=wrong), 422, "invalid-request")
    own = {"session": mine["session"]}
    assert ask(many, "POST", "devices/end", mine["ticket"], json=own).json() == {"ended": [mine["session"]]}
    problem(ask(many, "GET", "devices", mine["ticket"]), 401, "session-ended")


@pytest.mark.parametrize("seconds", [0, 0.5, 3601, "300", True, -1])
def test_an_elevation_has_its_bounds(many: EnforcerProcess, room: str, seconds: Any) -> None:
    """From one second to an hour."""
    session = many.login(room)["session"]
    refused = many.call("POST", f"/v1/sessions/{session}/ticket", json={"elevate_for": seconds})
    assert problem(refused, 422, "invalid-request")["errors"][0]["field"] == "elevate_for"


async def test_elevated_tickets_that_are_none(tmp_path: Any) -> None:
    """Of another session, over, forged, of another purpose, or with an end that is none."""
    time = Time()
    async with Inside(tmp_path, time, max_sessions=5) as inside:
        mine, other = [await inside.login("ann") for _ in range(2)]

        async def end(ticket: str) -> tuple[int, str | None]:
            status, answer = await inside.call("POST", "/session/devices/end", ticket, session=other["session"])
            return status, answer.get("code")

        _, told = await inside.call("POST", f"/v1/sessions/{mine['session']}/ticket", elevate_for=10)
        ticket = told["elevated_ticket"]
        claims = jwt.decode(ticket, options={"verify_signature": False})
        assert claims["elv"] == START + 10
        forged = jwt.encode(claims, derive_key("x" * 32), "HS256")
        assert await end(forged) == (401, "ticket-invalid")
        good = derive_key(inside.authkey)
        for elv in ("soon", True, float("inf")):
            assert (await end(jwt.encode({**claims, "elv": elv}, good, "HS256")))[0] == 401
        assert await end(jwt.encode({**claims, "aud": "enforcer:proxy"}, good, "HS256")) == (401, "ticket-invalid")
        stranger = await inside.login("bob")
        _, told = await inside.call("POST", f"/v1/sessions/{stranger['session']}/ticket", elevate_for=10)
        assert await end(told["elevated_ticket"]) == (404, "session-unknown")
        await time.advance(10)
        assert await end(ticket) == (403, "elevation-required"), "no leeway"
        status, _ = await inside.call("GET", "/session/status", ticket)
        assert status == 200, "it is a plain ticket from then on"


def test_an_operator_may_ask_for_less_or_forbid_it(tmp_path: Any) -> None:
    """`device_ends`, which a reload changes."""
    with EnforcerProcess(tmp_path / "enforcer", max_sessions=5, device_ends="ticket") as server:
        one, mine = server.login("ann"), server.login("ann")
        assert ask(server, "GET", "devices", mine["ticket"]).json()["may_end"] is True
        ended = ask(server, "POST", "devices/end", mine["ticket"], json={"session": one["session"]})
        assert ended.json() == {"ended": [one["session"]]}
    with EnforcerProcess(tmp_path / "off", max_sessions=5, device_ends="off") as server:
        one, mine = server.login("ann"), server.login("ann")
        ticket = elevated(server, mine["session"])
        assert ask(server, "GET", "devices", ticket).json()["may_end"] is False
        problem(ask(server, "POST", "devices/end", ticket, json={"others": True}), 403, "not-allowed")
        assert server.record(one["session"])["active"]


def test_it_was_not_me(many: EnforcerProcess, room: str) -> None:
    """A report writes one row, whatever is sent with it, and ends nobody."""
    old = many.login(room, max_sessions=1, device={"label": "Mine"})
    problem(ask(many, "POST", "report", old["ticket"], json={"note": "x"}), 409, "session-live")
    new = many.login(room, max_sessions=1, device={"label": "Not mine"})
    for wrong in ({"note": 1}, {"notes": "x"}):
        problem(ask(many, "POST", "report", old["ticket"], json=wrong), 422, "invalid-request")
    note = "I was asleep\u0000 " + "z" * 600
    for _ in range(2):
        answer = ask(many, "POST", "report", old["ticket"], json={"note": note})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    (row,) = [r for r in many.call("GET", f"/v1/audit?room={room}").json()["items"] if r["event"] == "reported"]
    assert (row["session"], row["by"]["kind"], row["device"]) == (old["session"], "page", {"label": "Mine"})
    assert row["note"] == ("I was asleep " + "z" * 600)[:500]
    assert many.record(new["session"])["active"]
    assert many.record(old["session"])["end_reason"] == "displaced"
    claims = {"iss": "enforcer", "aud": "enforcer:page", "sub": room, "sid": "x", "iat": 1}
    unknown = jwt.encode(claims, derive_key(many.authkey))
    problem(ask(many, "POST", "report", unknown), 401, "session-unknown")
    problem(ask(many, "POST", "report", "nonsense"), 401, "ticket-invalid")


async def test_a_report_is_taken_for_seven_days(tmp_path: Any) -> None:
    """With a ticket that has expired, too; later it is 410."""
    time = Time()
    async with Inside(tmp_path, time, ticket_lifetime=60, lost_timeout=None) as inside:
        old = await inside.login("ann")
        await inside.login("ann")
        time.overslept(7 * 86400 - 1)
        status, _ = await inside.call("POST", "/session/report", old["ticket"])
        assert status == 204
        time.overslept(1)
        status, answer = await inside.call("POST", "/session/report", old["ticket"])
        assert (status, answer["code"]) == (410, "too-late")


@pytest.mark.parametrize("path", ["devices", "devices/end", "report"])
def test_browsers_may_ask_from_elsewhere(many: EnforcerProcess, path: str) -> None:
    """The preflight of each call, and its rate."""
    answer = httpx.options(f"{many.url}/session/{path}", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)


def test_questions_are_rated(many: EnforcerProcess, room: str) -> None:
    """Each kind by itself, a burst of 30."""
    ticket = many.login(room)["ticket"]
    headers = {"Authorization": f"Bearer {ticket}"}
    with httpx.Client(base_url=many.url, headers=headers, timeout=10) as page:
        statuses = [page.get("/session/devices").status_code for _ in range(200)]
        assert statuses[:30] == [200] * 30
        assert 429 in statuses
        assert page.get("/session/status").status_code == 200
