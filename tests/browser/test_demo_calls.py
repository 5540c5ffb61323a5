"""The demo's own calls, without a browser."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import EnforcerProcess, until


def test_it_touches_only_its_own_rooms(demo: EnforcerProcess) -> None:
    """A user of the application with the same name is not disturbed."""
    theirs = demo.login("ann")
    post = httpx.post(f"{demo.url}/demo/login", json={"name": "ann", "window": "Teal window"})
    assert post.status_code == 200
    assert demo.record(theirs["session"])["active"]
    assert demo.record(post.json()["session"])["room"] == "demo:ann"
    assert demo.call("POST", "/notify", json={"room": "demo:ann"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 65, "window": "w"},
        {"name": "", "window": "w"},
        {"name": "x\ny", "window": "w"},
        {"name": 7, "window": "w"},
        {"name": "ann", "window": ""},
        {"name": "ann", "window": "w", "session": "mine"},
        {"name": "ann"},
        {"name": "ann", "window": "w", "rule": "three"},
        {"name": "ann", "window": "w", "rule": None},
        {"name": "ann", "window": "w", "ends": "abc"},
        {"name": "ann", "window": "w", "ends": ["x" * 9]},
    ],
)
def test_what_is_not_a_login_is_refused(demo: EnforcerProcess, body: dict[str, object]) -> None:
    """By the same strict rules as the API."""
    answer = httpx.post(f"{demo.url}/demo/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_addresses(demo: EnforcerProcess) -> None:
    """Every file is there, with the strict policy; ids are not given away."""
    for path in ("", "/demo.css", "/demo.js", "/identity.js", "/rules.js", "/sessions.js", "/icon.svg"):
        answer = httpx.get(f"{demo.url}/demo{path}")
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"
    assert httpx.get(f"{demo.url}/demo/").headers["Location"] == "../demo"
    session = httpx.post(f"{demo.url}/demo/login", json={"name": "ida", "window": "w"}).json()["session"]
    listed = httpx.get(f"{demo.url}/demo/sessions", params={"name": "ida"})
    assert listed.json()["sessions"][0]["id"] == session[:8]
    assert session not in listed.text
    assert httpx.get(f"{demo.url}/demo/sessions").status_code == 422


def log_in(server: EnforcerProcess, name: str, **body: object) -> httpx.Response:
    """A window of this name."""
    return httpx.post(f"{server.url}/demo/login", json={"name": name, "window": "Teal window", **body})


def seen(server: EnforcerProcess, name: str) -> dict[str, Any]:
    """What the page is told of this name."""
    told: dict[str, Any] = httpx.get(f"{server.url}/demo/sessions", params={"name": name}).json()
    return told


def live(server: EnforcerProcess, name: str) -> list[tuple[str, str | None]]:
    """Short ids and slots of the live sessions, newest first."""
    return [(s["id"], s["slot"]) for s in seen(server, name)["sessions"] if s["live"]]


def test_each_name_has_a_rule(demo: EnforcerProcess) -> None:
    """Whoever logs in first chooses it, and it holds for those who come to him."""
    assert seen(demo, "cleo")["rule"] is None
    ids = [log_in(demo, "cleo", rule=rule).json()["session"][:8] for rule in ("two", "one", "ask")]
    assert live(demo, "cleo") == [(ids[2], None), (ids[1], None)]
    assert seen(demo, "cleo")["rule"] == "two"
    classes = ("desktop", "mobile", "tablet", "mobile")
    ids = [log_in(demo, "dora", rule="phone-desktop", **{"class": c}).json()["session"][:8] for c in classes]
    assert live(demo, "dora") == [(ids[3], "mobile"), (ids[2], "desktop")]
    assert seen(demo, "dora")["rule"] == "phone-desktop"


def test_the_newcomer_is_asked(demo: EnforcerProcess) -> None:
    """By short ids; those of another name's sessions end nothing."""
    first = log_in(demo, "eva", rule="ask").json()["session"]
    other = log_in(demo, "finn").json()["session"]
    refused = log_in(demo, "eva")
    assert (refused.status_code, refused.json()["code"], refused.json()["rule"]) == (409, "session-limit", "ask")
    assert [row["session"] for row in refused.json()["sessions"]] == [first[:8]]
    assert refused.json()["max_sessions"] == 1
    assert first not in refused.text
    assert log_in(demo, "eva", ends=[other[:8]]).status_code == 409
    assert demo.record(first)["active"]
    second = log_in(demo, "eva", ends=[first[:8]]).json()["session"]
    record = demo.record(first)
    assert (record["end_reason"], record["ended_by"]["session"]) == ("displaced", second)
    assert demo.record(other)["active"]


def test_the_elevated_ticket_ends_another_session(demo: EnforcerProcess) -> None:
    """The plain one does not; nor is one given where nothing may be ended by it."""
    there = log_in(demo, "gus", rule="two").json()["session"]
    here = log_in(demo, "gus").json()
    for ticket, status in ((here["ticket"], 403), (here["elevated_ticket"], 200)):
        answer = httpx.post(
            f"{demo.url}/session/devices/end",
            json={"session": there},
            headers={"Authorization": f"Bearer {ticket}"},
        )
        assert answer.status_code == status
    assert demo.record(there)["end_reason"] == "logout"


def test_a_rule_goes_with_the_last_window_that_is_alive(tmp_path: Path) -> None:
    """What is left of it ends with the next login, in whichever slot it is."""
    with EnforcerProcess(tmp_path, demo=True, alive_window=1, device_ends="off") as server:
        phone = log_in(server, "hal", rule="phone-desktop", **{"class": "mobile"}).json()["session"]
        until(lambda: seen(server, "hal")["rule"] is None)
        assert live(server, "hal") == [(phone[:8], "mobile")]
        answer = log_in(server, "hal", rule="one").json()
        assert answer["elevated_ticket"] is None
        assert live(server, "hal") == [(answer["session"][:8], None)]
        assert seen(server, "hal")["rule"] == "one"


def test_it_is_off_unless_switched_on(tmp_path: Path) -> None:
    """Nothing of it answers then."""
    with EnforcerProcess(tmp_path) as server:
        for path in ("", "/", "/demo.css", "/demo.js", "/sessions?name=ann"):
            assert httpx.get(f"{server.url}/demo{path}").status_code == 404
        assert httpx.post(f"{server.url}/demo/login", json={"name": "ann", "window": "w"}).status_code == 404
