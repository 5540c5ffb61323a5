"""Who calls, by the key that is shown, and a limit on guessing keys."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

from enforcer.domain.permissions import Caller
from enforcer.http.origins import block_of

MAX_FAILURES = 30
"""Wrong keys from one address within `WINDOW` seconds."""
WINDOW = 60.0
TRUSTED_FOR = 3600.0
"""Seconds for which an address that has shown a right key is not refused for the wrong ones beside it."""
_NOTE_EVERY = 60.0
_REMEMBERED = 10_000  # addresses; the longest silent one is forgotten first


class Guesses:
    """Counts wrong keys by address: after `most` within `WINDOW` seconds none is looked at until they are over.

    `clock` gives seconds of any steady kind. An IPv6 address counts with its /64.
    """

    def __init__(self, clock: Callable[[], float], most: int = MAX_FAILURES) -> None:
        self._clock = clock
        self._most = most
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._right_at: OrderedDict[str, float] = OrderedDict()

    def refused(self, ip: str) -> float | None:
        """Before a key of `ip` is looked at: the seconds for which none will do after too many wrong ones, else None.

        An address that has shown a right key within `TRUSTED_FOR` is never refused so: an application must not be
        kept out by others behind the same address.
        """
        if not self._failures:
            return None
        block, now = block_of(ip), self._clock()
        wait = self._wait(block, now)
        return None if wait is not None and now - self._right_at.get(block, -TRUSTED_FOR) < TRUSTED_FOR else wait

    def accepted(self, ip: str) -> None:
        """Notes a right key from `ip`."""
        block, now = block_of(ip), self._clock()
        if now - self._right_at.get(block, -_NOTE_EVERY) >= _NOTE_EVERY:
            self._right_at[block] = now
            self._right_at.move_to_end(block)
            if len(self._right_at) > _REMEMBERED:
                self._right_at.popitem(last=False)

    def failed(self, ip: str) -> float | None:
        """Counts a wrong key from `ip`; the seconds to wait if there were too many before, else None."""
        block, now = block_of(ip), self._clock()
        wait = self._wait(block, now)
        since, count = self._failures.pop(block, (now, 0))
        if now - since >= WINDOW:
            since, count = now, 0
        self._failures[block] = (since, count + 1)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        return wait

    def _wait(self, block: str, now: float) -> float | None:
        since, count = self._failures.get(block, (now, 0))
        return since + WINDOW - now if count >= self._most and now - since < WINDOW else None


class AuthKeys(Guesses):
    """Knows keys by their digests.

    A key is looked up by its SHA-256, of which whoever guesses cannot choose a part: the time that it takes tells
    nothing about a key.
    """

    def __init__(self, callers: Mapping[str, Caller], clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.generation = 0
        """Grows whenever the keys change."""
        self.configure(callers)

    def configure(self, callers: Mapping[str, Caller]) -> None:
        """Other keys, from now on: whose each is."""
        self.generation += 1
        self._callers = {_digest(key): caller for key, caller in callers.items()}

    def caller(self, given: str) -> Caller | None:
        """Whose key it is; None if it is nobody's."""
        return self._callers.get(_digest(given))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()  # JSON may hold lone surrogates, a key none
