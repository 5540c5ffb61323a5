"""How often something may happen."""

import random

import pytest

from enforcer.http.rates import Rates


def test_a_burst_and_then_a_rate() -> None:
    """Thirty at once, then five a second; who waits as long as it is told is let in."""
    rates = Rates(30, 5.0)
    assert [rates.wait("a", 100.0) for _ in range(30)] == [None] * 30
    wait = rates.wait("a", 100.0)
    assert wait == pytest.approx(0.2)
    assert rates.wait("a", 100.0 + wait - 0.05) is not None
    assert rates.wait("a", 100.0 + wait) is None
    assert rates.wait("a", 100.0 + wait) is not None
    assert rates.wait("b", 100.0) is None, "each key has its own"
    assert [rates.wait("a", 200.0) for _ in range(31)].count(None) == 30, "and has its burst again"


def test_what_is_refused_does_not_count() -> None:
    """Whoever asks too often does not wait for ever."""
    rates = Rates(2, 1.0)
    assert [rates.wait("a", n / 10) for n in range(100)].count(None) == 2 + 9


def test_keys_are_forgotten() -> None:
    """Only those that are in use are kept."""
    rates = Rates(2, 1.0)
    dice = random.Random(7)
    for n in range(50_000):
        rates.wait(dice.random(), n / 100)
    assert len(rates._next) < 3_000
