"""Two nodes on a Redis Cluster whose masters die, and whose keys move to other masters."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from enforcer.store.redis.keys import Keys, bucket_of
from tests.faults.conftest import OpenPage, StartNode
from tests.faults.test_redis_nodes import audit, transitions_are_told_once
from tests.redis_server import RedisCluster, RedisServer
from tests.running import EnforcerProcess, until

KEYS = Keys("enf")
FAIL_OVER = 20.0
"""Seconds within which a replica has taken over; its Cluster needs two to miss the master."""
HALF_MOVED = 1.0
"""Seconds for which the keys of a slot are on two servers."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisCluster]:
    """A Cluster with a replica for each master."""
    with RedisCluster(tmp_path / "cluster", replicas=1) as cluster:
        yield cluster


def neighbour(room: str) -> str:
    """Another room in the same bucket."""
    return next(name for n in range(10_000) if bucket_of(name := f"user-{n}") == bucket_of(room))


def stranger(room: str, cluster: RedisCluster) -> str:
    """A room that another master has."""
    home = cluster.master_of(KEYS.channel(room))
    return next(name for n in range(1000) if cluster.master_of(KEYS.channel(name := f"user-{n}")) is not home)


def notify(node: EnforcerProcess, room: str, **body: Any) -> httpx.Response:
    """`POST /notify`, whatever comes of it."""
    return httpx.post(f"{node.url}/notify", json={"key": node.authkey, "room": room, **body}, timeout=15)


def copied(master: RedisServer) -> bool:
    """Whether its replica has all that it has answered."""
    with master.client() as client:
        about = client.info("replication")
    return bool(about["slave0"]["offset"] == about["master_repl_offset"])


def test_a_replica_takes_over(start_node: StartNode, open_page: OpenPage, redis: RedisCluster) -> None:
    """The master of a room is killed: 503 until its replica is there, then all goes on and nobody was logged out."""
    here, there = start_node(), start_node()
    near, far = neighbour("alice"), stranger("alice", redis)
    pages = {room: open_page(here, here.login(room, session=room)) for room in ("alice", near, far)}
    for page in pages.values():
        page.joined()
    master = redis.master_of(KEYS.channel("alice"))
    until(lambda: copied(master))
    master.kill()
    assert notify(there, "alice", session="a2").status_code == 503
    assert httpx.get(f"{here.url}/healthz").status_code == 200
    until(lambda: notify(there, "alice", session="a2").status_code == 200, FAIL_OVER)
    assert pages["alice"].take("force-logout")["session"] == "alice"
    until(lambda: notify(there, far, session="f2").status_code == 200, FAIL_OVER)
    assert pages[far].take("force-logout")["session"] == far
    successor = redis.master_of(KEYS.channel("alice"))
    assert successor is not master
    until(lambda: KEYS.channel(near) in successor.channels())
    pages[near].untouched()
    for node in (here, there):
        assert node.record(near)["active"] is True
    master.start()  # it comes back as a replica, which nobody may ask
    until(redis.whole, FAIL_OVER)
    until(lambda: notify(there, near, session="n2").status_code == 200, FAIL_OVER)
    assert pages[near].take("force-logout")["session"] == near
    for room in pages:
        transitions_are_told_once(there, room)


class Moving:
    """A slot on its way from one master to another."""

    def __init__(self, cluster: RedisCluster, key: str) -> None:
        self.slot = cluster.slot_of(key)
        self.source = cluster.master_of(key)
        self.target = next(s for s in cluster.masters() if s is not self.source)
        self._masters = cluster.masters()

    def begin(self) -> None:
        """From now on the source sends those on who ask for what is not there any more."""
        self._set(self.target, "IMPORTING", self._id(self.source))
        self._set(self.source, "MIGRATING", self._id(self.target))

    def move(self, most: int) -> int:
        """Moves so many keys at most; how many it were."""
        with self.source.client() as client:
            keys = client.execute_command("CLUSTER GETKEYSINSLOT", self.slot, most)
            if keys:
                client.execute_command("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def finish(self) -> None:
        """Everybody is told who has it."""
        for master in (self.target, *(m for m in self._masters if m is not self.target)):
            self._set(master, "NODE", self._id(self.target))

    def _id(self, server: RedisServer) -> str:
        with server.client() as client:
            return str(client.execute_command("CLUSTER MYID").decode())

    def _set(self, server: RedisServer, *how: str) -> None:
        with server.client() as client:
            client.execute_command("CLUSTER SETSLOT", self.slot, *how)


def test_a_slot_moves_while_logins_go_on(start_node: StartNode, open_page: OpenPage, redis: RedisCluster) -> None:
    """Some logins wait, none is lost or done twice, and pages of rooms in it are reached at the new place."""
    nodes = [start_node(), start_node()]
    near = neighbour("alice")
    page = open_page(nodes[0], nodes[0].login(near, session="old"))
    page.joined()
    nodes[0].login("alice", session="first")
    moving, over, answers = Moving(redis, KEYS.channel("alice")), threading.Event(), []

    def keep_logging_in(n: int) -> None:
        with httpx.Client(base_url=nodes[n].url, headers=nodes[n].headers, timeout=15) as http:
            for turn in range(10_000):
                if over.is_set():
                    return
                answers.append(http.post("/notify", json={"room": "alice", "session": f"s{n}-{turn}"}))

    with ThreadPoolExecutor(len(nodes)) as pool:
        callers = [pool.submit(keep_logging_in, n) for n in range(len(nodes))]
        try:
            until(lambda: len(answers) >= 20)
            moving.begin()
            assert moving.move(3) == 3
            time.sleep(HALF_MOVED)  # how long the slot is on two servers is what is tested
            while moving.move(10):
                pass
            moving.finish()
            so_far = len(answers)
            until(lambda: len(answers) >= so_far + 20)
        finally:
            over.set()
        for caller in callers:
            caller.result()
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    bodies = [answer.json() for answer in answers]
    assert len({body["epoch"] for body in bodies}) == len(bodies)
    newest = max(bodies, key=lambda body: int(body["epoch"]))
    for node in nodes:
        live = node.call("GET", "/v1/users/alice/sessions").json()["sessions"]
        assert [s["session"] for s in live] == [newest["session"]]
    transitions_are_told_once(nodes[0], "alice")
    started = [row["epoch"] for row in audit(nodes[0], "alice") if row["event"] == "started"]
    assert started == sorted(started)
    until(lambda: KEYS.channel(near) in moving.target.channels())
    page.untouched()
    nodes[1].login(near, session="new")
    assert page.take("force-logout")["session"] == "old"
