"""Rooms as decisions have left them that are not committed yet, for a store that decides ahead of its disk. No I/O.

Whoever decides next must see what is on its way to the disk; nobody else may, until it is committed.
"""

from collections import deque
from typing import Any, TypeVar

from enforcer.domain.model import Decision, RememberedAnswer, RoomState, Session

K = TypeVar("K")
V = TypeVar("V")


class Ahead:
    """What decisions have left, from the moment they are taken until they are committed."""

    def __init__(self) -> None:
        self.number = 0
        """Of the latest decision that has left anything."""
        # Each with the number of the latest decision about it.
        self._rooms: dict[str, tuple[int, RoomState]] = {}
        self._sessions: dict[str, tuple[int, Session]] = {}
        self._answers: dict[tuple[str, str], tuple[int, RememberedAnswer]] = {}
        self._order: deque[tuple[int, dict[Any, Any], Any]] = deque()

    def room(self, room: str) -> RoomState | None:
        """The room, if a decision about it is on its way; without what was only asked for."""
        return _left(self._rooms, room)

    def session(self, session: str) -> Session | None:
        """The record, live or ended, if a decision has changed it."""
        return _left(self._sessions, session)

    def answer(self, room: str, request_id: str) -> RememberedAnswer | None:
        """The answer to a request id, if it is on its way."""
        return _left(self._answers, (room, request_id))

    def decided(self, after: RoomState, decision: Decision[Any]) -> None:
        """A decision was taken, and this is the room after it."""
        self.number += 1
        self._leave(self._rooms, after.room, after)
        for session in decision.changed:
            self._leave(self._sessions, session.id, session)
        if decision.remember is not None:
            self._leave(self._answers, (after.room, decision.remember.request_id), decision.remember)

    def committed(self, number: int) -> None:
        """Decisions up to this one are in the database."""
        order = self._order
        while order and order[0][0] <= number:
            left, entries, key = order.popleft()
            if entries[key][0] == left:
                del entries[key]

    def forget(self) -> None:
        """Nothing that is on its way will be committed."""
        self.committed(self.number)

    def _leave(self, entries: dict[K, tuple[int, V]], key: K, what: V) -> None:
        entries[key] = self.number, what
        self._order.append((self.number, entries, key))


def _left(entries: dict[K, tuple[int, V]], key: K) -> V | None:
    found = entries.get(key)
    return None if found is None else found[1]
