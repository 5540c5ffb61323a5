"""Tickets: the signed JWT by which a page or a proxy speaks for one session (RFC 7519, HS256).

A ticket grants nothing by itself: every use asks the store whether the session is live. Pure: `now` is an argument.

Signing and verifying are one `hmac.digest` each, by hand, because they stand on the hottest path (a library costs
five to eight times as much); tests hold both equal to PyJWT.
"""

import base64
import binascii
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import orjson

from enforcer.domain.errors import TicketExpired, TicketInvalid

PAGE = "enforcer:page"
PROXY = "enforcer:proxy"
DOCTOR = "enforcer:doctor"
"""Speaks for no session: whoever shows it has the authkey, and asks how the request has arrived."""
LEEWAY = 60.0
"""Seconds by which clocks may differ when `exp` is judged."""
MAX_LENGTH = 4096
"""Characters; a ticket of ours is far shorter, so a longer one is refused unread."""
REMEMBERED = 4096
"""Tickets of which is known that we have signed them: a browser shows the same one with each request."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket with a good signature says; times are UTC seconds, whole or not (RFC 7519 §2, NumericDate).

    Its own life is judged apart, by `judge_life`, and only once its session is known to be live: that the session has
    ended is the better answer, and stays true.
    """

    room: str
    session: str
    issued_at: float
    expires_at: float | None
    elevated_until: float | None = None
    """Until then its user counts as having just shown the password again; no clock differs from ours in that."""

    def elevated(self, now: float) -> bool:
        """Whether it is good for what needs the password again; without leeway."""
        return self.elevated_until is not None and now < self.elevated_until

    def expired(self, now: float) -> bool:
        """Whether `exp` passed `LEEWAY` or longer ago; `now` in UTC seconds."""
        return self.expires_at is not None and now >= self.expires_at + LEEWAY

    def judge_life(self, now: float) -> None:
        """Raises TicketExpired if it is `expired`."""
        if self.expired(now):
            raise TicketExpired("the ticket has expired; ask the application for a new one")


def derive_key(authkey: str, purpose: str = "enforcer ticket") -> bytes:
    """32 bytes for one purpose out of the authkey: HKDF-SHA256 (RFC 5869), empty salt, `info` = the purpose.

    One output block only, so extract and expand are an HMAC each. A ticket key never is the authkey itself.
    """
    extracted = hmac.digest(bytes(32), authkey.encode(), "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")


class TicketKeys:
    """Signs with the first authkey, verifies with each of them (while an operator rotates, there are two)."""

    def __init__(self, authkeys: Sequence[str]) -> None:
        self._keys = [hmac.new(derive_key(k), digestmod="sha256") for k in authkeys]
        self._known = lru_cache(maxsize=REMEMBERED)(self._verified)  # what raises is not kept

    def sign(
        self,
        audience: str,
        room: str,
        session: str,
        now: float,
        expires_at: float | None,
        elevated_until: float | None = None,
    ) -> str:
        """A ticket for `session` of `room`; `audience` is `PAGE` or `PROXY`, the times UTC seconds or never."""
        claims: dict[str, object] = {"iss": "enforcer", "aud": audience, "sub": room, "sid": session, "iat": int(now)}
        if expires_at is not None:
            claims["exp"] = int(expires_at)
        if elevated_until is not None:
            claims["elv"] = round(elevated_until, 3)
        signed = _HEADER + b"." + _encode(orjson.dumps(claims))
        signature = _signature(self._keys[0], signed)
        return (signed + b"." + _encode(signature)).decode()

    def verify(self, token: str, audience: str) -> Ticket:
        """What the ticket says, expired or not.

        Raises:
            TicketInvalid: not signed by us, or not for this audience. The message never repeats the ticket.
        """
        return self._known(token, audience)

    def _verified(self, token: str, audience: str) -> Ticket:
        if len(token) > MAX_LENGTH:
            raise TicketInvalid("the ticket is longer than any of ours")
        head, _, signature = token.rpartition(".")
        first, _, payload = head.partition(".")
        try:
            signed = head.encode("ascii")
            given = _decode(signature)
            is_hs256 = _is_hs256(first)
        except ValueError:
            raise TicketInvalid("the ticket is not a JWT") from None
        if not is_hs256:
            raise TicketInvalid("the ticket is not signed with HS256")
        if not any(hmac.compare_digest(_signature(key, signed), given) for key in self._keys):
            raise TicketInvalid("the ticket was not signed with a key of this server")
        try:
            claims = orjson.loads(_decode(payload))
        except ValueError:
            raise TicketInvalid("the ticket's payload is not JSON") from None
        return _read(claims, audience)


@dataclass(frozen=True, slots=True)
class IssuedTickets:
    """What a login hands out: a ticket for its pages, one for the reverse proxy. `expires_at` None: never."""

    page: str
    proxy: str
    expires_at: float | None


class TicketOffice:
    """Issues and checks tickets by the server's settings. `lifetime` in seconds, None: as long as the session."""

    def __init__(self, authkeys: Sequence[str], lifetime: float | None) -> None:
        self._keys = TicketKeys(authkeys)
        self._lifetime = lifetime

    def expires_at(self, absolute_at: float | None, now: float) -> float | None:
        """When a ticket made now ends: after its lifetime, never later than the session's absolute deadline."""
        ends = [absolute_at, None if self._lifetime is None else now + self._lifetime]
        return min((e for e in ends if e is not None), default=None)

    def issue(self, room: str, session: str, absolute_at: float | None, now: float) -> IssuedTickets:
        """A page and a proxy ticket for the session."""
        expires_at = self.expires_at(absolute_at, now)
        page = self._keys.sign(PAGE, room, session, now, expires_at)
        return IssuedTickets(page, self._keys.sign(PROXY, room, session, now, expires_at), expires_at)

    def elevated(self, room: str, session: str, absolute_at: float | None, now: float, until: float) -> str:
        """A page ticket that is elevated until then (OWASP ASVS 5.0, 7.5.2); after that it is a plain one."""
        return self._keys.sign(PAGE, room, session, now, self.expires_at(absolute_at, now), until)

    def check(self, token: str, audience: str) -> Ticket:
        """What the ticket says, expired or not; raises as `TicketKeys.verify`."""
        return self._keys.verify(token, audience)

    def renewed(self, ticket: Ticket, absolute_at: float | None, now: float) -> str | None:
        """A fresh page ticket once the old one is half spent, if that makes it live longer; else None.

        One that never expires, though it would if it were made now, has a fresh one at once: it stays good all the
        same.
        """
        expires_at = self.expires_at(absolute_at, now)
        if ticket.expires_at is None:
            if expires_at is None:
                return None
        elif now < self.half_spent_at(ticket) or (expires_at is not None and int(expires_at) <= ticket.expires_at):
            return None
        return self._keys.sign(PAGE, ticket.room, ticket.session, now, expires_at)

    @staticmethod
    def half_spent_at(ticket: Ticket) -> float:
        """UTC seconds at which half of a ticket's life is over; infinity for one that does not expire."""
        return math.inf if ticket.expires_at is None else (ticket.issued_at + ticket.expires_at) / 2


def _read(claims: object, audience: str) -> Ticket:
    """The claims of a token whose signature is right."""
    if not isinstance(claims, dict) or claims.get("iss") != "enforcer" or claims.get("aud") != audience:
        raise TicketInvalid(f"the ticket is not for {audience}")
    room, session, issued_at, expires_at = (claims.get(name) for name in ("sub", "sid", "iat", "exp"))
    if not isinstance(room, str) or not isinstance(session, str) or not _is_date(issued_at):
        raise TicketInvalid("the ticket lacks sub, sid or iat")
    if expires_at is not None and not _is_date(expires_at):
        raise TicketInvalid("the ticket's exp is not a number")
    elevated_until = claims.get("elv")
    if elevated_until is not None and not _is_date(elevated_until):
        raise TicketInvalid("the ticket's elv is not a number")
    return Ticket(room, session, issued_at, expires_at, elevated_until)


def _is_date(claim: object) -> TypeGuard[float]:
    """Whether it is a NumericDate (RFC 7519 §2)."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and math.isfinite(claim)


@lru_cache(maxsize=16)
def _is_hs256(head: str) -> bool:
    """Of the first part of a token, which is the same in all of one maker's. Raises ValueError if it is not JSON."""
    header = orjson.loads(_decode(head))
    return isinstance(header, dict) and header.get("alg") == "HS256" and "crit" not in header


def _signature(key: hmac.HMAC, signed: bytes) -> bytes:
    """Faster from a copy of the keyed state than from the key, and other threads get no turn for it."""
    state = key.copy()
    state.update(signed)
    return state.digest()


def _encode(raw: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decode(part: str) -> bytes:
    """Strict base64url without padding (RFC 7515 §2), so that one token has one spelling.

    Raises ValueError for anything else.
    """
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode("ascii"):
        raise binascii.Error("not canonical base64url")
    return raw


_HEADER = _encode(b'{"alg":"HS256","typ":"JWT"}')
"""Of every ticket that is made here."""
