"""Which sessions have live sockets in this process. No I/O, no clock."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from enforcer.model import Session


@dataclass(slots=True)
class Here:
    """A session with live sockets."""

    room: str
    claimed: bool
    sockets: int = 1
    ended: bool = False
    """Whether somebody has noticed that the session is over."""
    lost_due: float = 0.0
    """When its lost deadline is to be moved again."""


class Presence(Collection[str]):
    """Counts the sockets of each session, and goes through the sessions in equal shares, one share a turn."""

    def __init__(self, shares: int) -> None:
        self._shares: list[dict[str, Here]] = [{} for _ in range(shares)]
        self._rooms: dict[str, set[str]] = {}
        self._turn = 0

    def __contains__(self, session: object) -> bool:
        return session in self._share_of(session)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._shares)

    def __len__(self) -> int:
        return sum(map(len, self._shares))

    def in_room(self, room: str) -> Collection[str]:
        """The sessions of the room that are here."""
        return self._rooms.get(room, ())

    def arrived(self, session: Session) -> Here | None:
        """One socket more; what is kept of the session if it is its first."""
        share = self._share_of(session.id)
        here = share.get(session.id)
        if here is not None:
            here.sockets += 1
            return None
        here = share[session.id] = Here(session.room, session.claimed)
        self._rooms.setdefault(session.room, set()).add(session.id)
        return here

    def left(self, session: str) -> Here | None:
        """One socket less; what was known of the session if that was its last."""
        share = self._share_of(session)
        here = share.get(session)
        if here is None:
            return None
        here.sockets -= 1
        if here.sockets:
            return None
        del share[session]
        others = self._rooms[here.room]
        others.discard(session)
        if not others:
            del self._rooms[here.room]
        return here

    def ended(self, session: str) -> bool:
        """Notes that the session is over; whether it has sockets here and this is the first time."""
        here = self._share_of(session).get(session)
        if here is None or here.ended:
            return False
        here.ended = True
        return True

    def next_share(self) -> tuple[int, Mapping[str, Here]]:
        """The number of the share whose turn it is, and the sessions in it."""
        turn, self._turn = self._turn, (self._turn + 1) % len(self._shares)
        return turn, self._shares[turn]

    def _share_of(self, session: object) -> dict[str, Here]:
        return self._shares[hash(session) % len(self._shares)]
