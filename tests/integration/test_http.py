"""The HTTP face as callers meet it: who is let in, in what order a request is judged, what every refusal looks like."""

import csv
import io
import json
import socket
from typing import Any

import httpx
import pytest

from tests.integration.problems import problem
from tests.running import EnforcerProcess

JSON = {"Content-Type": "application/json"}


def post(server: EnforcerProcess, body: Any, **kwargs: Any) -> httpx.Response:
    """`POST /notify` with this body, JSON or raw."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**JSON, **kwargs.pop("headers", {})}
    return httpx.post(f"{server.url}/notify", content=content, headers=headers, timeout=10, **kwargs)


def test_what_is_wrong_first_is_said_first(shared: EnforcerProcess) -> None:
    """A request with everything wrong is taken apart in the promised order."""
    right, wrong = {"Authorization": f"Bearer {shared.authkey}"}, {"Authorization": "Bearer wrong"}
    problem(
        post(shared, b"{", params={"key": "x"}, headers={**wrong, "Content-Type": "a/b"}), 400, "credentials-in-url"
    )
    refused = post(shared, b"{", headers={**wrong, "Content-Type": "a/b"})
    problem(refused, 401, "unauthorized")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    problem(post(shared, {"room": "a", "key": shared.authkey}, headers=wrong), 401, "unauthorized")
    problem(post(shared, b"{", headers={**right, "Content-Type": "a/b"}), 415, "unsupported-media-type")
    problem(post(shared, b"{" * 20_000, headers=right), 413, "too-large")
    problem(post(shared, b"{", headers=right), 400, "malformed-json")
    problem(post(shared, {"room": 1.5, "key": "wrong"}), 401, "unauthorized")
    errors = problem(post(shared, {"room": 1.5, "sesion": "x"}, headers=right), 422, "invalid-request")["errors"]
    assert {e["field"] for e in errors} == {"room", "sesion"}
    assert "did you mean 'session'?" in json.dumps(errors)


@pytest.mark.parametrize(
    "room",
    ["", "a\nb", "\x00", "\ud800", "x" * 257, None, 7.0, True, 10**256, ["a"], "demo:ann"],
    ids=lambda r: ascii(r)[:12],
)
def test_rooms_that_cannot_be(shared: EnforcerProcess, room: object) -> None:
    """Too long, too short, with control characters or half a character, or the demo's: 422 and never 500."""
    problem(post(shared, {"room": room, "key": shared.authkey}), 422, "invalid-request")


@pytest.mark.parametrize("room", [42, 0, -7, 2**63, 2**64, 10**40], ids=str)
def test_a_room_may_be_a_number(shared: EnforcerProcess, room: int) -> None:
    """An integer stands for its decimal text, wherever a room is named in JSON; a repeat with the text is the same."""
    answer = post(shared, {"room": room, "key": shared.authkey, "request_id": "r"})
    assert (answer.status_code, answer.json()["room"]) == (200, str(room)), answer.text
    assert shared.login(str(room), request_id="r")["session"] == answer.json()["session"]
    session = shared.call("POST", "/v1/sessions", json={"room": room}).json()["session"]
    validated = shared.call("POST", "/v1/sessions/validate", json={"session": session, "room": room})
    assert (validated.status_code, validated.json()["room"]) == (200, str(room))
    assert shared.call("POST", "/v1/users/logout", json={"room": room}).json() == {"ended": [session]}
    refused = post(shared, {"room": str(room), "session": 42, "key": shared.authkey})
    problem(refused, 422, "invalid-request")


def test_the_post_form_of_validate_takes_what_the_get_form_takes(shared: EnforcerProcess, room: str) -> None:
    """`require` and `room`, in the body or in the query; both may say it, but not two different things."""
    live, other = shared.login(room)["session"], f"{room}-other"
    ended = shared.login(other)["session"]
    shared.login(other)

    def asked(body: dict[str, Any], **query: str) -> httpx.Response:
        return shared.call("POST", "/v1/sessions/validate", json=body, params=query)

    for body, query in (
        ({"require": "active"}, {}),
        ({}, {"require": "active"}),
        ({"require": None}, {"require": "active"}),
        ({"require": "active", "room": other}, {"require": "active", "room": other}),
    ):
        assert asked({"session": live, **body, "room": room}, **{**query, "room": room}).status_code == 200
        problem(asked({"session": ended, **body}, **query), 410, "session-ended")
    assert asked({"session": ended}).json()["active"] is False
    problem(asked({"session": live, "require": "active", "room": other}), 404, "session-unknown")
    problem(asked({"session": live, "require": "active"}, room=other), 404, "session-unknown")
    problem(asked({"session": live, "room": room}, room=other), 422, "invalid-request")
    problem(asked({"session": live, "require": "alive"}), 422, "invalid-request")
    problem(asked({"session": live}, requires="active"), 422, "invalid-request")


def test_a_404_for_another_room_names_the_room(shared: EnforcerProcess, room: str) -> None:
    """So that a + that was not encoded does not read as a logout: in a query it stands for a space."""
    named = f"{room}+tag@example.org"
    session = shared.login(named)["session"]
    assert shared.call("GET", f"/v1/sessions/{session}", params={"room": named}).status_code == 200
    detail = problem(shared.call("GET", f"/v1/sessions/{session}?room={named}"), 404, "session-unknown")["detail"]
    assert f"{room} tag@example.org" in detail
    assert "%2B" in detail
    detail = problem(shared.call("GET", f"/v1/sessions/{session}?room=somebody"), 404, "session-unknown")["detail"]
    assert "'somebody'" in detail
    assert "%2B" not in detail
    body = {"session": session, "room": "somebody"}
    assert "'somebody'" in shared.call("POST", "/v1/sessions/validate", json=body).json()["detail"]


def test_a_plus_in_the_id_of_a_query_need_not_be_encoded(shared: EnforcerProcess, room: str) -> None:
    """No id has a space, so there is nothing else that it could mean."""
    shared.login(room, session=f"{room}+1")
    assert shared.call("DELETE", f"/v1/users/{room}/sessions?except={room}+1").json() == {"ended": []}
    rows = shared.call("GET", f"/v1/audit?session={room}+1").json()["items"]
    assert [row["event"] for row in rows] == ["started"]


@pytest.mark.parametrize("body", [b"[" * 10_000, b"NaN", b'{"room": 1e999}', b"\xff\xfe", b""], ids=ascii)
def test_odd_json_is_refused(shared: EnforcerProcess, body: bytes) -> None:
    """Deep, not JSON, not UTF-8 or nothing at all."""
    response = post(shared, body, headers=shared.headers)
    assert response.status_code in (400, 422), response.text


def test_the_login_of_an_ended_id_is_a_conflict(shared: EnforcerProcess) -> None:
    """Ended ids never live again; ids belong to one room."""
    shared.login("conflict", session="c1")
    shared.login("conflict", session="c2")
    told = problem(post(shared, {"room": "conflict", "session": "c1", "key": shared.authkey}), 409, "session-ended")
    assert told["end_reason"] == "displaced"
    assert told["ended_by"]["session"] == "c2"
    problem(post(shared, {"room": "elsewhere", "session": "c2", "key": shared.authkey}), 409, "session-conflict")
    problem(shared.call("GET", "/v1/sessions/c1?require=active"), 410, "session-ended")
    problem(shared.call("GET", "/v1/sessions/c2?require=active&room=elsewhere"), 404, "session-unknown")
    problem(shared.call("POST", "/v1/sessions/c1/ticket"), 410, "session-ended")
    problem(shared.call("POST", "/v1/sessions/c1/activity"), 410, "session-ended")
    assert shared.call("DELETE", "/v1/sessions/c1").status_code == 204
    problem(shared.call("DELETE", "/v1/sessions/nobody"), 404, "session-unknown")
    assert shared.call("GET", "/v1/users/conflict/sessions").json()["sessions"][0]["session"] == "c2"
    assert shared.call("GET", "/v1/users/nobody/sessions").json()["sessions"] == []


def test_a_repeated_request_has_one_effect(shared: EnforcerProcess) -> None:
    """The same answer with fresh tickets; another body with the same id is refused; it holds after the end too."""
    first = shared.login("repeat", request_id="q")
    again = shared.login("repeat", request_id="q")
    assert {k: v for k, v in again.items() if "ticket" not in k} == {
        k: v for k, v in first.items() if "ticket" not in k
    }
    problem(
        post(shared, {"room": "repeat", "request_id": "q", "entry": "sso", "key": shared.authkey}),
        409,
        "request-id-reused",
    )
    shared.call("DELETE", f"/v1/sessions/{first['session']}")
    assert shared.login("repeat", request_id="q")["session"] == first["session"]
    assert shared.record(first["session"])["active"] is False


def test_reject_says_who_is_there(tmp_path: Any) -> None:
    """Policy `reject`: 409 with who and since when; `replaces` lets the same browser through."""
    with EnforcerProcess(tmp_path, policy="reject") as server:
        first = server.login("ann", device={"label": "Phone"})
        told = problem(post(server, {"room": "ann", "key": server.authkey}), 409, "session-limit")
        assert [(s["session"], s["device"]["label"]) for s in told["sessions"]] == [(first["session"], "Phone")]
        assert server.record(first["session"])["active"] is True
        assert server.login("ann", replaces=first["session"])["displaced"] == []
        assert server.record(first["session"])["end_reason"] == "replaced"


def test_pages_of_other_origins_read_nothing(shared: EnforcerProcess) -> None:
    """The same host on any port may; others get no CORS headers, and no socket."""
    ticket = shared.login("cors")["ticket"]
    headers = {"Authorization": f"Bearer {ticket}"}
    status = f"{shared.url}/session/status"
    near = httpx.get(status, headers={**headers, "Origin": "http://127.0.0.1:1"})
    assert near.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:1"
    far = httpx.get(status, headers={**headers, "Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in far.headers
    assert near.headers["Vary"] == far.headers["Vary"] == "Origin"
    handshake = f"{shared.url}/socket.io/?EIO=4&transport=polling"
    problem_body = httpx.get(handshake, headers={"Origin": "https://evil.example"})
    assert (problem_body.status_code, problem_body.json()["code"]) == (403, "origin-not-allowed")
    assert httpx.get(handshake, headers={"Origin": "http://127.0.0.1:1"}).status_code == 200


def test_the_rest_of_the_surface(shared: EnforcerProcess) -> None:
    """Health, unknown addresses, wrong methods, and the client with its ETag."""
    assert httpx.get(f"{shared.url}/healthz").status_code == httpx.get(f"{shared.url}/readyz").status_code == 200
    problem(httpx.get(f"{shared.url}/nowhere"), 404, "not-found")
    assert problem(httpx.get(f"{shared.url}/notify"), 405, "method-not-allowed")
    assert httpx.put(f"{shared.url}/notify").headers["Allow"] == "POST"
    client = httpx.get(f"{shared.url}/client/session-guard.js")
    assert client.headers["Content-Type"].startswith("text/javascript")
    again = httpx.get(f"{shared.url}/client/session-guard.js", headers={"If-None-Match": client.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(f"{shared.url}/openapi.json").json()["openapi"].startswith("3.1")
    assert httpx.get(f"{shared.url}/docs").status_code == 200


def test_what_is_not_http_is_a_problem_too(shared: EnforcerProcess) -> None:
    """Bytes that are no request get a problem document and leave no traceback."""
    with socket.create_connection(("127.0.0.1", shared.port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Odd: \x00\r\n\r\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.split(b"\r\n")[0].endswith(b" 400 Bad Request")
    assert b'"code":"malformed-request"' in answer
    assert "Traceback" not in shared.read_log()


def test_the_logs_page_and_stream_the_same_rows(enforcer: EnforcerProcess) -> None:
    """Pages by cursor, CSV and JSON Lines have the same rows; a formula is neutralised."""
    for n in range(5):
        enforcer.login("logged", session=f"log-{n}", device={"label": "=1+1"})
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = enforcer.call("GET", f"/v1/sessions?room=logged&limit=2{cursor and '&cursor=' + cursor}").json()
        rows += page["items"]
        cursor = page["next"]
    assert [r["session"] for r in rows] == [f"log-{n}" for n in range(5)]
    text = enforcer.call("GET", "/v1/sessions?room=logged", headers={"Accept": "text/csv"}).text
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [r["session"] for r in table] == [r["session"] for r in rows]
    assert {r["device.label"] for r in table} == {"'=1+1"}
    assert [r["end_reason"] for r in table] == [r["end_reason"] or "" for r in rows]
    lines = enforcer.call("GET", "/v1/audit?room=logged", headers={"Accept": "application/jsonl"}).text.splitlines()
    listed = enforcer.call("GET", "/v1/audit?room=logged&limit=1000").json()["items"]
    assert [json.loads(line) for line in lines] == listed
    assert [r["event"] for r in listed].count("started") == 5
    problem(enforcer.call("GET", "/v1/sessions?cursor=nonsense"), 422, "invalid-request")
    problem(enforcer.call("GET", "/v1/sessions?limit=1001"), 422, "invalid-request")


FORMULAS = [
    *(
        "=1+1",
        " =1+1",
        "\u00a0=1+1",
        "\u200b=1+1",
        "\ufeff=1",
        "\u2028@x",
        "\u202e+1",
        "\u3164-1",
        "\uff1d1+1",
        "\uff20x",
    ),
    *("+1", "-1", "@x"),
]


def test_no_cell_is_taken_for_a_formula(enforcer: EnforcerProcess) -> None:
    """By its first visible character; what is none of them stays as it is, signs within included."""
    harmless = ["1=1", "a -b", "  x", "é+", "Firefox on Linux", "'=x"]
    for label in [*FORMULAS, *harmless]:
        enforcer.login("alice", device={"label": label, "id": label, "user_agent": "x"}, entry=label)
    for path in ("/v1/sessions", "/v1/audit"):
        answer = enforcer.call("GET", path, headers={"Accept": "text/csv"})
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        labels = {row["device.label"] for row in rows}
        assert labels == {f"'{label}" for label in FORMULAS} | set(harmless)
        assert {row["device.id"] for row in rows} == labels
    rows = list(csv.DictReader(io.StringIO(enforcer.call("GET", "/v1/sessions", headers={"Accept": "text/csv"}).text)))
    assert {row["entry"] for row in rows} == labels
