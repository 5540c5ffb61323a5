"""`enforcer sessions`, `log` and `end` against a running server, and what SIGHUP changes in one."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.pages import Opener
from tests.running import ROOT, EnforcerProcess, until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """With two users, one of whom came twice."""
    with EnforcerProcess(tmp_path / "enforcer", log_format="json") as server:
        server.login("alice", session="a-1", device={"label": "Phone\x1b[31m"})
        server.login("alice", session="a-2", device={"label": "=Laptop"})
        server.login("bob", session="b-1")
        yield server


def console(server: EnforcerProcess, *arguments: str, status: int = 0) -> str:
    """What the command prints, on stdout or, when it must fail, on stderr."""
    ran = subprocess.run(
        [sys.executable, "-m", "enforcer", *arguments, "--config", str(server.config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == status, ran.stderr
    assert server.authkey not in ran.stdout + ran.stderr
    return ran.stdout if status == 0 else ran.stderr


def test_sessions_as_a_table(server: EnforcerProcess) -> None:
    """A row a session; what somebody wrote into a name does not reach the terminal as an order."""
    head, *rows = console(server, "sessions").splitlines()
    assert head.split() == ["STARTED", "SESSION", "ROOM", "STATE", "LAST", "SEEN", "ENDED", "DELIVERY", "DEVICE"]
    assert [row.split()[1:4] for row in rows] == [
        ["a-1", "alice", "displaced"],
        ["a-2", "alice", "open"],
        ["b-1", "bob", "open"],
    ]
    assert "\x1b" not in rows[0]
    assert "Phone\\x1b[31m" in rows[0]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["--room", "alice"], ["a-1", "a-2"]),
        (["--state", "open"], ["a-2", "b-1"]),
        (["--state", "ended", "--reason", "displaced"], ["a-1"]),
        (["--since", "2000-01-01T00:00:00Z"], ["a-1", "a-2", "b-1"]),
        (["--until", "2000-01-01T00:00:00Z"], []),
        (["--limit", "2"], ["a-1", "a-2"]),
    ],
    ids=" ".join,
)
def test_sessions_are_filtered(server: EnforcerProcess, filters: list[str], ids: list[str]) -> None:
    """By what the options say."""
    assert [row.split()[1] for row in console(server, "sessions", *filters).splitlines()[1:]] == ids


def test_csv_and_json_lines(server: EnforcerProcess) -> None:
    """As the API streams them."""
    rows = list(csv.DictReader(io.StringIO(console(server, "sessions", "--format", "csv"), newline="")))
    assert [row["session"] for row in rows] == ["a-1", "a-2", "b-1"]
    assert rows[1]["device.label"] == "'=Laptop"
    lines = console(server, "log", "--format", "jsonl", "--room", "alice").splitlines()
    happened = [(row["event"], row["session"]) for row in map(json.loads, lines)]
    assert happened == [
        ("started", "a-1"),
        ("started", "a-2"),
        ("ended", "a-1"),
    ]


def test_the_audit_log_says_who(server: EnforcerProcess) -> None:
    """A row a transition, with who caused it."""
    rows = [row.split() for row in console(server, "log", "--session", "a-1").splitlines()[1:]]
    assert [row[1] for row in rows] == ["started", "ended"]
    assert rows[1][4:7] == ["displaced", "login", "a-2"]


def test_end_a_session_and_its_page_leaves(server: EnforcerProcess, open_ws: Opener) -> None:
    """As an administrator, unless told otherwise."""
    ticket = server.call("POST", "/v1/sessions/b-1/ticket").json()["ticket"]
    page = open_ws(server, auth={"ticket": ticket})
    page.joined()
    assert console(server, "end", "b-1") == "b-1 has ended\n"
    assert page.take("force-logout")["reason"] == "admin"


def test_end_all_of_a_user_but_one(server: EnforcerProcess) -> None:
    """With a policy for more than one session there is more to end."""
    assert console(server, "end", "--room", "alice", "--except", "a-2") == "no session was open\n"
    assert console(server, "end", "--room", "alice", "--reason", "logout") == "a-2 has ended\n"
    assert server.record("a-2")["end_reason"] == "logout"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["end"], "name one SESSION, or --room ROOM"),
        (["end", "nobody"], "session 'nobody' is not known (404)"),
        (["log", "--since", "yesterday"], "must be a time like"),
        (["sessions", "--url", "http://127.0.0.1:1"], "http://127.0.0.1:1 cannot be reached"),
        (["sessions", "--url", "file:///etc/passwd"], "is not an http(s) address"),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else "",
)
def test_what_cannot_be_done_is_one_line(server: EnforcerProcess, arguments: list[str], sentence: str) -> None:
    """Exit 2, no trace."""
    line = console(server, *arguments, status=2)
    assert line.startswith("enforcer: ")
    assert sentence in line
    assert len(line.splitlines()) == 1


def test_a_reader_that_has_seen_enough(server: EnforcerProcess) -> None:
    """`| head -1` is no error that anybody reads about."""
    for n in range(300):
        server.login("many", session=f"m-{n}", device={"label": "x" * 100})
    command = f"{sys.executable} -m enforcer log --format csv --config {server.config} | head -1"
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.startswith("seq,at,event")
    assert ran.stderr == ""


# ---- SIGHUP -----------------------------------------------------------------------------------------


def reload(server: EnforcerProcess, said: str) -> dict[str, Any]:
    """Puts the settings into the file and asks for them to be read; what the log says about it."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in map(json.loads, server.read_log().splitlines()) if said in line["message"]]

    before = len(lines())
    server.write_config()
    assert server.popen is not None
    server.popen.send_signal(signal.SIGHUP)
    until(lambda: len(lines()) > before)
    return lines()[-1]


def call_with(server: EnforcerProcess, key: str) -> int:
    """The status of a call with this key."""
    return httpx.get(f"{server.url}/v1/sessions", headers={"Authorization": f"Bearer {key}"}).status_code


def test_rotation_of_the_key_without_a_gap(server: EnforcerProcess, open_ws: Opener) -> None:
    """Two keys, then the new one alone: calls and tickets of both work while both are there, pages stay joined."""
    old, new = server.authkey, "n" * 40
    ticket = server.call("POST", "/v1/sessions/a-2/ticket").json()["ticket"]
    page = open_ws(server, auth={"ticket": ticket})
    page.joined()
    server.settings["authkey"] = [new, old]
    assert "needs_restart" not in reload(server, "is reloaded")
    assert (call_with(server, old), call_with(server, new)) == (200, 200)
    fresh = server.call("POST", "/v1/sessions/a-2/ticket").json()["ticket"]
    for each in (ticket, fresh):
        open_ws(server, auth={"ticket": each}).joined()
    server.settings["authkey"] = new
    reload(server, "is reloaded")
    assert (call_with(server, old), call_with(server, new)) == (401, 200)
    assert open_ws(server, auth={"ticket": ticket}).refused()["message"] == "ticket-invalid"
    open_ws(server, auth={"ticket": fresh}).joined()
    page.untouched()


def test_what_needs_a_restart_is_said(server: EnforcerProcess) -> None:
    """The rest is in force at once."""
    server.settings |= {"policy": "reject", "port": 1, "retention": 86400}
    assert reload(server, "is reloaded")["needs_restart"] == ["port", "retention"]
    answer = server.call("POST", "/v1/sessions", json={"room": "bob"})
    assert (answer.status_code, answer.json()["code"]) == (409, "session-limit")


def test_a_configuration_that_cannot_be_used_changes_nothing(server: EnforcerProcess) -> None:
    """It is said, without the key, and the server goes on as it was."""
    server.settings["max_sessions"] = 0
    line = reload(server, "nothing has changed")
    assert "max_sessions" in json.dumps(line)
    assert server.authkey not in server.read_log()
    assert server.login("carol")["created"] is True
