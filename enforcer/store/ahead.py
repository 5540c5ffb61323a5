"""Rooms as decisions have left them that are not committed yet, for a store that decides ahead of its disk. No I/O.

Two transactions are under way at a time: one is being written, another is being made. Whoever decides next must see
what both contain; nobody else may, until it is committed.
"""

from dataclasses import dataclass, field
from typing import Any

from enforcer.model import Decision, RememberedAnswer, RoomState, Session


@dataclass(frozen=True, slots=True)
class _Part:
    """What one transaction leaves behind. `rooms` are without what was only asked for."""

    rooms: dict[str, RoomState] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    answers: dict[tuple[str, str], RememberedAnswer] = field(default_factory=dict)


class Ahead:
    """The newest word about what is on its way to the disk."""

    def __init__(self) -> None:
        self._written = _Part()
        self._made = _Part()

    def room(self, room: str) -> RoomState | None:
        """The room, if a decision about it is on its way."""
        return self._made.rooms.get(room) or self._written.rooms.get(room)

    def session(self, session: str) -> Session | None:
        """The record, live or ended, if a decision has changed it."""
        return self._made.sessions.get(session) or self._written.sessions.get(session)

    def answer(self, room: str, request_id: str) -> RememberedAnswer | None:
        """The answer to a request id, if it is on its way."""
        return self._made.answers.get((room, request_id)) or self._written.answers.get((room, request_id))

    def decided(self, before: RoomState, decision: Decision[Any]) -> RoomState:
        """A decision about the room as it was `before`, all that is ahead included; the room after it."""
        after = RoomState(
            before.room,
            before.epoch if decision.epoch is None else decision.epoch,
            decision.live_after(before.sessions),
            before.waiting if decision.waiting is None else decision.waiting,
        )
        made = self._made
        made.rooms[before.room] = after
        for session in decision.changed:
            made.sessions[session.id] = session
        if decision.remember is not None:
            made.answers[before.room, decision.remember.request_id] = decision.remember
        return after

    def handed_over(self) -> None:
        """The transaction that was made is being written from now on, and the next one is made."""
        self._written, self._made = self._made, _Part()

    def committed(self) -> None:
        """The one that was written is in the database."""
        self._written = _Part()

    def forget(self) -> None:
        """Nothing of it will be."""
        self._written, self._made = _Part(), _Part()
