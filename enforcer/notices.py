"""What an operator should know and would otherwise be told a thousand times: the first at once, then one line a minute.

A kind is what is said alike; whoever gives it chooses how many there can be.
"""

import logging
from collections.abc import Callable
from typing import Any

EVERY = 60.0
"""Seconds between two lines of one kind."""
MAX_KINDS = 100
"""Kinds that are remembered; of more nothing is said, so that a flood of kinds is no flood of lines."""


class Notices:
    """Warnings of one part of the process, to its `log`. `elapsed` counts seconds."""

    def __init__(self, log: logging.Logger, elapsed: Callable[[], float]) -> None:
        self._log = log
        self._elapsed = elapsed
        self._kinds: dict[str, tuple[float, int]] = {}  # when it was said last, and how often it came since

    def warn(self, kind: str, message: str, **members: Any) -> bool:
        """Says it, with `times`, how often since the last line of this kind; False if it was only counted."""
        now = self._elapsed()
        said, since = self._kinds.get(kind, (None, 0))
        if said is None and len(self._kinds) >= MAX_KINDS:
            self._kinds = {k: (at, n) for k, (at, n) in self._kinds.items() if now - at < EVERY}
            if len(self._kinds) >= MAX_KINDS:
                return False
        if said is not None and now - said < EVERY:
            self._kinds[kind] = said, since + 1
            return False
        self._kinds[kind] = now, 0
        self._log.warning(message, extra={**members, "times": since + 1})
        return True
