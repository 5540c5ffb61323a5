"""Two nodes behind nginx, configured as the example says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.conftest import StartNode
from tests.integration.pages import Page, PythonClient
from tests.proxies import nginx_command
from tests.running import ROOT, EnforcerProcess, free_port, running_program


class Balanced:
    """The nodes, and where nginx listens."""

    def __init__(self, nodes: list[EnforcerProcess], url: str) -> None:
        self.nodes = nodes
        self.url = url

    def login(self, room: str, **body: Any) -> dict[str, Any]:
        """`POST /notify` by the balancer."""
        answer = httpx.post(f"{self.url}/notify", json={"room": room, "key": self.nodes[0].authkey, **body}, timeout=10)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made


@pytest.fixture
def balanced(tmp_path: Path, start_node: StartNode) -> Iterator[Balanced]:
    """nginx in front of two nodes, with examples/nginx/cluster.conf but for names and ports."""
    nodes, port = [start_node(), start_node()], free_port()
    conf = (ROOT / "examples/nginx/cluster.conf").read_text()
    for n, node in enumerate(nodes, 1):
        conf = conf.replace(f"node-{n}:8080", f"127.0.0.1:{node.port}")
    url = f"http://127.0.0.1:{port}"
    with running_program(nginx_command(tmp_path, port, conf), tmp_path / "nginx.log", f"{url}/healthz"):
        yield Balanced(nodes, url)


@pytest.mark.parametrize("transport", ["websocket", "polling", "upgrade"])
def test_pages_by_the_balancer(balanced: Balanced, pages_client: PythonClient, transport: str) -> None:
    """Every transport joins and is kicked, whichever node the login reaches."""
    page = Page(pages_client, balanced.url, transport, auth={"ticket": balanced.login("alice")["ticket"]})
    assert page.joined()["active"] is True
    balanced.nodes[0].login("alice")
    assert page.take("force-logout")["reason"] == "displaced"
    page.close()
    page = Page(pages_client, balanced.url, transport, auth={"ticket": balanced.login("alice")["ticket"]})
    assert page.joined()["active"] is True
    balanced.nodes[1].login("alice")
    assert page.take("force-logout")["reason"] == "displaced"
    page.close()


def test_a_dead_node_is_passed_over(balanced: Balanced, pages_client: PythonClient) -> None:
    """Whichever of them dies, pages come back by the other and know the same."""
    login = balanced.login("alice")
    for dying in (0, 1):
        balanced.nodes[dying].kill()
        page = Page(pages_client, balanced.url, "websocket", auth={"ticket": login["ticket"]})
        assert page.joined()["session"] == login["session"]
        page.close()
        balanced.nodes[dying].start()
