"""`enforcer help` and `enforcer settings`: what settings mean, and what is in force."""

import argparse
import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from enforcer.command.printing import print_json, table
from enforcer.configuration.describing import description, in_force
from enforcer.configuration.settings import ENV_PREFIX, Settings
from enforcer.domain.errors import EnforcerError

KINDS: Mapping[str, str] = {
    "DURATION": 'a duration: seconds, or a text like "90s", "15m", "8h", "30d", "1h30m"',
    "N": "a whole number",
    "FILE": "the name of a file",
    "JSON": "a list or an object; as JSON in the environment and in flags",
    "TEXT": "a text",
}
"""What stands for a kind of value in `--help`, in words."""
_LABELS = {
    "takes": "takes",
    "default": "default",
    "environment": "environment",
    "flag": "flag",
    "restart": "changed by",
}


def explain_name(arguments: argparse.Namespace, commands: Mapping[str, argparse.ArgumentParser]) -> int:
    """`enforcer help NAME`: a setting, or a command."""
    name = arguments.name
    if name is None or name in commands:
        commands[name or ""].print_help()
        return 0
    setting = re.sub(f"^{ENV_PREFIX.lower()}", "", name.lower().replace("-", "_"))
    if setting not in Settings.model_fields:
        known = [*Settings.model_fields, *filter(None, commands)]
        close = difflib.get_close_matches(setting, known, n=1)
        shown = repr(name) if re.fullmatch(r"[\w-]{1,31}", name) else "that"
        raise EnforcerError(
            f"{shown} is neither a setting nor a command{f'; did you mean {close[0]!r}?' if close else ''}"
        )
    told = description(setting)
    if arguments.json:
        print_json(told)
        return 0
    print(f"{setting}\n\n    {told['meaning']}\n")
    for member, label in _LABELS.items():
        print(f"    {label:14}{_in_words(member, told[member])}")
    return 0


def _in_words(member: str, value: Any) -> str:
    match member:
        case "takes":
            return KINDS.get(value, value.replace("|", " or "))
        case "default":
            return "none" if value is None else json.dumps(value)
        case "flag":
            return value or "none, because command lines can be read by every user of a machine"
        case "restart":
            return "a restart" if value else "SIGHUP, which has the file read again"
        case _:
            return str(value)


def settings(config: Settings, arguments: argparse.Namespace) -> int:
    """`enforcer settings`: what a server with this configuration has in force, and where each comes from."""
    rows = in_force(config)
    if arguments.json:
        print_json(rows)
        return 0
    table(
        ("SETTING", "VALUE", "FROM", "MEANING"),
        ((r["name"], json.dumps(r["value"], ensure_ascii=False), r["source"], r["meaning"]) for r in rows),
    )
    return 0
