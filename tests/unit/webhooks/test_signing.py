"""Signatures, judged by the library of the standard itself."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from enforcer.webhooks.signing import headers, secret_bytes, secret_text

KEYS = st.binary(min_size=24, max_size=64)


@given(keys=st.lists(KEYS, min_size=1, max_size=3, unique=True), body=st.text(max_size=50), stranger=KEYS)
def test_each_secret_verifies(keys: list[bytes], body: str, stranger: bytes) -> None:
    """A message carries a signature for each secret, and no other verifies."""
    text = f'{{"data": {len(body)}}}'
    signed = headers(keys, "app_0011aabb_7", int(time.time()), text.encode())
    assert len(signed["webhook-signature"].split(" ")) == len(keys)
    for key in keys:
        assert Webhook(secret_text(key)).verify(text, signed) == {"data": len(body)}
    if stranger not in keys:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret_text(stranger)).verify(text, signed)


@given(key=KEYS)
def test_a_secret_is_read_as_it_is_written(key: bytes) -> None:
    """There and back."""
    assert secret_bytes(secret_text(key)) == key


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_abc", "whsec_" + "A" * 28, "sec_" + "A" * 44, "whsec_" + "é" * 44]
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    """Too short, without its prefix, not base64."""
    with pytest.raises(ValueError, match="genkey") as refused:
        secret_bytes(text)
    assert text.removeprefix("whsec_")[:8] not in str(refused.value) or len(text) < 15
