"""Rows: what is written is read again, and what the version before has written, too."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.model import FOREVER, Identity, Terms, WaitingLogin
from enforcer.store.rows import waiting_of, waiting_text

TERMS = st.builds(
    Terms,
    slot=st.none() | st.sampled_from(["mobile"]),
    max_sessions=st.none() | st.integers(1, 9),
    policy=st.none() | st.just("reject"),
    idle_timeout=st.none() | st.just(90.0),
    absolute_timeout=st.none() | st.just(FOREVER),
    warn_before=st.none() | st.just(20.0),
    exempt=st.none() | st.booleans(),
    impersonated_by=st.none() | st.just("support"),
    ends=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    idp=st.none() | st.just(Identity("https://issuer.example", "sub")),
    aliases=st.none() | st.lists(st.sampled_from(["email:a@example.com"]), max_size=1).map(tuple),
)


@given(TERMS, st.none() | st.just("shop"))
def test_a_waiting_login_comes_back_as_it_was(terms: Terms, key: str | None) -> None:
    """With all that it asked for."""
    waiting = (WaitingLogin(5.0, None, "sso", None, terms, key),)
    assert waiting_of(waiting_text(waiting)) == waiting


def test_what_another_version_has_written_is_read() -> None:
    """The one before wrote a list, in this order and without what has come since; one that comes may name more."""
    before = ["mobile", 2, None, None, None, None, True, "support", ["a"]]
    later = {"slot": "mobile", "max_sessions": 2, "exempt": True, "impersonated_by": "support", "ends": ["a"], "new": 1}
    meant = Terms("mobile", 2, exempt=True, impersonated_by="support", ends=("a",))
    for kept in (before, later):
        (read,) = waiting_of(orjson.dumps([[5.0, None, None, None, kept]]).decode())
        assert read.terms == meant
