"""Keeps other processes away from a SQLite database.

By a file beside it: SQLite's own exclusive mode would keep our second connection out, too.
"""

import fcntl
import os
from pathlib import Path
from typing import IO

from enforcer.domain.errors import StartError, StoreInUse


def take_lock(path: Path) -> IO[str]:
    """Takes the lock on the database at `path`, until what it returns is closed. Makes the files, if there are none,
    readable by their owner only.

    Raises:
        StoreInUse: another process has the database.
        StartError: the directory is missing or not writable.
    """
    directory = path.parent
    if not directory.is_dir():
        raise StartError(f"the directory {directory} of the store does not exist; make it, or change `store`")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StartError(f"the directory {directory} of the store is not writable for this user")
    lock: IO[str] | None = None
    try:
        # It stays when the lock is dropped, so that nobody locks a deleted one.
        lock = open(_opened(path.with_name(path.name + ".lock")), "r+")  # noqa: SIM115 - it stays open
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(_opened(path))
    except OSError as e:
        if lock is not None:
            lock.close()
        if isinstance(e, BlockingIOError):
            raise StoreInUse(
                f"{path} is in use by another process; stop it, or give this one its own `store`"
            ) from None
        raise StartError(f"{path} cannot be opened: {e.strerror}") from None
    return lock


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
