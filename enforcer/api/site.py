"""What is not about one session: health, and the browser client's files."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from aiohttp import web

from enforcer.api.context import CONTEXT
from enforcer.api.guard import Handler
from enforcer.api.sessions import json
from enforcer.http.problems import Problem

CROSS_ORIGIN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


async def healthz(request: web.Request) -> web.Response:
    """`GET /healthz`: 200 while the process serves."""
    return json({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 while the store answers, else 503 like every call that needs it; and 503 before a stop."""
    context = request.app[CONTEXT]
    if context.draining:
        raise Problem("unavailable", "this process is about to end")
    await context.registry.ping()
    return json({"status": "ready"})


def static_file(name: str, content_type: str, headers: Mapping[str, str] | None = None) -> Handler:
    """A handler for a file of the package, with an ETag (RFC 9110 §8.8.3). `headers` are added.

    It is read once, when somebody first asks for it: a process should not hold what nobody wants.
    """

    @cache
    def contents() -> tuple[bytes, str]:
        body = resources.files("enforcer.static").joinpath(name).read_bytes()
        return body, hashlib.sha256(body).hexdigest()[:32]

    async def handler(request: web.Request) -> web.Response:
        body, etag = contents()
        answered = {"ETag": f'"{etag}"', "Cache-Control": "public, max-age=300", **(headers or {})}
        known = request.if_none_match or ()
        if any(tag.value in (etag, "*") for tag in known):
            return web.Response(status=304, headers=answered)
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=answered)

    return handler


def client_files() -> Iterator[web.RouteDef]:
    """The script and what it loads where it is needed, for pages of any origin, cross-origin isolated ones too."""
    for file in sorted(resources.files("enforcer.static").joinpath("client").iterdir(), key=lambda file: file.name):
        path = f"client/{file.name}"
        yield web.get(f"/{path}", static_file(path, "text/javascript", CROSS_ORIGIN))


PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""Of the pages for people. The viewer of the API sets styles by itself."""

ROUTES = (
    web.get("/", static_file("docs/start.html", "text/html", PAGE_HEADERS)),
    web.get("/start.css", static_file("docs/docs.css", "text/css", PAGE_HEADERS)),
    web.get("/healthz", healthz),
    web.get("/readyz", readyz),
    *client_files(),
)
