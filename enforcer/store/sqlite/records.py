"""What decisions and validations read: one record, one room, one answer, each by its key and as it is committed."""

from enforcer.domain.model import RememberedAnswer, RoomState, Session, Snapshot, in_order
from enforcer.store import rows
from enforcer.store.sqlite.logs import SESSION, SNAPSHOT, Read, snapshot_of

_ROOM = (
    f"SELECT r.epoch, r.waiting, {SESSION} FROM (SELECT ? AS room) q LEFT JOIN rooms r ON r.room = q.room "
    "LEFT JOIN sessions s ON s.room = q.room AND s.ended_at IS NULL"
)
_BY_ID = f"SELECT {rows.COLUMNS} FROM sessions WHERE id = ?"
_ANSWER = f"SELECT {rows.ANSWER_COLUMNS} FROM answers WHERE room = ? AND request_id = ?"


class SQLiteRecords:
    """Raises StoreUnavailable where the database cannot be read."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def snapshot(self, session: str) -> Snapshot | None:
        """A record, and which is the newest of its slot."""
        found = self._read(f"{SNAPSHOT} WHERE s.id = ?", session)
        return snapshot_of(found[0]) if found else None

    def room(self, room: str) -> RoomState:
        """A room with its live sessions."""
        found = self._read(_ROOM, room)
        epoch, waiting = found[0][:2]
        live = () if found[0][2] is None else in_order(rows.session_of(row[2:]) for row in found)
        return RoomState(room, epoch or 0, live, () if waiting is None else rows.waiting_of(waiting))

    def session(self, session: str) -> Session | None:
        """A record, live or ended."""
        found = self._read(_BY_ID, session)
        return rows.session_of(found[0]) if found else None

    def answer(self, room: str, request_id: str) -> RememberedAnswer | None:
        """What was answered to a request."""
        found = self._read(_ANSWER, room, request_id)
        return rows.answer_of(found[0]) if found else None
