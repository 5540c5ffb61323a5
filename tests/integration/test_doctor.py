"""`enforcer doctor` against a running server, behind an nginx that is set up well and one that is not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.issuer import Issuer, Key
from tests.proxies import nginx_command
from tests.running import ROOT, EnforcerProcess, free_port, running_program

CONF = """
upstream enforcer {{ server 127.0.0.1:{enforcer}; }}
upstream app {{ server 127.0.0.1:{app}; }}
map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
server {{ listen 127.0.0.1:{app}; location / {{ return 200 "you are $http_x_enforcer_room"; }} }}
server {{
    listen 127.0.0.1:{well};
    location ~ ^/(client|socket\\.io|session)/ {{
        proxy_pass http://enforcer;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }}
    location = /_enforcer {{
        internal;
        proxy_pass http://enforcer/forward-auth;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }}
    location /app/ {{
        auth_request /_enforcer;
        auth_request_set $room $upstream_http_x_enforcer_room;
        proxy_pass http://app;
        proxy_set_header X-Enforcer-Room $room;
    }}
}}
server {{
    listen 127.0.0.1:{badly};
    location /app/ {{ proxy_pass http://app; }}
    location / {{ proxy_pass http://enforcer; }}
}}
"""


@dataclass
class SetUp:
    """The server, and the addresses of both proxies."""

    server: EnforcerProcess
    well: str
    badly: str

    def doctor(self, *arguments: str) -> tuple[int, list[dict[str, str]]]:
        """The exit status, and what was found."""
        command = [
            sys.executable,
            "-m",
            "enforcer",
            "doctor",
            "--json",
            "--config",
            str(self.server.config),
            *arguments,
        ]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True)
        assert self.server.authkey not in done.stdout + done.stderr
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """One server, one nginx with both proxies, and three issuers: a good one, one that is away, a weak one."""
    directory = tmp_path_factory.mktemp("doctor")
    weak = Key("RS256", "weak", rsa.generate_private_key(65537, 1024))
    with Issuer() as good, Issuer(weak) as feeble:
        addresses = {"good": good.url, "away": f"http://127.0.0.1:{free_port()}", "weak": feeble.url}
        signals = {
            name: {"kind": "backchannel-logout", "client_id": "app", "issuer": url, "allow_http": True}
            for name, url in addresses.items()
        }
        own = {"trusted_proxies": ["127.0.0.1"], "forward_auth": {}, "signals": signals}
        own["hostnames"] = ["app.example", "127.0.0.1", "enforcer"]
        with EnforcerProcess(directory / "enforcer", **own) as server:
            ports = {name: free_port() for name in ("app", "well", "badly")}
            command = nginx_command(directory, ports["well"], CONF.format(enforcer=server.port, **ports))
            with running_program(
                command, directory / "nginx.log", f"http://127.0.0.1:{ports['well']}/client/session-guard.js"
            ):
                yield SetUp(server, *(f"http://127.0.0.1:{ports[name]}" for name in ("well", "badly")))


def wrong(findings: list[dict[str, str]], about: str) -> list[str]:
    """What is to be mended of it."""
    return [f["text"] for f in findings if f["level"] == "mend" and f["about"] == about]


def test_a_good_proxy_and_the_issuers(set_up: SetUp) -> None:
    """Everything that it looks at is well, but for two of the three issuers."""
    status, found = set_up.doctor("--public", set_up.well, "--app", f"{set_up.well}/app/")
    assert status == 1
    assert [f["about"] for f in found if f["level"] == "mend"] == ["signals", "signals"], found
    assert {f["about"] for f in found if f["level"] == "ok"} == {
        *("server", "store", "key", "clock", "proxy", "identity", "signals"),
    }
    away, weak = wrong(found, "signals")
    assert away.startswith("away: its issuer's keys cannot be had")
    assert weak == "weak: none of the 1 keys of its issuer can be used"
    left = httpx.get(f"{set_up.server.url}/v1/sessions?open=true", headers=set_up.server.headers).json()["items"]
    assert left == [], "it has logged out again"


def test_a_bad_proxy(set_up: SetUp) -> None:
    """It passes everything on, and nothing of what is needed."""
    status, found = set_up.doctor("--public", set_up.badly, "--app", f"{set_up.badly}/app/")
    assert status == 1
    host, forwarded, opening, doors = wrong(found, "proxy")
    assert "the Host that arrives is 'enforcer'" in host
    assert "X-Forwarded-For does not arrive" in forwarded
    assert "does not open" in opening or "may not connect" in opening
    assert "/metrics and /notify and /v1/ can be reached from outside" in doors
    assert "made up reaches the application" in wrong(found, "identity")[0]


def test_nobody_there(set_up: SetUp) -> None:
    """Neither the server nor the proxy; and what is no address."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    status, found = set_up.doctor("--url", nowhere, "--public", nowhere)
    assert status == 1
    assert "cannot be reached" in wrong(found, "server")[0]
    assert "cannot be reached" in wrong(found, "proxy")[0]
    command = [
        sys.executable,
        "-m",
        "enforcer",
        "doctor",
        "--config",
        str(set_up.server.config),
        "--public",
        "app.example",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "http:// or https://" in done.stderr


def test_what_is_seen_is_for_the_doctor(set_up: SetUp) -> None:
    """Not for pages, nor for anybody without a ticket."""
    ticket = set_up.server.login("alice")["ticket"]
    for headers in ({}, {"Authorization": f"Bearer {ticket}"}, set_up.server.headers):
        answer = httpx.get(f"{set_up.server.url}/session/seen", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "ticket-invalid")
