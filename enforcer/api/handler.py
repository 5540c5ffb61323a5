"""aiohttp's part of a connection: its errors are problem documents too, and never a traceback."""

import logging
from typing import Any, Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from enforcer.http.problems import Problem, head_too_large

log = logging.getLogger(__name__)

_FROM_OUTSIDE = (ConnectionError, HttpProcessingError, TimeoutError, web.PayloadAccessError, web.RequestPayloadError)
"""What a client can raise in aiohttp."""


class Served(Protocol):
    """The connection, which is told what becomes of its requests."""

    def begun(self, request: web.BaseRequest) -> None:
        """A request is handled from now on. Raises `ConnectionResetError` if the client has left meanwhile."""
        ...

    def answered(self) -> None:
        """Its answer is written, so far as the client reads."""
        ...


class Handler(web.RequestHandler):
    """See above. `connection` is whom it serves, `max_head` what a head may have."""

    __slots__ = ("_max_head", "connection")

    def __init__(self, connection: Served, max_head: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = connection
        self._max_head = max_head

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Writes the answer."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.connection.answered()

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """What a client can cause leaves no traceback."""
        error = kwargs.get("exc_info")
        if isinstance(error, _FROM_OUTSIDE):
            log.debug("a request broke off: %r", type(error))
        else:
            super().log_exception(*args, **kwargs)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What could not be parsed gets a problem document that repeats nothing of it: it may hold a ticket."""
        if exc is not None and status >= 500 and not isinstance(exc, _FROM_OUTSIDE):
            log.error("unexpected error", exc_info=exc)
            problem = Problem("internal", "an error that should not happen; the log has more")
        elif isinstance(exc, LineTooLong):
            problem = head_too_large(self._max_head)
        else:
            log.debug("a request that is not HTTP from %s: %r", request.remote, type(exc))
            problem = Problem("malformed-request", "the request is not valid HTTP/1.1")
        answer = problem.response()
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()
        return answer
