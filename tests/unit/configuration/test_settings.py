"""The configuration: what is refused, with which sentence, and who overrides whom."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from enforcer.configuration.advice import warnings, who_may_what
from enforcer.configuration.reading import load
from enforcer.configuration.settings import SAMPLE_AUTHKEY, Settings
from enforcer.domain.errors import ConfigError
from enforcer.domain.permissions import EVERYTHING, Caller, May

KEY = "Zk3vR9xW2mQ8tY5uB7nL4pS6dF1gH0jC-secret"
OTHER = "qW8eR7tY6uI5oP4aS3dF2gH1jK0lZ9xC-another"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration is written."""
    return tmp_path / "config.json"


def written(path: Path, values: object, mode: int = 0o600) -> Path:
    """The file with these values, as an operator writes it."""
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    path.chmod(mode)
    return path


def problems(path: Path | None, flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> str:
    """What is wrong with a configuration, as an operator reads it; it must be something, and never the key."""
    with pytest.raises(ConfigError) as caught:
        load(path, flags, environ or {})
    text = str(caught.value)
    assert KEY not in text
    assert KEY not in repr(caught.value)
    assert "\n" not in text
    return text


def test_the_original_three_settings_are_enough(config: Path) -> None:
    """`port`, `ipaddr` and `authkey` alone make a working configuration, and nobody is logged out by surprise."""
    s = load(written(config, {"port": 8080, "ipaddr": "0.0.0.0", "authkey": KEY}), environ={})
    assert (s.port, s.ipaddr, s.authkeys) == (8080, "0.0.0.0", (KEY,))
    assert (s.join, s.policy, s.max_sessions, s.store) == ("ticket", "displace", 1, "sqlite:///enforcer.db")
    assert (s.idle_timeout, s.absolute_timeout, s.ticket_lifetime) == (None, None, None)
    assert (s.origins, s.demo, s.lost_timeout, s.retention) == ("same-host", False, 30 * 86400, 90 * 86400)


def test_an_unknown_setting_is_refused_with_a_hint(config: Path) -> None:
    """A typo must not silently mean the default."""
    assert problems(written(config, {"authkey": KEY, "max_session": 2})) == (
        "'max_session' is not a setting; did you mean 'max_sessions'?"
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"port": "eighty"}, "port: "),
        ({"port": 65536}, "port: "),
        ({"max_sessions": 0}, "max_sessions: "),
        ({"policy": "kick"}, "policy: "),
        ({"join": "anyone"}, "join: "),
        ({"idle_timeout": "soon"}, "idle_timeout: a duration is a number of seconds"),
        ({"idle_timeout": True}, "idle_timeout: a duration is a number of seconds"),
        ({"idle_timeout": 0.5}, "idle_timeout: "),
        ({"alive_window": None}, "alive_window: "),
        ({"workers": 2}, "workers: more than one process needs a store that they can share"),
        ({"store": "mysql://x"}, 'store: use "sqlite:///enforcer.db"'),
        ({"store": "redis+sentinel://x"}, "store: a Sentinel address names its master"),
        ({"workers": "many"}, "workers: "),
        ({"store": "sqlite:///:memory:"}, 'store: for a store without a file use "memory://"'),
        ({"store": 5}, "store: a store is a text"),
        ({"origins": "*"}, 'origins: "*" would let every site on the web in'),
        ({"origins": ["https://app.example/"]}, "origins: 'https://app.example/' is not an origin"),
        ({"trusted_proxies": ["10.0.0.0/99"]}, "trusted_proxies: '10.0.0.0/99' is not an IP address or network"),
        ({"redirects": {"direct": "//evil.example"}}, "redirects: the target of 'direct' must be a path"),
        ({"redirects": {"direct": "javascript:alert(1)"}}, "redirects: the target of 'direct' must be a path"),
        ({"redirects": {"direct": "/\\evil.example"}}, "redirects: the target of 'direct' must be a path"),
        ({"event_name": "session"}, "event_name: 'session' is taken by the protocol"),
        ({"max_message_size": 10}, "max_message_size: "),
        ({"drain_window": "2h"}, "drain_window: "),
        ({"internal_port": 8080}, "internal_port: it is `port` too"),
        ({"internal_ipaddr": "127.0.0.1"}, "internal_ipaddr: it is the address of `internal_port`"),
    ],
)
def test_a_wrong_value_is_refused_by_name(config: Path, values: dict[str, Any], sentence: str) -> None:
    """Each refusal is one sentence that begins with the setting's name."""
    assert problems(written(config, {"authkey": KEY, **values})).startswith(sentence)


@pytest.mark.parametrize(
    ("authkey", "sentence"),
    [
        ("too-short", "authkey has 9 characters, at least 32 are needed; run `enforcer genkey`"),
        ("x" * 31, "authkey has 31 characters"),
        (SAMPLE_AUTHKEY, "authkey is still the sample value"),
        (None, "authkey is missing"),
        ([], "authkey: give one key, or a list of two"),
        ([KEY, KEY + "2", KEY + "3"], "authkey: give one key, or a list of two"),
        (KEY + " with spaces in it", "authkey must be printable ASCII without spaces"),
        (KEY + "é", "authkey must be printable ASCII without spaces"),
        (5, "authkey: a key is a text"),
        ([KEY, 5], "authkey: "),
    ],
)
def test_a_bad_key_is_refused_without_being_shown(config: Path, authkey: object, sentence: str) -> None:
    """Short, sample, missing, too many or unfit keys."""
    assert problems(written(config, {"authkey": authkey})).startswith(sentence)


@pytest.mark.parametrize(
    ("metrics_key", "sentence"),
    [
        ("too-short", "metrics_key has 9 characters, at least 32 are needed; run `enforcer genkey`"),
        (SAMPLE_AUTHKEY, "metrics_key is still the sample value"),
        (KEY[::-1] + "é", "metrics_key must be printable ASCII without spaces"),
        (KEY, "metrics_key is an authkey too"),
        (KEY + "2", "metrics_key is an authkey too"),
        (5, "metrics_key: "),
        ([KEY[::-1]], "metrics_key: "),
    ],
)
def test_a_bad_metrics_key_is_refused_without_being_shown(config: Path, metrics_key: object, sentence: str) -> None:
    """As an authkey, from which it must differ."""
    text = problems(written(config, {"authkey": [KEY, KEY + "2"], "metrics_key": metrics_key}))
    assert text.startswith(sentence)
    assert KEY[::-1] not in text


def test_several_problems_are_all_told(config: Path) -> None:
    """An operator mends everything in one go."""
    text = problems(written(config, {"authkey": "short", "port": -1, "polcy": "reject", "join": "x"}, mode=0o644))
    for part in ("can read it", "port: ", "'polcy' is not a setting", "join: "):
        assert part in text, text


def test_a_key_that_others_can_read_is_refused(config: Path) -> None:
    """A configuration with a key must be readable by its owner (and group) only."""
    assert "every user of this machine can read it; run: chmod 600" in problems(
        written(config, {"authkey": KEY}, mode=0o644)
    )
    assert load(written(config, {"authkey": KEY}, mode=0o640), environ={})
    alone = written(config, {"metrics_key": KEY[::-1]}, mode=0o644)
    with pytest.raises(ConfigError, match="every user of this machine can read it"):
        load(alone, environ={"ENFORCER_AUTHKEY": KEY})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"authkey": "' + KEY + '",}', "is not JSON that can be used: line 1, column 55: a comma stands"),
        ("[1]", "it must hold a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_a_broken_file_is_refused(config: Path, text: str, sentence: str) -> None:
    """With the place of the mistake, and without its content."""
    assert sentence in problems(written(config, text))


def test_a_missing_file_is_named(config: Path) -> None:
    """The operator learns which file was looked for, and what to do."""
    assert problems(config).startswith(f"{config} does not exist; `enforcer init` writes one")


def test_a_file_that_is_not_utf_8_is_refused(config: Path) -> None:
    """Binary is not a configuration."""
    config.write_bytes(b"\xff\xfe{}")
    assert "cannot be read: not UTF-8" in problems(config)


# ---- precedence -------------------------------------------------------------------------------------


def test_flags_override_the_environment_which_overrides_the_file(config: Path) -> None:
    """In rising precedence: file, environment, flags."""
    written(config, {"authkey": KEY, "port": 1, "max_sessions": 1, "join": "open"})
    environ = {"ENFORCER_PORT": "2", "ENFORCER_MAX_SESSIONS": "2"}
    s = load(config, {"port": "3"}, environ)
    assert (s.port, s.max_sessions, s.join) == (3, 2, "open")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("AUTHKEY", KEY + "x", (KEY + "x",)),
        ("AUTHKEY", json.dumps([KEY + "1", KEY + "2"]), (KEY + "1", KEY + "2")),
        ("ORIGINS", "https://app.example", ("https://app.example",)),
        ("ORIGINS", '["https://a.example", "https://b.example:8443"]', ("https://a.example", "https://b.example:8443")),
        ("REDIRECTS", '{"direct": "/login"}', {"direct": "/login"}),
        ("TRUSTED_PROXIES", '["10.0.0.0/8"]', ("10.0.0.0/8",)),
        ("IDLE_TIMEOUT", "15m", 900),
        ("LOST_TIMEOUT", "none", None),
        ("DEMO", "true", True),
        ("METRICS_KEY", KEY + "x", SecretStr(KEY + "x")),
    ],
)
def test_everything_can_come_from_the_environment(name: str, text: str, value: object) -> None:
    """Containers are configured without a file."""
    s = load(None, environ={"ENFORCER_AUTHKEY": KEY, f"ENFORCER_{name}": text})
    assert (s.authkeys if name == "AUTHKEY" else getattr(s, name.lower())) == value


def test_an_environment_variable_that_names_no_setting_is_a_warning() -> None:
    """It may be meant for something else, so it stops nothing; but it may be a typo."""
    environ = {"ENFORCER_AUTHKEY": KEY, "ENFORCER_MAX_SESSION": "2"}
    assert any("did you mean 'max_sessions'" in w for w in warnings(load(None, environ=environ), environ))


def test_a_broken_value_in_the_environment_is_named_but_not_shown() -> None:
    """Also when it was the key."""
    text = problems(None, environ={"ENFORCER_AUTHKEY": KEY, "ENFORCER_REDIRECTS": "{" + KEY})
    assert text.startswith("redirects: ")


# ---- durations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written_as", "seconds"),
    [(90, 90), (1.5, 1.5), ("90", 90), ("90s", 90), ("15m", 900), ("8h", 28800), ("30d", 2592000), ("1h30m", 5400)],
)
def test_durations(config: Path, written_as: object, seconds: float) -> None:
    """Seconds as a number, or a text with units."""
    assert load(written(config, {"authkey": KEY, "idle_timeout": written_as}), environ={}).idle_timeout == seconds


# ---- slots ------------------------------------------------------------------------------------------


def test_a_slot_has_what_it_says_and_else_what_the_settings_say(config: Path) -> None:
    """A member that is left out is the global setting; null is never."""
    slots = {"mobile": {"max_sessions": 1}, "desktop": {"policy": "reject", "idle_timeout": None, "warn_before": "1m"}}
    values = {"authkey": KEY, "max_sessions": 3, "idle_timeout": "15m", "slots": slots}
    rules = load(written(config, values), environ={}).rules
    mobile, desktop = rules.limits("mobile"), rules.limits("desktop")
    assert (mobile.max_sessions, mobile.policy, mobile.idle_timeout, mobile.warn_before) == (1, "displace", 900, 120)
    assert (desktop.max_sessions, desktop.policy, desktop.idle_timeout, desktop.warn_before) == (3, "reject", None, 60)
    assert rules.limits("another") is rules.limits(None) is rules
    environ = {"ENFORCER_AUTHKEY": KEY, "ENFORCER_SLOTS": json.dumps(slots)}
    assert set(load(None, environ=environ).slots) == {"mobile", "desktop"}
    assert load(None, {"slots": json.dumps(slots), "authkey": KEY}, {}).slots["mobile"].max_sessions == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"slots": {"m": {"max_session": 1}}}, "'max_session' is not a member of a slot; did you mean 'max_sessions'?"),
        ({"slots": {"m": {"max_sessions": 0}}}, "slots.m.max_sessions: input should be greater than or equal to 1"),
        ({"slots": {"m": {"max_sessions": True}}}, "slots.m.max_sessions: input should be a valid integer"),
        ({"slots": {"m": {"idle_timeout": "soon"}}}, "slots.m.idle_timeout: a duration is a number of seconds"),
        ({"slots": {"m": {"policy": "ask"}}}, "slots.m.policy: input should be 'displace' or 'reject'"),
        ({"slots": {"m": 1}}, "slots.m: input should be"),
        ({"slots": {"a b": {}}}, "slots: 'a b' is not a name for a slot"),
        ({"slots": []}, "slots: an object like"),
        ({"slots": {"m": {}}, "join": "open"}, 'slots: with `join` "open" a page names no more than its room'),
        ({"device_ends": "never"}, "device_ends: input should be 'elevated', 'ticket' or 'off'"),
    ],
)
def test_a_slot_that_cannot_be_is_refused(config: Path, values: dict[str, Any], sentence: str) -> None:
    """With its name, and what it may have instead."""
    assert sentence in problems(written(config, {"authkey": KEY, **values}))


# ---- keys in a file ---------------------------------------------------------------------------------


def test_keys_may_stand_in_a_file_of_their_own(config: Path) -> None:
    """One key a line, relative to the configuration; the first signs."""
    written(config.parent / "keys", f"{KEY}1\n\n{KEY}2\n")
    assert load(written(config, {"authkey_file": "keys"}), environ={}).authkeys == (KEY + "1", KEY + "2")


@pytest.mark.parametrize(
    ("content", "mode", "more", "sentence"),
    [
        (None, 0o600, {}, "cannot be read: No such file"),
        ("", 0o600, {}, "must hold one key, or two while rotating"),
        (f"{KEY}\n{KEY}\n{KEY}\n", 0o600, {}, "must hold one key, or two while rotating"),
        (KEY, 0o644, {}, "can be read by every user of this machine"),
        (KEY, 0o600, {"authkey": KEY}, "authkey and authkey_file are both set; keep one"),
        ("short", 0o600, {}, "authkey has 5 characters"),
    ],
)
def test_a_bad_key_file_is_refused(
    config: Path, content: str | None, mode: int, more: dict[str, Any], sentence: str
) -> None:
    """Missing, empty, exposed, doubled or weak."""
    if content is not None:
        written(config.parent / "keys", content, mode)
    assert sentence in problems(written(config, {"authkey_file": "keys", **more}))


# ---- secrets and warnings ---------------------------------------------------------------------------


def test_the_settings_do_not_show_the_key(config: Path) -> None:
    """Whoever prints or logs the settings shows no key."""
    shop = {"name": "shop", "key": [OTHER, OTHER + "2"], "may": ["read"]}
    s = load(written(config, {"authkey": KEY, "metrics_key": KEY[::-1], "keys": [shop]}), environ={})
    assert s.named_keys == {"authkey": (KEY,), "metrics_key": (KEY[::-1],), "keys.shop": (OTHER, OTHER + "2")}
    for key in (KEY, KEY[::-1], OTHER):
        assert key not in f"{s!r} {s!s} {s.model_dump_json()} {who_may_what(s)}"


# ---- keys of single applications --------------------------------------------------------------------


def test_each_key_stands_for_somebody(config: Path) -> None:
    """The authkey for everything, the others for what their settings say; a secret may stand in a file."""
    written(config.parent / "blog.key", f"{OTHER}3\n")
    keys = [
        {"name": "shop", "key": [OTHER, OTHER + "2"], "may": ["login", "validate"], "rooms": "shop:"},
        {"name": "a.b_c-1", "key_file": "blog.key", "may": ["admin"], "rooms": None},
    ]
    for in_file, environ in ({"keys": keys}, {}), ({}, {"ENFORCER_KEYS": json.dumps(keys)}):
        s = load(written(config, {"authkey": KEY, "metrics_key": KEY[::-1], **in_file}), environ=environ)
        shop = Caller("shop", frozenset({May.LOGIN, May.VALIDATE}), "shop:")
        assert s.callers == {
            KEY: Caller(None, EVERYTHING),
            KEY[::-1]: Caller("metrics_key", frozenset({May.METRICS})),
            OTHER: shop,
            OTHER + "2": shop,
            OTHER + "3": Caller("a.b_c-1", frozenset({May.ADMIN})),
        }
    assert who_may_what(s) == [
        "authkey may everything, in all rooms",
        "metrics_key may metrics",
        "key 'shop' may login, validate, in rooms that begin with 'shop:'",
        "key 'a.b_c-1' may admin, in all rooms",
    ]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"name": "shop"}, "keys: a list like"),
        ([{"name": "shop", "may": ["read"]}], "keys.shop has no key; run `enforcer genkey`"),
        ([{"name": "shop", "key": "short", "may": ["read"]}], "keys.shop has 5 characters, at least 32 are needed"),
        ([{"name": "shop", "key": SAMPLE_AUTHKEY, "may": ["read"]}], "keys.shop is still the sample value"),
        (
            [{"name": "shop", "key": OTHER, "key_file": "x", "may": ["read"]}],
            "keys.shop has key and key_file; keep one",
        ),
        ([{"name": "shop", "key_file": "x", "may": ["read"]}], "keys.shop.key_file cannot be read"),
        ([{"name": "shop", "key": OTHER}], "keys.0.may: field required"),
        ([{"name": "shop", "key": OTHER, "may": []}], "keys.0.may: a list of what the key is for: login, validate"),
        ([{"name": "shop", "key": OTHER, "may": "read"}], "keys.0.may: a list of what the key is for"),
        ([{"name": "shop", "key": OTHER, "may": ["red"]}], "keys.0.may: 'red' is nothing that a key may do; there are"),
        ([{"name": "shop", "key": OTHER, "may": [OTHER]}], "keys.0.may: what a key may do is one of login, "),
        ([{"name": "Shop", "key": OTHER, "may": ["read"]}], "keys.0.name: "),
        ([{"name": "s" * 65, "key": OTHER, "may": ["read"]}], "keys.0.name: "),
        ([{"name": "", "key": OTHER, "may": ["read"]}], "keys.0.name: "),
        ([{"key": OTHER, "may": ["read"]}], "keys.0.name: field required"),
        ([{"name": "shop", "key": OTHER, "may": ["read"], "rooms": "a\n"}], "keys.0.rooms: how the rooms begin"),
        (
            [{"name": "shop", "key": OTHER, "may": ["read"], "room": "a"}],
            "keys.0.room: 'room' is not a member of a key",
        ),
        (
            [{"name": "shop", "key": [OTHER, OTHER + "2", OTHER + "3"], "may": ["read"]}],
            "keys.0.key: give one key, or a list of two",
        ),
        (
            [{"name": "shop", "key": OTHER, "may": ["read"]}, {"name": "shop", "key": OTHER + "2", "may": ["read"]}],
            "keys: two keys have the name 'shop'",
        ),
        (
            [{"name": "shop", "key": OTHER, "may": ["read"]}, {"name": "blog", "key": OTHER, "may": ["read"]}],
            "keys.blog is the key of keys.shop too; run `enforcer genkey`",
        ),
        ([{"name": "shop", "key": KEY, "may": ["read"]}], "keys.shop is an authkey too"),
        ([{"name": "shop", "key": KEY[::-1], "may": ["read"]}], "keys.shop is the key of metrics_key too"),
    ],
)
def test_bad_keys_are_refused_without_being_shown(config: Path, keys: object, sentence: str) -> None:
    """Each mistake by its place or the key's name."""
    text = problems(written(config, {"authkey": KEY, "metrics_key": KEY[::-1], "keys": keys}))
    assert text.startswith(sentence)
    assert OTHER not in text


def test_a_file_with_such_a_key_is_for_its_owner_alone(config: Path) -> None:
    """As one with the authkey; one that only names a file of a key is not."""
    with_key = written(config, {"keys": [{"name": "shop", "key": OTHER, "may": ["read"]}]}, mode=0o644)
    with pytest.raises(ConfigError, match="every user of this machine can read it"):
        load(with_key, environ={"ENFORCER_AUTHKEY": KEY})
    written(config.parent / "shop.key", OTHER)
    load(
        written(config, {"keys": [{"name": "shop", "key_file": "shop.key", "may": ["read"]}]}, mode=0o644),
        environ={"ENFORCER_AUTHKEY": KEY},
    )


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"idle_timeout": 60, "warn_before": 10}, "WCAG 2.2.1"),
        ({"idle_timeout": 60, "warn_before": 60}, "is not shorter than the time-out"),
        ({"idle_timeout": 900, "slots": {"m": {"warn_before": "15m"}}}, "slots.m.warn_before 900 s is not shorter"),
        ({"slots": {"m": {"idle_timeout": 90, "absolute_timeout": 80}}}, "slots.m: idle_timeout is not shorter"),
        ({"join": "open"}, "join is open"),
        ({"demo": True}, "demo is on"),
        ({"store": "memory://"}, "forgotten at a restart"),
        ({"drain_delay": 10, "drain_window": "1m"}, "a stop takes up to 80 s"),
        ({"authkey": "ab" * 20}, "authkey has few different characters"),
        ({"metrics_key": "ab" * 20}, "metrics_key has few different characters"),
        ({"keys": [{"name": "shop", "key": "ab" * 20, "may": ["read"]}]}, "keys.shop has few different characters"),
        ({"keys": [{"name": "shop", "key": [OTHER, OTHER], "may": ["read"]}]}, "keys.shop holds the same key twice"),
        (
            {"keys": [{"name": "s", "key": OTHER, "may": ["read"], "rooms": "shop"}]},
            "begin with 'shop', and so does 'shop2'",
        ),
    ],
)
def test_what_works_but_deserves_a_second_thought_is_a_warning(config: Path, values: dict[str, Any], part: str) -> None:
    """Warnings never stop a start."""
    s = load(written(config, {"authkey": KEY, **values}), environ={})
    assert any(part in w for w in warnings(s, {}))


def test_a_plain_configuration_has_no_warnings(config: Path) -> None:
    """The defaults deserve none."""
    assert warnings(load(written(config, {"authkey": KEY}), environ={}), {}) == []


def test_every_setting_is_frozen(config: Path) -> None:
    """Nobody changes a setting after the start."""
    s = load(written(config, {"authkey": KEY}), environ={})
    with pytest.raises(ValueError, match="frozen"):
        s.port = 5  # type: ignore[misc]
    assert Settings.model_config["extra"] == "forbid"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["capacitor://localhost"], ("capacitor://localhost",)),
        (["chrome-extension://abcdefghijklmnop"], ("chrome-extension://abcdefghijklmnop",)),
        (["https://app.example:443", "http://app.example:80"], ("https://app.example", "http://app.example")),
        (["https://app.example:80", "http://[::1]:443"], ("https://app.example:80", "http://[::1]:443")),
    ],
)
def test_origins_of_any_scheme(given: list[str], kept: tuple[str, ...]) -> None:
    """Exact ones; default ports are left out as browsers do."""
    assert Settings(authkey="k" * 40, origins=given).origins == kept


@pytest.mark.parametrize(
    "origin",
    ["null", "file://", "file://x", "app://", "app://a/b", "app://a b", "://a", "app:a", "ws://a", "APP://a", "*"],
)
def test_what_is_no_origin(origin: str) -> None:
    """What would match nothing, or anybody."""
    with pytest.raises(ValidationError):
        Settings(authkey="k" * 40, origins=[origin])


@pytest.mark.parametrize(
    "names", [[], ["https://app.example"], ["app.example:80"], ["*.app.example"], ["a/b"], ["::1"], [""], 7, [7]]
)
def test_what_are_no_host_names(names: Any) -> None:
    """Names without scheme, port, path and stars."""
    with pytest.raises(ValidationError):
        Settings(authkey="k" * 40, hostnames=names)


@pytest.mark.parametrize("opening", [{"join": "open"}, {"demo": True}])
def test_a_server_that_may_be_rebound_is_warned_of(opening: dict[str, Any]) -> None:
    """Where anybody may connect whose page is of the same host, and any name is."""
    open_to_all = {"authkey": "k" * 40, "ipaddr": "0.0.0.0", **opening}

    def warned(**more: Any) -> bool:
        return any("DNS rebinding" in warning for warning in warnings(Settings(**{**open_to_all, **more}), {}))

    assert warned()
    assert warned(ipaddr="192.0.2.1")
    assert not warned(hostnames=["app.example"])
    assert not warned(origins=["https://app.example"])
    for loopback in ("127.0.0.1", "::1", "localhost"):
        assert not warned(ipaddr=loopback)
    assert not warned(join="ticket", demo=False)
