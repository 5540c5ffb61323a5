"""What an application writes to be protected: little, and shown as it is in an example that is tested."""

import ast
import importlib
import re
from collections.abc import Iterator
from textwrap import dedent

import pytest

from tests.running import ROOT

MANUAL = ROOT / "docs/integrations"
LINES = 12
"""That a user writes in each framework, at most."""
EXAMPLES = ("django", "express", "fastapi", "nextjs", "php", "spring-boot")
"""Pages whose code is that of an example."""
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.S | re.M)


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The code of a page: its language, what stands above it, and the code."""
    before = 0
    for found in BLOCK.finditer(text):
        yield found[2], text[before : found.start()], dedent(found[3])
        before = found.end()


def written(code: str) -> list[str]:
    """The lines that say something."""
    return [line.strip() for line in code.splitlines() if line.strip()]


@pytest.mark.parametrize("framework", EXAMPLES)
def test_the_manual_shows_the_example(framework: str) -> None:
    """Line by line, of the file that is named above it; in all it is little."""
    count, steps = 0, (MANUAL / f"{framework}.md").read_text().split("\n## ")[0]
    named: list[str] = []
    for _, above, code in blocks(steps):
        named += re.findall(r"\]\((\.\./\.\./examples/[^)#]+)\)", above)
        example = iter(written((MANUAL / named[-1]).read_text()))
        for line in written(code):
            assert line in example, f"{named[-1]} has no such line there: {line}"
            count += 1
    assert 3 <= count <= LINES


PYTHON = [
    (f"{page.stem} {n}", code)
    for page in sorted(MANUAL.glob("*.md"))
    for n, (language, _, code) in enumerate(blocks(page.read_text()))
    if language == "python"
]


@pytest.mark.parametrize("code", [code for _, code in PYTHON], ids=[name for name, _ in PYTHON])
def test_what_is_python_can_be_read(code: str) -> None:
    """It is little, and imports what there is."""
    assert len(written(code)) <= LINES
    for node in ast.walk(ast.parse(code.replace("=…", "=secret"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("enforcer_client"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), node.module
    for name in re.findall(r'"(enforcer_client\.[\w.]+)"', code):  # of settings
        module, _, last = name.rpartition(".")
        place = ROOT / "client-python" / module.replace(".", "/")
        assert (place / last).is_dir() or place.with_suffix(".py").exists(), name


def test_each_framework_has_its_page_and_its_row() -> None:
    """In the table of the index, with the version that was tried."""
    index = (MANUAL / "frameworks.md").read_text()
    for page in (*EXAMPLES, "flask"):
        assert re.search(rf"^\| \[[^\]]+\]\({page}\.md\) \|.*\| [\d., ]+ \|$", index, re.M), page


def test_links_lead_somewhere() -> None:
    """Of these pages, and of the examples' own."""
    for document in (*MANUAL.glob("*.md"), *ROOT.glob("examples/*/README.md"), *ROOT.glob("*-*/README.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} → {target}"
