"""The session log and the audit log: filtered, paged, and streamed as CSV or JSON Lines."""

import asyncio
import base64
import binascii
import csv
import io
import math
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import Field

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import Context
from enforcer.api.guard import app_call, judge_room
from enforcer.api.sessions import json, show
from enforcer.domain.model import AuditRow, EndReason, Snapshot
from enforcer.domain.permissions import Caller, May
from enforcer.http.problems import invalid
from enforcer.store.queries import AuditQuery, SessionQuery

PATIENCE = 0.15
"""Seconds that the console waits for a page, at most: then it shows what was found, and asks for more."""
STREAM_PAGE = 200
"""Rows that are read at once while streaming: what is in memory at a time."""
IN_ONE_TURN = 50
"""Rows that are made into text before others have their turn: two milliseconds or three."""

Row = TypeVar("Row")
When = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Limit = Annotated[int, Field(ge=1, le=1000, strict=False)]

JSON_LINES = ("application/jsonl", "application/x-ndjson", "application/jsonlines")
CSV = "text/csv"

SESSION_COLUMNS = (
    "session",
    "room",
    "active",
    "claimed",
    "newest",
    "online",
    "epoch",
    "started_at",
    "last_seen_at",
    "last_active_at",
    "idle_expires_in",
    "absolute_expires_in",
    "device.label",
    "device.class",
    "device.id",
    "device.user_agent",
    "device.ip",
    "entry",
    "ended_at",
    "end_reason",
    "ended_by.kind",
    "ended_by.session",
    "ended_by.device.label",
    "ended_by.device.class",
    "ended_by.device.id",
    "ended_by.device.user_agent",
    "ended_by.device.ip",
    "delivery",
    "slot",
    "exempt",
    "impersonated_by",
    "ended_by.key",
    "ended_by.name",
    "idp.iss",
    "idp.sub",
    "idp.sid",
    "idp.auth_time",
    "aliases",
)
AUDIT_COLUMNS = (
    "seq",
    "at",
    "event",
    "room",
    "session",
    "reason",
    "epoch",
    "by.kind",
    "by.session",
    "by.device.label",
    "by.device.class",
    "by.device.id",
    "by.device.user_agent",
    "by.device.ip",
    "device.label",
    "device.class",
    "device.id",
    "device.user_agent",
    "device.ip",
    "slot",
    "impersonated_by",
    "note",
    "by.key",
    "by.name",
)


class SessionLogQuery(bodies.Strict):
    """Which rows of the session log."""

    room: bodies.Room | None = None
    open: Literal["true", "false"] | None = None
    reason: Annotated[EndReason, Field(strict=False)] | None = None
    since: When | None = None
    until: When | None = None
    slot: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] | None = None
    device: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    limit: Limit = 100
    cursor: str | None = None


class AuditLogQuery(bodies.Strict):
    """Which rows of the audit log."""

    room: bodies.Room | None = None
    session: bodies.SessionIdInQuery | None = None
    since: When | None = None
    until: When | None = None
    limit: Limit = 100
    cursor: str | None = None


async def session_log(
    request: web.Request, context: Context, caller: Caller, media_type: str | None = None, newest: bool = False
) -> web.StreamResponse:
    """`GET /v1/sessions`: a row a session, oldest start first; as a stream of `media_type`, if one is asked for.

    For the console the `newest` come first.
    """
    asked = parsing.query(SessionLogQuery, request)
    query = SessionQuery(
        room=asked.room,
        open=None if asked.open is None else asked.open == "true",
        reason=asked.reason,
        since=parsing.moment("since", asked.since),
        until=parsing.moment("until", asked.until),
        after=_session_cursor(asked.cursor),
        limit=asked.limit + 1,
        slot=asked.slot,
        device=asked.device,
        rooms=caller.rooms,
        newest=newest,
    )
    judge_room(caller, asked.room)

    async def pages() -> AsyncIterator[list[Snapshot]]:
        after = query.after
        while True:
            rows = await context.registry.sessions(replace(query, after=after, limit=STREAM_PAGE))
            yield rows
            if len(rows) < STREAM_PAGE:
                return
            after = (rows[-1].session.started_at, rows[-1].session.id)

    def document(row: Snapshot) -> protocol.JSON:
        return show(context, row)

    if (stream := media_type or _stream_type(request)) is not None:
        return await _streamed(request, stream, SESSION_COLUMNS, pages(), document)
    found = await context.registry.search_sessions(query, PATIENCE if newest else math.inf)
    shown, place = found.rows[: asked.limit], found.place
    if len(found.rows) > asked.limit:
        place = (shown[-1].session.started_at, shown[-1].session.id)
    return await _page(shown, document, place, found.at)


async def audit_log(
    request: web.Request, context: Context, caller: Caller, media_type: str | None = None, newest: bool = False
) -> web.StreamResponse:
    """`GET /v1/audit`: a row a transition, oldest first; `media_type` and `newest` as above."""
    asked = parsing.query(AuditLogQuery, request)
    query = AuditQuery(
        room=asked.room,
        session=asked.session,
        since=parsing.moment("since", asked.since),
        until=parsing.moment("until", asked.until),
        after=_audit_cursor(asked.cursor),
        limit=asked.limit + 1,
        rooms=caller.rooms,
        newest=newest,
    )
    judge_room(caller, asked.room)

    async def pages() -> AsyncIterator[list[AuditRow]]:
        after = query.after
        while True:
            rows = await context.registry.audit(replace(query, after=after, limit=STREAM_PAGE))
            yield rows
            if len(rows) < STREAM_PAGE:
                return
            after = rows[-1].seq

    if (stream := media_type or _stream_type(request)) is not None:
        return await _streamed(request, stream, AUDIT_COLUMNS, pages(), protocol.audit_record)
    found = await context.registry.search_audit(query, PATIENCE if newest else math.inf)
    shown = found.rows[: asked.limit]
    place = shown[-1].seq if len(found.rows) > asked.limit else found.place
    return await _page(shown, protocol.audit_record, place, found.at)


async def _page(
    rows: list[Row], document: Callable[[Row], protocol.JSON], place: Any, at: float | None
) -> web.Response:
    """Some rows, and where to go on; if the time was not enough to look through all that may be asked for, also up to
    when it was looked."""
    items = [one async for some in _in_turns(rows, document) for one in some]
    searched = {} if at is None else {"searched_to": protocol.iso(at)}
    return json({"items": items, "next": None if place is None else _encoded(place), **searched})


async def _in_turns(rows: list[Row], document: Callable[[Row], protocol.JSON]) -> AsyncIterator[list[protocol.JSON]]:
    """The documents of the rows, some at a time; in between others have their turn."""
    for first in range(0, len(rows), IN_ONE_TURN):
        yield [document(row) for row in rows[first : first + IN_ONE_TURN]]
        await asyncio.sleep(0)


# ---- parameters --------------------------------------------------------------------------------


def _encoded(place: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def _decoded(cursor: str) -> Any:
    try:
        return orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return None


def _session_cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    match _decoded(cursor):
        case [float(started_at) | int(started_at), str(session)]:
            return float(started_at), session
        case _:
            raise invalid([("cursor", "is not one that this call gave")])


def _audit_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    match _decoded(cursor):
        case int(seq) if not isinstance(seq, bool) and 0 <= seq < 2**63:
            return seq
        case _:
            raise invalid([("cursor", "is not one that this call gave")])


# ---- streams -----------------------------------------------------------------------------------


def _stream_type(request: web.Request) -> str | None:
    """The streaming type that the caller prefers, if any; JSON is the usual answer."""
    for part in request.headers.get("Accept", "").split(","):
        media_type = part.partition(";")[0].strip().lower()
        if media_type == CSV:
            return CSV
        if media_type in JSON_LINES:
            return JSON_LINES[0]
        if media_type in ("application/json", "*/*"):
            return None
    return None


async def _streamed(
    request: web.Request,
    media_type: str,
    columns: tuple[str, ...],
    pages: AsyncIterator[list[Row]],
    document: Callable[[Row], protocol.JSON],
) -> web.StreamResponse:
    """All rows, a page at a time: the client's reading sets the pace. An error before the first row is a problem
    document; later the answer is cut off, which a client notices by the missing end of the chunks."""
    first = await anext(pages)
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
    if request.path.endswith(".csv"):
        response.headers["Content-Disposition"] = f'attachment; filename="{request.path.rpartition("/")[2]}"'
    response.content_type = media_type
    response.charset = "utf-8"
    await response.prepare(request)
    if media_type == CSV:
        await response.write(_csv([columns]))
    rows = first
    while True:
        async for some in _in_turns(rows, document):
            if media_type == CSV:
                await response.write(_csv([_cells(one, columns) for one in some]))
            else:
                await response.write(b"".join(orjson.dumps(one) + b"\n" for one in some))
        try:
            rows = await anext(pages)
        except StopAsyncIteration:
            break
    await response.write_eof()
    return response


def _csv(rows: Any) -> bytes:
    """RFC 4180: CRLF, quoted where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(document: protocol.JSON, columns: tuple[str, ...]) -> Iterator[str]:
    for column in columns:
        value: Any = document
        for name in column.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        yield _cell(value)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Mn", "Zl", "Zp", "Zs"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols without a shape."""


def _cell(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = orjson.dumps(value).decode() if isinstance(value, list) else str(value)
    return f"'{text}" if isinstance(value, str) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """By the first character that is seen: spreadsheets pass over what is before it. Full-width signs count too."""
    if text[:1] in ("\t", "\r", "\n"):
        return True
    for c in text:
        if unicodedata.category(c) not in _INVISIBLE and c not in _BLANK:
            return unicodedata.normalize("NFKC", c)[:1] in ("=", "+", "-", "@")
    return False


ROUTES = (
    web.get("/v1/sessions", app_call(May.READ)(session_log), allow_head=False),
    web.get("/v1/audit", app_call(May.READ)(audit_log), allow_head=False),
)
