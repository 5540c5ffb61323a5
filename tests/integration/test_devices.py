"""What only describes a login never refuses it, and a device without a name gets one."""

import json
from typing import Any

import httpx
import pytest

from tests.integration.problems import problem
from tests.running import EnforcerProcess

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def device_of(server: EnforcerProcess, room: str, device: Any) -> Any:
    """The device as the record of a login with it has it."""
    return server.record(server.login(room, device=device)["session"])["device"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"label": "x" * 600}, {"label": "x" * 128}),
        ({"label": "L", "class": "c" * 33}, {"label": "L", "class": "c" * 32}),
        ({"id": "i" * 1000}, {"id": "i" * 128}),
        ({"label": "L", "class": "c", "user_agent": "u" * 600}, {"label": "L", "class": "c", "user_agent": "u" * 512}),
        ({"ip": "unknown"}, {}),
        ({"ip": ""}, {}),
        ({"ip": "203.0.113.7, 10.0.0.1"}, {}),
        ({"ip": "fe80::1%" + "x" * 2000}, {}),
        ({"ip": "fe80::1%\x1b[31m"}, {}),
        ({"ip": "2001:DB8::1"}, {"ip": "2001:db8::1"}),
        ({"label": "Red\x1b[31m\x00\x9b phone\n"}, {"label": "Red[31m phone"}),
        ({"label": "half \ud800 one"}, {"label": "half  one"}),
        ({"label": "\x00"}, {}),
        ({"label": None, "ip": None}, {}),
        ({"label": "L", "colour": "blue", "screen": {"w": 1}}, {"label": "L"}),
        ({}, {}),
        ([], {}),
    ],
    ids=ascii,
)
def test_texts_that_are_not_as_they_should_be(shared: EnforcerProcess, room: str, given: Any, kept: Any) -> None:
    """Cut, cleaned or left out; the login is taken."""
    body = json.dumps({"room": room, "key": shared.authkey, "device": given}).encode()
    answer = httpx.post(f"{shared.url}/notify", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert shared.record(answer.json()["session"])["device"] == kept


@pytest.mark.parametrize(
    "device",
    [{"label": 5}, {"class": ["x"]}, {"id": {}}, {"user_agent": True}, {"ip": 5}, "Firefox", 5, [1], [[]], True],
    ids=ascii,
)
def test_a_wrong_type_is_still_refused(shared: EnforcerProcess, room: str, device: Any) -> None:
    """That is a mistake in the program, not an odd browser."""
    problem(shared.call("POST", "/v1/sessions", json={"room": room, "device": device}), 422, "invalid-request")


@pytest.mark.parametrize("entry", ["e" * 65, "s\x00so", "", "s\ud800so"], ids=ascii)
def test_an_entry_never_refuses(shared: EnforcerProcess, room: str, entry: str) -> None:
    """Likewise; it picks the redirect after it was tidied."""
    body = json.dumps({"room": room, "entry": entry}).encode()
    headers = {"Content-Type": "application/json"}
    answer = shared.call("POST", "/v1/sessions", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    expected = {"e" * 65: "e" * 64, "": None}.get(entry, "sso")
    assert shared.record(answer.json()["session"])["entry"] == expected
    problem(shared.call("POST", "/v1/sessions", json={"room": room, "entry": 5}), 422, "invalid-request")


def test_it_is_logged_once_a_minute(enforcer: EnforcerProcess, room: str) -> None:
    """One line for each kind, which says what was wrong with what, and never the text."""
    for _ in range(5):
        enforcer.login(room, device={"label": "secret-" * 50, "ip": "unknown", "colour": "blue"}, entry="e" * 99)
    lines = [line for line in enforcer.read_log().splitlines() if "a login is taken" in line]
    assert len(lines) == 4, lines
    for part in ("device.label is longer than 128", "device.ip is not an", "device.colour is not kn", "entry is long"):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert "secret-" not in enforcer.read_log()


@pytest.mark.parametrize(
    ("given", "label", "class_"),
    [
        ({"user_agent": FIREFOX}, "Firefox on Linux", "desktop"),
        ({"user_agent": FIREFOX, "label": "Kiosk 7"}, "Kiosk 7", "desktop"),
        ({"user_agent": FIREFOX, "class": "kiosk"}, "Firefox on Linux", "kiosk"),
        ({"user_agent": FIREFOX, "label": "", "class": ""}, "Firefox on Linux", "desktop"),
        ({"user_agent": "x" * 512}, None, "other"),
        ({"ip": "192.0.2.1"}, None, None),
    ],
    ids=ascii,
)
def test_a_device_gets_a_name(
    shared: EnforcerProcess, room: str, given: dict[str, str], label: str | None, class_: str | None
) -> None:
    """From its user agent, where the app gives none; what the app gives stays."""
    kept = device_of(shared, room, given)
    assert (kept.get("label"), kept.get("class")) == (label, class_)


def test_a_repeat_with_a_user_agent_is_the_same(shared: EnforcerProcess, room: str) -> None:
    """A name that was made up is no other body."""
    body = {"device": {"user_agent": FIREFOX, "label": "x" * 200}, "request_id": "r"}
    assert shared.login(room, **body)["session"] == shared.login(room, **body)["session"]
