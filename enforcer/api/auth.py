"""Who may call: the authkey of app servers and operators, the key for `/metrics`, and a limit on guessing them."""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence

MAX_FAILURES = 30
"""Wrong keys from one address within `WINDOW` seconds; after that it is answered 429."""
WINDOW = 60.0
_REMEMBERED = 10_000  # addresses; the longest silent one is forgotten first


class AuthKeys:
    """Compares keys in constant time, whatever their length and content, and counts failures by address.

    A right key is never refused because of others' failures. `clock` gives seconds of any steady kind.
    """

    def __init__(self, authkeys: Sequence[str], all_keys: Sequence[str], clock: Callable[[], float]) -> None:
        self.configure(authkeys, all_keys)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def configure(self, authkeys: Sequence[str], all_keys: Sequence[str]) -> None:
        """Other keys, from now on."""
        self._authkeys = [key.encode() for key in authkeys]
        self._all_keys = [key.encode() for key in all_keys]

    def right(self, given: str) -> bool:
        """Whether it is an authkey."""
        return _is_one_of(self._authkeys, given)

    def may_scrape(self, given: str) -> bool:
        """Whether it is any key: each opens `/metrics`."""
        return _is_one_of(self._all_keys, given)

    def failed(self, ip: str) -> float | None:
        """Counts a wrong key from `ip`; the seconds to wait if there were too many, else None."""
        now = self._clock()
        since, count = self._failures.pop(ip, (now, 0))
        if now - since >= WINDOW:
            since, count = now, 0
        self._failures[ip] = (since, count + 1)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        return since + WINDOW - now if count >= MAX_FAILURES else None


def _is_one_of(keys: Sequence[bytes], given: str) -> bool:
    try:
        raw = given.encode()
    except UnicodeEncodeError:  # lone surrogates: no key has any
        raw = b""
    matches = [hmac.compare_digest(raw, key) for key in keys]
    return any(matches)
