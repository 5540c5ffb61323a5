"""Heads that are made to keep a reader busy, sent to a real server: others are answered meanwhile."""

import socket

import httpx
import pytest

from tests.running import EnforcerProcess
from tests.unit.test_linear import hostile

ANSWERED_WITHIN = 10.0
"""Seconds: what stops the loop stops it for longer than anybody waits."""


@pytest.mark.parametrize("size", [317, 4096, 65_536])
def test_others_are_answered(shared: EnforcerProcess, size: int) -> None:
    """After each form of head, as a connection's first bytes and after a request on the same connection."""
    first = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    for form, head in hostile(size):
        for before in (b"", first):
            with socket.create_connection(("127.0.0.1", shared.port), timeout=ANSWERED_WITHIN) as connection:
                if before:
                    connection.sendall(before)
                    assert connection.recv(65_536).startswith(b"HTTP/1.1 200"), form
                connection.sendall(head)
                health = httpx.get(f"{shared.url}/healthz", timeout=ANSWERED_WITHIN)
                assert health.status_code == 200, form
