"""What an app says about a browser, so that nothing in it refuses a login; and what its user agent tells. Pure.

User agents come from anybody. They are read by the rules of uap-core in Rust's regular expressions, which take linear
time whatever comes; what was read is kept for the next login of such a browser.
"""

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ua_parser import PartialResult

LIMITS = {"label": 128, "class": 32, "id": 128, "user_agent": 512, "ip": 64}
"""Characters that are kept of the texts of a device."""
ENTRY_LIMIT = 64
"""Characters that are kept of the name of an entry."""
KEPT = 1024
"""User agents whose meaning is kept."""

_DESKTOPS = ("Windows", "Mac OS X", "Linux", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD", "Solaris")
_DISTRIBUTIONS = frozenset(
    {"Ubuntu", "Debian", "Fedora", "Red Hat", "SUSE", "CentOS", "Linux Mint", "Mint", "Kubuntu", "Xubuntu", "Lubuntu"}
    | {"Gentoo", "Arch Linux", "Mageia", "Mandriva", "Slackware", "PCLinuxOS", "VectorLinux"}
)
_SYSTEMS = {"Mac OS X": "macOS", "Chromecast Android": "Android", "Web0S": "webOS"}
_BROWSERS = {
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "HeadlessChrome": "Chrome",
    "Mobile Safari UI/WKWebView": "Safari",
    "Chrome Mobile WebView": "Chrome",
}
_TELEVISIONS = (
    *("smart-tv", "smarttv", "hbbtv", "appletv", "apple tv", "googletv", "google tv", "android tv", "philipstv"),
    *("bravia", "crkey", "; aft", "roku/", "netcast", "web0s", " tv safari", "viera"),
)
_NO_ROBOTS = ("silk/", "cubot")
"""A browser and a make of phones, whose names the general rule for robots takes for one."""


class Described(NamedTuple):
    """How a browser is called, or None if nothing says so, and of what class it is."""

    label: str | None
    class_: str


def tidied(text: str, limit: int) -> str:
    """A text that only describes: without control characters and lone surrogates, and cut to its limit."""
    if not text.isprintable():
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
    return text[:limit]


def tidied_device(members: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The known members of a device as they are kept, and a sentence for each that is not kept as it came.

    Values of a wrong type stay as they are: that is for whoever validates to refuse.
    """
    kept: dict[str, Any] = {}
    changes: list[str] = []
    for name, value in members.items():
        limit = LIMITS.get(name)
        if limit is None:
            changes.append(f"device.{tidied(name, 64)} is not known")
            continue
        if not isinstance(value, str) or not value:
            kept[name] = None if value == "" else value
        elif name == "ip":
            kept[name] = _address(value)
            if kept[name] is None:
                changes.append("device.ip is not an address")
        else:
            text, change = tidied_text(f"device.{name}", value, limit)
            kept[name] = text or None
            changes += change
    return kept, changes


def tidied_text(name: str, value: str, limit: int) -> tuple[str, list[str]]:
    """A text as it is kept, and what is to be said of it, if anything."""
    text = tidied(value, limit)
    if text == value:
        return text, []
    wrong = f"is longer than {limit} characters" if len(value) > limit else "has control characters"
    return text, [f"{name} {wrong}"]


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text)) if len(text) <= LIMITS["ip"] and text.isprintable() else None
    except ValueError:
        return None


@lru_cache(maxsize=KEPT)
def described(user_agent: str) -> Described:
    """What a user agent says, as "Firefox on Linux" and `desktop`, `mobile`, `tablet`, `tv`, `bot` or `other`.

    The first call in a process loads the rules, which takes a fifth of a second; see `prepare`.
    """
    found = _rules()(user_agent)
    browser = None if found.user_agent is None else _browser(found.user_agent.family)
    system = None if found.os is None else found.os.family
    if system in _DISTRIBUTIONS:
        system = "Linux"
    named = None if system is None else _SYSTEMS.get(system, system)
    label = browser if browser == named else " on ".join(name for name in (browser, named) if name) or None
    return Described(label and label[: LIMITS["label"]], _class(user_agent, system, found.device is not None))


def prepare() -> None:
    """Loads the rules, if they are not; on a thread, so that nobody waits for it."""
    _rules()


def prepared() -> bool:
    """Whether `described` answers without loading anything."""
    return _rules.cache_info().currsize > 0


@cache
def _rules() -> "Callable[[str], PartialResult]":
    """Browsers, systems and robots. The rules for models of phones, most of all, would cost twice the memory.

    Imported here, for the same reason as they are loaded here: many processes never need them.
    """
    from ua_parser import Domain
    from ua_parser.loaders import load_lazy_builtins
    from ua_parser.regex import Resolver

    browsers, systems, models = load_lazy_builtins()
    robots = [m for m in models if getattr(m, "family", None) == "Spider"]
    read = Resolver((browsers, systems, robots))
    return lambda user_agent: read(user_agent, Domain.ALL)


def _browser(family: str) -> str:
    """The name that its user knows: a browser is called the same on a phone."""
    if family in _BROWSERS:
        return _BROWSERS[family]
    return family.removeprefix("Mobile ").removesuffix(" iOS").removesuffix(" Mobile").strip() or family


def _class(user_agent: str, system: str | None, robot: bool) -> str:
    """By what browsers say of themselves, as MDN's "Browser detection using the user agent" lists it."""
    text = user_agent.lower()
    if robot and not any(word in text for word in _NO_ROBOTS):
        return "bot"
    if any(word in text for word in _TELEVISIONS):
        return "tv"
    if "ipad" in text or "tablet" in text or "kindle" in text or "silk/" in text:
        return "tablet" if "mobile safari" not in text or "ipad" in text else "mobile"
    if "mobi" in text or "iphone" in text or "ipod" in text or "opera mini" in text:
        return "mobile"
    is_browser = text.startswith(("mozilla/", "opera/"))
    if system == "Android":
        return "tablet" if is_browser else "mobile"  # a browser on a phone says "Mobile"
    if system == "iOS":
        return "mobile"
    return "desktop" if is_browser and system is not None and system.startswith(_DESKTOPS) else "other"
