"""The seam between the hub and the engines that carry sockets."""

from collections.abc import Callable
from typing import Any, Protocol

JSON = dict[str, Any]


class News:
    """An event with its payload, for any number of sockets; an engine may keep in `written` how it writes it."""

    __slots__ = ("event", "payload", "written")

    def __init__(self, event: str, payload: JSON) -> None:
        self.event = event
        self.payload = payload
        self.written: bytes | None = None


class Socket(Protocol):
    """One live Socket.IO connection in the namespace `/`, whatever engine carries it.

    Nothing here blocks or raises: a socket that is gone swallows what it is given. What is sent arrives in order.
    """

    @property
    def ip(self) -> str:
        """The client's address, or `unknown`."""
        ...

    @property
    def origin(self) -> str | None:
        """The origin of the page, if it was told."""
        ...

    @property
    def polls(self) -> bool:
        """Whether it speaks by requests that each carry its id in their URL."""
        ...

    def send(self, news: News) -> None:
        """Sends an event to this socket only."""
        ...

    def ask(self, news: News, acked: Callable[[], None]) -> None:
        """Sends an event that the page acknowledges; `acked` is called when it does.

        The same news may be asked again, and each time may be acknowledged. A socket has only one question open.
        """
        ...

    def disconnect(self) -> None:
        """Takes the socket out of the namespace (it will not reconnect by itself), after what was sent."""
        ...

    def go_away(self) -> None:
        """Closes the transport with 1001, after what was sent: this process is about to end."""
        ...

    def cut(self) -> None:
        """Closes the transport; the page takes it for a lost connection."""
        ...


class Refusal(Exception):
    """A CONNECT is refused: `code` and `data` go into the CONNECT_ERROR packet."""

    def __init__(self, code: str, data: JSON | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.data = data or {}
