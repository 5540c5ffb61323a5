"""A real Keycloak, from Maven Central, with the realm of the example."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.running import ROOT, free_port, require_command, until

VERSION = "26.0.8"
STARTS_WITHIN = 240.0
"""Seconds; it builds itself at its first start."""
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
ADMIN = "admin-demo"


@dataclass
class Keycloak:
    """A running one, and its administrator."""

    url: str

    @property
    def issuer(self) -> str:
        """Of the realm."""
        return f"{self.url}/realms/demo"

    def administer(self, method: str, path: str) -> httpx.Response:
        """A call of the administrator about the realm."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": ADMIN}
        token = httpx.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form, timeout=20).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answer = httpx.request(method, f"{self.url}/admin/realms/demo{path}", headers=headers, timeout=20)
        return answer.raise_for_status()


@contextmanager
def running_keycloak(directory: Path, site: str, enforcer: str) -> Iterator[Keycloak]:
    """In a directory of its own; its client's addresses are those of `site` and `enforcer`."""
    home = _unpacked(directory)
    realm = json.loads((ROOT / "examples/keycloak/realm.json").read_text())
    (client,) = realm["clients"]
    client["redirectUris"] = [f"{site}/callback"]
    client["attributes"]["backchannel.logout.url"] = f"{enforcer}/signals/keycloak"
    (home / "data/import").mkdir(parents=True)
    (home / "data/import/realm.json").write_text(json.dumps(realm))
    port = free_port()
    own = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN, "JAVA_OPTS_APPEND": "-Xmx512m"}
    command = ["sh", str(home / "bin/kc.sh"), "start-dev", "--import-realm"]
    log = directory / "keycloak.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--http-host=127.0.0.1", f"--http-port={port}"],
            env=os.environ | own,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as program,
    ):
        try:
            found = Keycloak(f"http://127.0.0.1:{port}")
            until(lambda: _answers(found), STARTS_WITHIN)
            yield found
        finally:
            os.killpg(program.pid, 15)
            program.wait(30)


def _answers(keycloak: Keycloak) -> bool:
    try:
        return httpx.get(f"{keycloak.issuer}/.well-known/openid-configuration", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _unpacked(directory: Path) -> Path:
    maven = require_command("mvn")
    require_command("java")
    for goal in (["dependency:get", "-Dtransitive=false"], ["dependency:copy", f"-DoutputDirectory={directory}"]):
        subprocess.run([maven, "-q", "-B", *goal, f"-Dartifact={ARTIFACT}"], check=True, cwd=directory, timeout=600)
    archive = directory / f"keycloak-quarkus-dist-{VERSION}.zip"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(directory)
    archive.unlink()
    home = directory / f"keycloak-{VERSION}"
    assert shutil.which("sh"), "its script wants a shell"
    return home
