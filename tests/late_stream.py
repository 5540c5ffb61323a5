"""A TCP link on which the stream is late or cut while everything else passes at once."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

END = b"event: session.ended"


class LateStream:
    """Carries bytes from `port` to `target`; what `GET /v1/stream` answers takes `lag` seconds more.

    With `halves` set to n, each of the next n ends that the stream tells of is cut in its middle, with the connection.
    """

    def __init__(self, target: int, lag: float = 0.0) -> None:
        self._target = target
        self._lag = lag
        self.halves = 0
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._carried, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):  # either end is gone, or the test is over
            await self._carry(reader, writer)
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        back.write(first)
        told = self._late(there, writer) if first.startswith(b"GET /v1/stream") else _copied(there, writer)
        both = [asyncio.ensure_future(told), asyncio.ensure_future(_copied(reader, back))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            back.close()

    async def _late(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Each part in its order, so late: they are read as they come, so that none waits for the one before."""
        loop = asyncio.get_running_loop()
        coming: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            while part := await source.read(65536):
                coming.put_nowait((loop.time() + self._lag, part))
            coming.put_nowait((loop.time() + self._lag, b""))

        reading = asyncio.ensure_future(read())
        try:
            while True:
                due, part = await coming.get()
                await asyncio.sleep(due - loop.time())
                if not part:
                    return
                if self.halves and END in part:
                    self.halves -= 1
                    sink.write(part[: part.index(END) + len(END) + 40])
                    await sink.drain()
                    return
                sink.write(part)
                await sink.drain()
        finally:
            reading.cancel()


async def _copied(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while part := await source.read(65536):
        sink.write(part)
        await sink.drain()
