"""Two nodes on one Redis, and pages on them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.pages import Page, PythonClient
from tests.redis_server import RedisCluster, RedisServer
from tests.running import EnforcerProcess
from tests.tcp_proxy import TcpProxy

StartNode = Callable[..., EnforcerProcess]
OpenPage = Callable[[EnforcerProcess, dict[str, Any]], Page]


@pytest.fixture
def redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, which keeps what it has answered: it may be stopped, killed and emptied.

    A Valkey, if the test says so.
    """
    kind = getattr(request, "param", RedisServer)
    with kind(tmp_path / "redis", appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def link(redis: RedisServer) -> Iterator[TcpProxy]:
    """A way to Redis that the test can spoil."""
    with TcpProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def uvloop(request: pytest.FixtureRequest) -> bool:
    """Whether nodes run on uvloop, as they do unless the test says otherwise."""
    return bool(getattr(request, "param", True))


@pytest.fixture
def start_node(tmp_path: Path, redis: RedisServer | RedisCluster, uvloop: bool) -> Iterator[StartNode]:
    """Starts nodes that belong together; `port` is where they find Redis, if not at its own, or `url`.

    Whatever happened, no log has a traceback.
    """
    key, nodes = secrets.token_urlsafe(32), []

    with ExitStack() as running:

        def start(port: int | None = None, url: str | None = None, **settings: Any) -> EnforcerProcess:
            store = url or (redis.url if port is None else f"redis://127.0.0.1:{port}/0")
            node = EnforcerProcess(tmp_path / f"node-{len(nodes)}", uvloop=uvloop, store=store, authkey=key, **settings)
            nodes.append(node)
            return running.enter_context(node)

        yield start
    for node in nodes:
        assert "Traceback" not in node.read_log()


@pytest.fixture(scope="session")
def pages_client() -> Iterator[PythonClient]:
    """python-socketio."""
    client = PythonClient()
    yield client
    client.end()


@pytest.fixture
def open_page(pages_client: PythonClient) -> Iterator[OpenPage]:
    """Opens the page of a login on a node; all are closed at the end."""
    pages: list[Page] = []

    def opened(node: EnforcerProcess, login: dict[str, Any]) -> Page:
        page = Page(pages_client, node.url, "websocket", auth={"ticket": login["ticket"]})
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
