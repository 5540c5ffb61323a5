"""What was noticed about sessions and is not written yet. No I/O, no clock."""

from collections.abc import Iterable, Mapping

from enforcer.domain.deadlines import joined_marks
from enforcer.domain.model import Mark

Entry = tuple[str, Mark]
"""A room and a mark of one of its sessions."""


class Noticed:
    """At most one mark a session, in which all that was noticed about it is joined."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, Mark]] = {}

    def put(self, room: str, mark: Mark) -> None:
        """Something more about a session of the room."""
        marks = self._rooms.setdefault(room, {})
        earlier = marks.get(mark.session)
        marks[mark.session] = mark if earlier is None else joined_marks(earlier, mark)

    def in_room(self, room: str) -> Mapping[str, Mark]:
        """The marks of the room by their sessions."""
        return self._rooms.get(room, {})

    def all(self) -> list[Entry]:
        """Everything, rooms together."""
        return [(room, mark) for room, marks in self._rooms.items() for mark in marks.values()]

    def written(self, entries: Iterable[Entry]) -> None:
        """These are committed: they are forgotten, but for those that more was joined to meanwhile."""
        for room, mark in entries:
            marks = self._rooms.get(room, {})
            if marks.get(mark.session) is mark:
                del marks[mark.session]
                if not marks:
                    del self._rooms[room]
