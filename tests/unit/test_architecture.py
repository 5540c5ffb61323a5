"""Imports point downwards only, and the pure modules stay pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

PACKAGE = ROOT / "enforcer"
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"model", "errors"}),
    frozenset({"clock", "config_text", "cores", "deadlines", "descriptors", "devices", "edge", "http1", "listening"})
    | frozenset({"moments", "ports", "redis_address", "static", "terminal"}),
    frozenset({"authkeys", "policy", "noticed", "presence", "protocol", "rates", "tickets"})
    | frozenset({"configuration", "settings"}),
    frozenset({"store"}),
    frozenset({"outages", "registry"}),
    frozenset({"api", "gateway", "jobs", "journal", "logs", "metrics", "notices"}),
    frozenset({"app"}),
    frozenset({"advice", "cli", "command_line", "console", "garbage", "workers", "__main__"}),
)
"""From the bottom to the top; a module may import its own layer and those before it."""
SEPARATE = {("api", "gateway"), ("gateway", "api"), ("jobs", "api"), ("jobs", "gateway")}
"""Neighbours in a layer that must not know each other."""
PURE = (
    *("model", "errors", "config_text", "deadlines", "devices", "edge", "http1", "moments", "redis_address"),
    *("policy", "noticed", "presence", "terminal"),
    *("protocol", "tickets", "authkeys", "rates", "store/ahead", "store/recent", "gateway/visitor"),
    *("gateway/wire/websocket", "gateway/wire/packets", "gateway/wheel"),
)
IMPURE = {"asyncio", "time", "os", "socket", "random", "secrets", "threading", "sqlite3", "aiohttp", "pathlib", "uuid"}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Each module with its first name under the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__":
            yield part, path, ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """The full names of what a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(part: str) -> int:
    """How high a module stands; every module has a place."""
    found = [n for n, layer in enumerate(LAYERS) if part in layer]
    assert found, f"{part} is in no layer; give it one in LAYERS and in docs/design.md"
    return found[0]


def test_imports_point_downwards() -> None:
    """No module imports from a layer above its own, and neighbours that must not know each other do not."""
    for part, path, tree in modules():
        for name in imported(tree):
            words = name.split(".")
            if words[0] != "enforcer" or len(words) < 2 or not known(words[1]):
                continue
            assert layer_of(words[1]) <= layer_of(part), f"{path.name} imports {name} from above"
            assert (part, words[1]) not in SEPARATE, f"{path.name} imports {name}"


def known(part: str) -> bool:
    """Whether it is a module and not a name in the package itself."""
    return (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").exists()


@pytest.mark.parametrize("part", PURE)
def test_the_pure_modules_do_no_io(part: str) -> None:
    """No clock, no randomness, no await, nothing that reaches outside."""
    tree = ast.parse((PACKAGE / f"{part}.py").read_text())
    assert not {name.split(".")[0] for name in imported(tree)} & IMPURE
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef | ast.Await)]


def test_only_the_gateway_knows_socketio() -> None:
    """The protocol's libraries are imported in one package."""
    for part, path, tree in modules():
        if any(name.split(".")[0] in ("socketio", "engineio") for name in imported(tree)):
            assert part == "gateway", path


def test_the_wire_knows_nothing_of_the_rest() -> None:
    """Framing and packets could be used by any server."""
    for path in (PACKAGE / "gateway" / "wire").glob("*.py"):
        ours = {name for name in imported(ast.parse(path.read_text())) if name.startswith("enforcer.")}
        assert all(name.startswith("enforcer.gateway.wire") for name in ours), path


def test_only_one_module_knows_the_inside_of_aiohttp() -> None:
    """What is pinned because of private names stands in one place."""
    for _, path, tree in modules():
        private = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & {"_message_tail", "_task_handler"}
        assert not private or path.stem == "takeover", path


def test_only_the_registry_decides() -> None:
    """`transact` is called in one module."""
    for part, path, tree in modules():
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        if any(isinstance(n.func, ast.Attribute) and n.func.attr == "transact" for n in calls):
            assert part == "registry", path


def test_names_say_something() -> None:
    """No module is called after nothing."""
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
