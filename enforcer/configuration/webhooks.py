"""The setting `webhooks`: who is told what has happened."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from enforcer import protocol
from enforcer.webhooks.signing import secret_bytes

MOST_SECRETS = 4
"""Secrets of one hook: each adds a signature to every message."""


def _url(value: str) -> str:
    problem = ValueError('an address like "https://app.example/hooks": http(s), without a user, a fragment or blanks')
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise problem from None
    if sound and re.fullmatch(r"[0-9.]+", parts.hostname or ""):
        sound = _is_ipv4(parts.hostname or "")  # "127.1" is one, too, for some
    if not sound or "@" in parts.netloc or "#" in value or not value.isascii() or re.search(r"[\s\\]", value):
        raise problem
    return value


def _is_ipv4(text: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def _secrets(value: object) -> object:
    values = [value] if isinstance(value, str | SecretStr) else value
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MOST_SECRETS:
        raise ValueError(f"give one secret, or a list of up to {MOST_SECRETS} while it is changed")
    for secret in values:
        text = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        if not isinstance(text, str):
            raise ValueError("a secret is a text")
        secret_bytes(text)
    return tuple(values)


def _events(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("a list of names; leave it out for all of them")
    known = tuple(protocol.HAPPENINGS.values())
    if unknown := [name for name in value if name not in known]:
        raise ValueError(f"{unknown[0]!r} is no event; there are {', '.join(known)}")
    return tuple(value)


class Webhook(BaseModel):
    """One receiver. It is known by its name: what it was sent, and what it still owes, belongs to that."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]
    """1 to 64 of a-z 0-9 . _ -"""
    url: Annotated[str, AfterValidator(_url)]
    """where events are sent"""
    secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)]
    """what they are signed with; a list while it is changed"""
    events: Annotated[tuple[str, ...] | None, BeforeValidator(_events)] = None
    """which ones; none: all"""
    rooms: Annotated[str, Field(max_length=256)] = ""
    """how the rooms begin whose events are sent"""
    allow_private: Annotated[bool, Field(strict=True)] = False
    """whether the address may be one that is not public"""

    @property
    def secrets(self) -> tuple[str, ...]:
        """In clear. Never log or show them."""
        return tuple(secret.get_secret_value() for secret in self.secret)

    def wants(self, event: str, room: str) -> bool:
        """Whether an event of a room is for this receiver."""
        return (self.events is None or event in self.events) and room.startswith(self.rooms)


def listed(value: object) -> object:
    """The list, each name once."""
    if value is None or value == "null":
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError('a list of objects like [{"name": "app", "url": "https://…", "secret": "whsec_…"}]')
    names = [row.get("name") if isinstance(row, dict) else getattr(row, "name", None) for row in value]
    if twice := [name for n, name in enumerate(names) if isinstance(name, str) and name in names[:n]]:
        raise ValueError(f"{twice[0]!r} is the name of two hooks")
    return tuple(value)
