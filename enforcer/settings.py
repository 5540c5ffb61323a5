"""What an operator decides: `config.json`, overridden by `ENFORCER_*` in the environment, overridden by flags.

`load` finds every problem at once and never repeats a key. Durations are seconds, as a number or as "90s", "15m",
"8h", "30d" or a sum like "1h30m"; `null` means never where it is allowed.
"""

import difflib
import ipaddress
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from enforcer.cores import usable_cores
from enforcer.deadlines import Rules
from enforcer.errors import ConfigError
from enforcer.redis_address import is_redis, redis_address

ENV_PREFIX = "ENFORCER_"
SAMPLE_AUTHKEY = "replace-me-with-what-enforcer-genkey-prints"
"""Stands in `config.json.example`; a server refuses to start with it."""
MIN_KEY_LENGTH = 32

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "session", "activity", "check", "logout", "message"}
)


def _duration(value: object) -> object:
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
    """As `_duration`; from the environment and flags, "none" stands for `null`."""
    return None if isinstance(value, str) and value.strip().lower() in {"none", "null", ""} else _duration(value)


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
    for origin in values:
        if origin == "*":
            raise ValueError('"*" would let every site on the web in; list the origins of your pages')
        if origin in ("null", "file://"):
            raise ValueError(f"{origin!r} would let any page in that hides where it is from; give the app a scheme")
        if not isinstance(origin, str) or not (_WEB_ORIGIN.fullmatch(origin) or _APP_ORIGIN.fullmatch(origin)):
            raise ValueError(f"{origin!r} is not an origin: scheme://host[:port] in lower case, without a path")
    return tuple(_without_default_port(origin) for origin in values)


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
    for name in values:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name):
            raise ValueError(f"{name!r} is not a host name: no scheme, port, path or *, and IPv6 in brackets")
    return tuple(name.lower() for name in values)


def _networks(value: object) -> object:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise ValueError('a list of addresses or networks like "10.0.0.0/8"')
    for network in values:
        try:
            ipaddress.ip_network(network, strict=False)
        except (ValueError, TypeError):
            raise ValueError(f"{network!r} is not an IP address or network") from None
    return tuple(values)


def _redirects(value: object) -> object:
    if isinstance(value, dict):
        for entry, target in value.items():
            if (
                not isinstance(target, str)
                or not re.match(r"https?://[^/\s\\]|/(?![/\\])", target)
                or re.search(r"[\s\\]", target)
            ):
                raise ValueError(f'the target of {entry!r} must be a path like "/login" or an http(s) address')
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


_Seconds = Annotated[float, Field(ge=1, le=10 * 365 * 86400)]
Duration = Annotated[_Seconds, BeforeValidator(_duration)]
OptionalDuration = Annotated[_Seconds | None, BeforeValidator(_optional_duration)]


class Settings(BaseSettings):
    """Every setting, with its default. `docs/configuration.md` explains each."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", hide_input_in_errors=True, frozen=True, strict=False
    )

    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    ipaddr: str = "0.0.0.0"  # noqa: S104 - the original three settings include where to listen; the docs say so
    authkey: Annotated[tuple[SecretStr, ...] | None, BeforeValidator(_keys)] = None
    authkey_file: Path | None = None
    metrics_key: SecretStr | None = None
    store: Annotated[str, BeforeValidator(_store)] = "sqlite:///enforcer.db"
    workers: Annotated[int, Field(ge=1, le=256), BeforeValidator(_workers)] = 1
    join: Literal["ticket", "open"] = "ticket"
    login_window: Duration = 30.0
    policy: Literal["displace", "reject"] = "displace"
    max_sessions: Annotated[int, Field(ge=1, le=1000)] = 1
    idle_timeout: OptionalDuration = None
    warn_before: Duration = 120.0
    absolute_timeout: OptionalDuration = None
    lost_timeout: OptionalDuration = 30 * 86400.0
    alive_window: Duration = 60.0
    restart_grace: Duration = 60.0
    ack_timeout: Duration = 5.0
    ticket_lifetime: OptionalDuration = None
    retention: OptionalDuration = 90 * 86400.0
    hostnames: Annotated[tuple[str, ...] | None, BeforeValidator(_hostnames)] = None
    origins: Annotated[Literal["same-host"] | tuple[str, ...], BeforeValidator(_origins)] = "same-host"
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_networks)] = ()
    redirects: Annotated[dict[str, str], BeforeValidator(_redirects)] = Field(default_factory=dict)
    max_connections: Annotated[int, Field(ge=1)] = 100_000
    max_connections_per_room: Annotated[int, Field(ge=1)] = 100
    max_connections_per_ip: Annotated[int, Field(ge=1)] | None = None
    max_message_size: Annotated[int, Field(ge=1024, le=1_000_000)] = 16_384
    max_header_size: Annotated[int, Field(ge=8192, le=1_000_000)] = 65_536
    event_name: Annotated[str, Field(min_length=1, max_length=64)] = "force-logout"
    log_format: Literal["text", "json"] = "text"
    demo: bool = False

    @property
    def authkeys(self) -> tuple[str, ...]:
        """The keys in clear, the signing one first. Never log or show them."""
        return tuple(k.get_secret_value() for k in self.authkey or ())

    @property
    def metrics_keys(self) -> tuple[str, ...]:
        """The metrics_key in clear, if there is one. Never log or show it."""
        return () if self.metrics_key is None else (self.metrics_key.get_secret_value(),)

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every key in clear. Each opens `/metrics`, and none may stand in a URL."""
        return self.authkeys + self.metrics_keys

    @property
    def rules(self) -> Rules:
        """The part of the settings that decides about sessions."""
        return Rules(
            join=self.join,
            login_window=self.login_window,
            policy=self.policy,
            max_sessions=self.max_sessions,
            idle_timeout=self.idle_timeout,
            absolute_timeout=self.absolute_timeout,
            lost_timeout=self.lost_timeout,
            alive_window=self.alive_window,
        )


def load(
    path: Path | None, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings from a file (if any), the environment and flags, in rising precedence.

    Raises:
        ConfigError: with every problem, each a sentence without any key in it.
    """
    variables = os.environ if environ is None else environ
    problems: list[str] = []
    values = _read_file(path, problems) if path is not None else {}
    overrides = {name: _flag(name, value) for name, value in (flags or {}).items() if value is not None}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            environment = EnvSettingsSource(settings_cls)
            environment.env_vars = {k.lower(): v for k, v in variables.items()}
            return init_settings, environment, InitSettingsSource(settings_cls, init_kwargs=values)

    settings: Settings | None = None
    try:
        settings = Loaded(**overrides)
    except ValidationError as e:
        problems += _sentences(e)
    except SettingsError as e:
        field = re.search(r'field "(\w+)"', str(e))
        name = field.group(1) if field else "a setting"
        problems.append(f"{name}: its value in the environment is not valid JSON")
    if settings is not None:
        settings = _with_keys(settings, path, problems)
        if settings.workers > 1 and not is_redis(settings.store):
            problems.append("workers: more than one process needs a store that they can share; set `store` to a Redis")
        if settings.event_name in _RESERVED_EVENTS:
            problems.append(f"event_name: {settings.event_name!r} is taken by the protocol; choose another")
    if problems or settings is None:
        raise ConfigError(problems)
    return settings


def warnings(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """What works but deserves a second thought; `enforcer check-config` and the start print it."""
    environ = os.environ if environ is None else environ
    found = []
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX) and name[len(ENV_PREFIX) :].lower() not in Settings.model_fields:
            setting = name[len(ENV_PREFIX) :].lower()
            found.append(f"{name} in the environment names no setting{_did_you_mean(setting, Settings.model_fields)}")
    if settings.idle_timeout is not None or settings.absolute_timeout is not None:
        if settings.warn_before < 20:
            found.append(f"warn_before {settings.warn_before:g} s is shorter than the 20 s that WCAG 2.2.1 asks for")
        shortest = min(t for t in (settings.idle_timeout, settings.absolute_timeout) if t is not None)
        if settings.warn_before >= shortest:
            found.append(f"warn_before {settings.warn_before:g} s is not shorter than the time-out of {shortest:g} s")
    found += [
        f"{name} has few different characters; `enforcer genkey` makes a strong one"
        for name, keys in _named_keys(settings).items()
        if any(len(set(key)) < 10 for key in keys)
    ]
    if settings.join == "open":
        found.append("join is open: whoever knows a user's name can listen for that user's logouts")
    rebinding = settings.origins == "same-host" and settings.hostnames is None and not _is_loopback(settings.ipaddr)
    if rebinding and (settings.join == "open" or settings.demo):
        found.append(
            "origins is same-host, and anybody may connect: any site can lead its own name here (DNS rebinding) and so"
            " become the same host; set `hostnames` to the names of this server, or `origins` to a list"
        )
    if settings.demo:
        found.append("demo is on: anyone who reaches the server can use /demo; leave it off in production")
    if settings.store == "memory://":
        found.append("store is memory://: every session is forgotten at a restart")
    return found


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def readable_by_others(path: Path) -> bool:
    """Whether every user of the machine may read the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH)


def _read_file(path: Path, problems: list[str]) -> dict[str, Any]:
    """The members of a configuration file; what is wrong with it goes to `problems`."""
    try:
        text = path.read_text(encoding="utf-8")
        exposed = readable_by_others(path)
        values = json.loads(text)
    except FileNotFoundError:
        problems.append(f"{path} does not exist; copy config.json.example, or give --config FILE")
        return {}
    except (OSError, UnicodeDecodeError) as e:
        problems.append(f"{path} cannot be read: {e.strerror if isinstance(e, OSError) else 'not UTF-8'}")
        return {}
    except (ValueError, RecursionError) as e:
        where = f" (line {e.lineno}, column {e.colno}: {e.msg})" if isinstance(e, json.JSONDecodeError) else ""
        problems.append(f"{path} is not JSON{where}")
        return {}
    if not isinstance(values, dict):
        problems.append(f"{path} must hold a JSON object")
        return {}
    if exposed and any(values.get(name) is not None for name in ("authkey", "metrics_key")):
        problems.append(f"{path} holds a key and every user of this machine can read it; run: chmod 600 {path}")
    return values


def _flag(name: str, value: Any) -> Any:
    """A flag's text as its setting wants it: lists and objects are written as JSON."""
    if (
        isinstance(value, str)
        and name in {"origins", "hostnames", "trusted_proxies", "redirects"}
        and value[:1] in "[{"
    ):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _with_keys(settings: Settings, path: Path | None, problems: list[str]) -> Settings:
    """Reads `authkey_file` and judges the keys."""
    if settings.authkey_file is not None:
        if settings.authkey is not None:
            problems.append("authkey and authkey_file are both set; keep one")
            return settings
        file = settings.authkey_file
        if path is not None and not file.is_absolute():
            file = path.parent / file
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
            if readable_by_others(file):
                problems.append(f"authkey_file {file} can be read by every user of this machine; run: chmod 600 {file}")
        except (OSError, UnicodeDecodeError) as e:
            problems.append(
                f"authkey_file {file} cannot be read: {e.strerror if isinstance(e, OSError) else 'not UTF-8'}"
            )
            return settings
        if not 1 <= len(lines) <= 2:
            problems.append(f"authkey_file {file} must hold one key, or two while rotating, a line each")
            return settings
        settings = settings.model_copy(update={"authkey": tuple(SecretStr(line) for line in lines)})
    if not settings.authkeys:
        problems.append("authkey is missing; run `enforcer genkey` and put its output into the configuration")
    for name, keys in _named_keys(settings).items():
        for key in keys:
            problems.extend(_wrong_with(name, key))
    if set(settings.metrics_keys) & set(settings.authkeys):
        problems.append("metrics_key is an authkey too; run `enforcer genkey` and give it one of its own")
    return settings


def _named_keys(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The keys in clear by their settings."""
    return {"authkey": settings.authkeys, "metrics_key": settings.metrics_keys}


def _wrong_with(name: str, key: str) -> Iterator[str]:
    if key == SAMPLE_AUTHKEY:
        yield f"{name} is still the sample value; run `enforcer genkey` and put its output there"
    elif len(key) < MIN_KEY_LENGTH:
        yield f"{name} has {len(key)} characters, at least {MIN_KEY_LENGTH} are needed; run `enforcer genkey`"
    elif not key.isascii() or not key.isprintable() or key != key.strip() or " " in key:
        yield f"{name} must be printable ASCII without spaces, so that it fits into a header"


def _sentences(error: ValidationError) -> list[str]:
    """Each validation error as one sentence; never the value, which may be a key."""
    sentences = []
    for e in error.errors(include_url=False, include_input=False):
        name = str(e["loc"][0]) if e["loc"] else "the configuration"
        if e["type"] == "extra_forbidden":
            sentences.append(f"{name!r} is not a setting{_did_you_mean(name, Settings.model_fields)}")
        else:
            message = e["msg"].removeprefix("Value error, ")
            sentences.append(f"{name}: {message[:1].lower() + message[1:]}")
    return list(dict.fromkeys(sentences))


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
