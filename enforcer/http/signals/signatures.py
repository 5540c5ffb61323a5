"""Signatures of JSON Web Tokens (RFC 7515), by the keys that an issuer publishes (RFC 7517). No I/O.

PyJWT and cryptography are the extra `signals`; this module is imported where they are needed. Which algorithm is used
is ours to say, and it follows from the key: never `none`, never one with a shared secret (RFC 8725 §3.1).
"""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from enforcer.http.signals.reading import Unacceptable

ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
RSA_BITS = range(2048, 8193)
"""Of an RSA key: fewer are too weak (RFC 7518 §3.3), more cost too much for whoever asks."""
LONGEST_HEADER = 4096
"""Characters of a token's header, encoded."""
MOST_TRIED = 4
"""Keys that are tried for a token that does not say which."""

_JWS = jwt.PyJWS()


class UnknownKey(Exception):
    """The issuer, as far as is known, publishes no key that the token may be signed with."""


class Token:
    """A token whose signature is not judged yet. `header` is what it says of itself."""

    def __init__(self, text: str) -> None:
        """Raises `Unacceptable` for what is no token, or is signed in a way that is not taken here."""
        parts = text.split(".")
        if len(parts) != 3 or not text.isascii() or len(parts[0]) > LONGEST_HEADER:
            raise Unacceptable("this is not a signed JSON Web Token")
        self._text = text
        self.header = _object(parts[0])
        self._algorithm = self.header.get("alg")
        if self._algorithm not in ALGORITHMS:
            raise Unacceptable(f"the algorithm must be one of {', '.join(ALGORITHMS)}", "invalid_key")
        if "crit" in self.header or "b64" in self.header:
            raise Unacceptable("the header asks for an extension that is not understood here")
        kid = self.header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Unacceptable("`kid` must be a text")
        self._kid = kid

    def claims(self, published: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What it says, if one of the published keys has signed it.

        Raises:
            UnknownKey: none of them can have; newer ones may.
            Unacceptable: the signature is wrong, or the claims are no JSON object.
        """
        keys = list(self._candidates(published))
        if not keys:
            raise UnknownKey
        for key in keys[:MOST_TRIED]:
            try:
                signed = _JWS.decode_complete(self._text, key, algorithms=[str(self._algorithm)])
            except (jwt.InvalidTokenError, ValueError):
                continue
            return _parsed(signed["payload"])
        raise Unacceptable("the signature is wrong", "invalid_key")

    def _candidates(self, published: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        for members in published:
            if self._kid is not None and members.get("kid") != self._kid:
                continue
            if members.get("use", "sig") != "sig" or members.get("alg", self._algorithm) != self._algorithm:
                continue
            key = _read_key(orjson.dumps(members), str(self._algorithm))
            if key is not None:
                yield key


def usable(members: Mapping[str, Any]) -> bool:
    """Whether a published key is one by which signatures are judged here."""
    named = members.get("alg")
    read = (_read_key(orjson.dumps(members), algorithm) for algorithm in ALGORITHMS if named in (None, algorithm))
    return members.get("use", "sig") == "sig" and any(key is not None for key in read)


@lru_cache(maxsize=256)
def _read_key(members: bytes, algorithm: str) -> Any:
    """The key that a JWK describes, if it is one for this algorithm; else None. Reading one takes longer than judging a
    signature by it, and messages come by the same few."""
    try:
        key = jwt.PyJWK(orjson.loads(members), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None  # of another kind, or broken
    return key if fits(algorithm, key) else None


def fits(algorithm: str, key: object) -> bool:
    """Whether a public key is one for this algorithm, and strong enough."""
    if algorithm in ("RS256", "PS256"):
        return isinstance(key, RSAPublicKey) and key.key_size in RSA_BITS
    if algorithm == "ES256":
        return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    return algorithm == "EdDSA" and isinstance(key, Ed25519PublicKey)


def _object(part: str) -> dict[str, Any]:
    try:
        return _parsed(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        raise Unacceptable("the header of the token cannot be read") from None


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Unacceptable("a part of the token is not a JSON object")
    return value
