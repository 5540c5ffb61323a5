"""What is said of settings to people: what each takes, its default, its meaning, what is in force. Never a secret.

`enforcer --help`, `enforcer help`, `enforcer settings` and the console say the same, because they take it from here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from enforcer.configuration.settings import ENV_PREFIX, Settings

SECRET = frozenset({"authkey", "metrics_key", "keys", "webhooks", "signals"})
"""Settings that are no options, because secrets stand in them: every user of a machine can read its command lines."""
NEED_RESTART = (
    *("port", "ipaddr", "internal_port", "internal_ipaddr", "store", "workers", "demo", "join"),
    *("alive_window", "restart_grace", "retention", "max_message_size", "max_header_size", "cache_mb", "log_format"),
)
"""Settings that SIGHUP leaves as they are."""


def description(name: str) -> dict[str, Any]:
    """All that is known of a setting, as members of a JSON object; `default` is as it would stand in the file."""
    field = Settings.model_fields[name]
    return {
        "name": name,
        "meaning": field.description,
        "takes": takes(field),
        "default": written_default(field),
        "environment": f"{ENV_PREFIX}{name.upper()}",
        "flag": None if name in SECRET else f"--{name.replace('_', '-')}",
        "restart": name in NEED_RESTART,
    }


def in_force(settings: Settings) -> list[dict[str, Any]]:
    """A row a setting: its name, value, source and meaning; of secrets no more than that there are some."""
    values = settings.model_dump(mode="json")
    values["store"] = without_password(settings.store)
    return [
        {"name": name, "value": values[name], "source": settings.source_of(name), "meaning": field.description}
        for name, field in Settings.model_fields.items()
    ]


def without_password(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))


def takes(field: FieldInfo) -> str:
    """In capitals what kind of value a setting has, or the words that there are: `DURATION`, `displace|reject`."""
    if field.annotation is bool:
        return "true|false"
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    kinds = _kinds(field.annotation)
    by_kind: Mapping[Any, str] = {
        SecretStr: "TEXT",
        float: "DURATION",
        int: "N",
        Path: "FILE",
        tuple: "JSON",
        dict: "JSON",
    }
    return next((name for kind, name in by_kind.items() if kind in kinds), "TEXT")


def written_default(field: FieldInfo) -> Any:
    """The default as it would stand in the file: durations as texts such as `30d`."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, float):
        return _duration(value)
    return list(value) if isinstance(value, tuple) else value


def spoken_default(field: FieldInfo) -> str:
    """The default in a sentence."""
    value = written_default(field)
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0 and seconds > size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _kinds(annotation: Any) -> set[Any]:
    """The plain types that an annotation is made of."""
    if get_origin(annotation) is Literal or not get_args(annotation):
        return {annotation}
    return {kind for part in get_args(annotation) for kind in _kinds(part)} | {get_origin(annotation)}
