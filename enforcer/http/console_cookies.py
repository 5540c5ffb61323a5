"""The cookie of the console: who has logged in with which key, and since when. Pure: `now` is an argument.

It is signed with a key that is derived from the authkey, so every node of a server takes it and no other server does.
It names the key by a proof of its secret: when that is changed, the cookie is worth nothing.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from enforcer.domain.permissions import Caller, May
from enforcer.tickets import derive_key

NAME = "enforcer_admin"
LIFETIME = 8 * 3600.0
"""Seconds from the log-in."""
IDLE = 1800.0
"""Seconds without a request that somebody has made by hand."""
RENEWED_AFTER = 60.0
"""Seconds after which a request brings a fresh cookie."""
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """`id` is its own, `proof` stands for the key's secret; `began` and `seen` are UTC seconds."""

    id: str
    proof: str
    began: float
    seen: float

    def ends_in(self, now: float) -> float:
        """Seconds until it ends if nothing more is done; not above zero: it has ended."""
        return min(self.began + LIFETIME, self.seen + IDLE) - now

    def lasts(self, now: float) -> float:
        """Seconds until it ends whatever is done."""
        return self.began + LIFETIME - now


class ConsoleCookies:
    """Makes and reads them by the keys in force: `callers` says whose each secret is."""

    def __init__(self, authkeys: Sequence[str], callers: Mapping[str, Caller]) -> None:
        self._keys = [derive_key(key, "enforcer console") for key in authkeys]
        self._callers = {self._proof(secret): caller for secret, caller in callers.items()}

    def _proof(self, secret: str) -> str:
        return _text(hmac.digest(secret.encode(), b"enforcer console key", "sha256"))

    def begin(self, id_: str, secret: str, now: float) -> ConsoleSession:
        """A session of whoever has shown this secret."""
        return ConsoleSession(id_, self._proof(secret), now, now)

    def cookie(self, session: ConsoleSession) -> str:
        """Its value."""
        payload = _text(orjson.dumps([session.id, session.proof, session.began, session.seen]))
        return f"{payload}.{_text(hmac.digest(self._keys[0], payload.encode(), 'sha256'))}"

    def read(self, cookie: str, now: float) -> tuple[ConsoleSession, Caller] | None:
        """The session of a cookie, and who it is; None if it is none of ours, is over, or its key is not for this."""
        payload, _, signature = cookie.partition(".")
        if len(cookie) > _LONGEST or not cookie.isascii():
            return None
        made = (_text(hmac.digest(key, payload.encode(), "sha256")) for key in self._keys)
        if not any(hmac.compare_digest(one, signature) for one in made):
            return None
        try:
            session = ConsoleSession(*orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        except (ValueError, TypeError, binascii.Error):  # signed, so it is of another version
            return None
        caller = self._callers.get(session.proof)
        if caller is None or May.ADMIN not in caller.may or session.ends_in(now) <= 0:
            return None
        return session, caller

    def csrf(self, session: ConsoleSession) -> str:
        """What each change must show besides the cookie: pages of other sites cannot read it."""
        return _text(hmac.digest(self._keys[0], b"csrf " + session.id.encode(), "sha256"))

    def csrf_right(self, session: ConsoleSession, given: str) -> bool:
        """Whether it is that token; one that was given before the authkey changed will do."""
        right = [_text(hmac.digest(key, b"csrf " + session.id.encode(), "sha256")) for key in self._keys]
        return any(hmac.compare_digest(one.encode(), given.encode("utf-8", "replace")) for one in right)


def renewed(session: ConsoleSession, now: float) -> ConsoleSession | None:
    """The session as seen now, if its cookie says much less."""
    return replace(session, seen=now) if now - session.seen >= RENEWED_AFTER else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
