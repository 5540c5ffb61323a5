"""The network between a browser and a server, as a TCP proxy that can be cut, and can block WebSockets."""

import asyncio
from types import TracebackType
from typing import Self


class Wire:
    """An asynchronous context manager. `url` leads to the server's `port` as long as it is not cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pairs: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.whole = True
        self.blocks_sockets = False
        """Like a proxy that knows no WebSockets: it closes what asks for one."""
        self.url = ""
        self.sockets = 0
        """WebSockets that are open now."""

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Everything that is open is lost, and nothing new gets through."""
        self.whole = False
        for writer in list(self._pairs):
            writer.transport.abort()

    def mend(self) -> None:
        """New connections get through again."""
        self.whole = True

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        self._pairs.add(writer)
        beyond: asyncio.StreamWriter | None = None
        socket = False
        try:
            first = await reader.read(65536)
            socket = b"upgrade: websocket" in first.lower()
            self.sockets += socket
            if not self.whole or (self.blocks_sockets and socket):
                return
            there, beyond = await asyncio.open_connection("127.0.0.1", self._port)
            self._pairs.add(beyond)
            beyond.write(first)
            await asyncio.gather(self._pump(reader, beyond), self._pump(there, writer))
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self.sockets -= socket
            for end in (writer, beyond):
                if end is not None:
                    self._pairs.discard(end)
                    end.transport.abort()
            self._pumps.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.whole:
                break
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
