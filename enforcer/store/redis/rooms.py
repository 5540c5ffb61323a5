"""One room, and the way from a session id to it: loads what is, and commits what follows if nobody was faster."""

import secrets
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from enforcer.domain.model import Change, Decision, Session
from enforcer.store.redis import rows
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.clock import RedisClock
from enforcer.store.redis.keys import Keys
from enforcer.store.redis.rows import Loaded, Room
from enforcer.store.redis.scripts import COMMIT, LOAD, Command

HOMES_KEPT = 50_000
"""Session ids whose room is remembered in the process: validating a session is one trip then instead of two."""
NOTHING: Decision[None] = Decision(None)


class Outcome(IntEnum):
    """What came of a commit; nothing was done unless it is `DONE`."""

    OVERTAKEN = 0
    """The room has changed since it was loaded."""
    DONE = 1
    TAKEN = 2
    """One of the new ids has its home in another room."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one commit wants. Its name is that of `then`; `told` are the records that others hear of.

    `fresh` are ids whose home it makes, too; only where one script reaches all keys (`Servers.one_server`).
    """

    before: Room
    then: Room
    decision: Decision[Any]
    forget: Collection[str] = ()
    told: tuple[Session, ...] = ()
    fresh: Collection[str] = ()


class Rooms:
    """Loads and commits. Every method raises `StoreUnavailable`; after a commit that means *unknown*."""

    def __init__(self, servers: Servers, keys: Keys, clock: RedisClock) -> None:
        self._servers = servers
        self._keys = keys
        self._clock = clock
        self._origin = secrets.token_urlsafe(6)
        self._made = 0
        self._homes: OrderedDict[str, str] = OrderedDict()

    @property
    def origin(self) -> str:
        """Which process a change comes from."""
        return self._origin

    # ---- loading -------------------------------------------------------------------------------

    async def load(self, room: str, asked: Sequence[str] = (), request_id: str | None = None) -> Loaded:
        """The room now; `asked` are ids of sessions of it that may have ended."""
        (loaded,) = await self.load_all([(room, asked)], request_id)
        return loaded

    async def load_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], request_id: str | None = None
    ) -> list[Loaded]:
        """Several rooms in one trip; each is of one moment, all together are not."""
        if not wanted:
            return []
        started = self._clock.started()
        replies = await self._servers.ask(*(self._loading(room, asked, request_id) for room, asked in wanted))
        return [self._loaded(w, reply, started) for w, reply in zip(wanted, replies, strict=True)]

    async def load_with_homes(
        self, room: str, asked: Sequence[str], request_id: str | None
    ) -> tuple[Loaded, dict[str, str]]:
        """The room, and for those ids that belong to another room by their home key: which; in one trip."""
        started = self._clock.started()
        reply, *homes = await self._servers.ask(
            self._loading(room, asked, request_id), *(("GET", self._keys.home(i)) for i in asked)
        )
        loaded = self._loaded((room, asked), reply, started)
        elsewhere = {i: home.decode() for i, home in zip(asked, homes, strict=True) if home is not None}
        return loaded, {i: home for i, home in elsewhere.items() if home != room and loaded.found(i) is None}

    async def find(self, session: str) -> Loaded | None:
        """The room of a session, with its record; None if the id is not known."""
        home = self._homes.get(session)
        if home is not None:
            loaded = await self.load(home, [session])
            if loaded.found(session) is not None:
                return loaded
            del self._homes[session]  # purged, or the data is lost: ask anew
        homes = await self.homes([session])
        if session not in homes:
            return None
        loaded = await self.load(homes[session], [session])
        return loaded if loaded.found(session) is not None else None

    async def homes(self, sessions: Collection[str]) -> dict[str, str]:
        """The rooms of these sessions; unknown ids are absent. A home may name a room that never had the session."""
        known = {i: self._homes[i] for i in sessions if i in self._homes}
        asked = [i for i in sessions if i not in known]
        if asked:
            replies = await self._servers.ask(*(("GET", self._keys.home(i)) for i in asked))
            for id_, reply in zip(asked, replies, strict=True):
                if reply is not None:
                    known[id_] = reply.decode()
                    self.at_home(id_, known[id_])
        return known

    def at_home(self, session: str, room: str) -> None:
        """Remembers where a session belongs."""
        self._homes[session] = room
        if len(self._homes) > HOMES_KEPT:
            self._homes.popitem(last=False)

    # ---- committing ----------------------------------------------------------------------------

    async def reserve(self, room: str, sessions: Collection[str]) -> list[str]:
        """Makes the room the home of new ids before they are committed; those that another room has already.

        A home whose commit never came is taken over: first the home is changed, then the room that had it is moved
        on by an empty commit, so that a late one of it fails there and finds its home gone; then it is looked at.
        """
        made = await self._servers.ask(*(("SETNX", self._keys.home(i), room) for i in sessions))
        known = [i for i, new in zip(sessions, made, strict=True) if not new]
        if not known:
            return []
        homes = await self._servers.ask(*(("GET", self._keys.home(i)) for i in known))
        taken = []
        for id_, home in zip(known, homes, strict=True):
            there = room if home is None else home.decode()
            if there != room and not await self._taken_over(id_, room, there):
                taken.append(id_)
        return taken

    async def _taken_over(self, session: str, room: str, home: str) -> bool:
        if (await self.load(home, [session])).found(session) is not None:
            return False
        await self._servers.run(("SET", self._keys.home(session), room))
        while True:
            there = await self.load(home, [session])
            if there.found(session) is not None:
                await self._servers.run(("SET", self._keys.home(session), home))
                return False
            if await self.commit(self.proposal(there, NOTHING)) is Outcome.DONE:
                return True

    def proposal(self, loaded: Loaded, decision: Decision[Any], **more: Any) -> Proposal:
        """A commit of this decision on what was loaded, with a new name; `more` are members of `Proposal`."""
        self._made += 1
        operation = f"{self._origin}{self._made:x}"
        return Proposal(loaded.room, rows.after(loaded.room, decision, operation, loaded.now), decision, **more)

    async def commit(self, proposal: Proposal) -> Outcome:
        """Commits, if the room is still what it was when it was loaded."""
        return (await self.commit_all([proposal]))[0]

    async def commit_all(self, proposals: Sequence[Proposal]) -> list[Outcome]:
        """Several commits in one trip, each by itself."""
        if not proposals:
            return []
        replies = await self._servers.run(*(self._committing(p) for p in proposals))
        return [Outcome(reply) for reply in replies]

    def _committing(self, p: Proposal) -> Command:
        k, room = self._keys, p.before.name
        remember = p.decision.remember
        keys = [
            *(k.of_room(room, name) for name in ("versions", "rooms", "ended", "due", "absolute", "started", "open")),
            k.of_room(room, "gone"),
            k.log(room),
            k.of_room(room, "audit"),
            k.trail(room),
            k.answer(room, "" if remember is None else remember.request_id),
            k.of_room(room, "stamp"),
            k.channel(room),
            k.of_room(room, "beside"),
            *(k.home(i) for i in p.fresh),
        ]
        told = Change(room, p.told)
        message = rows.message(p.before.version, p.then.version, self._origin, told)
        at = int(self._clock.now() * 1e6) if self._clock.given else None
        rest = rows.rest(p.before, p.then, p.decision, p.forget, at)
        return COMMIT.call(keys, [room, p.before.version, p.then.version, rows.room_text(p.then), message, rest])

    # ---- how -----------------------------------------------------------------------------------

    def _loading(self, room: str, asked: Sequence[str], request_id: str | None) -> Command:
        k = self._keys
        keys = [
            *(k.of_room(room, name) for name in ("rooms", "ended")),
            k.answer(room, request_id or ""),
            k.of_room(room, "beside"),
        ]
        return LOAD.call(keys, [room, *asked])

    def _loaded(self, wanted: tuple[str, Sequence[str]], reply: Sequence[Any], started: float) -> Loaded:
        return rows.loaded_of(wanted[0], reply, self._clock.heard(reply[0], started), wanted[1])


def by_room(homes: dict[str, str]) -> dict[str, list[str]]:
    """The sessions of each room."""
    rooms: dict[str, list[str]] = {}
    for session, room in homes.items():
        rooms.setdefault(room, []).append(session)
    return rooms


def parts(rooms: dict[str, list[str]], size: int) -> Iterator[dict[str, list[str]]]:
    """The same, so many rooms at a time."""
    names = list(rooms)
    for start in range(0, len(names), size):
        yield {name: rooms[name] for name in names[start : start + size]}
