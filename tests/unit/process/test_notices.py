"""What strangers cause is said at a rate."""

import logging

import pytest

from enforcer.process.notices import EVERY, LONGEST, Notices


async def test_the_first_at_once_and_then_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With how many there were since the last line, and the last one; each kind for itself. A quiet one begins anew."""
    now = 0.0
    notices = Notices(logging.getLogger("enforcer.said"), lambda: now)

    def lines() -> list[tuple[str, int, str]]:
        said = [(r.__dict__["kind"], r.__dict__["count"], r.__dict__["address"]) for r in caplog.records]
        caplog.clear()
        return said

    for n in range(31):
        notices.warn("wrong-key", "mend it", address=f"192.0.2.{n}", origin=None)
    notices.warn("origin", "mend it", address="x" * 1000)
    assert lines() == [("wrong-key", 1, "192.0.2.0"), ("origin", 1, "x" * LONGEST)]
    now += EVERY - 1
    await notices.due()
    assert lines() == []
    now += 1
    await notices.due()
    assert lines() == [("wrong-key", 30, "192.0.2.30")]
    notices.warn("wrong-key", "mend it", address="192.0.2.99")
    assert lines() == []
    now += EVERY
    await notices.due()
    assert lines() == [("wrong-key", 1, "192.0.2.99")]
    now += EVERY
    await notices.due()
    notices.warn("wrong-key", "mend it", address="192.0.2.100")
    assert lines() == [("wrong-key", 1, "192.0.2.100")]
