"""A power cut at a random moment under load: what was answered is there, what was not is there whole or not at all."""

import random
import threading
from pathlib import Path

import httpx
import pytest

from tests.running import EnforcerProcess

CALLERS = 8
ROOMS = 6


class Load:
    """Callers that log users in as fast as they can, and remember what they were answered."""

    def __init__(self, server: EnforcerProcess, cut_after: int) -> None:
        self.server = server
        self.cut_after = cut_after
        self.enough = threading.Event()
        self.answers: list[dict[str, object]] = []
        self.lock = threading.Lock()

    def run(self) -> None:
        """Until the server is gone; kills it once enough was answered."""
        callers = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]
        for caller in callers:
            caller.start()
        assert self.enough.wait(30), "the server answered too little"
        self.server.kill()
        for caller in callers:
            caller.join(15)
            assert not caller.is_alive()

    def _call(self, number: int) -> None:
        chance = random.Random(number)
        with httpx.Client(base_url=self.server.url, headers=self.server.headers, timeout=10) as client:
            while True:
                try:
                    answer = client.post("/v1/sessions", json={"room": f"user-{chance.randrange(ROOMS)}"})
                except httpx.TransportError:
                    return
                assert answer.status_code == 201, answer.text
                with self.lock:
                    self.answers.append(answer.json())
                    if len(self.answers) >= self.cut_after:
                        self.enough.set()


def everything(server: EnforcerProcess, path: str) -> list[dict[str, object]]:
    """All rows of a log."""
    response = server.call("GET", path, headers={"Accept": "application/jsonl"})
    assert response.status_code == 200
    return [httpx.Response(200, content=line).json() for line in response.text.splitlines()]


def judge(server: EnforcerProcess, answered: list[dict[str, object]]) -> None:
    """Each answered login is there and what it displaced is over; records and audit agree about everything."""
    records = {str(r["session"]): r for r in everything(server, "/v1/sessions")}
    audit = everything(server, "/v1/audit")
    for answer in answered:
        assert answer["session"] in records, "an answered login was lost"
        for gone in answer["displaced"]:  # type: ignore[attr-defined]
            assert records[gone]["end_reason"] == "displaced"
            assert records[gone]["ended_by"]["session"] == answer["session"]  # type: ignore[index]
    for room in {r["room"] for r in records.values()}:
        live = [r for r in records.values() if r["room"] == room and r["active"]]
        assert len(live) == 1, f"{room}: one live session, and not two or none"
        epochs = [r["epoch"] for r in audit if r["room"] == room and r["event"] == "started"]
        assert epochs == sorted(set(epochs))
    assert sorted(str(r["session"]) for r in audit if r["event"] == "started") == sorted(records)
    ended = sorted(str(r["session"]) for r in audit if r["event"] == "ended")
    assert ended == sorted(s for s, r in records.items() if not r["active"]), "one row for each end, none half there"


@pytest.mark.parametrize("rounds", [10])
def test_what_was_answered_survives_kill_9(tmp_path: Path, rounds: int) -> None:
    """Killed in the middle of the load, several times over the same database."""
    server = EnforcerProcess(tmp_path / "enforcer", log_format="json")
    answered: list[dict[str, object]] = []
    chance = random.Random(2026)
    for _ in range(rounds):
        server.start()
        load = Load(server, chance.randrange(20, 150))
        load.run()
        answered += load.answers
        server.start()
        try:
            judge(server, answered)
        finally:
            server.kill()
