"""The way to a receiver: one request, judged by the head of its answer.

The address is judged where the socket is made, so after the look-up and at each connection: a name that leads to
another address the second time, or a redirect, gets nowhere.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from enforcer import __version__
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.deliveries import Answer
from enforcer.webhooks.addresses import is_public
from enforcer.webhooks.signing import headers, secret_bytes

WITHIN = 20.0
"""Seconds from the look-up to the head of the answer."""
READ_MOST = 65_536
"""Bytes of an answer that are read, so that its connection can be used again."""
READ_WITHIN = 1.0
"""Seconds for that; else the connection is closed."""
KEEP = 4.0
"""Seconds that a connection is kept for the next event."""
LOOK_UPS = 16
"""Of one hook that may be under way at a time: a name server that hangs holds that many threads, and no more."""
LONGEST_ERROR = 200
"""Characters of what is said of a failure."""


class Wire:
    """To the receiver of one hook. Made where an event loop runs. `within` are seconds for the head of an answer."""

    def __init__(self, hook: Webhook, within: float = WITHIN) -> None:
        self._within = within
        self._hook = hook
        self._secrets = [secret_bytes(secret) for secret in hook.secrets]
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_reused)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_Resolver(),
                use_dns_cache=False,
                socket_factory=self._socket,
                keepalive_timeout=KEEP,
                limit=0,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            read_bufsize=READ_MOST // 4,
            trace_configs=[trace],
            headers={"User-Agent": f"Enforcer/{__version__}", "Content-Type": "application/json", "Accept": "*/*"},
            skip_auto_headers=("Accept-Encoding",),
        )

    async def send(self, id_: str, body: str, now: float) -> Answer:
        """Sends an event at `now`, UTC seconds; what came of it. Returns within `WITHIN` and a little."""
        content = body.encode()
        signed = headers(self._secrets, id_, int(now), content)
        try:
            async with asyncio.timeout(self._within):
                response = await self._asked(content, signed)
        except TimeoutError:
            return Answer(None, f"no answer within {self._within:g} s")
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:  # the last is uvloop's
            return Answer(None, _said(error))
        try:
            await _read_out(response)
        finally:
            response.close()  # one that was read to its end has given its connection back already
        return Answer(response.status, None if 200 <= response.status <= 299 else f"status {response.status}")

    async def _asked(self, content: bytes, signed: dict[str, str]) -> aiohttp.ClientResponse:
        """The answer when its head is there. A kept connection may have been closed meanwhile: then by a new one."""
        while True:
            kept = {"reused": False}
            try:
                return await self._session.post(
                    self._hook.url, data=content, headers=signed, allow_redirects=False, trace_request_ctx=kept
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not kept["reused"] or isinstance(error, aiohttp.ClientConnectorError):
                    raise

    def _socket(self, address: Sequence[Any]) -> socket.socket:
        """The socket for an address that was looked up. Raises OSError for one that is not public."""
        family, kind, protocol, _, where = address
        if not self._hook.allow_private and not is_public(where[0]):
            raise OSError(f"the address {where[0]} is not public; see allow_private")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def close(self) -> None:
        """Lets go of all connections."""
        await self._session.close()


async def _reused(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceConnectionReuseconnParams) -> None:
    context.trace_request_ctx["reused"] = True


async def _read_out(response: aiohttp.ClientResponse) -> None:
    """Reads what is left of a short answer, so that its connection is free again."""
    if (response.content_length or 0) > READ_MOST:
        return
    left = READ_MOST
    try:
        async with asyncio.timeout(READ_WITHIN):
            while left > 0 and (part := await response.content.read(left)):
                left -= len(part)
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass


def _said(error: Exception) -> str:
    """A failure in one line, without the address's path, in which a token may stand."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            told = f"the name {error.host} cannot be looked up"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            told = f"TLS: {error}"
        case aiohttp.ClientConnectorError():
            told = str(error.os_error) or "the connection was refused"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            told = "the connection was closed without an answer"
        case aiohttp.ClientResponseError():
            told = "the answer is not HTTP/1.1"
        case _:
            told = type(error).__name__
    return told.splitlines()[0][:LONGEST_ERROR]


class _Resolver(AbstractResolver):
    """Looks names up on threads of its own, which nobody waits for: a name server that hangs holds up no other part of
    the process, nor its end."""

    def __init__(self) -> None:
        self._running = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name; raises OSError."""
        if self._running >= LOOK_UPS:
            raise OSError("the name server does not answer")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def settle(result: list[ResolveResult] | OSError) -> None:
            self._running -= 1
            if found.done():  # nobody waits any more
                return
            if isinstance(result, OSError):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look_up() -> None:
            result: list[ResolveResult] | OSError
            try:
                rows = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
                result = [_result(host, port, row) for row in rows]
            except OSError as error:
                result = error
            except UnicodeError:
                result = OSError("not a host name")
            try:
                loop.call_soon_threadsafe(settle, result)
            except RuntimeError:  # the process has ended meanwhile
                return

        self._running += 1
        threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
        return await found

    async def close(self) -> None:
        """Nothing to let go of."""


def _result(host: str, port: int, row: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, address = row
    numeric = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]  # with its scope
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=numeric, port=port, family=family, proto=protocol, flags=flags)
