"""Searching the logs beside the logins: on a thread, over a connection that only reads (readers of a WAL block nobody).

What is searched is bounded by whoever asks: a reader that goes on for long keeps SQLite's log from being begun anew.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from enforcer.domain.errors import StoreUnavailable


class Searches:
    """A thread with a connection of its own; of several who search, each has its turn."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connect()
        self._connection.execute("PRAGMA query_only = ON")
        self._thread = ThreadPoolExecutor(1, "sqlite-searches")

    async def first(self, sql: str, values: tuple[Any, ...]) -> Any:
        """The first row, None if there is none. Raises StoreUnavailable.

        For what takes long to find and is little to hand over: between any two rows the thread waits for the
        interpreter's lock, while one row takes as long as SQLite does.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._first, sql, values)
        except sqlite3.Error as e:
            raise StoreUnavailable(f"the database cannot be read: {e}") from None
        except RuntimeError:  # shut down meanwhile
            raise StoreUnavailable("the store is not open") from None

    def _first(self, sql: str, values: tuple[Any, ...]) -> Any:
        cursor = self._connection.execute(sql, values)
        try:
            return cursor.fetchone()
        finally:
            cursor.close()  # else the reading would go on until the next one

    def close(self) -> None:
        """Waits for what is under way, and ends the thread and its connection."""
        self._thread.shutdown()
        self._connection.close()
