"""What a key may do: the calls that it opens, and the rooms that it sees. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class May(StrEnum):
    """What a key may be for. Stable public names."""

    LOGIN = "login"
    VALIDATE = "validate"
    END = "end"
    ELEVATE = "elevate"
    READ = "read"
    STREAM = "stream"
    METRICS = "metrics"
    ADMIN = "admin"


EVERYTHING = frozenset(May)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who shows a key. `name` is None for the authkey. `rooms` is how the rooms begin that it sees; empty: all."""

    name: str | None
    may: frozenset[May]
    rooms: str = ""

    def sees(self, room: str) -> bool:
        """Whether the room is one of its own."""
        return room.startswith(self.rooms)


def why_not(caller: Caller, *opening: May) -> str | None:
    """Why this caller may not make a call that any of `opening` opens: what is missing; None if it may."""
    if not caller.may.isdisjoint(opening):
        return None
    missing = " or ".join(repr(str(one)) for one in opening)
    return f"key {caller.name!r} may not {missing}; it may {', '.join(sorted(caller.may))}"


def why_not_room(caller: Caller, room: str) -> str | None:
    """Why this caller may not name the room; None if it may."""
    if caller.sees(room):
        return None
    return f"key {caller.name!r} may not use this room; its rooms begin with {caller.rooms!r}"
