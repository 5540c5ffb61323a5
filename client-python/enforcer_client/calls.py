"""What is asked of the server and how its answer is read, and when a call is repeated. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from .errors import EnforcerError, ProtocolError, SessionEnded, SessionUnknown, Unavailable, refusal
from .records import Explanation, Login, Session, Tickets

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0
"""Seconds before the second try, doubled with each further one, and the longest."""
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which a call is repeated: nothing was decided, or nobody knows whether it was."""

_SESSION = re.compile(r"[A-Za-z0-9._~\-:=+]{1,256}")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call: what is sent, and what its good answer means."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, str] | None = None


def answer(call: Call[T], status: int, content: bytes) -> T:
    """What an answer means; raises an EnforcerError for a refusal."""
    try:
        document = json.loads(content) if content else None
    except ValueError:
        document = None
    if 200 <= status <= 299:
        try:
            return call.read(document)
        except (KeyError, TypeError):
            raise ProtocolError(f"status {status}, and not what Enforcer answers: is this its address?") from None
    raise refusal(status, document)


def wait(tries: int, retry_after: str | None, spread: float) -> float:
    """Seconds until the next try after so many; `spread`, 0 to 1, keeps many callers apart."""
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, 10)) * (0.5 + spread / 2)
    asked = float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
    return float(max(backoff, asked))


class Tries:
    """The tries of one call: whether there is another, when, and what is told in the end.

    `deadline` and every `now` are seconds of one clock; `url` is for the messages.
    """

    def __init__(self, url: str, deadline: float) -> None:
        self._url = url
        self._deadline = deadline
        self._count = 0
        self._told = "the server does not answer"
        self._retry_after: str | None = None

    def left(self, now: float) -> float:
        """Seconds for the try that begins now; raises Unavailable if there are none."""
        left = self._deadline - now
        if left <= 0:
            raise self.unavailable()
        self._count += 1
        return left

    def unavailable(self) -> Unavailable:
        """What the caller is told when no try was answered."""
        return Unavailable(self._told)

    def failed(self, error: Exception) -> None:
        """There was no answer."""
        self._told = f"{self._url} does not answer: {str(error) or type(error).__name__}"
        self._retry_after = None

    def is_final(self, status: int, retry_after: str | None, now: float) -> bool:
        """Whether an answer with this status is the last: for what it says, or because no time is left for another."""
        self._retry_after = retry_after
        if status not in AGAIN:
            return True
        self._told = f"{self._url} answers with status {status}"
        return wait(self._count, retry_after, 1.0) >= self._deadline - now

    def pause(self, spread: float, now: float) -> float:
        """Seconds before the next try; raises Unavailable if there is no time for one."""
        pause = wait(self._count, self._retry_after, spread)
        if pause >= self._deadline - now:
            raise self.unavailable()
        return pause


def valid_session(session: object) -> bool:
    """Whether a text can be the id of a session."""
    return isinstance(session, str) and bool(_SESSION.fullmatch(session)) and session not in (".", "..")


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _object(document: Any) -> Any:
    if not isinstance(document, dict):
        raise TypeError
    return document


def login(room: str | int, request_id: str, members: Mapping[str, Any]) -> Call[Login]:
    """`POST /v1/sessions`."""
    body = {**_given(members), "room": room, "request_id": request_id}
    return Call("POST", "/v1/sessions", lambda d: cast(Login, _object(d)), body)


def validate(session: str, room: str | None) -> Call[Session]:
    """`GET /v1/sessions/{id}`, whose answer must be live and of the room."""

    def read(document: Any) -> Session:
        record = _object(document)
        if room is not None and record["room"] != room:
            raise SessionUnknown("session-unknown", 404, f"session {session!r} is not known in this room", {})
        if not record["active"]:
            detail = f"session {session!r} has ended ({record['end_reason']})"
            raise SessionEnded("session-ended", 410, detail, record)
        return cast(Session, record)

    return Call("GET", _path(session), read)


def activity(session: str) -> Call[Session]:
    """`POST /v1/sessions/{id}/activity`."""
    return Call("POST", f"{_path(session)}/activity", lambda d: cast(Session, _object(d)))


def ticket(session: str, elevate_for: int | None) -> Call[Tickets]:
    """`POST /v1/sessions/{id}/ticket`."""
    body = None if elevate_for is None else {"elevate_for": elevate_for}
    return Call("POST", f"{_path(session)}/ticket", lambda d: cast(Tickets, _object(d)), body)


def end(session: str, reason: str) -> Call[None]:
    """`DELETE /v1/sessions/{id}`."""
    return Call("DELETE", _path(session), lambda _: None, parameters={"reason": reason})


def end_all(room: str | int, keep: str | None, reason: str) -> Call[list[str]]:
    """`POST /v1/users/logout`."""
    body = _given({"room": room, "except": keep, "reason": reason})
    return Call("POST", "/v1/users/logout", lambda d: list(_object(d)["ended"]), body)


def explain(room: str | int, members: Mapping[str, Any]) -> Call[Explanation]:
    """`POST /v1/sessions/explain`."""
    body = {**_given(members), "room": room}
    return Call("POST", "/v1/sessions/explain", lambda d: cast(Explanation, _object(d)), body)


def sessions(room: str | int) -> Call[list[Session]]:
    """`GET /v1/users/{room}/sessions`."""
    path = f"/v1/users/{quote(str(room), safe='')}/sessions"
    return Call("GET", path, lambda d: cast("list[Session]", _object(d)["sessions"]))


def _path(session: str) -> str:
    if not valid_session(session):
        raise SessionUnknown("session-unknown", 404, "this cannot be the id of a session", {})
    return f"/v1/sessions/{quote(session, safe='')}"


__all__ = ["AGAIN", "Call", "EnforcerError", "Tries", "answer", "valid_session", "wait"]
