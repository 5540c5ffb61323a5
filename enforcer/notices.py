"""What an operator should know and would otherwise be told a thousand times: the first at once, then one line a minute.

A kind is what is said alike; whoever gives it chooses how many there can be.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EVERY = 60.0
"""Seconds between two lines of one kind."""
MAX_KINDS = 100
"""Kinds that are remembered; of more nothing is said, so that a flood of kinds is no flood of lines."""
LONGEST = 200
"""Characters of a text from outside that go into a line."""


@dataclass(slots=True)
class _Kind:
    """What has come since its last line: how often, and the last of it."""

    next_at: float
    message: str
    members: dict[str, Any]
    count: int = 0


class Notices:
    """Warnings of one part of the process, to its `log`. `elapsed` counts seconds.

    Where `due` is called about once a second, what was only counted is said when its minute is over, and not when it
    comes again.
    """

    def __init__(self, log: logging.Logger, elapsed: Callable[[], float]) -> None:
        self._log = log
        self._elapsed = elapsed
        self._kinds: dict[str, _Kind] = {}

    def warn(self, kind: str, message: str, **members: Any) -> bool:
        """Says it, with `count`, how often since the last line of this kind; False if it was only counted.

        Neither the message nor the members hold a secret; members that are None are left out.
        """
        now = self._elapsed()
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= MAX_KINDS:
                self._kinds = {name: k for name, k in self._kinds.items() if now < k.next_at}
                if len(self._kinds) >= MAX_KINDS:
                    return False
            known = self._kinds[kind] = _Kind(now, message, members)
        known.message, known.members = message, members
        known.count += 1
        if now < known.next_at:
            return False
        self._say(kind, known, now)
        return True

    async def due(self) -> None:
        """Says what has come in minutes that are over; a kind that was quiet for one begins anew."""
        now = self._elapsed()
        for kind, known in list(self._kinds.items()):
            if now < known.next_at:
                continue
            if known.count:
                self._say(kind, known, now)
            else:
                del self._kinds[kind]

    def _say(self, kind: str, known: _Kind, now: float) -> None:
        told = {
            name: value[:LONGEST] if isinstance(value, str) else value
            for name, value in known.members.items()
            if value is not None
        }
        self._log.warning(known.message, extra={"kind": kind, "count": known.count, **told})
        known.next_at, known.count = now + EVERY, 0
