"""Keys and those who guess them."""

from collections.abc import Callable

import pytest

from enforcer.domain.permissions import EVERYTHING, Caller, May
from enforcer.http.authkeys import MAX_FAILURES, TRUSTED_FOR, WINDOW, AuthKeys

KEY = "k" * 40
APP = Caller(None, EVERYTHING)
SCRAPER = Caller("metrics_key", frozenset({May.METRICS}))


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    """Some moment."""
    return Now()


@pytest.fixture
def keys(now: Callable[[], float]) -> AuthKeys:
    """Of a server with one key and one for metrics."""
    return AuthKeys({KEY: APP, "m" * 40: SCRAPER}, now)


def test_an_address_is_refused_until_its_minute_is_over(keys: AuthKeys, now: Now) -> None:
    """The minute begins with the first wrong key, and does not grow with the others."""
    for _ in range(MAX_FAILURES):
        assert keys.refused("192.0.2.1") is None
        assert keys.failed("192.0.2.1") is None
    assert keys.refused("192.0.2.1") == WINDOW
    now.at += WINDOW - 1
    assert keys.failed("192.0.2.1") == 1
    assert keys.refused("192.0.2.1") == 1
    assert keys.refused("192.0.2.2") is None
    now.at += 1
    assert keys.refused("192.0.2.1") is None
    assert keys.failed("192.0.2.1") is None


def test_who_has_shown_a_right_key_lately_is_not(keys: AuthKeys, now: Now) -> None:
    """For an hour."""
    keys.accepted("192.0.2.1")
    now.at += TRUSTED_FOR - 1
    for _ in range(MAX_FAILURES + 1):
        wait = keys.failed("192.0.2.1")
    assert wait == WINDOW, "its wrong keys are answered so all the same"
    assert keys.refused("192.0.2.1") is None
    now.at += 1
    assert keys.refused("192.0.2.1") == WINDOW - 1


def test_a_network_of_ipv6_guesses_together(keys: AuthKeys) -> None:
    """One machine has a /64."""
    for n in range(MAX_FAILURES):
        keys.failed(f"2001:db8::{n:x}")
    assert keys.refused("2001:db8::ffff") is not None
    assert keys.refused("2001:db8:0:1::1") is None


def test_odd_keys_are_wrong(keys: AuthKeys) -> None:
    """Whatever they are made of."""
    for odd in ("", "é" * 40, "\ud800", "k" * 39, "k" * 100_000):
        assert keys.caller(odd) is None


def test_each_key_stands_for_its_caller(keys: AuthKeys) -> None:
    """Until others take their place, which whoever remembers a key can tell."""
    assert (keys.caller(KEY), keys.caller("m" * 40)) == (APP, SCRAPER)
    before = keys.generation
    keys.configure({"n" * 40: APP})
    assert keys.generation > before
    assert (keys.caller(KEY), keys.caller("n" * 40)) == (None, APP)
