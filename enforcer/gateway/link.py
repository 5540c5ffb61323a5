"""What the hub keeps about one socket. There are very many of them, so it is little."""

import asyncio
from typing import NamedTuple

from enforcer.domain.model import Session, Snapshot
from enforcer.gateway.kick import Kick
from enforcer.gateway.socket import Socket
from enforcer.tickets import Ticket


class View(NamedTuple):
    """What of a session makes news for its pages."""

    claimed: bool
    newest: bool
    epoch: int
    absolute_at: float | None
    warn_before: float | None


class Link:
    """A socket that speaks for a session.

    `joined` from the answer to its CONNECT until it leaves. `view` is what its page was told last, None when something
    is new since. `held` while other nodes' changes of the room are heard because of it. `ended` is the session's
    record once it is known to have ended. `ticket` is kept only as long as there may be a fresher one.
    """

    __slots__ = (
        "by_ticket",
        "ended",
        "gone",
        "held",
        "joined",
        "kick",
        "leaving",
        "renewal",
        "room",
        "session",
        "socket",
        "ticket",
        "view",
    )

    def __init__(self, socket: Socket, room: str, session: str, ticket: Ticket | None) -> None:
        self.socket = socket
        self.room = room
        self.session = session
        self.by_ticket = ticket is not None
        self.ticket = ticket
        self.joined = False
        self.leaving = False
        self.gone = False
        self.held = False
        self.ended: Session | None = None
        self.kick: Kick | None = None
        self.view: View | None = None
        self.renewal: asyncio.TimerHandle | None = None

    def listens(self) -> bool:
        """Whether there is still something to tell to it: it is open, and nobody knows that its session has ended."""
        return not self.gone and self.ended is None

    def close(self) -> None:
        """The socket is gone: nothing happens by itself any more."""
        self.gone = True
        if self.kick is not None:
            self.kick.stop()
        if self.renewal is not None:
            self.renewal.cancel()


def view_of(snapshot: Snapshot) -> View:
    """What is told of it."""
    s = snapshot.session
    return View(s.claimed, snapshot.newest, s.epoch, s.absolute_at, s.warn_before)
