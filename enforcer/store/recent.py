"""Snapshots that were asked for or committed lately, for a store that alone commits. Bounded; no I/O.

Logins are followed by their pages, and pages by many questions about them. A snapshot depends on all live sessions of
its room: whoever commits to the room forgets them all.
"""

from collections.abc import Iterable, Sequence

from enforcer.domain.deadlines import merged
from enforcer.domain.model import Mark, RoomState, Session, Snapshot, newest_epoch

COMMITTED = 4096
"""Sessions that are kept because they were committed last: their pages will be here in a moment."""


class Recent:
    """Live sessions only: of the ended ones nobody knows which commit changes what is newest beside them."""

    def __init__(self, most: int) -> None:
        """`most` bounds the sessions that are kept because somebody asked for them."""
        self._most = most
        self._asked: dict[str, Snapshot] = {}
        self._committed: dict[str, Snapshot] = {}

    def get(self, session: str) -> Snapshot | None:
        """The snapshot, as it is in the store."""
        return self._asked.get(session) or self._committed.get(session)

    def asked(self, snapshot: Snapshot) -> None:
        """Was read from what is committed, for somebody who may soon ask again."""
        if not snapshot.session.ended:
            _put(self._asked, self._most, snapshot)

    def committed(self, after: RoomState, changed: Sequence[Session]) -> None:
        """A decision was committed, and is the latest about its room: the room after it, and what it changed. What was
        known of the room is forgotten already."""
        for session in changed:
            if not session.ended:
                _put(self._committed, COMMITTED, Snapshot(session, newest_epoch(after.sessions, session.slot)))

    def marked(self, marks: Iterable[Mark]) -> None:
        """These marks were merged into what is committed."""
        for mark in marks:
            for kept in (self._asked, self._committed):
                known = kept.get(mark.session)
                if known is not None:
                    kept[mark.session] = Snapshot(merged(known.session, mark), known.newest_epoch)

    def forget(self, sessions: Iterable[str]) -> None:
        """What is known of these is old."""
        for session in sessions:
            self._asked.pop(session, None)
            self._committed.pop(session, None)

    def clear(self) -> None:
        """Anything may have changed."""
        self._asked.clear()
        self._committed.clear()


def _put(kept: dict[str, Snapshot], most: int, snapshot: Snapshot) -> None:
    if len(kept) >= most and snapshot.session.id not in kept:
        del kept[next(iter(kept))]
    kept[snapshot.session.id] = snapshot
