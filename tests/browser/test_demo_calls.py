"""The demo's own calls, without a browser."""

from pathlib import Path

import httpx
import pytest

from tests.running import EnforcerProcess


def test_it_touches_only_its_own_rooms(demo: EnforcerProcess) -> None:
    """A user of the application with the same name is not disturbed."""
    theirs = demo.login("ann")
    post = httpx.post(f"{demo.url}/demo/login", json={"name": "ann", "window": "Teal window"})
    assert post.status_code == 200
    assert demo.record(theirs["session"])["active"]
    assert demo.record(post.json()["session"])["room"] == "demo:ann"
    assert demo.call("POST", "/notify", json={"room": "demo:ann"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 65, "window": "w"},
        {"name": "", "window": "w"},
        {"name": "x\ny", "window": "w"},
        {"name": 7, "window": "w"},
        {"name": "ann", "window": ""},
        {"name": "ann", "window": "w", "session": "mine"},
        {"name": "ann"},
    ],
)
def test_what_is_not_a_login_is_refused(demo: EnforcerProcess, body: dict[str, object]) -> None:
    """By the same strict rules as the API."""
    answer = httpx.post(f"{demo.url}/demo/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_addresses(demo: EnforcerProcess) -> None:
    """Every file is there, with the strict policy; ids are not given away."""
    for path in ("", "/demo.css", "/demo.js", "/identity.js", "/sessions.js", "/icon.svg"):
        answer = httpx.get(f"{demo.url}/demo{path}")
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"
    assert httpx.get(f"{demo.url}/demo/").headers["Location"] == "../demo"
    session = httpx.post(f"{demo.url}/demo/login", json={"name": "ida", "window": "w"}).json()["session"]
    listed = httpx.get(f"{demo.url}/demo/sessions", params={"name": "ida"})
    assert listed.json()["sessions"][0]["id"] == session[:8]
    assert session not in listed.text
    assert httpx.get(f"{demo.url}/demo/sessions").status_code == 422


def test_it_is_off_unless_switched_on(tmp_path: Path) -> None:
    """Nothing of it answers then."""
    with EnforcerProcess(tmp_path) as server:
        for path in ("", "/", "/demo.css", "/demo.js", "/sessions?name=ann"):
            assert httpx.get(f"{server.url}/demo{path}").status_code == 404
        assert httpx.post(f"{server.url}/demo/login", json={"name": "ann", "window": "w"}).status_code == 404
