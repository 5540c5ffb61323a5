"""What a user agent tells, and what reading it costs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.devices import LIMITS, described, tidied, tidied_device

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
M = "Mozilla/5.0 ("
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "label", "class_"),
    [
        (M + "X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux", "desktop"),
        (M + "X11; Ubuntu; Linux x86_64; rv:9.0) Gecko/2010 Firefox/9.0", "Firefox on Linux", "desktop"),
        (M + f"Windows NT 10.0) {CHROME} Chrome/130.0 Safari/537.36", "Chrome on Windows", "desktop"),
        (M + f"Windows NT 10.0) {CHROME} Chrome/130.0 Safari/537.36 Edg/130", "Edge on Windows", "desktop"),
        (M + f"Windows NT 10.0) {CHROME} Chrome/129.0 Safari/537.36 OPR/114.0.0.0", "Opera on Windows", "desktop"),
        (M + f"Macintosh; Intel Mac OS X 10_15) {SAFARI} Version/17 Safari/605", "Safari on macOS", "desktop"),
        (M + f"X11; CrOS x86_64 14541.0.0) {CHROME} Chrome/130.0 Safari/537.36", "Chrome on Chrome OS", "desktop"),
        (M + f"iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI} Version/17.5 Mobile/15E148 Safari/604.1",
         "Safari on iOS", "mobile"),
        (M + f"iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI} CriOS/130.0 Mobile/15E148 Safari/604.1",
         "Chrome on iOS", "mobile"),
        (M + f"iPad; CPU OS 16_6 like Mac OS X) {SAFARI} Version/16.6 Mobile/15E148 Safari/604.1",
         "Safari on iOS", "tablet"),
        (M + f"Linux; Android 10; K) {CHROME} Chrome/130.0 Mobile Safari/537.36", "Chrome on Android", "mobile"),
        (M + f"Linux; Android 13; SM-X906C) {CHROME} Chrome/130.0 Safari/537.36", "Chrome on Android", "tablet"),
        (M + "Android 14; Tablet; rv:128.0) Gecko/128.0 Firefox/128.0", "Firefox on Android", "tablet"),
        (M + f"Linux; Android 9; CUBOT_X18) {CHROME} Chrome/90.0 Mobile Safari/537.36", "Chrome on Android", "mobile"),
        (M + f"Linux; Android 9; KFMAWI) {CHROME} Silk/120.4.1 like Chrome/120.0 Safari/537.36",
         "Amazon Silk on Android", "tablet"),
        (M + f"SMART-TV; LINUX; Tizen 6.0) {CHROME} 76.0/6.0 TV Safari/537.36", "Safari on Tizen", "tv"),
        (M + f"Web0S; Linux/SmartTV) {CHROME} Chrome/79.0 Safari/537.36", "Chrome on webOS", "tv"),
        (M + "compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "bot"),
        (f"Mozilla/5.0 {CHROME[:-1]}; compatible; bingbot/2.0) Chrome/116.0 Safari/537.36", "bingbot", "bot"),
        ("curl/8.5.0", "curl", "other"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)", "Android", "mobile"),
        ("hello", None, "other"),
    ],
)  # fmt: skip
def test_what_user_agents_tell(user_agent: str, label: str | None, class_: str) -> None:
    """Browsers on the systems that people have, robots, televisions, and programs."""
    assert described(user_agent) == (label, class_)


HOSTILE = {
    "spaces": " ",
    "one letter": "a",
    "digits": "1",
    "dots": "1.",
    "brackets": "(",
    "products": "Version/1.1 ",
    "phones": "Linux; Android 1; SAMSUNG-",
    "builds": "Android 1.1.1 Build/",
    "robots": "Mobile bot ",
    "semicolons": "Mozilla/5.0 (a; ",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_user_agents_cost_little(kind: str) -> None:
    """At the length that is kept: a pattern that goes back and forth takes ten times this bound."""
    described("warm")
    times = []
    for _ in range(7):
        described.cache_clear()
        began = time.process_time()
        described((HOSTILE[kind] * LIMITS["user_agent"])[: LIMITS["user_agent"]])
        times.append(time.process_time() - began)
    assert min(times) < 0.002


def test_what_is_kept_is_bounded() -> None:
    """A flood of user agents pushes out the oldest."""
    for n in range(described.cache_info().maxsize or 0):
        described(f"agent {n}")
    described("one more")
    info = described.cache_info()
    assert info.currsize == info.maxsize == 1024


@given(st.text(max_size=1200), st.integers(1, 600))
def test_a_tidied_text_is_clean_and_short(text: str, limit: int) -> None:
    """No control character, nothing beyond the limit, everything else as it came."""
    kept = tidied(text, limit)
    assert len(kept) <= limit
    assert tidied(kept, limit) == kept
    assert text.startswith(kept) or not text.isprintable()
    kept.encode()


@given(st.dictionaries(st.text(max_size=9) | st.sampled_from([*LIMITS]), st.text(max_size=700) | st.none()))
def test_a_device_of_texts_is_always_taken(members: dict[str, str | None]) -> None:
    """Known members, as long as may be kept; a sentence only where something is not as it came."""
    kept, changes = tidied_device(members)
    assert kept.keys() <= LIMITS.keys()
    assert all(value is None or 0 < len(value) <= LIMITS[name] for name, value in kept.items())
    if kept == members:
        assert changes == []
