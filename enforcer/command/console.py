"""The way to a running server, for the commands that speak to one."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from enforcer.command.moments import moment
from enforcer.configuration.settings import Settings
from enforcer.domain.errors import EnforcerError
from enforcer.process.listening import local_url

TIMEOUT = 10.0
"""Seconds to wait for the server."""
PAGE = 1000
LOOK_BACK, FURTHER = 15.0, 4
"""Seconds in which the newest rows are looked for first, and how much further each time they are too few."""

Row = dict[str, Any]
Parameters = dict[str, str | None]


class Unreachable(EnforcerError):
    """The server does not answer; it may later."""


class Console:
    """Calls the server that the configuration describes, or the one at `url`."""

    def __init__(self, settings: Settings, url: str | None) -> None:
        self._url = (url or local_url(*(settings.internal or (settings.ipaddr, settings.port)))).rstrip("/")
        self._key = settings.authkeys[0]

    def call(
        self, method: str, path: str, parameters: Parameters, body: Row | None = None, within: float = TIMEOUT
    ) -> Any:
        """The answer as JSON; raises as `open`."""
        with self.open(method, path, parameters, body=body, within=within) as answer:
            told = answer.read()
        return json.loads(told) if told else None

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        accept: str = "application/json",
        body: Row | None = None,
        within: float = TIMEOUT,
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer while it arrives; `within` are seconds for each step of it.

        Raises:
            Unreachable: the server cannot be reached, or breaks off; the message is for the operator.
            EnforcerError: it refuses.
        """
        query = urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
        url = f"{self._url}{path}" + (f"?{query}" if query else "")
        if not url.startswith(("http://", "https://")):
            raise EnforcerError(f"{self._url} is not an http(s) address")
        headers = {"Authorization": f"Bearer {self._key}", "Accept": accept}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=within) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                kind = Unreachable if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE else EnforcerError
                raise kind(f"the server says: {_detail(error.read())} ({error.code})") from None
        except BrokenPipeError:  # whoever reads what we print has seen enough
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(f"{self._url} cannot be reached: {reason}") from None

    def rows(self, path: str, parameters: Parameters) -> Iterator[Row]:
        """The rows of a log, oldest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.call("GET", path, {**parameters, "limit": str(PAGE), "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def newest(self, path: str, parameters: Parameters, limit: int, now: float) -> list[Row]:
        """The newest rows of a log, oldest of them first.

        The server reads its logs forward. So this looks from a moment that is further and further back, until there
        are enough behind it; by the factor it reads that many times too much at worst, never the whole log.
        """
        page = self.call("GET", path, {**parameters, "limit": str(PAGE)})
        if page["next"] is None:  # the log is short
            return list(page["items"])[-limit:] if limit else []
        since = moment(parameters["since"], now) if parameters["since"] else 0.0
        window = LOOK_BACK
        while True:
            start = max(since, now - window)
            found = deque(self.rows(path, {**parameters, "since": iso(start)}), limit)
            if len(found) == limit or start == since:
                return list(found)
            window *= FURTHER


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "something that is not Enforcer's"


def iso(at: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def option_time(option: str, text: str | None, now: float) -> str | None:
    """What somebody has typed as a time, for a query.

    Raises:
        EnforcerError: it is none; the message names the option.
    """
    if text is None:
        return None
    try:
        return iso(moment(text, now))
    except (ValueError, OverflowError) as error:
        raise EnforcerError(f"{option}: {error}") from None
