"""Who may call: the authkey of app servers and operators, and a limit on guessing it."""

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

    def __init__(self, authkeys: Sequence[str], clock: Callable[[], float]) -> None:
        self.configure(authkeys)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def configure(self, authkeys: Sequence[str]) -> None:
        """Other keys, from now on."""
        self._keys = [key.encode() for key in authkeys]

    def right(self, given: str) -> bool:
        """Whether it is one of the keys."""
        try:
            raw = given.encode()
        except UnicodeEncodeError:  # lone surrogates: no key has any
            raw = b""
        matches = [hmac.compare_digest(raw, key) for key in self._keys]
        return any(matches)

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
