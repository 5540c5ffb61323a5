"""The same browser, another user: `replaces` names a session of another room."""

import json
import secrets
from typing import Any

from tests.integration.pages import Opener
from tests.running import EnforcerProcess, until


def rows(server: EnforcerProcess, room: str) -> list[tuple[str, str, str | None]]:
    """The audit log of a room: event, session, reason."""
    items = server.call("GET", "/v1/audit", params={"room": room}).json()["items"]
    return [(row["event"], row["session"], row["reason"]) for row in items]


def test_a_session_of_another_room_is_replaced(shared: EnforcerProcess, open_page: Opener, room: str) -> None:
    """It ends in its own room, by the new login, its page is told, and nobody is named as displaced."""
    alice = shared.login(f"{room}-alice")
    page = open_page(shared, auth={"ticket": alice["ticket"]})
    page.joined()
    device = {"label": "Firefox on Linux", "class": "desktop"}
    bob = shared.login(f"{room}-bob", replaces=alice["session"], device=device)
    assert (bob["created"], bob["displaced"]) == (True, [])
    told = page.take("force-logout")
    assert (told["session"], told["room"], told["reason"]) == (alice["session"], f"{room}-alice", "replaced")
    assert told["by"] == {"device": device}
    record = shared.record(alice["session"])
    assert (record["end_reason"], record["ended_by"]["kind"]) == ("replaced", "login")
    assert record["ended_by"]["session"] == bob["session"]
    assert shared.record(bob["session"])["active"] is True
    assert rows(shared, f"{room}-alice") == [
        ("started", alice["session"], None),
        ("ended", alice["session"], "replaced"),
    ]


def test_the_others_of_that_room_stay(enforcer: EnforcerProcess, room: str) -> None:
    """Only the session that is named ends: the other user's other devices are none of this login's business."""
    enforcer.stop()
    enforcer.settings["max_sessions"] = 2
    enforcer.start()
    first, second = (enforcer.login(f"{room}-alice")["session"] for _ in range(2))
    enforcer.login(f"{room}-bob", replaces=first)
    assert enforcer.record(first)["end_reason"] == "replaced"
    assert enforcer.record(second)["active"] is True


def test_a_repeat_ends_it_once(shared: EnforcerProcess, room: str) -> None:
    """The same request again gives the same answer and writes nothing."""
    alice = shared.login(f"{room}-alice")["session"]
    body: dict[str, Any] = {"replaces": alice, "request_id": secrets.token_hex(8)}
    first, again = (shared.login(f"{room}-bob", **body) for _ in range(2))
    assert (again["session"], again["epoch"]) == (first["session"], first["epoch"])
    assert [event for event, *_ in rows(shared, f"{room}-alice")] == ["started", "ended"]
    assert [event for event, *_ in rows(shared, f"{room}-bob")] == ["started"]


def test_a_refused_login_replaces_nothing(enforcer: EnforcerProcess, room: str) -> None:
    """Policy `reject`: who is not let in ends nobody, in no room."""
    enforcer.stop()
    enforcer.settings["policy"] = "reject"
    enforcer.start()
    alice = enforcer.login(f"{room}-alice")["session"]
    enforcer.login(f"{room}-bob")
    refused = enforcer.call("POST", "/v1/sessions", json={"room": f"{room}-bob", "replaces": alice})
    assert refused.json()["code"] == "session-limit"
    assert enforcer.record(alice)["active"] is True


def test_an_unknown_id_is_ignored_and_logged(enforcer: EnforcerProcess, room: str) -> None:
    """The login is taken; the line names the id and the room."""
    answer = enforcer.login(room, replaces="forgotten-long-ago")
    assert (answer["created"], answer["displaced"]) == (True, [])
    lines = [line for line in enforcer.read_log().splitlines() if "forgotten-long-ago" in line]
    assert len(lines) == 1, lines
    assert room in lines[0]


def test_one_that_had_ended_before_keeps_its_reason(enforcer: EnforcerProcess, room: str) -> None:
    """Nothing is written or logged about it again."""
    alice = enforcer.login(f"{room}-alice")["session"]
    assert enforcer.call("DELETE", f"/v1/sessions/{alice}").status_code == 204
    enforcer.login(f"{room}-bob", replaces=alice)
    assert enforcer.record(alice)["end_reason"] == "logout"
    assert [event for event, *_ in rows(enforcer, f"{room}-alice")] == ["started", "ended"]
    assert sum(json.dumps(alice) in line and " ended " in line for line in enforcer.read_log().splitlines()) == 1


def test_open_mode_replaces_when_the_page_claims(shared_open: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """A login that waits for its page ends nobody yet; its page takes it, and then the other room's session ends."""
    alice = shared_open.login(f"{room}-alice", session=f"{room}-a")["session"]
    assert shared_open.login(f"{room}-bob", replaces=alice)["pending"] is True
    assert shared_open.record(alice)["active"] is True
    open_ws(shared_open, auth={"room": f"{room}-bob", "session": f"{room}-b"}).joined()
    until(lambda: shared_open.record(alice)["end_reason"] == "replaced")
    assert shared_open.record(alice)["ended_by"]["session"] == f"{room}-b"
