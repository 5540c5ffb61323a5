"""Who may call: the authkey of app servers and operators, the key for `/metrics`, and a limit on guessing them."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence

from enforcer.edge import block_of

MAX_FAILURES = 30
"""Wrong keys from one address within `WINDOW` seconds; then it is refused until they are over."""
WINDOW = 60.0
TRUSTED_FOR = 3600.0
"""Seconds for which an address that has shown a right key is not refused for the wrong ones beside it."""
_NOTE_EVERY = 60.0
_REMEMBERED = 10_000  # addresses; the longest silent one is forgotten first


class AuthKeys:
    """Compares keys by their digests, in constant time whatever their length, and counts failures by address.

    `clock` gives seconds of any steady kind. An IPv6 address counts with its /64.
    """

    def __init__(self, authkeys: Sequence[str], all_keys: Sequence[str], clock: Callable[[], float]) -> None:
        self.generation = 0
        """Grows whenever the keys change."""
        self.configure(authkeys, all_keys)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._right_at: OrderedDict[str, float] = OrderedDict()

    def configure(self, authkeys: Sequence[str], all_keys: Sequence[str]) -> None:
        """Other keys, from now on."""
        self.generation += 1
        self._authkeys = [_digest(key) for key in authkeys]
        self._all_keys = [_digest(key) for key in all_keys]

    def right(self, given: str) -> bool:
        """Whether it is an authkey."""
        return _is_one_of(self._authkeys, given)

    def may_scrape(self, given: str) -> bool:
        """Whether it is any key: each opens `/metrics`."""
        return _is_one_of(self._all_keys, given)

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
        return since + WINDOW - now if count >= MAX_FAILURES and now - since < WINDOW else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()  # JSON may hold lone surrogates, a key none


def _is_one_of(digests: Sequence[bytes], given: str) -> bool:
    digest = _digest(given)
    matches = [hmac.compare_digest(digest, key) for key in digests]
    return any(matches)
