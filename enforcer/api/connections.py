"""All HTTP connections of a process: who listens, how many there may be, and how they end."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Protocol

from aiohttp import web

from enforcer.api import connection
from enforcer.api.connection import Connection, FastAnswer
from enforcer.api.context import CONTEXT
from enforcer.api.fast_answers import FastAnswers
from enforcer.api.handler import Handler
from enforcer.http.plain_requests import Opening, WholeRequest
from enforcer.process.descriptors import Descriptors
from enforcer.process.listening import QUEUE_LENGTH, QUEUES

MAX_WAITING = 20_000
"""Connections that are not sockets; one more, and one that is idle makes way: each of them takes some kilobytes."""
MAX_SURPLUS = 8
"""Connections that there is no place for; one more, and the first of them goes."""
_LOOKED_AT = 256
"""Connections that are compared to find one that has been idle for long."""
SHUTDOWN_WITHIN = 3.0
"""Seconds that running requests have to finish at the end."""


class TakeSocket(Protocol):
    """Takes a connection that opens a WebSocket over, or says that it does not. `early` came in behind the request."""

    def __call__(self, opening: Opening, transport: asyncio.Transport, early: bytes) -> bool: ...


class Connections:
    """Listens for one application: `start`, then `listen`; `stop_listening`, then `close`."""

    def __init__(self, app: web.Application, take_socket: TakeSocket, descriptors: Descriptors) -> None:
        self._context = app[CONTEXT]
        self._fast_answers = FastAnswers(self._context)
        self._descriptors = descriptors
        self._runner = web.AppRunner(app)
        self._server: web.Server | None = None
        self._handle_request: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
        self._listening: list[asyncio.Server] = []
        self.take_socket = take_socket
        self.waiting: dict[Connection, None] = {}
        """Connections that are not sockets, those first that were opened first or looked at longest ago."""
        self._surplus: dict[asyncio.Transport, None] = {}
        """Connections that there is no place for, and that may only ask for health; likewise."""

    async def start(self) -> None:
        """Makes the application ready."""
        await self._runner.setup()
        made = self._runner.server
        if made is None:
            raise RuntimeError("the application is closed already")
        self._server = web.Server(self._handle, request_factory=made.request_factory)
        self._handle_request = made.request_handler

    async def listen(self, host: str, port: int, fast: bool) -> None:
        """Takes connections from now on. `fast`: what is for app servers and proxies may be answered without aiohttp.

        Raises:
            OSError: the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        for _ in range(QUEUES):
            listening = await loop.create_server(
                lambda: Connection(self, fast), host, port, backlog=QUEUE_LENGTH, reuse_port=True
            )
            self._listening.append(listening)

    def stop_listening(self) -> None:
        """No new connections."""
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    async def close(self) -> None:
        """Lets what runs finish, for `SHUTDOWN_WITHIN` seconds, then ends every connection and the application."""
        self.stop_listening()
        if self._server is not None:
            self._server.pre_shutdown()
            finishing = [connection.finish(SHUTDOWN_WITHIN) for connection in list(self.waiting)]
            await asyncio.gather(*finishing, self._server.shutdown(SHUTDOWN_WITHIN))
        await self._runner.cleanup()

    # ---- what a connection asks for ------------------------------------------------------------

    @property
    def max_head(self) -> int:
        return self._context.settings.max_header_size

    def opened(self, new: Connection, transport: asyncio.Transport) -> bool:
        there_is_room = self._room_for_one()
        if not there_is_room:
            self.declined(transport)
        self.waiting[new] = None
        return there_is_room

    def closed(self, old: Connection, transport: asyncio.Transport) -> None:
        self.waiting.pop(old, None)
        self._surplus.pop(transport, None)

    def accepted(self, transport: asyncio.Transport) -> None:
        self._surplus.pop(transport, None)

    def declined(self, transport: asyncio.Transport) -> None:
        """It has a part of the reserve until others want it."""
        self._surplus[transport] = None
        if len(self._surplus) > MAX_SURPLUS:
            oldest = next(iter(self._surplus))
            del self._surplus[oldest]
            oldest.abort()

    def fast_answer(self, request: WholeRequest, peer: str | None) -> FastAnswer:
        return self._fast_answers.take(request, peer)

    def handler(self, of: Connection) -> Handler:
        no_limit = self.max_head + connection.MAX_HELD  # of a line: here the whole head counts
        return Handler(
            of,
            self.max_head,
            self._server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=connection.KEEP_ALIVE,
            auto_decompress=False,  # nobody may send compressed bodies
            max_line_size=no_limit,
            max_field_size=no_limit,
            access_log=None,
        )

    # ---- how -----------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = request.protocol
        if isinstance(handler, Handler):
            handler.connection.begun(request)
        return await self._handle_request(request)

    def _room_for_one(self) -> bool:
        """Whether a new connection can stay. When descriptors are scarce, one that has been idle for long goes."""
        scarce = self._descriptors.scarce()
        if scarce:
            self._warn()
        elif len(self.waiting) < MAX_WAITING:
            return True
        oldest = self._longest_idle()
        if oldest is None:
            return not scarce
        del self.waiting[oldest]
        oldest.close_idle()
        return True

    def _longest_idle(self) -> Connection | None:
        """Of some that were not looked at lately; those that wait for an answer are put behind."""
        idle = []
        for candidate in list(islice(self.waiting, _LOOKED_AT)):
            if candidate.idle_since is None:
                del self.waiting[candidate]
                self.waiting[candidate] = None
            else:
                idle.append(candidate)
        return min(idle, key=lambda candidate: candidate.idle_since or 0.0, default=None)

    def _warn(self) -> None:
        self._context.notices.warn(
            "descriptors",
            "open files run out: idle connections are closed, new ones may be refused;"
            " raise the limit (LimitNOFILE= of systemd, ulimits of a container)",
            limit=str(self._descriptors.limit),
        )
