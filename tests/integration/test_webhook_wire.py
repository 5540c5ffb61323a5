"""The way to a receiver: what counts as an answer, how much of it is read, and where it never leads."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enforcer.configuration.webhooks import Webhook
from enforcer.domain.deliveries import Answer
from enforcer.process.tasks import cancelled
from enforcer.webhooks.signing import secret_text
from enforcer.webhooks.wire import READ_MOST, Wire

SECRET = secret_text(b"0" * 32)
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(answer: Peer) -> AsyncIterator[str]:
    """A server that reads a request's head and then does what it likes; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await asyncio.shield(asyncio.wait_for(writer.wait_closed(), 1))

    serving: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(
        lambda reader, writer: serving.add(asyncio.create_task(serve(reader, writer))), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()
        await cancelled(serving)
        await server.wait_closed()
        await asyncio.sleep(0)  # the transports' own last turn


async def request(reader: asyncio.StreamReader) -> None:
    """Reads one request whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    await reader.readexactly(length)


def saying(text: bytes) -> Peer:
    """Answers each request with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(text)

    return answer


async def sent(url: str, within: float = 30.0, **options: Any) -> Answer:
    """One event, by a wire of its own."""
    hook = Webhook.model_validate({"name": "app", "url": url, "secret": SECRET, "allow_private": True, **options})
    wire = Wire(hook, within)
    try:
        return await wire.send("app_1", '{"a": 1}', 1_700_000_000.0)
    finally:
        await wire.close()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", 299),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", 500),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 307 Again\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 307),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone", 200),
    ],
)
async def test_the_head_of_an_answer_is_the_answer(text: bytes, status: int) -> None:
    """Redirects are not followed; what an answer says of its body is not believed."""
    async with peer(saying(text)) as url:
        answer = await sent(url)
        assert answer.status == status
        assert answer.taken == (200 <= status <= 299)


@pytest.mark.parametrize(
    "text", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 two OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000]
)
async def test_what_is_not_http_is_a_failure(text: bytes) -> None:
    """And says so."""
    async with peer(saying(text)) as url:
        answer = await sent(url)
        assert answer.status is None
        assert answer.error


async def test_a_receiver_that_hangs_or_drips_is_given_up() -> None:
    """It has so many seconds for the head of its answer, in whatever pieces it comes."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    for one in (drip, hang):
        async with peer(one) as url:
            assert await sent(url, 0.3) == Answer(None, "no answer within 0.3 s")


async def test_an_endless_answer_counts_when_its_head_is_there_and_is_not_read() -> None:
    """A gigabyte, or a byte a second: the event is taken, the connection is closed."""
    written = 0
    closed = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while written < 2**30:
                writer.write(b"4000\r\n" + b"x" * 16_384 + b"\r\n")
                await writer.drain()
                written += 16_384
        finally:
            closed.set()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with peer(endless) as url:
        assert (await sent(url)).taken
        async with asyncio.timeout(30):
            await closed.wait()
        assert written < 8 * 2**20, "what the kernel's buffers take, and READ_MOST"
    assert READ_MOST == 65_536
    async with peer(drip) as url, asyncio.timeout(30):
        assert (await sent(url)).taken


async def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    """The next event goes over a new one; a new one that is closed without an answer is a failure."""
    count = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if count == 1:
            await request(reader)  # takes the second one, and closes without an answer

    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await request(reader)

    async with peer(once) as url:
        hook = Webhook.model_validate({"name": "app", "url": url, "secret": SECRET, "allow_private": True})
        wire = Wire(hook)
        assert (await wire.send("app_1", "{}", 0.0)).taken
        assert (await wire.send("app_2", "{}", 0.0)).taken
        await wire.close()
        assert count == 2
    count = 0
    async with peer(never) as url:
        assert (await sent(url)).error == "the connection was closed without an answer"
        assert count == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
)
async def test_an_address_that_is_not_public_is_not_connected_to(host: str) -> None:
    """However it is written. Nothing arrives."""
    arrived = asyncio.Event()

    async def note(*_: Any) -> None:
        arrived.set()

    async with peer(note) as url:
        answer = await sent(url.replace("127.0.0.1", host), allow_private=False)
        assert answer.status is None
        assert "not public" in str(answer.error)
        assert not arrived.is_set()


async def test_a_name_is_judged_at_each_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first leads to the Internet, the second to this machine."""
    arrived = asyncio.Event()
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: Any) -> Any:
        looked_up.append(host)
        return real("203.0.114.1" if len(looked_up) == 1 else "127.0.0.1", port, *rest)

    async def note(*_: Any) -> None:
        arrived.set()

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    async with peer(note) as url:
        hook = {"name": "app", "url": url.replace("127.0.0.1", "receiver.example"), "secret": SECRET}
        wire = Wire(Webhook.model_validate(hook), 0.5)
        first = await wire.send("app_1", "{}", 0.0)
        assert first.status is None
        assert "not public" not in str(first.error)
        assert "not public" in str((await wire.send("app_2", "{}", 0.0)).error)
        await wire.close()
    assert looked_up == ["receiver.example"] * 2
    assert not arrived.is_set()


async def test_a_name_server_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A try is given up in time, and so is the wire."""

    def hang(*_: Any) -> None:
        time.sleep(20)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    async with asyncio.timeout(15):
        assert (await sent("http://receiver.example/", 0.2)).error == "no answer within 0.2 s"
