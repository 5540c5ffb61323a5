"""Snapshots that were read or committed lately, for a store that alone commits. Bounded; no I/O.

Logins are followed by their pages, and pages by calls about them, so most reads are of what has just been written. A
snapshot depends on all live sessions of its room: whoever commits to the room forgets them all.
"""

from collections.abc import Iterable, Sequence

from enforcer.domain.model import RoomState, Session, Snapshot, newest_epoch


class Recent:
    """Live sessions only: of the ended ones nobody knows which commit changes what is newest beside them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._snapshots: dict[str, Snapshot] = {}

    def get(self, session: str) -> Snapshot | None:
        """The snapshot, as it is in the store."""
        return self._snapshots.get(session)

    def read(self, snapshot: Snapshot) -> None:
        """Was read from what is committed."""
        if not snapshot.session.ended:
            self._put(snapshot)

    def committed(self, after: RoomState, changed: Sequence[Session]) -> None:
        """A decision was committed, and is the latest about its room: the room after it, and what it changed. What was
        known of the room is forgotten already."""
        for session in changed:
            if not session.ended:
                self._put(Snapshot(session, newest_epoch(after.sessions, session.slot)))

    def forget(self, sessions: Iterable[str]) -> None:
        """What is known of these is old."""
        for session in sessions:
            self._snapshots.pop(session, None)

    def clear(self) -> None:
        """Anything may have changed."""
        self._snapshots.clear()

    def _put(self, snapshot: Snapshot) -> None:
        if len(self._snapshots) >= self._most:
            del self._snapshots[next(iter(self._snapshots))]
        self._snapshots[snapshot.session.id] = snapshot
