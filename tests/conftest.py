"""Fixtures that every kind of test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisCluster, RedisServer, ValkeyServer
from tests.running import EnforcerProcess

# Whoever may use TLS reads what the system trusts: httpx for each client, which takes ten times as long as a call, and
# aiohttp at each start. No test calls anybody who is to be trusted, so they read one certificate instead.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("no-authority.pem"))


@pytest.fixture
def one_core() -> Iterator[None]:
    """Leaves one core to the test, and to the threads and processes that it starts."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture(params=["all cores", "one core"])
def any_cores(request: pytest.FixtureRequest) -> None:
    """Where there is only one core, SQLite's writer works another way."""
    if request.param == "one core":
        request.getfixturevalue("one_core")


@pytest.fixture
def enforcer(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """A server with the default settings on SQLite."""
    with EnforcerProcess(tmp_path / "enforcer") as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests that empty it first, or take rooms of their own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Valkey, likewise."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A Cluster of three masters, likewise."""
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
