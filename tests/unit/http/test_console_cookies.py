"""The cookie of the console."""

import base64

import pytest

from enforcer.domain.permissions import EVERYTHING, Caller, May
from enforcer.http.console_cookies import IDLE, LIFETIME, RENEWED_AFTER, ConsoleCookies, renewed

AUTH, NEXT, ADMIN, READER = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
NOW = 1_800_000_000.0
CALLERS = {
    AUTH: Caller(None, EVERYTHING),
    ADMIN: Caller("ops", frozenset({May.ADMIN}), "shop:"),
    READER: Caller("reader", frozenset({May.READ})),
}


@pytest.fixture
def cookies() -> ConsoleCookies:
    """Of a server with three keys."""
    return ConsoleCookies([AUTH], CALLERS)


@pytest.mark.parametrize("secret", [AUTH, ADMIN])
def test_a_cookie_says_who_has_logged_in(cookies: ConsoleCookies, secret: str) -> None:
    """Other nodes of the same server read it, too; it holds no secret."""
    session = cookies.begin("id", secret, NOW)
    value = cookies.cookie(session)
    assert ConsoleCookies([AUTH], CALLERS).read(value, NOW) == (session, CALLERS[secret])
    payload = base64.urlsafe_b64decode(value.partition(".")[0] + "==").decode()
    assert secret not in value + payload


def test_it_ends_after_eight_hours_or_half_an_hour_of_silence(cookies: ConsoleCookies) -> None:
    """Whichever comes first; what is done makes it last, but for no longer than eight hours."""
    session = cookies.begin("id", AUTH, NOW)
    value = cookies.cookie(session)
    assert cookies.read(value, NOW + IDLE - 1) is not None
    assert cookies.read(value, NOW + IDLE) is None
    assert renewed(session, NOW + RENEWED_AFTER - 1) is None
    at = NOW
    while (fresh := renewed(session, at := at + IDLE - 1)) is not None and at < NOW + LIFETIME:
        session = fresh
        assert cookies.read(cookies.cookie(session), at) is not None
        assert session.ends_in(at) == min(IDLE, NOW + LIFETIME - at)
    assert at >= NOW + LIFETIME
    assert session.lasts(at) <= 0
    assert cookies.read(cookies.cookie(session), at) is None


def test_a_changed_key_ends_it() -> None:
    """Its own, or the authkey that has signed it; while both are there, it goes on."""
    before = ConsoleCookies([AUTH], CALLERS)
    value = before.cookie(before.begin("id", ADMIN, NOW))
    both = ConsoleCookies([NEXT, AUTH], {NEXT: CALLERS[AUTH], **CALLERS})
    found = both.read(value, NOW)
    assert found is not None
    assert both.csrf_right(found[0], before.csrf(found[0]))
    assert ConsoleCookies([NEXT], {NEXT: CALLERS[AUTH], ADMIN: CALLERS[ADMIN]}).read(value, NOW) is None
    assert ConsoleCookies([AUTH], {AUTH: CALLERS[AUTH], NEXT: CALLERS[ADMIN]}).read(value, NOW) is None
    assert ConsoleCookies([AUTH], {**CALLERS, ADMIN: CALLERS[READER]}).read(value, NOW) is None


def test_what_is_forged_is_none(cookies: ConsoleCookies) -> None:
    """Of another server, changed in any character, cut, empty, or signed and of another shape."""
    session = cookies.begin("id", AUTH, NOW)
    value = cookies.cookie(session)
    other = ConsoleCookies([NEXT], {NEXT: Caller(None, EVERYTHING)})
    assert cookies.read(other.cookie(other.begin("id", NEXT, NOW)), NOW) is None
    assert cookies.read(cookies.cookie(cookies.begin("id", READER, NOW)), NOW) is None
    for n, character in enumerate(value):
        changed = value[:n] + ("A" if character != "A" else "B") + value[n + 1 :]
        assert cookies.read(changed, NOW) is None or n == value.index(".") - 1, n  # bits that base64 leaves over
    for odd in (
        "",
        ".",
        "..",
        value[:-1],
        value + "A",
        value.partition(".")[0],
        "é" + value,
        "A" * 5000,
        value + "." + value,
    ):
        assert cookies.read(odd, NOW) is None


def test_the_token_is_of_one_session(cookies: ConsoleCookies) -> None:
    """Another's does not do, nor anything odd."""
    one, two = cookies.begin("one", AUTH, NOW), cookies.begin("two", AUTH, NOW)
    assert cookies.csrf_right(one, cookies.csrf(one))
    for odd in ("", cookies.csrf(two), cookies.csrf(one)[:-1], "é", "\udcff"):
        assert not cookies.csrf_right(one, odd)
