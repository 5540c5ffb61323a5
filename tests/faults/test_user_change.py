"""`kill -9` between the claim and the end of what it replaces in another room: a repeat of the request finishes it."""

import itertools
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.conftest import StartNode
from tests.running import EnforcerProcess

BROWSERS = 16
ROUNDS = 3
"""At least; it goes on until a kill has come between the two commits."""


def calls(server: EnforcerProcess) -> httpx.Client:
    """An app server's connection."""
    return httpx.Client(base_url=server.url, headers=server.headers, timeout=10, verify=False)


def change_users(server: EnforcerProcess, round_: int) -> list[dict[str, Any]]:
    """So many browsers go from one user to another at once, and the server is killed amidst; what they asked."""
    asked = []
    with calls(server) as http:
        for n in range(BROWSERS):
            before = http.post("/notify", json={"room": f"alice-{round_}-{n}"}).json()["session"]
            asked.append({"room": f"bob-{round_}-{n}", "replaces": before, "request_id": f"r-{round_}-{n}"})
    answered = threading.Event()
    browsers = [calls(server) for _ in asked]

    def ask(http: httpx.Client, body: dict[str, Any]) -> None:
        try:
            with http:
                http.post("/notify", json=body)
            answered.set()
        except httpx.TransportError:
            pass  # killed

    threads = [threading.Thread(target=ask, args=both) for both in zip(browsers, asked, strict=True)]
    for thread in threads:
        thread.start()
    answered.wait(10)
    time.sleep(0.0007 * (round_ % 4))  # not always at the first answer
    server.kill()
    for thread in threads:
        thread.join(15)
    return asked


def half_done(server: EnforcerProcess, asked: list[dict[str, Any]]) -> int:
    """How many have claimed the one room and not left the other."""
    with calls(server) as http:
        return sum(
            bool(http.get(f"/v1/users/{body['room']}/sessions").json()["sessions"])
            and http.get(f"/v1/sessions/{body['replaces']}").json()["active"]
            for body in asked
        )


def finished(server: EnforcerProcess, asked: list[dict[str, Any]]) -> None:
    """A repeat finishes each: one live session, the replaced one over for that reason, every transition once."""
    with calls(server) as http:
        for body in asked:
            answer = http.post("/notify", json=body)
            assert answer.status_code == 200, answer.text
            session = answer.json()["session"]
            record = http.get(f"/v1/sessions/{body['replaces']}").json()
            assert (record["end_reason"], record["ended_by"]["session"]) == ("replaced", session)
            assert http.get(f"/v1/sessions/{session}").json()["active"] is True
            for room, events in ((body["room"], ["started"]), (record["room"], ["started", "ended"])):
                rows = http.get("/v1/audit", params={"room": room}).json()["items"]
                assert Counter(row["event"] for row in rows) == Counter(events)


@pytest.mark.usefixtures("any_cores")
def test_kill_9_on_sqlite(tmp_path: Path) -> None:
    """Whenever it comes; and it does come in between."""
    server, halves = EnforcerProcess(tmp_path / "enforcer"), 0
    for round_ in itertools.count():
        server.start()
        asked = change_users(server, round_)
        server.start()
        halves += half_done(server, asked)
        finished(server, asked)
        server.stop()
        if round_ + 1 >= ROUNDS and halves:
            break
        assert round_ < 20 * ROUNDS, "never killed between the two commits"


def test_kill_9_on_redis(start_node: StartNode) -> None:
    """The repeat comes to the other node."""
    node, other = start_node(), start_node()
    halves = 0
    for round_ in itertools.count():
        asked = change_users(node, round_)
        halves += half_done(other, asked)
        finished(other, asked)
        node.start()
        if round_ + 1 >= ROUNDS and halves:
            break
        assert round_ < 20 * ROUNDS, "never killed between the two commits"
