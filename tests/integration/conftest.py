"""Servers that many tests share (each test takes rooms of its own), and pages of every client and transport."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.pages import Client, NodeClient, NodeDriver, Opener, Page, PythonClient
from tests.running import EnforcerProcess

CLIENTS = ("python", "npm-4", "npm-3")
TRANSPORTS = ("websocket", "polling", "upgrade")
"""The first is the direct engine's, the others are the polling engine's."""
OWN = "session-guard"
WAYS = [*itertools.product(CLIENTS, TRANSPORTS), (OWN, "websocket")]
"""Each client over each transport that it speaks."""
_rooms = itertools.count(1)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with the default settings, for all tests that need nothing else; no tracebacks in its log."""
    with EnforcerProcess(tmp_path_factory.mktemp("shared") / "enforcer") as server:
        yield server
    assert "Traceback" not in server.read_log()


@pytest.fixture(scope="session")
def shared_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with `join: "open"` and a short login window."""
    with EnforcerProcess(tmp_path_factory.mktemp("open") / "enforcer", join="open", login_window=3) as server:
        yield server
    assert "Traceback" not in server.read_log()


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"user-{next(_rooms)}"


@pytest.fixture(scope="session")
def python_client() -> Iterator[PythonClient]:
    """python-socketio."""
    client = PythonClient()
    yield client
    client.end()


@pytest.fixture(scope="session")
def node_driver() -> Iterator[NodeDriver]:
    """The Node process with the npm clients."""
    driver = NodeDriver()
    yield driver
    driver.end()


@pytest.fixture(params=["direct", "polling"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each socket engine in turn, for tests that speak by hand."""
    name: str = request.param
    return name


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each client and transport in turn."""
    names: tuple[str, str] = request.param
    return names


@pytest.fixture
def client(request: pytest.FixtureRequest, way: tuple[str, str]) -> Client:
    """The client of this test's way."""
    return client_named(request, way[0])


def client_named(request: pytest.FixtureRequest, name: str) -> Client:
    """The client of that name."""
    if name == "python":
        python: PythonClient = request.getfixturevalue("python_client")
        return python
    return NodeClient(request.getfixturevalue("node_driver"), name)


@pytest.fixture
def transport(way: tuple[str, str]) -> str:
    """The transport of this test's way."""
    return way[1]


@pytest.fixture
def open_page(client: Client, transport: str) -> Iterator[Opener]:
    """Opens pages with the client and transport of this test; all are closed at its end."""
    pages: list[Page] = []

    def opener(server: EnforcerProcess, **options: Any) -> Page:
        page = Page(client, server.url, options.pop("transport", transport), **options)
        pages.append(page)
        return page

    yield opener
    for page in pages:
        page.close()


@pytest.fixture
def open_ws(python_client: PythonClient) -> Iterator[Opener]:
    """Opens pages where one client and transport are enough."""
    pages: list[Page] = []

    def opener(server: EnforcerProcess, **options: Any) -> Page:
        page = Page(python_client, server.url, options.pop("transport", "websocket"), **options)
        pages.append(page)
        return page

    yield opener
    for page in pages:
        page.close()
