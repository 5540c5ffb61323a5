"""Between rooms and what is kept of them in Redis. Pure: what a commit writes is worked out here, the script obeys."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from enforcer.domain.deadlines import due_at
from enforcer.domain.model import (
    FOREVER,
    Change,
    Decision,
    RememberedAnswer,
    RoomState,
    Session,
    Snapshot,
    WaitingLogin,
    newest_epoch,
)
from enforcer.domain.policy import REMEMBER_FOR
from enforcer.store import rows
from enforcer.store.redis.keys import member

OPERATION_KEPT = 30.0
"""Seconds that a room remembers the name of a commit: longer than anybody tries to find out whether it took place."""
COLUMNS_BEFORE = 20
"""Values of a session that the version before knew."""
OPERATIONS_KEPT = 64
"""Names that a room remembers at most."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it is in Redis. `operations` are the names and times of its latest commits, the newest first."""

    name: str
    epoch: int = 0
    waiting: tuple[WaitingLogin, ...] = ()
    live: tuple[Session, ...] = ()
    operations: tuple[tuple[str, float], ...] = ()

    @property
    def version(self) -> str:
        """The name of the latest commit; empty before the first."""
        return self.operations[0][0] if self.operations else ""

    def snapshot(self, session: Session) -> Snapshot:
        """A session of the room as it was read with it."""
        return Snapshot(session, newest_epoch(self.live, session.slot))

    def knows(self, operation: str) -> bool:
        """Whether that commit took place, as long as it is remembered."""
        return any(name == operation for name, _ in self.operations)

    def session(self, id_: str) -> Session | None:
        """The live session of that id."""
        return next((s for s in self.live if s.id == id_), None)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one look at a room has found. `ended` has those of the ids that were asked for; `now` is UTC seconds."""

    room: Room
    now: float
    ended: dict[str, Session]
    answer: RememberedAnswer | None

    def found(self, id_: str) -> Session | None:
        """The record of one of the ids that were asked for, live or ended."""
        return self.room.session(id_) or self.ended.get(id_)

    def state(self, elsewhere: dict[str, Session], asked: Collection[str]) -> RoomState:
        """What `decide` is given; `elsewhere` are records of other rooms."""
        here = {i: s for i in asked if (s := self.found(i)) is not None}
        r = self.room
        return RoomState(r.name, r.epoch, r.live, r.waiting, {**elsewhere, **here}, self.answer)


def room_text(room: Room) -> bytes:
    live = [rows.session_row(s) for s in room.live]
    return orjson.dumps([room.operations, room.epoch, rows.waiting_text(room.waiting), live])


def room_of(name: str, text: bytes | None, beside: bytes | None = None) -> Room:
    """From the room's state, and what stands beside it (`beside_text`)."""
    if text is None:
        return Room(name)
    operations, epoch, waiting, live = orjson.loads(text)
    if beside is not None:
        more = orjson.loads(beside)
        live = [[*row, *more.get(row[0], ())] if len(row) == COLUMNS_BEFORE else row for row in live]
    return Room(
        name,
        epoch,
        rows.waiting_of(waiting),
        tuple(rows.session_of(row) for row in live),
        tuple((operation, at) for operation, at in operations),
    )


def beside_text(room: Room) -> str | None:
    """What a node of the version before drops from the room's state when it commits; None if there is nothing.

    It knows no more of a session than `COLUMNS_BEFORE` values. It stands beside the state, where such a node leaves it
    alone, so that in an upgrade sessions keep their slot whichever node writes.
    """
    rows_now = (rows.session_row(s) for s in room.live if s.slot is not None or s.exempt or rows.has_particulars(s))
    more = {row[0]: row[COLUMNS_BEFORE:] for row in rows_now}
    return orjson.dumps(more).decode() if more else None


def loaded_of(name: str, reply: Sequence[Any], now: float, asked: Sequence[str]) -> Loaded:
    """From the reply of the load script."""
    _, state, answer, ended, beside = reply
    records = {i: session_of(text) for i, text in zip(asked, ended, strict=True) if text}
    kept = None if answer is None else answer_of(answer)
    if kept is not None and now - kept.at >= REMEMBER_FOR:
        kept = None
    return Loaded(room_of(name, state, beside), now, records, kept)


def session_text(session: Session) -> bytes:
    return orjson.dumps(rows.session_row(session))


def session_of(text: bytes) -> Session:
    return rows.session_of(orjson.loads(text))


def answer_of(text: bytes) -> RememberedAnswer:
    return rows.answer_of(orjson.loads(text))


def message(before: str, then: str, origin: str, change: Change) -> bytes:
    """What a commit tells: between which commits of the room it lies, who made it, and the records it changed."""
    return orjson.dumps([before, then, origin, change.room, [rows.session_row(s) for s in change.sessions]])


@dataclass(frozen=True, slots=True)
class Message:
    """What a commit has told. `changed` are rows, for `Message.change`: often nobody wants to know."""

    before: str
    then: str
    origin: str
    room: str
    changed: Sequence[tuple[Any, ...]]

    def change(self, whole: bool) -> Change:
        """The records that it changed; `whole` as in `Change`."""
        return Change(self.room, tuple(rows.session_of(row) for row in self.changed), whole)


def message_of(text: bytes) -> Message:
    return Message(*orjson.loads(text))


def after(room: Room, decision: Decision[Any], operation: str, now: float) -> Room:
    """The room with a decision applied by the commit of that name."""
    remembered = [(o, at) for o, at in room.operations if at > now - OPERATION_KEPT][: OPERATIONS_KEPT - 1]
    then = decision.after(RoomState(room.name, room.epoch, room.live, room.waiting))
    return Room(room.name, then.epoch, then.waiting, then.sessions, ((operation, now), *remembered))


def rest(
    before: Room, then: Room, decision: Decision[Any], forget: Collection[str] = (), at: int | None = None
) -> bytes:
    """What a commit writes besides the room's state: indexes, records that have ended, and logs.

    `forget` are ids of ended sessions to remove; `at` (microseconds) numbers the rows of the logs
    instead of the server's clock.
    """
    name = before.name
    fresh = [s for s in decision.changed if _moved(before.session(s.id), s)]
    ended = [s for s in decision.changed if s.ended]
    due = min((due_at(s) for s in then.live), default=FOREVER)
    absolute = min((s.absolute_at for s in then.live if s.absolute_at is not None), default=FOREVER)
    parts: dict[str, Any] = {
        "due": None if due == FOREVER else repr(due),
        "absolute": None if absolute == FOREVER else repr(absolute),
        "started": [(repr(s.started_at), member(s.id, name)) for s in fresh],
        "log": [(repr(s.started_at), s.id) for s in fresh],
        "open": [(repr(s.started_at), member(s.id, name)) for s in fresh if not s.ended],
        "gone": [(repr(s.ended_at), member(s.id, name)) for s in ended],
        "closed": [member(s.id, name) for s in ended],
        "ended": [(s.id, session_text(s).decode()) for s in ended],
        "forget": [(i, member(i, name)) for i in forget],
        "audit": [orjson.dumps(rows.audit_row(then.version, e)).decode() for e in decision.audit],
        "at": None if at is None else str(at),
        "beside": beside_text(then),
        "drop": bool(forget) and not (then.live or then.waiting),
    }
    if decision.remember is not None:
        parts["answer"] = orjson.dumps(rows.answer_row(decision.remember)).decode()
        parts["answer_ms"] = str(int(REMEMBER_FOR * 1000) + 1000)
    return orjson.dumps({k: v for k, v in parts.items() if v})


def _moved(before: Session | None, session: Session) -> bool:
    """Whether the session is new in the indexes by start, or has another place in them."""
    if before is None:
        return True
    return before.started_at != session.started_at
