"""Imports point downwards only, the pure modules stay pure, and each private name of a library has its reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

PACKAGE = ROOT / "enforcer"
DESIGN = (ROOT / "docs" / "design.md").read_text()
LAYERS: tuple[tuple[str, ...], ...] = (
    ("domain/model", "domain/errors", "http/origins", "http/plain_requests", "http/rates", "static"),
    ("webhooks/addresses", "webhooks/signing"),
    ("process/clock", "process/cores", "process/descriptors", "process/listening", "process/notices", "process/tasks"),
    ("domain", "store/redis/address", "configuration/text", "process/terminal", "http/authkeys"),
    ("protocol", "tickets", "configuration"),
    ("http", "store"),
    ("usecases",),
    ("process/metrics", "process/loglines", "process/jobs"),
    ("webhooks",),
    ("api", "gateway"),
    ("app",),
    ("command", "process/garbage", "process/workers", "__main__"),
)
"""From the bottom to the top; a module may import its own layer and those before it. The longest name counts."""
SEPARATE = {("api", "gateway"), ("gateway", "api"), ("process/jobs", "api"), ("process/jobs", "gateway")}
"""Neighbours that must not know each other."""
PURE = (
    *("domain/model", "domain/errors", "domain/rules", "domain/deadlines", "domain/devices", "domain/draft"),
    *("domain/deliveries", "webhooks/addresses", "webhooks/signing", "webhooks/plan", "webhooks/message"),
    *("domain/admission", "domain/policy", "domain/explaining", "domain/permissions", "http/authkeys"),
    *("http/origins", "http/plain_requests", "http/rates", "configuration/text", "process/terminal", "command/moments"),
    *("protocol", "tickets", "usecases/unwritten", "usecases/presence", "store/ahead", "store/cursors"),
    *("store/recent", "usecases/pulse", "http/console_cookies"),
    *("store/redis/address", "store/redis/keys", "store/redis/rows", "gateway/visitor", "gateway/packets"),
    *("gateway/direct/frames", "gateway/direct/wheel"),
)
IMPURE = {"asyncio", "time", "os", "socket", "random", "secrets", "threading", "sqlite3", "aiohttp", "pathlib", "uuid"}


def place(path: Path) -> str:
    """Where a module stands, as `folder/module`; a package's face as the folder."""
    return str(path.relative_to(PACKAGE).with_suffix("")).removesuffix("/__init__")


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py":
            yield place(path), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """The full names of what a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree: ast.Module) -> Iterator[str]:
    """The places of the modules of this package that a module imports."""
    for name in imported(tree):
        words = name.split(".")
        target = PACKAGE.joinpath(*words[1:])
        if words[0] == "enforcer" and len(words) > 1 and (target.is_dir() or target.with_suffix(".py").exists()):
            yield "/".join(words[1:])


def within(module: str, part: str) -> bool:
    """Whether a module is the part, or in it."""
    return module == part or module.startswith(part + "/")


def layer_of(module: str) -> int:
    """How high a module stands; every module has a place."""
    found = [(len(part), n) for n, layer in enumerate(LAYERS) for part in layer if within(module, part)]
    assert found, f"{module} is in no layer; give it one in LAYERS and in docs/design.md"
    return max(found)[1]


def is_face(module: str) -> bool:
    """Whether it is a folder whose `__init__` says what is in it and no more."""
    return (PACKAGE / module).is_dir() and len(ast.parse((PACKAGE / module / "__init__.py").read_text()).body) <= 1


def test_imports_point_downwards() -> None:
    """No module imports from a layer above its own, and neighbours that must not know each other do not."""
    for module, tree in modules():
        for name in ours(tree):
            if is_face(name):
                continue
            assert layer_of(name) <= layer_of(module), f"{module} imports {name} from above"
            assert not any(within(module, a) and within(name, b) for a, b in SEPARATE), f"{module} imports {name}"


@pytest.mark.parametrize("module", PURE)
def test_the_pure_modules_do_no_io(module: str) -> None:
    """No clock, no randomness, no await, nothing that reaches outside."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    assert not {name.split(".")[0] for name in imported(tree)} & IMPURE
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef | ast.Await)]


def test_only_the_gateway_knows_socketio() -> None:
    """The protocol's libraries are imported in one package."""
    for module, tree in modules():
        if any(name.split(".")[0] in ("socketio", "engineio") for name in imported(tree)):
            assert within(module, "gateway"), module


def test_framing_knows_nothing_of_the_rest() -> None:
    """Frames and packets could be used by any server."""
    for module in ("gateway/direct/frames", "gateway/packets"):
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        assert set(ours(tree)) <= {"gateway/direct", "gateway/direct/frames"}, module


def test_only_the_registry_decides() -> None:
    """`transact` is used by one module, and made by the stores."""
    users = {
        module
        for module, tree in modules()
        if any(isinstance(n, ast.Attribute) and n.attr == "transact" for n in ast.walk(tree))
    }
    assert users == {"usecases/registry"}


# ---- private names ----------------------------------------------------------------------------------

_PRIVATE = re.compile(r"_[A-Za-z]\w*")


def private_names(tree: ast.Module) -> set[str]:
    """Private names of others: of an object that is not `self`, or of `self` where the module does not define them."""
    own: set[str] = set()
    inherited: set[str] = set()
    foreign: set[str] = set()
    fields: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                own.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if _PRIVATE.fullmatch(name):
                inherited.add(name)
            case ast.Attribute(attr=name) if _PRIVATE.fullmatch(name) and name not in (
                "_asdict",
                "_fields",
                "_make",
                "_replace",
            ):  # a NamedTuple's are public
                foreign.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):  # a field, of all objects of the class
                own.add(name)
                fields.add(name)
    return (foreign - fields) | (inherited - own)


def test_each_private_name_of_a_library_is_in_the_list() -> None:
    """docs/design.md says which there are, in which file, and why; nothing else is used."""
    listed = re.findall(r"^\| `(enforcer/\S+)` \| ([^|]*) \|", DESIGN.split("## Private names")[1], re.M)
    documented = {file: set(re.findall(r"`(_\w+)`", names)) for file, names in listed}
    found = {f"enforcer/{module}.py": names for module, tree in modules() if (names := private_names(tree))}
    assert found == documented


# ---- names and the map ------------------------------------------------------------------------------


def test_names_say_something() -> None:
    """No module is called after nothing."""
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "manager"}


def test_the_top_is_small() -> None:
    """Whoever opens the package sees at a glance what there is."""
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 16, sorted(path.name for path in entries)


def test_the_map_is_the_tree() -> None:
    """docs/design.md has one line for each folder and each module at the top, and no other."""
    drawn = set(re.findall(r"^\| `enforcer/(\S*?)/?` \|", DESIGN.split("## The map")[1].split("\n## ")[0], re.M))
    folders = {place(path) for path in PACKAGE.rglob("__init__.py")} - {"__init__"}
    top = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert drawn == folders | top
