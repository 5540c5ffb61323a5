"""The log on stderr says what the audit log says, once each; and it notices browsers that throw each other out."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import Client

from tests.integration.pages import Opener
from tests.running import EnforcerProcess, until


def lines(server: EnforcerProcess, message: str) -> list[dict[str, Any]]:
    """What the log has with this message."""
    found = [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] == message]


def same_as_the_audit(server: EnforcerProcess, room: str) -> None:
    """Each row of the room has its line, in its order, with the same session and reason, and no line is without."""
    rows = server.call("GET", "/v1/audit", params={"room": room}).json()["items"]
    logged = [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]
    told = [line for line in logged if line.get("room") == room and line["message"] in ("login", "ended")]
    assert sorted((line.get("event", "ended"), line["session"], line.get("reason")) for line in told) == sorted(
        (row["event"], row["session"], row["reason"]) for row in rows
    )
    kinds = {row["session"]: row["by"]["kind"] for row in rows if row["event"] == "ended"}
    assert {line["session"]: line["by"] for line in told if line["message"] == "ended"} == kinds


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a server with a log that can be read."""
    return tmp_path / "enforcer"


def test_an_end_that_was_there_before_is_not_logged_again(directory: Path) -> None:
    """DELETE of a displaced session is 204, and the log goes on saying that it was displaced."""
    with EnforcerProcess(directory, log_format="json") as server:
        server.login("alice", session="a-1")
        server.login("alice", session="a-2")
        for _ in range(2):
            assert server.call("DELETE", "/v1/sessions/a-1").status_code == 204
        assert server.call("DELETE", "/v1/users/alice/sessions?reason=security").json() == {"ended": ["a-2"]}
        assert server.call("DELETE", "/v1/users/alice/sessions").json() == {"ended": []}
        same_as_the_audit(server, "alice")
        ended = {line["session"]: (line["reason"], line["by"]) for line in lines(server, "ended")}
        assert ended == {"a-1": ("displaced", "login"), "a-2": ("security", "app")}


def test_ends_by_time_and_by_the_same_browser_are_logged(directory: Path) -> None:
    """`idle` by the timer, `replaced` by the login, in this room and another; claims of a session that was there."""
    with EnforcerProcess(directory, log_format="json", absolute_timeout=1, max_sessions=2) as server:
        server.login("alice", session="a-1")
        server.login("alice", session="a-1")
        server.login("alice", session="a-2", replaces="a-1")
        server.login("bob", session="b-1", replaces="a-2")
        until(lambda: server.record("b-1")["end_reason"] == "absolute")
        for room in ("alice", "bob"):
            same_as_the_audit(server, room)
        ended = {
            line["session"]: (line["reason"], line["by"], line.get("by_session")) for line in lines(server, "ended")
        }
        assert ended == {
            "a-1": ("replaced", "login", "a-2"),
            "a-2": ("replaced", "login", "b-1"),
            "b-1": ("absolute", "timer", None),
        }


def test_a_login_of_open_mode_is_logged_when_it_is_one(directory: Path, open_ws: Opener) -> None:
    """With its session, when the page has taken it; not before, as a login of nobody."""
    with EnforcerProcess(directory, log_format="json", join="open") as server:
        first = open_ws(server, auth={"room": "alice", "session": "s-1"})
        first.joined()
        server.login("alice")
        server.login("alice")
        second = open_ws(server, auth={"room": "alice", "session": "s-2"})
        second.joined()
        first.take("force-logout")
        same_as_the_audit(server, "alice")
        logins = [(line["session"], line["displaced"]) for line in lines(server, "login")]
        assert logins == [("s-1", []), ("s-2", ["s-1"])]


def test_a_refused_login_is_logged(directory: Path) -> None:
    """Policy `reject` writes a row, so there is a line."""
    with EnforcerProcess(directory, log_format="json", policy="reject") as server:
        server.login("alice", session="a-1")
        assert server.call("POST", "/v1/sessions", json={"room": "alice", "session": "a-2"}).status_code == 409
        assert [(line["room"], line["session"]) for line in lines(server, "login refused")] == [("alice", "a-2")]


def wars(server: EnforcerProcess) -> float:
    """The counter."""
    text = httpx.get(f"{server.url}/metrics", headers=server.headers).text
    (value,) = [line.split()[1] for line in text.splitlines() if line.startswith("enforcer_takeover_wars_total ")]
    return float(value)


def test_browsers_that_throw_each_other_out(directory: Path) -> None:
    """The sixth take-over within a minute is one warning that names the room and what to do; more are none."""
    warning = "a room is taken over again and again"
    with (
        EnforcerProcess(directory, log_format="json") as server,
        Client(base_url=server.url, headers=server.headers, verify=False) as http,
    ):

        def login(room: str, **more: str) -> None:
            assert http.post("/notify", json={"room": room, **more}).status_code == 200

        for _ in range(6):  # the first takes over nobody
            login("alice")
        assert wars(server) == 0
        assert warning not in server.read_log()
        for n in range(30):
            login("alice")
            login("carol", replaces=f"c-{n - 1}", session=f"c-{n}")  # the same browser: no war
            login(f"user-{n}")
        assert wars(server) == 1
        (line,) = [json.loads(text) for text in server.read_log().splitlines() if warning in text]
        assert (line["level"], line["room"], line["takeovers"]) == ("warning", "alice", 6)
        assert "reject" in line["message"]
        for _ in range(7):
            login("dave")
        assert wars(server) == 2
