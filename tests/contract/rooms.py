"""Decisions that a contract test puts into a store, without any policy."""

from typing import Any

from enforcer.domain.model import (
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    Decision,
    Device,
    EndReason,
    RoomState,
    Session,
)
from enforcer.store.base import Decide, Store
from tests.contract.conftest import START

DEVICE = Device("Chrome – “ü” 👩", "desktop", "d-1", "Mozilla/5.0", "2001:db8::1")


def session(id_: str, room: str = "alice", **fields: Any) -> Session:
    """A live claimed session without deadlines, but for `fields`."""
    plain = Session(id_, room, True, 1, START, START, START, START + 60, None, None, None)
    return plain._replace(**fields)


def ended(s: Session, at: float = START, reason: EndReason = EndReason.LOGOUT) -> Session:
    """The same session, over."""
    return s._replace(ended_at=at, end_reason=reason, ended_by=Actor(ActorKind.LOGIN, "winner", DEVICE, "shop"))


def started(s: Session) -> AuditEntry:
    """What the log says about a first claim."""
    return AuditEntry(s.started_at, AuditEvent.STARTED, s.room, s.id, None, s.epoch, None, s.device)


def deciding(decision: Decision[Any]) -> Decide[Any]:
    """A decision that does not look at the room."""
    return lambda state, now: decision


async def put(store: Store, *sessions: Session, **more: Any) -> None:
    """Commits these records, each with its audit row if it is live."""
    by_room: dict[str, list[Session]] = {}
    for s in sessions:
        by_room.setdefault(s.room, []).append(s)
    for room, records in by_room.items():
        audit = tuple(started(s) for s in records if not s.ended)
        await store.transact(room, deciding(Decision(None, changed=tuple(records), audit=audit, **more)))


async def look(store: Store, room: str, **wanted: Any) -> tuple[RoomState, float]:
    """The state and time that `decide` is given; nothing is committed."""
    seen: list[tuple[RoomState, float]] = []

    def decide(state: RoomState, now: float) -> Decision[None]:
        seen.append((state, now))
        return Decision(None)

    await store.transact(room, decide, **wanted)
    return seen[-1]
