"""What the command `enforcer` takes: its commands and options, and usage errors that repeat nothing."""

import argparse
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from enforcer import __version__, protocol
from enforcer.configuration.describing import SECRET, spoken_default, takes
from enforcer.configuration.settings import ENV_PREFIX, Settings
from enforcer.domain.model import EndReason

USAGE_ERROR = 2
STATUSES = (
    "exit status: 0, it is done; 1, the answer is no: doctor has found something to mend, nobody took a webhook's "
    "test, or you were asked and said no; 2, it could not be done, and one line on stderr says why; 130, interrupted; "
    "141, whoever reads the output has seen enough"
)


class UsageParser(argparse.ArgumentParser):
    """Says what is wrong in one line, and never a value: it may be a key that stands in the wrong place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """One line that says where to read more."""
        message = re.sub(r"invalid choice: .*? \(choose from (.*)\)$", r"one of \1", message, flags=re.DOTALL)
        message = re.sub(r"invalid int value: .*", "not a whole number", message, flags=re.DOTALL)
        message = message.replace("argument COMMAND: one of", "there is no such command; it is one of")
        message = re.sub(r"^unrecognized arguments: .*", "there is an argument too many", message, flags=re.DOTALL)
        print(f"enforcer: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(USAGE_ERROR)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments. Those that cannot be understood end the process with status 2 and one line."""
    commands = _Commands()
    _refuse_unknown_options(commands, sys.argv[1:] if argv is None else argv)
    return commands.parser.parse_args(argv)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands by their names; "" is that of the whole."""
    commands = _Commands()
    return {"": commands.parser, **commands.of_commands}


def _refuse_unknown_options(commands: "_Commands", argv: Sequence[str]) -> None:
    """Before anything is read into its place: what follows an option that there is not could be anything."""
    for argument in argv:
        name = argument.partition("=")[0]
        if argument == "--":
            return
        if not re.match(r"--?[A-Za-z]", argument) or name in commands.options:
            continue
        setting = name.lstrip("-").replace("-", "_").lower()
        if setting in SECRET:
            commands.parser.error(
                f"a key cannot be given here, where every user of this machine can read it: put {setting} into the "
                f"configuration, or set {ENV_PREFIX}{setting.upper()}"
            )
        close = difflib.get_close_matches(name, commands.options, n=1)
        shown = name if re.fullmatch(r"--?[a-z][a-z_-]{0,30}", name) else "what begins with a dash"
        commands.parser.error(f"{shown} is not an option{f'; did you mean {close[0]}?' if close else ''}")


class _Commands:
    """The parser of everything, and the names of all options."""

    def __init__(self) -> None:
        self.options = {"-h", "--help"}
        everywhere = UsageParser(add_help=False, argument_default=argparse.SUPPRESS)
        self._add(everywhere, "--config", type=Path, metavar="FILE", help="the configuration (default: config.json)")
        serving = self._serving()
        self.parser = UsageParser(
            prog="enforcer",
            usage="enforcer [COMMAND] [OPTION …]",
            description="Keeps one live session per user, in real time. Without a command it serves.",
            epilog=STATUSES,
            parents=[everywhere, serving],
        )
        self._add(self.parser, "--version", action="version", version=f"enforcer {__version__}")
        self._commands = self.parser.add_subparsers(
            dest="command", metavar="COMMAND", parser_class=UsageParser, prog="enforcer"
        )
        self.of_commands: Mapping[str, argparse.ArgumentParser] = self._commands.choices
        printing = UsageParser(add_help=False)
        self._add(printing, "--json", action="store_true", default=False, help="print JSON")
        self._command("serve", "start the server (the default)", [everywhere, serving])
        check = self._command(
            "check-config", "say everything that is wrong with a configuration", [everywhere, printing]
        )
        check.add_argument("file", nargs="?", type=Path, metavar="FILE")
        key = self._command("genkey", "print a new authkey", [everywhere, printing])
        self._add(key, "--webhook", action="store_true", help="print a secret for a webhook instead")
        start = self._command("init", "write a configuration with a fresh key", [everywhere, printing])
        self._add(start, "--demo", action="store_true", default=False, help="with the demo page switched on")
        told = self._command("help", "say what a setting means, or a command takes", [everywhere, printing])
        told.add_argument("name", nargs="?", metavar="NAME")
        self._command("settings", "list what is in force, and where it comes from", [everywhere, printing])
        self._console(everywhere, printing)

    def _add(self, where: Any, *names: str, **options: Any) -> None:
        self.options |= {*where.add_argument(*names, **options).option_strings}

    def _command(self, name: str, meaning: str, parents: Sequence[UsageParser]) -> UsageParser:
        made: UsageParser = self._commands.add_parser(
            name, help=meaning, description=f"{meaning[:1].upper()}{meaning[1:]}.", parents=list(parents),
            usage=f"enforcer {name} [OPTION …]",
        )  # fmt: skip
        return made

    def _serving(self) -> UsageParser:
        """The settings as options, each as its own description has it."""
        serving = UsageParser(add_help=False, argument_default=argparse.SUPPRESS)
        group = serving.add_argument_group(
            "settings",
            "each overrides ENFORCER_ and its name in the environment, which overrides the configuration; "
            "what holds secrets (authkey, metrics_key, keys, webhooks, signals) can only stand there",
        )
        for name, setting in Settings.model_fields.items():
            if name in SECRET:
                continue
            meaning = f"{setting.description} (default: {spoken_default(setting)})".replace("%", "%%")
            if setting.annotation is bool:
                kind: dict[str, Any] = {"action": "store_true"}
            else:
                kind = {"metavar": takes(setting)}
            self._add(group, f"--{name.replace('_', '-')}", dest=name, help=meaning, **kind)
        self._add(serving, "--worker", type=int, help=argparse.SUPPRESS)  # one of several, started by `workers`
        return serving

    def _console(self, everywhere: UsageParser, printing: UsageParser) -> None:
        """The commands that speak to a running server."""
        running = UsageParser(add_help=False)
        self._add(running, "--url", metavar="URL", help="the server's address (default: as the configuration says)")
        filters = UsageParser(add_help=False)
        when = "1h or 30d ago, today, 2026-11-21, 2026-11-21 08:30 (local), 2026-11-21T08:30:00Z"
        self._add(filters, "--room", metavar="ROOM", help="of one user only")
        self._add(filters, "--since", metavar="TIME", help=f"from this time on: {when}")
        self._add(filters, "--limit", type=int, metavar="N", help="rows (default: 1000; of csv and jsonl all)")
        self._add(filters, "--oldest", action="store_true", help="begin with the oldest row instead of the newest")
        form = filters.add_mutually_exclusive_group()
        self._add(form, "--format", choices=("table", "csv", "jsonl"), default="table", help="default: table")
        self._add(
            form, "--json", dest="format", action="store_const", const="jsonl", default="table", help="JSON lines"
        )
        common = [everywhere, running, filters]

        rows = self._command("sessions", "who is and was logged in", common)
        self._add(rows, "--state", choices=("open", "ended"), help="only those")
        self._add(
            rows,
            "--reason",
            choices=[str(r) for r in EndReason],
            metavar="REASON",
            help=f"ended as {', '.join(EndReason)}",
        )
        self._add(rows, "--until", metavar="TIME", help="started before this time")
        self._add(rows, "--slot", metavar="SLOT", help='in one slot only; "" is the common one')
        self._add(rows, "--device", metavar="DEVICE", help="whose device has exactly this label, class or id")
        trail = self._command("log", "what happened, a row a transition", common)
        self._add(trail, "--session", metavar="SESSION", help="of one session only")
        self._add(trail, "--until", metavar="TIME", help="before this time")
        self._add(trail, "-f", "--follow", action="store_true", help="go on with what happens from now on")
        told = self._command("explain", "say what a login would do, and why", [everywhere, running, printing])
        told.add_argument("room", metavar="ROOM")
        self._add(told, "--slot", metavar="SLOT", help="the slot that it names")
        self._add(told, "--session", metavar="SESSION", help="the session that logs in again")
        self._add(told, "--class", dest="device_class", metavar="CLASS", help="the class of its device, such as mobile")
        meaning = "how the webhooks stand; dead letters, retry, test"
        hooks = self._command("webhooks", meaning, [everywhere, running, printing])
        hooks.add_argument("action", nargs="?", choices=("list", "dead", "retry", "test"), default="list")
        hooks.add_argument("name", nargs="?", metavar="NAME", help="of which webhook")
        hooks.add_argument("ids", nargs="*", metavar="ID", help="with retry: these events only")
        meaning = "look for what is to be mended: the server, its store, clocks, the proxy, issuers' keys"
        look = self._command("doctor", meaning, [everywhere, printing])
        self._add(look, "--url", metavar="URL", help="the server's own address (default: as the configuration says)")
        self._add(look, "--public", metavar="URL", help="the address that browsers use, through the proxy")
        self._add(
            look, "--app", metavar="URL", help="a page behind the proxy that shows the X-Enforcer- headers it got"
        )
        stop = self._command("end", "end a session, all of a user, or all", [everywhere, running, printing])
        stop.add_argument("session", nargs="?", metavar="SESSION")
        self._add(stop, "--room", metavar="ROOM", help="all sessions of this user")
        self._add(stop, "--except", dest="keep", metavar="SESSION", help="but this one")
        self._add(stop, "--all", dest="everybody", action="store_true", help="every session of everybody")
        self._add(stop, "--before", metavar="TIME", help="of all, those that started before this time")
        self._add(stop, "--slot", metavar="SLOT", help='of all, those in this slot; "" is the common one')
        self._add(stop, "--yes", action="store_true", help="do not ask first")
        reasons = [str(reason) for reason in protocol.ASKED_REASONS]
        self._add(stop, "--reason", choices=reasons, default="admin", help="default: admin")
