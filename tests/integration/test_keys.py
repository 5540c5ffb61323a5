"""Keys of single applications: what each may do, which rooms it sees, and what the log says of it."""

import csv
import json
import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from enforcer.domain.permissions import May
from tests.running import EnforcerProcess, until

MAY = [str(may) for may in May]
SECRETS = {name: (name * 40)[:40] for name in (*MAY, "shop", "blog", "old")}
KEYS: list[dict[str, Any]] = [
    *({"name": name, "key": SECRETS[name], "may": [name]} for name in MAY),
    {"name": "shop", "key": [SECRETS["shop"], SECRETS["old"]], "may": MAY, "rooms": "shop:"},
    {"name": "blog", "key_file": "blog.key", "may": ["login", "elevate"], "rooms": "blog:"},
]


class Asked(NamedTuple):
    """An answer, as far as it matters here."""

    status: int
    code: str | None
    body: Any


class Keyed:
    """The server, and calls to it with one of its keys."""

    def __init__(self, process: EnforcerProcess) -> None:
        self.process = process
        self.http = httpx.Client(base_url=process.url, timeout=10)

    def ask(self, key: str | None, method: str, path: str, body: Any = None, **more: Any) -> Asked:
        """A call with a key by its name, None for the authkey."""
        secret = self.process.authkey if key is None else SECRETS.get(key, key)
        headers = {"Authorization": f"Bearer {secret}", **more.pop("headers", {})}
        answer = self.http.request(method, path, json=body, headers=headers, **more)
        told = answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text
        return Asked(answer.status_code, told.get("code") if isinstance(told, dict) else None, told)

    def session(self, room: str, key: str | None = None, **more: Any) -> str:
        """A new live session."""
        answer = self.ask(key, "POST", "/notify", {"room": room, **more})
        assert answer.status == 200, answer
        return str(answer.body["session"])

    def trail(self, session: str) -> list[dict[str, Any]]:
        """The audit rows of a session."""
        rows: list[dict[str, Any]] = self.ask(None, "GET", f"/v1/audit?session={session}").body["items"]
        return rows


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """With all those keys, one of which stands in a file. None of them is in its log, and no traceback."""
    directory = tmp_path_factory.mktemp("keys")
    process = EnforcerProcess(directory / "enforcer", keys=KEYS, store="memory://")
    file = process.directory / "blog.key"
    file.touch(mode=0o600)
    file.write_text(SECRETS["blog"] + "\n")
    with process:
        keyed = Keyed(process)
        yield keyed
        keyed.http.close()
        log = process.read_log()
    assert "Traceback" not in log
    assert not [name for name, secret in SECRETS.items() if secret in log]


# ---- what a key may do -------------------------------------------------------------------------------


CALLS: list[tuple[str, str, Any, set[str]]] = [
    ("POST", "/notify", {"room": "shop:table"}, {"login"}),
    ("POST", "/v1/sessions", {"room": "shop:table"}, {"login"}),
    ("POST", "/v1/sessions/explain", {"room": "shop:table"}, {"login"}),
    ("POST", "/v1/sessions/{}/ticket", None, {"login"}),
    ("POST", "/v1/sessions/{}/ticket", {"elevate_for": None}, {"login"}),
    ("POST", "/v1/sessions/{}/ticket", {"elevate_for": 60}, {"elevate"}),
    ("GET", "/v1/sessions/{}", None, {"validate"}),
    ("POST", "/v1/sessions/validate", {"session": "{}"}, {"validate"}),
    ("POST", "/v1/sessions/{}/activity", None, {"validate"}),
    ("GET", "/v1/users/shop:table/sessions", None, {"read"}),
    ("GET", "/v1/sessions", None, {"read"}),
    ("GET", "/v1/audit", None, {"read"}),
    ("GET", "/metrics", None, {"metrics"}),
    ("DELETE", "/v1/sessions/{}", None, {"end"}),
    ("DELETE", "/v1/users/shop:gone/sessions", None, {"end"}),
    ("POST", "/v1/users/logout", {"room": "shop:gone"}, {"end"}),
    ("POST", "/v1/logout-all", {"slot": "nobody"}, {"end"}),
]


@pytest.mark.parametrize(("method", "path", "body", "opening"), CALLS, ids=lambda value: str(value)[:40])
def test_each_call_wants_its_permission(server: Keyed, method: str, path: str, body: Any, opening: set[str]) -> None:
    """Every key that has one other permission is refused, and told which one is missing."""
    for name in (*MAY, "shop", None):
        session = server.session("shop:table")
        named = None if body is None else json.loads(json.dumps(body).replace("{}", session))
        answer = server.ask(name, method, path.format(session), named)
        if name in (*opening, "shop", None):
            assert answer.status in (200, 201, 202, 204), (name, answer)
        else:
            assert (answer.status, answer.code) == (403, "not-allowed"), (name, answer)
            assert all(repr(may) in answer.body["detail"] for may in opening), answer


def test_the_stream_wants_its_permission(server: Keyed) -> None:
    """It goes on, so only its beginning is looked at."""
    assert [server.ask(name, "GET", "/v1/stream").status for name in MAY if name != "stream"] == [403] * (len(MAY) - 1)
    headers = {"Authorization": f"Bearer {SECRETS['stream']}"}
    with server.http.stream("GET", "/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200


def test_the_order_of_judgement(server: Keyed) -> None:
    """A key that nobody has, then what method and path decide, then the body, then the rooms in it, then the store."""
    wrong = "x" * 40
    assert server.ask(wrong, "POST", "/v1/sessions", {"nonsense": 1}).status == 401
    assert server.ask("read", "POST", "/v1/sessions", {"nonsense": 1}).status == 403
    assert server.ask("read", "POST", "/notify", {"nonsense": 1}).status == 403
    assert server.http.post("/notify", json={"key": SECRETS["read"], "nonsense": 1}).status_code == 403
    broken = server.http.post("/notify", content=b"{", headers={"Authorization": f"Bearer {SECRETS['read']}"})
    assert broken.status_code == 403
    assert server.ask("shop", "POST", "/notify", {"room": "alice", "nonsense": 1}).status == 422
    assert server.ask("shop", "POST", "/notify", {"room": "alice"}).status == 403
    assert server.http.post("/notify", json={"key": SECRETS["shop"], "room": "alice"}).status_code == 403
    assert server.ask("login", "POST", "/v1/sessions/unknown/ticket", {"elevate_for": 0}).status == 422
    assert server.ask("login", "POST", "/v1/sessions/unknown/ticket", {"elevate_for": 60}).status == 403
    assert server.ask("login", "POST", "/v1/sessions/unknown/ticket").status == 404
    assert server.ask("read", "POST", "/v1/sessions/unknown/ticket", {"elevate_for": 0}).status == 403
    assert server.ask("shop", "GET", "/v1/users/alice/sessions?nonsense=1").status == 403
    assert server.ask("shop", "GET", "/v1/audit?room=alice&nonsense=1").status == 422
    assert server.ask("shop", "GET", "/v1/audit?room=alice").status == 403


# ---- its rooms ---------------------------------------------------------------------------------------


def test_a_call_that_names_another_room_is_refused(server: Keyed) -> None:
    """Wherever it stands."""
    session = server.session("shop:named")
    for method, path, body in (
        ("POST", "/notify", {"room": "shop"}),
        ("POST", "/v1/sessions", {"room": "blog:1"}),
        ("POST", "/v1/sessions/explain", {"room": "blog:1"}),
        ("GET", f"/v1/sessions/{session}?room=blog:1", None),
        ("POST", "/v1/sessions/validate", {"session": session, "room": "blog:1"}),
        ("POST", "/v1/sessions/validate?room=blog:1", {"session": session}),
        ("GET", "/v1/users/blog:1/sessions", None),
        ("DELETE", "/v1/users/blog:1/sessions", None),
        ("POST", "/v1/users/logout", {"room": "blog:1"}),
        ("POST", "/v1/users/logout", {"room": 42}),
        ("GET", "/v1/sessions?room=blog:1", None),
        ("GET", "/v1/audit?room=blog:1", None),
        ("GET", "/v1/stream?room=blog:1", None),
    ):
        answer = server.ask("shop", method, path, body)
        assert (answer.status, answer.code) == (403, "not-allowed"), (method, path, answer)
        assert "'shop:'" in answer.body["detail"]


def test_a_session_of_another_room_is_unknown(server: Keyed) -> None:
    """To the word, live or ended, and asking leaves no trace of it."""
    theirs, gone = server.session("blog:theirs"), server.session("blog:gone")
    server.ask(None, "DELETE", f"/v1/sessions/{gone}")
    before = server.ask(None, "GET", "/v1/sessions?room=blog:theirs").body["items"]
    for id_ in (theirs, gone, "nobodys"):
        for method, path, body in (
            ("GET", f"/v1/sessions/{id_}", None),
            ("GET", f"/v1/sessions/{id_}?require=active", None),
            ("GET", f"/v1/sessions/{id_}?room=shop:1", None),
            ("POST", "/v1/sessions/validate", {"session": id_}),
            ("POST", f"/v1/sessions/{id_}/activity", None),
            ("POST", f"/v1/sessions/{id_}/ticket", None),
            ("POST", f"/v1/sessions/{id_}/ticket", {"elevate_for": 60}),
            ("DELETE", f"/v1/sessions/{id_}", None),
        ):
            answer = server.ask("shop", method, path, body)
            assert (answer.status, answer.code) == (404, "session-unknown"), (method, path, answer)
            assert (
                answer.body["detail"].replace(id_, "…").removesuffix(" in room 'shop:1'") == "session '…' is not known"
            )
    assert server.ask(None, "GET", "/v1/sessions?room=blog:theirs").body["items"] == before


def test_lists_have_own_rooms_only(server: Keyed) -> None:
    """The session log, the audit log, page by page and as CSV."""
    for n in range(3):
        server.session(f"blog:list{n}")
        server.session(f"shop:list{n}")
    for path in ("/v1/sessions", "/v1/audit"):
        cursor, rooms = "", []
        while cursor is not None:
            page = server.ask("shop", "GET", f"{path}?limit=1&cursor={cursor}" if cursor else f"{path}?limit=1").body
            rooms += [row["room"] for row in page["items"]]
            cursor = page["next"]
        assert {f"shop:list{n}" for n in range(3)} <= set(rooms)
        assert all(room.startswith("shop:") for room in rooms)
        text = server.ask("shop", "GET", path, headers={"Accept": "text/csv"}).body
        assert "shop:list2" in text
        assert "blog:" not in text
    theirs = server.session("blog:list3")
    assert server.ask("shop", "GET", f"/v1/audit?session={theirs}").body["items"] == []


def test_the_stream_tells_of_own_rooms_only(server: Keyed) -> None:
    """What came before the own event was somebody else's, and is passed over."""
    with server.http.stream("GET", "/v1/stream", headers={"Authorization": f"Bearer {SECRETS['shop']}"}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: ready"
        server.session("blog:stream", "blog")
        server.session("shop:stream", "shop")
        told = next(line for line in lines if line.startswith("data: {") and "seq" in line)
    row = json.loads(told.removeprefix("data: "))
    assert (row["room"], row["by"]) == ("shop:stream", {"kind": "app", "key": "shop"})


def test_everybody_is_everybody_of_the_own_rooms(server: Keyed) -> None:
    """`POST /v1/logout-all`, as an administrator."""
    theirs, ours = server.session("blog:all"), server.session("shop:all")
    assert server.ask("shop", "POST", "/v1/logout-all").status == 202
    assert server.ask(None, "GET", f"/v1/sessions/{theirs}").body["active"] is True
    record = server.ask(None, "GET", f"/v1/sessions/{ours}").body
    assert (record["end_reason"], record["ended_by"]) == ("admin", {"kind": "admin", "key": "shop"})


def test_a_login_reaches_no_session_of_other_rooms(server: Keyed) -> None:
    """`session` is a conflict; `replaces` and `ends` are as ids that nobody has."""
    theirs = server.session("blog:claim")
    conflict = server.ask("shop", "POST", "/notify", {"room": "shop:claim", "session": theirs})
    assert (conflict.status, conflict.code) == (409, "session-conflict")
    claim = {"room": "shop:claim", "replaces": theirs, "ends": [theirs]}
    assert server.ask("shop", "POST", "/v1/sessions/explain", claim).body["would_end"] == []
    first = server.ask("shop", "POST", "/notify", {**claim, "request_id": "once"})
    again = server.ask("shop", "POST", "/notify", {**claim, "request_id": "once"})
    assert (first.status, again.body["session"]) == (200, first.body["session"])
    assert server.ask(None, "GET", f"/v1/sessions/{theirs}").body["active"] is True
    own = server.session("shop:other", "shop", replaces=first.body["session"])
    assert server.ask("shop", "GET", f"/v1/sessions/{first.body['session']}").body["end_reason"] == "replaced"
    whole = server.session("shop:any", replaces=theirs)
    assert server.ask(None, "GET", f"/v1/sessions/{theirs}").body["ended_by"] == {"kind": "login", "session": whole}
    assert server.ask("shop", "GET", f"/v1/sessions/{own}").status == 200


# ---- what the log says -------------------------------------------------------------------------------


def test_who_did_it_has_the_name_of_its_key(server: Keyed) -> None:
    """In each audit row of its calls, in the record, in the CSV and in the log; the authkey has no name."""
    first = server.session("shop:by", "shop", device={"label": "One"})
    second = server.session("shop:by", "old")
    server.ask("shop", "POST", "/notify", {"room": "shop:by", "session": second})
    assert server.ask("shop", "POST", "/notify", {"room": "shop:by", "policy": "reject"}).code == "session-limit"
    server.ask("end", "DELETE", f"/v1/sessions/{second}?reason=security")
    by = [(row["event"], row["by"]) for row in server.ask(None, "GET", "/v1/audit?room=shop:by").body["items"]]
    app = {"kind": "app", "key": "shop"}
    assert by == [
        ("started", app),
        ("started", app),
        ("ended", {"kind": "login", "session": second, "key": "shop"}),
        ("claimed", app),
        ("login_refused", app),
        ("ended", {"kind": "app", "key": "end"}),
    ]
    assert server.ask("shop", "GET", f"/v1/sessions/{first}").body["ended_by"]["key"] == "shop"
    third = server.session("shop:by")
    server.ask("shop", "DELETE", "/v1/users/shop:by/sessions?reason=admin")
    assert [row["by"] for row in server.trail(third)] == [None, {"kind": "admin", "key": "shop"}]
    for path, column in (("/v1/sessions", "ended_by.key"), ("/v1/audit", "by.key")):
        text = server.ask(None, "GET", f"{path}?room=shop:by", headers={"Accept": "text/csv"}).body
        assert "shop" in [row[column] for row in csv.DictReader(text.splitlines())]
    assert 'key="shop"' in server.process.read_log()


# ---- how they are set --------------------------------------------------------------------------------


def test_a_wrong_key_counts_and_a_wrong_permission_does_not(server: Keyed) -> None:
    """403 is said to who has a key, however often."""
    assert {server.ask("metrics", "GET", "/v1/audit").status for _ in range(40)} == {403}
    assert server.ask("metrics", "GET", "/metrics").status == 200


def test_keys_are_changed_without_a_restart(server: Keyed) -> None:
    """SIGHUP; a configuration that cannot be used changes nothing. The fast answers forget a key, too."""
    process = server.process
    assert process.popen is not None
    session = server.session("shop:reload", "shop")
    assert server.ask("old", "GET", f"/v1/sessions/{session}").status == 200
    try:
        process.settings["keys"] = [{"name": "shop", "key": "short", "may": ["validate"]}]
        process.write_config()
        process.popen.send_signal(signal.SIGHUP)
        until(lambda: "nothing has changed" in process.read_log())
        assert server.ask("old", "GET", f"/v1/sessions/{session}").status == 200
        process.settings["keys"] = [{"name": "shop", "key": SECRETS["shop"], "may": ["read"], "rooms": "shop:"}]
        process.write_config()
        process.popen.send_signal(signal.SIGHUP)
        until(lambda: server.ask("old", "GET", f"/v1/sessions/{session}").status == 401)
        assert server.ask("shop", "GET", f"/v1/sessions/{session}").status == 403
        assert server.ask("shop", "GET", "/v1/sessions").status == 200
    finally:
        process.settings["keys"] = KEYS
        process.write_config()
        process.popen.send_signal(signal.SIGHUP)
        until(lambda: server.ask("old", "GET", f"/v1/sessions/{session}").status == 200)


def test_a_stream_ends_with_its_key(server: Keyed) -> None:
    """Whoever reads with a key that is taken away hears nothing of what comes later; others read on."""
    process = server.process
    assert process.popen is not None
    old, everything = ({"Authorization": f"Bearer {key}"} for key in (SECRETS["old"], process.authkey))
    try:
        with (
            server.http.stream("GET", "/v1/stream", headers=old) as taken,
            server.http.stream("GET", "/v1/stream", headers=everything) as kept,
        ):
            process.settings["keys"] = [{**KEYS[-2], "key": SECRETS["shop"]}]
            process.write_config()
            process.popen.send_signal(signal.SIGHUP)
            until(lambda: server.ask("old", "GET", "/v1/sessions").status == 401)
            session = server.session("shop:later")
            assert any(session in line for line in kept.iter_lines())
            assert not any(session in line for line in taken.iter_lines())
    finally:
        process.settings["keys"] = KEYS
        process.write_config()
        process.popen.send_signal(signal.SIGHUP)
        until(lambda: server.ask("old", "GET", "/v1/sessions").status == 200)
