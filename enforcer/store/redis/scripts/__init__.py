"""The Lua scripts of this package. They are mechanism: what happens in them, they were told."""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any

Command = tuple[Any, ...]
"""What is sent to Redis: a command's name and its arguments."""


class Script:
    """One script; the server is sent its name, and its text only if it does not know the name."""

    def __init__(self, file: str) -> None:
        self.text = files("enforcer.store.redis.scripts").joinpath(file).read_text(encoding="utf-8")
        self.name = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
        """The command that runs it."""
        return ("EVALSHA", self.name, len(keys), *keys, *arguments)


LOAD = Script("load.lua")
COMMIT = Script("commit.lua")
TRIM = Script("trim.lua")
TAIL = Script("tail.lua")
BEAT = Script("beat.lua")
NOTE = Script("note.lua")
SETTLE = Script("settle.lua")

_TEXTS = {script.name: script.text for script in (LOAD, COMMIT, TRIM, TAIL, BEAT, NOTE, SETTLE)}


def with_text(command: Command) -> Command:
    """The same command for a server that may not know the script, which it will from then on."""
    return ("EVAL", _TEXTS[command[1]], *command[2:]) if command[0] == "EVALSHA" else command


def key_of(command: Command) -> str:
    """The first key that a command names; it decides on which server of a Cluster all of it happens."""
    return str(command[3] if command[0] in ("EVALSHA", "EVAL") else command[1])
