"""The Python client and its middleware, against the real server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from enforcer_client import (
    AsyncEnforcer,
    AsyncLiveSessions,
    Ended,
    Enforcer,
    EnforcerError,
    LiveSessions,
    NotAllowed,
    SessionEnded,
    SessionLimit,
    SessionUnknown,
    Unauthorized,
    Unavailable,
    asgi,
    calls,
    wsgi,
)
from enforcer_client.flask import FlaskEnforcer
from flask import Flask

from tests.running import EnforcerProcess, free_port
from tests.running import until as within
from tests.tcp_proxy import TcpProxy

until = partial(within, within=30.0)
"""Waits for what comes at once, on a machine that may be busy."""
KEY = "python-0123456789abcdef0123456789abcdef"
FIREFOX = {"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """With a key that may do what an application needs, and no more."""
    keys = [{"name": "app", "key": KEY, "may": ["login", "validate", "end", "elevate", "read", "stream"]}]
    with EnforcerProcess(tmp_path_factory.mktemp("client") / "enforcer", keys=keys) as running:
        yield running
    assert "Traceback" not in running.read_log()


@pytest.fixture
def client(server: EnforcerProcess) -> Iterator[Enforcer]:
    """The client that waits."""
    with Enforcer(server.url, KEY) as made:
        yield made


@asynccontextmanager
async def following(server: EnforcerProcess) -> AsyncIterator[tuple[AsyncEnforcer, AsyncLiveSessions]]:
    """The client for asyncio, with its stream."""
    async with AsyncEnforcer(server.url, KEY) as made, AsyncLiveSessions(made) as live:
        yield made, live


async def eventually(condition: Any) -> None:
    """Returns when it is true."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_the_calls(client: Enforcer, server: EnforcerProcess, room: str) -> None:
    """Each of them, with a number for a user's id."""
    user = 10_000 + abs(hash(room)) % 10_000
    one = client.login(user, device=FIREFOX, max_sessions=2)
    assert (one["room"], one["created"]) == (str(user), True)
    record = client.validate(one["session"], user)
    assert (record["device"] or {})["label"] == "Firefox on Linux"
    two = client.login(user, max_sessions=2, request_id="again")
    assert client.login(user, max_sessions=2, request_id="again")["session"] == two["session"]
    assert {s["session"] for s in client.sessions(user)} == {one["session"], two["session"]}
    assert client.explain(user, max_sessions=2)["would_end"][0]["session"] == one["session"]
    assert client.activity(one["session"])["session"] == one["session"]
    assert client.ticket(one["session"], elevate_for=60)["elevated_ticket"]
    with pytest.raises(SessionLimit) as limit:
        client.login(user, policy="reject", max_sessions=1)
    assert {s["session"] for s in limit.value.sessions} == {one["session"], two["session"]}
    assert client.login(user, policy="reject", max_sessions=1, ends=[one["session"], two["session"]])["displaced"]
    assert client.end_others(user, "nobody", "password_changed")
    three = client.login(user, replaces=two["session"])
    client.end(three["session"])
    client.end(three["session"])
    assert client.end_all(user) == []
    for session, reason in ((one["session"], "displaced"), (three["session"], "logout")):
        with pytest.raises(SessionEnded) as ended:
            client.validate(session)
        assert ended.value.reason == reason
    for session, where in (("unknown", None), (client.login(user)["session"], "another")):
        with pytest.raises(SessionUnknown):
            client.validate(session, where)
    with Enforcer(server.url, "x" * 40) as stranger, pytest.raises(Unauthorized):
        stranger.sessions(user)
    with pytest.raises(NotAllowed):
        client._call(calls.Call("GET", "/v1/webhooks", list))


async def test_the_calls_of_asyncio(server: EnforcerProcess, room: str) -> None:
    """The same, by the same names."""
    names = {name for name in vars(Enforcer) if not name.startswith("_")} - {"http", "stream_client", "close"}
    assert names <= set(vars(AsyncEnforcer))
    async with AsyncEnforcer(server.url, KEY) as client:
        one = await client.login(room)
        assert (await client.validate(one["session"], room))["active"]
        assert (await client.explain(room))["outcome"] == "admitted"
        assert (await client.ticket(one["session"]))["ticket"]
        assert [s["session"] for s in await client.sessions(room)] == [one["session"]]
        assert await client.end_others(room, one["session"]) == []
        assert (await client.activity(one["session"]))["room"] == room
        assert await client.end_all(room) == [one["session"]]
        await client.end(one["session"])
        with pytest.raises(SessionEnded):
            await client.validate(one["session"])


def test_an_outage_is_waited_out_until_the_time_is_over(server: EnforcerProcess, room: str) -> None:
    """A login that is repeated happens once; without an answer in time it is `Unavailable`."""
    with TcpProxy(server.port) as link, Enforcer(f"http://127.0.0.1:{link.port}", KEY, timeout=25.0) as client:
        client.sessions(room)
        link.drop()
        healing = threading.Timer(0.5, link.heal)
        healing.start()
        session = client.login(room)["session"]
        healing.join()
        assert [row["event"] for row in server.call("GET", f"/v1/audit?room={room}").json()["items"]] == ["started"]
        assert client.validate(session)["active"]
        link.stall()
        with Enforcer(f"http://127.0.0.1:{link.port}", KEY, timeout=0.3) as hasty:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                hasty.validate(session)
            assert time.monotonic() - began < 5
        link.heal()
    with Enforcer(f"http://127.0.0.1:{free_port()}", KEY, timeout=0.2) as nowhere, pytest.raises(Unavailable):
        nowhere.sessions(room)


def asked(server: EnforcerProcess) -> list[str]:
    """How often sessions were asked for, one by one or together, as the server's metrics say."""
    name = "enforcer_http_request_duration_seconds_count"
    figures = server.call("GET", "/metrics").text.splitlines()
    return [line for line in figures if line.startswith(name) and 'route="/v1/sessions/' in line]


def test_a_kick_is_seen_without_asking(client: Enforcer, server: EnforcerProcess, room: str) -> None:
    """From the moment in which the stream tells of it; what is known costs no call."""
    ends: list[Ended] = []
    with TcpProxy(server.port) as link, Enforcer(f"http://127.0.0.1:{link.port}", KEY) as over:
        live = LiveSessions(over)
        live.on_end(lambda _: 1 / 0)
        live.on_end(ends.append)
        with live:
            until(lambda: live.followed)
            old = client.login(room)["session"]
            assert live.is_live(old, room)
            assert not live.is_live(old, "another")
            assert not live.is_live("unknown", room)
            assert not live.is_live("../" + old, room)
            before = asked(server)
            assert all(live.is_live(old, room) for _ in range(2000))
            assert asked(server) == before
            new = client.login(room)["session"]
            until(lambda: ends)
            assert (ends[0].session, ends[0].room, ends[0].reason) == (old, room, "displaced")
            assert not live.is_live(old, room)
            assert live.is_live(new, room)
            # The link is cut: it asks, cannot, and says so; when it is back, what ended meanwhile is told.
            link.drop()
            until(lambda: not live.followed)
            client.end(new)
            with pytest.raises(Unavailable):
                Enforcer(over.url, KEY, timeout=0.1).validate(new)
            link.heal()
            until(lambda: len(ends) == 2)
            assert ends[1].session == new
            assert not live.is_live(new, room)


def test_who_asks_at_once_asks_once(client: Enforcer, server: EnforcerProcess, room: str) -> None:
    """Twenty threads about one session."""
    session, count = client.login(room)["session"], 0

    class Counting(Enforcer):
        def validate(self, *arguments: Any) -> Any:
            nonlocal count
            count += 1
            time.sleep(0.1)
            return super().validate(*arguments)

    with Counting(server.url, KEY) as counting, LiveSessions(counting) as live:
        answers: list[bool] = []
        threads = [threading.Thread(target=lambda: answers.append(live.is_live(session, room))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 20
    assert count == 1


# ---- middleware ------------------------------------------------------------------------------------


def identify(scope: MutableMapping[str, Any]) -> tuple[str, str] | None:
    """From headers of the test's own: `session` and `room`."""
    headers = dict(scope["headers"])
    return (headers[b"session"].decode(), headers[b"room"].decode()) if b"session" in headers else None


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application: says hello, or keeps a WebSocket until it is closed."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    scope["closed"].append(message["code"])


async def test_asgi(server: EnforcerProcess, room: str) -> None:
    """Requests and WebSockets of ended sessions are refused; one that is open is closed when its session ends."""
    async with following(server) as (client, live):
        await live.is_live("x", "y")
        app = asgi.EnforcerMiddleware(hello, live, identify)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as browser:
            session = (await client.login(room))["session"]
            mine = {"session": session, "room": room}
            assert (await browser.get("/")).text == "hello"
            assert (await browser.get("/", headers=mine)).text == "hello"
            inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            sent: list[MutableMapping[str, Any]] = []

            async def send(message: MutableMapping[str, Any]) -> None:
                sent.append(message)

            headers = [(name.encode(), value.encode()) for name, value in mine.items()]
            scope: dict[str, Any] = {"type": "websocket", "headers": headers, "closed": []}
            socket = asyncio.create_task(app(scope, inbox.get, send))
            inbox.put_nowait({"type": "websocket.connect"})
            inbox.put_nowait({"type": "websocket.receive", "text": "echo"})
            await eventually(lambda: len(sent) == 2)
            await client.login(room)
            async with asyncio.timeout(30):
                await socket
            assert [m["type"] for m in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
            assert (sent[-1]["code"], scope["closed"]) == (4401, [4401])
            refused = await browser.get("/", headers=mine)
            assert (refused.status_code, refused.json()["code"]) == (401, "session-ended")
            sent.clear()
            inbox.put_nowait({"type": "websocket.connect"})
            await app(scope, inbox.get, send)
            assert sent == [{"type": "websocket.close", "code": 4401}]
            assert not live._on_end._listeners
        async with AsyncEnforcer(f"http://127.0.0.1:{free_port()}", KEY, timeout=0.1) as nowhere:
            away = asgi.EnforcerMiddleware(hello, AsyncLiveSessions(nowhere), identify)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(away), base_url="http://app") as browser:
                answer = await browser.get("/", headers=mine)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            await away._live.close()


async def test_a_socket_stays_open_while_nobody_can_say(server: EnforcerProcess) -> None:
    """A refused key and an outage end no session: the socket is closed when it is known to be over."""
    answers: list[bool | EnforcerError] = [True, Unavailable("away"), Unauthorized("unauthorized", 401, "", {}), False]

    class Doubtful(AsyncLiveSessions):
        async def is_live(self, session: str, room: str | int) -> bool:
            answer = answers.pop(0)
            if isinstance(answer, EnforcerError):
                raise answer
            return answer

    sent: list[MutableMapping[str, Any]] = []
    connects: list[dict[str, Any]] = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if connects:
            return connects.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async with AsyncEnforcer(server.url, KEY) as client:
        app = asgi.EnforcerMiddleware(hello, Doubtful(client), identify)
        headers = [(b"session", b"s"), (b"room", b"r")]
        scope: dict[str, Any] = {"type": "websocket", "headers": headers, "closed": []}
        async with asyncio.timeout(30):
            await app(scope, receive, send)
    assert answers == []
    assert [(m["type"], m.get("code")) for m in sent] == [("websocket.accept", None), ("websocket.close", 4401)]


def test_wsgi(client: Enforcer, room: str) -> None:
    """The same for requests."""

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"hello"]

    with LiveSessions(client) as live:
        session = client.login(room)["session"]
        wrapped = wsgi.EnforcerMiddleware(
            app, live, lambda e: (e["HTTP_SESSION"], room) if "HTTP_SESSION" in e else None
        )
        browser = httpx.Client(transport=httpx.WSGITransport(wrapped), base_url="http://app")  # type: ignore[arg-type]
        assert browser.get("/").text == "hello"
        assert browser.get("/", headers={"session": session}).text == "hello"
        client.end(session)
        until(lambda: browser.get("/", headers={"session": session}).status_code == 401)
        browser.close()


def test_flask(server: EnforcerProcess, room: str) -> None:
    """Log in, the script line, a second browser, the way to the log-in page, a log-out that is not the new one's."""
    app = Flask(__name__)
    app.config |= {"SECRET_KEY": "x" * 32, "ENFORCER_URL": server.url, "ENFORCER_KEY": KEY}
    app.config["ENFORCER_EXEMPT"] = ("static", "login")
    enforcer = FlaskEnforcer(app)

    @app.post("/login")
    def login() -> str:
        return enforcer.login(room)["session"]

    @app.get("/")
    def home() -> str:
        return app.jinja_env.from_string("{{ enforcer_script(entry='direct') }}").render()

    @app.post("/logout")
    def logout() -> str:
        return str(enforcer.logout())

    with enforcer.live, enforcer.client:
        first, second = app.test_client(), app.test_client()
        assert first.get("/").text == ""
        old = first.post("/login").text
        page = first.get("/").text
        assert page.startswith(
            f'<script src="{server.url}/client/session-guard.js" data-url="{server.url}" data-ticket="'
        )
        assert page.endswith('data-entry="direct" defer></script>')
        second.post("/login")
        until(lambda: first.get("/").location == "/login")
        assert second.get("/").status_code == 200
        assert first.get("/").text == "", "the old browser's session was cleared"
        cookie = second.get_cookie("session")
        assert cookie is not None
        second.post("/login")
        first.set_cookie("session", cookie.value)
        until(lambda: (answer := first.get("/")).location == "/login" and "Set-Cookie" not in answer.headers)
        assert second.post("/logout", headers={"X-Enforcer-Session": old}).text == "False"
        assert second.get("/").text != ""
        assert second.post("/logout").text == "True"
        assert enforcer.client.sessions(room) == []
        enforcer.client = Enforcer(f"http://127.0.0.1:{free_port()}", KEY, timeout=0.1)
        answer = first.post("/login")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_a_restart_of_the_server(tmp_path: Path) -> None:
    """Who ended while it was away is refused; the stream is opened again by itself, and goes on where it was."""
    with EnforcerProcess(tmp_path / "enforcer") as server, Enforcer(server.url, server.authkey) as client:
        ends: list[str] = []
        with LiveSessions(client) as live:
            live.on_end(lambda end: ends.append(end.session))
            until(lambda: live.followed)
            session = client.login("alice")["session"]
            assert live.is_live(session, "alice")
            server.kill()
            until(lambda: not live.followed)
            server.start()
            assert live.is_live(session, "alice")
            client.login("alice")
            until(lambda: ends == [session])
            assert not live.is_live(session, "alice")
