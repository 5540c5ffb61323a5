"""A plain site for the browser client to stand on: pages with the script, an app's logout, and an API."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.running import ROOT, EnforcerProcess

CLIENT_FILES = ROOT / "enforcer" / "static" / "client"
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Stage</title>
<link rel="icon" href="data:,">
{in_head}
{more}
</head>
<body>{body}
<main><h1>Private</h1><p>What only alice may see.</p><label>Text <input id="text"></label></main>
{in_body}</body>
</html>
"""
SIGN_IN = """<form method="post" action="/sign-in" hx-boost="true">
<label>Name <input name="user" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Log in</button></form>"""
SIGN_OUT = """<form method="post" action="/sign-out" hx-boost="true"><button>Log out</button></form>"""


@dataclass
class Stage:
    """What the pages look like from now on; and what was asked of the app."""

    enforcer: EnforcerProcess
    url: str = ""
    ticket: str = ""
    """Of every page that is served."""
    attributes: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    script: str = ""
    """Address of the client; the server's own unless a test hosts a copy itself (`/vendor/…`)."""
    lang: str = "en"
    built: Path = Path()
    """Directory of what is served under `/built`."""
    more: str = ""
    """Further lines of the page's head, also of the page that logs in."""
    body: str = ""
    """Further lines of the page's body."""
    line_in_body: bool = False
    """Whether the client's line is at the end of the body, and not in the head."""
    session: str = ""
    """Of the latest login."""
    elevate_for: int = 300
    """Seconds that an elevated ticket is good for."""
    orders: int = 0
    gets: list[str] = field(default_factory=list)
    """Paths of the pages that were asked for."""
    logouts: list[Mapping[str, Any]] = field(default_factory=list)
    logout_may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, the app takes its time over the logout."""
    _logged_out: asyncio.Event = field(default_factory=asyncio.Event)
    _sessions: set[str] = field(default_factory=set)
    _earlier: set[str] = field(default_factory=set)
    """Sessions of tests before: their pages may be heard of late, while they close."""

    def __post_init__(self) -> None:
        self.logout_may_answer.set()

    def login(self, room: str = "alice", **body: Any) -> str:
        """A login at the app: pages carry its ticket from now on. Returns the session's id."""
        answer = self.enforcer.login(room, **body)
        self.ticket = answer["ticket"]
        self.session = answer["session"]
        self._sessions.add(self.session)
        return self.session

    def anew(self) -> Self:
        """As it was at the beginning, for the next test, with alice logged in anew."""
        self.attributes, self.headers, self.logouts = {}, {}, []
        self.script, self.lang, self.more, self.body = "", "en", "", ""
        self.line_in_body, self.orders, self.gets = False, 0, []
        self.logout_may_answer.set()
        self._logged_out.clear()
        self._earlier |= self._sessions
        self.login()
        return self

    async def told(self) -> list[Mapping[str, Any]]:
        """The calls of the app's logout, once there is one: pages show their notice before."""
        async with asyncio.timeout(10):
            await self._logged_out.wait()
        return self.logouts

    def app(self) -> web.Application:
        """The site itself."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/page/{name}", self._page),
                web.get("/login", self._login),
                web.get("/sign-in", self._sign_in),
                web.post("/sign-in", self._signed_in),
                web.post("/sign-out", self._signed_out),
                web.post("/order", self._order),
                web.get("/order", self._page),
                web.get("/nothing", self._nothing),
                web.get("/download", self._download),
                web.get("/ticket", self._ticket),
                web.post("/logout", self._logout),
                web.post("/elevate", self._elevate),
                web.post("/chosen", self._chosen),
                web.route("*", "/api/{status}", self._api),
                web.static("/vendor", CLIENT_FILES),
                web.get("/built/{name}", self._built),
            ]
        )
        return app

    async def _page(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            self.gets.append(request.path)
        return self._html(self.line(), self.body)

    def line(self) -> str:
        """The client's line of a page that is served now."""
        attributes = {"ticket": self.ticket, "logout-url": "/logout", **self.attributes}
        script = self.script or f"{self.enforcer.url}/client/session-guard.js"
        data = " ".join(f'data-{k}="{escape(v)}"' for k, v in attributes.items())
        return f'<script src="{script}" defer {data}></script>'

    def _html(self, line: str, body: str) -> web.Response:
        in_head, in_body = ("", line) if self.line_in_body else (line, "")
        text = PAGE.format(lang=self.lang, in_head=in_head, more=self.more, body=body, in_body=in_body)
        return web.Response(text=text, content_type="text/html", headers=self.headers)

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Without the client's line."""
        text = f"<!doctype html><html><head><title>Log in</title>{self.more}</head><body>{SIGN_IN}</body></html>"
        return web.Response(text=text, content_type="text/html")

    async def _signed_in(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.login)
        raise web.HTTPSeeOther("/")

    async def _signed_out(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.enforcer.call, "DELETE", f"/v1/sessions/{self.session}")
        raise web.HTTPSeeOther("/sign-in")

    async def _order(self, request: web.Request) -> web.Response:
        """Answers with a page of its own."""
        self.orders += 1
        return self._html(self.line(), f"<p id='ordered'>Order {self.orders}</p>")

    async def _nothing(self, request: web.Request) -> web.Response:
        self.gets.append(request.path_qs)
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.Response:
        self.gets.append(request.path_qs)
        return web.Response(text="bye", headers={"Content-Disposition": "attachment; filename=bye.txt"})

    async def _built(self, request: web.Request) -> web.StreamResponse:
        file = self.built / request.match_info["name"]
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    async def _login(self, request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Log in</title><h1>Log in</h1>", content_type="text/html")

    async def _ticket(self, request: web.Request) -> web.Response:
        return web.json_response({"ticket": self.ticket})

    async def _logout(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("session") not in self._earlier:
            self.logouts.append({**form, "header": request.headers.get("X-Enforcer-Session")})
            self._logged_out.set()
        await self.logout_may_answer.wait()
        return web.Response(status=204)

    async def _elevate(self, request: web.Request) -> web.Response:
        """As if the password had just been asked for again."""
        path = f"/v1/sessions/{self.session}/ticket"
        answer = await asyncio.to_thread(self.enforcer.call, "POST", path, json={"elevate_for": self.elevate_for})
        return web.json_response({"ticket": answer.json()["elevated_ticket"]})

    async def _chosen(self, request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response({name: form.getall(name) for name in form})

    async def _api(self, request: web.Request) -> web.Response:
        """Answers as it was asked: `/api/401?body`; `X-Ended` on request."""
        headers = {"X-Ended": "1"} if "ended" in request.query else {}
        body = json.dumps({"said": await request.text()})
        return web.Response(
            status=int(request.match_info["status"]), text=body, content_type="application/json", headers=headers
        )
