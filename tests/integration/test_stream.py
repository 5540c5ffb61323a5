"""`GET /v1/stream`: what happened, as it happens, behind a cursor."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.integration.problems import problem
from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, until

ALL = "session.started,session.claimed,session.ended,login.refused,session.reported"


class Event(NamedTuple):
    """One event of the stream."""

    name: str
    id: str | None
    data: dict[str, Any]


class Reader:
    """Reads a stream on a thread of its own."""

    def __init__(self, server: EnforcerProcess, path: str = "/v1/stream", **headers: str) -> None:
        self.events: list[Event] = []
        self._http = httpx.Client(timeout=httpx.Timeout(5, read=40))
        self._response = self._http.send(
            httpx.Request("GET", server.url + path, headers={**server.headers, **headers}), stream=True
        )
        assert self._response.status_code == 200, self._response.read()
        assert self._response.headers["Content-Type"].startswith("text/event-stream")
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        until(lambda: self.events)

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._response.iter_lines():
                name, _, value = line.partition(":")
                if line:
                    fields[name] = value.strip()
                elif "data" in fields:
                    self.events.append(Event(fields["event"], fields.get("id"), json.loads(fields["data"])))
                    fields = {}
        except httpx.HTTPError:
            pass
        finally:
            self.over.set()

    def rows(self) -> list[tuple[str, str | None]]:
        """Event and session of each row."""
        return [(e.name, e.data["session"]) for e in self.events if "seq" in e.data]

    @property
    def last_id(self) -> str:
        """Where a browser would go on."""
        return [e.id for e in self.events if e.id is not None][-1] or ""

    def close(self) -> None:
        """Leaves."""
        with contextlib.suppress(OSError):  # the server has gone already
            self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._response.close()
        self._http.close()


@contextmanager
def reading(server: EnforcerProcess, path: str = "/v1/stream", **headers: str) -> Iterator[Reader]:
    """A reader, for a while."""
    reader = Reader(server, path, **headers)
    try:
        yield reader
    finally:
        reader.close()


def test_what_happens_is_told(shared: EnforcerProcess, room: str) -> None:
    """At once, as the audit log has it, by names of its own."""
    with reading(shared, f"/v1/stream?room={room}") as reader:
        assert reader.events[0].name == "ready"
        first = shared.login(room, slot="web", impersonated_by="support")["session"]
        second = shared.login(room, session="two", slot="web")["session"]
        shared.login(room, session="two", slot="web")
        shared.call("DELETE", f"/v1/sessions/{second}")
        shared.login("somebody else")
        wanted = [("session.started", first), ("session.started", "two"), ("session.claimed", "two")]
        until(lambda: len(reader.rows()) >= 4)
        assert reader.rows() == [*wanted, ("session.ended", "two")]
        told = [e.data for e in reader.events if "seq" in e.data]
        assert told == shared.call("GET", f"/v1/audit?room={room}").json()["items"]
        assert (told[0]["slot"], told[0]["impersonated_by"]) == ("web", "support")


def test_only_what_is_asked_for(shared: EnforcerProcess, room: str) -> None:
    """By name; a name that is none is a mistake."""
    with reading(shared, f"/v1/stream?room={room}&events=session.ended,login.refused") as reader:
        ended = shared.login(room)["session"]
        shared.login(room)
        until(lambda: reader.rows())
        assert reader.rows() == [("session.ended", ended)]
    problem(shared.call("GET", "/v1/stream?events=session.over"), 422, "invalid-request")
    problem(httpx.get(f"{shared.url}/v1/stream"), 401, "unauthorized")


def test_it_goes_on_behind_a_cursor(shared: EnforcerProcess, room: str) -> None:
    """After `ready`'s, an event's, by the header or the query; the header wins."""
    path = f"/v1/stream?room={room}"
    with reading(shared, path) as reader:
        begin = reader.events[0].data["cursor"]
        ids = [shared.login(room)["session"]]
        until(lambda: len(reader.rows()) == 1)
        after_first = reader.last_id
    ids.append(shared.login(room)["session"])
    wanted = [("session.started", ids[0]), ("session.started", ids[1]), ("session.ended", ids[0])]
    with reading(shared, f"{path}&after={begin}") as reader:
        until(lambda: len(reader.rows()) == 3)
        assert sorted(reader.rows()) == sorted(wanted)
    with reading(shared, f"{path}&after={begin}", **{"Last-Event-ID": after_first}) as reader:
        assert reader.events[0].data["cursor"] == after_first
        until(lambda: len(reader.rows()) == 2)
        ids.append(shared.login(room)["session"])
        until(lambda: len(reader.rows()) == 4)
        assert ("session.started", ids[0]) not in reader.rows()
    for cursor in ("x", "AAAA", after_first[:-4]):
        problem(shared.call("GET", "/v1/stream", headers={"Last-Event-ID": cursor}), 422, "invalid-request")


def test_a_cursor_of_another_log(shared: EnforcerProcess, tmp_path: Path, room: str) -> None:
    """Whoever keeps a copy must drop it: `reset`, then on from now."""
    with EnforcerProcess(tmp_path / "other") as other, reading(other) as reader:
        theirs = reader.events[0].data["cursor"]
    with reading(shared, f"/v1/stream?room={room}&after={theirs}") as reader:
        until(lambda: len(reader.events) == 2)
        assert reader.events[1].name == "reset"
        session = shared.login(room)["session"]
        until(lambda: reader.rows())
        assert reader.rows() == [("session.started", session)]


def test_nothing_is_lost_or_turned_round(tmp_path: Path) -> None:
    """A reader that leaves and comes back amid logins, over a kill and a stop, has what the audit log has."""
    got: list[dict[str, Any]] = []
    with EnforcerProcess(tmp_path / "a") as server:
        with reading(server) as reader:
            cursor = reader.events[0].data["cursor"]
        for turn in range(6):
            with reading(server, **{"Last-Event-ID": cursor}) as reader:
                for n in range(30):
                    server.login(f"room-{n % 3}")
                if turn == 2:
                    server.kill()
                elif turn == 4:
                    server.stop()
                else:
                    until(lambda: len(reader.rows()) > 10)
            if turn in (2, 4):
                server.start()
            rows = [e for e in reader.events if "seq" in e.data]
            got += [e.data for e in rows]
            cursor = rows[-1].id or cursor if rows else cursor
        with reading(server, **{"Last-Event-ID": cursor}) as reader:
            kept = server.call("GET", "/v1/audit?limit=1000").json()["items"]
            until(lambda: got[-1:] == kept[-1:] or [e for e in reader.events if e.data.get("seq") == kept[-1]["seq"]])
            got += [e.data for e in reader.events if "seq" in e.data]
    assert [row["seq"] for row in got] == [row["seq"] for row in kept]


def test_many_follow(tmp_path: Path) -> None:
    """Each of them has everything; one more than may be is refused; who leaves makes room at once."""
    with EnforcerProcess(tmp_path / "a", store="memory://", max_streams=20) as server:
        readers = [Reader(server) for _ in range(20)]
        problem(server.call("GET", "/v1/stream"), 429, "too-many-streams")
        sessions = [server.login(f"room-{n}")["session"] for n in range(50)]
        for reader in readers:
            until(lambda: len(reader.rows()) == 50)  # noqa: B023 - it is called at once
            assert [session for _, session in reader.rows()] == sessions
        readers.pop().close()
        until(lambda: "enforcer_streams 19.0" in server.call("GET", "/metrics").text or _has_room(server))
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        assert all(reader.over.wait(5) for reader in readers)
        for reader in readers:
            reader.close()


def _has_room(server: EnforcerProcess) -> bool:
    """Whether one more may follow."""
    with httpx.stream("GET", f"{server.url}/v1/stream", headers=server.headers) as answer:
        return answer.status_code == 200


def test_a_reader_that_does_not_read_is_cut(tmp_path: Path) -> None:
    """Memory stays flat; it comes back by its cursor."""
    with EnforcerProcess(tmp_path / "a", store="memory://") as server, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", server.port))
        lazy.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.authkey}\r\n\r\n".encode())
        with reading(server) as reader, httpx.Client(base_url=server.url) as http:
            cut = "the reader was not cut"
            for n in range(20_000):
                body = {"room": f"{n}-{'x' * 200}", "key": server.authkey, "device": {"user_agent": "u" * 500}}
                assert http.post("/notify", json=body).status_code == 200
                if n % 500 == 499 and "enforcer_streams 1.0" in server.call("GET", "/metrics").text:
                    cut = ""
                    break
            assert not cut
            assert not reader.over.is_set()


def test_the_store_is_away(tmp_path: Path) -> None:
    """The stream stays open, says so once, and goes on where it was."""
    with (
        RedisServer(tmp_path / "redis", appendonly="yes", appendfsync="always") as redis,
        EnforcerProcess(tmp_path / "a", store=redis.url) as here,
        EnforcerProcess(tmp_path / "b", store=redis.url, authkey=here.authkey) as there,
        reading(here) as reader,
    ):
        first = there.login("alice")["session"]
        until(lambda: reader.rows() == [("session.started", first)])
        redis.kill()
        until(lambda: reader.events[-1].name == "unavailable")
        redis.start()
        until(lambda: httpx.get(f"{there.url}/readyz").status_code == 200)
        second = there.login("alice")["session"]
        until(lambda: len(reader.rows()) == 3)
        assert sorted(reader.rows()[1:]) == sorted([("session.started", second), ("session.ended", first)])
        assert [e.name for e in reader.events].count("unavailable") == 1
        redis.flush()
        until(lambda: reader.events[-1].name == "reset")


def test_it_says_how_far_it_has_come(shared: EnforcerProcess, room: str) -> None:
    """To who prefers that: what was committed before is said before, and a quiet stream goes on saying it."""
    prefer = {"Prefer": 'respond-async, Level; x="y"'}
    began = time.monotonic()
    with (
        reading(shared, f"/v1/stream?room={room}", **prefer) as reader,
        reading(shared, f"/v1/stream?room={room}") as other,
    ):
        shared.login(room)
        answered = (time.monotonic() - began) * 1000
        until(lambda: [e for e in reader.events if e.name == "level" and e.data["elapsed_ms"] >= answered])
        assert [e.name for e in reader.events if e.name in ("ready", "session.started")] == ["ready", "session.started"]
        levels = [e.data["elapsed_ms"] for e in reader.events if e.name == "level"]
        first = next(n for n, e in enumerate(reader.events) if e.name == "level" and e.data["elapsed_ms"] >= answered)
        assert "session.started" in [e.name for e in reader.events[:first]]
        assert levels == sorted(set(levels))
        assert levels[-1] <= (time.monotonic() - began) * 1000
        assert all(e.id is None for e in reader.events if e.name == "level")
        assert {e.name for e in other.events} == {"ready", "session.started"}
