"""Times as people type them. Pure: `now` is an argument (UTC seconds)."""

import re
from datetime import datetime, timedelta, tzinfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"((?:\d{1,9}(?:\.\d{1,9})?[smhdw])+)(?: ?ago)?")
_UNIX = re.compile(r"@?\d{9,11}(?:\.\d{1,9})?")
FORMS = "1h, 2d, today, yesterday, 2026-11-21, 2026-11-21 08:30 or 2026-11-21T08:30:00Z"
"""Examples for whoever typed something else."""


def moment(text: str, now: float, zone: tzinfo | None = None) -> float:
    """UTC seconds. Without an offset a time is one of `zone`, by default of this machine.

    Raises:
        ValueError: it is none of `FORMS`.
    """
    plain = " ".join(text.lower().split())
    if (ago := _AGO.fullmatch(plain)) is not None:
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", ago[1])
        return now - sum(float(number) * _UNITS[unit] for number, unit in parts)
    if plain == "now":
        return now
    if plain in ("today", "yesterday"):
        midnight = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - timedelta(days=plain == "yesterday")).replace(tzinfo=zone).timestamp()
    if _UNIX.fullmatch(plain):
        return float(plain.removeprefix("@"))
    try:
        at = datetime.fromisoformat(text.strip().upper().replace(" Z", "Z"))
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"a time is written as {FORMS}") from None
