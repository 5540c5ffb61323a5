"""`GET /v1/stream`: the audit log as it grows, as server-sent events (HTML Living Standard §9.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

import orjson
from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import Context
from enforcer.api.guard import app_call, bearer, judge_room
from enforcer.domain.model import AuditRow
from enforcer.domain.permissions import Caller, May
from enforcer.http.problems import RETRY_AFTER, Problem, invalid
from enforcer.store.cursors import Cursor, cursor_of, cursor_text
from enforcer.usecases.tail import Follower, Kind, News

UNREAD = 2**20
"""Bytes that a reader may leave unread."""


class StreamQuery(bodies.Strict):
    """Which events, of which room, and behind which cursor."""

    room: bodies.Room | None = None
    events: str | None = None
    after: str | None = None


Around = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
"""Adds something of its own to what is said, or ends it."""


async def stream(
    request: web.Request, context: Context, caller: Caller, around: Around | None = None
) -> web.StreamResponse:
    """What is said goes on until the reader leaves, the server stops, or `around` ends."""
    asked = parsing.query(StreamQuery, request)
    events = _events(asked.events)
    given = request.headers.get("Last-Event-ID") or asked.after
    levels, began = _prefers_levels(request), asyncio.get_running_loop().time()
    cursor = None if given is None else cursor_of(given)
    if given is not None and cursor is None:
        raise invalid([("after", "is not a cursor that this call gave")])
    judge_room(caller, asked.room)
    transport = request.transport
    if transport is None:
        raise ConnectionResetError
    context.streams -= {other for other in context.streams if other.is_closing()}
    if len(context.streams) >= context.settings.max_streams:
        raise Problem("too-many-streams", f"{context.settings.max_streams} streams are open; see max_streams")
    context.streams.add(transport)
    context.metrics.streams.set(len(context.streams))
    try:
        begin = await context.tail.end() if cursor is None else cursor
        with context.tail.followed(begin, levels) as follower:
            response = await _opened(request, levels)
            transport.set_write_buffer_limits(high=2 * UNREAD)  # who leaves more unread is cut, not waited for
            await response.write(event("ready", {"cursor": cursor_text(begin)}))
            saying = _saying(follower, _Wanted(events, asked.room, caller), began)
            async for said in saying if around is None else around(saying):
                if transport.get_write_buffer_size() + len(said) > UNREAD:
                    transport.abort()
                    break
                if said:
                    await response.write(said)
        return response
    finally:
        context.streams.discard(transport)
        context.metrics.streams.set(len(context.streams))


class _Wanted(NamedTuple):
    """Which rows a reader wants, and may see."""

    events: frozenset[str]
    room: str | None
    caller: Caller


async def _saying(follower: Follower, wanted: _Wanted, began: float) -> AsyncIterator[bytes]:
    """`began` is when the reader was heard first, by the event loop's clock."""
    name = (wanted.events, wanted.room, wanted.caller.rooms)
    while (news := await follower.news()).kind is not Kind.OVER:
        said = None if news.alike is None else news.alike.get(name)
        if said is None:
            said = b"".join(_said(news, wanted, began))
            if news.alike is not None:
                news.alike[name] = said
        yield said


def _prefers_levels(request: web.Request) -> bool:
    """`Prefer: level` (RFC 7240 §2), among others perhaps, with parameters or without."""
    preferences = ",".join(request.headers.getall("Prefer", ())).split(",")
    return "level" in (each.partition(";")[0].partition("=")[0].strip().lower() for each in preferences)


def _events(text: str | None) -> frozenset[str]:
    wanted = frozenset(protocol.HAPPENINGS.values()) if text is None else frozenset(text.split(","))
    if unknown := wanted - set(protocol.HAPPENINGS.values()):
        raise invalid([("events", f"{min(unknown)!r} is none; there are {', '.join(protocol.HAPPENINGS.values())}")])
    return wanted


async def _opened(request: web.Request, levels: bool) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    )
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    if levels:
        response.headers["Preference-Applied"] = "level"
    await response.prepare(request)
    return response


def _said(news: News, wanted: _Wanted, began: float) -> Iterator[bytes]:
    match news.kind:
        case Kind.ROWS:
            for row, _, said in news.rows:
                name, where = protocol.HAPPENINGS[row.entry.event], row.entry.room
                if name in wanted.events and wanted.room in (None, where) and wanted.caller.sees(where):
                    yield said
        case Kind.RESET:
            yield event("reset", {"cursor": cursor_text(news.cursor)}, news.cursor)
        case Kind.AWAY:
            yield event("unavailable", {"retry_ms": RETRY_AFTER * 1000})
        case Kind.LEVEL if news.at >= began:
            yield event("level", {"elapsed_ms": int((news.at - began) * 1000)})
        case Kind.QUIET:
            # A cursor without an event: a reader of a quiet room does not fall behind what is kept.
            yield f": still here\nid: {cursor_text(news.cursor)}\n\n".encode()


def rendered(row: AuditRow, cursor: Cursor) -> bytes:
    """A row of the audit log as an event."""
    return event(protocol.HAPPENINGS[row.entry.event], protocol.audit_record(row), cursor)


def event(name: str, data: protocol.JSON, cursor: Cursor | None = None) -> bytes:
    """An event, with the cursor behind it as its id."""
    head = f"event: {name}\n" + ("" if cursor is None else f"id: {cursor_text(cursor)}\n")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"


@app_call(May.STREAM)
async def keyed_stream(request: web.Request, context: Context, caller: Caller) -> web.StreamResponse:
    """`GET /v1/stream`, for as long as the key is what it was: nothing more is said to one that was taken away."""
    key, judged = bearer(request) or "", context.authkeys.generation

    async def while_it_may(saying: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for said in saying:
            if context.authkeys.generation != judged and context.authkeys.caller(key) != caller:
                return
            yield said

    return await stream(request, context, caller, while_it_may)


ROUTES = (web.get("/v1/stream", keyed_stream, allow_head=False),)
