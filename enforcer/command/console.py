"""The commands that speak to a running server: who is logged in, what happened, end a session."""

import argparse
import csv
import http.client
import io
import json
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, BinaryIO

from enforcer.command.moments import moment
from enforcer.configuration.settings import Settings
from enforcer.domain.errors import EnforcerError
from enforcer.process.listening import local_url
from enforcer.process.terminal import plain, plain_json

TIMEOUT = 10.0
"""Seconds to wait for the server."""
PAGE = 1000
PORTION = 500
"""Sessions that are ended between two movements of the bar."""
ROWS = 1000
"""Rows of a table unless `--limit` says otherwise."""
LOOK_BACK, FURTHER = 15.0, 4
"""Seconds in which the newest rows are looked for first, and how much further each time they are too few."""
NARROW = 6
"""Characters of a column that a narrow terminal leaves."""
FOLLOW_EVERY = 1.0
"""Seconds between two looks at what is new."""
LATE = 5.0
"""Seconds by which a row may come after a later one: nodes commit at once, each by the clock of the store."""

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


# ---- commands ----------------------------------------------------------------------------------


def sessions(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer sessions`: a row a session."""
    now = time.time()
    parameters = {
        "room": arguments.room,
        "open": {"open": "true", "ended": "false"}.get(arguments.state),
        "reason": arguments.reason,
        "slot": arguments.slot,
        "device": arguments.device,
        "since": _moment("--since", arguments.since, now),
        "until": _moment("--until", arguments.until, now),
    }
    if arguments.format != "table":
        return _export(console, "/v1/sessions", parameters, arguments)
    table(_SESSIONS, map(_session_cells, _chosen(console, "/v1/sessions", parameters, arguments, now)))
    return 0


def audit(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer log`: a row a transition."""
    now = time.time()
    until = _moment("--until", arguments.until, now)
    parameters = {
        "room": arguments.room,
        "session": arguments.session,
        "since": _moment("--since", arguments.since, now),
        "until": until,
    }
    if arguments.follow:
        if arguments.format == "csv" or until is not None or arguments.oldest:
            raise EnforcerError("--follow goes with a table or jsonl, and with neither --until nor --oldest")
        return _follow(console, parameters, arguments, now)
    if arguments.format != "table":
        return _export(console, "/v1/audit", parameters, arguments)
    table(_AUDIT, map(_audit_cells, _chosen(console, "/v1/audit", parameters, arguments, now)))
    return 0


def end(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer end`: one session, all of a room, or all."""
    if (arguments.session is not None) + (arguments.room is not None) + arguments.everybody != 1:
        raise EnforcerError("name one SESSION, or --room ROOM for all of a user's sessions, or --all")
    if not arguments.everybody and (arguments.before, arguments.slot) != (None, None):
        raise EnforcerError("--before and --slot go with --all")
    if arguments.everybody:
        if arguments.keep is not None:
            raise EnforcerError("--except goes with --room")
        before = _moment("--before", arguments.before, time.time())
        return end_everybody(console, arguments.reason, before, arguments.slot, sure=arguments.yes)
    reason: Parameters = {"reason": arguments.reason}
    if arguments.session is not None:
        console.call("DELETE", f"/v1/sessions/{urllib.parse.quote(arguments.session, safe='')}", reason)
        print(f"{plain(arguments.session)} has ended")
        return 0
    room = urllib.parse.quote(arguments.room, safe="")
    answer = console.call("DELETE", f"/v1/users/{room}/sessions", {**reason, "except": arguments.keep})
    for session in answer["ended"]:
        print(f"{plain(session)} has ended")
    if not answer["ended"]:
        print("no session was open")
    return 0


def end_everybody(console: Console, reason: str, before: str | None, slot: str | None, *, sure: bool) -> int:
    """`enforcer end --all`: asks, then ends a portion after the other, oldest first, with a bar on a terminal."""
    chosen = {"open": "true", "slot": slot, "until": before}
    found = [(row["started_at"], row["room"]) for row in console.rows("/v1/sessions", chosen)]
    users = len({room for _, room in found})
    if not sure:
        if not sys.stdin.isatty():
            raise EnforcerError(f"this would end {len(found)} session(s) of {users} user(s); add --yes if it is meant")
        answer = input(f"End {len(found):,} session(s) of {users:,} user(s)? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("nobody was logged out")
            return 1
    bounds = [*(at for at, _ in found[PORTION::PORTION]), before]
    ended = 0
    for number, bound in enumerate(bounds, 1):
        body = {"reason": reason, "before": bound, "slot": slot}
        ended += console.call("POST", "/v1/logout-all", {}, body)["ended"]
        if sys.stdout.isatty():
            done = number / len(bounds)
            print(f"\r[{'#' * round(40 * done):40}] {done:4.0%} {ended:,}", end="", flush=True)
    if sys.stdout.isatty():
        print()
    print(f"{ended} session(s) have ended")
    return 0


def explain(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer explain`: what a login would do now, and why."""
    body: Row = {"room": arguments.room, "slot": arguments.slot, "session": arguments.session}
    if arguments.device_class is not None:
        body["device"] = {"class": arguments.device_class}
    told = console.call("POST", "/v1/sessions/explain", {}, body)
    where = "" if told["slot"] is None else f" in slot {told['slot']}"
    print(plain(f"A login of {arguments.room}{where} would be {told['outcome']}."))
    for sentence in told["why"]:
        print(plain(f"- {sentence}"))
    return 0


# ---- which rows --------------------------------------------------------------------------------


def iso(at: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _moment(option: str, text: str | None, now: float) -> str | None:
    if text is None:
        return None
    try:
        return iso(moment(text, now))
    except (ValueError, OverflowError) as error:
        raise EnforcerError(f"{option}: {error}") from None


def _chosen(
    console: Console, path: str, parameters: Parameters, arguments: argparse.Namespace, now: float
) -> Iterable[Row]:
    """The rows of a table."""
    limit = ROWS if arguments.limit is None else arguments.limit
    if arguments.oldest:
        return islice(console.rows(path, parameters), limit)
    return console.newest(path, parameters, limit, now)


def _follow(console: Console, parameters: Parameters, arguments: argparse.Namespace, now: float) -> int:
    """The newest rows, and then each that is added, until somebody has seen enough."""
    limit = 10 if arguments.limit is None else arguments.limit
    rows = console.newest("/v1/audit", parameters, limit, now)
    widths = [20, 13, 16, 22, 12, 12, 0]
    if arguments.format == "table":
        _line(_AUDIT, widths)
    latest = max((moment(row["at"], now) for row in rows), default=now)
    seen = {str(row["seq"]): moment(row["at"], now) for row in rows}
    away = False
    while True:
        for row in rows:
            if arguments.format == "table":
                _line(_audit_cells(row), widths)
            else:
                print(plain_json(json.dumps(row, ensure_ascii=False), sys.stdout.isatty()))
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY)
        try:
            found = list(console.rows("/v1/audit", {**parameters, "since": iso(latest - LATE)}))
            away = False
        except Unreachable as error:
            if not away:
                print(f"enforcer: {plain(str(error))}; trying again", file=sys.stderr, flush=True)
            found, away = [], True
        rows = [row for row in found if row["seq"] not in seen]
        seen |= {row["seq"]: moment(row["at"], now) for row in rows}
        latest = max([latest, *seen.values()])
        seen = {seq: at for seq, at in seen.items() if at >= latest - 2 * LATE}


# ---- what is printed ---------------------------------------------------------------------------

_SESSIONS = ("STARTED", "SESSION", "ROOM", "STATE", "LAST SEEN", "ENDED", "DELIVERY", "SLOT", "DEVICE")
_AUDIT = ("AT", "EVENT", "ROOM", "SESSION", "REASON", "BY", "DEVICE")


def _session_cells(row: Row) -> Sequence[str]:
    return (
        row["started_at"],
        row["session"],
        row["room"],
        "online" if row["online"] else "open" if row["active"] else row["end_reason"],
        row["last_seen_at"],
        row["ended_at"] or "",
        row["delivery"] or "",
        row["slot"] or "",
        (row["device"] or {}).get("label", ""),
    )


def _audit_cells(row: Row) -> Sequence[str]:
    by = row["by"]
    return (
        row["at"],
        row["event"],
        row["room"],
        row["session"] or "",
        row["reason"] or "",
        "" if by is None else " ".join(part for part in (by["kind"], by.get("session")) if part),
        (row["device"] or {}).get("label", ""),
    )


def _export(console: Console, path: str, parameters: Parameters, arguments: argparse.Namespace) -> int:
    """Everything as the server streams it, or so many rows of it."""
    media_type = {"csv": "text/csv", "jsonl": "application/jsonl"}[arguments.format]
    with console.open("GET", path, parameters, media_type) as answer:
        if arguments.limit is None and not sys.stdout.isatty():
            shutil.copyfileobj(answer, sys.stdout.buffer)
        elif arguments.format == "csv":
            _export_csv(answer, arguments)
        else:
            text = io.TextIOWrapper(answer, encoding="utf-8", newline="\n")
            for line in _some(text, arguments):
                print(plain_json(line.rstrip("\n"), sys.stdout.isatty()))
    return 0


def _export_csv(answer: BinaryIO | http.client.HTTPResponse, arguments: argparse.Namespace) -> None:
    rows = csv.reader(io.TextIOWrapper(answer, encoding="utf-8", newline=""))
    terminal = sys.stdout.isatty()
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        writer = csv.writer(out, lineterminator="\n" if terminal else "\r\n")
        head = list(islice(rows, 1))
        for row in chain(head, _some(rows, arguments)):
            writer.writerow([plain(cell) for cell in row] if terminal else row)


def _some(rows: Iterable[Any], arguments: argparse.Namespace) -> Iterable[Any]:
    """As many as were asked for, from the end that was asked for."""
    if arguments.limit is None:
        return rows
    return islice(rows, arguments.limit) if arguments.oldest else deque(rows, arguments.limit)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows below their heads, as wide as they must be and the terminal is."""
    shown = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = _fitting([max(len(row[i]) for row in shown) for i in range(len(head))])
    for row in shown:
        _line(row, widths)


def _terminal_width() -> int | None:
    """Of what is printed to; None if it is no terminal."""
    return shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else None


def _fitting(widths: Sequence[int]) -> list[int]:
    """The widths of columns so that all are seen on a terminal: the widest give way first."""
    fitted, wide = list(widths), _terminal_width()
    while wide is not None and sum(fitted) + 2 * (len(fitted) - 1) > wide and max(fitted) > NARROW:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _line(cells: Sequence[str], widths: Sequence[int]) -> None:
    shown = [_cut(plain(cell), width).ljust(width) for cell, width in zip(cells, widths, strict=True)]
    print("  ".join(shown).rstrip()[: _terminal_width()])


def _cut(text: str, width: int) -> str:
    """A column of no width is the last of a line, and as long as it is."""
    return text if not width or len(text) <= width or not sys.stdout.isatty() else f"{text[: width - 1]}…"
