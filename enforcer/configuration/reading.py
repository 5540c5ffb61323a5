"""Reads the configuration: `config.json`, overridden by `ENFORCER_*` in the environment, overridden by flags.

`load` finds every problem in one pass and never repeats a key.
"""

import difflib
import json
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from enforcer.configuration import signals
from enforcer.configuration import text as config_text
from enforcer.configuration.settings import (
    ENV_PREFIX,
    MIN_KEY_LENGTH,
    RESERVED_EVENTS,
    SAMPLE_AUTHKEY,
    ForwardAuth,
    KeySettings,
    Settings,
    Several,
    SlotSettings,
)
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.errors import ConfigError
from enforcer.store.redis.address import is_redis

_ALL = "the configuration"
_PARTS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "slots": ("a slot", SlotSettings),
    "keys": ("a key", KeySettings),
    "forward_auth": ("it", ForwardAuth),
    "webhooks": ("a webhook", Webhook),
}
"""Settings that have members: what these are members of."""
_JSON_FLAGS = frozenset({"origins", "hostnames", "trusted_proxies", "redirects", "slots", "forward_auth"})


def load(
    path: Path | None, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings from a file (if any), the environment and flags, in rising precedence.

    Raises:
        ConfigError: with every problem, each a sentence without any key in it.
    """
    variables = dict(os.environ if environ is None else environ)
    problems: list[str] = []
    values = _read_file(path, problems) if path is not None else {}
    overrides = {name: _flag(name, value) for name, value in (flags or {}).items() if value is not None}
    settings, refused = _validated(overrides, variables, values or {}, problems)
    if values is None:
        refused |= {"authkey"}  # whether it has one is not known
    settings = _with_keys(settings, path, problems, refused)
    if not refused & {"workers", "store"} and settings.workers > 1 and not is_redis(settings.store):
        problems.append("workers: more than one process needs a store that they can share; set `store` to a Redis")
    if settings.slots and settings.join == "open":
        problems.append('slots: with `join` "open" a page names no more than its room; use tickets, or leave slots out')
    if settings.forward_auth is not None and settings.join == "open":
        problems.append('forward_auth: with `join` "open" there are no tickets that a proxy could show')
    problems += signals.wrong_with(settings.signals, settings.join, settings.callers)
    if settings.internal_port is None:
        if settings.internal_ipaddr is not None:
            problems.append("internal_ipaddr: it is the address of `internal_port`, which is not set")
    elif settings.internal_port and settings.internal_port == settings.port:
        problems.append("internal_port: it is `port` too; requests are told apart by their ports, so give it another")
    if settings.event_name in RESERVED_EVENTS:
        problems.append(f"event_name: {settings.event_name!r} is taken by the protocol; choose another")
    if problems:
        raise ConfigError(problems)
    return settings


def _validated(
    overrides: dict[str, Any], variables: dict[str, str], values: dict[str, Any], problems: list[str]
) -> tuple[Settings, set[str]]:
    """The settings, those that are refused at their defaults; and which these are, with their `problems`."""
    refused: set[str] = set()

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

    while True:
        wrong: set[str] = set()
        try:
            return Loaded(**overrides), refused
        except ValidationError as e:
            problems += _sentences(e)
            wrong = {str(error["loc"][0]) for error in e.errors(include_url=False, include_input=False)}
        except SettingsError as e:
            field = re.search(r'field "(\w+)"', str(e))
            wrong = {field.group(1) if field else ""}
            problems.append(f"{''.join(wrong) or 'a setting'}: its value in the environment is not valid JSON")
        refused |= wrong
        size = len(overrides) + len(variables) + len(values)
        for given in (overrides, values):
            for name in wrong & given.keys():
                del given[name]
        for name in [n for n in variables if n.lower().removeprefix(ENV_PREFIX.lower()) in wrong]:
            del variables[name]
        if size == len(overrides) + len(variables) + len(values):  # nothing is left to take away
            raise ConfigError(problems)


def readable_by_others(path: Path) -> bool:
    """Whether every user of the machine may read the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH)


def _read_file(path: Path, problems: list[str]) -> dict[str, Any] | None:
    """The members of a configuration file; None, with a problem, if it cannot be read."""
    try:
        raw = path.read_bytes()
        exposed = readable_by_others(path)
        values = config_text.members(raw.decode().removeprefix(config_text.BOM))
    except FileNotFoundError:
        problems.append(
            f"{path} does not exist; `enforcer init` writes one; or copy config.json.example, or give --config FILE"
        )
        return None
    except OSError as e:
        problems.append(f"{path} cannot be read: {e.strerror}")
        return None
    except UnicodeDecodeError:
        problems.append(f"{path} cannot be read: not UTF-8; save it as UTF-8")
        return None
    except config_text.NotAConfiguration as e:
        problems.append(f"{path} is not JSON that can be used: {e}")
        return None
    if exposed and (_holds_key(values) or signals.holds_key(values.get("signals"))):
        problems.append(f"{path} holds a key and every user of this machine can read it; run: chmod 600 {path}")
    return values


def _holds_key(values: Mapping[str, Any]) -> bool:
    """Whether a configuration has a key in it, not only the name of a file."""
    keys = values.get("keys")
    named = [key.get("key") for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    given = (values.get("authkey"), values.get("metrics_key"), values.get("webhooks") or None, *named)
    return any(key is not None for key in given)


def _flag(name: str, value: Any) -> Any:
    """A flag's text as its setting wants it: lists and objects are written as JSON."""
    if isinstance(value, str) and name in _JSON_FLAGS and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _with_keys(settings: Settings, path: Path | None, problems: list[str], refused: Collection[str]) -> Settings:
    """Reads the files of keys and judges the keys; those that are refused already are not missing."""
    file_sound = True
    if settings.authkey_file is not None and (settings.authkey is not None or "authkey" in refused):
        if settings.authkey is not None:
            problems.append("authkey and authkey_file are both set; keep one")
    elif settings.authkey_file is not None:
        before = len(problems)
        settings = settings.model_copy(
            update={"authkey": _keys_of("authkey_file", "authkey", settings.authkey_file, path, problems)}
        )
        file_sound = len(problems) == before
    if not settings.authkeys and file_sound and not {"authkey", "authkey_file"} & set(refused):
        remedy = "`enforcer genkey` and put its output into the configuration"
        if path is None:
            remedy = "`enforcer init`, which writes config.json with a fresh one, or set ENFORCER_AUTHKEY"
        problems.append(f"authkey is missing; run {remedy}")
    settings = settings.model_copy(update={"keys": tuple(_whole(key, path, problems) for key in settings.keys)})
    owners: dict[str, str] = {}
    for name, keys in settings.named_keys.items():
        for key in keys:
            problems.extend(_wrong_with(name, key))
        for key in dict.fromkeys(keys):
            if (owner := owners.setdefault(key, name)) != name:
                other = "an authkey" if owner == "authkey" else f"the key of {owner}"
                problems.append(f"{name} is {other} too; run `enforcer genkey` and give it one of its own")
    return settings


def _whole(key: KeySettings, path: Path | None, problems: list[str]) -> KeySettings:
    """A named key with what its file holds."""
    name = f"keys.{key.name}"
    if key.key is not None and key.key_file is not None:
        problems.append(f"{name} has key and key_file; keep one")
    elif key.key is None and key.key_file is None:
        problems.append(f"{name} has no key; run `enforcer genkey` and put its output there as key")
    elif key.key_file is not None:
        return key.model_copy(update={"key": _keys_of(f"{name}.key_file", "key", key.key_file, path, problems)})
    return key


def _keys_of(setting: str, plain: str, file: Path, path: Path | None, problems: list[str]) -> tuple[SecretStr, ...]:
    """The keys that a file holds. Its name is told only if there is such a file: it may be a key, by mistake."""
    if path is not None and not file.is_absolute():
        file = path.parent / file
    try:
        lines = [
            line.strip()
            for line in file.read_text(encoding="utf-8").removeprefix(config_text.BOM).splitlines()
            if line.strip()
        ]
        exposed = readable_by_others(file)
    except UnicodeDecodeError:
        problems.append(f"{setting} {file} cannot be read: not UTF-8")
        return ()
    except OSError as e:
        shown = f" {file}" if file.exists() else ""
        problems.append(f"{setting}{shown} cannot be read: {e.strerror}; it names a file, the key itself is `{plain}`")
        return ()
    if exposed:
        problems.append(f"{setting} {file} can be read by every user of this machine; run: chmod 600 {file}")
    if not 1 <= len(lines) <= 2:
        problems.append(f"{setting} {file} must hold one key, or two while rotating, a line each")
        return ()
    return tuple(SecretStr(line) for line in lines)


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
        setting = str(e["loc"][0] if e["loc"] else _ALL)
        name = ".".join(map(str, e["loc"])) if setting in ("slots", "keys", "webhooks") else setting
        if e["type"] == "extra_forbidden" and len(e["loc"]) > 1:
            whole, model = _PARTS[setting]
            close = did_you_mean(str(e["loc"][-1]), model.model_fields)
            sentences.append(f"{name}: {str(e['loc'][-1])!r} is not a member of {whole}{close}")
        elif e["type"] == "extra_forbidden":
            sentences.append(f"{name!r} is not a setting{did_you_mean(name, Settings.model_fields)}")
        else:
            cause = e.get("ctx", {}).get("error")
            messages = cause.sentences if isinstance(cause, Several) else (e["msg"].removeprefix("Value error, "),)
            sentences += [f"{name}: {message[:1].lower() + message[1:]}" for message in messages]
    return list(dict.fromkeys(sentences))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause that names the nearest of what is known, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
