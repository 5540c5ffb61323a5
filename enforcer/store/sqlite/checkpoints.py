"""Copying SQLite's log back into the database while logins go on.

SQLite itself does it in the middle of a commit, every thousand pages: several milliseconds in which every login waits.
Here a thread does it beside the writer, which SQLite allows (a *passive* checkpoint). Such a checkpoint can never catch
up with a busy writer, so from time to time the writer copies the few pages that are left, after which SQLite begins the
log anew by itself as soon as nobody reads from it. Waiting for that would keep every login waiting, for milliseconds.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable

CHANGES = 2_000
"""Rows written between two checkpoints: a few thousand pages at most."""
LOG_PAGES = 4_000
"""Pages from which on the log is begun anew: 16 MB. The sooner its blocks are used again, the less is the disk told of
the size of a file."""
ROUNDS = 3
"""Of copying before that: each is shorter than the one before, and leaves less to the writer."""


class Checkpoints:
    """A thread with a connection of its own. `wrote` is for the thread that commits."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connect()
        self._copied_at = 0
        self._pages = 0
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
        self._thread.start()

    def wrote(self, writing: sqlite3.Connection) -> None:
        """A transaction was committed over this connection, and none is open."""
        if self._busy:
            return
        if self._pages >= LOG_PAGES:
            with contextlib.suppress(sqlite3.Error):  # the disk is in trouble; the log only grows
                _, self._pages, _ = writing.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        elif writing.total_changes - self._copied_at >= CHANGES:
            self._copied_at = writing.total_changes
            self._busy = True
            self._wanted.put(True)

    def close(self) -> None:
        """Ends the thread and its connection; what is left in the log is copied by the last connection to close."""
        self._wanted.put(False)
        self._thread.join()

    def _run(self) -> None:
        while self._wanted.get():
            with contextlib.suppress(Exception):  # whatever it is, the log only grows until the next one
                for _ in range(ROUNDS):
                    _, pages, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if pages < LOG_PAGES:
                        break
                self._pages = pages
            self._busy = False
        self._connection.close()
