"""Tickets: the key derivation, and that verifying by hand says what the library says."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.errors import TicketExpired, TicketInvalid
from enforcer.tickets import LEEWAY, MAX_LENGTH, PAGE, PROXY, Ticket, TicketKeys, TicketOffice, derive_key

KEY = "a-key-of-at-least-thirty-two-characters"
OTHER = "another-key-of-thirty-two-characters-or-so"
NOW = 1_700_000_000.0
KEYS = TicketKeys([KEY])


# ---- the key ----------------------------------------------------------------------------------------


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 as RFC 5869 writes it, for any length."""
    prk = hmac.digest(salt or bytes(32), ikm, hashlib.sha256)
    out, block = b"", b""
    for n in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([n]), hashlib.sha256)
        out += block
    return out[:length]


@pytest.mark.parametrize(
    ("ikm", "salt", "info", "length", "okm"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "0b" * 22,
            "",
            "",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_the_reference_is_rfc_5869(ikm: str, salt: str, info: str, length: int, okm: str) -> None:
    """The reference that our key is held to gives the vectors of RFC 5869, appendix A.1 and A.3."""
    given_ = (bytes.fromhex(x) for x in (ikm, salt, info))
    assert hkdf(*given_, length).hex() == okm


@given(authkey=st.text(min_size=1, max_size=80).filter(lambda s: s.isprintable()), purpose=st.text(max_size=40))
def test_the_ticket_key_is_hkdf(authkey: str, purpose: str) -> None:
    """`HKDF-SHA256(ikm = authkey in UTF-8, salt = empty, info = purpose, length = 32)`."""
    ikm, info = authkey.encode("utf-8", "surrogatepass"), purpose.encode("utf-8", "surrogatepass")
    assert derive_key(ikm.decode(), info.decode()) == hkdf(ikm, b"", info, 32)


def test_the_ticket_key_is_not_the_authkey() -> None:
    """Purposes have different keys, none of which is the authkey."""
    assert len({derive_key(KEY), derive_key(KEY, "other"), KEY.encode()}) == 3


# ---- verifying --------------------------------------------------------------------------------------


def encoded(claims: dict[str, Any], key: bytes | str = derive_key(KEY), algorithm: str = "HS256", **header: Any) -> str:
    """A token with these claims, signed as asked."""
    return jwt.encode(claims, key, algorithm=algorithm, headers=header or None)


def good(**changes: Any) -> dict[str, Any]:
    """The claims of a valid page ticket; a change to None leaves one out."""
    claims = {"iss": "enforcer", "aud": PAGE, "sub": "alice", "sid": "s", "iat": int(NOW), **changes}
    return {k: v for k, v in claims.items() if v is not None}


def test_a_ticket_says_what_was_signed() -> None:
    """What was signed is what is read, room and session exactly."""
    token = KEYS.sign(PAGE, "ålice 👩", "s-1", NOW, NOW + 100)
    assert KEYS.verify(token, PAGE) == Ticket("ålice 👩", "s-1", int(NOW), int(NOW) + 100)


def test_a_ticket_without_exp_lives_as_long_as_its_session() -> None:
    """Without `exp` a ticket never expires by itself, and `iat` is not judged."""
    token = KEYS.sign(PAGE, "alice", "s", NOW, None)
    ticket = KEYS.verify(token, PAGE)
    assert ticket.expires_at is None
    assert ticket.issued_at == int(NOW)
    for now in (NOW - 10**9, NOW + 10**9):
        assert not ticket.expired(now)


def test_exp_has_sixty_seconds_of_leeway() -> None:
    """A ticket is expired a minute after its `exp`, not before; and what it says can still be read."""
    assert LEEWAY == 60
    ticket = KEYS.verify(KEYS.sign(PAGE, "alice", "s", NOW, NOW + 10), PAGE)
    ticket.judge_life(NOW + 69.9)
    with pytest.raises(TicketExpired):
        ticket.judge_life(NOW + 70)
    assert (ticket.room, ticket.session) == ("alice", "s")


def test_an_expired_forgery_is_invalid_not_expired() -> None:
    """The signature is judged before the time."""
    with pytest.raises(TicketInvalid):
        KEYS.verify(encoded(good(exp=1), derive_key(OTHER)), PAGE)


def test_while_rotating_the_first_key_signs_and_both_verify() -> None:
    """With two authkeys old tickets go on working, and new ones work without the old key."""
    old = TicketKeys([KEY]).sign(PAGE, "alice", "s", NOW, None)
    rotating = TicketKeys([OTHER, KEY])
    assert rotating.verify(old, PAGE).session == "s"
    assert TicketKeys([OTHER]).verify(rotating.sign(PAGE, "alice", "s", NOW, None), PAGE).session == "s"


def test_what_was_verified_once_is_good_only_as_it_was_shown() -> None:
    """A ticket that is known makes no other text, no other audience and no other server's ticket good."""
    keys = TicketKeys([KEY])
    ticket = keys.sign(PAGE, "alice", "s", NOW, None)
    assert keys.verify(ticket, PAGE) == keys.verify(ticket, PAGE)
    for other in (ticket[:-1], ticket[:-1] + ("A" if ticket[-1] != "A" else "Q"), ticket + "A", ticket.swapcase()):
        with pytest.raises(TicketInvalid):
            keys.verify(other, PAGE)
    with pytest.raises(TicketInvalid):
        keys.verify(ticket, PROXY)
    with pytest.raises(TicketInvalid):
        TicketKeys([OTHER]).verify(ticket, PAGE)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(encoded(good(), None, "none"), id="alg none"),  # type: ignore[arg-type]
        pytest.param(encoded(good(), None, "none").rstrip(".") + ".AAAA", id="alg none, signed"),  # type: ignore[arg-type]
        pytest.param(encoded(good(), derive_key(OTHER)), id="other key"),
        pytest.param(encoded(good(), KEY), id="the authkey itself"),
        pytest.param(encoded(good(), derive_key(KEY) * 2, "HS512"), id="other algorithm"),
        pytest.param(encoded(good(), crit=["b64"]), id="critical header that we do not know"),
        pytest.param(encoded(good(aud=PROXY)), id="for the proxy"),
        pytest.param(encoded(good(aud=[PAGE])), id="audience list"),
        pytest.param(encoded(good(aud=None)), id="no audience"),
        pytest.param(encoded(good(iss="someone")), id="other issuer"),
        pytest.param(encoded(good(iss=None)), id="no issuer"),
        pytest.param(encoded(good(sub=None)), id="no room"),
        pytest.param(encoded(good(sid=None)), id="no session"),
        pytest.param(encoded(good(sid=5)), id="session is a number"),
        pytest.param(encoded(good(iat=None)), id="no iat"),
        pytest.param(encoded(good(exp=True)), id="exp is no number"),
        pytest.param(encoded(good(iat="1700000000")), id="iat is no number"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="not base64"),
        pytest.param("..", id="three empty parts"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param("x" * (MAX_LENGTH + 1), id="too long"),
        pytest.param(".".join([base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=")] * 3)[:4000], id="deep"),
    ],
)
def test_forged_and_broken_tickets_are_invalid(token: str) -> None:
    """Whatever is not exactly a ticket of ours is refused, and the message does not repeat it."""
    with pytest.raises(TicketInvalid) as caught:
        KEYS.verify(token, PAGE)
    assert not token or len(token) < 3 or token not in str(caught.value)


claims = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.sampled_from(["enforcer", "someone", 5, None]),
        "aud": st.sampled_from([PAGE, PROXY, "", 5]),
        "sub": st.text(max_size=10) | st.integers() | st.none(),
        "sid": st.text(max_size=10) | st.none() | st.booleans(),
        "iat": st.integers(-(10**12), 10**12) | st.text(max_size=3),
        "exp": st.integers(int(NOW) - 200, int(NOW) + 200) | st.text("xyz", max_size=3),
        "nbf": st.just(0),
    },
)
mutations = st.sampled_from(["none", "flip", "cut", "pad", "swap", "extra dot", "space"])


def mutated(token: str, how: str, at: int) -> str:
    """The token with one thing done to it."""
    at %= len(token)
    match how:
        case "flip":
            return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        case "cut":
            return token[:at]
        case "pad":
            return token + "="
        case "swap":
            return ".".join(reversed(token.split(".")))
        case "extra dot":
            return token[:at] + "." + token[at:]
        case "space":
            return token + " "
    return token


def by_library(token: str) -> tuple[str, str] | str:
    """What PyJWT says about a page ticket at `NOW`: room and session, or which refusal."""
    with mock.patch("jwt.api_jwt.datetime") as clock:  # the library reads a clock; ours is an argument
        clock.now.return_value = datetime.fromtimestamp(NOW, UTC)
        try:
            told = jwt.decode(
                token,
                derive_key(KEY),
                algorithms=["HS256"],
                audience=PAGE,
                issuer="enforcer",
                leeway=LEEWAY,
                options={"require": ["iss", "aud", "sub", "iat"], "verify_iat": False},
            )
        except jwt.ExpiredSignatureError:
            return "expired"
        except jwt.InvalidTokenError:
            return "invalid"
    if not isinstance(told.get("sid"), str) or not isinstance(told["iat"], int):
        return "invalid"
    return told["sub"], told["sid"]


@given(claims=claims, whole=st.booleans(), how=mutations, at=st.integers(0, 1000))
def test_verifying_by_hand_equals_the_library(claims: dict[str, Any], whole: bool, how: str, at: int) -> None:
    """Over random claims and mutations, ours accepts what PyJWT accepts, and says the same about the rest."""
    raw = {**good(), **claims} if whole else claims
    body = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, raw)
    )
    signature = base64.urlsafe_b64encode(hmac.digest(derive_key(KEY), body.encode(), "sha256")).decode().rstrip("=")
    token = mutated(f"{body}.{signature}", how, at)
    try:
        ticket = KEYS.verify(token, PAGE)
        ticket.judge_life(NOW)
        ours: tuple[str, str] | str = (ticket.room, ticket.session)
    except TicketExpired:
        ours = "expired"
    except TicketInvalid:
        ours = "invalid"
    theirs = by_library(token)
    if ours != theirs:
        # Ours is stricter in spelling (one token, one spelling), never laxer.
        assert ours == "invalid"
        # Of two things that are wrong at once, either may be said.
        assert how in ("pad", "flip", "space") or theirs == "expired", (token, theirs)


# ---- issuing ----------------------------------------------------------------------------------------


def test_a_ticket_ends_with_the_session_or_its_own_lifetime() -> None:
    """`exp` is the earlier of the absolute deadline and the lifetime; without both there is none."""
    assert TicketOffice([KEY], None).expires_at(None, NOW) is None
    assert TicketOffice([KEY], 100).expires_at(None, NOW) == NOW + 100
    assert TicketOffice([KEY], 100).expires_at(NOW + 50, NOW) == NOW + 50


def test_a_page_ticket_is_no_proxy_ticket() -> None:
    """Each of the two works for its own purpose only."""
    office = TicketOffice([KEY], None)
    issued = office.issue("alice", "s", None, NOW)
    assert office.check(issued.proxy, PROXY).session == "s"
    with pytest.raises(TicketInvalid):
        office.check(issued.proxy, PAGE)
    with pytest.raises(TicketInvalid):
        office.check(issued.page, PROXY)


def test_a_half_spent_ticket_is_renewed() -> None:
    """From half of its life on there is a fresh one, unless that would not live longer."""
    office = TicketOffice([KEY], 100)
    ticket = office.check(office.issue("alice", "s", None, NOW).page, PAGE)
    assert office.renewed(ticket, None, NOW + 49) is None
    fresh = office.renewed(ticket, None, NOW + 50)
    assert fresh is not None
    assert office.check(fresh, PAGE).expires_at == int(NOW) + 150
    assert office.renewed(ticket, NOW + 100, NOW + 50) is None


def test_dates_need_not_be_whole() -> None:
    """A NumericDate may have a fraction (RFC 7519 §2), as `time.time()` has."""
    ticket = KEYS.verify(encoded(good(iat=NOW + 0.25, exp=NOW + 0.5)), PAGE)
    assert (ticket.issued_at, ticket.expires_at) == (NOW + 0.25, NOW + 0.5)
    with pytest.raises(TicketExpired):
        KEYS.verify(encoded(good(exp=NOW + 0.5)), PAGE).judge_life(NOW + 0.5 + LEEWAY)


def test_a_ticket_without_an_end_is_replaced_if_tickets_end_now() -> None:
    """At once, and only then."""
    endless = Ticket("alice", "s", NOW, None)
    assert TicketOffice([KEY], None).renewed(endless, None, NOW) is None
    assert TicketOffice([KEY], None).renewed(endless, NOW + 10, NOW) is not None
    assert TicketOffice([KEY], 100).renewed(endless, None, NOW) is not None
    assert TicketOffice([KEY], None).half_spent_at(endless) == float("inf")
