"""The description of the HTTP API (OpenAPI 3.1), made from the models that validate, and a page that shows it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from enforcer import __version__, protocol
from enforcer.api import bodies, logs, stream, webhooks
from enforcer.api.guard import Handler
from enforcer.api.records import (
    AuditLogPage,
    CountRecord,
    DeadLetters,
    DeviceList,
    EndedRecord,
    ExplanationRecord,
    Health,
    LoginRecord,
    OverviewRecord,
    PageSession,
    ProblemDocument,
    RetriedRecord,
    RoomRecord,
    SeenRecord,
    SessionLogPage,
    SessionRecord,
    TestRecord,
    TicketsRecord,
    WebhookList,
)
from enforcer.api.site import PAGE_HEADERS, static_file


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: what it takes and what it answers. `answers` are the good ones, `errors` the statuses of problems.

    `text` is the media type of an answer that is no JSON.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    errors: tuple[int, ...] = ()
    body: type[BaseModel] | None = None
    body_optional: bool = False
    query: type[BaseModel] | None = None
    caller: Literal["app", "page", "login", "operator", "anyone"] = "app"
    streams: bool = field(default=False)
    text: str | None = None


_APP = (400, 401, 403, 422, 429, 503)
_PAGE = (400, 401, 422, 429, 503)

OPERATIONS = (
    Operation(
        "post", "/notify", "A user has just logged in", {200: LoginRecord}, (*_APP, 408, 409, 413, 415),
        body=bodies.NotifyBody, caller="login",
    ),
    Operation(
        "post", "/v1/sessions", "A user has just logged in", {200: LoginRecord, 201: LoginRecord},
        (*_APP, 408, 409, 413, 415), body=bodies.LoginBody,
    ),
    Operation(
        "post", "/v1/sessions/explain", "What would a login do, and why?", {200: ExplanationRecord},
        (*_APP, 408, 413, 415), body=bodies.ClaimBody,
    ),
    Operation(
        "get", "/v1/sessions", "The session log", {200: SessionLogPage}, _APP, query=logs.SessionLogQuery, streams=True,
    ),
    Operation(
        "get", "/v1/stream", "The audit log as it grows", {200: None}, _APP,
        query=stream.StreamQuery, text="text/event-stream",
    ),
    Operation("get", "/v1/audit", "The audit log", {200: AuditLogPage}, _APP, query=logs.AuditLogQuery, streams=True),
    Operation("get", "/v1/overview", "How it goes, in one look", {200: OverviewRecord}, _APP),
    Operation(
        "post", "/v1/sessions/validate", "Is this session live? (id in the body)", {200: SessionRecord},
        (*_APP, 404, 408, 410, 413, 415), body=bodies.ValidateBody,
    ),
    Operation(
        "get", "/v1/sessions/{session}", "Is this session live?", {200: SessionRecord}, (*_APP, 404, 410),
        query=bodies.ValidateQuery,
    ),
    Operation("delete", "/v1/sessions/{session}", "End a session", {204: None}, (*_APP, 404), query=bodies.EndQuery),
    Operation(
        "post", "/v1/sessions/{session}/activity", "A human did something", {200: SessionRecord},
        (*_APP, 404, 408, 410, 413, 415), body=bodies.NoBody, body_optional=True,
    ),
    Operation(
        "post", "/v1/sessions/{session}/ticket", "New tickets for a live session", {200: TicketsRecord},
        (*_APP, 404, 408, 410, 413, 415), body=bodies.TicketBody, body_optional=True,
    ),
    Operation("get", "/v1/users/{room}/sessions", "The live sessions of a user", {200: RoomRecord}, _APP),
    Operation(
        "delete", "/v1/users/{room}/sessions", "Log a user out everywhere", {200: EndedRecord}, _APP,
        query=bodies.EndAllQuery,
    ),
    Operation(
        "post", "/v1/users/logout", "Log a user out everywhere (room in the body)", {200: EndedRecord},
        (*_APP, 408, 413, 415), body=bodies.LogoutUserBody,
    ),
    Operation(
        "post", "/v1/logout-all", "Log everybody out", {202: CountRecord}, (*_APP, 408, 413, 415),
        body=bodies.LogoutAllBody, body_optional=True,
    ),
    Operation("get", "/v1/webhooks", "How the webhooks stand", {200: WebhookList}, _APP),
    Operation(
        "get", "/v1/webhooks/{name}/dead", "Events that a receiver did not take", {200: DeadLetters}, (*_APP, 404),
        query=webhooks.DeadQuery,
    ),
    Operation(
        "post", "/v1/webhooks/{name}/retry", "Try again now, and switch on again", {202: RetriedRecord},
        (*_APP, 404, 408, 413, 415), body=webhooks.RetryBody, body_optional=True,
    ),
    Operation(
        "post", "/v1/webhooks/{name}/test", "Send a message that tells of nothing", {200: TestRecord},
        (*_APP, 404, 408, 413, 415), body=bodies.NoBody, body_optional=True,
    ),
    Operation("get", "/session/status", "Is my session alive?", {200: PageSession}, _PAGE, caller="page"),
    Operation(
        "post", "/session/activity", "The human did something", {200: PageSession}, (*_PAGE, 408, 413, 415),
        body=bodies.PageActivityBody, body_optional=True, caller="page",
    ),
    Operation(
        "post", "/session/logout", "The human logs out", {204: None}, (*_PAGE, 408, 413, 415),
        body=bodies.PageLogoutBody, body_optional=True, caller="page",
    ),
    Operation(
        "get", "/session/seen", "How has this request arrived?", {200: SeenRecord}, (400, 401, 422), caller="page"
    ),
    Operation("get", "/session/devices", "The user's live sessions", {200: DeviceList}, _PAGE, caller="page"),
    Operation(
        "post", "/session/devices/end", "End another session of the user, or all others", {200: EndedRecord},
        (*_PAGE, 403, 404, 408, 413, 415), body=bodies.DeviceEndBody, caller="page",
    ),
    Operation(
        "post", "/session/report", "It wasn't me", {204: None}, (*_PAGE, 408, 409, 410, 413, 415),
        body=bodies.ReportBody, body_optional=True, caller="page",
    ),
    Operation(
        "post", "/signals/{name}", "An identity provider ends sessions", {200: None, 202: None, 204: None},
        (400, 401, 403, 404, 408, 413, 415, 422, 429, 503), caller="anyone",
    ),
    Operation("get", "/healthz", "Does the process serve?", {200: Health}, (400,), caller="anyone"),
    Operation("get", "/readyz", "Does the store answer?", {200: Health}, (400, 503), caller="anyone"),
    Operation(
        "get", "/metrics", "What Prometheus is told", {200: None}, (400, 401, 403, 422, 429), caller="operator",
        text="text/plain",
    ),
)  # fmt: skip

_SECURITY: Mapping[str, list[dict[str, list[str]]]] = {
    "app": [{"authkey": []}],
    "login": [{"authkey": []}, {}],
    "page": [{"ticket": []}],
    "operator": [{"authkey": []}, {"metrics_key": []}],
    "anyone": [],
}
_SESSIONS = "Sessions"
_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    _SESSIONS: ("Logins, and whether they are still live", ()),
    "Pages": ("What the browser client asks, with the ticket of its session", ("/session/",)),
    "Webhooks": ("How those stand that are told what has happened", ("/v1/webhooks",)),
    "Health": ("For load balancers and Prometheus", ("/healthz", "/readyz", "/metrics")),
    "Logs": ("What happened, and how it goes", ("/v1/audit", "/v1/stream", "/v1/overview")),
}
"""The groups of calls, with how their paths begin; the first has all others."""
_EXAMPLES: Mapping[str, dict[str, Any]] = {
    "/notify": {
        "room": "alice",
        "key": "your authkey",
        "device": {"user_agent": "Mozilla/5.0 …"},
        "request_id": "f3a1",
    },
    "/v1/sessions": {"room": "alice", "device": {"user_agent": "Mozilla/5.0"}, "request_id": "f3a1"},
    "/v1/sessions/explain": {"room": "alice"},
    "/v1/sessions/validate": {"session": "qXb3…", "room": "alice", "require": "active"},
    "/v1/sessions/{session}/ticket": {"elevate_for": 300},
    "/v1/users/logout": {"room": "alice", "except": "qXb3…", "reason": "password_changed"},
    "/v1/logout-all": {"before": "2026-11-21T08:30:00Z"},
    "/session/activity": {"idle_for_ms": 0},
    "/session/logout": {"everywhere": False},
    "/session/devices/end": {"others": True},
    "/session/report": {"note": "I was asleep"},
}
_PARAMETERS: Mapping[str, Any] = {"session": bodies.SessionId, "room": bodies.Room, "name": webhooks.HookName}


def document() -> dict[str, Any]:
    """The whole description."""
    models = {o.body for o in OPERATIONS if o.body} | {m for o in OPERATIONS for m in o.answers.values() if m}
    models.add(ProblemDocument)
    ordered = sorted(models, key=lambda m: m.__name__)
    _, schemas = models_json_schema([(m, "validation") for m in ordered], ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Enforcer",
            "version": __version__,
            "summary": "One live session per user, in real time",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": told} for name, (told, _) in _GROUPS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "authkey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The authkey of the configuration, or one of its keys that may do it",
                },
                "metrics_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The metrics_key, likewise",
                },
                "ticket": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A page's ticket"},
            },
        },
    }


def _operation(o: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{o.method} {o.path}".replace("/", " ")
        .replace("{", "")
        .replace("}", "")
        .title()
        .replace(" ", ""),
        "summary": o.summary,
        "tags": [next((name for name, (_, begins) in _GROUPS.items() if o.path.startswith(begins)), _SESSIONS)],
        "security": _SECURITY[o.caller],
        "parameters": [*_path_parameters(o.path), *_query_parameters(o.query)],
        "responses": {str(status): _answer(model, o) for status, model in o.answers.items()}
        | {str(status): _problem(status) for status in sorted(o.errors)},
    }
    if o.body is not None:
        described["requestBody"] = {
            "required": not o.body_optional,
            "content": {"application/json": {"schema": _reference(o.body), "example": _EXAMPLES.get(o.path, {})}},
        }
    return described


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _answer(model: type[BaseModel] | None, o: Operation) -> dict[str, Any]:
    if o.text is not None:
        return {"description": o.summary, "content": {o.text: {"schema": {"type": "string"}}}}
    if model is None:
        return {"description": "Done"}
    content: dict[str, Any] = {"application/json": {"schema": _reference(model)}}
    if o.streams:
        content |= {kind: {"schema": {"type": "string"}} for kind in (logs.CSV, logs.JSON_LINES[0])}
    return {"description": (model.__doc__ or "").strip(), "content": content}


def _problem(status: int) -> dict[str, Any]:
    titles = [title for usual, title in protocol.PROBLEMS.values() if usual == status]
    return {
        "description": titles[0] if titles else "Refused",
        "content": {protocol.PROBLEM_JSON: {"schema": _reference(ProblemDocument)}},
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": bodies.json_schema(kind)}
        for name, kind in _PARAMETERS.items()
        if f"{{{name}}}" in path
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(described)}
        for name, described in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is left out: there is no null in a query string."""
    kinds = [s for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    kept = {k: v for k, v in schema.items() if k not in ("anyOf", "default", "title")}
    return {**kept, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}


@cache
def _written() -> bytes:
    """The description as it is sent; made when it is first asked for, so that no start waits for it."""
    return orjson.dumps(document())


async def _describe(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    body = await asyncio.to_thread(_written)
    return web.Response(body=body, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})


def _page_file(name: str, content_type: str) -> Handler:
    return static_file(f"docs/{name}", content_type, PAGE_HEADERS)


ROUTES = (
    web.get("/openapi.json", _describe),
    web.get("/docs", _page_file("index.html", "text/html")),
    web.get("/docs/docs.js", _page_file("docs.js", "text/javascript")),
    web.get("/docs/docs.css", _page_file("docs.css", "text/css")),
    web.get("/docs/swagger-ui.js", _page_file("swagger-ui.js", "text/javascript")),
    web.get("/docs/swagger-ui.css", _page_file("swagger-ui.css", "text/css")),
    web.get("/docs/troubleshooting", _page_file("troubleshooting.html", "text/html")),
)
