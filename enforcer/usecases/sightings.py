"""What is noticed about sessions without a decision: their sockets, activity, calls, what pages confirm.

It is collected as marks, which are flushed in batches. Whoever reads a record lays over it what is not written yet.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from enforcer.domain.deadlines import (
    LOST_STEP,
    active_mark,
    left_mark,
    lost_deadline,
    lost_due,
    merged,
    online_mark,
    seen_mark,
)
from enforcer.domain.model import Change, Mark, Session
from enforcer.domain.rules import Rules
from enforcer.store.base import Store
from enforcer.usecases.presence import Presence
from enforcer.usecases.unwritten import Noticed

SEEN_EVERY = 20
"""Seconds between two notes that a session was seen, by its socket or by calls, at most; a third of `alive_window` if
that is less. Finer would only cost writes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is noticed in a room at one moment, by the ids of sessions. `here` have a socket, which no mark says.

    Kept apart from what goes on, because a decision may run in another thread.
    """

    marks: Mapping[str, Mark]
    here: Collection[str]
    alive_window: float

    def __bool__(self) -> bool:
        return bool(self.marks or self.here)

    def over(self, session: Session, now: float) -> Session:
        """The record with what is noticed of it."""
        return _laid_over(session, self.marks.get(session.id), session.id in self.here, now + self.alive_window, now)


class Sightings:
    """One per process. `tell` hears of an end that a call has found while the session still has a socket."""

    def __init__(self, store: Store, rules: Rules, tell: Callable[[Change], None]) -> None:
        self._store = store
        self._rules = rules
        self._tell = tell
        self._noticed = Noticed()
        self._seen_every = max(1, min(SEEN_EVERY, int(rules.alive_window / 3)))
        self.presence = Presence(self._seen_every)
        if store.shared is not None:
            store.listen(self._still_here)

    def configure(self, rules: Rules) -> None:
        """New rules, for what is noticed from now on."""
        self._rules = rules

    # ---- what is noticed -----------------------------------------------------------------------

    def arrived(self, session: Session) -> None:
        """A socket of the session is open in this process: it is alive until the last one has left."""
        here = self.presence.arrived(session)
        if here is None:
            return
        now = self._store.now()
        if not self._seen_just_now(session):
            mark = online_mark(session, now, self._rules)
            self._noticed.put(session.room, mark)
            session = merged(session, mark)
        here.lost_due = lost_due(session, now, self._rules)

    def _seen_just_now(self, session: Session) -> bool:
        """Whether its record says already what a socket would add: a page comes right after its login.

        Other nodes want to know more than that: whether it has a socket.
        """
        fresh = session.seen_until >= self._store.now() + self._rules.alive_window - self._seen_every
        return fresh and self._store.shared is None and session.id not in self._noticed.in_room(session.room)

    def left(self, session: str, *, ended: bool = False) -> None:
        """One socket of the session was closed. If it has `ended`, nobody asks any more whether it is alive."""
        last = self.presence.left(session)
        if last is not None and not ended:
            self._noticed.put(last.room, left_mark(session, last.claimed, self._store.now(), self._rules))

    def _still_here(self, change: Change) -> None:
        """Its last socket on another node has left, but not the one that is here: that is noted anew."""
        now = self._store.now()
        for session in change.sessions:
            if session.id in self.presence and not session.ended and session.online_until <= now:
                self._noticed.put(session.room, online_mark(session, now, self._rules))

    def acked(self, session: Session) -> None:
        """A page has confirmed that it knows of its end."""
        self._noticed.put(session.room, Mark(session.id, acked_at=self._store.now()))

    def refused(self, session: Session) -> None:
        """A page of an ended session came back and was turned away."""
        if session.refused_at is None and session.acked_at is None:
            self._noticed.put(session.room, Mark(session.id, refused_at=self._store.now()))

    def active(self, session: Session, idle_for: float) -> None:
        """A human was active in a live session, `idle_for` seconds ago."""
        now = self._store.now()
        self._noticed.put(session.room, active_mark(session, now - idle_for, now, self._rules))

    def called(self, session: Session) -> None:
        """A call about a session is a sign of life; about an ended one, its sockets may not know it yet."""
        if session.ended:
            if self.presence.ended(session.id):
                self._tell(Change(session.room, (session,), whole=False))  # no message told of it
            return
        now = self._store.now()
        if now - session.last_seen_at >= self._seen_every:
            self._noticed.put(session.room, seen_mark(session, now, self._rules))

    # ---- what is known of it -------------------------------------------------------------------

    def overlaid(self, session: Session) -> Session:
        """The record with what is not written of it: the marks, and that it has a socket here."""
        mark = self._noticed.in_room(session.room).get(session.id)
        here = self._store.shared is None and session.id in self.presence
        now = self._store.now()
        return _laid_over(session, mark, here, now + self._rules.alive_window, now)

    def in_room(self, room: str) -> Seen:
        """What is noticed in the room now."""
        here = () if self._store.shared is not None else tuple(self.presence.in_room(room))
        return Seen(dict(self._noticed.in_room(room)), here, self._rules.alive_window)

    def committed(self, room: str, seen: Seen, changed: Iterable[Session]) -> None:
        """Records that were changed with what was seen of them: that is written."""
        self._noticed.written([(room, seen.marks[s.id]) for s in changed if s.id in seen.marks])

    def online(self, session: str) -> bool:
        """Whether the session has a live socket in this process."""
        return session in self.presence

    def online_here(self) -> int:
        """How many sessions have a live socket in this process."""
        return len(self.presence)

    def online_anywhere(self, session: Session) -> bool:
        """Whether the session has a live socket, as far as this process knows of others'."""
        return self.online(session.id) or (self._store.shared is not None and session.online_until > self._store.now())

    # ---- once a second -------------------------------------------------------------------------

    async def flush(self) -> None:
        """Writes what was noticed since the last time; keeps it, in sight of our reads, while the store is away."""
        noticed = self._noticed.all()
        await self._store.mark([mark for _, mark in noticed])
        self._noticed.written(noticed)

    async def note_presence(self) -> None:
        """Once a second: that the sessions with a socket here are alive, those of one share of them.

        Nodes tell each other in the records. A process that is alone knows it anyway: it notes who is here in one
        piece, for its successor if it dies. The lost deadline moves in coarser steps, because it is indexed; it is
        exact again when the last socket leaves. A session whose process dies is given up too early by at most
        `LOST_STEP` of its time.
        """
        now = self._store.now()
        seen_until = now + self._rules.alive_window
        share, here = self.presence.next_share()
        for session, known in here.items():
            lost_at = None
            if now >= known.lost_due and (lost_at := lost_deadline(known.claimed, now, self._rules)) is not None:
                known.lost_due = now + (lost_at - now) * LOST_STEP
            if self._store.shared is not None or lost_at is not None:
                self._noticed.put(known.room, Mark(session, now, seen_until, lost_at, online_until=seen_until))
        if self._store.presence_log is not None:
            await self._store.presence_log.present(share, here, now)


def _laid_over(session: Session, mark: Mark | None, here: bool, alive_until: float, now: float) -> Session:
    """The record with its mark, and seen now if it has a socket here."""
    known = session if mark is None else merged(session, mark)
    if known.ended or not here:
        return known
    return known._replace(last_seen_at=max(known.last_seen_at, now), seen_until=max(known.seen_until, alive_until))
