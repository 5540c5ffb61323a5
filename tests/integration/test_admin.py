"""The console at `/admin`: logging in, the cookie, what keeps others out, and what is done there."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, free_port, until

KEYS = {name: (name * 40)[:40] for name in ("ops", "shop", "reader")}
SETTINGS: list[dict[str, Any]] = [
    {"name": "ops", "key": KEYS["ops"], "may": ["admin"]},
    {"name": "shop", "key": KEYS["shop"], "may": ["admin"], "rooms": "shop:"},
    {"name": "reader", "key": KEYS["reader"], "may": ["read", "end", "stream", "login"]},
]
SECRET = "whsec_" + "B" * 32
HOOKS = [
    {"name": name, "url": f"http://127.0.0.1:{free_port()}/", "secret": SECRET, "events": ["session.reported"], **more}
    for name, more in (("whole", {"allow_private": True}), ("own", {"allow_private": True, "rooms": "shop:"}))
]
"""Nobody listens there."""
HOSTILE = ("<img src=x onerror=alert(1)>", "\u202eecila\u202c", "👩" * 64, "=1+1", '"><script>alert(1)</script>')


class Console:
    """A browser that has logged in, as far as its requests are concerned."""

    opened: ClassVar[list[httpx.Client]] = []
    """Closed after each test."""

    def __init__(self, server: EnforcerProcess, key: str = "ops", **headers: str) -> None:
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=10)
        self.opened.append(self.http)
        self.answer = self.http.post("/admin/login", data={"key": KEYS.get(key, key)})
        self.csrf = self.answer.json().get("csrf", "")
        self.origin = server.url

    def get(self, path: str, **more: Any) -> httpx.Response:
        """What the page asks."""
        return self.http.get(f"/admin/{path}", **more)

    def change(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """What the page does."""
        return self.http.post(
            f"/admin/{path}", json=body, headers={"Origin": self.origin, "X-CSRF-Token": self.csrf, **headers}
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """With the console, and proxies that are believed. No key, cookie or traceback in its log."""
    directory = tmp_path_factory.mktemp("admin") / "enforcer"
    common = {"admin": True, "keys": SETTINGS, "trusted_proxies": ["127.0.0.1"], "webhooks": HOOKS}
    with EnforcerProcess(directory, **common) as made:
        yield made
        log = made.read_log()
    assert "Traceback" not in log
    assert not [key for key in (*KEYS.values(), "enforcer_admin") if key in log]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """The browsers are."""
    yield
    while Console.opened:
        Console.opened.pop().close()


@pytest.fixture
def console(server: EnforcerProcess) -> Console:
    """Logged in with a key that may nothing else."""
    return Console(server)


# ---- logging in --------------------------------------------------------------------------------------


def test_a_key_is_exchanged_for_a_cookie(server: EnforcerProcess, console: Console) -> None:
    """Which the page cannot read, other sites do not send, and the rest of the server is never shown."""
    assert console.answer.status_code == 200
    name, *attributes = console.answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("enforcer_admin=")
    assert KEYS["ops"] not in name
    assert {"HttpOnly", "SameSite=Strict", "Path=/admin"} <= set(attributes)
    assert "Secure" not in attributes
    (age,) = [a for a in attributes if a.startswith("Max-Age=")]
    assert 8 * 3600 - 5 <= int(age.partition("=")[2]) <= 8 * 3600
    told = console.get("session").json()
    assert told.keys() == {"key", "csrf", "expires_in"}
    assert (told["key"], told["csrf"]) == ("ops", console.csrf)
    assert 0 < told["expires_in"] <= 1800
    assert Console(server, server.authkey).get("session").json()["key"] == "authkey"
    over_tls = Console(server, **{"X-Forwarded-Proto": "https"})
    assert "Secure" in over_tls.answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"data": {"key": KEYS["reader"]}}, 403, "not-allowed"),
        ({"data": {"key": "x" * 40}}, 401, "unauthorized"),
        ({"data": {}}, 415, "unsupported-media-type"),
        ({"json": {"key": KEYS["ops"]}}, 415, "unsupported-media-type"),
        ({"data": {"key": KEYS["ops"], "more": "1"}}, 422, "invalid-request"),
        ({"data": {"key": [KEYS["ops"], KEYS["ops"]]}}, 422, "invalid-request"),
        ({"data": {"other": "1"}}, 422, "invalid-request"),
        ({"data": {"key": "x" * 20_000}}, 413, "too-large"),
        ({"data": {"key": KEYS["ops"]}, "params": {"key": KEYS["ops"]}}, 400, "credentials-in-url"),
        ({"data": {"key": KEYS["ops"]}, "headers": {"Origin": "https://evil.example"}}, 403, "origin-not-allowed"),
        ({"data": {"key": KEYS["ops"]}, "headers": {"Origin": "null"}}, 403, "origin-not-allowed"),
    ],
)
def test_a_bad_login_gets_no_cookie(server: EnforcerProcess, request_: Any, status: int, code: str) -> None:
    """A key that may not, a wrong one, forms that are none, and pages of other sites."""
    headers = {"X-Forwarded-For": "192.0.2.77", **request_.pop("headers", {})}
    answer = httpx.post(f"{server.url}/admin/login", headers=headers, **request_)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Set-Cookie" not in answer.headers
    if status == 403 and code == "not-allowed":
        assert "'admin'" in answer.json()["detail"]


def test_guessing_is_stopped(server: EnforcerProcess) -> None:
    """After five wrong keys from one address; from another one a right key goes on working."""

    def status(key: str, address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return httpx.post(f"{server.url}/admin/login", data={"key": key}, headers=headers).status_code

    assert [status("x" * 40, "192.0.2.1") for _ in range(10)] == [401] * 5 + [429] * 5
    assert status(KEYS["ops"], "192.0.2.1") == 429
    assert status(KEYS["ops"], "192.0.2.2") == 200
    assert [status("x" * 40, "192.0.2.2") for _ in range(7)] == [401] * 5 + [429] * 2
    assert status(KEYS["ops"], "192.0.2.2") == 200, "it has logged in from there before"


# ---- the cookie --------------------------------------------------------------------------------------


def with_cookie(server: EnforcerProcess, cookie: str, path: str = "session") -> int:
    """The answer to a request with this Cookie header."""
    return httpx.get(f"{server.url}/admin/{path}", headers={"Cookie": cookie}).status_code


def test_only_its_own_cookie_opens_it(server: EnforcerProcess, console: Console) -> None:
    """Not a key, not a forged one, not two; and a key opens none of its calls."""
    cookie = console.http.cookies["enforcer_admin"]
    assert with_cookie(server, f"enforcer_admin={cookie}") == 200
    assert with_cookie(server, f"a=b; enforcer_admin={cookie}; c=d") == 200
    for odd in ("", "enforcer_admin=", f"enforcer_admin={cookie[:-2]}", f"enforcer_admin={cookie}; enforcer_admin=x"):
        assert with_cookie(server, odd) == 401, odd
    for path in ("session", "api/overview", "api/audit", "api/stream", "api/settings", "api/search?q=x"):
        answer = httpx.get(f"{server.url}/admin/{path}", headers={"Authorization": f"Bearer {KEYS['ops']}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
    assert httpx.get(f"{server.url}/v1/sessions", cookies={"enforcer_admin": cookie}).status_code == 401
    assert console.http.get("/v1/audit", headers={"Authorization": f"Bearer {KEYS['ops']}"}).status_code == 403


def test_logging_out_ends_every_copy_of_it(server: EnforcerProcess) -> None:
    """And takes it out of the browser; after a restart, too."""
    console = Console(server)
    cookie = console.http.cookies["enforcer_admin"]
    other = Console(server)
    answer = console.change("logout")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert with_cookie(server, f"enforcer_admin={cookie}") == 401
    assert other.get("session").status_code == 200
    server.stop()
    server.start()
    assert with_cookie(server, f"enforcer_admin={cookie}") == 401
    assert other.get("session").status_code == 200


def test_a_changed_key_ends_it(server: EnforcerProcess) -> None:
    """By SIGHUP, and an open stream with it; the sessions of other keys go on."""
    ops, shop = Console(server), Console(server, "shop")
    assert server.popen is not None
    with ops.http.stream("GET", "/admin/api/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: ready"
        try:
            server.settings["keys"] = [{**SETTINGS[0], "key": "z" * 40}, *SETTINGS[1:]]
            server.write_config()
            server.popen.send_signal(signal.SIGHUP)
            until(lambda: ops.get("session").status_code == 401)
            assert shop.get("session").status_code == 200
            for _ in lines:
                pass
        finally:
            server.settings["keys"] = SETTINGS
            server.write_config()
            server.popen.send_signal(signal.SIGHUP)
            until(lambda: Console(server).answer.status_code == 200)


def test_each_node_takes_it(tmp_path: Path, redis_server: RedisServer) -> None:
    """Of the same server; and none takes one of another server, or one that was logged out at another node."""
    redis_server.flush()
    common = {"store": redis_server.url, "admin": True, "keys": SETTINGS}
    with (
        EnforcerProcess(tmp_path / "one", **common) as one,
        EnforcerProcess(tmp_path / "two", authkey=one.authkey, **common) as two,
        EnforcerProcess(tmp_path / "foreign", admin=True, keys=SETTINGS, store="memory://") as foreign,
    ):
        console = Console(one)
        cookie = f"enforcer_admin={console.http.cookies['enforcer_admin']}"
        assert [with_cookie(node, cookie) for node in (one, two, foreign)] == [200, 200, 401]
        assert len(httpx.get(f"{two.url}/admin/api/overview", headers={"Cookie": cookie}).json()["nodes"]) == 2
        answer = httpx.post(
            f"{two.url}/admin/logout", headers={"Cookie": cookie, "Origin": two.url, "X-CSRF-Token": console.csrf}
        )
        assert answer.status_code == 204
        assert [with_cookie(node, cookie) for node in (one, two)] == [401, 401]


# ---- changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["logout", "api/end", "api/explain"])
def test_a_change_needs_its_token_and_its_origin(server: EnforcerProcess, console: Console, path: str) -> None:
    """One without the other does not do, nor one of somebody else."""
    live = server.login("guarded")["session"]
    body = {"logout": None, "api/end": {"session": live}, "api/explain": {"room": "guarded"}}[path]
    port = server.port
    for headers, code in (
        ({"X-CSRF-Token": ""}, "not-allowed"),
        ({"X-CSRF-Token": console.csrf[:-1]}, "not-allowed"),
        ({"X-CSRF-Token": Console(server).csrf}, "not-allowed"),
        ({"Origin": "https://evil.example"}, "origin-not-allowed"),
        ({"Origin": "null"}, "origin-not-allowed"),
        ({"Origin": ""}, "origin-not-allowed"),
        ({"Origin": f"http://127.0.0.1:{port + 1}"}, "origin-not-allowed"),
        ({"Origin": f"http://localhost:{port}"}, "origin-not-allowed"),
        ({"Origin": f"ftp://127.0.0.1:{port}"}, "origin-not-allowed"),
        ({"X-Forwarded-Proto": "https"}, "origin-not-allowed"),
    ):
        answer = console.change(path, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code), headers
    without = console.http.post(f"/admin/{path}", json=body, headers={"X-CSRF-Token": console.csrf})
    assert (without.status_code, without.json()["code"]) == (403, "origin-not-allowed")
    assert server.record(live)["active"] is True
    assert console.get("session").status_code == 200


def test_ends_are_an_administrators(server: EnforcerProcess, console: Console) -> None:
    """One session, or all of a user; with a reason of choice, and the name of the key."""
    server.login("ann", session="ann-1")
    server.login("ann", session="ann-2", max_sessions=3)
    server.login("ann", session="ann-3", max_sessions=3)
    assert console.change("api/end", {"session": "ann-1"}).json() == {"ended": ["ann-1"]}
    assert console.change("api/end", {"session": "ann-1"}).json() == {"ended": []}
    assert console.change("api/end", {"room": "ann", "reason": "security"}).json() == {"ended": ["ann-2", "ann-3"]}
    assert console.change("api/end", {"session": "nobodys"}).status_code == 404
    for body in ({}, {"session": "ann-1", "room": "ann"}, {"room": "ann", "reason": "idle"}, {"rom": "ann"}):
        assert console.change("api/end", body).status_code == 422, body
    rows = console.get("api/audit", params={"room": "ann"}).json()["items"]
    by = {"kind": "admin", "key": "ops"}
    ended = [(row["session"], row["reason"], row["by"]) for row in rows if row["event"] == "ended"]
    assert ended == [("ann-3", "security", by), ("ann-2", "security", by), ("ann-1", "admin", by)]
    told = console.change("api/explain", {"room": "ann"}).json()
    assert (told["outcome"], told["would_end"]) == ("admitted", [])


def test_a_key_with_rooms_sees_no_others(server: EnforcerProcess) -> None:
    """As with its calls."""
    console = Console(server, "shop")
    theirs, ours = server.login("blog:1")["session"], server.login("shop:1")["session"]
    assert console.get("api/user", params={"room": "blog:1"}).status_code == 403
    assert console.change("api/end", {"room": "blog:1"}).status_code == 403
    assert console.change("api/explain", {"room": "blog:1"}).status_code == 403
    assert console.change("api/end", {"session": theirs}).status_code == 404
    assert console.get("api/search", params={"q": theirs}).json() == {"rooms": [], "sessions": []}
    assert console.get("api/search", params={"q": "blog:1"}).json() == {"rooms": [], "sessions": []}
    assert {row["room"] for row in console.get("api/sessions").json()["items"]} == {"shop:1"}
    assert {row["room"] for row in console.get("api/audit").json()["items"]} == {"shop:1"}
    assert console.change("api/end", {"session": ours}).json() == {"ended": [ours]}


# ---- what it shows -----------------------------------------------------------------------------------


def test_search_finds_users_and_sessions(server: EnforcerProcess, console: Console) -> None:
    """Exactly, whatever the name; a look is no sign of life."""
    for n, name in enumerate(HOSTILE):
        session = server.login(name, session=f"hostile-{n}")["session"]
        assert console.get("api/search", params={"q": name}).json()["rooms"] == [{"room": name, "live": 1}]
        assert console.get("api/user", params={"room": name}).json()["sessions"][0]["room"] == name
        found = console.get("api/search", params={"q": session}).json()["sessions"]
        assert [(s["session"], s["room"]) for s in found] == [(session, name)]
    server.call("DELETE", "/v1/sessions/hostile-0")
    assert console.get("api/search", params={"q": HOSTILE[0]}).json()["rooms"] == [{"room": HOSTILE[0], "live": 0}]
    assert console.get("api/search", params={"q": "nobody"}).json() == {"rooms": [], "sessions": []}


def test_the_log_comes_as_csv_by_a_link(server: EnforcerProcess, console: Console) -> None:
    """With the filters of the page."""
    server.login("csv")
    for path in ("sessions", "audit"):
        answer = console.get(f"api/{path}.csv", params={"room": "csv"}, headers={"Accept": "text/html,*/*"})
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{path}.csv"'
        assert len(answer.text.splitlines()) == 2


def test_the_settings_in_force_without_secrets(server: EnforcerProcess, console: Console) -> None:
    """Each with where it comes from."""
    answer = console.get("api/settings")
    rows = {row["name"]: row for row in answer.json()["settings"]}
    assert rows["admin"]["value"] is True
    assert (rows["admin"]["source"], rows["policy"]["source"]) == ("file", "default")
    assert [key["name"] for key in rows["keys"]["value"]] == ["ops", "shop", "reader"]
    assert not [key for key in (server.authkey, SECRET, *KEYS.values()) if key in answer.text]


def test_webhooks_are_looked_after(server: EnforcerProcess, console: Console) -> None:
    """As with `/v1/webhooks`, over the cookie; whoever has rooms sees the hooks of these."""
    assert [hook["name"] for hook in console.get("api/webhooks").json()] == ["whole", "own"]
    assert [hook["name"] for hook in Console(server, "shop").get("api/webhooks").json()] == ["own"]
    told = console.change("api/webhooks/own/test").json()
    assert (told["delivered"], told["status"]) == (False, None)
    assert console.change("api/webhooks/own/retry").json() == {"retried": 0}
    assert console.get("api/webhooks/own/dead").json() == []
    assert console.change("api/webhooks/own/test", None, **{"X-CSRF-Token": "x"}).status_code == 403
    log = server.read_log()
    for line in ("webhook tested", "webhook tried again"):
        (told,) = [text for text in log.splitlines() if line in text]
        assert re.search(r"\bhook=.?own\b.*\bkey=.?ops\b", told), told


def test_the_stream_has_rows_and_figures(server: EnforcerProcess, console: Console) -> None:
    """Over the cookie; what happens comes at once, the overview with the first look."""
    with console.http.stream("GET", "/admin/api/stream") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: ready"
        session = server.login("streamed")["session"]
        seen: dict[str, Any] = {}
        event = ""
        while not {"overview", "session.started"} <= seen.keys():
            line = next(lines)
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                seen[event] = json.loads(line.removeprefix("data: "))
    assert seen["session.started"]["session"] == session
    assert seen["overview"]["open_sessions"] >= 1


def test_its_files_may_load_nothing_from_elsewhere(server: EnforcerProcess) -> None:
    """Nor hold a script, a style or a handler of their own in the page."""
    page = httpx.get(f"{server.url}/admin")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert page.headers["Content-Type"].startswith("text/html")
    assert "style=" not in page.text
    assert "<style" not in page.text
    assert httpx.get(f"{server.url}/admin/").text == page.text
    for path in ("console.js", "console.css", "icon.svg"):
        assert f'"/admin/{path}"' in page.text
        assert httpx.get(f"{server.url}/admin/{path}").status_code == 200


def test_without_the_setting_there_is_nothing(enforcer: EnforcerProcess) -> None:
    """Not even the page."""
    for method, path in (("GET", "/admin"), ("GET", "/admin/session"), ("GET", "/admin/console.js")):
        assert httpx.request(method, enforcer.url + path).status_code == 404
    for path in ("login", "logout", "api/end"):
        answer = httpx.post(f"{enforcer.url}/admin/{path}", data={"key": enforcer.authkey})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
