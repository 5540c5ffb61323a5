"""The fast answers: logins and validations, which are nearly all that a busy server is asked over HTTP.

It answers exactly as the handlers in `sessions` do, from the same parts, but only where nothing is wrong with the
request: the right key, a plain head, a good body. Everything else is left to those handlers and their order of
judgement, which is why nothing here ever says what is wrong with a request.
"""

import time
from collections.abc import Coroutine
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import ValidationError

from enforcer import protocol
from enforcer.api import bodies, parsing, sessions
from enforcer.api.context import Context
from enforcer.api.forward_auth import identity, proxy_ticket
from enforcer.domain.errors import TicketInvalid
from enforcer.domain.model import Session, Snapshot
from enforcer.domain.permissions import Caller, May
from enforcer.http.plain_requests import FORWARD_AUTH, Headers, WholeRequest
from enforcer.http.problems import problem_for
from enforcer.tickets import PROXY

_SESSIONS = "/v1/sessions/"
_VALIDATION = ("GET", "/v1/sessions/{session}")
_LOGIN = ("POST", "/notify")
"""The method and route of what is taken, as the handlers' routes have them."""
_OK = {"Content-Type": "application/json", **sessions.NO_STORE}

_NOTHING: tuple[int, Headers | None, float, Caller | None] = (0, None, 0.0, None)
_REMEMBERED = 60.0
"""Seconds for which a header block with a right key is known."""
_RECORDS = 20_000
"""Sessions of which a part of the record is kept as it is sent."""
_CALLERS = 1024
"""Addresses of which one is known."""

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class FastAnswers:
    """Answers what it can for one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._dated = (0, "")
        self._head = (0, b"")
        """Of an answer with a record, up to its length; and the second that it names."""
        self._still: dict[str, tuple[Snapshot, bytes]] = {}
        """Of sessions that were validated: as they are written, and the first part of their record."""
        self._right_of: dict[str | None, tuple[int, Headers, float, Caller]] = {}
        self._validated = context.metrics.answers(*_VALIDATION, 200)

    def take(self, request: WholeRequest, peer: str | None) -> bytes | Coroutine[Any, Any, bytes] | None:
        """The bytes to send, or the work that leads to them; None leaves the request to the handlers."""
        began = time.perf_counter()
        if not self._context.edge.host_allowed(request.headers.host):
            return None
        if request.path == FORWARD_AUTH:
            return self._take_forward_auth(request, began)
        if request.method == "GET":
            return self._take_validate(request.path, request.headers, peer, began)
        if request.path == "/notify":
            return self._take_notify(request.headers, request.body, peer, began)
        return None

    def _take_validate(
        self, path: str, headers: Headers, peer: str | None, began: float
    ) -> bytes | Coroutine[Any, Any, bytes] | None:
        if not path.startswith(_SESSIONS) or headers.content_length or (key := _bearer(headers)) is None:
            return None
        session = path[len(_SESSIONS) :]
        if not protocol.valid_session(session) or key in path:
            return None
        caller = self._caller(key, headers, peer, began)
        if caller is None or May.VALIDATE not in caller.may:
            return None
        found = self._context.registry.at_hand(session, caller.rooms)
        if found is None:
            return self._answered(_VALIDATION, self._validate(session, caller), began)
        answer = self._record(*found)
        self._validated.observe(time.perf_counter() - began)
        return answer

    def _take_notify(
        self, headers: Headers, body: bytes, peer: str | None, began: float
    ) -> Coroutine[Any, Any, bytes] | None:
        if headers.content_type != "application/json" or len(body) > parsing.MAX_BODY:
            return None
        try:
            members = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(members, dict):
            return None
        key = members.get("key") if headers.authorization is None else _bearer(headers)
        caller = self._caller(key, headers, peer, began) if isinstance(key, str) else None
        if caller is None or May.LOGIN not in caller.may:
            return None
        try:
            login = bodies.NotifyBody.model_validate(members)
        except ValidationError:
            return None
        return self._answered(_LOGIN, self._notify(login, caller), began)

    def _take_forward_auth(self, request: WholeRequest, began: float) -> bytes | None:
        """Only that a session is live is said here."""
        setting, headers = self._context.settings.forward_auth, request.headers
        if setting is None or setting.activity:
            return None
        try:
            cookies = [] if headers.cookie is None else [headers.cookie]
            ticket = self._context.office.check(proxy_ticket(setting.cookie, cookies, _bearer(headers)), PROXY)
        except TicketInvalid:
            return None
        found = self._context.registry.at_hand(ticket.session)
        if found is None or found[1].room != ticket.room or ticket.expired(self._context.registry.now()):
            return None
        self._context.metrics.forward_auth["allowed"].inc()
        answer = self._message(200, identity(found[1]), b"")
        self._context.metrics.answered(request.method, FORWARD_AUTH, 200, began)
        return answer

    def _caller(self, key: str, headers: Headers, peer: str | None, now: float) -> Caller | None:
        """Whose key it is, if it comes from an address whose keys are looked at.

        The same callers send the same header block again and again, which `http1` reads only once. So the same object
        means the same key, shown from the same address a moment ago.
        """
        keys = self._context.authkeys
        generation, block, until, known = self._right_of.get(peer, _NOTHING)
        if block is headers and generation == keys.generation and now < until:
            return known
        caller = keys.caller(key)
        if caller is None:
            return None
        ip = self._context.edge.address_of(peer, headers.x_forwarded_for, headers.forwarded)
        if keys.refused(ip) is not None:
            return None
        keys.accepted(ip)
        if headers.authorization is not None:
            if len(self._right_of) >= _CALLERS:
                self._right_of.clear()
            self._right_of[peer] = keys.generation, headers, now + _REMEMBERED, caller
        return caller

    async def _validate(self, session: str, caller: Caller) -> Answer:
        found = await self._context.registry.get(session, within=caller.rooms)
        return 200, _OK, orjson.dumps(sessions.show(self._context, found))

    def _record(self, written: Snapshot, current: Session) -> bytes:
        """The record of a live session. What only a decision changes of it is rendered once for each such change."""
        kept = self._still.get(current.id)
        if kept is None or kept[0] != written:
            if len(self._still) >= _RECORDS and kept is None:
                del self._still[next(iter(self._still))]
            kept = self._still[current.id] = written, orjson.dumps(protocol.still(written))[:-1]
        registry = self._context.registry
        now = registry.now()
        moving = orjson.dumps(protocol.moving(current, registry.sightings.online_anywhere(current), now))
        body = b"%b,%b" % (kept[1], moving[1:])
        if self._head[0] != int(now):
            self._head = int(now), self._message(200, _OK, b"").partition(b"Content-Length")[0]
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head[1], len(body), body)

    async def _notify(self, login: bodies.NotifyBody, caller: Caller) -> Answer:
        return 200, _OK, orjson.dumps(await sessions.log_in(self._context, login, caller))

    async def _answered(self, route: tuple[str, str], work: Coroutine[Any, Any, Answer], began: float) -> bytes:
        try:
            status, headers, body = await work
        except Exception as error:
            status, headers, body = problem_for(error, *route).parts()
        answer = self._message(status, headers, body)
        self._context.metrics.answered(*route, status, began)
        return answer

    def _message(self, status: int, headers: dict[str, str], body: bytes) -> bytes:
        """An answer as it goes over the wire; the connection stays open (RFC 9112 §9.3)."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{fields}X-Content-Type-Options: nosniff\r\n"
            f"Date: {self._date()}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _date(self) -> str:
        """Now, as RFC 9110 §5.6.7 writes it; made once a second."""
        now = int(self._context.registry.now())
        if self._dated[0] != now:
            self._dated = now, formatdate(now, usegmt=True)
        return self._dated[1]


def _bearer(headers: Headers) -> str | None:
    """The token of `Authorization: Bearer …`, written as everybody writes it; None for anything else."""
    field = headers.authorization
    return field[7:] if field is not None and field.startswith("Bearer ") else None
