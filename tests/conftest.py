"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisCluster, RedisServer, ValkeyServer
from tests.running import EnforcerProcess


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
