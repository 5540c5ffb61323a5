"""The setting `signals`: which identity providers may end sessions, each with what it shows to be believed."""

import re
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

INSTALL = 'pip install "session-enforcer[signals]"'
SHORTEST_KEY = 32
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}")

Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def _keys(value: object) -> object:
    """One key, or a list of two while it is changed."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and not 1 <= len(value) <= 2:
        raise ValueError("give one key, or a list of two while it is changed")
    return value


Key = Annotated[tuple[SecretStr, ...], BeforeValidator(_keys)]


class _Signal(BaseModel):
    """What all kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    jwks_uri: Text | None = None
    """where the issuer's keys are; none: as it describes itself"""
    allow_http: bool = False
    """the issuer may be asked without TLS: for a test set-up"""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that open it, in clear; never log or show them."""
        return tuple(key.get_secret_value() for key in getattr(self, "key", None) or ())

    @property
    def verifies(self) -> bool:
        """Whether it judges signatures."""
        return getattr(self, "issuer", None) is not None

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name in ("issuer", "jwks_uri"):
            address = getattr(self, name, None)
            if address is not None:
                _judge_address(name, address, self.allow_http)
        return self


class BackchannelLogout(_Signal):
    """OpenID Connect Back-Channel Logout 1.0: a logout token of the issuer."""

    kind: Literal["backchannel-logout"]
    issuer: Text
    client_id: Text
    typ: Literal["optional", "required"] = "optional"


class TokenRevocation(_Signal):
    """Global Token Revocation: whoever shows the key, or a credential that the issuer has signed for the audience."""

    kind: Literal["token-revocation"]
    key: Key | None = None
    issuer: Text | None = None
    audience: Text | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.key is None) == (self.issuer is None) or (self.issuer is None) != (self.audience is None):
            raise ValueError("give either `key`, or `issuer` and `audience`")
        return self


class Caep(_Signal):
    """Security event tokens of the issuer for the audience; with a `key`, the transmitter shows that as well."""

    kind: Literal["caep"]
    issuer: Text
    audience: Text
    key: Key | None = None


SignalSettings = BackchannelLogout | TokenRevocation | Caep
_ONE: TypeAdapter[SignalSettings] = TypeAdapter(Annotated[SignalSettings, Field(discriminator="kind")])


def _judge_address(name: str, address: str, allow_http: bool) -> None:
    schemes = ("https", "http") if allow_http else ("https",)
    try:
        split = urlsplit(address)
        good = split.hostname and split.username is None and not split.fragment and split.port != 0
    except ValueError:
        good = False
    if not good or not address.isprintable() or " " in address or (name == "issuer" and "?" in address):
        raise ValueError(f"{name} must be an address like https://idp.example/realms/one")
    if split.scheme not in schemes:
        raise ValueError(f"{name} must be https; `allow_http`: true lets a test set-up do without")


def signals_of(value: object) -> object:
    """The signals by their names. Raises `ValueError` with `sentences`, one for each thing that is wrong."""
    from enforcer.configuration.settings import Several  # which needs this module

    if value is None or value == "null":
        return {}
    if not isinstance(value, dict):
        raise ValueError('an object like {"keycloak": {"kind": "backchannel-logout", "issuer": …, "client_id": …}}')
    found: dict[str, SignalSettings] = {}
    sentences: list[str] = []
    for name, members in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            sentences.append(f"{name!r} is not a name for a signal: 1 to 64 of A-Z a-z 0-9 . _ -")
            continue
        try:
            found[name] = _ONE.validate_python(members)
        except ValidationError as e:
            sentences += [f"{name}: {told}" for told in _told(e)]
    if sentences:
        raise Several(sentences)
    return found


def _told(error: ValidationError) -> Iterator[str]:
    """Never the value, which may be a key."""
    for e in error.errors(include_url=False, include_input=False):
        member = str(e["loc"][1]) if len(e["loc"]) > 1 else None
        match e["type"]:
            case "union_tag_not_found" | "union_tag_invalid":
                yield "`kind` must be backchannel-logout, token-revocation or caep"
            case "extra_forbidden":
                yield f"{member!r} is not a member of this kind"
            case "missing":
                yield f"`{member}` is missing"
            case _:
                message = str(e["msg"]).removeprefix("Value error, ")
                yield message if member is None else f"`{member}`: {message[:1].lower()}{message[1:]}"


def wrong_with(
    signals: Mapping[str, SignalSettings], join: str, others: Collection[str], *, extra: bool | None = None
) -> Iterator[str]:
    """What keeps these signals from being served, a sentence each. `others` are the keys in clear that open anything
    else. `extra` says whether what judges signatures is installed; None: look."""
    if not signals:
        return
    if join == "open":
        yield 'signals: with `join` "open" pages make sessions that no signal can name; use tickets, or leave it out'
    installed = find_spec("jwt") is not None and find_spec("cryptography") is not None if extra is None else extra
    if any(signal.verifies for signal in signals.values()) and not installed:
        yield f"signals: signatures cannot be judged without PyJWT and cryptography; run: {INSTALL}"
    taken = set(others)
    for name, signal in signals.items():
        for key in signal.keys:
            if len(key) < SHORTEST_KEY:
                yield (
                    f"signals: {name}: `key` has {len(key)} characters, at least {SHORTEST_KEY} are needed; "
                    "run `enforcer genkey`"
                )
            elif not key.isascii() or not key.isprintable() or " " in key:
                yield f"signals: {name}: `key` must be printable ASCII without spaces, so that it fits into a header"
            elif key in taken:
                yield f"signals: {name}: `key` opens something else, too; run `enforcer genkey` and give it its own"
        taken |= set(signal.keys)


def holds_key(value: Any) -> bool:
    """Whether the setting, as it was written, has a key in it."""
    return isinstance(value, dict) and any(isinstance(s, dict) and s.get("key") is not None for s in value.values())
