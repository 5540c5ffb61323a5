"""Every way to a Redis that an address can name: users, databases, prefixes, TLS, Sentinels."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from enforcer.domain.errors import StartError, StoreUnavailable
from enforcer.domain.model import Change, Decision, Session
from enforcer.store.queries import SessionQuery
from enforcer.store.redis.address import redis_address
from enforcer.store.redis.keys import Keys
from enforcer.store.redis.store import RedisStore
from tests.contract.rooms import ended, put, session
from tests.redis_server import PASSWORD, RedisCluster, RedisServer
from tests.running import free_port, require_command, until

ACL = "~enf:* &enf:* +@all -@admin -@dangerous +info"
"""As docs/redis.md says."""


async def works(url: str) -> None:
    """Commits, reads, and hears of another process."""
    here, there = RedisStore(redis_address(url)), RedisStore(redis_address(url))
    await here.open()
    await there.open()
    try:
        heard: asyncio.Queue[Change] = asyncio.Queue()
        here.listen(heard.put_nowait)
        await here.ping()
        await here.upkeep.beat(here.now())
        await here.hold("alice")
        await put(there, session("s"))
        assert (await asyncio.wait_for(heard.get(), 5)).room == "alice"
        assert await here.get("s") is not None
        assert await here.upkeep.due(here.now(), 10) == []
        assert len(await here.logs.sessions(SessionQuery())) == 1
        await here.upkeep.purge(0.0, 10)
    finally:
        await here.close()
        await there.close()


async def test_a_user_with_the_documented_rights(tmp_path: Path) -> None:
    """The ACL of the documentation is enough, and a password may hold anything."""
    with RedisServer(tmp_path / "redis") as redis:
        with redis.client() as client:
            client.execute_command("ACL", "SETUSER", "enforcer", "on", f">{PASSWORD}", *ACL.split())
            client.execute_command("ACL", "SETUSER", "default", "off")
        await works(f"redis://enforcer:{quote(PASSWORD, safe='')}@127.0.0.1:{redis.port}/0")


@pytest.mark.parametrize("credentials", ["", ":wr0ng@", "nobody:wr0ng@"])
async def test_a_refused_user_is_said_without_the_password(tmp_path: Path, credentials: str) -> None:
    """At the start, for the operator to mend."""
    with RedisServer(tmp_path / "redis", requirepass="right") as redis:
        store = RedisStore(redis_address(f"redis://{credentials}127.0.0.1:{redis.port}"))
        with pytest.raises(StartError, match="refuses the user or the password") as refused:
            await store.open()
        await store.close()
    assert "wr0ng" not in str(refused.value)


async def test_databases_and_prefixes_are_apart(redis_server: RedisServer) -> None:
    """Also in what is heard, though channels know no databases."""
    redis_server.flush()
    base = f"redis://127.0.0.1:{redis_server.port}"
    urls = [f"{base}/0", f"{base}/1", f"{base}/0?prefix=shop"]
    stores = [RedisStore(redis_address(url)) for url in urls]
    heard: list[str] = []
    for store, url in zip(stores, urls, strict=True):
        await store.open()
        await store.hold("alice")
        store.listen(lambda change, url=url: heard.append(url))  # type: ignore[misc]
    for n, store in enumerate(stores):
        await put(store, session(f"s{n}"))
        await put(store, session("same"))
    for n, store in enumerate(stores):
        assert {s.id for s in (await store.room("alice")).sessions} == {f"s{n}", "same"}
        await store.close()
    assert heard == [url for url in urls for _ in range(2)], "each only its own"


def certify(key: Path, certificate: Path) -> None:
    """A certificate of this machine that nobody else trusts."""
    line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    line += f" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run([require_command("openssl"), *line.split()], check=True, capture_output=True)


async def test_tls(tmp_path: Path) -> None:
    """With the certificate that the address names; without it the server is not trusted."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    await asyncio.to_thread(certify, key, certificate)
    port = free_port()
    options = {"tls_port": str(port), "tls_cert_file": str(certificate), "tls_key_file": str(key)}
    with RedisServer(tmp_path / "redis", tls_ca_cert_file=str(certificate), tls_auth_clients="no", **options):
        await works(f"rediss://localhost:{port}?ca={certificate}")
        untrusting = RedisStore(redis_address(f"rediss://localhost:{port}"))
        with pytest.raises(StoreUnavailable):
            await untrusting.open()
        await untrusting.close()


class TwoOnACluster(NamedTuple):
    """Two stores on a Cluster of their own, and what the first has heard."""

    cluster: RedisCluster
    store: RedisStore
    other: RedisStore
    heard: asyncio.Queue[Change]


@pytest.fixture
async def two_on_a_cluster(tmp_path: Path) -> AsyncIterator[TwoOnACluster]:
    """Open, and on a Cluster that a test may harm."""
    with RedisCluster(tmp_path) as cluster:
        store, other = (RedisStore(redis_address(cluster.url)) for _ in range(2))
        await store.open()
        await other.open()
        heard: asyncio.Queue[Change] = asyncio.Queue()
        store.listen(heard.put_nowait)
        yield TwoOnACluster(cluster, store, other, heard)
        await store.close()
        await other.close()


async def test_a_cluster_that_loses_a_master_for_a_while(two_on_a_cluster: TwoOnACluster) -> None:
    """Unavailable within a bounded time meanwhile; when the master is back, so is everything."""
    cluster, store, other, heard = two_on_a_cluster
    rooms = [f"room-{n}" for n in range(12)]
    for room in rooms:
        await store.hold(room)
    cluster.servers[0].kill()
    failed = 0
    async with asyncio.timeout(60):
        for room in rooms:
            try:
                await put(other, session(f"s-{room}", room))
            except StoreUnavailable:
                failed += 1
        assert failed > 0
        await asyncio.to_thread(cluster.servers[0].start)
        await asyncio.to_thread(until, cluster.whole, 20)
        for room in rooms:
            await again(other, session(f"t-{room}", room))
        told: set[str] = set()
        while len(told) < len(rooms):
            told |= {s.room for s in (await heard.get()).sessions if s.id.startswith("t-")}


async def test_a_master_that_stands_still_keeps_nobody_from_the_others(two_on_a_cluster: TwoOnACluster) -> None:
    """A message of another master is lost meanwhile: it is made up for as soon as ever."""
    cluster, store, other, heard = two_on_a_cluster
    rooms = [f"room-{n}" for n in range(60)]
    for room in rooms:
        await put(other, session(f"s-{room}", room))
        await store.hold(room)
    well = cluster.master_of(Keys("enf").channel(rooms[0]))
    next(server for server in cluster.servers if server is not well).pause()
    await asyncio.sleep(1)  # by now each bucket has been asked for once
    with well.client() as client:
        client.client_kill_filter(_type="pubsub")
    over = ended(session(f"s-{rooms[0]}", rooms[0]))
    await other.transact(rooms[0], lambda state, now: Decision(None, changed=(over,)))
    async with asyncio.timeout(2):
        while (await heard.get()) != Change(rooms[0], (), whole=False):  # nobody is live there any more
            pass
    for server in cluster.servers:
        server.resume()


async def again(store: RedisStore, record: Session) -> None:
    """Puts it, as often as it takes."""
    while True:
        try:
            await put(store, record)
            return
        except StoreUnavailable:
            await asyncio.sleep(0.1)


class Watched:
    """A master and its replica, watched by one Sentinel."""

    def __init__(self, directory: Path) -> None:
        self.master = RedisServer(directory / "master").start()
        self.replica = RedisServer(directory / "replica", replicaof=f"127.0.0.1 {self.master.port}").start()
        self.port = free_port()
        config = directory / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel monitor main 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds main 700\nsentinel failover-timeout main 3000\n"
        )
        command = [require_command("redis-server", "valkey-server"), str(config), "--sentinel"]
        self.sentinel = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def in_step(self) -> bool:
        """Whether the replica has what the master has, and the Sentinel knows it."""
        with self.master.client() as master:
            if master.info("replication").get("slave0", {}).get("state") != "online":
                return False
        asked = [require_command("redis-cli", "valkey-cli"), "-p", str(self.port), "sentinel", "replicas", "main"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        return str(self.replica.port) in found.stdout

    def end(self) -> None:
        """All three."""
        self.sentinel.kill()
        self.sentinel.wait()
        self.master.kill()
        self.replica.kill()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Ready for a fail-over."""
    found = Watched(tmp_path)
    try:
        until(found.in_step, 20)
        yield found
    finally:
        found.end()


async def test_sentinel_and_a_fail_over(watched: Watched) -> None:
    """The master is found by its name; after it dies the store goes on with the new one, subscriptions included."""
    url = f"redis+sentinel://127.0.0.1:{watched.port}/main"
    await works(url)
    here, there = RedisStore(redis_address(url)), RedisStore(redis_address(url))
    await here.open()
    await there.open()
    heard: asyncio.Queue[Change] = asyncio.Queue()
    here.listen(heard.put_nowait)
    await here.hold("bob")
    await asyncio.to_thread(until, lambda: answers(watched.replica), 5)
    watched.master.kill()
    async with asyncio.timeout(30):
        while True:
            try:
                await put(there, session("t", "bob"))
                break
            except StoreUnavailable:
                await asyncio.sleep(0.2)
        assert (await heard.get()).sessions[0].id == "t"
    assert await here.get("s") is not None, "what the replica had is there"
    await here.close()
    await there.close()


def answers(replica: RedisServer) -> bool:
    """Whether the replica has the session."""
    with replica.client() as client:
        return client.get("enf:id:s") == b"alice"


async def test_valkey_will_do(valkey_server: RedisServer) -> None:
    """What the other tests take for Valkey is one."""
    with valkey_server.client() as client:
        assert client.info("server")["server_name"] == "valkey"
    valkey_server.flush()
    await works(valkey_server.url)
