"""What is asked of a store: which rows of its logs, and of whom a claim must be judged."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from enforcer.domain.model import AuditRow, EndReason, Session, Snapshot
from enforcer.store.cursors import Cursor

Row = TypeVar("Row")
Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Rows of the session log, oldest start first; with `newest` the other way round.

    `since` (included) and `until` (excluded) bound `started_at`; `after` is the (`started_at`, id) of the last row
    of the page before; `limit` is at least 1. `slot` is a slot's name, empty for the common one; `device` the label,
    class or id of a device, exactly. `rooms` is how the rooms of interest begin.
    """

    room: str | None = None
    open: bool | None = None
    reason: EndReason | None = None
    since: float | None = None
    until: float | None = None
    after: tuple[float, str] | None = None
    limit: int = 100
    slot: str | None = None
    device: str | None = None
    rooms: str = ""
    newest: bool = False

    def wants(self, session: Session) -> bool:
        """Whether a record is one of those that are asked for, wherever it stands in the log."""
        d = session.device
        return (
            session.claimed
            and (self.room is None or session.room == self.room)
            and session.room.startswith(self.rooms)
            and (self.open is None or session.ended is not self.open)
            and (self.reason is None or session.end_reason is self.reason)
            and (self.since is None or session.started_at >= self.since)
            and (self.until is None or session.started_at < self.until)
            and (self.slot is None or session.slot == (self.slot or None))
            and (self.device is None or (d is not None and self.device in (d.label, d.class_, d.id)))
        )


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Rows of the audit log, oldest first; with `newest` the other way round.

    `since` (included) and `until` (excluded) bound `at`; `after` is the `seq` of the last row of the page before.
    `rooms` is how the rooms of interest begin.
    """

    room: str | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None
    after: int = 0
    limit: int = 100
    rooms: str = ""
    newest: bool = False

    def wants(self, row: AuditRow) -> bool:
        """Whether a row is one of those that are asked for, wherever it stands in the log."""
        entry = row.entry
        return (
            (self.room is None or entry.room == self.room)
            and entry.room.startswith(self.rooms)
            and (self.session is None or entry.session == self.session)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


class Searched(NamedTuple, Generic[Row, Place]):
    """What a search has found in its time. If that was not enough, it goes on behind `place`, and has come to `at`
    (UTC seconds); if it is through, both are None."""

    rows: list[Row]
    place: Place | None = None
    at: float | None = None


FoundSessions = Searched[Snapshot, tuple[float, str]]
FoundAudit = Searched[AuditRow, int]


@dataclass(frozen=True, slots=True)
class AuditPart:
    """Some rows of the audit log, each with the cursor behind it, and the cursor behind them all.

    `more`: there may be others that were committed before this was asked for.
    """

    rows: tuple[tuple[AuditRow, Cursor], ...]
    cursor: Cursor
    more: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """By which subjects (`domain.signals`) the login that is decided about can be spoken of.

    `session` is the id that it would have, None if this is only a question; `new`: nobody else can have that id.
    """

    subjects: tuple[str, ...]
    session: str | None = None
    new: bool = False
