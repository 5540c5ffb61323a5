"""Socket.IO spoken by hand, for what no well-behaved client would send."""

import array
import asyncio
import fcntl
import json
import socket
import termios
from typing import Any, Self

import aiohttp

from tests.running import EnforcerProcess

WITHIN = 8.0


class RawSocket:
    """A WebSocket to the server with Engine.IO packets as text; an async context manager.

    `engine` is the one that carries it: `direct`, or `polling`, which is reached by upgrading from polling.
    """

    def __init__(self, server: EnforcerProcess, engine: str = "direct", **headers: str) -> None:
        self._address = server.url + "/socket.io/?EIO=4&transport="
        self._upgrades = engine == "polling"
        self._headers = headers

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            await (self._upgrade() if self._upgrades else self._open())
        except BaseException:
            await self._session.close()
            raise
        return self

    async def _open(self) -> None:
        await self._dial("websocket")
        self._greeted(await self.packet())

    async def _upgrade(self) -> None:
        async with self._session.get(self._address + "polling", headers=self._headers) as answer:
            self._greeted(await answer.text())
        await self._dial(f"websocket&sid={self.sid}")
        await self.send("2probe")
        assert await self.packet() == "3probe"
        await self.send("5")

    async def _dial(self, transport: str) -> None:
        url = self._address.replace("http", "ws", 1) + transport
        self._ws = await self._session.ws_connect(url, headers=self._headers, max_msg_size=0)

    def _greeted(self, packet: str) -> None:
        assert packet.startswith("0{"), packet
        self.sid: str = json.loads(packet[1:])["sid"]

    async def __aexit__(self, *_: object) -> None:
        await self._ws.close()
        await self._session.close()

    async def send(self, packet: str | bytes) -> None:
        """One frame, text or binary."""
        if isinstance(packet, bytes):
            await self._ws.send_bytes(packet)
        else:
            await self._ws.send_str(packet)

    async def packet(self) -> str:
        """The next packet that is not a ping or a noop; raises EOFError when the socket is closed."""
        while True:
            message = await self._ws.receive(WITHIN)
            if message.type is aiohttp.WSMsgType.CLOSE:
                raise EOFError(message.data)  # `close_code` is 1006 if the server was gone before the client's answer
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise EOFError(self._ws.close_code)
            if message.data not in ("2", "6"):
                return str(message.data)

    async def connect(self, auth: dict[str, Any] | None = None) -> str:
        """CONNECT to `/`; the answer."""
        await self.send("40" + ("" if auth is None else json.dumps(auth)))
        return await self.packet()

    async def join(self, ticket: str) -> str:
        """CONNECT with a ticket that is good; the socket's id in the namespace."""
        answer = await self.connect({"ticket": ticket})
        assert answer.startswith("40{"), answer
        assert (await self.packet()).startswith('42["session"')
        sid: str = json.loads(answer[2:])["sid"]
        return sid

    async def closed(self) -> int:
        """Waits until the server has closed it; the close code."""
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    await self.packet()
                except EOFError as end:
                    return int(end.args[0] or 0)

    async def untouched(self) -> None:
        """Whatever was sent to it before this has arrived; it was nothing, and it still answers."""
        await self.send('421["check"]')
        answer = await self.packet()
        assert answer.startswith('431[{"'), answer


def refusal(packet: str) -> dict[str, Any]:
    """A CONNECT_ERROR's data."""
    assert packet.startswith("44"), packet
    data: dict[str, Any] = json.loads(packet[2:])
    return data


def exchange(server: EnforcerProcess, *segments: bytes, within: float = WITHIN) -> bytes:
    """Sends segments over one TCP connection, each in a packet of its own; all that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=within) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            connection.sendall(segment)
            _wait_until_sent(connection)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def _wait_until_sent(connection: socket.socket) -> None:
    """Returns when the other side has acknowledged everything, so that the next segment travels alone."""
    left = array.array("i", [1])
    while left[0]:
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, left)
