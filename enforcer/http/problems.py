"""Errors on the wire: RFC 9457 problem details with a stable `code`, and the middleware that makes all errors so."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from enforcer import protocol
from enforcer.domain.errors import Refused, SessionEnded, SessionLimit, StoreUnavailable
from enforcer.domain.model import Session

log = logging.getLogger(__name__)

RETRY_AFTER = 1
"""Seconds after which a caller may repeat when the store did not answer."""


class Problem(Exception):
    """Ends a handler with a problem document. `members` are added to it; `headers` to the answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        usual, self.title = protocol.PROBLEMS[code]
        self.status = usual if status is None else status
        self.members = members or {}
        self.headers = headers or {}

    def parts(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer; never cached."""
        document = protocol.problem(self.code, self.status, self.detail, self.members)
        headers = {"Content-Type": protocol.PROBLEM_JSON, "Cache-Control": "no-store", **self.headers}
        return self.status, headers, orjson.dumps(document)

    def response(self) -> web.Response:
        """The answer."""
        status, headers, body = self.parts()
        return web.Response(status=status, headers=headers, body=body)

    def message(self, retry_after: float | None = None) -> bytes:
        """The answer as it goes over the wire where aiohttp has no request to answer; the connection is closed then."""
        status, headers, body = self.parts()
        headers |= {"X-Content-Type-Options": "nosniff", "Content-Length": str(len(body)), "Connection": "close"}
        if retry_after is not None:
            headers["Retry-After"] = str(math.ceil(retry_after))
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{fields}\r\n".encode() + body


def unauthorized(detail: str, code: str = "unauthorized", **members: Any) -> Problem:
    """401 with the challenge that RFC 9110 §11.6.1 asks for."""
    return Problem(code, detail, status=401, members=members, headers={"WWW-Authenticate": "Bearer"})


def invalid(errors: Sequence[tuple[str, str]]) -> Problem:
    """422: what is wrong with which field."""
    detail = "; ".join(f"{field}: {message}" for field, message in errors)
    listed = [{"field": field, "message": message} for field, message in errors]
    return Problem("invalid-request", detail, members={"errors": listed})


def ended(error: SessionEnded, status: int) -> Problem:
    """An ended session, for app servers: with why, when and by whom."""
    s = error.session
    members = {
        "end_reason": s.end_reason,
        "ended_at": protocol.iso(s.ended_at),
        "ended_by": protocol.actor_json(s.ended_by),
    }
    return Problem(error.code, str(error), status=status, members=members)


def limit(error: SessionLimit, online: Callable[[Session], bool]) -> Problem:
    """The limit is reached: with the sessions in the way, and which of them are online."""
    members = {
        "slot": error.slot,
        "max_sessions": error.max_sessions,
        "sessions": [protocol.other(s, online(s)) for s in error.sessions],
    }
    return Problem(error.code, str(error), members=members)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error means to the caller; None for one that is a bug."""
    match error:
        case Problem():
            return error
        case SessionEnded():
            return ended(error, 410)
        case Refused():
            return Problem(error.code, str(error))
        case StoreUnavailable():
            return Problem(
                "unavailable",
                "the store does not answer; whether a change took effect is unknown, repeat with the same request_id",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        case web.HTTPNotFound():
            return Problem("not-found", "there is nothing at this address")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem("method-not-allowed", f"allowed here: {allowed}", headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return Problem("too-large", "the body is too large")
        case _:
            return None


def head_too_large(limit: int) -> Problem:
    """431 (RFC 6585 §5)."""
    return Problem("too-large", f"the request line and headers may have {limit} bytes; see max_header_size", status=431)


def problem_for(error: Exception, method: str, route: str) -> Problem:
    """The problem that an error means to the caller; one that is a bug is logged, and the caller told no more."""
    problem = problem_of(error)
    if problem is None:
        log.error("unexpected error", extra={"method": method, "route": route}, exc_info=error)
        problem = Problem("internal", "an error that should not happen; the log has more")
    return problem


def rate_limited(
    wait: float, why: str = "too many wrong keys from this address, so that none is looked at for now", **members: Any
) -> Problem:
    """429 with how long to wait."""
    return Problem(
        "rate-limited",
        why,
        members=members,
        headers={"Retry-After": str(max(1, math.ceil(wait)))},
    )


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turns every error into its problem document and puts the headers on that every answer has."""
    try:
        response = await handler(request)
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < 400:
            raise
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            error = Problem("malformed-request", "the client has left")
        resource = request.match_info.route.resource  # not the path, in which a secret may stand
        response = problem_for(error, request.method, resource.canonical if resource else "").response()
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
