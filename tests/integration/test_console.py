"""`enforcer sessions`, `log` and `end` against a running server, and what SIGHUP changes in one."""

import contextlib
import csv
import io
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from enforcer.command.cli import main
from tests.integration.pages import Opener
from tests.running import ROOT, EnforcerProcess, until

MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """With two users, one of whom came twice."""
    with EnforcerProcess(tmp_path / "enforcer", log_format="json") as server:
        server.login("alice", session="a-1", device={"label": "Phone\u202e"})
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
    assert not (status == 0 and ran.stderr), "there is no bar without a terminal"
    return ran.stdout if status == 0 else ran.stderr


def test_sessions_as_a_table(server: EnforcerProcess) -> None:
    """A row a session; what somebody wrote into a name does not reach the terminal as an order."""
    head, *rows = console(server, "sessions").splitlines()
    assert head.split() == [
        "STARTED",
        "SESSION",
        "ROOM",
        "STATE",
        "LAST",
        "SEEN",
        "ENDED",
        "DELIVERY",
        "SLOT",
        "DEVICE",
    ]
    assert [row.split()[1:4] for row in rows] == [
        ["a-1", "alice", "displaced"],
        ["a-2", "alice", "open"],
        ["b-1", "bob", "open"],
    ]
    assert "\u202e" not in rows[0]
    assert "Phone\\u202e" in rows[0]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["--room", "alice"], ["a-1", "a-2"]),
        (["--state", "open"], ["a-2", "b-1"]),
        (["--state", "ended", "--reason", "displaced"], ["a-1"]),
        (["--since", "2000-01-01T00:00:00Z"], ["a-1", "a-2", "b-1"]),
        (["--until", "2000-01-01T00:00:00Z"], []),
        (["--limit", "2"], ["a-2", "b-1"]),
        (["--limit", "2", "--oldest"], ["a-1", "a-2"]),
        (["--limit", "0"], []),
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
        (["end", "--all", "--room", "x"], "name one SESSION, or --room ROOM"),
        (["end", "--all", "--except", "x"], "--except goes with --room"),
        (["end", "a-1", "--slot", "x"], "--before and --slot go with --all"),
        (["end", "--all"], "this would end 2 session(s) of 2 user(s); add --yes if it is meant"),
        (["end", "--all", "--before", "soon"], "--before: "),
        (["end", "nobody"], "session 'nobody' is not known (404)"),
        (["log", "--since", "tomorrow"], "--since: a time is written as 1h, 2d, today"),
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


def test_end_everybody(server: EnforcerProcess) -> None:
    """Those of a slot, or all; on a terminal it asks, and shows how far it is."""
    server.login("carol", session="c-1", slot="mobile")
    assert console(server, "end", "--all", "--slot", "mobile", "--yes") == "1 session(s) have ended\n"
    assert "End 2 session(s) of 2 user(s)? [y/N]" in on_a_terminal(server, "end", "--all", typed="no\n", status=1)
    assert server.record("a-2")["active"]
    shown = on_a_terminal(server, "end", "--all", "--reason", "security", typed="y\n")
    assert f"[{'#' * 40}] 100% 2 sessions ended" in shown
    assert "2 session(s) have ended" in shown
    assert server.record("b-1")["end_reason"] == "security"


def test_what_is_printed_is_json_if_wanted(server: EnforcerProcess, capfd: pytest.CaptureFixture[str]) -> None:
    """Of every command that speaks to the server, with the names of the API."""

    def told(*arguments: str) -> Any:
        main([*arguments, "--json", "--config", str(server.config)])
        documents = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        return documents if arguments[0] in ("sessions", "log") else documents[0]

    assert [row["session"] for row in told("sessions")] == ["a-1", "a-2", "b-1"]
    assert [row["event"] for row in told("log")] == ["started", "started", "ended", "started"]
    assert [row["session"] for row in told("explain", "alice")["would_end"]] == ["a-2"]
    assert told("webhooks") == []
    assert {row["about"] for row in told("doctor")} >= {"server", "proxy"}
    assert told("end", "b-1") == {"ended": ["b-1"]}
    assert told("end", "--room", "bob") == {"ended": []}
    assert told("end", "--all", "--yes") == {"ended": 1}
    ours = {row["name"]: (row["value"], row["source"]) for row in told("settings")}
    assert ours["port"] == (server.port, "file")
    assert ours["authkey"][0] == ["**********"]


def test_an_export_shows_how_far_it_is(server: EnforcerProcess, tmp_path: Path) -> None:
    """On a terminal, beside the rows in a file, which are to the byte what they are without one."""
    server.login("carol", session="c-1")
    file = tmp_path / "rows"
    for form, rows in (("csv", 5), ("jsonl", 4)):
        with file.open("wb") as out:
            shown = on_a_terminal(server, "sessions", "--format", form, stdout=out, status=0)
        assert shown.endswith(f"[{'#' * 40}] 100% {rows} rows\r\n")
        with file.open(newline="") as written:
            assert written.read() == server.call("GET", "/v1/sessions", headers={"Accept": MEDIA_TYPES[form]}).text
    assert " rows" not in on_a_terminal(server, "sessions", "--format", "csv", status=0)


def test_explain_says_what_would_happen(server: EnforcerProcess) -> None:
    """In sentences."""
    head, *why = console(server, "explain", "alice").splitlines()
    assert head == "A login of alice would be admitted."
    assert why[0] == "- max_sessions is 1 (from the settings), and 1 other session counts"
    assert "a-2" in why[1]
    assert console(server, "explain", "alice", "--slot", "tv").splitlines()[-1] == "- nobody would end"
    assert "would be refused" in console(server, "explain", "alice", "--session", "a-1")


def test_a_table_fits_the_terminal(server: EnforcerProcess) -> None:
    """Every column is seen; the widest give way."""
    server.login("d" * 200, session="d-1", device={"label": "L" * 100, "class": "tv"}, slot="salon")
    for line in on_a_terminal(server, "sessions", "--slot", "salon", columns=100).splitlines():
        assert len(line) <= 100
        assert "DEVICE" in line or "LL" in line


def test_a_reader_that_has_seen_enough(server: EnforcerProcess) -> None:
    """`| head -1` is no error that anybody reads about."""
    for n in range(300):
        server.login("many", session=f"m-{n}", device={"label": "x" * 100})
    command = f"{sys.executable} -m enforcer log --format csv --config {server.config} | head -1; exit $PIPESTATUS"
    ran = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ran.stdout.startswith("seq,at,event")
    assert (ran.stderr, ran.returncode) == ("", 141)


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


# ---- the newest, and what comes ---------------------------------------------------------------------


def sessions_of(text: str) -> list[str]:
    """The sessions of a printed audit log."""
    return [row.split()[3] for row in text.splitlines()[1:]]


def test_the_log_shows_the_newest(server: EnforcerProcess) -> None:
    """The last rows, in the order in which they happened; `--oldest` the first; however long the log is."""
    with httpx.Client(base_url=server.url, headers=server.headers, verify=False) as http:
        for n in range(1100):  # more than a page of the server
            http.post("/notify", json={"room": f"user-{n}", "session": f"u-{n}"})
    assert sessions_of(console(server, "log", "--limit", "3")) == ["u-1097", "u-1098", "u-1099"]
    assert sessions_of(console(server, "log", "--limit", "2", "--oldest")) == ["a-1", "a-2"]
    assert len(sessions_of(console(server, "log"))) == 1000
    assert len(sessions_of(console(server, "log", "--limit", "1103"))) == 1103
    lines = console(server, "log", "--limit", "2", "--format", "jsonl").splitlines()
    assert [json.loads(line)["session"] for line in lines] == ["u-1098", "u-1099"]
    rows = list(csv.DictReader(io.StringIO(console(server, "sessions", "--limit", "1", "--format", "csv"), newline="")))
    assert [row["session"] for row in rows] == ["u-1099"]
    assert console(server, "sessions", "--limit", "2").split()[-2:] != []
    assert [row.split()[1] for row in console(server, "sessions", "--limit", "2").splitlines()[1:]] == [
        "u-1098",
        "u-1099",
    ]


@pytest.mark.parametrize("since", ["1h", "1h ago", "yesterday", "2000-01-01", "2000-01-01 10:00", "946684800"])
def test_the_log_since_and_until(server: EnforcerProcess, since: str) -> None:
    """Relative and absolute times, on both ends."""
    assert len(sessions_of(console(server, "log", "--since", since))) == 4
    assert sessions_of(console(server, "log", "--until", since)) == []
    assert sessions_of(console(server, "log", "--since", since, "--until", since)) == []
    assert len(sessions_of(console(server, "log", "--until", "2100-01-01T00:00:00Z"))) == 4


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_the_log_is_followed(server: EnforcerProcess, form: str) -> None:
    """What was there, then each row once as it happens, over a restart of the server too."""
    command = [sys.executable, "-m", "enforcer", "log", "--follow", "--format", form, "--config", str(server.config)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs of a shell ignore it
    ) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        giving_up = threading.Timer(60, following.kill)  # a row that does not come is waited for without an end
        giving_up.start()

        def told(rows: int) -> list[str]:
            lines = [following.stdout.readline() for _ in range(rows)]  # type: ignore[union-attr]
            return [json.loads(x)["session"] if form == "jsonl" else x.split()[3] for x in lines]

        if form == "table":
            assert following.stdout.readline().split() == ["AT", "EVENT", "ROOM", "SESSION", "REASON", "BY", "DEVICE"]
        assert told(4) == ["a-1", "a-2", "a-1", "b-1"]
        assert "\nenforcer_streams 1.0\n" in server.call("GET", "/metrics").text
        server.login("carol", session="c-1")
        assert told(1) == ["c-1"]
        server.stop()
        assert "trying again" in following.stderr.readline()
        server.start()
        server.login("carol", session="c-2")
        assert told(2) == ["c-2", "c-1"]
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 130
        giving_up.cancel()
        assert following.stdout.read() == ""
        assert following.stderr.read() == ""


# ---- a terminal -------------------------------------------------------------------------------------


def on_a_terminal(
    server: EnforcerProcess,
    *arguments: str,
    typed: str = "",
    columns: int = 400,
    status: int | None = None,
    stdout: IO[bytes] | None = None,
) -> str:
    """What the command writes to a terminal, at which somebody has typed this; `stdout` may be a file instead."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "enforcer", *arguments, "--config", str(server.config)],
        cwd=ROOT, stdin=theirs, stdout=stdout or theirs, stderr=theirs, env={**os.environ, "COLUMNS": str(columns)},
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, typed.encode())
        written = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while data := os.read(ours, 65536):
                written += data
        process.wait(10)
    os.close(ours)
    assert status in (None, process.returncode)
    return written.decode()


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
@pytest.mark.parametrize("command", ["sessions", "log"])
def test_names_give_a_terminal_no_orders(tmp_path: Path, command: str, form: str) -> None:
    """ESC and C1 from records of older versions, and what turns the direction of text: shown, not obeyed."""
    evil = "evil\x1b[31m\x9b31m\u202e\u2066"
    with EnforcerProcess(tmp_path / "enforcer") as server:
        server.login("alice", session="a-1", device={"label": "plain"})
        server.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "enforcer/enforcer.db")) as database:
            for table in ("sessions", "audit"):
                database.execute(f"UPDATE {table} SET device = ?", (json.dumps([evil, None, None, None, None]),))
            database.commit()
        server.start()
        shown = on_a_terminal(server, command, "--format", form)
        assert "evil" in shown
        assert all(c.isprintable() or c in "\r\n" for c in shown), ascii(shown)
        assert "\\u202e" in shown
        if form == "jsonl":
            assert json.loads(shown)["device"]["label"] == evil
        filed = console(server, command, "--format", form)
        assert (evil in filed) == (form != "table") or form == "jsonl"


def test_what_the_server_says_gives_a_terminal_no_orders(server: EnforcerProcess) -> None:
    """A refusal that repeats a name, and a name of our own."""
    shown = on_a_terminal(server, "end", "x\x9b31m")
    assert all(c.isprintable() or c in "\r\n" for c in shown), ascii(shown)
    shown = on_a_terminal(server, "end", "--room", "x", "--url", "http://127.0.0.1:1/\x9b31m")
    assert all(c.isprintable() or c in "\r\n" for c in shown), ascii(shown)
