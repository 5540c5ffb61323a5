"""A room while it is decided about: what a decision changes in it, consistent in itself. Pure."""

from typing import TypeVar

from enforcer.domain.deadlines import expiry
from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    Decision,
    Elsewhere,
    EndReason,
    RememberedAnswer,
    RoomState,
    Session,
)
from enforcer.domain.rules import Rules

T = TypeVar("T")

TIMER = Actor(ActorKind.TIMER)


class Draft:
    """A room being changed: keeps records, audit and epoch consistent with each other."""

    def __init__(self, state: RoomState, now: float) -> None:
        self.state = state
        self.now = now
        self.live = {s.id: s for s in state.sessions}
        self.epoch = state.epoch
        self.waiting = state.waiting
        self.changed: dict[str, Session] = {}
        self.audit: list[AuditEntry] = []
        self.elsewhere: Elsewhere | None = None

    def claimed(self) -> list[Session]:
        """The live claimed sessions, oldest claim first."""
        return sorted((s for s in self.live.values() if s.claimed), key=lambda s: s.epoch)

    def unclaimed(self) -> list[Session]:
        """The live sessions that no login has claimed, first joined first."""
        return sorted((s for s in self.live.values() if not s.claimed), key=lambda s: (s.started_at, s.id))

    def _newest(self) -> Session | None:
        """The latest login that is not exempt."""
        return max((s for s in self.live.values() if s.claimed and not s.exempt), key=lambda s: s.epoch, default=None)

    def find(self, session: str) -> Session | None:
        """The record as it stands now, if it is live here, was changed here or the store was asked for it."""
        return self.changed.get(session) or self.live.get(session) or self.state.found.get(session)

    def put(self, session: Session) -> None:
        self.live[session.id] = self.changed[session.id] = session

    def next_epoch(self) -> int:
        """The epoch of a claim made now: it grows strictly, and with the clock if it can."""
        return max(self.epoch + 1, int(self.now * 1e6))

    def claim(self, newest: Session, event: AuditEvent, by: Actor | None) -> None:
        """Puts a session that has the next epoch, which is the room's highest from now on."""
        self.epoch = newest.epoch
        self.put(newest)
        self._note(event, newest, None, by)

    def end(self, session: Session, reason: EndReason, by: Actor) -> Session:
        """Ends a live session: the record keeps who and why, and the audit row says the same.

        There is none of a page that came and went and that no login wanted: anybody can have such.
        """
        ended = session._replace(ended_at=self.now, end_reason=reason, ended_by=by)
        del self.live[session.id]
        self.changed[session.id] = ended
        if ended.passing:
            return ended
        self._note(AuditEvent.ENDED, session, reason, by)
        return ended

    def report(self, ended: Session, note: str | None, by: Actor) -> None:
        """Notes on an ended session that its user has reported it, with what the user has written."""
        self.changed[ended.id] = ended._replace(reported_at=self.now)
        self._note(AuditEvent.REPORTED, ended, None, by, note)

    def _note(
        self, event: AuditEvent, s: Session, reason: EndReason | None, by: Actor | None, note: str | None = None
    ) -> None:
        entry = AuditEntry(
            self.now, event, s.room, s.id, reason, s.epoch, by, s.device, s.slot, s.impersonated_by, note
        )
        self.audit.append(entry)

    def expire(self, rules: Rules) -> None:
        """Ends what time has ended: sessions past a deadline, unclaimed pages beside a login, waiting logins."""
        for s in list(self.live.values()):
            if reason := expiry(s, self.now, rules):
                self.end(s, reason, TIMER)
        overdue = [s for s in self.unclaimed() if s.window_at is not None and self.now >= s.window_at]
        newest = self._newest() if overdue else None
        for s in overdue:
            if newest is None and s.seen_until > self.now:  # it is looked at again when it has left
                self.put(s._replace(window_at=s.seen_until))
            elif newest is None:
                if not rules.grace:
                    self.end(s, EndReason.LOST, TIMER)
            else:
                self.end(s, EndReason.DISPLACED, Actor(ActorKind.LOGIN, newest.id, newest.device))
        self.waiting = tuple(w for w in self.waiting if self.now < w.at + rules.login_window)

    def decision(self, result: T, remember: RememberedAnswer | None = None) -> Decision[T]:
        return Decision(
            result,
            changed=tuple(self.changed.values()),
            epoch=None if self.epoch == self.state.epoch else self.epoch,
            waiting=None if self.waiting == self.state.waiting else self.waiting,
            audit=tuple(self.audit),
            remember=remember,
            elsewhere=self.elsewhere,
        )
