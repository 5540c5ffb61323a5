"""The sockets of this process and the sessions they speak for.

A socket is registered first, then the truth is read, then it is let in or refused: so no kick falls between. Kicks go
by session id, never to "everyone in the room". Identity is the session; a socket is only a way to reach its page.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from enforcer import protocol
from enforcer.configuration.settings import Settings
from enforcer.domain.deadlines import warn_before
from enforcer.domain.errors import Refused, SessionEnded, SessionUnknown, StoreUnavailable
from enforcer.domain.model import Change, Session, Snapshot
from enforcer.gateway.doubts import Doubts
from enforcer.gateway.identity import REMEDIES, identify, why_not_end_others
from enforcer.gateway.kick import Kick
from enforcer.gateway.link import Link, view_of
from enforcer.gateway.socket import JSON, News, Refusal, Socket
from enforcer.gateway.spread import Spread
from enforcer.http.origins import block_of
from enforcer.http.rates import Rates
from enforcer.process.metrics import JOINED, Metrics
from enforcer.process.notices import Notices
from enforcer.tickets import PAGE, TicketOffice
from enforcer.usecases.pages import Pages
from enforcer.usecases.registry import Registry

log = logging.getLogger(__name__)

ECHO_EVERY = 1.0
"""Seconds between two news of activity for the other tabs of a session, at least."""
EVENTS = frozenset({protocol.EVENT_ACTIVITY, protocol.EVENT_CHECK, protocol.EVENT_LOGOUT})
NEW_PAGES, NEW_PAGES_RATE = 200, 20.0
"""Pages of one address that may join by a name for the first time: so many at once, then so many a second."""
FEW = 8
"""Sockets of a room about which the store is asked one by one."""
RETRY_MS = 1000
"""Milliseconds after which a page may ask again when the store did not answer."""


class Hub:
    """Joins sockets to sessions and tells them what was committed. One per process, on the event loop."""

    def __init__(
        self,
        registry: Registry,
        office: TicketOffice,
        settings: Settings,
        metrics: Metrics,
        pages: Pages,
        notices: Notices,
    ) -> None:
        self._registry = registry
        self._office = office
        self._settings = settings
        self._metrics = metrics
        self._pages = pages
        self._notices = notices
        self._newcomers = Rates(NEW_PAGES, NEW_PAGES_RATE)
        self._echo: Spread[Link] = Spread(ECHO_EVERY, self._echo_activity)
        self._rooms: dict[str, tuple[Link, ...]] = {}  # a room has few sockets, and a tuple is small
        self._by_block: dict[str, int] = {}
        self.joined = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._doubts: Doubts[Link] = Doubts(RETRY_MS / 1000, self._tell, self._spawn)
        registry.listen(self._changed)

    def joined_from(self, block: str) -> int:
        """How many of its sockets are of a block of addresses."""
        return self._by_block.get(block, 0)

    def listening(self) -> list[Link]:
        """The joined sockets of sessions that are live as far as is known here."""
        return [link for links in self._rooms.values() for link in links if link.joined and link.listens()]

    def configure(self, office: TicketOffice, settings: Settings) -> None:
        """New settings, for what happens from now on."""
        self._office = office
        self._settings = settings

    # ---- joining -------------------------------------------------------------------------------

    def arrive(self, socket: Socket, auth: object) -> Link:
        """A CONNECT with its `auth`: from now on no kick misses it. `join` and, once it is answered, `welcome` follow.

        Raises:
            Refusal: goes out as CONNECT_ERROR.
        """
        try:
            room, session, ticket = identify(auth, self._office, by_name=self._settings.join == "open")
            self._check_limits(socket, room)
        except Refusal as refusal:
            self._metrics.connects[refusal.code].inc()
            if refusal.code in REMEDIES:
                self._notices.warn(refusal.code, REMEDIES[refusal.code], address=socket.ip, origin=socket.origin)
            raise
        link = Link(socket, room, session, ticket)
        self._rooms[room] = (*self._rooms.get(room, ()), link)
        block = block_of(socket.ip)
        self._by_block[block] = self._by_block.get(block, 0) + 1
        self.joined += 1
        return link

    async def join(self, link: Link) -> Snapshot:
        """Reads the truth and lets the socket in, or says why not.

        Raises:
            Refusal: goes out as CONNECT_ERROR; the link is taken out again.
        """
        try:
            return await self._join(link)
        except Refusal as refusal:
            self._metrics.connects[refusal.code].inc()
            raise

    async def _join(self, link: Link) -> Snapshot:
        try:
            await self._hold(link)
            if link.by_ticket:
                snapshot = await self._registry.live(link.session, link.room)
            else:
                await self._check_newcomer(link)
                snapshot = await self._registry.join(link.room, link.session)
            if link.ended is not None:  # a kick came while the truth was read
                raise SessionEnded(f"session {link.session!r} has ended", link.ended)
            if link.gone:  # closed meanwhile
                raise Refusal("unavailable")
            if link.ticket is not None:  # only now: that the session has ended is the better answer
                link.ticket.judge_life(self._registry.now())
        except SessionEnded as e:
            self.left(link)
            self._registry.sightings.refused(e.session)
            raise Refusal(e.code, protocol.force_logout_payload(e.session, self._settings.redirects)) from None
        except StoreUnavailable:
            self.left(link)
            raise Refusal("unavailable", {"retry_ms": RETRY_MS}) from None
        except Refused as e:
            self.left(link)
            raise Refusal(e.code) from None
        except BaseException:
            self.left(link)
            raise
        link.session = snapshot.session.id  # the same object as in the registry: one text instead of two
        link.view = view_of(snapshot)
        return snapshot

    def welcome(self, link: Link, snapshot: Snapshot) -> None:
        """The socket's CONNECT has been answered: it is told its session, or its end if that came in between."""
        if link.gone:
            return
        link.joined = True
        self._metrics.connects[JOINED].inc()
        self._metrics.open_sockets.inc()
        self._registry.sightings.arrived(snapshot.session)
        if link.ended is not None:
            self._kick(link, self._news_of_end(link.ended))
        elif link.view is None:
            self._spawn(self._tell(link))
        else:
            link.socket.send(News(protocol.EVENT_SESSION, self._payload(link, snapshot)))

    def left(self, link: Link) -> None:
        """The socket is closed or out of the namespace, for whatever reason. Costs no more than its own room."""
        if link.gone:
            return
        link.close()
        self._doubts.forget(link)
        if link.held:
            self._registry.release(link.room)
        others = tuple(other for other in self._rooms[link.room] if other is not link)
        if others:
            self._rooms[link.room] = others
        else:
            del self._rooms[link.room]
        block = block_of(link.socket.ip)
        self._by_block[block] -= 1
        if not self._by_block[block]:
            del self._by_block[block]
        self.joined -= 1
        if link.joined:
            self._metrics.open_sockets.dec()
            self._registry.sightings.left(link.session, ended=link.ended is not None)

    def close(self) -> None:
        """Tells nobody anything any more; the engines close the sockets."""
        self._doubts.close()
        for task in self._tasks:
            task.cancel()

    async def _hold(self, link: Link) -> None:
        """Other nodes' changes of the room are heard from here on, before the truth is read."""
        await self._registry.hold(link.room)
        if link.gone:  # closed meanwhile
            self._registry.release(link.room)
            raise Refusal("unavailable")
        link.held = True

    def _check_limits(self, socket: Socket, room: str) -> None:
        s = self._settings
        here = len(self._rooms.get(room, ()))
        per_ip = s.max_connections_per_ip
        if (
            self.joined >= s.max_connections
            or here >= s.max_connections_per_room
            or (per_ip is not None and self.joined_from(block_of(socket.ip)) >= per_ip)
        ):
            raise Refusal("too-many-connections", {"retry_ms": 10 * RETRY_MS})

    async def _check_newcomer(self, link: Link) -> None:
        """With `join: "open"` anybody can make sessions, each of which is kept for a while: there is a rate."""
        if await self._registry.knows(link.session):
            return
        block, now = block_of(link.socket.ip), asyncio.get_running_loop().time()
        wait = self._newcomers.wait(block, now)
        if wait is not None:
            raise Refusal("too-many-connections", {"retry_ms": max(RETRY_MS, math.ceil(wait * 1000))})

    # ---- what pages say -----------------------------------------------------------------------------

    async def heard(self, link: Link, event: str, data: object) -> tuple[JSON, Callable[[], None] | None]:
        """An event from a page: the ack to send, and what to do after it was sent."""
        if not link.listens():
            return _failed("session-ended"), None
        wait = self._pages.wait(link.session, event if event in EVENTS else "")
        if wait is not None:
            return _failed("rate-limited") | {"retry_ms": math.ceil(wait * 1000)}, None
        members = {} if data is None else data
        if not isinstance(members, dict):
            return _failed("invalid-request"), None
        try:
            match event:
                case protocol.EVENT_CHECK:
                    return self._payload(link, await self._pages.check(link.session, link.room)), None
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
        snapshot = await self._pages.activity(link.session, link.room, idle_for_ms)
        self._echo.say(link.session, link)
        return self._payload(link, snapshot), None

    def _echo_activity(self, link: Link) -> None:
        """Its other tabs learn of the activity of the one that reported it last."""
        for other in self._rooms.get(link.room, ()):
            if other is not link and other.session == link.session and other.joined:
                self._spawn(self._tell(other, always=True))

    async def _logout(self, link: Link, members: JSON) -> tuple[JSON, Callable[[], None] | None]:
        everywhere = members.get("everywhere", False)
        if not isinstance(everywhere, bool):
            return _failed("invalid-request"), None
        session = (await self._pages.check(link.session, link.room)).session
        if everywhere:
            refusal = why_not_end_others(link, members.get("ticket"), self._office, self._registry.now())
            if refusal is not None:
                return _failed(refusal), None
        link.leaving = True  # this page asked for it: it gets its ack, not a kick
        try:
            await self._pages.log_out(session, everywhere)
        except BaseException:
            link.leaving = False
            if link.ended is not None:  # somebody else has ended it meanwhile
                self._kick(link, self._news_of_end(link.ended))
            raise
        return {"ok": True}, link.socket.disconnect

    # ---- what pages are told -------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        """The ended sessions' sockets are told so; of the others those for whom something may be new are looked at."""
        held = self._rooms.get(change.room)
        if held is None:
            return
        ends = {s.id: (s, self._news_of_end(s)) for s in change.sessions if s.ended}
        changed = {s.id for s in change.sessions}
        asking: list[Link] = []
        for link in held:
            if link.session in ends:
                self._over(link, *ends[link.session])
            elif link.ended is not None:
                continue
            elif not link.joined:
                link.view = None  # something is new, maybe for it: it is told with its welcome
            elif link.session in changed or link.view is None or change.may_concern(link.view.epoch, link.view.newest):
                asking.append(link)
        if len(asking) > FEW:
            self._spawn(self._tell_all(change.room, asking))
        else:
            for link in asking:
                self._spawn(self._tell(link))

    def _over(self, link: Link, ended: Session, news: News) -> None:
        """The session of this socket has ended."""
        link.ended = ended
        if link.joined and not link.leaving:
            self._kick(link, news)

    def _news_of_end(self, ended: Session) -> News:
        return News(self._settings.event_name, protocol.force_logout_payload(ended, self._settings.redirects))

    def _kick(self, link: Link, news: News) -> None:
        ended = link.ended
        if link.kick is None and ended is not None:
            link.kick = Kick(
                link.socket,
                news,
                self._settings.ack_timeout,
                lambda: self._acked(ended),
                self._metrics.kicks_unacked.inc,
            )

    def _acked(self, ended: Session) -> None:
        self._registry.sightings.acked(ended)
        if ended.ended_at is not None:
            self._metrics.kicked(max(0.0, self._registry.now() - ended.ended_at))

    async def _tell(self, link: Link, always: bool = False) -> None:
        """Sends `session` if it says something new about the session; its end, if that is what the store says.

        No message may have told of the end, so this is the one that must. A store that does not answer is asked again.
        """
        if not link.listens():
            return
        try:
            snapshot = await self._registry.live(link.session)
        except SessionEnded as e:
            if link.listens():
                self._over(link, e.session, self._news_of_end(e.session))
            return
        except SessionUnknown:  # the store has lost its data: the page comes back and is told so
            link.socket.cut()
            return
        except StoreUnavailable:
            if link.listens():
                self._doubts.about(link)
            return
        self._tell_news(link, snapshot, always)

    def _tell_news(self, link: Link, snapshot: Snapshot, always: bool = False) -> None:
        if link.listens() and (always or view_of(snapshot) != link.view):
            link.view = view_of(snapshot)
            link.socket.send(News(protocol.EVENT_SESSION, self._payload(link, snapshot)))

    async def _tell_all(self, room: str, links: list[Link]) -> None:
        """As `_tell` to each of them, with one look at their room: it may have a thousand sessions."""
        try:
            live = {snapshot.session.id: snapshot for snapshot in await self._registry.list_room(room)}
        except StoreUnavailable:
            for link in links:
                if link.listens():
                    self._doubts.about(link)
            return
        for link in links:
            if link.session in live:
                self._tell_news(link, live[link.session])
            else:  # it has ended
                self._spawn(self._tell(link))

    def _payload(self, link: Link, snapshot: Snapshot) -> JSON:
        """The `session` payload for one socket, with a fresh ticket if its own is half spent."""
        now = self._registry.now()
        fresh = None
        if link.ticket is not None:
            fresh = self._office.renewed(link.ticket, snapshot.session.absolute_at, now)
            if fresh is not None:
                link.ticket = self._office.check(fresh, PAGE)
            half_spent_at = self._office.half_spent_at(link.ticket)
            if half_spent_at == math.inf:
                link.ticket = None
            else:
                self._plan_renewal(link, half_spent_at - now)
        return protocol.session_payload(snapshot, warn_before(snapshot.session, self._registry.rules), now, fresh)

    def _plan_renewal(self, link: Link, wait: float) -> None:
        """A page that only listens gets its fresh ticket too, when the old one is half spent, in `wait` seconds."""
        if link.renewal is not None or wait <= 0:  # nothing fresher is to be had
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


def _failed(code: str) -> JSON:
    return {"ok": False, "code": code}
