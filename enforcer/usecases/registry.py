"""The use cases: login, validate, activity, logout, end, expire, list.

The only module that calls `transact`. Reads meet passed deadlines here: the expiry is committed first, then the answer
given. What is merely noticed of sessions (a live socket, activity, an ack) is in `sightings`; every read here sees it.

`within` is how the rooms begin that the caller sees: sessions of others are as unknown ones.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from enforcer.domain.admission import Login
from enforcer.domain.deadlines import (
    expiry,
)
from enforcer.domain.errors import Refused, SessionEnded, SessionUnknown, StoreUnavailable
from enforcer.domain.explaining import Explanation, explain_login
from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditRow,
    Change,
    Decision,
    Elsewhere,
    EndReason,
    LoginAnswer,
    RoomState,
    Session,
    Snapshot,
    newest_epoch,
)
from enforcer.domain.policy import (
    decide_end,
    decide_end_all,
    decide_end_some,
    decide_expire,
    decide_join,
    decide_login,
    decide_report,
)
from enforcer.domain.rules import Rules
from enforcer.domain.signals import Signal, claimed_subjects
from enforcer.store.base import Decide, Store
from enforcer.store.queries import AuditQuery, Claim, FoundAudit, FoundSessions, SessionQuery
from enforcer.usecases.outages import Outages
from enforcer.usecases.sightings import Sightings

T = TypeVar("T")
Committed = Callable[[str, Decision[Any], float], None]

log = logging.getLogger(__name__)

READ_AT_ONCE, END_AT_ONCE = 250, 25
"""Where everybody is logged out: sessions that are looked up at once, and rooms that a login may have to wait for."""
EXPIRE_BATCH = 500
"""Due sessions looked at in one round of expiry."""


def new_session_id() -> str:
    """An id for a login that brings none: 128 random bits, base64url."""
    return secrets.token_urlsafe(16)


class Registry:
    """What may be asked of the sessions. One per process."""

    def __init__(
        self, store: Store, rules: Rules, elapsed: Callable[[], float], committed: Sequence[Committed] = ()
    ) -> None:
        """`elapsed` counts seconds and cannot be set, unlike the store's clock.

        `committed` are called with the room and each decision that this process has committed, and the seconds it took.
        """
        self._store = store
        self._committed = committed
        self._rules = rules
        self._graceful = replace(rules, grace=True)
        self._elapsed = elapsed
        self._listeners: list[Callable[[Change], None]] = []
        store.listen(self._tell)
        self.sightings = Sightings(store, rules, self._tell)
        self._outages = Outages(store, elapsed, self.sightings.presence)

    @property
    def rules(self) -> Rules:
        """The rules in force now: with grace after a start and an outage, and while the clock is not to be trusted."""
        return self._graceful if self._outages.grace else self._rules

    def now(self) -> float:
        """UTC seconds by the store's clock."""
        return self._store.now()

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls `listener` on the event loop with each committed change, and with what may be one.

        That is an end that a read here has found while the session still has a socket, because no message told of it;
        and a room without sessions where a commit may have been lost: the listener must read it.
        """
        self._listeners.append(listener)

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)

    async def hold(self, room: str) -> None:
        """Whoever has a socket of the room holds it: then the listeners hear of its changes, whichever node made them.

        Before the room is read; each call wants its `release`.
        """
        if self._store.shared is not None:
            await self._store.shared.hold(room)

    def release(self, room: str) -> None:
        """One socket of the room less."""
        if self._store.shared is not None:
            self._store.shared.release(room)

    async def ping(self) -> None:
        """Returns if a login would be taken now; raises `StoreUnavailable` otherwise."""
        await self._store.ping()

    def configure(self, rules: Rules) -> None:
        """New rules, from the next decision on. Deadlines that are set stay until the next login or activity."""
        self._rules = rules
        self._graceful = replace(rules, grace=True)
        self.sightings.configure(rules)

    # ---- the passing of time -------------------------------------------------------------------

    async def resume(self, grace: float) -> None:
        """After the store was opened; see `Outages.resume`."""
        if self._store.presence_log is not None:
            await self._store.presence_log.take_presence(self._rules.alive_window)
        await self._outages.resume(grace)

    async def tick(self) -> None:
        """Once a second; see `Outages.tick`."""
        await self._outages.tick()

    # ---- app servers ---------------------------------------------------------------------------

    async def login(self, room: str, login: Login, within: str = "") -> LoginAnswer:
        """A user has logged in: claims the room for the session.

        What it replaces in another room ends right after. If that fails (`StoreUnavailable`), or the process dies in
        between, a repeat of the request id finishes it.

        Raises:
            SessionEnded: the id has ended; a new login needs a new id.
            SessionConflict: the id belongs to another room.
            SessionLimit: policy `reject`, and enough others are alive.
            SignedOut: a signal of the identity provider has overtaken it.
            RequestIdReused: the request id came with another body.
        """
        if within:
            login = await self._replacing_own(room, login, within)
        if here := self.sightings.presence.in_room(room):
            login = replace(login, alive=frozenset(here))
        outcome = await self._transact(
            room,
            lambda state, now: decide_login(state, login, self.rules, now),
            sessions=() if login.session is None else (login.session,),
            request_id=login.request_id,
            claim=_claim_of(room, login),
        )
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def explain(self, room: str, login: Login, within: str = "") -> Explanation:
        """What `login` would do with this login now, and why. Nothing is changed, not even what is due by time."""
        if within:
            login = await self._replacing_own(room, login, within)
        alive = frozenset(self.sightings.presence.in_room(room))
        login = replace(login, alive=alive)

        def decide(state: RoomState, now: float) -> Decision[Explanation]:
            found = {i: self.sightings.overlaid(s) for i, s in state.found.items()}
            return Decision(explain_login(state._replace(found=found), login, self.rules, now))

        return await self._transact(
            room,
            decide,
            sessions=[i for i in (login.session, login.replaces) if i is not None],
            claim=_claim_of(room, login, asked=True),
        )

    async def _replacing_own(self, room: str, login: Login, within: str) -> Login:
        """The login without what it would replace, unless that is a session which the caller sees.

        It is so for good: an id belongs to one room as long as it is known, and one that nobody knows has no page yet.
        """
        if login.replaces is None:
            return login
        found = await self._store.get(login.replaces)
        if found is not None and found.session.room.startswith(within):
            return login
        _not_replaced(room, login.replaces)
        return replace(login, replaces=None)

    async def get(self, session: str, room: str | None = None, within: str = "") -> Snapshot:
        """The session as it stands now, live or ended; counts as a sign of life, never as activity.

        Raises:
            SessionUnknown: there is no such session, or it belongs to another room than `room`.
        """
        snapshot = await self._current(session, room, within)
        self.sightings.called(snapshot.session)
        return snapshot

    def at_hand(self, session: str, within: str = "") -> tuple[Snapshot, Session] | None:
        """A live session as it is written, and as `get` would return it, if that can be said without waiting.

        None says nothing. The two differ in what moves without a decision; see `protocol.moving`.
        """
        written = self._store.at_hand(session)
        if written is None or written.session.ended or not written.session.room.startswith(within):
            return None
        current = self.sightings.overlaid(written.session)
        if _over(current, self._store.now(), self.rules):
            return None
        self.sightings.called(current)
        return written, current

    async def live(self, session: str, room: str | None = None, within: str = "") -> Snapshot:
        """As `get`, but only a live session will do.

        Raises:
            SessionUnknown: as `get`.
            SessionEnded: it has ended.
        """
        snapshot = await self.get(session, room, within)
        if snapshot.session.ended:
            ended = snapshot.session
            raise SessionEnded(f"session {session!r} has ended ({ended.end_reason})", ended)
        return snapshot

    async def list_room(self, room: str) -> list[Snapshot]:
        """The live sessions of a room, newest claim first, unclaimed pages last."""
        state = await self._store.room(room)
        now, rules = self._store.now(), self.rules
        sessions = [self.sightings.overlaid(s) for s in state.sessions]
        if any(_over(s, now, rules) for s in sessions):
            await self._transact(room, lambda state, now: decide_expire(state, self.rules, now))
            sessions = [self.sightings.overlaid(s) for s in (await self._store.room(room)).sessions]
        newest = {slot: newest_epoch(sessions, slot) for slot in {s.slot for s in sessions}}
        return [Snapshot(s, newest[s.slot]) for s in reversed(sessions)]

    async def activity(
        self, session: str, room: str | None = None, idle_for: float = 0.0, within: str = ""
    ) -> Snapshot:
        """A human was active `idle_for` seconds ago: moves the idle deadline. Raises as `live`."""
        snapshot = await self.live(session, room, within)
        self.sightings.active(snapshot.session, idle_for)
        return snapshot._replace(session=self.sightings.overlaid(snapshot.session))

    async def end(
        self, session: str, reason: EndReason, by: Actor, room: str | None = None, within: str = ""
    ) -> Session:
        """Ends a session; the record, ended now or before.

        Raises:
            SessionUnknown: as `get`.
        """
        known = (await self._current(session, room, within)).session
        if known.ended:
            return known
        where = known.room
        ended = await self._transact(
            where,
            lambda state, now: decide_end(state, session, reason, by, self.rules, now),
            sessions=(session,),
        )
        if ended is None:  # purged between the two steps
            raise SessionUnknown(f"session {session!r} is not known")
        return ended

    async def end_all(self, room: str, reason: EndReason, by: Actor, keep: str | None = None) -> tuple[str, ...]:
        """Log out everywhere: ends every live session of the room but `keep`; their ids."""
        return await self._transact(room, lambda state, now: decide_end_all(state, keep, reason, by, self.rules, now))

    async def end_others(self, session: Session) -> tuple[str, ...]:
        """A page ends the other sessions of its room, exempt ones excepted; their ids."""
        by = Actor(ActorKind.PAGE, session.id, session.device)

        def another(s: Session) -> bool:
            return s.id != session.id and not s.exempt

        return await self._transact(
            session.room,
            lambda state, now: decide_end_some(state, another, EndReason.LOGOUT, by, self.rules, now),
        )

    async def end_everybody(
        self, reason: EndReason, by: Actor, before: float | None = None, slot: str | None = None, within: str = ""
    ) -> int:
        """Ends every live session that started before `before` (default: by now), of all slots or of one (empty: the
        common one); how many. It goes a few rooms at a time, so that logins get their turn."""
        until = math.nextafter(self.now(), math.inf) if before is None else before
        query = SessionQuery(open=True, until=until, slot=slot, limit=READ_AT_ONCE, rooms=within)
        count = 0
        while True:
            found = [snapshot.session for snapshot in await self._store.logs.sessions(query)]
            rooms = list(dict.fromkeys(s.room for s in found))
            for first in range(0, len(rooms), END_AT_ONCE):
                portion = rooms[first : first + END_AT_ONCE]
                ended = await asyncio.gather(*(self._end_older(room, query, reason, by) for room in portion))
                count += sum(map(len, ended))
            if len(found) < READ_AT_ONCE:
                return count
            query = replace(query, after=(found[-1].started_at, found[-1].id))

    async def _end_older(self, room: str, query: SessionQuery, reason: EndReason, by: Actor) -> tuple[str, ...]:
        return await self._transact(
            room, lambda state, now: decide_end_some(state, query.wants, reason, by, self.rules, now)
        )

    async def has_had(self, room: str) -> bool:
        """Whether anybody is known to have logged in to the room."""
        return (await self._store.room(room)).epoch > 0

    async def end_signalled(self, room: str, signal: Signal, *, passing: bool) -> tuple[str, ...]:
        """Ends the live sessions of the room of which the signal speaks; their ids.

        With `passing` the room is moved on where processes share the store, even if nobody ends: a login that has not
        seen the signal and is about to be committed begins anew (`Subjects.note`).
        """
        by = Actor(ActorKind.SIGNAL, name=signal.name)
        moves = passing and self._store.shared is not None

        def decide(state: RoomState, now: float) -> Decision[tuple[str, ...]]:
            decision = decide_end_some(state, signal.means, signal.reason, by, self.rules, now)
            return decision._replace(epoch=state.epoch) if moves and decision.empty else decision

        return await self._transact(room, decide)

    async def report(self, session: str, room: str, note: str | None) -> Session:
        """The user of an ended session says "it wasn't me"; a second report changes nothing. Its record.

        Raises:
            SessionUnknown: as `get`.
            SessionLive: it has not ended.
            TooLate: it ended longer ago than `REPORT_WITHIN`.
        """
        outcome = await self._transact(
            room, lambda state, now: decide_report(state, session, note, self.rules, now), sessions=(session,)
        )
        if outcome is None:
            raise SessionUnknown(f"session {session!r} is not known in room {room!r}")
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        """Rows of the session log."""
        return (await self.search_sessions(query, math.inf)).rows

    async def search_sessions(self, query: SessionQuery, seconds: float) -> FoundSessions:
        """Rows of the session log that can be found in about so many seconds."""
        found = await self._store.logs.search_sessions(query, seconds)
        overlaid = self.sightings.overlaid
        return found._replace(rows=[s._replace(session=overlaid(s.session)) for s in found.rows])

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        """Rows of the audit log."""
        return await self._store.logs.audit(query)

    async def search_audit(self, query: AuditQuery, seconds: float) -> FoundAudit:
        """Rows of the audit log, likewise."""
        return await self._store.logs.search_audit(query, seconds)

    # ---- pages ---------------------------------------------------------------------------------

    async def join(self, room: str, session: str) -> Snapshot:
        """A page joins a room by its name (`join: "open"`).

        Raises:
            SessionEnded: its session has ended.
            SessionConflict: the id belongs to another room.
            TooManyConnections: the room has too many unclaimed pages.
        """
        alive = frozenset(self.sightings.presence.in_room(room))
        outcome = await self._transact(
            room, lambda state, now: decide_join(state, session, self.rules, now, alive), sessions=(session,)
        )
        if isinstance(outcome, Refused):
            raise outcome
        return await self.live(session, room)

    # ---- background ----------------------------------------------------------------------------

    async def expire(self) -> int:
        """Ends sessions whose time is over, a bounded number of rooms at once; how many rooms were looked at."""
        rooms = await self._store.upkeep.due(self._store.now(), EXPIRE_BATCH, absolute_only=self.rules.grace)
        await asyncio.gather(
            *(self._transact(room, lambda state, now: decide_expire(state, self.rules, now)) for room in rooms)
        )
        return len(rooms)

    async def purge(self, retention: float, limit: int = 1000) -> int:
        """Forgets a bounded number of sessions that ended longer than `retention` seconds ago; how many."""
        return await self._store.upkeep.purge(self._store.now() - retention, limit)

    # ---- how -----------------------------------------------------------------------------------

    async def _transact(
        self,
        room: str,
        decide: Decide[T],
        *,
        sessions: Collection[str] = (),
        request_id: str | None = None,
        claim: Claim | None = None,
    ) -> T:
        """Decides on the room as it is, what was noticed included.

        What was noticed about records that the decision changes is committed with them, the rest with the next flush.
        """
        try:
            return await self._transact_with_marks(room, decide, sessions, request_id, claim)
        except StoreUnavailable:  # it may be committed all the same
            if self.sightings.presence.in_room(room):
                self._tell(Change(room, (), whole=False))
            raise

    async def _transact_with_marks(
        self,
        room: str,
        decide: Decide[T],
        sessions: Collection[str],
        request_id: str | None,
        claim: Claim | None,
    ) -> T:
        seen = self.sightings.in_room(room)

        def overlaid(state: RoomState, now: float) -> Decision[T]:
            return decide(state._replace(sessions=tuple(seen.over(s, now) for s in state.sessions)), now)

        began = self._elapsed()
        decision = await self._store.transact(
            room, overlaid if seen else decide, sessions=sessions, request_id=request_id, claim=claim
        )
        if not decision.empty:
            self.sightings.committed(room, seen, decision.changed)
            for committed in self._committed:
                committed(room, decision, self._elapsed() - began)
        if decision.elsewhere is not None:
            await self._end_elsewhere(room, decision.elsewhere)
        if passing := [s.id for s in decision.changed if s.passing]:
            await self._store.upkeep.forget(room, passing)
        return decision.result

    async def _end_elsewhere(self, room: str, elsewhere: Elsewhere) -> None:
        """A login of this room has replaced a session that is not live in it: if it is another room's, it ends there.

        The claim is committed by now, so whoever is stopped here must be able to come back: `decide_login` says the
        same to a repeat of the request id.
        """
        try:
            replaced = (await self._current(elsewhere.session, None)).session
            if replaced.room != room:
                await self.end(replaced.id, EndReason.REPLACED, elsewhere.by)
        except SessionUnknown:
            _not_replaced(room, elsewhere.session)

    async def look(self, session: str, within: str = "") -> Snapshot:
        """As `get`, but a look is no sign of life."""
        return await self._current(session, None, within)

    async def has_history(self, room: str) -> bool:
        """Whether the session log has any session of the room."""
        return bool(await self._store.logs.sessions(SessionQuery(room=room, limit=1)))

    async def remember(self, name: str, seconds: float) -> None:
        """Keeps a name for so long, for all processes."""
        await self._store.subjects.use(name, seconds)

    async def remembered(self, name: str) -> bool:
        """Whether the name is kept now."""
        return await self._store.subjects.used(name)

    async def peek(self, session: str, room: str) -> Snapshot | None:
        """The session as it is written and noticed, for those who tell others of it: no sign of life, no expiry."""
        try:
            return await self._known(session, room, "")
        except SessionUnknown:
            return None

    async def knows(self, session: str) -> bool:
        """Whether there is such a session, live or ended."""
        return await self._store.get(session) is not None

    async def _current(self, session: str, room: str | None, within: str = "") -> Snapshot:
        """The record with what was noticed; if its time is over, the expiry is committed first."""
        snapshot = await self._known(session, room, within)
        if _over(snapshot.session, self._store.now(), self.rules):
            await self._transact(snapshot.session.room, lambda state, now: decide_expire(state, self.rules, now))
            snapshot = await self._known(session, room, within)
        return snapshot

    async def _known(self, session: str, room: str | None, within: str) -> Snapshot:
        snapshot = await self._store.get(session)
        if (
            snapshot is None
            or room not in (None, snapshot.session.room)
            or not snapshot.session.room.startswith(within)
        ):
            raise SessionUnknown(f"session {session!r} is not known" + ("" if room is None else f" in room {room!r}"))
        overlaid = self.sightings.overlaid(snapshot.session)
        return snapshot if overlaid is snapshot.session else snapshot._replace(session=overlaid)


def _over(session: Session, now: float, rules: Rules) -> bool:
    """Whether time alone has ended the live session, or may have (an unclaimed page past its window)."""
    if session.ended:
        return False
    return expiry(session, now, rules) is not None or (session.window_at is not None and now >= session.window_at)


def _claim_of(room: str, login: Login, *, asked: bool = False) -> Claim | None:
    """By whom signals can speak of a login, if it says; `asked`: nothing comes of it."""
    subjects = claimed_subjects(room, login.terms)
    if not subjects:
        return None
    return Claim(subjects, None if asked else login.session or login.new_id, new=login.session is None)


def _not_replaced(room: str, session: str) -> None:
    log.info("a login replaces a session that is not known", extra={"room": room, "session": session})


def by_app(reason: EndReason, key: str | None = None) -> Actor:
    """The app server, or an administrator through it, ended a session; `key` names its key, if that has a name."""
    return Actor(ActorKind.ADMIN if reason is EndReason.ADMIN else ActorKind.APP, key=key)
