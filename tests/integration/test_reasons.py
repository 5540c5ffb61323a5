"""Why a session ended, as the log, the record and the page are told."""

import json
from typing import Any

import pytest

from tests.integration.pages import Opener
from tests.integration.problems import problem
from tests.running import EnforcerProcess

REASONS = ("logout", "logout_everywhere", "password_changed", "security", "admin")
OTHERS_THAN_ASKED = ("displaced", "replaced", "idle", "absolute", "lost", "lunch", "")


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("way", ["one", "all", "all by body", "all by body and query"])
def test_each_reason_can_be_given(shared: EnforcerProcess, open_ws: Opener, room: str, way: str, reason: str) -> None:
    """With every call that ends sessions; the record and the page say it, with a sentence of its own."""
    login = shared.login(room)
    page = open_ws(shared, auth={"ticket": login["ticket"]})
    page.joined()
    calls: dict[str, tuple[str, str, Any]] = {
        "one": ("DELETE", f"/v1/sessions/{login['session']}?reason={reason}", None),
        "all": ("DELETE", f"/v1/users/{room}/sessions?reason={reason}", None),
        "all by body": ("POST", "/v1/users/logout", {"room": room, "reason": reason}),
        "all by body and query": ("POST", f"/v1/users/logout?reason={reason}", {"room": room}),
    }
    method, path, body = calls[way]
    assert shared.call(method, path, json=body).status_code in (200, 204)
    told = page.take("force-logout")
    assert told["reason"] == reason
    assert told["by"] is None
    assert len(told["message"]) > 10
    record = shared.record(login["session"])
    assert (record["end_reason"], record["ended_by"]) == (reason, {"kind": "admin" if reason == "admin" else "app"})
    listed = shared.call("GET", "/v1/sessions", params={"room": room, "reason": reason}).json()["items"]
    assert [row["session"] for row in listed] == [login["session"]]


def test_each_reason_has_a_sentence_of_its_own(shared: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """Nobody whose password was changed reads that an administrator did it."""
    sentences = set()
    for reason in REASONS:
        login = shared.login(room)
        page = open_ws(shared, auth={"ticket": login["ticket"]})
        page.joined()
        shared.call("DELETE", f"/v1/sessions/{login['session']}?reason={reason}")
        sentences.add(page.take("force-logout")["message"])
    assert len(sentences) == len(REASONS)


@pytest.mark.parametrize("reason", OTHERS_THAN_ASKED)
def test_what_nobody_may_claim(shared: EnforcerProcess, room: str, reason: str) -> None:
    """What only logins and time can be the reason of; the answer lists what can be given."""
    session = shared.login(room)["session"]
    refused = shared.call("DELETE", f"/v1/sessions/{session}", params={"reason": reason})
    assert "password_changed" in json.dumps(problem(refused, 422, "invalid-request"))
    problem(shared.call("POST", "/v1/users/logout", json={"room": room, "reason": reason}), 422, "invalid-request")
    assert shared.record(session)["active"] is True


@pytest.mark.parametrize("over", ["socket", "http"])
def test_a_page_that_logs_out_everywhere(enforcer: EnforcerProcess, open_ws: Opener, room: str, over: str) -> None:
    """It has logged out itself, and so have its tabs; the others were logged out by it, and are told from where."""
    enforcer.stop()
    enforcer.settings["max_sessions"] = 2
    enforcer.start()
    device = {"label": "Firefox on Linux", "class": "desktop"}
    here, there = enforcer.login(room, device=device), enforcer.login(room)
    asking, its_tab = (open_ws(enforcer, auth={"ticket": here["ticket"]}) for _ in range(2))
    other = open_ws(enforcer, auth={"ticket": there["ticket"]})
    for page in (asking, its_tab, other):
        page.joined()
    if over == "socket":
        assert asking.call("logout", {"everywhere": True}) == {"ok": True}
    else:
        headers = {"Authorization": f"Bearer {here['ticket']}"}
        answer = enforcer.call("POST", "/session/logout", json={"everywhere": True}, headers=headers)
        assert answer.status_code == 204
    told = its_tab.take("force-logout")
    assert (told["reason"], told["by"]) == ("logout", {"device": device, "self": True})
    told = other.take("force-logout")
    assert (told["reason"], told["by"]) == ("logout_everywhere", {"device": device})
    assert enforcer.record(here["session"])["end_reason"] == "logout"
    record = enforcer.record(there["session"])
    assert (record["end_reason"], record["ended_by"]["kind"]) == ("logout_everywhere", "page")


def test_a_page_without_a_device_knows_its_own_logout(shared: EnforcerProcess, open_ws: Opener, room: str) -> None:
    """Its other tabs, and its own return, are told that it was this session; there is no device to name."""
    login = shared.login(room)
    asking, its_tab = (open_ws(shared, auth={"ticket": login["ticket"]}) for _ in range(2))
    asking.joined()
    its_tab.joined()
    assert asking.call("logout") == {"ok": True}
    assert its_tab.take("force-logout")["by"] == {"device": None, "self": True}
    back = open_ws(shared, auth={"ticket": login["ticket"]}).refused()
    assert back["data"]["by"] == {"device": None, "self": True}
