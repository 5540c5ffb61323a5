"""What docs/install.md says: the wheel works without the sources, and the unit of systemd is one."""

import json
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.running import ROOT, free_port, require_command, running_program

INSTALLED = "/opt/enforcer/bin/enforcer"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist and the wheel, as a release makes them, without a network."""
    target = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(target)], cwd=ROOT, check=True, timeout=60)
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_the_wheel_has_all_that_is_served(built: dict[str, Path]) -> None:
    """Its name, the browser client, the pages and the scripts of Redis; no tests."""
    assert built["wheel"].name.startswith("session_enforcer-")
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    assert served() <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_sdist_has_the_sources_and_the_docs(built: dict[str, Path]) -> None:
    """And what is served, which is built already: nobody needs Node. Nothing of tests or of other packages."""
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert served() | {"pyproject.toml", "LICENSE", "README.md", "docs/install.md", "enforcer/app.py"} <= names
    files = {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "config.json.example", "PKG-INFO", ".gitignore"}
    assert {name.partition("/")[0] for name in names} - files == {"enforcer", "docs"}


def served() -> set[str]:
    """The files that are no code of Python."""
    files = (path for path in (ROOT / "enforcer").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return {str(path.relative_to(ROOT)) for path in files}


@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_what_is_installed_runs_without_the_sources(built: dict[str, Path], kind: str, tmp_path: Path) -> None:
    """`enforcer init && enforcer` in an environment of its own, without Node: it is healthy, and serves the script and
    the console. Its libraries are those of this environment."""
    venv.create(tmp_path / "venv", with_pip=False)
    command = tmp_path / "venv" / "bin" / "enforcer"
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(here)
    pip = [sys.executable, "-m", "pip", "--python", str(command.with_name("python")), "--disable-pip-version-check"]
    install = ["install", "-q", "--no-deps", "--no-index", "--no-build-isolation", str(built[kind])]
    subprocess.run([*pip, *install], cwd=tmp_path, check=True, timeout=120)
    environ = {"PATH": str(command.parent), "HOME": str(tmp_path)}
    subprocess.run([command, "init"], cwd=tmp_path, env=environ, check=True, timeout=60)
    assert len(json.loads((tmp_path / "config.json").read_text())["authkey"]) >= 32
    where = f"http://127.0.0.1:{(port := free_port())}"
    environ |= {"ENFORCER_PORT": str(port), "ENFORCER_ADMIN": "true"}
    program = [str(command), "--config", str(tmp_path / "config.json")]
    with running_program(program, tmp_path / "log", f"{where}/healthz", **environ):
        pages = (("/client/session-guard.js", "javascript"), ("/admin", "html"), ("/admin/console.js", "javascript"))
        for path, content in pages:
            answer = httpx.get(where + path)
            assert (answer.status_code, content in answer.headers["Content-Type"]) == (200, True), path


def test_the_unit_of_systemd_is_valid(tmp_path: Path) -> None:
    """By systemd's own check, which also wants the command to be there."""
    analyze = require_command("systemd-analyze")
    command = tmp_path / "enforcer"
    shutil.copy(shutil.which("true") or "/bin/true", command)
    unit = (ROOT / "deploy" / "enforcer.service").read_text()
    assert INSTALLED in unit
    copy = tmp_path / "enforcer.service"
    copy.write_text(unit.replace(INSTALLED, str(command)))
    found = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
