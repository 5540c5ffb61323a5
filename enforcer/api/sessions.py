"""The calls of app servers: logins, validation, ends."""

from typing import Any

import orjson
from aiohttp import web

from enforcer import protocol
from enforcer.api import bodies, parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import app_call, bearer, judge_key, judge_room
from enforcer.configuration.reading import did_you_mean
from enforcer.domain.admission import Login
from enforcer.domain.errors import NotAllowed, Refused, SessionEnded, SessionLimit, SessionUnknown, StoreUnavailable
from enforcer.domain.model import Actor, ActorKind, EndReason, LoginAnswer, Session, Snapshot
from enforcer.domain.permissions import Caller, May, why_not
from enforcer.http.problems import ended, invalid, limit, unauthorized
from enforcer.usecases.registry import by_app, new_session_id

NO_STORE = {"Cache-Control": "no-store"}


def json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=orjson.dumps(document), status=status, content_type="application/json", headers=headers or NO_STORE
    )


def show(context: Context, snapshot: Snapshot) -> protocol.JSON:
    """The session record."""
    registry = context.registry
    return protocol.record(snapshot, registry.sightings.online_anywhere(snapshot.session), registry.now())


async def notify(request: web.Request) -> web.Response:
    """`POST /notify`: a user has just logged in. The key may stand in the body, as in the original protocol."""
    context = request.app[CONTEXT]
    key = bearer(request)
    caller = None if key is None else judge_key(context, request, key, May.LOGIN)
    members = await parsing.read_json(request)
    if caller is None:
        in_body = members.get("key")
        if not isinstance(in_body, str):
            raise unauthorized("give a key as `key` or in the header Authorization: Bearer …")
        caller = judge_key(context, request, in_body, May.LOGIN)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(bodies.NotifyBody, members)
    return json(await log_in(context, body, caller))


@app_call(May.LOGIN)
async def create(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/sessions`: the same, with 201 and the new session's address."""
    members = await parsing.read_json(request)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(bodies.LoginBody, members)
    answer = await log_in(context, body, caller)
    if not answer["created"] or answer["session"] is None:
        return json(answer)
    return json(answer, 201, {**NO_STORE, "Location": f"/v1/sessions/{answer['session']}"})


async def log_in(context: Context, body: bodies.LoginBody, caller: Caller) -> protocol.JSON:
    """A login and what it is answered; raises as `Registry.login`, and as `judge_room`."""
    login = await _login_of(context, body, caller, body.request_id)
    for change in body.changes:
        context.notices.warn(change, f"a login is taken, but {change}", room=body.room)
    logins = context.metrics.logins
    try:
        answer = await context.registry.login(body.room, login, caller.rooms)
    except StoreUnavailable:
        logins["unavailable"].inc()
        raise
    except Refused as e:
        logins[e.code].inc()
        if isinstance(e, SessionEnded):
            raise ended(e, 409) from None  # for a login it is a conflict: the id cannot be used again
        if isinstance(e, SessionLimit):
            raise limit(e, context.registry.sightings.online_anywhere) from None
        raise
    logins["pending" if answer.session is None else "created" if answer.created else "renewed"].inc()
    return login_answer(context, body.room, answer)


async def _login_of(context: Context, body: bodies.ClaimBody, caller: Caller, request_id: str | None = None) -> Login:
    """The login as the domain knows it. Raises `invalid-request` for a slot that there is not, then as `judge_room`."""
    slots = context.registry.rules.slots
    if body.slot is not None and slots and body.slot not in slots:
        hint = did_you_mean(body.slot, slots) or f"; there are {', '.join(sorted(slots))}"
        raise invalid([("slot", f"{body.slot!r} is not a configured slot{hint}")])
    judge_room(caller, body.room)
    return Login(
        new_id=new_session_id(),
        session=body.session,
        replaces=body.replaces,
        device=None if body.device is None else await context.describer.described(body.device.device()),
        entry=body.entry,
        request_id=request_id,
        fingerprint=body.fingerprint() if request_id is not None else "",
        terms=body.terms(),
        key=caller.name,
    )


@app_call(May.LOGIN)
async def explain(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/sessions/explain`: what a login would do now, and why; nothing is changed."""
    members = await parsing.read_json(request)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(bodies.ClaimBody, members)
    return json(await explained(context, body, caller))


async def explained(context: Context, body: bodies.ClaimBody, caller: Caller) -> protocol.JSON:
    """What a login would do now; raises as `log_in` about what is wrong with the body."""
    told = await context.registry.explain(body.room, await _login_of(context, body, caller), caller.rooms)
    online = context.registry.sightings.online_anywhere
    return {
        "outcome": "admitted" if told.code is None else "refused",
        "code": told.code,
        "room": body.room,
        "slot": told.slot,
        "policy": told.policy,
        "max_sessions": told.max_sessions,
        "counted": [protocol.other(s, online(s)) for s in told.counted],
        "would_end": [{**protocol.other(s, online(s)), "reason": reason} for s, reason in told.would_end],
        "why": list(told.why),
    }


def login_answer(context: Context, room: str, answer: LoginAnswer) -> protocol.JSON:
    """What a login is answered. In `join: "open"` pages get no ticket."""
    document: protocol.JSON = {"room": room, "session": answer.session}
    if answer.session is None:
        document["pending"] = True
    document |= _tickets(context, room, answer.session, answer.absolute_at)
    return document | {"epoch": answer.epoch, "created": answer.created, "displaced": list(answer.displaced)}


def _tickets(context: Context, room: str, session: str | None, absolute_at: float | None) -> protocol.JSON:
    if session is None or context.settings.join == "open":
        return {"ticket": None, "proxy_ticket": None, "ticket_expires_in": None}
    now = context.registry.now()
    issued = context.office.issue(room, session, absolute_at, now)
    return {
        "ticket": issued.page,
        "proxy_ticket": issued.proxy,
        "ticket_expires_in": protocol.remaining_s(issued.expires_at, now),
    }


@app_call(May.VALIDATE)
async def validate(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /v1/sessions/{id}`: the record, active or ended; never extends."""
    query = parsing.query(bodies.ValidateQuery, request)
    return await _validated(request, context, caller, _session_id(request), query.room, query.require)


async def _validated(
    request: web.Request, context: Context, caller: Caller, session: str, room: str | None, require: str | None
) -> web.Response:
    judge_room(caller, room)
    read = context.registry.get if require is None else context.registry.live
    try:
        return json(show(context, await read(session, room, caller.rooms)))
    except SessionUnknown as e:
        if room is not None and " " in room and "+" in request.rel_url.raw_query_string:
            raise SessionUnknown(f"{e}; a + in a query stands for a space, write %2B for a plus") from None
        raise


@app_call(May.VALIDATE)
async def validate_by_body(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/sessions/validate`: the same for ids that a proxy would touch."""
    members = await parsing.read_json(request)
    body = parsing.with_query(bodies.ValidateBody, bodies.ValidateQuery, request, members)
    return await _validated(request, context, caller, body.session, body.room, body.require)


@app_call(May.VALIDATE)
async def activity(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/sessions/{id}/activity`: a human did something; the idle deadline moves."""
    members = await parsing.read_json(request, optional=True)
    parsing.query(bodies.NoQuery, request)
    parsing.validated(bodies.NoBody, members)
    return json(show(context, await context.registry.activity(_session_id(request), within=caller.rooms)))


@app_call(May.LOGIN, May.ELEVATE)
async def ticket(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/sessions/{id}/ticket`: new tickets for a live session, an elevated one if asked; never claims, never
    extends."""
    members = await parsing.read_json(request, optional=True)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(bodies.TicketBody, members)
    missing = why_not(caller, May.LOGIN if body.elevate_for is None else May.ELEVATE)
    if missing is not None:
        raise NotAllowed(missing)
    session = (await context.registry.live(_session_id(request), within=caller.rooms)).session
    document = _tickets(context, session.room, session.id, session.absolute_at)
    if body.elevate_for is not None:
        document |= _elevated(context, session, body.elevate_for)
    return json(document)


def _elevated(context: Context, session: Session, seconds: float) -> protocol.JSON:
    """A page ticket that may end other sessions for so long. In `join: "open"` there is none, as of the others."""
    if context.settings.join == "open":
        return {"elevated_ticket": None, "elevated_expires_in": None}
    now = context.registry.now()
    ticket = context.office.elevated(session.room, session.id, session.absolute_at, now, now + seconds)
    return {"elevated_ticket": ticket, "elevated_expires_in": seconds}


@app_call(May.END)
async def end_everybody(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/logout-all`: ends every live session, or those of before a time or of a slot, and then answers."""
    members = await parsing.read_json(request, optional=True)
    parsing.query(bodies.NoQuery, request)
    body = parsing.validated(bodies.LogoutAllBody, members)
    before = parsing.moment("before", body.before)
    reason, by = body.reason or EndReason.ADMIN, Actor(ActorKind.ADMIN, key=caller.name)
    count = await context.registry.end_everybody(reason, by, before, body.slot, caller.rooms)
    return json({"ended": count}, 202)


@app_call(May.END)
async def end(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`DELETE /v1/sessions/{id}`: ends it; ending an ended one is fine."""
    reason = parsing.query(bodies.EndQuery, request).reason or EndReason.LOGOUT
    await context.registry.end(_session_id(request), reason, by_app(reason, caller.name), within=caller.rooms)
    return web.Response(status=204)


@app_call(May.READ)
async def list_user(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`GET /v1/users/{room}/sessions`: the live sessions, newest claim first."""
    room = _room(request, caller)
    parsing.query(bodies.NoQuery, request)
    sessions = await context.registry.list_room(room)
    return json({"room": room, "sessions": [show(context, s) for s in sessions]})


@app_call(May.END)
async def end_user(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`DELETE /v1/users/{room}/sessions`: log out everywhere, perhaps but here."""
    room = _room(request, caller)
    query = parsing.query(bodies.EndAllQuery, request)
    reason = query.reason or EndReason.LOGOUT
    gone = await context.registry.end_all(room, reason, by_app(reason, caller.name), query.except_)
    return json({"ended": list(gone)})


@app_call(May.END)
async def end_user_by_body(request: web.Request, context: Context, caller: Caller) -> web.Response:
    """`POST /v1/users/logout`: the same for rooms that a proxy would touch."""
    members = await parsing.read_json(request)
    body = parsing.with_query(bodies.LogoutUserBody, bodies.EndAllQuery, request, members)
    judge_room(caller, body.room)
    reason = body.reason or EndReason.LOGOUT
    gone = await context.registry.end_all(body.room, reason, by_app(reason, caller.name), body.except_)
    return json({"ended": list(gone)})


def _session_id(request: web.Request) -> str:
    """The id in the path. One that no session can have is simply not known."""
    session = request.match_info["session"]
    if not protocol.valid_session(session):
        raise SessionUnknown("no session has an id like this")
    return session


def _room(request: web.Request, caller: Caller) -> str:
    """The room in the path: whether it is the caller's is judged before anything else about the request."""
    room = request.match_info["room"]
    judge_room(caller, room)
    if not protocol.valid_room(room):
        raise invalid([("room", "1 to 256 characters, without control characters")])
    return room


ROUTES = (
    web.post("/notify", notify),
    web.post("/v1/sessions", create),
    web.post("/v1/sessions/explain", explain),
    web.post("/v1/sessions/validate", validate_by_body),
    web.get("/v1/sessions/{session}", validate, allow_head=False),
    web.delete("/v1/sessions/{session}", end),
    web.post("/v1/sessions/{session}/activity", activity),
    web.post("/v1/sessions/{session}/ticket", ticket),
    web.post("/v1/logout-all", end_everybody),
    web.post("/v1/users/logout", end_user_by_body),
    web.get("/v1/users/{room}/sessions", list_user, allow_head=False),
    web.delete("/v1/users/{room}/sessions", end_user),
)
