"""Redis away, slow, restarted or emptied, and the way to it spoilt: 503 meanwhile, everything caught up after."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.faults.conftest import OpenPage, StartNode
from tests.faults.test_redis_nodes import transitions_are_told_once
from tests.redis_server import RedisServer, ValkeyServer
from tests.running import EnforcerProcess, until
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.parametrize(
    ("redis", "uvloop"),
    [
        pytest.param(RedisServer, True, id="redis"),
        pytest.param(ValkeyServer, True, id="valkey"),
        pytest.param(RedisServer, False, id="asyncio"),
    ],
    indirect=True,
)

SPOILT: dict[str, Callable[[TcpProxy], None]] = {
    "dropped": TcpProxy.drop,
    "stalled": TcpProxy.stall,
    "half open": TcpProxy.half_open,
}


def status(node: EnforcerProcess, path: str) -> int:
    """The status of an open address."""
    return httpx.get(node.url + path, timeout=15).status_code


def notify(node: EnforcerProcess, **body: Any) -> httpx.Response:
    """`POST /notify`, whatever comes of it."""
    return httpx.post(f"{node.url}/notify", json={"key": node.authkey, **body}, timeout=15)


def is_unavailable(node: EnforcerProcess) -> None:
    """Everything that needs the store is 503 and says when to come again; the process itself is well."""
    refused = notify(node, room="carol")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"].isdigit()
    assert status(node, "/readyz") == 503
    assert status(node, "/healthz") == 200


def is_back(node: EnforcerProcess) -> None:
    """Ready, and takes logins."""
    until(lambda: status(node, "/readyz") == 200, 15)
    assert notify(node, room="carol").status_code == 200


@pytest.mark.parametrize("how", SPOILT)
def test_a_node_that_is_cut_off(how: str, start_node: StartNode, open_page: OpenPage, link: TcpProxy) -> None:
    """What the other node does meanwhile reaches its pages after all; sockets stay; nobody else is logged out."""
    away, there = start_node(link.port), start_node()
    alice, bob = open_page(away, away.login("alice")), open_page(away, away.login("bob"))
    alice.joined()
    bob.joined()
    SPOILT[how](link)
    there.login("alice")
    is_unavailable(away)
    link.heal()
    assert alice.take("force-logout")["reason"] == "displaced"
    is_back(away)
    bob.untouched()
    for room in ("alice", "bob", "carol"):
        transitions_are_told_once(there, room)


def test_a_login_whose_reply_is_lost(start_node: StartNode, redis: RedisServer, link: TcpProxy) -> None:
    """Redis has committed, the node does not learn of it: 503, and the repeat with its request id finds the commit."""
    node, other = start_node(link.port), start_node()
    node.login("alice", session="first")
    link.half_open()
    assert notify(node, room="alice", request_id="r").status_code == 503
    link.heal()
    until(lambda: status(node, "/readyz") == 200, 15)
    answer = notify(node, room="alice", request_id="r").json()
    assert notify(other, room="alice", request_id="r").json()["session"] == answer["session"]
    live = other.call("GET", "/v1/users/alice/sessions").json()["sessions"]
    assert [s["session"] for s in live] == [answer["session"]]
    transitions_are_told_once(other, "alice")
    rows = other.call("GET", "/v1/audit", params={"room": "alice"}).json()["items"]
    assert [r["event"] for r in rows].count("started") == 2


def test_redis_killed_and_started_again(start_node: StartNode, open_page: OpenPage, redis: RedisServer) -> None:
    """With its append-only file nothing that was answered is lost, and pages do not notice."""
    node = start_node()
    page = open_page(node, node.login("alice", session="a"))
    page.joined()
    node.login("bob", session="gone")
    node.login("bob", session="b")
    redis.kill()
    is_unavailable(node)
    redis.start()
    is_back(node)
    page.untouched()
    assert node.record("b")["active"] is True
    assert node.record("gone")["end_reason"] == "displaced"
    node.login("alice")
    assert page.take("force-logout")["session"] == "a"
    transitions_are_told_once(node, "alice")


def test_a_pause_of_redis_ends_nobody(start_node: StartNode, open_page: OpenPage, redis: RedisServer) -> None:
    """It stands still for longer than the idle time-out: the time is added, and counted once for both nodes."""
    nodes = [start_node(idle_timeout=6, restart_grace=1) for _ in range(2)]
    page = open_page(nodes[0], nodes[0].login("alice", session="a"))
    page.joined()
    nodes[1].login("bob", session="b")
    left = nodes[1].record("b")["idle_expires_in"]
    redis.pause()
    began = time.monotonic()
    is_unavailable(nodes[0])
    while time.monotonic() - began < 8:
        time.sleep(0.1)
    redis.resume()
    for node in nodes:
        is_back(node)
    page.untouched()
    record = nodes[1].record("b")
    assert record["active"] is True, f"the outage was held against the user: {record['end_reason']}"
    assert left - 4 <= record["idle_expires_in"] <= left + 2, "the outage was not added, or twice"
    until(lambda: nodes[0].record("b")["end_reason"] == "idle", 15)


def test_redis_away_at_the_start_is_waited_for(start_node: StartNode, redis: RedisServer) -> None:
    """The process starts, is not ready, and becomes so."""
    redis.kill()
    node = start_node()
    is_unavailable(node)
    redis.start()
    is_back(node)


def test_emptied_by_mistake(start_node: StartNode, open_page: OpenPage, redis: RedisServer) -> None:
    """FLUSHALL: nothing breaks; open pages have to come back, and whoever shows a ticket is told that nobody knows the
    session, and logs in again."""
    nodes = [start_node(), start_node()]
    login = nodes[0].login("alice")
    page = open_page(nodes[0], login)
    page.joined()
    redis.flush()
    page.take("disconnect")  # its socket is cut within a second, so that it comes back
    for node in nodes:
        answer = httpx.get(f"{node.url}/session/status", headers={"Authorization": f"Bearer {login['ticket']}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "session-unknown")
        assert open_page(node, login).refused()["message"] == "session-unknown"
    again = nodes[1].login("alice")
    assert again["epoch"] > login["epoch"]
    assert open_page(nodes[0], again).joined()["active"] is True


def test_an_outage_does_not_grow_the_process(start_node: StartNode, open_page: OpenPage, redis: RedisServer) -> None:
    """Thousands of calls that fail leave nothing behind."""
    node = start_node()
    open_page(node, node.login("alice")).joined()
    redis.kill()

    with httpx.Client(base_url=node.url, headers=node.headers, timeout=15) as http, ThreadPoolExecutor(16) as pool:

        def fail(n: int) -> None:
            assert http.post("/notify", json={"room": f"user-{n}"}).status_code == 503

        list(pool.map(fail, range(200)))
        before = resident(node)
        list(pool.map(fail, range(1000)))
    assert resident(node) - before < 4_000_000


def resident(node: EnforcerProcess) -> int:
    """Bytes of memory that the process has."""
    assert node.popen is not None
    with open(f"/proc/{node.popen.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096
