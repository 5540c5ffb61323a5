"""The description of the HTTP API (OpenAPI 3.1), made from the models that validate, and a page that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, Field, RootModel
from pydantic.json_schema import models_json_schema

from enforcer import __version__, protocol
from enforcer.api import bodies, logs, stream, webhooks
from enforcer.api.guard import Handler
from enforcer.api.site import PAGE_HEADERS, static_file
from enforcer.domain.model import ActorKind, AuditEvent, EndReason

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Delivery = Literal["pending", "acked", "refused_on_return", "gone"]


class DeviceRecord(BaseModel):
    """A device, as the app told it."""

    label: str | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    id: str | None = None
    user_agent: str | None = None
    ip: str | None = None


class ActorRecord(BaseModel):
    """Who ended a session; `name` is that of a signal."""

    kind: ActorKind
    session: str | None = None
    device: DeviceRecord | None = None
    key: Annotated[str | None, Field(json_schema_extra={"description": "the name of the key that was used"})] = None
    name: str | None = None


class SeenRecord(BaseModel):
    """How a request of `enforcer doctor` has arrived; the clocks in UTC seconds."""

    host: str
    address: str
    peer: str | None
    trusted: bool
    forwarded: bool
    clock: float
    store_clock: float


class IdentityRecord(BaseModel):
    """Who logged in, as the app told it from the ID token."""

    iss: str
    sub: str
    sid: str | None = None
    auth_time: int | None = None


class SessionRecord(BaseModel):
    """A session, live or ended."""

    session: str
    room: str
    active: bool
    claimed: bool
    newest: bool
    online: bool
    epoch: int
    started_at: Time
    last_seen_at: Time
    last_active_at: Time
    idle_expires_in: float | None
    absolute_expires_in: float | None
    device: DeviceRecord | None
    entry: str | None
    ended_at: Time | None
    end_reason: EndReason | None
    ended_by: ActorRecord | None
    delivery: Delivery | None
    slot: str | None
    exempt: bool
    impersonated_by: str | None
    idp: IdentityRecord | None
    aliases: list[str]


class LoginRecord(BaseModel):
    """What a login got. `session` and the tickets are null while it waits for a page (`join: "open"`)."""

    room: str
    session: str | None
    pending: bool | None = None
    ticket: str | None
    proxy_ticket: str | None
    ticket_expires_in: float | None
    epoch: int
    created: bool
    displaced: list[str]


class TicketsRecord(BaseModel):
    """New tickets for a live session; the elevated one if it was asked for."""

    ticket: str | None
    proxy_ticket: str | None
    ticket_expires_in: float | None
    elevated_ticket: str | None = None
    elevated_expires_in: float | None = None


class OtherRecord(BaseModel):
    """A session that counts for a login's limit."""

    session: str
    device: DeviceRecord | None
    started_at: Time
    last_seen_at: Time
    online: bool


class EndingRecord(OtherRecord):
    """A session that would end for a login."""

    reason: EndReason


class ExplanationRecord(BaseModel):
    """What a login would do now, and why. `max_sessions` is null for an exempt one."""

    outcome: Literal["admitted", "refused"]
    code: Annotated[str | None, Field(json_schema_extra={"examples": ["session-limit", "session-ended"]})]
    room: str
    slot: str | None
    policy: Literal["displace", "reject"]
    max_sessions: int | None
    counted: list[OtherRecord]
    would_end: list[EndingRecord]
    why: list[str]


class CountRecord(BaseModel):
    """How many sessions were ended."""

    ended: int


class PageDevice(BaseModel):
    """What pages are told of a device."""

    label: str | None
    class_: Annotated[str | None, Field(alias="class")]


class DeviceSession(BaseModel):
    """A live session of the page's user. `support` is there and true where somebody else acts for the user."""

    session: str
    current: bool
    device: PageDevice | None
    slot: str | None
    started_at: Time
    last_seen_at: Time
    online: bool
    support: Literal[True] | None = None


class DeviceList(BaseModel):
    """The live sessions of the page's user, last seen first, 100 at most; `more` are not shown."""

    sessions: list[DeviceSession]
    more: int
    max_sessions: int
    may_end: bool


class RoomRecord(BaseModel):
    """The live sessions of a room, newest login first."""

    room: str
    sessions: list[SessionRecord]


class EndedRecord(BaseModel):
    """The sessions that were ended now."""

    ended: list[str]


class SessionLogPage(BaseModel):
    """A page of the session log."""

    items: list[SessionRecord]
    next: str | None


class AuditRecord(BaseModel):
    """A transition."""

    seq: str
    at: Time
    event: AuditEvent
    room: str
    session: str | None
    reason: EndReason | None
    epoch: int | None
    by: ActorRecord | None
    device: DeviceRecord | None
    slot: str | None
    impersonated_by: str | None
    note: str | None


class AuditLogPage(BaseModel):
    """A page of the audit log."""

    items: list[AuditRecord]
    next: str | None


class WebhookRecord(BaseModel):
    """How a webhook stands. `lag` is how many seconds the oldest event has waited that was not taken up yet."""

    name: str
    url: str
    state: Literal["ok", "failing", "off"]
    lag: float
    failing_since: Time | None
    dead: int
    last_status: int | None


class WebhookList(RootModel[list[WebhookRecord]]):
    """The webhooks, in the order of the configuration."""


class DeadLetter(BaseModel):
    """An event that no try was taken of. `body` is what was sent."""

    id: str
    at: Time
    room: str
    tries: int
    last_tried_at: Time | None
    last_status: int | None
    last_error: str | None
    body: dict[str, Any]


class DeadLetters(RootModel[list[DeadLetter]]):
    """Dead letters, the oldest event first."""


class RetriedRecord(BaseModel):
    """How many events are tried again."""

    retried: int


class TestRecord(BaseModel):
    """What came of a test."""

    id: str
    delivered: bool
    status: int | None
    error: str | None


class PageSession(BaseModel):
    """What a page knows about its live session; times are remaining milliseconds."""

    session: str
    room: str
    active: Literal[True]
    claimed: bool
    newest: bool
    epoch: int
    idle_ms: int | None
    warn_ms: int
    absolute_ms: int | None
    server_now: Time
    ticket: str | None = None


class KickTimes(BaseModel):
    """Milliseconds from the end of a session to its page's ack, of the last five minutes; null if there was none."""

    p50: float | None
    p99: float | None


class NodeRecord(BaseModel):
    """One process."""

    node: str
    version: str
    uptime_s: float
    sockets: int
    online: int


class OverviewRecord(BaseModel):
    """How it goes, over all nodes that share the store."""

    open_sessions: int
    online: int
    sockets: int
    logins_per_minute: int
    ends_per_minute: dict[EndReason, int]
    kick_ms: KickTimes
    store: Literal["sqlite", "redis", "memory"]
    nodes: list[NodeRecord]
    version: str
    uptime_s: float


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457. Go by `code`; some codes add members."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(json_schema_extra={"enum": sorted(protocol.PROBLEMS)})]
    errors: list[FieldError] | None = None


class Health(BaseModel):
    """Alive, or ready."""

    status: Literal["ok", "ready"]


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


async def _describe(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return web.Response(body=_DOCUMENT, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})


_DOCUMENT = orjson.dumps(document())


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
