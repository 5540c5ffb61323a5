"""Where the time comes from; tests bring one that they move."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Sleep = Callable[[float], Awaitable[Any]]
"""Lets so many seconds pass."""


def _boot_time() -> float:
    """Seconds that grow while the machine sleeps too; where the system has none, those that do not."""
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` says UTC seconds and can be set; `elapsed` counts seconds and cannot; `sleep` waits.

    Without `wall` the store's own clock decides: this machine's, or that of the server where it keeps its data.
    """

    wall: Callable[[], float] | None = None
    elapsed: Callable[[], float] = _boot_time
    sleep: Sleep = asyncio.sleep
