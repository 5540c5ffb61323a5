"""Sends the pages of a process that is about to end elsewhere, evenly over a time."""

import asyncio
import math

from enforcer import protocol
from enforcer.gateway.hub import Hub
from enforcer.gateway.socket import News

STEP = 0.1
"""Seconds between two portions of sockets."""


async def drain(hub: Hub, window: float, others: bool) -> None:
    """Returns when no socket is left, or after `window` seconds. `others`: other processes serve the same sessions.

    Each page is told when it may come back: at once if it finds another process, else when this one has ended. Sockets
    whose session has just ended are left alone: they leave by themselves, when their pages know it.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()
    end = due + window
    while hub.joined and (left := end - loop.time()) > 0:
        if loop.time() >= due and (links := hub.listening()):
            news = News(protocol.EVENT_DRAIN, {"retry_ms": 0 if others else math.ceil(left * 1000)})
            for link in links[: max(1, int(len(links) * STEP / left))]:
                link.socket.send(news)
                link.socket.go_away()
            due += left / len(links)  # when the next is, if there is more time than there are sockets
        await asyncio.sleep(min(STEP, left))
