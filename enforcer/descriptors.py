"""Open files of this process: how many there may be, and whether they are about to run out."""

import os
import resource

MIN_RESERVE, MAX_RESERVE = 16, 256


def raise_limit() -> int:
    """Lifts the soft limit of open files to the hard one, as far as the system lets us; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and hard != resource.RLIM_INFINITY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
        except (OSError, ValueError):
            pass
    return soft


def warning(max_connections: int) -> str | None:
    """For the operator, if fewer connections fit than the settings allow."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if (fit := _for_sockets(limit)) >= max_connections:
        return None
    return (
        f"max_connections is {max_connections}, but this process may open {limit} files, so {fit} sockets will fit;"
        " raise the limit (LimitNOFILE= of systemd, ulimits of a container) or set max_connections lower"
    )


def _reserve(limit: int) -> int:
    return min(MAX_RESERVE, max(MIN_RESERVE, limit // 8))


def _for_sockets(limit: int) -> int:
    return max(1, limit - _reserve(limit) - MIN_RESERVE)


class Descriptors:
    """Keeps some descriptors back for the store, the log and health checks: an eighth, from 16 to 256.

    POSIX gives a new file the lowest free number, so the number of a new one tells how full the table is.
    """

    def __init__(self) -> None:
        self.limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._reserve = _reserve(self.limit)
        self._probe = os.open(os.devnull, os.O_RDONLY)

    @property
    def for_sockets(self) -> int:
        """Connections that fit beside the reserve and what is open anyway."""
        return _for_sockets(self.limit)

    def scarce(self) -> bool:
        """Whether only the reserve is left."""
        try:
            lowest_free = os.dup(self._probe)
        except OSError:
            return True
        os.close(lowest_free)
        return lowest_free >= self.limit - self._reserve

    def close(self) -> None:
        """Gives up the one that is needed for looking. May be called twice."""
        if self._probe >= 0:
            os.close(self._probe)
        self._probe = -1
