"""What docs/install.md says: the wheel works without the sources, and the unit of systemd is one."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.running import ROOT, require_command

INSTALLED = "/opt/enforcer/bin/enforcer"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what is in the working copy, with pip alone."""
    target = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check"]
    trusting = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}  # it asks for setuptools
    subprocess.run([*pip, "-w", str(target), str(ROOT)], check=True, timeout=300, env=trusting)
    (made,) = target.glob("*.whl")
    return made


def test_the_wheel_has_all_that_is_served(wheel: Path) -> None:
    """Its name, the browser client, the pages and the scripts of Redis; no tests."""
    assert wheel.name.startswith("session_enforcer-")
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {path for path in (ROOT / "enforcer").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert {str(path.relative_to(ROOT)) for path in data} <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_an_installed_wheel_runs_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    """The command is there, writes a configuration and finds it good; its libraries are those of this environment."""
    venv.create(tmp_path / "venv", with_pip=True, system_site_packages=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(here)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = str(python.with_name("enforcer"))
    for arguments in (["init"], ["check-config", "config.json"]):
        subprocess.run([command, *arguments], cwd=tmp_path, env=environ, check=True, timeout=60)
    assert len(json.loads((tmp_path / "config.json").read_text())["authkey"]) >= 32


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
