"""What an operator decides. `configuration` reads it from a file, the environment and flags.

Durations are seconds, as a number or as "90s", "15m",
"8h", "30d" or a sum like "1h30m"; `null` means never where it is allowed.
"""

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    SettingsConfigDict,
)

from enforcer import protocol
from enforcer.configuration.signals import SignalSettings, signals_of
from enforcer.configuration.webhooks import Webhook, listed
from enforcer.domain.permissions import EVERYTHING, Caller, May
from enforcer.domain.rules import Limits, Rules
from enforcer.process.cores import usable_cores
from enforcer.store.redis.address import is_redis, redis_address

ENV_PREFIX = "ENFORCER_"
SAMPLE_AUTHKEY = "replace-me-with-what-enforcer-genkey-prints"
"""Stands in `config.json.example`; a server refuses to start with it."""
MIN_KEY_LENGTH = 32

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "session", "activity", "check", "logout", "drain", "message"}
)


class Several(ValueError):
    """Problems of one setting, a sentence each."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = tuple(sentences)


def _raise_all(sentences: Iterable[str]) -> None:
    if found := tuple(sentences):
        raise Several(found)


def duration(value: object) -> object:
    """Seconds from a number, a digit string or "1h30m"."""
    if isinstance(value, bool):
        raise ValueError('a duration is a number of seconds or a text like "15m"')
    if isinstance(value, str):
        text = value.strip().lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        if not _DURATION.fullmatch(text):
            raise ValueError('a duration is a number of seconds or a text like "90s", "15m", "1h30m", "30d"')
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))
    return value


def _optional_duration(value: object) -> object:
    """As `duration`; from the environment and flags, "none" stands for `null`."""
    return None if isinstance(value, str) and value.strip().lower() in {"none", "null", ""} else duration(value)


def _keys(value: object) -> object:
    """One key or a list of two; from the environment a JSON list works too."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and not 1 <= len(value) <= 2:
        raise ValueError("give one key, or a list of two while rotating (the first signs)")
    if not isinstance(value, list | tuple | None):
        raise ValueError("a key is a text")
    return value


_WEB_ORIGIN = re.compile(r"https?://(?:[a-z0-9.\-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
_APP_ORIGIN = re.compile(
    r"(?!https?:|wss?:|file:|data:|javascript:)[a-z][a-z0-9+.\-]*://[A-Za-z0-9._~\-]+(?::\d{1,5})?"
)
"""What apps and extensions of browsers send: `capacitor://localhost`, `chrome-extension://…`."""


def _origins(value: object) -> object:
    if value == "same-host":
        return value
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise ValueError('"same-host" or a list of origins like "https://app.example"')
    _raise_all(problem for origin in values if (problem := _wrong_with_origin(origin)))
    return tuple(_without_default_port(origin) for origin in values)


def _wrong_with_origin(origin: object) -> str | None:
    if origin == "*":
        return '"*" would let every site on the web in; list the origins of your pages'
    if origin in ("null", "file://"):
        return f"{origin!r} would let any page in that hides where it is from; give the app a scheme"
    if not isinstance(origin, str) or not (_WEB_ORIGIN.fullmatch(origin) or _APP_ORIGIN.fullmatch(origin)):
        return f"{origin!r} is not an origin: scheme://host[:port] in lower case, without a path"
    return None


def _without_default_port(origin: str) -> str:
    """As browsers write it (RFC 6454 §6.2); with the port it would match none."""
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin


def _hostnames(value: object) -> object:
    if value is None or value == "null":
        return None
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not values:
        raise ValueError('a list of names like ["app.example"]; leave it out to answer for any')
    _raise_all(
        f"{name!r} is not a host name: no scheme, port, path or *, and IPv6 in brackets"
        for name in values
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name)
    )
    return tuple(name.lower() for name in values)


def _networks(value: object) -> object:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise ValueError('a list of addresses or networks like "10.0.0.0/8"')
    _raise_all(f"{n!r} is not an IP address or network" for n in values if not _is_network(n))
    return tuple(values)


def _is_network(value: object) -> bool:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_network(value, strict=False))
    return False


def _redirects(value: object) -> object:
    if isinstance(value, dict):
        _raise_all(
            f'the target of {entry!r} must be a path like "/login" or an http(s) address'
            for entry, target in value.items()
            if not isinstance(target, str)
            or not re.match(r"https?://[^/\s\\]|/(?![/\\])", target)
            or re.search(r"[\s\\]", target)
        )
    return value


def _login_url(value: str | None) -> str | None:
    if value is not None:
        _redirects({"login_url": value})
    return value


def _workers(value: object) -> object:
    """A number, or `auto`: one for each processor that this process may use."""
    if value == "auto":
        return usable_cores()
    return value


def _store(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('a store is a text like "sqlite:///enforcer.db"')
    if value == "memory://":
        return value
    if is_redis(value):
        redis_address(value)
        return value
    if not value.startswith("sqlite:///") or value == "sqlite:///":
        raise ValueError(
            'use "sqlite:///enforcer.db", "sqlite:////var/lib/enforcer/enforcer.db", "redis://host:6379" or "memory://"'
        )
    if ":memory:" in value:
        raise ValueError('for a store without a file use "memory://"')
    return value


LONGEST = 10 * 365 * 86400.0
"""Seconds of the longest duration; the shortest is one."""
_Seconds = Annotated[float, Field(ge=1, le=LONGEST)]
Duration = Annotated[_Seconds, BeforeValidator(duration)]
OptionalDuration = Annotated[_Seconds | None, BeforeValidator(_optional_duration)]
Drain = Annotated[float, Field(ge=0, le=3600), BeforeValidator(duration)]


class SlotSettings(BaseModel):
    """What holds in one slot; a member that is left out is as the setting of its name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    max_sessions: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    policy: Literal["displace", "reject"] = "displace"
    idle_timeout: OptionalDuration = None
    absolute_timeout: OptionalDuration = None
    warn_before: Duration = 120.0


def _slots(value: object) -> object:
    if value is None or value == "null":
        return {}
    if not isinstance(value, dict):
        raise ValueError('an object like {"mobile": {"max_sessions": 1}}')
    _raise_all(
        f"{name!r} is not a name for a slot: 1 to 64 of A-Z a-z 0-9 . _ -"
        for name in value
        if not protocol.valid_slot(name)
    )
    return value


def _may(value: object) -> object:
    known = ", ".join(May)
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"a list of what the key is for: {known}")
    unknown = [one for one in value if one not in list(May)]
    _raise_all(
        f"{one!r} is nothing that a key may do; there are {known}"
        if isinstance(one, str) and re.fullmatch("[a-z_-]{1,16}", one)  # else it may be a key
        else f"what a key may do is one of {known}"
        for one in unknown
    )
    return tuple(value)


def _rooms(value: object) -> object:
    if value in (None, ""):
        return ""
    if not protocol.valid_room(value):
        raise ValueError("how the rooms begin that the key sees: 1 to 256 characters, without control characters")
    return value


class KeySettings(BaseModel):
    """A key of one application: what it may do, and in which rooms."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]
    key: Annotated[tuple[SecretStr, ...] | None, BeforeValidator(_keys)] = None
    key_file: Path | None = None
    may: Annotated[tuple[May, ...], BeforeValidator(_may)]
    rooms: Annotated[str, BeforeValidator(_rooms)] = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """In clear. Never log or show them."""
        return tuple(k.get_secret_value() for k in self.key or ())

    @property
    def caller(self) -> Caller:
        """Whoever shows it."""
        return Caller(self.name, frozenset(self.may), self.rooms)


def _list_of_keys(value: object) -> object:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError('a list like [{"name": "shop", "key": "…", "may": ["login", "validate"], "rooms": "shop:"}]')
    return value


def _named(keys: tuple[KeySettings, ...]) -> tuple[KeySettings, ...]:
    names = [key.name for key in keys]
    _raise_all(f"two keys have the name {name!r}" for name in sorted({n for n in names if names.count(n) > 1}))
    return keys


class ForwardAuth(BaseModel):
    """How a reverse proxy may ask whether a request's session is live."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    cookie: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")] = "enforcer_proxy"
    """the cookie with the proxy ticket"""
    activity: bool = False
    """whether a request that comes through counts as activity of the human"""
    login_url: Annotated[str | None, AfterValidator(_login_url)] = None
    """where to send visitors without a live session that has an `entry`"""


class Settings(BaseSettings):
    """Every setting, with its default and what `enforcer --help` says of it. `docs/configuration.md` explains each."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        hide_input_in_errors=True,
        frozen=True,
        strict=False,
        use_attribute_docstrings=True,
    )

    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """TCP port; 0 takes a free one"""
    ipaddr: str = "0.0.0.0"  # noqa: S104 - the original three settings include where to listen; the docs say so
    """address to listen on; 127.0.0.1 is this machine only, 0.0.0.0 everybody who can reach it"""
    authkey: Annotated[tuple[SecretStr, ...] | None, BeforeValidator(_keys)] = None
    """what app servers show, at least 32 characters; or a list of two while it is changed, the first signs"""
    authkey_file: Path | None = None
    """a file with the authkey, or two, a line each; instead of authkey"""
    metrics_key: SecretStr | None = None
    """a key that may do nothing but open /metrics"""
    keys: Annotated[tuple[KeySettings, ...], BeforeValidator(_list_of_keys), AfterValidator(_named)] = ()
    """keys of single applications: a name, the key or key_file, what it may, and the rooms that it sees"""
    internal_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """a TCP port of its own for app servers, metrics, proxies and the console; port then serves pages alone"""
    internal_ipaddr: str | None = None
    """address to listen on with internal_port; none: ipaddr"""
    store: Annotated[str, BeforeValidator(_store)] = "sqlite:///enforcer.db"
    """sqlite:///FILE, sqlite:////absolute/FILE, redis://HOST:PORT/DB, or memory:// which forgets"""
    workers: Annotated[int, Field(ge=1, le=256), BeforeValidator(_workers)] = 1
    """processes on one port, or auto for one a processor; more than one needs Redis"""
    join: Literal["ticket", "open"] = "ticket"
    """ticket: a page shows the ticket of its login; open: a page names its room"""
    login_window: Duration = 30.0
    """with open: how far a login and its page's first connection may lie apart"""
    policy: Literal["displace", "reject"] = "displace"
    """displace: the newest login stays; reject: while others are alive a login is refused"""
    max_sessions: Annotated[int, Field(ge=1, le=1000)] = 1
    """live logins of one user"""
    slots: Annotated[dict[str, SlotSettings], BeforeValidator(_slots)] = Field(default_factory=dict)
    """groups of sessions that compete only with each other, by name, each with limits of its own"""
    idle_timeout: OptionalDuration = None
    """ends a session after so long without human activity"""
    warn_before: Duration = 120.0
    """how long before an end by time the page warns"""
    absolute_timeout: OptionalDuration = None
    """ends a session so long after its login, whatever happens"""
    lost_timeout: OptionalDuration = 30 * 86400.0
    """ends a session after so long without any sign of life"""
    alive_window: Duration = 60.0
    """how long after its last sign of life a session counts as alive"""
    restart_grace: Duration = 60.0
    """after a start nothing ends as idle or lost for so long"""
    ack_timeout: Duration = 5.0
    """how long a page has to confirm its end before its socket is cut"""
    ticket_lifetime: OptionalDuration = None
    """ends a ticket before its session; the page is sent fresh ones"""
    retention: OptionalDuration = 90 * 86400.0
    """how long the records of ended sessions are kept"""
    hostnames: Annotated[tuple[str, ...] | None, BeforeValidator(_hostnames)] = None
    """names under which the server answers, exactly; none: any"""
    origins: Annotated[Literal["same-host"] | tuple[str, ...], BeforeValidator(_origins)] = "same-host"
    """whose pages may connect: same-host, or a list of exact origins"""
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_networks)] = ()
    """addresses or networks of your reverse proxies, whose X-Forwarded-For is believed"""
    redirects: Annotated[dict[str, str], BeforeValidator(_redirects)] = Field(default_factory=dict)
    """where a page goes after its end, by the entry of its login"""
    max_connections: Annotated[int, Field(ge=1)] = 100_000
    """sockets of the process"""
    max_connections_per_room: Annotated[int, Field(ge=1)] = 100
    """sockets of one user"""
    max_connections_per_ip: Annotated[int, Field(ge=1)] | None = None
    """sockets of one address"""
    max_message_size: Annotated[int, Field(ge=1024, le=1_000_000)] = 16_384
    """bytes of one message from a page"""
    max_header_size: Annotated[int, Field(ge=8192, le=1_000_000)] = 65_536
    """bytes of the head of a request"""
    max_streams: Annotated[int, Field(ge=1, le=10_000)] = 100
    """readers of the stream of the process"""
    cache_mb: Annotated[int, Field(ge=1, le=100_000)] = 32
    """memory for sessions that app servers have asked about"""
    forward_auth: ForwardAuth | None = None
    """answers reverse proxies at /forward-auth"""
    signals: Annotated[dict[str, SignalSettings], BeforeValidator(signals_of)] = Field(default_factory=dict)
    """identity providers that may end sessions, by name"""
    webhooks: Annotated[tuple[Webhook, ...], BeforeValidator(listed)] = ()
    """who is told what has happened, each with a name, an address and a secret"""
    event_name: Annotated[str, Field(min_length=1, max_length=64)] = "force-logout"
    """the name of the event that ends a page"""
    drain_delay: Drain = 0.0
    """after SIGTERM: how long everything is served on while /readyz says 503"""
    drain_window: Drain = 0.0
    """after drain_delay: the time over which sockets are closed evenly"""
    log_format: Literal["text", "json"] = "text"
    """lines of the log on stderr"""
    device_ends: Literal["elevated", "ticket", "off"] = "elevated"
    """what a page shows to end other sessions of its user: elevated, an elevated ticket; ticket, its own; off, never"""
    demo: bool = False
    """serves the demo page"""

    @property
    def internal(self) -> tuple[str, int] | None:
        """Where to listen for app servers, if they have a port of their own."""
        return None if self.internal_port is None else (self.internal_ipaddr or self.ipaddr, self.internal_port)

    @property
    def authkeys(self) -> tuple[str, ...]:
        """The keys in clear, the signing one first. Never log or show them."""
        return tuple(k.get_secret_value() for k in self.authkey or ())

    @property
    def metrics_keys(self) -> tuple[str, ...]:
        """The metrics_key in clear, if there is one. Never log or show it."""
        return () if self.metrics_key is None else (self.metrics_key.get_secret_value(),)

    @property
    def named_keys(self) -> dict[str, tuple[str, ...]]:
        """The keys in clear by their settings. Never log or show them."""
        named = {f"keys.{key.name}": key.secrets for key in self.keys}
        return {"authkey": self.authkeys, "metrics_key": self.metrics_keys, **named}

    @property
    def callers(self) -> dict[str, Caller]:
        """Who each key in clear stands for. Never log or show the keys."""
        return {
            **dict.fromkeys(self.authkeys, Caller(None, EVERYTHING)),
            **dict.fromkeys(self.metrics_keys, Caller("metrics_key", frozenset({May.METRICS}))),
            **{secret: key.caller for key in self.keys for secret in key.secrets},
        }

    @property
    def rules(self) -> Rules:
        """The part of the settings that decides about sessions."""
        usual = {name: getattr(self, name) for name in SlotSettings.model_fields}
        slots = {name: Limits(**usual | slot.model_dump(exclude_unset=True)) for name, slot in self.slots.items()}
        return Rules(
            **usual,
            join=self.join,
            login_window=self.login_window,
            lost_timeout=self.lost_timeout,
            alive_window=self.alive_window,
            slots={} if self.join == "open" else slots,
        )
