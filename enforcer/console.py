"""The commands that speak to a running server: who is logged in, what happened, end a session."""

import argparse
import http.client
import json
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from enforcer.errors import EnforcerError
from enforcer.settings import Settings

TIMEOUT = 10.0
"""Seconds to wait for the server."""
PAGE = 1000


class Console:
    """Calls the server that the configuration describes, or the one at `url`."""

    def __init__(self, settings: Settings, url: str | None) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.ipaddr, settings.ipaddr)  # noqa: S104
        self._url = (url or f"http://{host}:{settings.port}").rstrip("/")
        self._key = settings.authkeys[0]

    def call(self, method: str, path: str, parameters: dict[str, str | None]) -> Any:
        """The answer as JSON; raises as `open`."""
        with self.open(method, path, parameters) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    @contextmanager
    def open(
        self, method: str, path: str, parameters: dict[str, str | None], accept: str = "application/json"
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer while it arrives.

        Raises:
            EnforcerError: the server cannot be reached, or refuses, or breaks off; the message is for the operator.
        """
        query = urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
        url = f"{self._url}{path}" + (f"?{query}" if query else "")
        if not url.startswith(("http://", "https://")):
            raise EnforcerError(f"{self._url} is not an http(s) address")
        headers = {"Authorization": f"Bearer {self._key}", "Accept": accept}
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise EnforcerError(f"the server says: {_detail(error.read())} ({error.code})") from None
        except BrokenPipeError:  # whoever reads what we print has seen enough
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise EnforcerError(f"{self._url} cannot be reached: {reason}") from None

    def items(self, path: str, parameters: dict[str, str | None], limit: int | None) -> Iterator[dict[str, Any]]:
        """The rows of a log, page by page."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self.call("GET", path, {**parameters, "limit": str(size), "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - size


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "something that is not Enforcer's"


def sessions(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer sessions`: a row a session."""
    parameters = {
        "room": arguments.room,
        "open": {"open": "true", "ended": "false"}.get(arguments.state),
        "reason": arguments.reason,
        "since": arguments.since,
        "until": arguments.until,
    }
    if arguments.format != "table":
        return _stream(console, "/v1/sessions", parameters, arguments.format)
    rows = [
        (
            row["started_at"],
            row["session"],
            row["room"],
            "online" if row["online"] else "open" if row["active"] else row["end_reason"],
            row["last_seen_at"],
            row["ended_at"] or "",
            row["delivery"] or "",
            (row["device"] or {}).get("label", ""),
        )
        for row in console.items("/v1/sessions", parameters, arguments.limit)
    ]
    _table(("STARTED", "SESSION", "ROOM", "STATE", "LAST SEEN", "ENDED", "DELIVERY", "DEVICE"), rows)
    return 0


def audit(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer log`: a row a transition."""
    parameters = {"room": arguments.room, "session": arguments.session, "since": arguments.since}
    if arguments.format != "table":
        return _stream(console, "/v1/audit", parameters, arguments.format)
    rows = [
        (
            row["at"],
            row["event"],
            row["room"],
            row["session"] or "",
            row["reason"] or "",
            _by(row["by"]),
            (row["device"] or {}).get("label", ""),
        )
        for row in console.items("/v1/audit", parameters, arguments.limit)
    ]
    _table(("AT", "EVENT", "ROOM", "SESSION", "REASON", "BY", "DEVICE"), rows)
    return 0


def end(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer end`: one session, or all of a room."""
    if (arguments.session is None) == (arguments.room is None):
        raise EnforcerError("name one SESSION, or --room ROOM for all of a user's sessions")
    reason = {"reason": arguments.reason}
    if arguments.session is not None:
        console.call("DELETE", f"/v1/sessions/{urllib.parse.quote(arguments.session, safe='')}", reason)
        print(f"{_plain(arguments.session)} has ended")
        return 0
    room = urllib.parse.quote(arguments.room, safe="")
    answer = console.call("DELETE", f"/v1/users/{room}/sessions", {**reason, "except": arguments.keep})
    for session in answer["ended"]:
        print(f"{_plain(session)} has ended")
    if not answer["ended"]:
        print("no session was open")
    return 0


def _stream(console: Console, path: str, parameters: dict[str, str | None], wanted: str) -> int:
    media_type = {"csv": "text/csv", "jsonl": "application/jsonl"}[wanted]
    with console.open("GET", path, parameters, media_type) as answer:
        shutil.copyfileobj(answer, sys.stdout.buffer)
    return 0


def _by(actor: dict[str, Any] | None) -> str:
    return "" if actor is None else " ".join(part for part in (actor["kind"], actor.get("session")) if part)


def _plain(text: str) -> str:
    """As the terminal may show it: what somebody put into a name must not move the cursor or colour the screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    shown = [head, *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(head))]
    wide = shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else None
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()[:wide])
