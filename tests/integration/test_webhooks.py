"""Webhooks: what a receiver is told, signed, in order, once more if it must be; and what an operator sees of it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from enforcer.webhooks.hooks import LEASE, RENEW
from enforcer.webhooks.signing import secret_text
from tests.integration.problems import problem
from tests.integration.receiver import Receiver
from tests.redis_server import RedisServer
from tests.running import ROOT, EnforcerProcess, free_port, require_command
from tests.running import until as within

OPS, SHOP = "ops-0123456789abcdef0123456789abcdef", "shop-0123456789abcdef0123456789abcde"
SECRET, OLD = secret_text(b"new" * 10), secret_text(b"old" * 10)


until = partial(within, within=30.0)
"""Waits for what comes at once, on a machine that may be busy."""


def hook(receiver: Receiver, name: str, **more: Any) -> dict[str, Any]:
    """A hook whose path is its name."""
    return {"name": name, "url": f"{receiver.url}/{name}", "secret": SECRET, "allow_private": True, **more}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """One for all tests here: each takes a hook, or a room, of its own."""
    with Receiver().running() as running:
        yield running


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """With hooks for each purpose."""
    receivers = [
        {"name": name, "url": f"http://127.0.0.1:{free_port()}/hooks/enforcer", "secret": SECRET, "allow_private": True,
         "rooms": f"{name}:"}
        for name in ("python", "node")
    ]  # fmt: skip
    hooks = [
        *receivers,
        hook(receiver, "app", secret=[SECRET, OLD]),
        hook(receiver, "ends", events=["session.ended", "login.refused"], rooms="shop:"),
        *(hook(receiver, name, rooms=f"{name}:") for name in ("slow", "wrong", "gone", "moved")),
        hook(receiver, "inside", rooms="inside:", allow_private=False),
    ]
    keys = [
        {"name": "ops", "key": OPS, "may": ["admin"], "rooms": "shop:"},
        {"name": "shop", "key": SHOP, "may": ["login", "read"]},
    ]
    with EnforcerProcess(tmp_path_factory.mktemp("hooks") / "enforcer", webhooks=hooks, keys=keys) as running:
        yield running
    assert "Traceback" not in running.read_log()
    assert "whsec_" not in running.read_log()


def standing(server: EnforcerProcess, name: str) -> dict[str, Any]:
    """How a hook stands."""
    rows: list[dict[str, Any]] = server.call("GET", "/v1/webhooks").json()
    return next(row for row in rows if row["name"] == name)


def test_what_happens_is_told(server: EnforcerProcess, receiver: Receiver) -> None:
    """As the audit log has it, with the session's record, signed with each secret, in the order of the room."""
    first = server.login("alice", device={"label": "Firefox on Linux"})["session"]
    second = server.login("alice")["session"]
    wanted = [("session.started", first), ("session.started", second), ("session.ended", first)]
    until(lambda: len(receiver.events("/app", "alice")) == 3)
    told = [r for r in receiver.of("/app") if r.event["data"]["room"] == "alice"]
    assert sorted(receiver.events("/app", "alice")) == sorted(wanted)
    rows = server.call("GET", "/v1/audit?room=alice").json()["items"]
    assert [{k: v for k, v in r.event["data"].items() if k != "record"} for r in told] == rows
    for request, row in zip(told, rows, strict=True):
        assert request.verified(SECRET) == request.verified(OLD) == request.event
        assert request.headers["content-type"] == "application/json"
        assert request.event["timestamp"] == row["at"]
        assert request.id.startswith("app_")
        assert request.id.endswith(f"_{row['seq']}")
        assert "." not in request.id
    record = next(r.event["data"]["record"] for r in told if r.event["type"] == "session.ended")
    assert record == {**server.record(first), "last_seen_at": record["last_seen_at"], "delivery": record["delivery"]}
    assert record["end_reason"] == "displaced"
    until(lambda: standing(server, "app")["lag"] == 0)
    assert standing(server, "app") == {
        "name": "app", "url": f"{receiver.url}/app", "state": "ok", "lag": 0, "failing_since": None, "dead": 0,
        "last_status": 204,
    }  # fmt: skip


def test_only_what_is_asked_for(server: EnforcerProcess, receiver: Receiver) -> None:
    """By the name of the event, and how the room begins."""
    for room in ("shop:bob", "other:bob", "shop:bob"):
        server.login(room, session=f"{room}-{uuid.uuid4()}")
    until(lambda: receiver.of("/ends"))
    server.login("shop:last")
    server.call("DELETE", "/v1/users/shop:last/sessions")
    until(lambda: receiver.events("/ends", "shop:last"))
    assert {r.event["data"]["room"] for r in receiver.of("/ends")} == {"shop:bob", "shop:last"}
    assert {r.event["type"] for r in receiver.of("/ends")} == {"session.ended"}


def test_a_receiver_that_hangs_holds_up_nobody(server: EnforcerProcess, receiver: Receiver) -> None:
    """Neither other hooks, nor other events of its own, up to eight; then the rest waits, and comes."""
    receiver.hanging.add("/slow")
    sessions = [server.login(f"slow:{n}")["session"] for n in range(12)]
    until(lambda: len(receiver.of("/slow")) == 8)
    server.login("beside")
    until(lambda: receiver.events("/app", "beside"))
    assert len(receiver.of("/slow")) == 8
    assert standing(server, "slow")["lag"] > 0
    receiver.hanging.clear()
    until(lambda: len(receiver.of("/slow")) == 12)
    assert {session for _, session in receiver.events("/slow")} == set(sessions)
    until(lambda: standing(server, "slow")["lag"] == 0)


def test_what_fails_is_tried_again(server: EnforcerProcess, receiver: Receiver) -> None:
    """By itself after five seconds, or when somebody asks; with the same id and body, signed anew."""
    receiver.answers["/wrong"] = lambda times: 500 if times == 1 else 204
    for n in (1, 2):
        server.login(f"wrong:{n}", session=f"wrong-{n}")
    until(lambda: len(receiver.of("/wrong")) == 2)
    until(lambda: standing(server, "wrong")["state"] == "failing")
    found = standing(server, "wrong")
    assert (found["last_status"], found["dead"]) == (500, 0)
    assert found["failing_since"]
    (one,) = [r for r in receiver.of("/wrong") if r.event["data"]["session"] == "wrong-1"]
    assert server.call("POST", "/v1/webhooks/wrong/retry", json={"ids": [one.id, "app_x_1"]}).json() == {"retried": 1}
    until(lambda: len(receiver.of("/wrong", one.id)) == 2)
    (other,) = [r for r in receiver.of("/wrong") if r.event["data"]["session"] == "wrong-2"]
    until(lambda: len(receiver.of("/wrong", other.id)) == 2)
    before, after = receiver.of("/wrong", other.id)
    assert after.at - before.at > 4.9
    assert before.body == after.body
    assert after.verified(SECRET)
    until(lambda: standing(server, "wrong")["state"] == "ok")
    assert standing(server, "wrong")["failing_since"] is None


def test_a_receiver_that_is_gone_is_switched_off(server: EnforcerProcess, receiver: Receiver) -> None:
    """410: nothing more is sent; `retry` switches it on, and nothing was lost. A redirect is an ordinary failure."""
    receiver.answers |= {"/gone": 410, "/moved": 302}
    server.login("gone:1")
    server.login("moved:1")
    until(lambda: standing(server, "gone")["state"] == "off")
    until(lambda: standing(server, "moved")["state"] == "failing")
    assert (standing(server, "gone")["last_status"], standing(server, "moved")["last_status"]) == (410, 302)
    server.login("gone:2")
    server.login("meanwhile")
    until(lambda: receiver.events("/app", "meanwhile"))
    assert len(receiver.of("/gone")) == 1
    receiver.answers["/gone"] = 204
    assert server.call("POST", "/v1/webhooks/gone/retry").json() == {"retried": 1}
    until(lambda: len(receiver.of("/gone")) == 3)
    # in whatever order: they are two rooms
    assert sorted(r.event["data"]["room"] for r in receiver.of("/gone")) == ["gone:1", "gone:1", "gone:2"]
    until(lambda: standing(server, "gone")["state"] == "ok")


def test_nothing_is_sent_inside_unless_it_is_allowed(server: EnforcerProcess, receiver: Receiver) -> None:
    """The address that is connected to decides; the operator is told why."""
    server.login("inside:1")
    until(lambda: standing(server, "inside")["state"] == "failing")
    assert standing(server, "inside")["last_status"] is None
    told = server.call("POST", "/v1/webhooks/inside/test").json()
    assert (told["delivered"], told["status"]) == (False, None)
    assert "127.0.0.1 is not public" in told["error"]
    assert receiver.of("/inside") == []
    assert "not public" in server.read_log()


def command(server: EnforcerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`enforcer webhooks …` against the server."""
    line = [sys.executable, "-m", "enforcer", "webhooks", *arguments, "--config", str(server.config)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_what_an_operator_may_ask(server: EnforcerProcess, receiver: Receiver) -> None:
    """Over HTTP and on the command line; wrong questions are refused as everywhere."""
    told = server.call("POST", "/v1/webhooks/app/test").json()
    assert (told["delivered"], told["status"], told["error"]) == (True, 204, None)
    (test,) = receiver.of("/app", told["id"])
    assert test.verified(SECRET)["type"] == "webhook.test"
    shown = command(server)
    assert shown.stdout.splitlines()[0].split()[:3] == ["NAME", "STATE", "LAG"]
    assert "app" in shown.stdout
    assert json.loads(command(server, "list", "--json").stdout)[2]["name"] == "app"
    assert command(server, "test", "app").returncode == 0
    refused = command(server, "test", "inside")
    assert (refused.returncode, "not public" in refused.stdout) == (1, True)
    for path in ("ap", "app/x"):
        problem(server.call("GET", f"/v1/webhooks/{path}/dead"), 404, "not-found")
    assert "did you mean 'app'" in server.call("POST", "/v1/webhooks/ap/test").json()["detail"]
    problem(server.call("POST", "/v1/webhooks/app/retry", json={"ids": "x"}), 422, "invalid-request")
    problem(server.call("GET", "/v1/webhooks/app/dead?limit=0"), 422, "invalid-request")
    problem(server.call("GET", "/v1/webhooks?x=1"), 422, "invalid-request")
    for path in ("", "/ends/dead"):
        problem(httpx.get(f"{server.url}/v1/webhooks{path}"), 401, "unauthorized")
        refused_key = httpx.get(f"{server.url}/v1/webhooks{path}", headers={"Authorization": f"Bearer {SHOP}"})
        problem(refused_key, 403, "not-allowed")
    ops = {"Authorization": f"Bearer {OPS}"}
    assert [row["name"] for row in httpx.get(f"{server.url}/v1/webhooks", headers=ops).json()] == ["ends"]
    problem(httpx.post(f"{server.url}/v1/webhooks/app/test", headers=ops), 404, "not-found")
    figures = server.call("GET", "/metrics").text
    assert 'enforcer_webhook_tries_total{hook="app",outcome="taken"}' in figures
    assert 'enforcer_webhook_up{hook="app"} 1.0' in figures


def test_nothing_is_lost_by_a_crash_and_dead_letters_come_back(tmp_path: Path, receiver: Receiver) -> None:
    """kill -9 in the middle: what was not taken comes again, with the ids it had; what is dead waits to be asked."""
    path = "/crash"
    with EnforcerProcess(tmp_path / "enforcer", webhooks=[hook(receiver, "crash")]) as server:
        receiver.answers[path] = lambda times: 500 if times == 1 else 204
        for n in range(20):
            server.login(f"crash:{n % 4}")
        receiver.hanging.add(path)
        for n in range(20):
            server.login(f"crash:{n % 4}")
        server.kill()
        receiver.hanging.clear()
        known = {r.event["data"]["seq"]: r.id for r in receiver.of(path)}
        assert 0 < len(known) < 76
        receiver.answers[path] = 204
        with closing(sqlite3.connect(server.directory / "enforcer.db")) as database:
            database.execute("UPDATE deliveries SET tries = 9, due_at = 0 WHERE tries > 0")
            dying = {id_ for (id_,) in database.execute("SELECT id FROM deliveries WHERE tries > 0")}
            database.commit()
        assert dying
        receiver.answers[path] = lambda _: 503
        server.start()
        until(lambda: standing(server, "crash")["dead"] == len(dying))
        letters = server.call("GET", "/v1/webhooks/crash/dead?limit=1000").json()
        assert {letter["id"] for letter in letters} == dying
        assert letters[0]["body"]["data"]["seq"] == letters[0]["id"].rpartition("_")[2]
        assert {(letter["tries"], letter["last_status"]) for letter in letters} == {(10, 503)}
        page = server.call("GET", f"/v1/webhooks/crash/dead?after={letters[0]['id']}&limit=2").json()
        assert page == letters[1:3]
        assert len(json.loads(command(server, "dead", "crash", "--json").stdout)) == len(dying)
        receiver.answers[path] = 204
        assert command(server, "retry", "crash").returncode == 0
        until(lambda: len({r.event["data"]["seq"] for r in receiver.of(path)}) == 76)
        until(lambda: standing(server, "crash") | {"url": ""} == {**standing(server, "crash"), "url": "", "state": "ok",
                                                                   "lag": 0, "dead": 0})  # fmt: skip
        ids: dict[str, set[str]] = {}
        for r in receiver.of(path):
            ids.setdefault(r.event["data"]["seq"], set()).add(r.id)
        assert all(len(found) == 1 for found in ids.values())
        assert known.items() <= {seq: next(iter(found)) for seq, found in ids.items()}.items()


def test_a_full_disk_while_a_place_moves(tmp_path: Path, receiver: Receiver) -> None:
    """What cannot be stored is stored when there is room again; the process goes on, and nothing is lost."""
    receiver.hanging.add("/full")
    with EnforcerProcess(tmp_path / "enforcer", webhooks=[hook(receiver, "full")]) as server:
        first = server.login("full:1")["session"]
        until(lambda: receiver.of("/full"))
        server.fill_disk()
        receiver.hanging.clear()
        until(lambda: "a webhook waits for the store" in server.read_log())
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        server.limit_files(None)
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
        second = server.login("full:2")["session"]
        until(lambda: len({r.id for r in receiver.of("/full")}) == 2)
        assert {session for _, session in receiver.events("/full")} == {first, second}
        until(lambda: standing(server, "full")["lag"] == 0)
        assert "Traceback" not in server.read_log()


def test_a_new_hook_begins_with_now_and_another_address_undoes_410(tmp_path: Path, receiver: Receiver) -> None:
    """After SIGHUP, and after a restart."""
    with EnforcerProcess(tmp_path / "enforcer") as server:
        server.login("before")
        server.settings["webhooks"] = [hook(receiver, "late")]
        receiver.answers["/late"] = 410
        reload(server)
        until(lambda: server.call("GET", "/v1/webhooks").json())
        until(lambda: server.login("tick") and receiver.of("/late"), every=0.2)
        assert not receiver.events("/late", "before")
        until(lambda: standing(server, "late")["state"] == "off")
        server.stop()
        server.start()
        assert standing(server, "late")["state"] == "off"
        server.settings["webhooks"] = [hook(receiver, "late", url=f"{receiver.url}/later")]
        reload(server)
        until(lambda: receiver.of("/later"))
        assert receiver.of("/late")[0].id in {r.id for r in receiver.of("/later")}
        until(lambda: standing(server, "late")["state"] == "ok")


@pytest.mark.parametrize(
    ("name", "language", "file"), [("python", "python", "receiver.py"), ("node", "js", "receiver.mjs")]
)
def test_the_receivers_of_the_manual(
    server: EnforcerProcess, tmp_path: Path, name: str, language: str, file: str
) -> None:
    """As they stand there: they take what we sign, and nothing else."""
    (url,) = [h["url"] for h in server.settings["webhooks"] if h["name"] == name]
    code = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/webhooks.md").read_text(), re.S | re.M)
    assert len(code) == 1
    (tmp_path / file).write_text(code[0])
    (tmp_path / "node_modules").symlink_to(ROOT / "tests/integration/node_modules")
    port = url.split(":")[2].split("/")[0]
    program = [sys.executable, file] if name == "python" else [require_command("node"), file]
    environment = os.environ | {"PORT": port, "WEBHOOK_SECRET": SECRET}
    with subprocess.Popen(
        program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as it:
        try:
            until(lambda: server.call("POST", f"/v1/webhooks/{name}/test").json()["delivered"], every=0.1)
            forged = httpx.post(
                url, content="{}", headers={"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,"}
            )
            assert forged.status_code == 401
            session = server.login(f"{name}:1")["session"]
            assert it.stdout is not None
            until(lambda: f"session.started {session}" in it.stdout.readline().decode())  # type: ignore[union-attr]
        finally:
            it.terminate()


def reload(server: EnforcerProcess) -> None:
    """SIGHUP, with the settings as they are now."""
    server.write_config()
    assert server.popen is not None
    server.popen.send_signal(signal.SIGHUP)


def test_one_of_several_nodes_sends_and_another_takes_over(
    tmp_path: Path, receiver: Receiver, redis_server: RedisServer
) -> None:
    """Whoever is killed; at once if it stops in an orderly way. Each event comes once while nobody dies."""
    redis_server.flush()
    options: dict[str, Any] = {"store": redis_server.url, "webhooks": [hook(receiver, "nodes")]}
    first = EnforcerProcess(tmp_path / "first", **options).start()
    until(lambda: "webhooks are sent from here" in first.read_log())
    options["authkey"] = first.authkey
    with EnforcerProcess(tmp_path / "second", **options) as second:
        sessions = [server.login(f"node-{n}")["session"] for n, server in enumerate([first, second] * 5)]
        until(lambda: len(receiver.of("/nodes")) == 10)
        assert {session for _, session in receiver.events("/nodes")} == set(sessions)
        first.kill()
        session = second.login("after")["session"]
        until(lambda: ("session.started", session) in receiver.events("/nodes"))
        assert LEASE + RENEW < 8, "within ten seconds, on a machine that has nothing else to do"
        assert standing(second, "nodes")["state"] == "ok"
