"""`enforcer end` and `enforcer explain`: ends sessions, and says what a login would end."""

import argparse
import sys
import time
import urllib.parse

from enforcer.command.console import Console, Parameters, Row, option_time
from enforcer.command.printing import Progress, print_json
from enforcer.domain.errors import EnforcerError
from enforcer.process.terminal import plain

PORTION = 500
"""Sessions that are ended between two movements of the bar."""
DECLINED = 1
"""The exit status if whoever was asked has said no."""


def end(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer end`: one session, all of a room, or all."""
    if (arguments.session is not None) + (arguments.room is not None) + arguments.everybody != 1:
        raise EnforcerError("name one SESSION, or --room ROOM for all of a user's sessions, or --all")
    if not arguments.everybody and (arguments.before, arguments.slot) != (None, None):
        raise EnforcerError("--before and --slot go with --all")
    if arguments.keep is not None and arguments.room is None:
        raise EnforcerError("--except goes with --room")
    if arguments.everybody:
        return _end_everybody(console, arguments, option_time("--before", arguments.before, time.time()))
    reason: Parameters = {"reason": arguments.reason}
    if arguments.session is not None:
        console.call("DELETE", f"/v1/sessions/{urllib.parse.quote(arguments.session, safe='')}", reason)
        ended = [arguments.session]
    else:
        room = urllib.parse.quote(arguments.room, safe="")
        ended = console.call("DELETE", f"/v1/users/{room}/sessions", {**reason, "except": arguments.keep})["ended"]
    if arguments.json:
        print_json({"ended": ended})
        return 0
    for session in ended:
        print(f"{plain(session)} has ended")
    if not ended:
        print("no session was open")
    return 0


def _end_everybody(console: Console, arguments: argparse.Namespace, before: str | None) -> int:
    """Asks, then ends a portion after the other, oldest first."""
    slot: str | None = arguments.slot
    chosen = {"open": "true", "slot": slot, "until": before}
    with Progress("sessions found") as progress:
        rows = progress.counting(console.rows("/v1/sessions", chosen))
        found = [(row["started_at"], row["room"]) for row in rows]
    users = len({room for _, room in found})
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise EnforcerError(f"this would end {len(found)} session(s) of {users} user(s); add --yes if it is meant")
        print(f"End {len(found):,} session(s) of {users:,} user(s)? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nobody was logged out", file=sys.stderr)
            return DECLINED
    bounds = [*(at for at, _ in found[PORTION::PORTION]), before]
    ended = 0
    with Progress("sessions ended") as progress:
        for number, bound in enumerate(bounds, 1):
            body = {"reason": arguments.reason, "before": bound, "slot": slot}
            ended += console.call("POST", "/v1/logout-all", {}, body)["ended"]
            progress.at(ended, number / len(bounds))
    if arguments.json:
        print_json({"ended": ended})
    else:
        print(f"{ended} session(s) have ended")
    return 0


def explain(console: Console, arguments: argparse.Namespace) -> int:
    """`enforcer explain`: what a login would do now, and why."""
    body: Row = {"room": arguments.room, "slot": arguments.slot, "session": arguments.session}
    if arguments.device_class is not None:
        body["device"] = {"class": arguments.device_class}
    told = console.call("POST", "/v1/sessions/explain", {}, body)
    if arguments.json:
        print_json(told)
        return 0
    where = "" if told["slot"] is None else f" in slot {told['slot']}"
    print(plain(f"A login of {arguments.room}{where} would be {told['outcome']}."))
    for sentence in told["why"]:
        print(plain(f"- {sentence}"))
    return 0
