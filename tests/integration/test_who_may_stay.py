"""Slots, limits of a login, exemptions, the newcomer's choice and what is explained, over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.pages import Opener
from tests.integration.problems import problem
from tests.running import EnforcerProcess

SLOTS = {
    "mobile": {"max_sessions": 1},
    "desktop": {"max_sessions": 2, "policy": "reject", "idle_timeout": "15m", "warn_before": "1m"},
}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def slotted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with two slots."""
    with EnforcerProcess(tmp_path_factory.mktemp("slots") / "enforcer", slots=SLOTS) as server:
        yield server
    assert "Traceback" not in server.read_log()


def post(server: EnforcerProcess, path: str, **body: Any) -> httpx.Response:
    """A call with a JSON body."""
    return server.call("POST", path, json=body)


def live(server: EnforcerProcess, room: str) -> dict[str, dict[str, Any]]:
    """The records of a room's live sessions."""
    found = server.call("GET", f"/v1/users/{room}/sessions").json()["sessions"]
    return {record["session"]: record for record in found}


def test_one_phone_and_two_desktops(slotted: EnforcerProcess, room: str, open_ws: Opener) -> None:
    """The slot is that of the device; a page of the phone does not notice what desktops do, but for its own slot."""
    phone = slotted.login(room, device={"label": "Phone", "class": "mobile"})
    page = open_ws(slotted, auth={"ticket": phone["ticket"]})
    assert page.joined()["newest"] is True
    first = slotted.login(room, device={"user_agent": FIREFOX})
    slotted.login(room, slot="desktop")
    assert [live(slotted, room)[i]["slot"] for i in (phone["session"], first["session"])] == ["mobile", "desktop"]
    refusal = problem(post(slotted, "/v1/sessions", room=room, device={"user_agent": FIREFOX}), 409, "session-limit")
    assert (refusal["slot"], refusal["max_sessions"], len(refusal["sessions"])) == ("desktop", 2, 2)
    assert refusal["sessions"][0].keys() == {"session", "device", "started_at", "last_seen_at", "online"}
    assert refusal["sessions"][0]["online"] is False
    chosen = slotted.login(room, slot="desktop", ends=[first["session"], phone["session"], phone["session"], "no-such"])
    assert sorted(chosen["displaced"]) == sorted([first["session"], phone["session"]])
    assert page.take("force-logout")["reason"] == "displaced"
    records = live(slotted, room)
    assert {records[i]["newest"] for i in records if i == chosen["session"]} == {True}
    assert all(890 < record["idle_expires_in"] <= 900 for record in records.values())


def test_the_page_warns_as_its_session_says(slotted: EnforcerProcess, room: str) -> None:
    """The slot's time, the login's own, or none."""
    told = []
    for more in ({"slot": "desktop"}, {"warn_before": 30}, {"warn_before": "none"}, {}):
        ticket = slotted.login(room, exempt=True, **more)["ticket"]
        status = httpx.get(f"{slotted.url}/session/status", headers={"Authorization": f"Bearer {ticket}"})
        told.append(status.json()["warn_ms"])
    assert told == [60_000, 30_000, 0, 120_000]


@pytest.mark.parametrize(
    ("members", "field", "hint"),
    [
        ({"slot": "mobil"}, "slot", "did you mean 'mobile'?"),
        ({"slot": "kitchen"}, "slot", "there are desktop, mobile"),
        ({"slot": "a b"}, "slot", "1 to 64 of"),
        ({"slot": ""}, "slot", "1 to 64 of"),
        ({"max_sessions": 0}, "max_sessions", "greater than or equal to 1"),
        ({"max_sessions": 1001}, "max_sessions", "less than or equal to 1000"),
        ({"max_sessions": 1.5}, "max_sessions", "valid integer"),
        ({"max_sessions": "1"}, "max_sessions", "valid integer"),
        ({"max_sessions": True}, "max_sessions", "valid integer"),
        ({"policy": "ask"}, "policy", "'displace' or 'reject'"),
        ({"idle_timeout": 0}, "idle_timeout", "seconds from 1 on"),
        ({"absolute_timeout": -5}, "absolute_timeout", "seconds from 1 on"),
        ({"warn_before": "soon"}, "warn_before", "15m"),
        ({"idle_timeout": True}, "idle_timeout", "15m"),
        ({"exempt": "yes"}, "exempt", "valid boolean"),
        ({"impersonated_by": ""}, "impersonated_by", "1 to 256"),
        ({"impersonated_by": "x" * 257}, "impersonated_by", "1 to 256"),
        ({"impersonated_by": "support", "exempt": False}, "impersonated_by", "leave `exempt` out"),
        ({"ends": ["s"] * 101}, "ends", "at most 100"),
        ({"ends": ["not an id"]}, "ends.0", "1 to 256 of"),
        ({"ends": "s"}, "ends", "valid list"),
        ({"end": ["s"]}, "end", "did you mean 'ends'?"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_done(
    slotted: EnforcerProcess, room: str, members: dict[str, Any], field: str, hint: str
) -> None:
    """For logins and their explanation alike; with the field and what it may be."""
    for path in ("/notify", "/v1/sessions", "/v1/sessions/explain"):
        (error,) = problem(post(slotted, path, room=room, **members), 422, "invalid-request")["errors"]
        assert error["field"] == field
        assert hint in error["message"]
    assert live(slotted, room) == {}


def test_null_is_not_given(slotted: EnforcerProcess, room: str) -> None:
    """A client that always sends every member."""
    times = ("idle_timeout", "absolute_timeout", "warn_before")
    names = ("slot", "max_sessions", "policy", *times, "exempt", "impersonated_by", "ends")
    session = slotted.login(room, **dict.fromkeys(names))["session"]
    record = slotted.record(session)
    assert (record["slot"], record["exempt"], record["impersonated_by"]) == (None, False, None)


def test_a_repeat_is_compared_as_it_is_understood(slotted: EnforcerProcess) -> None:
    """42 is "42", "15m" is 900, null is absent, and the order of what ends does not matter."""
    first = {"room": 42, "idle_timeout": "15m", "ends": ["b", "a"], "slot": None, "request_id": "r"}
    again = {"room": "42", "idle_timeout": 900, "ends": ["a", "b", "a"], "request_id": "r"}
    other = {**again, "idle_timeout": "none"}
    answers = [post(slotted, "/notify", **body).json() for body in (first, again)]
    assert answers[0]["session"] == answers[1]["session"]
    problem(post(slotted, "/notify", **other), 409, "request-id-reused")


def test_support_does_not_throw_the_customer_out(slotted: EnforcerProcess, room: str, open_ws: Opener) -> None:
    """Who acts is in the record and in the audit log, and is not told to any page."""
    customer = slotted.login(room, device={"label": "Phone"})
    page = open_ws(slotted, auth={"ticket": customer["ticket"]})
    assert page.joined()["newest"] is True
    support = slotted.login(room, impersonated_by="support-7", device={"label": "Support's desk"})
    assert support["displaced"] == []
    record = slotted.record(support["session"])
    assert (record["exempt"], record["impersonated_by"], record["newest"]) == (True, "support-7", False)
    rows = slotted.call("GET", f"/v1/audit?room={room}").json()["items"]
    assert [row["impersonated_by"] for row in rows] == [None, "support-7"]
    status = httpx.get(f"{slotted.url}/session/status", headers={"Authorization": f"Bearer {customer['ticket']}"})
    assert (status.json()["newest"], "support" in status.text) == (True, False)
    assert slotted.login(room)["displaced"] == [customer["session"]]
    assert page.take("force-logout")["reason"] == "displaced"


def test_what_is_explained_is_what_happens(slotted: EnforcerProcess, room: str) -> None:
    """The same who and why, and nothing is left of the question."""
    old = slotted.login(room, device={"class": "mobile", "label": "Phone"})["session"]
    body = {"room": room, "slot": "mobile"}
    before = slotted.call("GET", f"/v1/audit?room={room}").text
    told = post(slotted, "/v1/sessions/explain", **body).json()
    assert told | {"why": [], "counted": [], "would_end": []} == {
        "outcome": "admitted",
        "code": None,
        "room": room,
        "slot": "mobile",
        "policy": "displace",
        "max_sessions": 1,
        "counted": [],
        "would_end": [],
        "why": [],
    }
    assert [(row["session"], row["reason"]) for row in told["would_end"]] == [(old, "displaced")]
    assert [row["session"] for row in told["counted"]] == [old]
    assert told["why"][0].startswith("max_sessions is 1 in slot mobile (from the settings of the slot)")
    assert slotted.call("GET", f"/v1/audit?room={room}").text == before
    assert slotted.login(**body)["displaced"] == [old]
    refused = post(slotted, "/v1/sessions/explain", **body, session=old).json()
    assert (refused["outcome"], refused["code"], refused["would_end"]) == ("refused", "session-ended", [])
    (mine,) = live(slotted, room)
    elsewhere = post(slotted, "/v1/sessions/explain", room=f"{room} of another", replaces=mine)
    assert [row["reason"] for row in elsewhere.json()["would_end"]] == ["replaced"]
    problem(post(slotted, "/v1/sessions/explain", **body, request_id="r"), 422, "invalid-request")


def test_everybody_is_logged_out_but_who_comes_later(tmp_path: Any) -> None:
    """Of a slot, of before a time, or all; exempt ones too; who logs in afterwards stays."""
    with EnforcerProcess(tmp_path / "enforcer", slots=SLOTS) as server:
        for n in range(30):
            server.login(f"u{n}", slot="mobile" if n % 3 == 0 else None, exempt=n % 2 == 0)
        middle = server.call("GET", "/v1/sessions").json()["items"][10]["started_at"]
        assert post(server, "/v1/logout-all", before=middle).status_code == 202
        left = server.call("GET", "/v1/sessions?open=true&limit=100").json()["items"]
        assert 18 <= len(left) <= 22  # the moment is told to a millisecond
        assert {row["started_at"] >= middle for row in left} == {True}
        in_slot = sum(row["slot"] == "mobile" for row in left)
        assert post(server, "/v1/logout-all", slot="mobile", reason="security").json() == {"ended": in_slot}
        assert server.call("POST", "/v1/logout-all").json() == {"ended": len(left) - in_slot}
        assert server.call("POST", "/v1/logout-all").json() == {"ended": 0}
        ended = server.call("GET", "/v1/sessions?open=false&slot=mobile").json()["items"]
        assert {row["end_reason"] for row in ended} == {"admin", "security"}
        assert {row["ended_by"]["kind"] for row in ended} == {"admin"}
        later = server.login("u1")["session"]
        assert server.record(later)["active"]
        for body in ({"before": "yesterday"}, {"slot": "a b"}, {"reason": "idle"}, {"befor": middle}):
            problem(post(server, "/v1/logout-all", **body), 422, "invalid-request")
