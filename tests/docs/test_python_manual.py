"""What an application writes to be protected: little, and as it stands in the manual it can be read by Python."""

import ast
import importlib
import re
from collections.abc import Iterator

import pytest

from tests.running import ROOT

LINES = 12
"""That a user writes in each framework, at most."""


def blocks() -> Iterator[tuple[str, str]]:
    """The code of the manual, by the heading above it."""
    manual = (ROOT / "docs/integrations/python.md").read_text()
    for part in re.split(r"^## ", manual, flags=re.MULTILINE)[1:]:
        for code in re.findall(r"^```python\n(.*?)^```", part, re.S | re.M):
            yield part.splitlines()[0], code


@pytest.mark.parametrize(("framework", "code"), list(blocks()), ids=[framework for framework, _ in blocks()])
def test_a_framework_takes_few_lines(framework: str, code: str) -> None:
    """All of them are shown, are Python, and import what there is."""
    written = [line for line in code.splitlines() if line.strip()]
    assert len(written) <= LINES
    for node in ast.walk(ast.parse(code.replace("=…", "=secret"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("enforcer_client"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), framework
    for name in re.findall(r'"(enforcer_client\.[\w.]+)"', code):  # of settings
        module, _, last = name.rpartition(".")
        place = ROOT / "client-python" / module.replace(".", "/")
        assert (place / last).is_dir() or place.with_suffix(".py").exists(), name


def test_every_framework_is_there() -> None:
    """With its code."""
    assert {framework for framework, _ in blocks()} == {"Django", "Flask", "FastAPI", "ASGI", "WSGI"}
