"""`enforcer webhooks`: how the webhooks of a running server stand, their dead letters, trying again, a test."""

import argparse
import urllib.parse
from collections.abc import Sequence

from enforcer.command.console import Console, Row
from enforcer.command.printing import print_json, table
from enforcer.domain.errors import EnforcerError
from enforcer.process.terminal import plain

PAGE = 1000
TEST_WITHIN = 30.0
"""Seconds for a test, which waits for the receiver."""

_STANDING = ("NAME", "STATE", "LAG", "DEAD", "FAILING SINCE", "LAST STATUS", "URL")
_DEAD = ("ID", "AT", "TYPE", "ROOM", "TRIES", "LAST TRIED", "WHY")


def webhooks(console: Console, arguments: argparse.Namespace) -> int:
    """Lists them, or does one thing with one of them; the status is 1 for a test that nobody took."""
    if arguments.action == "list":
        if arguments.name is not None:
            raise EnforcerError("list takes no NAME")
        rows = console.call("GET", "/v1/webhooks", {})
        if arguments.json:
            print_json(rows)
        else:
            table(_STANDING, map(_standing_cells, rows))
        return 0
    if arguments.name is None:
        raise EnforcerError(f"{arguments.action} wants the NAME of a webhook; `enforcer webhooks` lists them")
    if arguments.ids and arguments.action != "retry":
        raise EnforcerError("an ID goes with retry")
    path = f"/v1/webhooks/{urllib.parse.quote(arguments.name, safe='')}/{arguments.action}"
    return {"dead": _dead, "retry": _retry, "test": _test}[arguments.action](console, path, arguments)


def _dead(console: Console, path: str, arguments: argparse.Namespace) -> int:
    rows: list[Row] = []
    more = True
    while more:
        page = console.call("GET", path, {"limit": str(PAGE), "after": rows[-1]["id"] if rows else None})
        rows += page
        more = len(page) == PAGE
    if arguments.json:
        print_json(rows)
    else:
        table(_DEAD, map(_dead_cells, rows))
    return 0


def _retry(console: Console, path: str, arguments: argparse.Namespace) -> int:
    told = console.call("POST", path, {}, {"ids": arguments.ids} if arguments.ids else {})
    if arguments.json:
        print_json(told)
    else:
        print(f"{told['retried']} event(s) are tried again now")
    return 0


def _test(console: Console, path: str, arguments: argparse.Namespace) -> int:
    told = console.call("POST", path, {}, {}, TEST_WITHIN)
    if arguments.json:
        print_json(told)
    elif told["delivered"]:
        print(f"the receiver has taken it (status {told['status']})")
    else:
        print(plain(f"the receiver has not taken it: {told['error']}"))
    return 0 if told["delivered"] else 1


def _standing_cells(row: Row) -> Sequence[str]:
    since, status = row["failing_since"] or "", "" if row["last_status"] is None else str(row["last_status"])
    return row["name"], row["state"], f"{row['lag']:g} s", str(row["dead"]), since, status, row["url"]


def _dead_cells(row: Row) -> Sequence[str]:
    what = row["last_error"] or str(row["last_status"])
    return row["id"], row["at"], row["body"]["type"], row["room"], str(row["tries"]), row["last_tried_at"] or "", what
