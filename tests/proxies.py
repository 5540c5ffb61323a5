"""Reverse proxies in front of an application that knows nothing of sessions, as examples/proxies/ sets them up."""

import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.running import ROOT, EnforcerProcess, free_port, require_command, running_program

EXAMPLES = ROOT / "examples" / "proxies"
KINDS = ("nginx", "caddy", "haproxy")
NGINX = "{user} daemon off; pid {d}/pid; error_log {d}/error.log; events {{}} http {{ access_log off; {temp} {conf} }}"
APP = """
import asyncio, sys
from aiohttp import WSMsgType, web

async def page(request):
    told = "".join(f"{n}: {v}\\n" for n, v in sorted(request.headers.items()) if n.lower().startswith("x-enforcer"))
    return web.Response(text=f"Private page\\n{told}{await request.text()}")

async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket

app = web.Application(client_max_size=10**7)
app.router.add_get("/echo", echo)
app.router.add_route("*", "/{path:.*}", page)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@dataclass
class Proxied:
    """The address of the proxy, and the Enforcer that it asks."""

    url: str
    enforcer: EnforcerProcess

    def visitor(self) -> httpx.Client:
        """A browser without scripts."""
        return httpx.Client(base_url=self.url, timeout=10)

    def log_in(self, visitor: httpx.Client, user: str = "alice") -> None:
        """By the form. httpx keeps no Secure cookie of an http address, so it is put in by hand."""
        answer = visitor.post("/login", data={"user": user, "password": f"{user}-demo"})
        assert answer.status_code == 302, answer.text
        cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        visitor.headers["Cookie"] = cookie.partition(";")[0]


@contextmanager
def proxied(kind: str, directory: Path) -> Iterator[Proxied]:
    """A proxy of this kind, the log-in page, the application and Enforcer, each in a process of its own."""
    port, app_port, login_port = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        settings = {"forward_auth": {"login_url": "/login"}, "trusted_proxies": ["127.0.0.1"], "origins": "same-host"}
        enforcer = stack.enter_context(EnforcerProcess(directory / "enforcer", **settings))
        own = {"ENFORCER_URL": enforcer.url, "ENFORCER_AUTHKEY": enforcer.authkey, "SECRET_KEY": secrets.token_hex()}
        flask = ["-m", "flask", "--app", str(EXAMPLES / "login.py"), "run", "--port", str(login_port)]
        places = {"enforcer:8080": enforcer.port, "app:8000": app_port, "login:8001": login_port}
        for command, address in (
            ([sys.executable, "-c", APP, str(app_port)], f"http://127.0.0.1:{app_port}/"),
            ([sys.executable, *flask], f"http://127.0.0.1:{login_port}/login"),
            (_command(kind, directory, port, places), f"http://127.0.0.1:{port}/login"),
        ):
            log = directory / f"{Path(command[0]).name}-{httpx.URL(address).port}.log"
            stack.enter_context(running_program(command, log, address, HOME=str(directory), **own))
        yield Proxied(f"http://127.0.0.1:{port}", enforcer)


def nginx_command(directory: Path, port: int, servers: str) -> list[str]:
    """nginx with these servers, of which the one on port 80 listens on `port` instead."""
    temp = " ".join(f"{m}_temp_path {directory}/{m};" for m in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""  # who may write into the test's directory
    servers = servers.replace("listen 80;", f"listen 127.0.0.1:{port};")
    made = directory / "nginx.conf"
    made.write_text(NGINX.format(user=user, d=directory, temp=temp, conf=servers))
    return [require_command("nginx", "/usr/sbin/nginx"), "-c", str(made), "-p", str(directory)]


def _command(kind: str, directory: Path, port: int, places: dict[str, int]) -> list[str]:
    """The example's configuration with the addresses of this run, and the command that runs it."""
    name = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg"}[kind]
    text = (EXAMPLES / name).read_text()
    for place, found in places.items():
        text = text.replace(place, f"127.0.0.1:{found}")
    made = directory / name
    if kind == "nginx":
        return nginx_command(directory, port, text)
    if kind == "caddy":
        text = re.sub(r"^:80 ", f"http://127.0.0.1:{port} ", text, flags=re.MULTILINE)
        made.write_text("{\n\tadmin off\n}\n" + text)
        return [require_command("caddy"), "run", "--adapter", "caddyfile", "--config", str(made)]
    made.write_text(
        text.replace("bind :80", f"bind 127.0.0.1:{port}").replace("enforcer.lua", str(EXAMPLES / "enforcer.lua"))
    )
    return [require_command("haproxy", "/usr/sbin/haproxy"), "-f", str(made)]
