"""What a signal says, once its signature is right: of whom it speaks, and when it was said; or what is wrong. Pure.

OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6; Global Token Revocation (draft-parecki-oauth-global-token-
revocation); OpenID Shared Signals Framework 1.0 with CAEP 1.0 and RISC 1.0, pushed by RFC 8935. Times are UTC seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from enforcer import protocol
from enforcer.domain.model import EndReason
from enforcer.domain.signals import ALIAS_LIMIT, KEPT, NAME_LIMIT, Signal, of_alias, of_person, of_room, of_session

JSON = Mapping[str, Any]

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
ENDING_EVENTS = frozenset(
    {_CAEP + "session-revoked", _CAEP + "credential-change", _RISC + "account-disabled", _RISC + "sessions-revoked"}
)
"""Events after which sessions end."""
AHEAD = 30.0
"""Seconds that the clock of an issuer may be ahead of ours."""
WITHOUT_EXPIRY = 300.0
"""Seconds for which a logout token is good that does not say for how long."""
LONGEST_CREDENTIAL = 3600.0
"""Seconds for which a signed credential may be good: it is remembered for as long that it was shown."""


class Unacceptable(Exception):
    """A message that is not taken. `code` is RFC 8935's for it (§2.4), the text says what is wrong, for its sender."""

    def __init__(self, why: str, code: str = "invalid_request") -> None:
        super().__init__(why)
        self.code = code


class Foreign(Exception):
    """The sender may not speak of this subject."""


class Unusable(Exception):
    """A subject that can be no session's here."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that ends nothing: a test of the way, or an event that is no business of ours."""

    event: str
    once: str


# ---- back-channel logout ------------------------------------------------------------------------


def logout(name: str, header: JSON, claims: JSON, issuer: str, client_id: str, typ: str, now: float) -> Signal:
    """A logout token. `typ` is the setting: `optional` or `required`.

    Raises:
        Unacceptable: it is none, not for us, too old, or from the future.
    """
    kind = _type_of(header)
    if kind not in (("logout+jwt",) if typ == "required" else ("", "jwt", "logout+jwt")):
        raise Unacceptable("the header `typ` does not say that this is a logout token")
    _judge_issuer(claims, issuer)
    _judge_audience(claims, client_id)
    said_at = _said_at(claims, now)
    expires = _moment(claims, "exp")
    if expires is None and now - said_at > WITHOUT_EXPIRY:
        raise Unacceptable("the token has no `exp`, and was issued more than five minutes ago")
    if expires is not None and now >= expires:
        raise Unacceptable("the token has expired")
    if now - said_at >= KEPT:
        raise Unacceptable("the token was issued more than an hour ago")
    if "nonce" in claims:
        raise Unacceptable("a logout token has no `nonce`")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Unacceptable(f"`events` does not have {LOGOUT_EVENT}")
    once = _once(claims, issuer)
    sid, sub = _name(claims, "sid"), _name(claims, "sub")
    if sid is not None:
        return Signal(name, EndReason.IDP_LOGOUT, (of_session(issuer, sid),), min(said_at, now), once=once)
    if sub is not None:
        return Signal(name, EndReason.IDP_LOGOUT, (of_person(issuer, sub),), min(said_at, now), once=once)
    raise Unacceptable("the token has neither `sid` nor `sub`")


# ---- token revocation ---------------------------------------------------------------------------


def credential(claims: JSON, issuer: str, audience: str, now: float) -> str | None:
    """Judges the signed credential of a token revocation; what tells it from every other one, if it says that.

    Raises:
        Unacceptable: it is not for us, or not good now.
    """
    _judge_issuer(claims, issuer)
    _judge_audience(claims, audience)
    expires = _moment(claims, "exp")
    if expires is None:
        raise Unacceptable("the credential has no `exp`")
    if now >= expires:
        raise Unacceptable("the credential has expired")
    if expires - now > LONGEST_CREDENTIAL + AHEAD:
        raise Unacceptable("the credential is good for more than an hour")
    for claim in ("iat", "nbf"):
        at = _moment(claims, claim)
        if at is not None and at > now + AHEAD:
            raise Unacceptable(f"the credential's `{claim}` is in the future")
    return None if claims.get("jti") is None else _once(claims, issuer)


def revocation(name: str, body: JSON, issuer: str | None, now: float) -> Signal:
    """What a token revocation asks. With an `issuer`, it may speak of that one's people only.

    Raises:
        Unacceptable: the body is not understood.
        Foreign: the subject is another issuer's.
        Unusable: the subject can be nobody's here.
    """
    if unknown := set(body) - {"sub_id"}:
        raise Unacceptable(f"{min(unknown)[:40]!r} is not known; the body has `sub_id` and nothing else")
    sub_id = body.get("sub_id")
    if not isinstance(sub_id, dict):
        raise Unacceptable("`sub_id` must be an object with a `format`")
    if sub_id.get("format") not in ("email", "iss_sub", "opaque"):
        raise Unacceptable("the `format` of `sub_id` is not email, iss_sub or opaque")
    subjects, rooms = _subject(sub_id)
    if issuer is not None and sub_id["format"] == "iss_sub" and sub_id["iss"] != issuer:
        raise Foreign("the subject is another issuer's than the one that has signed")
    return Signal(name, EndReason.IDP_LOGOUT, subjects, now, rooms)


# ---- security event tokens ----------------------------------------------------------------------


def event(name: str, header: JSON, claims: JSON, issuer: str, audience: str, now: float) -> Signal | Notice:
    """A security event token (RFC 8417).

    Raises:
        Unacceptable: it is none, not for us, or does not say what its event asks for.
    """
    if _type_of(header) != "secevent+jwt":
        raise Unacceptable("the header `typ` is not secevent+jwt")
    if claims.get("iss") != issuer:
        raise Unacceptable("`iss` is not the issuer that is expected here", "invalid_issuer")
    _judge_audience(claims, audience)
    said_at = _said_at(claims, now)
    expires = _moment(claims, "exp")
    if expires is not None and now >= expires:
        raise Unacceptable("the token has expired")
    once = _once(claims, issuer)
    events = claims.get("events")
    if not isinstance(events, dict) or not events or not all(isinstance(said, dict) for said in events.values()):
        raise Unacceptable("`events` is not an object with an object for each event")
    ending = [said for kind, said in events.items() if kind in ENDING_EVENTS]
    if not ending:
        return Notice(min(events)[:200], once)
    happened_at = min((at for said in ending if (at := _moment(said, "event_timestamp")) is not None), default=said_at)
    sub_id = claims.get("sub_id", ending[0].get("subject"))
    if not isinstance(sub_id, dict):
        raise Unacceptable("`sub_id` is missing or no object")
    try:
        subjects, rooms = _subject(sub_id, issuer)
    except Unusable as e:
        raise Unacceptable(str(e)) from None
    late = now - said_at >= KEPT
    return Signal(name, EndReason.CAEP, subjects, min(happened_at, now), rooms, once, late)


# ---- subjects (RFC 9493) ------------------------------------------------------------------------


def _subject(sub_id: JSON, transmitter: str | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The subjects and rooms that an identifier means. Of a session the `transmitter` is the issuer."""
    found = list(_meant(sub_id, transmitter))
    subjects = dict.fromkeys(subject for subject, _ in found)
    return tuple(subjects), tuple(dict.fromkeys(room for _, room in found if room is not None))


def _meant(sub_id: JSON, transmitter: str | None, nested: bool = False) -> Iterator[tuple[str, str | None]]:
    match sub_id.get("format"):
        case "iss_sub":
            yield of_person(_needed(sub_id, "iss"), _needed(sub_id, "sub")), None
        case "email":
            email = _needed(sub_id, "email")
            if len(f"email:{email}") > ALIAS_LIMIT:
                raise Unusable(f"no alias has more than {ALIAS_LIMIT} characters")
            yield of_alias(f"email:{email}"), None
        case "opaque":
            id_ = _needed(sub_id, "id")
            yield of_room(id_), id_ if protocol.valid_room(id_) else None
        case "complex" if transmitter is not None and not nested:
            yield from _meant_by_complex(sub_id, transmitter)
        case "aliases" if transmitter is not None and not nested:
            identifiers = sub_id.get("identifiers")
            if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= 16:
                raise Unacceptable("`identifiers` must be a list of 1 to 16 subjects")
            for each in identifiers:
                yield from _meant(_object(each, "identifiers"), transmitter, nested=True)
        case _:
            raise Unacceptable("the `format` of the subject is not iss_sub, email, opaque, complex or aliases")


def _meant_by_complex(sub_id: JSON, transmitter: str) -> Iterator[tuple[str, str | None]]:
    """A session of a user is that session; else it is the user (SSF 1.0 §3.2)."""
    session, user = sub_id.get("session"), sub_id.get("user")
    if session is not None:
        session = _object(session, "session")
        if session.get("format") != "opaque":
            raise Unacceptable("the `format` of the subject's `session` is not opaque")
        yield of_session(transmitter, _needed(session, "id")), None
    elif user is not None:
        yield from _meant(_object(user, "user"), transmitter, nested=True)
    else:
        raise Unacceptable("the subject names neither a `session` nor a `user`")


def _object(value: object, name: str) -> JSON:
    if not isinstance(value, dict):
        raise Unacceptable(f"`{name}` must be an object with a `format`")
    return value


def _needed(members: JSON, name: str) -> str:
    found = _name(members, name)
    if found is None:
        raise Unacceptable(f"the subject has no `{name}`")
    return found


# ---- claims -------------------------------------------------------------------------------------


def _type_of(header: JSON) -> str:
    """The type of a token (RFC 7515 §4.1.9), without what may be left out of it; "" if it says none."""
    typ = header.get("typ")
    return "" if typ is None else str(typ).lower().removeprefix("application/") or "?"


def _judge_issuer(claims: JSON, issuer: str) -> None:
    if claims.get("iss") != issuer:
        raise Unacceptable("`iss` is not the issuer that is expected here", "invalid_issuer")


def _judge_audience(claims: JSON, audience: str) -> None:
    found = claims.get("aud")
    if found != audience and not (isinstance(found, list) and audience in found):
        raise Unacceptable("`aud` does not name us", "invalid_audience")


def _said_at(claims: JSON, now: float) -> float:
    at = _moment(claims, "iat")
    if at is None:
        raise Unacceptable("the token has no `iat`")
    if at > now + AHEAD:
        raise Unacceptable("the token is from the future: look at both clocks")
    return at


def _moment(claims: JSON, name: str) -> float | None:
    """A NumericDate (RFC 7519 §2), or None if there is none."""
    at = claims.get(name)
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < 2**40:
        raise Unacceptable(f"`{name}` must be seconds since 1970")
    return float(at)


def _name(claims: JSON, name: str) -> str | None:
    found = claims.get(name)
    if found is None:
        return None
    if not isinstance(found, str) or not 1 <= len(found) <= NAME_LIMIT or not protocol.plain(found):
        raise Unacceptable(f"`{name}` must be a text of 1 to {NAME_LIMIT} characters")
    return found


def _once(claims: JSON, issuer: str) -> str:
    """What tells the message from every other one of its issuer."""
    jti = _name(claims, "jti")
    if jti is None:
        raise Unacceptable("the token has no `jti`")
    return f"jti\n{issuer}\n{jti}"
