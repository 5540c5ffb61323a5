"""Takes a connection away from aiohttp after it has routed the request.

The one place that touches private names of aiohttp (hence `aiohttp <3.15`, and a test that no handler of it stays
alive): what remains of a connection is its transport and our protocol, without the handler, task, parser and timer
that aiohttp keeps for one.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


def take_over(request: web.Request, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, bytes]:
    """From now on `protocol` gets what comes in; the transport, and what came in already behind the request.

    The handler must return `TakenOver` next, without awaiting anything.
    """
    handler = cast(Any, request.protocol)
    transport = cast(asyncio.Transport, request.transport)
    transport.set_protocol(protocol)
    early: bytes = handler._message_tail
    handler._message_tail = b""
    handler.transport = None  # so that what follows does not close it
    handler.connection_lost(None)
    if not transport.is_reading():  # aiohttp pauses when much comes in behind an upgrade
        transport.resume_reading()
    return transport, early


class TakenOver(web.StreamResponse):
    """What a handler returns when there is nobody to answer any more."""

    def __init__(self) -> None:
        super().__init__(status=HTTPStatus.SWITCHING_PROTOCOLS)  # that is what was answered

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing to send."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to end."""
