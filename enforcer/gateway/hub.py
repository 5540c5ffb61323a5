"""The sockets of this process and the sessions they speak for.

A socket is registered first, then the truth is read, then it is let in or refused: so no kick falls between. Kicks go
by session id, never to "everyone in the room". Identity is the session; a socket is only a way to reach its page.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from enforcer import protocol
from enforcer.errors import Refused, SessionEnded, StoreUnavailable
from enforcer.gateway.kick import Kick
from enforcer.gateway.socket import JSON, Refusal, Socket
from enforcer.model import Actor, ActorKind, Change, EndReason, Session, Snapshot
from enforcer.registry import Registry, new_session_id
from enforcer.settings import Settings
from enforcer.tickets import PAGE, Ticket, TicketOffice

log = logging.getLogger(__name__)

RETRY_MS = 1000
"""Milliseconds after which a page may ask again when the store did not answer."""


class Link:
    """A socket that speaks for a session. `joined` once its CONNECT has been answered."""

    __slots__ = ("ended", "held", "joined", "kick", "leaving", "renewal", "session", "socket", "ticket", "view")

    def __init__(self, socket: Socket, session: Session, ticket: Ticket | None) -> None:
        self.socket = socket
        self.session = session
        self.ticket = ticket
        self.joined = False
        self.held = False
        self.leaving = False
        self.ended: Session | None = None
        self.kick: Kick | None = None
        self.view: tuple[object, ...] = ()
        self.renewal: asyncio.TimerHandle | None = None


class Hub:
    """Joins sockets to sessions and tells them what was committed. One per process, on the event loop."""

    def __init__(self, registry: Registry, office: TicketOffice, settings: Settings) -> None:
        self._registry = registry
        self._office = office
        self._settings = settings
        self._by_session: dict[str, dict[Socket, Link]] = {}
        self._by_room: dict[str, set[str]] = {}
        self._by_ip: dict[str, int] = {}
        self._links: dict[Socket, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        registry.listen(self._changed)

    def configure(self, office: TicketOffice, settings: Settings) -> None:
        """New settings, for what happens from now on."""
        self._office = office
        self._settings = settings

    # ---- joining -------------------------------------------------------------------------------

    async def join(self, socket: Socket, auth: object) -> None:
        """A CONNECT with its `auth`: lets the socket in, or says why not. `joined` must follow once it is answered.

        Raises:
            Refusal: goes out as CONNECT_ERROR.
        """
        room, session, ticket = self._identify(auth)
        self._check_limits(socket, room)
        unread = Session(session, room, False, 0, 0.0, 0.0, 0.0, 0.0, None, None, None)
        link = self._add(socket, unread, ticket)
        try:
            await self._hold(link)
            if ticket is None:
                snapshot = await self._registry.join(room, session)
            else:
                snapshot = await self._registry.live(session, room)
            link.session = snapshot.session
            if link.ended is not None:  # a kick came while the truth was read
                raise SessionEnded(f"session {session!r} has ended", link.ended)
            if socket not in self._links:  # closed meanwhile
                raise Refusal("unavailable")
            self._registry.arrived(link.session)
        except SessionEnded as e:
            self._remove(socket)
            self._registry.refused(e.session)
            raise Refusal(e.code, protocol.force_logout_payload(e.session, self._settings.redirects)) from None
        except StoreUnavailable:
            self._remove(socket)
            raise Refusal("unavailable", {"retry_ms": RETRY_MS}) from None
        except Refused as e:
            self._remove(socket)
            raise Refusal(e.code) from None
        except BaseException:
            self._remove(socket)
            raise
        link.view = _view(snapshot)
        link.joined = True

    def welcome(self, socket: Socket) -> None:
        """The socket's CONNECT has been answered: it is told its session, or its end if that came in between."""
        link = self._links.get(socket)
        if link is None:
            return
        if link.ended is not None:
            self._kick(link, link.ended)
        else:
            self._spawn(self._tell(link, always=True))

    def left(self, socket: Socket) -> None:
        """The socket is closed, for whatever reason."""
        link = self._remove(socket)
        if link is not None and link.joined:
            self._registry.left(link.session)

    def close_all(self) -> None:
        """Forgets all sockets; the engines close them."""
        for task in self._tasks:
            task.cancel()
        for link in list(self._links.values()):
            self._remove(link.socket)

    def online(self, session: str) -> bool:
        """Whether a socket of the session is joined here."""
        return self._registry.online(session)

    def _identify(self, auth: object) -> tuple[str, str, Ticket | None]:
        """Room, session and ticket that a CONNECT speaks for."""
        members = auth if isinstance(auth, dict) else {}
        token = members.get("ticket")
        if token is not None:
            try:
                if not isinstance(token, str):
                    raise Refusal("ticket-invalid")
                ticket = self._office.check(token, PAGE, self._registry.now())
            except Refused as e:
                raise Refusal(e.code) from None
            return ticket.room, ticket.session, ticket
        if not self._settings.rules.open:
            raise Refusal("ticket-required")
        room, session = members.get("room"), members.get("session")
        if room is None:
            raise Refusal("room-required")
        if not protocol.valid_room(room) or not (session is None or protocol.valid_session(session)):
            raise Refusal("invalid-request")
        return room, session or new_session_id(), None

    def _check_limits(self, socket: Socket, room: str) -> None:
        s = self._settings
        here = sum(len(self._by_session[i]) for i in self._by_room.get(room, ()))
        by_ip = self._by_ip.get(socket.ip, 0)
        if (
            len(self._links) >= s.max_connections
            or here >= s.max_connections_per_room
            or (s.max_connections_per_ip is not None and by_ip >= s.max_connections_per_ip)
        ):
            raise Refusal("too-many-connections", {"retry_ms": 10 * RETRY_MS})

    def _add(self, socket: Socket, session: Session, ticket: Ticket | None) -> Link:
        link = Link(socket, session, ticket)
        self._links[socket] = link
        self._by_session.setdefault(session.id, {})[socket] = link
        self._by_room.setdefault(session.room, set()).add(session.id)
        self._by_ip[socket.ip] = self._by_ip.get(socket.ip, 0) + 1
        return link

    async def _hold(self, link: Link) -> None:
        """Other nodes' changes of the room are heard from here on, before the truth is read."""
        room = link.session.room
        await self._registry.hold(room)
        if link.socket not in self._links:  # closed meanwhile
            self._registry.release(room)
            raise Refusal("unavailable")
        link.held = True

    def _remove(self, socket: Socket) -> Link | None:
        """Takes a socket out of all indexes; costs no more than the socket's own rooms."""
        link = self._links.pop(socket, None)
        if link is None:
            return None
        if link.held:
            self._registry.release(link.session.room)
        if link.kick is not None:
            link.kick.stop()
        if link.renewal is not None:
            link.renewal.cancel()
        session, room = link.session.id, link.session.room
        sockets = self._by_session[session]
        del sockets[socket]
        if not sockets:
            del self._by_session[session]
            in_room = self._by_room[room]
            in_room.discard(session)
            if not in_room:
                del self._by_room[room]
        self._by_ip[socket.ip] -= 1
        if not self._by_ip[socket.ip]:
            del self._by_ip[socket.ip]
        return link

    # ---- what pages say ------------------------------------------------------------------------

    async def heard(self, socket: Socket, event: str, data: object) -> tuple[JSON, Callable[[], None] | None]:
        """An event from a page: the ack to send, and what to do after it was sent."""
        link = self._links.get(socket)
        if link is None or link.ended is not None:
            return _failed("session-ended"), None
        members = {} if data is None else data
        if not isinstance(members, dict):
            return _failed("invalid-request"), None
        try:
            match event:
                case protocol.EVENT_CHECK:
                    return self._payload(link, await self._registry.live(link.session.id)), None
                case protocol.EVENT_ACTIVITY:
                    return await self._activity(link, members)
                case protocol.EVENT_LOGOUT:
                    return await self._logout(link, members)
        except StoreUnavailable:
            return _failed("unavailable") | {"retry_ms": RETRY_MS}, None
        except Refused as e:
            return _failed(e.code), None
        return _failed("invalid-request"), None

    async def _activity(self, link: Link, members: JSON) -> tuple[JSON, None]:
        idle_for_ms = members.get("idle_for_ms", 0)
        if not isinstance(idle_for_ms, int) or isinstance(idle_for_ms, bool) or idle_for_ms < 0:
            return _failed("invalid-request"), None
        snapshot = await self._registry.activity(link.session.id, idle_for=min(idle_for_ms, 10**12) / 1000)
        for other in self._by_session.get(link.session.id, {}).values():
            if other is not link and other.joined and other.ended is None:
                other.socket.send(protocol.EVENT_SESSION, self._payload(other, snapshot))
        return self._payload(link, snapshot), None

    async def _logout(self, link: Link, members: JSON) -> tuple[JSON, Callable[[], None] | None]:
        everywhere = members.get("everywhere", False)
        if not isinstance(everywhere, bool):
            return _failed("invalid-request"), None
        if everywhere and link.ticket is None:
            return _failed("ticket-required"), None
        session = link.session
        by = Actor(ActorKind.PAGE, session.id, session.device)
        link.leaving = True  # this page asked for it: it gets its ack, not a kick
        try:
            if everywhere:
                await self._registry.end_all(session.room, EndReason.LOGOUT, by)
            else:
                await self._registry.end(session.id, EndReason.LOGOUT, by)
        except BaseException:
            link.leaving = False
            raise
        return {"ok": True}, link.socket.disconnect

    # ---- what pages are told -------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        """A change was committed: the ended sessions' sockets are told so, the others what is new for them."""
        held = self._by_room.get(change.room)
        if held is None:
            return
        ended = {s.id: s for s in change.sessions if s.ended}
        for session in list(held):
            for link in list(self._by_session[session].values()):
                if session in ended:
                    link.ended = ended[session]
                    if link.joined and not link.leaving:
                        self._kick(link, link.ended)
                elif link.joined and link.ended is None:
                    self._spawn(self._tell(link))

    def _kick(self, link: Link, ended: Session) -> None:
        if link.kick is None:
            payload = protocol.force_logout_payload(ended, self._settings.redirects)
            link.kick = Kick(
                link.socket,
                self._settings.event_name,
                payload,
                self._settings.ack_timeout,
                lambda: self._registry.acked(ended),
            )

    async def _tell(self, link: Link, always: bool = False) -> None:
        """Sends `session` if it says something new about the session."""
        try:
            snapshot = await self._registry.live(link.session.id)
        except (Refused, StoreUnavailable):
            return  # its end is on the way; without a store there is nothing to say
        if link.ended is None and (always or _view(snapshot) != link.view):
            link.view = _view(snapshot)
            link.session = snapshot.session
            link.socket.send(protocol.EVENT_SESSION, self._payload(link, snapshot))

    def _payload(self, link: Link, snapshot: Snapshot) -> JSON:
        """The `session` payload for one socket, with a fresh ticket if its own is half spent."""
        now = self._registry.now()
        fresh = None
        if link.ticket is not None:
            fresh = self._office.renewed(link.ticket, snapshot.session.absolute_at, now)
            if fresh is not None:
                link.ticket = self._office.check(fresh, PAGE, now)
            self._plan_renewal(link, now)
        return protocol.session_payload(snapshot, self._settings.warn_before, now, fresh)

    def _plan_renewal(self, link: Link, now: float) -> None:
        """A page that only listens gets its fresh ticket too, when the old one is half spent."""
        if link.ticket is None or link.ticket.expires_at is None or link.renewal is not None:
            return
        wait = self._office.half_spent_at(link.ticket) - now
        if wait <= 0:  # nothing fresher is to be had
            return

        def renew() -> None:
            link.renewal = None
            self._spawn(self._tell(link, always=True))

        link.renewal = asyncio.get_running_loop().call_later(wait + 1, renew)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("telling a page failed", exc_info=error)


def _view(snapshot: Snapshot) -> tuple[object, ...]:
    """What of a session makes news for its pages."""
    s = snapshot.session
    return s.claimed, snapshot.newest, s.epoch, s.absolute_at


def _failed(code: str) -> JSON:
    return {"ok": False, "code": code}
