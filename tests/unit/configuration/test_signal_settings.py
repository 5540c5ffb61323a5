"""The setting `signals`: what can be served, and what is said about what cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from enforcer.configuration.reading import load
from enforcer.configuration.signals import INSTALL, wrong_with
from enforcer.domain.errors import ConfigError

AUTHKEY, KEY = "a" * 31 + "1", "k" * 31 + "2"
OIDC = {"kind": "backchannel-logout", "issuer": "https://idp.example/realms/one", "client_id": "app"}
GOOD: dict[str, dict[str, Any]] = {
    "keycloak": OIDC,
    "strict": {**OIDC, "typ": "required", "jwks_uri": "https://keys.example/jwks?tenant=1"},
    "test.set-up_1": {**OIDC, "issuer": "http://127.0.0.1:8080", "allow_http": True},
    "okta": {
        "kind": "token-revocation",
        "issuer": "https://okta.example",
        "audience": "https://app.example/signals/okta",
    },
    "incidents": {"kind": "token-revocation", "key": KEY},
    "two-keys": {"kind": "token-revocation", "key": [KEY + "3", KEY + "4"]},
    "ssf": {"kind": "caep", "issuer": "https://ssf.example", "audience": "aud"},
    "guarded": {"kind": "caep", "issuer": "https://ssf.example", "audience": "aud", "key": KEY + "5"},
}


def written(directory: Path, signals: Any, mode: int = 0o600, **more: Any) -> Path:
    """A configuration with these signals."""
    path = directory / "config.json"
    path.write_text(json.dumps({"authkey": AUTHKEY, "signals": signals, **more}))
    path.chmod(mode)
    return path


def problems(directory: Path, signals: Any, **more: Any) -> str:
    """What keeps it from being used; never a key."""
    with pytest.raises(ConfigError) as error:
        load(written(directory, signals, **more), environ={})
    told = "\n".join(error.value.problems)
    assert KEY not in told
    assert all(sentence.startswith(("signals", str(directory))) for sentence in error.value.problems), told
    return told


def test_each_kind_can_be_configured(tmp_path: Path) -> None:
    """From the file and from the environment; `null` is none."""
    found = load(written(tmp_path, GOOD), environ={}).signals
    assert found.keys() == GOOD.keys()
    assert [found[name].verifies for name in ("keycloak", "okta", "incidents", "ssf")] == [True, True, False, True]
    assert (found["two-keys"].keys, found["keycloak"].keys) == ((KEY + "3", KEY + "4"), ())
    assert KEY not in repr(found)
    by_environment = load(None, environ={"ENFORCER_AUTHKEY": AUTHKEY, "ENFORCER_SIGNALS": json.dumps(GOOD)})
    assert by_environment.signals == found
    assert load(written(tmp_path, None), environ={}).signals == {}


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        ({}, "`kind` must be"),
        ({"kind": "saml"}, "`kind` must be"),
        ("keycloak", ""),
        ({"kind": "backchannel-logout", "client_id": "app"}, "`issuer` is missing"),
        ({"kind": "backchannel-logout", "issuer": "https://idp.example"}, "`client_id` is missing"),
        ({**OIDC, "clientid": "x"}, "'clientid' is not a member"),
        ({**OIDC, "typ": "maybe"}, "`typ`"),
        ({**OIDC, "key": KEY}, "'key' is not a member"),
        ({**OIDC, "issuer": "http://idp.example"}, "issuer must be https"),
        ({**OIDC, "issuer": "idp.example"}, "issuer must be an address"),
        ({**OIDC, "issuer": "https://user@idp.example"}, "issuer must be an address"),
        ({**OIDC, "issuer": "https://idp.example?x=1"}, "issuer must be an address"),
        ({**OIDC, "issuer": "file:///etc/passwd", "allow_http": True}, "issuer must be an address"),
        ({**OIDC, "jwks_uri": "http://127.0.0.1/keys"}, "jwks_uri must be https"),
        ({"kind": "token-revocation"}, "give either `key`"),
        ({"kind": "token-revocation", "key": KEY, "issuer": "https://a.example", "audience": "x"}, "give either `key`"),
        ({"kind": "token-revocation", "issuer": "https://a.example"}, "give either `key`"),
        ({"kind": "token-revocation", "key": []}, "give one key"),
        ({"kind": "token-revocation", "key": "short"}, "has 5 characters"),
        ({"kind": "token-revocation", "key": KEY + " x"}, "printable ASCII"),
        ({"kind": "token-revocation", "key": AUTHKEY}, "opens something else"),
    ],
    ids=str,
)
def test_what_cannot_be_served(tmp_path: Path, signal: Any, told: str) -> None:
    """A sentence that names the signal."""
    said = problems(tmp_path, {"idp": signal})
    assert said.startswith("signals: idp: ")
    assert told in said


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    """Of several signals; names and the whole setting are judged, too."""
    said = problems(tmp_path, {"a": {"kind": "x"}, "b": {**OIDC, "issuer": ""}, "no/name": OIDC, "..": OIDC})
    assert len(said.splitlines()) == 4
    assert "an object like" in problems(tmp_path, ["keycloak"])
    assert "opens something else" in problems(tmp_path, {n: {"kind": "token-revocation", "key": KEY} for n in "ab"})


def test_with_open_pages_there_are_none(tmp_path: Path) -> None:
    """Their sessions come before their logins."""
    assert '`join` "open"' in problems(tmp_path, {"idp": OIDC}, join="open")


def test_a_file_with_a_key_is_for_its_owner(tmp_path: Path) -> None:
    """Wherever in it the key stands."""
    signals = {"a": {"kind": "token-revocation", "key": KEY}}
    path = written(tmp_path, signals, 0o644)
    path.write_text(json.dumps({"signals": signals}))
    with pytest.raises(ConfigError) as error:
        load(path, environ={"ENFORCER_AUTHKEY": AUTHKEY})
    assert "chmod 600" in str(error.value)


def test_without_the_extra_nothing_is_verified(tmp_path: Path) -> None:
    """A start is refused with the command that installs it; a key alone needs no signature."""
    found = load(written(tmp_path, GOOD), environ={}).signals
    (said,) = wrong_with(found, "ticket", (), extra=False)
    assert INSTALL in said
    assert list(wrong_with({"incidents": found["incidents"]}, "ticket", (), extra=False)) == []
    assert list(wrong_with(found, "ticket", (), extra=True)) == []
