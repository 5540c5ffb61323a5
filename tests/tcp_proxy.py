"""A TCP link that a test can spoil: dropped, stalled, or open at one end only."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from tests.running import free_port


class TcpProxy:
    """Carries bytes from `port` to `target`; a context manager with a thread of its own.

    `stall` holds all bytes back and keeps them; `drop` cuts what is open and refuses what is new; `half_open`
    swallows what the server says; `heal` ends all of it, and cuts the connections whose bytes were swallowed.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._other: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()
        self._mode = "through"
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.join(5)
        self._cut()
        if self._listener is not None:
            self._listener.close()
        self._selector.close()

    def stall(self) -> None:
        """Nothing passes, nothing is lost."""
        with self._lock:
            self._mode = "stall"

    def half_open(self) -> None:
        """What we send arrives, what comes back does not."""
        with self._lock:
            self._mode = "half"

    def drop(self) -> None:
        """All connections are cut, new ones are refused."""
        with self._lock:
            self._mode = "drop"
            self._cut()
            if self._listener is not None:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None

    def heal(self) -> None:
        """As if nothing had been; bytes that were swallowed do not come back, so their connections are cut."""
        with self._lock:
            if self._mode == "half":
                self._cut()
            self._mode = "through"
            if self._listener is None:
                self._listen()

    # ---- on the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            with self._lock:
                waiting = self._mode == "stall"
                if not waiting:
                    for key, _ in self._selector.select(0.01):
                        self._serve(key.fileobj)  # type: ignore[arg-type]
            if waiting or not self._other:
                threading.Event().wait(0.005)

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._listener:
            self._accept()
            return
        other = self._other.get(ready)
        if other is None:
            return
        try:
            data = ready.recv(65536)
            if data and not (self._mode == "half" and ready in self._servers):
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._close(ready)

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), 2)
        except OSError:
            client.close()
            return
        self._servers.add(server)
        for one, other in ((client, server), (server, client)):
            self._other[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _close(self, one: socket.socket) -> None:
        for end in (one, self._other.pop(one, None)):
            if end is not None:
                self._other.pop(end, None)
                self._servers.discard(end)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()

    def _cut(self) -> None:
        for one in list(self._other):
            self._close(one)

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)
