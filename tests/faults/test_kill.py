"""`kill -9` at any moment: what was answered is there after the restart, and nothing is there by halves."""

import itertools
import random
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import EnforcerProcess, until

ROOMS = 6
CALLERS = 12
ROUNDS = 16
"""Kills in an ordinary run, with as many cores as there are and again with one."""


class Load:
    """Callers that log in as fast as they can, over and over, until the server dies; what they were answered."""

    def __init__(self, server: EnforcerProcess, round_: int) -> None:
        self._server = server
        self._round = round_
        self.answers: list[dict[str, Any]] = []
        self.logouts: list[str] = []
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]

    def start(self) -> None:
        """All at once."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until the last has noticed that nobody answers any more."""
        for thread in self._threads:
            thread.join(30)

    def _call(self, caller: int) -> None:
        with httpx.Client(base_url=self._server.url, headers=self._server.headers, timeout=10) as http:
            try:
                for n in itertools.count():
                    room = f"room-{(caller + n) % ROOMS}"
                    body = {"room": room, "session": f"s-{self._round}-{caller}-{n}"}
                    answer = http.post("/notify", json=body)
                    assert answer.status_code == 200, answer.text
                    self.answers.append(answer.json())
                    if n % 7 == 3:
                        assert http.delete(f"/v1/sessions/{body['session']}").status_code == 204
                        self.logouts.append(body["session"])
            except httpx.TransportError:
                pass  # killed: this call was not answered


def rows(server: EnforcerProcess, sql: str) -> list[tuple[Any, ...]]:
    """What is on the disk, read when no server is running."""
    connection = sqlite3.connect(server.directory / "enforcer.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def judge(server: EnforcerProcess, answers: list[dict[str, Any]], logouts: list[str]) -> None:
    """Every answered login and logout is on the disk, with all that it entailed, once."""
    sessions = {
        i: (room, epoch, ended, why)
        for i, room, epoch, ended, why in rows(server, "SELECT id, room, epoch, ended_at, end_reason FROM sessions")
    }
    audit = rows(server, "SELECT event, session, epoch, operation FROM audit ORDER BY seq")
    for answer in answers:
        assert sessions[answer["session"]][:2] == (answer["room"], answer["epoch"]), "an answered login is lost"
        for displaced in answer["displaced"]:
            assert sessions[displaced][2] is not None, "a displaced session lives again"
    for session in logouts:
        assert sessions[session][2] is not None, "an answered logout is lost"
    live = Counter(room for room, _, ended, _ in sessions.values() if ended is None)
    assert all(count == 1 for count in live.values()), "more than one session of a user is live"
    for room in live:
        newest = max(epoch for r, epoch, _, _ in sessions.values() if r == room)
        (alive,) = [epoch for r, epoch, ended, _ in sessions.values() if r == room and ended is None]
        assert alive == newest, "the newest login is not the one that stayed"
    transitions = Counter((event, session) for event, session, _, _ in audit)
    expected = Counter({("started", i): 1 for i in sessions})
    expected += Counter({("ended", i): 1 for i, s in sessions.items() if s[2] is not None})
    assert transitions == expected, "one audit row per transition"
    started = {session: operation for event, session, _, operation in audit if event == "started"}
    ended_in = {session: operation for event, session, _, operation in audit if event == "ended"}
    for answer in answers:
        ends = {ended_in[session] for session in answer["displaced"]}
        assert ends <= {started[answer["session"]]}, "a login and the ends that it caused are one commit"


@pytest.mark.usefixtures("any_cores")
@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(10 * ROUNDS, marks=pytest.mark.soak)])
def test_nothing_answered_is_lost_by_kill_9(tmp_path: Path, rounds: int) -> None:
    """Many rounds under concurrent load, each cut off at a random answer, judged on the disk and by the API."""
    server = EnforcerProcess(tmp_path / "enforcer")
    answers: list[dict[str, Any]] = []
    logouts: list[str] = []
    chance = random.Random(2026)
    for round_ in range(rounds):
        enough = chance.randrange(1, 120)
        server.start()
        load = Load(server, round_)
        load.start()
        until(lambda load=load, enough=enough: len(load.answers) >= enough, 20, every=0.001)
        server.kill()
        load.wait()
        answers += load.answers
        logouts += load.logouts
        judge(server, answers, logouts)
    with server:
        for answer in answers[-20:]:
            record = server.record(answer["session"])
            assert (record["room"], record["epoch"]) == (answer["room"], answer["epoch"])
            for displaced in answer["displaced"]:
                assert server.record(displaced)["active"] is False
        again = server.login("room-0")
        assert again["epoch"] > max(a["epoch"] for a in answers)
        assert "Traceback" not in server.read_log()


@pytest.mark.parametrize("times", range(3))
def test_kill_9_right_after_the_answer(tmp_path: Path, times: int) -> None:
    """One login, killed the moment its answer is read: it is there, and the one before has ended."""
    server = EnforcerProcess(tmp_path / "enforcer")
    server.start()
    first = server.login("alice", request_id="r-1")
    second = server.login("alice", request_id="r-2")
    server.kill()
    with server:
        assert server.record(second["session"])["active"] is True
        assert server.record(first["session"])["end_reason"] == "displaced"
        repeated = server.login("alice", request_id="r-2")
        assert (repeated["session"], repeated["epoch"]) == (second["session"], second["epoch"])
        status = httpx.get(f"{server.url}/session/status", headers={"Authorization": f"Bearer {second['ticket']}"})
        assert status.status_code == 200, "a ticket outlives the process"


def test_a_waiting_login_survives_kill_9(tmp_path: Path) -> None:
    """In `join: "open"` a login that waits for its page is durable too."""
    server = EnforcerProcess(tmp_path / "enforcer", join="open")
    server.start()
    assert server.login("alice", device={"label": "mine"})["pending"] is True
    server.kill()
    (waiting,) = rows(server, "SELECT waiting FROM rooms WHERE room = 'alice'")
    assert "mine" in waiting[0]
