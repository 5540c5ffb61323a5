"""Ending tasks that run for ever."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN = 0.5
"""Seconds after which a task that goes on is cancelled once more."""


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Returns when these tasks are over; what they raised is theirs.

    One `cancel` is not enough: redis-py, and `asyncio.wait_for` up to Python 3.11, may swallow it when it comes in the
    very moment in which a connection is made. Such a task would go on, and whoever waits for it with it.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN)
