"""Receivers of webhooks: a real server whose answers the test chooses, by path."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """Its body."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    def verified(self, secret: str) -> Any:
        """The event, if the standard's library takes the signature; raises if not."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """Keeps what has come. `answers` has a status for a path, or a function of how often its id has come there."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answers: dict[str, int | Callable[[int], int]] = {}
        self.hanging: set[str] = set()
        """Paths that get no answer, until they are taken out."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body, time.monotonic())
                outer.requests.append(received)
                while self.path in outer.hanging:
                    time.sleep(0.02)
                answer = outer.answers.get(self.path, 204)
                status = answer if isinstance(answer, int) else answer(len(outer.of(self.path, received.id)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """Who was sent away, or killed, does not wait for an answer."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, path: str, id_: str | None = None) -> list[Received]:
        """What has come to a path, of one event or all."""
        return [r for r in self.requests if r.path == path and id_ in (None, r.id)]

    def events(self, path: str, room: str | None = None) -> list[tuple[str, str | None]]:
        """Type and session of each message for a path, in their order, of one room or all."""
        told = [r.event for r in self.of(path)]
        return [(e["type"], e["data"]["session"]) for e in told if room in (None, e["data"].get("room"))]

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        """While it answers."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.hanging.clear()
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)
