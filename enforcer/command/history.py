"""`enforcer sessions` and `enforcer log`: who is and was logged in, and what happened."""

import argparse
import csv
import http.client
import io
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from enforcer.command.console import Console, Parameters, Row, option_time
from enforcer.command.following import follow
from enforcer.command.moments import moment
from enforcer.command.printing import Progress, line, print_json, table
from enforcer.domain.errors import EnforcerError
from enforcer.process.terminal import plain, plain_json

ROWS = 1000
"""Rows of a table unless `--limit` says otherwise."""
FOLLOWED = 10
"""Rows that `--follow` begins with, likewise."""
CHUNK = 64 * 1024
"""Bytes of an export that are copied at once."""

_SESSIONS = ("STARTED", "SESSION", "ROOM", "STATE", "LAST SEEN", "ENDED", "DELIVERY", "SLOT", "DEVICE")
_AUDIT = ("AT", "EVENT", "ROOM", "SESSION", "REASON", "BY", "DEVICE")
_AUDIT_WIDTHS = (20, 13, 16, 22, 12, 12, 0)
"""Of the columns while rows come one by one."""
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z")


def sessions(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer sessions`: a row a session."""
    now = time.time()
    parameters = {
        "room": arguments.room,
        "open": {"open": "true", "ended": "false"}.get(arguments.state),
        "reason": arguments.reason,
        "slot": arguments.slot,
        "device": arguments.device,
        "since": option_time("--since", arguments.since, now),
        "until": option_time("--until", arguments.until, now),
    }
    if arguments.format != "table":
        return _export(console, "/v1/sessions", parameters, arguments, now)
    table(_SESSIONS, map(_session_cells, _chosen(console, "/v1/sessions", parameters, arguments, now)))
    return 0


def audit(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer log`: a row a transition."""
    now = time.time()
    until = option_time("--until", arguments.until, now)
    parameters = {
        "room": arguments.room,
        "session": arguments.session,
        "since": option_time("--since", arguments.since, now),
        "until": until,
    }
    if arguments.follow:
        if arguments.format == "csv" or until is not None or arguments.oldest:
            raise EnforcerError("--follow goes with a table or jsonl, and with neither --until nor --oldest")
        limit = FOLLOWED if arguments.limit is None else arguments.limit
        if arguments.format == "table":
            line(_AUDIT, _AUDIT_WIDTHS)
            follow(console, parameters, limit, lambda row: line(_audit_cells(row), _AUDIT_WIDTHS), now)
        follow(console, parameters, limit, print_json, now)
    if arguments.format != "table":
        return _export(console, "/v1/audit", parameters, arguments, now)
    table(_AUDIT, map(_audit_cells, _chosen(console, "/v1/audit", parameters, arguments, now)))
    return 0


def _chosen(
    console: Console, path: str, parameters: Parameters, arguments: argparse.Namespace, now: float
) -> Iterable[Row]:
    """The rows of a table."""
    limit = ROWS if arguments.limit is None else arguments.limit
    if arguments.oldest:
        return islice(console.rows(path, parameters), limit)
    return console.newest(path, parameters, limit, now)


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


# ---- everything, as the server streams it --------------------------------------------------------


def _export(console: Console, path: str, parameters: Parameters, arguments: argparse.Namespace, now: float) -> int:
    """Everything as the server streams it, or so many rows of it."""
    media_type = {"csv": "text/csv", "jsonl": "application/jsonl"}[arguments.format]
    with console.open("GET", path, parameters, media_type) as answer, Progress("rows", beside_rows=True) as progress:
        if arguments.limit is None and not sys.stdout.isatty():
            _copy(answer, progress, now if parameters["until"] is None else moment(parameters["until"], now))
        elif arguments.format == "csv":
            _export_csv(answer, arguments, progress)
        else:
            text = io.TextIOWrapper(answer, encoding="utf-8", newline="\n")
            for row in _some(progress.counting(text), arguments):
                print(plain_json(row.rstrip("\n"), sys.stdout.isatty()))
    return 0


def _copy(answer: http.client.HTTPResponse, progress: Progress, end: float) -> None:
    """The rows as they are. They come in the order of time, so that of one says how far it is to `end`."""
    began: float | None = None
    rows, part = 0, 0.0
    while chunk := answer.read(CHUNK):
        sys.stdout.buffer.write(chunk)
        rows += chunk.count(b"\n")
        found = _TIME.search(chunk, chunk.find(b"\n") + 1)
        if found is not None:
            at = moment(found[0].decode(), end)
            began = at if began is None else began
            part = min(max(part, (at - began) / max(end - began, 1e-9)), 0.99)
        progress.at(rows, part)
    sys.stdout.buffer.flush()
    progress.at(rows, 1.0)


def _export_csv(answer: BinaryIO | http.client.HTTPResponse, arguments: argparse.Namespace, progress: Progress) -> None:
    rows = csv.reader(io.TextIOWrapper(answer, encoding="utf-8", newline=""))
    terminal = sys.stdout.isatty()
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        writer = csv.writer(out, lineterminator="\n" if terminal else "\r\n")
        head = list(islice(rows, 1))
        for row in chain(head, _some(progress.counting(rows), arguments)):
            writer.writerow([plain(cell) for cell in row] if terminal else row)


def _some(rows: Iterable[Any], arguments: argparse.Namespace) -> Iterable[Any]:
    """As many as were asked for, from the end that was asked for."""
    if arguments.limit is None:
        return rows
    return islice(rows, arguments.limit) if arguments.oldest else deque(rows, arguments.limit)
