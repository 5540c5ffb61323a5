"""Times as people type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from enforcer.command.moments import moment

NOW = datetime(2026, 11, 27, 15, 30, 45, tzinfo=UTC).timestamp()
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", "2026-11-27T15:29:15+00:00"),
        ("1h", "2026-11-27T14:30:45+00:00"),
        ("1h30m ago", "2026-11-27T14:00:45+00:00"),
        ("2D", "2026-11-25T15:30:45+00:00"),
        ("1w", "2026-11-20T15:30:45+00:00"),
        ("0.5h", "2026-11-27T15:00:45+00:00"),
        ("now", "2026-11-27T15:30:45+00:00"),
        ("today", "2026-11-26T22:00:00+00:00"),
        ("yesterday", "2026-11-25T22:00:00+00:00"),
        ("2026-11-21", "2026-11-20T22:00:00+00:00"),
        ("2026-11-21 08:30", "2026-11-21T06:30:00+00:00"),
        ("2026-11-21 08:30:15", "2026-11-21T06:30:15+00:00"),
        ("2026-11-21t08:30", "2026-11-21T06:30:00+00:00"),
        ("2026-11-21T08:30:00Z", "2026-11-21T08:30:00+00:00"),
        ("2026-11-21 08:30:00 z", "2026-11-21T08:30:00+00:00"),
        ("2026-11-21T08:30:00.250+05:30", "2026-11-21T03:00:00.250000+00:00"),
        ("1795249800", "2026-11-21T08:30:00+00:00"),
        ("@1795249800.5", "2026-11-21T08:30:00.500000+00:00"),
    ],
)
def test_a_time_may_be_typed_in_many_ways(text: str, at: str) -> None:
    """Relative, by the day, absolute in the own zone or with an offset, Unix."""
    assert datetime.fromtimestamp(moment(text, NOW, EAST), UTC).isoformat() == at


@pytest.mark.parametrize("text", ["", "soon", "1x", "h", "-1h", "2026-13-01", "08:30", "1h ago ago", "99999999999999"])
def test_what_is_no_time(text: str) -> None:
    """The sentence shows how it is written."""
    with pytest.raises(ValueError, match="a time is written as 1h"):
        moment(text, NOW)
