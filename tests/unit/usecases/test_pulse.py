"""What was lately."""

import pytest

from enforcer.domain.model import AuditEntry, AuditEvent, Decision, EndReason
from enforcer.usecases.pulse import KICKS_OF, LATELY, Pulse, percentile_ms


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def entry(event: AuditEvent, reason: EndReason | None = None) -> AuditEntry:
    """A row of the audit log."""
    return AuditEntry(0.0, event, "alice", "s", reason)


def test_a_minute_is_counted_and_then_forgotten() -> None:
    """Logins, and ends by reason; refusals are none of them. Every reason has its figure."""
    now = Now()
    pulse = Pulse(now)
    login = (
        *(entry(AuditEvent.STARTED), entry(AuditEvent.ENDED, EndReason.DISPLACED)),
        *(entry(AuditEvent.ENDED, EndReason.IDLE), entry(AuditEvent.LOGIN_REFUSED)),
    )
    pulse.committed(Decision(None, audit=login))
    now.at += LATELY / 2
    pulse.committed(Decision(None, audit=(entry(AuditEvent.CLAIMED),)))
    pulse.committed(Decision(None))
    lately = pulse.lately()
    assert lately.logins == 2
    assert lately.ends.keys() == {str(reason) for reason in EndReason}
    assert {reason: n for reason, n in lately.ends.items() if n} == {"displaced": 1, "idle": 1}
    now.at += LATELY / 2
    assert (pulse.lately().logins, sum(pulse.lately().ends.values())) == (1, 0)
    now.at += LATELY / 2
    assert pulse.lately().logins == 0


def test_kicks_are_remembered_for_longer() -> None:
    """To a tenth of what they took, from a tenth of a millisecond on."""
    now = Now()
    pulse = Pulse(now)
    assert percentile_ms(pulse.lately().kicks, 0.5) is None
    for _ in range(98):
        pulse.kicked(0.005)
    pulse.kicked(0)
    pulse.kicked(3)
    kicks = pulse.lately().kicks
    assert percentile_ms(kicks, 0.001) == 0.1
    assert percentile_ms(kicks, 0.5) == pytest.approx(5, rel=0.1)
    assert percentile_ms(kicks, 0.99) == pytest.approx(5, rel=0.1)
    assert percentile_ms(kicks, 1) == pytest.approx(3000, rel=0.1)
    now.at += KICKS_OF
    assert pulse.lately().kicks == {}
