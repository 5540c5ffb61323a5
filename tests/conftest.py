"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import EnforcerProcess


@pytest.fixture
def enforcer(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """A server with the default settings on SQLite."""
    with EnforcerProcess(tmp_path / "enforcer") as server:
        yield server
