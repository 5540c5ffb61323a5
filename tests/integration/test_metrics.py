"""`GET /metrics`: who may see it, what it counts, and what it never shows."""

import base64
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pages import Opener
from tests.redis_server import RedisServer
from tests.running import ROOT, EnforcerProcess, free_port, until

KEY = "Wm4tQ8zR1nV6kY3bJ9cX5hD2gS7fL0pA-metrics"
OTHER_KEY = "Gh6dN2sK9wB4vT7mZ1xC8qE5rU3yF0jP-metrics"


def with_key(server: EnforcerProcess, key: str | None, path: str = "/metrics") -> httpx.Response:
    """What a call with this key, or none, is answered."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.get(server.url + path, headers=headers, timeout=10)


def scrape(server: EnforcerProcess, connection: httpx.Client | None = None) -> str:
    """Everything, as Prometheus gets it, over a connection of its own or this one."""
    answer = server.call("GET", "/metrics") if connection is None else connection.get(f"{server.url}/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.text


class Counts:
    """The figures of one scrape."""

    def __init__(self, server: EnforcerProcess, connection: httpx.Client | None = None) -> None:
        families = text_string_to_metric_families(scrape(server, connection))
        self.samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name that have these labels."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def requests(self, method: str, route: str, status: str) -> float:
        """Answers of a route."""
        name = "enforcer_http_request_duration_seconds_count"
        return self(name, method=method, route=route, status=status)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnforcerProcess]:
    """A server with a key for metrics. No traceback, and no key in its log."""
    with EnforcerProcess(tmp_path / "enforcer", metrics_key=KEY, ack_timeout=1) as made:
        yield made
        log = made.read_log()
    assert "Traceback" not in log
    assert KEY not in log


# ---- who may see it ---------------------------------------------------------------------------------


def test_two_keys_open_it_and_nothing_else_does(server: EnforcerProcess) -> None:
    """The authkey and the metrics_key; missing and wrong are refused alike."""
    assert with_key(server, KEY).status_code == with_key(server, server.authkey).status_code == 200
    for key in (None, "wrong", KEY[:-1], KEY + "x", KEY.swapcase(), server.authkey[:-1]):
        answer = with_key(server, key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), key
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Cache-Control"] == "no-store"
    ticket = server.login("alice")["ticket"]
    assert with_key(server, ticket).status_code == 401
    assert httpx.post(f"{server.url}/metrics", headers=server.headers).status_code == 405
    assert with_key(server, KEY, "/metrics?name=x").status_code == 422


def test_the_metrics_key_opens_nothing_else(server: EnforcerProcess) -> None:
    """No call of an app server or a page, over either way into the server."""
    session = server.login("alice")["session"]
    for path in (f"/v1/sessions/{session}", "/v1/sessions", "/v1/audit", "/v1/users/alice/sessions", "/session/status"):
        assert with_key(server, KEY, path).status_code == (401 if path.startswith("/session/") else 403), path
    body = {"room": "alice", "key": KEY}
    assert httpx.post(f"{server.url}/notify", json=body).status_code == 403
    headers = {"Authorization": f"Bearer {KEY}"}
    assert httpx.post(f"{server.url}/v1/sessions", json={"room": "alice"}, headers=headers).status_code == 403
    assert httpx.delete(f"{server.url}/v1/sessions/{session}", headers=headers).status_code == 403
    assert server.record(session)["active"] is True


def test_guessing_it_is_slowed_with_all_other_guesses(server: EnforcerProcess) -> None:
    """One count of failures for an address, whatever was guessed. Who has shown a right key before is not kept out."""
    assert with_key(server, KEY).status_code == 200
    for n in range(15):
        assert with_key(server, f"guess-{n}").status_code == 401
        assert with_key(server, f"guess-{n}", "/v1/audit").status_code == 401
    assert [with_key(server, "guess", path).status_code for path in ("/metrics", "/v1/audit")] == [429, 429]
    assert "Retry-After" in with_key(server, "guess").headers
    assert with_key(server, KEY).status_code == with_key(server, server.authkey).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/metrics?x={}", "/metrics?key={}", "/v1/sessions/x?key={}", "/socket.io/?EIO=4&transport=polling&key={}"],
)
def test_it_does_not_belong_into_a_url(server: EnforcerProcess, path: str) -> None:
    """Refused as the authkey is, and in no log; where nobody would look for it, whoever has shown it is told."""
    answer = with_key(server, KEY, path.format(KEY))
    assert (answer.status_code, answer.json()["code"]) == (400, "credentials-in-url")


async def test_it_does_not_belong_into_the_url_of_a_socket(server: EnforcerProcess) -> None:
    """Of one that opens at once, which no HTTP handler sees."""
    address = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(address) as ws:
            assert (await ws.receive_str()).startswith("0{")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{address}&key={KEY}")
    assert refused.value.status == 400


def test_it_is_changed_without_a_restart(server: EnforcerProcess) -> None:
    """SIGHUP: the new one opens, the old one does not; without any, the authkey alone does."""
    assert server.popen is not None
    server.settings["metrics_key"] = OTHER_KEY
    server.write_config()
    server.popen.send_signal(signal.SIGHUP)
    until(lambda: with_key(server, OTHER_KEY).status_code == 200)
    assert with_key(server, KEY).status_code == 401
    server.settings["metrics_key"] = None
    server.write_config()
    server.popen.send_signal(signal.SIGHUP)
    until(lambda: with_key(server, OTHER_KEY).status_code == 401)
    assert with_key(server, server.authkey).status_code == 200


# ---- what is counted --------------------------------------------------------------------------------


def test_logins_and_ends(server: EnforcerProcess) -> None:
    """By outcome and by reason, each once."""
    before = Counts(server)
    assert before("enforcer_build_info") == before("enforcer_store_up") == 1
    assert before("enforcer_store_commit_seconds_count") == 0
    server.login("alice", session="a1")
    server.login("alice", session="a1")
    server.login("alice", session="a2")
    server.login("alice", session="a3", replaces="a2")
    assert server.call("POST", "/v1/sessions", json={"room": "alice", "session": "a1"}).status_code == 409
    assert server.call("POST", "/notify", json={"room": "bob", "session": "a3"}).status_code == 409
    server.call("DELETE", "/v1/sessions/a3?reason=admin")
    server.call("DELETE", "/v1/sessions/a3")  # it has ended already
    after = Counts(server)
    outcomes = {"created": 3, "renewed": 1, "session-ended": 1, "session-conflict": 1}
    assert {o: after("enforcer_logins_total", outcome=o) for o in outcomes} == outcomes
    assert after("enforcer_logins_total") == 6
    reasons = {"displaced": 1, "replaced": 1, "admin": 1, "logout": 0, "idle": 0, "absolute": 0, "lost": 0}
    assert {r: after("enforcer_sessions_ended_total", reason=r) for r in reasons} == reasons
    assert after("enforcer_store_commit_seconds_count") == 5, "four logins and an end"


def test_requests_by_route(server: EnforcerProcess) -> None:
    """Templates, never what was put into them, whichever way a request takes through the server."""
    session = server.login("alice")["session"]
    server.record(session)
    server.call("GET", f"/v1/sessions/{session}?require=active")
    server.call("GET", "/v1/sessions/nobody-has-this")
    server.call("GET", "/v1/users/alice/sessions")
    server.call("GET", "/wp-admin/alice.php")
    server.call("PROPFIND", "/wp-admin/alice.php")
    server.call("PUT", "/notify")
    with_key(server, None, "/v1/audit")
    with_key(server, None, "/socket.io/?EIO=4&transport=carrier-pigeon")
    httpx.options(f"{server.url}/session/status")
    counts = Counts(server)
    for method, route, status, count in (
        ("POST", "/notify", "2xx", 1),
        ("GET", "/v1/sessions/{session}", "2xx", 2),
        ("GET", "/v1/sessions/{session}", "4xx", 1),
        ("GET", "/v1/users/{room}/sessions", "2xx", 1),
        ("GET", "unmatched", "4xx", 1),
        ("other", "unmatched", "4xx", 1),
        ("PUT", "unmatched", "4xx", 1),
        ("GET", "/v1/audit", "4xx", 1),
        ("GET", "/socket.io/", "4xx", 1),
        ("OPTIONS", "/session/{call}", "2xx", 1),
    ):
        assert counts.requests(method, route, status) == count, (method, route, status)
    seconds = counts("enforcer_http_request_duration_seconds_sum", route="/notify")
    assert 0 < seconds < 5


@pytest.mark.parametrize("transport", ["websocket", "polling", "upgrade"])
def test_sockets_and_kicks(server: EnforcerProcess, open_ws: Opener, transport: str) -> None:
    """A page joins, is kicked and acks; another never acks; one is refused on return."""
    login = server.login("alice")
    page = open_ws(server, transport=transport, auth={"ticket": login["ticket"]})
    page.joined()
    counts = Counts(server)
    assert counts("enforcer_open_sockets") == counts("enforcer_connects_total", outcome="joined") == 1
    assert counts.requests("GET", "/socket.io/", "1xx") == 0, "a socket is no request"

    server.login("alice")
    page.take("force-logout")
    until(lambda: Counts(server)("enforcer_kick_delivery_seconds_count") == 1)
    until(lambda: Counts(server)("enforcer_open_sockets") == 0)
    assert 0 < Counts(server)("enforcer_kick_delivery_seconds_sum") < 1

    back = open_ws(server, transport=transport, auth={"ticket": login["ticket"]})
    assert back.refused()["message"] == "session-ended"
    assert Counts(server)("enforcer_connects_total", outcome="session-ended") == 1

    deaf = open_ws(server, transport=transport, auth={"ticket": server.login("bob")["ticket"]}, acks=False)
    deaf.joined()
    server.login("bob")
    until(lambda: Counts(server)("enforcer_kicks_unacked_total") == 1)
    until(lambda: Counts(server)("enforcer_open_sockets") == 0)
    assert Counts(server)("enforcer_kick_delivery_seconds_count") == 1


@pytest.mark.parametrize("more", ["", "&x=%20"], ids=["short", "long"])
async def test_a_socket_is_no_request(server: EnforcerProcess, more: str) -> None:
    """Whether aiohttp has seen its opening or not."""
    address = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket{more}"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as ws:
        assert (await ws.receive_str()).startswith("0{")
    assert Counts(server)("enforcer_http_request_duration_seconds_count", route="/socket.io/") == 0


@pytest.mark.parametrize(
    ("auth", "code"), [({"ticket": "x"}, "ticket-invalid"), ({}, "ticket-required")], ids=["forged", "none"]
)
def test_refused_connects(server: EnforcerProcess, open_ws: Opener, auth: dict[str, str], code: str) -> None:
    """By code."""
    assert open_ws(server, auth=auth).refused()["message"] == code
    counts = Counts(server)
    assert counts("enforcer_connects_total") == counts("enforcer_connects_total", outcome=code) == 1
    assert counts("enforcer_open_sockets") == 0


def test_what_time_ends(tmp_path: Path) -> None:
    """An expiry that nobody asked for is counted like any end."""
    with EnforcerProcess(tmp_path, absolute_timeout=1) as server:
        server.login("alice")
        until(lambda: Counts(server)("enforcer_sessions_ended_total", reason="absolute") == 1)
        assert Counts(server)("enforcer_sessions_ended_total") == 1


def test_a_store_that_does_not_answer(server: EnforcerProcess) -> None:
    """It is told, by an answer of its own; and when it is over."""
    server.login("alice")
    assert Counts(server)("enforcer_store_up") == 1
    server.fill_disk()
    body = {"room": "alice", "device": {"user_agent": "x" * 500}}
    until(lambda: server.call("POST", "/notify", json=body).status_code == 503)
    counts = Counts(server)
    assert counts("enforcer_store_up") == 0
    assert counts("enforcer_logins_total", outcome="unavailable") >= 1
    assert counts.requests("POST", "/notify", "5xx") >= 1
    server.limit_files(None)
    until(lambda: Counts(server)("enforcer_store_up") == 1)


def test_the_process_itself(server: EnforcerProcess) -> None:
    """Memory, processor, files, garbage, and how late the event loop is."""
    until(lambda: Counts(server)("enforcer_event_loop_lag_seconds_count") >= 2)
    counts = Counts(server)
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert counts(name) > 0
    assert counts("python_gc_collections_total", generation="0") > 0


def test_nothing_in_it_is_anybodys(server: EnforcerProcess, open_ws: Opener) -> None:
    """No room, session, ticket, key, address or device, whatever was asked; labels are names of ours."""
    device = {"label": "Lynx on Plan9", "user_agent": "Lynx", "ip": "203.0.113.77"}
    first = server.login("alice-of-wonderland", device=device, entry="sesame", request_id="rq-1")
    page = open_ws(server, auth={"ticket": first["ticket"]})
    page.joined()
    second = server.login("alice-of-wonderland")
    page.take("force-logout")
    server.record(first["session"])
    server.call("GET", "/v1/users/alice-of-wonderland/sessions")
    server.call("GET", "/nowhere/alice-of-wonderland?x=alice-of-wonderland")
    text = scrape(server)
    for secret in (
        *(server.authkey, KEY, first["session"], second["session"], first["ticket"]),
        *("alice", "wonderland", "Lynx", "203.0.113.77", "127.0.0.1", "sesame", "rq-1", "nowhere"),
    ):
        assert secret not in text
    labels = {name for family in text_string_to_metric_families(text) for s in family.samples for name in s.labels}
    assert labels == {"generation", "le", "method", "outcome", "reason", "route", "status", "version"}


# ---- several processes ------------------------------------------------------------------------------


@pytest.fixture
def crew(tmp_path: Path, redis_server: RedisServer) -> Iterator[EnforcerProcess]:
    """A server of two processes on an empty Redis."""
    redis_server.flush()
    with EnforcerProcess(tmp_path / "crew", store=redis_server.url, workers=2, metrics_key=KEY) as server:
        yield server
    assert "Traceback" not in server.read_log()


def workers(server: EnforcerProcess) -> dict[str, float]:
    """The workers that a scrape tells of, and when they were started."""
    return {s.labels["worker"]: s.value for s in Counts(server).samples if s.name == "process_start_time_seconds"}


def figures_of(server: EnforcerProcess) -> Path:
    """Where the workers keep their figures, as their environment tells."""
    assert server.popen is not None
    [child, *_] = Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/children").read_text().split()
    environment = dict(e.split("=", 1) for e in Path(f"/proc/{child}/environ").read_text().split("\0") if "=" in e)
    return Path(environment["PROMETHEUS_MULTIPROC_DIR"])


def sums(server: EnforcerProcess, connection: httpx.Client | None = None) -> dict[str, float]:
    """What one scrape has counted."""
    counts = Counts(server, connection)
    return {
        "logins": counts("enforcer_logins_total", outcome="created"),
        "requests": counts.requests("POST", "/notify", "2xx"),
        "displaced": counts("enforcer_sessions_ended_total", reason="displaced"),
        "joined": counts("enforcer_connects_total", outcome="joined"),
        "acked": counts("enforcer_kick_delivery_seconds_count"),
        "open": counts("enforcer_open_sockets"),
    }


def test_one_worker_tells_of_all(crew: EnforcerProcess, open_ws: Opener) -> None:
    """Calls and sockets are spread over the processes; whichever is asked has the sum, and ends are counted once."""
    until(lambda: len(workers(crew)) == 2)
    for n in range(30):
        crew.login("alice", session=f"a{n}")
    pages = [open_ws(crew, auth={"ticket": crew.login(f"user-{n}")["ticket"]}) for n in range(12)]
    for page in pages:
        page.joined()
    for n in range(12):
        crew.login(f"user-{n}")
    for page in pages:
        page.take("force-logout")
    expected = {"logins": 54, "requests": 54, "displaced": 29 + 12, "joined": 12, "acked": 12, "open": 0}
    with httpx.Client(headers=crew.headers) as to_one:
        until(lambda: sums(crew, to_one) == expected)
    for _ in range(8):  # of either process, by chance
        assert sums(crew) == expected
        counts = Counts(crew)
        assert counts("enforcer_build_info") == counts("enforcer_store_up") == 1
        assert {s.labels["worker"] for s in counts.samples if s.name == "process_resident_memory_bytes"} == {"1", "2"}
    assert "worker=1" in crew.read_log()
    assert "worker=2" in crew.read_log(), "one process has answered everything"


def test_a_worker_that_crashed_is_no_gap(crew: EnforcerProcess, open_ws: Opener) -> None:
    """What it has counted stays and is counted on; its sockets are gone; no file is left over."""
    until(lambda: len(workers(crew)) == 2)
    pages = [open_ws(crew, auth={"ticket": crew.login(f"user-{n}")["ticket"]}) for n in range(20)]
    for page in pages:
        page.joined()
    assert Counts(crew)("enforcer_open_sockets") == 20
    until(lambda: Counts(crew)("enforcer_logins_total", outcome="created") == 20)
    before, files = workers(crew), sorted(p.name for p in figures_of(crew).iterdir())
    os.kill(int((figures_of(crew) / "worker_2.pid").read_text()), signal.SIGKILL)

    def is_back() -> bool:
        try:
            now = workers(crew)
        except httpx.TransportError:  # this question was in the queue of the worker that dies
            return False
        return len(now) == 2 and now["2"] > before["2"]

    until(is_back)
    assert Counts(crew)("enforcer_logins_total", outcome="created") == 20
    until(lambda: Counts(crew)("enforcer_open_sockets") == sum("disconnect" not in p.kinds() for p in pages))
    assert Counts(crew)("enforcer_open_sockets") < 20, "all sockets were with the other worker"
    for n in range(20):
        crew.login(f"more-{n}")
    until(lambda: Counts(crew)("enforcer_logins_total", outcome="created") == 40)
    assert sorted(p.name for p in figures_of(crew).iterdir()) == files


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_the_workers_figures_go_with_them(tmp_path: Path, redis_server: RedisServer, how: str) -> None:
    """Nothing stays behind, even if the process that has made the place is killed."""
    server = EnforcerProcess(tmp_path / "enforcer", store=redis_server.url, workers=2).start()
    until(lambda: len(workers(server)) == 2)
    directory = figures_of(server)
    assert directory.stat().st_mode & 0o077 == 0, "others can look into it"
    assert directory.is_dir()
    server.stop() if how == "stopped" else server.kill()
    until(lambda: not directory.exists(), 15)


def test_a_variable_of_somebody_else_changes_nothing(tmp_path: Path) -> None:
    """One process keeps its figures to itself, wherever the environment says that others keep theirs."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    server = EnforcerProcess(tmp_path / "enforcer")
    server.environment["PROMETHEUS_MULTIPROC_DIR"] = str(elsewhere)
    with server:
        server.login("alice")
        assert Counts(server)("enforcer_logins_total") == 1
        assert not list(elsewhere.iterdir())


# ---- who reads it -----------------------------------------------------------------------------------

OF_PROMETHEUS = {"instance", "le"}
"""Labels that a scrape adds, and those of buckets."""


def queries() -> list[str]:
    """Each of the dashboard and of the alerts."""
    dashboard = json.loads((ROOT / "deploy/grafana/enforcer.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = (ROOT / "deploy/prometheus/alerts.yaml").read_text()
    return [*shown, *re.findall(r"expr: (?:>-)?\s*(.*?)\n +(?:for|labels):", alerts, re.DOTALL)]


def test_the_dashboard_and_the_alerts_ask_for_what_there_is(tmp_path: Path, open_ws: Opener) -> None:
    """Each name is a sample of a real scrape that has the labels which the query goes by."""
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    hook = {"name": "gone", "url": f"http://127.0.0.1:{free_port()}/", "secret": secret, "allow_private": True}
    with EnforcerProcess(tmp_path / "enforcer", webhooks=[hook]) as server:
        first = server.login("alice")
        page = open_ws(server, auth={"ticket": first["ticket"]})
        page.joined()
        server.login("alice")
        page.take("force-logout")
        server.call("GET", "/v1/sessions/unknown")
        until(lambda: Counts(server)("enforcer_kick_delivery_seconds_count") == 1)
        until(lambda: Counts(server)("enforcer_webhook_tries_total") >= 1)
        samples = Counts(server).samples
    asked = queries()
    assert len(asked) > 20
    for query in asked:
        named = re.findall(r"\b(?:enforcer|process)_\w+", query)
        assert named, query
        by = {label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")}
        chosen = {label for labels in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)[=!]", labels)}
        for name in named:
            found = [sample.labels for sample in samples if sample.name == name]
            assert found, f"{name} is in no scrape: {query}"
            for label in (by | chosen) - OF_PROMETHEUS:
                assert any(label in labels for labels in found), f"{name} has no {label}: {query}"
