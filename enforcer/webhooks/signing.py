"""Signatures by Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks). Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def secret_bytes(text: str) -> bytes:
    """The key that a secret stands for: base64 behind `whsec_`. Raises ValueError, which repeats nothing of it."""
    if not text.startswith(PREFIX):
        raise ValueError(f'a secret begins with "{PREFIX}"; run `enforcer genkey --webhook`')
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(
            f"behind {PREFIX} a secret is base64 with its padding; run `enforcer genkey --webhook`"
        ) from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a secret stands for {SHORTEST} to {LONGEST} bytes; run `enforcer genkey --webhook`")
    return key


def secret_text(key: bytes) -> str:
    """The secret that stands for a key."""
    return PREFIX + base64.b64encode(key).decode()


def headers(secrets: Iterable[bytes], id_: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a message that is sent at `at` (Unix seconds), with a signature for each secret."""
    content = f"{id_}.{at}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in secrets)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
