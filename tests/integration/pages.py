"""Pages with Socket.IO clients as sites use them: python-socketio, npm's socket.io-client 3.1 and 4.8, and our own.

All speak through one small interface, so that one suite asks the same of each.
"""

import asyncio
import itertools
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import socketio

from tests.running import ROOT, missing, require_command

HERE = Path(__file__).parent
WITHIN = 8.0
"""Seconds that anything may take to arrive."""

JSON = dict[str, Any]


class Client(Protocol):
    """Opens pages."""

    def open(self, page: "Page") -> None: ...
    def emit(self, page: "Page", call: int, event: str, args: list[Any]) -> None: ...
    def close(self, page: "Page") -> None: ...


class Page:
    """One tab. What happens to it is kept in order as (kind, data): `connect`, `connect_error`, `disconnect`,
    `upgrade`, and the name of each event that arrives."""

    _numbers = itertools.count(1)

    def __init__(self, client: Client, url: str, transport: str, **options: Any) -> None:
        self.number = next(self._numbers)
        self.client = client
        self.url = url
        self.transport = transport
        self.auth: JSON | None = options.get("auth")
        self.query: JSON = options.get("query", {})
        self.acks: bool = options.get("acks", True)
        self.happened: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self._answers: dict[int, Any] = {}
        self._changed = threading.Condition()
        client.open(self)

    def note(self, kind: str, data: Any, call: int | None = None) -> None:
        """Called by the client, from its thread."""
        with self._changed:
            if call is None:
                self.happened.append((kind, data))
                self.times.append(time.monotonic())
            else:
                self._answers[call] = data
            self._changed.notify_all()

    def kinds(self) -> list[str]:
        """What has happened and was not taken yet."""
        with self._changed:
            return [kind for kind, _ in self.happened]

    def take(self, kind: str, within: float = WITHIN) -> Any:
        """Waits for the next thing of this kind and takes it out; its data."""

        def found() -> tuple[str, Any] | None:
            return next((h for h in self.happened if h[0] == kind), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, within), f"no {kind}; but {self.happened}"
            thing = found()
            assert thing is not None
            self.happened.remove(thing)
            return thing[1]

    def call(self, event: str, *args: Any) -> Any:
        """Sends an event and waits for its ack."""
        number = next(self._numbers)
        self.client.emit(self, number, event, list(args))
        with self._changed:
            assert self._changed.wait_for(lambda: number in self._answers, WITHIN), f"no ack; but {self.happened}"
            return self._answers.pop(number)

    def emit(self, event: str, *args: Any) -> None:
        """Sends an event whose ack nobody waits for."""
        self.client.emit(self, next(self._numbers), event, list(args))

    def joined(self) -> JSON:
        """Waits until it is in, over the transport that it wants in the end; its first `session`."""
        self.take("connect")
        if self.transport == "upgrade":
            assert self.take("upgrade") == "websocket"
        payload: JSON = self.take("session")
        return payload

    def refused(self) -> JSON:
        """Waits for the refusal of its CONNECT; its message and data."""
        error: JSON = self.take("connect_error")
        assert "session" not in self.kinds()
        return error

    def untouched(self) -> JSON:
        """Nothing has ended it: what was sent before the answer to this `check` would have arrived before it."""
        answer: JSON = self.call("check")
        assert answer.get("active") is True, answer
        assert "force-logout" not in self.kinds()
        assert "disconnect" not in self.kinds()
        return answer

    def close(self) -> None:
        """Leaves. May be called twice."""
        self.client.close(self)


class PythonClient:
    """python-socketio's asyncio client, on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._clients: dict[int, socketio.AsyncClient] = {}

    def open(self, page: Page) -> None:
        """Starts to connect; the outcome is told to the page."""
        self._run(self._open(page))

    async def _open(self, page: Page) -> None:
        client = socketio.AsyncClient(reconnection=False, logger=False, engineio_logger=False)
        self._clients[page.number] = client
        refused: list[Any] = []

        async def connect() -> None:
            page.note("connect", client.transport())

        async def connect_error(data: Any) -> None:
            refused.append(data)

        async def disconnect(reason: str) -> None:
            page.note("disconnect", reason)

        async def anything(event: str, data: Any = None) -> None:
            page.note(event, data)
            if event == "force-logout" and not page.acks:
                await asyncio.Event().wait()  # the ack goes out when a handler returns

        client.on("connect", connect)
        client.on("connect_error", connect_error)
        client.on("disconnect", disconnect)
        client.on("*", anything)
        url = page.url
        if page.query:
            url += "?" + "&".join(f"{k}={v}" for k, v in page.query.items())
        transports = ["polling", "websocket"] if page.transport == "upgrade" else [page.transport]
        try:
            await client.connect(url, auth=page.auth, transports=transports, wait_timeout=WITHIN)
        except socketio.exceptions.ConnectionError as error:
            told = refused[-1] if refused else {"message": str(error)}
            page.note("connect_error", told if isinstance(told, dict) else {"message": told})
            await self._shut(client)
            return
        if page.transport == "upgrade" and client.transport() == "websocket":
            page.note("upgrade", "websocket")

    def emit(self, page: Page, call: int, event: str, args: list[Any]) -> None:
        """Sends; the ack is told to the page."""
        client = self._clients[page.number]
        data = args[0] if args else None
        self._run(client.emit(event, data, callback=lambda answer=None: page.note("ack", answer, call)))

    def close(self, page: Page) -> None:
        """Leaves and lets go of the connection."""
        client = self._clients.pop(page.number, None)
        if client is not None:
            self._run(self._shut(client))

    async def _shut(self, client: socketio.AsyncClient) -> None:
        await client.shutdown()
        if client.eio.http is not None and not client.eio.http.closed:
            await client.eio.http.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * WITHIN)

    def end(self) -> None:
        """Closes everything."""
        for client in self._clients.values():
            self._run(self._shut(client))

        async def cancel_all() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN)
        self._loop.close()


class NodeDriver:
    """`driver.cjs`: the npm clients, in one Node process for the whole session."""

    def __init__(self) -> None:
        node = require_command("node", "nodejs")
        for directory, package in ((HERE, "socket.io-client-4"), (ROOT / "client-js", "esbuild")):
            if not (directory / "node_modules" / package).is_dir():
                npm = require_command("npm")
                shutil.rmtree(directory / "node_modules", ignore_errors=True)
                installed = subprocess.run([npm, "ci"], cwd=directory, capture_output=True, text=True, check=False)
                if installed.returncode != 0:
                    missing(f"npm ci in {directory.name} failed: {installed.stderr.strip()[-300:]}")
        self._process = subprocess.Popen(
            [node, "--experimental-websocket", "--no-warnings", str(HERE / "driver.cjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pages: dict[int, Page] = {}
        self._lock = threading.Lock()
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline()) == {"kind": "ready"}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._pages[message["page"]].note(message["kind"], message["data"], message.get("call"))

    def do(self, page: Page, **command: Any) -> None:
        """Sends a command about a page."""
        self._pages[page.number] = page
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"page": page.number, **command}) + "\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """Closes everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(WITHIN)
        self._thread.join(WITHIN)
        self._process.stdout.close()


class NodeClient:
    """`npm-3` or `npm-4`, a major version of socket.io-client, or `session-guard`, the way to the server of our own."""

    def __init__(self, driver: NodeDriver, name: str) -> None:
        self._driver = driver
        self._name = name

    def open(self, page: Page) -> None:
        """Starts to connect."""
        self._driver.do(
            page,
            do="open",
            client=self._name,
            url=page.url,
            transports=["polling", "websocket"] if page.transport == "upgrade" else [page.transport],
            upgrade=page.transport == "upgrade",
            auth=page.auth or {},
            query=page.query,
            acks=page.acks,
        )

    def emit(self, page: Page, call: int, event: str, args: list[Any]) -> None:
        """Sends with an ack."""
        self._driver.do(page, do="emit", call=call, event=event, args=args)

    def close(self, page: Page) -> None:
        """Leaves."""
        self._driver.do(page, do="close")


Opener = Callable[..., Page]
