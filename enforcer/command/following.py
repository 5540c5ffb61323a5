"""`enforcer log --follow`: what has happened, and then each row as it happens, by the server's stream."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from enforcer.command.console import Console, Parameters, Row, Unreachable
from enforcer.process.terminal import plain

AGAIN_AFTER = 1.0
"""Seconds until a stream that was cut is opened again."""
SILENCE = 45.0
"""Seconds without a line after which a stream is given up; the server says something each 15."""
REMEMBERED = 10_000
"""Rows of which one that comes twice is known."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event of the stream; `cursor` is where to go on behind it."""

    event: str
    data: Row
    cursor: str | None


def follow(console: Console, wanted: Parameters, limit: int, show: Callable[[Row], None], now: float) -> NoReturn:
    """Shows the newest `limit` rows, then each that is added, once, until somebody has seen enough.

    Raises:
        Unreachable: the server does not answer at the beginning; later it is asked again and again.
        EnforcerError: it refuses.
    """
    cursor: str | None = None
    seen: dict[str, None] = {}
    away = False

    def show_new(rows: Iterable[Row]) -> None:
        for row in rows:
            if row["seq"] not in seen and wanted["session"] in (None, row["session"]):
                seen[row["seq"]] = None
                show(row)
        while len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
        sys.stdout.flush()

    while True:
        try:
            for said in _said(console, wanted["room"], cursor):
                match said.event:
                    case "ready":
                        if cursor is None:  # rows that come meanwhile are in the stream, too
                            show_new(console.newest("/v1/audit", wanted, limit, now))
                        away, cursor = False, said.data["cursor"]
                    case "reset":
                        _tell("what happened meanwhile is not kept any more")
                        cursor = said.data["cursor"]
                    case "unavailable":
                        _tell("the store does not answer; the server goes on when it does")
                    case _:
                        show_new([said.data] if said.data else [])
                        cursor = said.cursor or cursor
            why = "the server has ended the stream"
        except Unreachable as error:
            if cursor is None:
                raise
            why = str(error)
        if not away:
            _tell(f"{why}; trying again")
        away = True
        time.sleep(AGAIN_AFTER)


def _said(console: Console, room: str | None, after: str | None) -> Iterator[Said]:
    """The events of one connection (HTML Living Standard §9.2.6), as the server writes them: a line a field."""
    with console.open(
        "GET", "/v1/stream", {"room": room, "after": after}, "text/event-stream", within=SILENCE
    ) as lines:
        fields: dict[str, str] = {}
        for raw in lines:
            line = raw.decode().rstrip("\r\n")
            if line and not line.startswith(":"):
                name, _, fields[name] = line.partition(": ")
            elif fields and not line:
                yield Said(fields.get("event", ""), json.loads(fields.get("data", "{}")), fields.get("id"))
                fields = {}


def _tell(sentence: str) -> None:
    print(f"enforcer: {plain(sentence)}", file=sys.stderr, flush=True)
