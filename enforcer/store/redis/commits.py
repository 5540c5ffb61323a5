"""Commits of this process: decisions about a room, changes of records that are no decision, and forgetting.

`decide` runs here; a script commits its decision if the room is still what it was made on (`commit.lua`), else the
decision is made again. A commit whose reply was lost is looked for in the room itself, by its name. What this process
does to one room waits for each other first, so that nothing spoils the other's commits.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Change, Decision, RoomState, Session
from enforcer.store.base import Decide
from enforcer.store.queries import Claim
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.feed import Feed
from enforcer.store.redis.keys import Keys
from enforcer.store.redis.rooms import Outcome, Proposal, Rooms
from enforcer.store.redis.rows import Loaded
from enforcer.store.redis.subjects import RedisSubjects
from enforcer.store.redis.turns import Turns

T = TypeVar("T")

COMMIT_WITHIN = 6.0
"""Seconds until a commit is given up as unknown."""
UNKNOWN_AT_MOST = 3
UNKNOWN_WITHIN = 1.0
"""Times that Redis may fail us within one commit, and seconds after which it may not any more."""


class Commits:
    """Every method raises `StoreUnavailable`: whether it took effect is unknown."""

    def __init__(
        self,
        servers: Servers,
        keys: Keys,
        rooms: Rooms,
        feed: Feed,
        subjects: RedisSubjects,
        tell: Callable[[Change], None],
    ) -> None:
        """`tell` is called with each decision that changed records, in the order of the room's commits."""
        self._servers = servers
        self._keys = keys
        self._rooms = rooms
        self._feed = feed
        self._subjects = subjects
        self._tell = tell
        self._turns = Turns()

    async def decide(
        self,
        room: str,
        decide: Decide[T],
        sessions: Collection[str],
        request_id: str | None,
        claim: Claim | None = None,
    ) -> Decision[T]:
        """Commits what `decide` says about the room; see `Store.transact`."""
        async with self._turns.one(room):
            if claim is None or claim.session is None:
                decision = await self._decided(room, decide, list(sessions), request_id, claim)
            else:
                decision = await self._claimed(room, decide, list(sessions), request_id, claim, claim.session)
            if decision.changed:
                self._tell(Change(room, decision.changed))
            return decision

    async def _claimed(
        self, room: str, decide: Decide[T], asked: list[str], request_id: str | None, claim: Claim, session: str
    ) -> Decision[T]:
        """A decision about a login that signals can speak of; `RedisSubjects` says why it goes so."""
        before: list[Session | None] = [None]

        def watched(state: RoomState, now: float) -> Decision[T]:
            before[0] = next((s for s in state.sessions if s.id == session), None)
            return decide(state, now)

        entry = await self._subjects.enter(claim, room)
        decision = await self._decided(room, watched, asked, request_id, claim)
        made = next((s for s in decision.changed if s.id == session and not s.ended), None)
        if made is None:
            await self._subjects.leave(claim, entry)
        else:
            await self._subjects.stay(before[0], made, entry)
        return decision

    async def _decided(
        self, room: str, decide: Decide[T], asked: list[str], request_id: str | None, claim: Claim | None
    ) -> Decision[T]:
        tries = _Tries()
        proposal: Proposal | None = None
        while True:
            try:
                loaded, found = await self._loaded(room, asked, request_id)
                if proposal is not None and loaded.room.knows(proposal.then.version):
                    break  # its reply was lost
                state = loaded.state(found, asked)
                if claim is not None:  # behind the room: what is noted later finds it changed
                    state = state._replace(signalled=await self._subjects.signalled(claim.subjects))
                decision = decide(state, loaded.now)
                if decision.empty:
                    return decision
                fresh = [s.id for s in decision.changed if loaded.found(s.id) is None]
                if fresh and not self._servers.one_server and await self._taken(room, fresh, asked):
                    await tries.again()
                    continue
                at_once = fresh if self._servers.one_server else ()
                proposal = self._rooms.proposal(loaded, decision, told=decision.changed, fresh=at_once)
                outcome = await self._rooms.commit(proposal)
                if outcome is Outcome.DONE:
                    break
                proposal = None
                if outcome is Outcome.TAKEN:
                    await self._taken(room, fresh, asked)
                await tries.again()
            except StoreUnavailable as e:
                await tries.failed(e)
        self._committed(proposal)
        return decision

    async def _taken(self, room: str, fresh: list[str], asked: list[str]) -> bool:
        """Makes the room the home of new ids; whether others have some of them, which are asked for from then on."""
        taken = await self._rooms.reserve(room, fresh)
        asked += [i for i in taken if i not in asked]
        return bool(taken)

    async def _loaded(self, room: str, asked: list[str], request_id: str | None) -> tuple[Loaded, dict[str, Session]]:
        """The room, and the records of those ids that belong to other rooms."""
        if not asked:
            return await self._rooms.load(room, (), request_id), {}
        loaded, elsewhere = await self._rooms.load_with_homes(room, asked, request_id)
        others = await self._rooms.load_all([(home, [i]) for i, home in elsewhere.items()])
        return loaded, {i: s for i, o in zip(elsewhere, others, strict=True) if (s := o.found(i)) is not None}

    def _committed(self, proposal: Proposal) -> None:
        self._feed.committed(proposal)
        for session in proposal.decision.changed:
            self._rooms.at_home(session.id, session.room)

    async def change(self, rooms: dict[str, list[str]], change: Callable[[Session], Session]) -> None:
        """Changes these sessions of these rooms, which is news for nobody here."""
        async with self._turns.of(rooms):
            await self._change_in_turn(rooms, change)

    async def _change_in_turn(self, rooms: dict[str, list[str]], change: Callable[[Session], Session]) -> None:
        tries = _Tries()
        while True:
            proposals = [
                self._rooms.proposal(loaded, decision, told=_less_online(loaded, decision))
                for loaded in await self._rooms.load_all(list(rooms.items()))
                if not (decision := _changed(loaded, rooms[loaded.room.name], change)).empty
            ]
            done = await self._rooms.commit_all(proposals)
            for proposal, committed in zip(proposals, done, strict=True):
                if committed is Outcome.DONE:
                    self._feed.committed(proposal)
            overtaken = [p.before.name for p, how in zip(proposals, done, strict=True) if how is not Outcome.DONE]
            rooms = {name: rooms[name] for name in overtaken}
            if not rooms:
                return
            await tries.again()

    async def forget(self, room: str, sessions: list[str]) -> None:
        """Forgets sessions of the room that have ended. Answers to request ids go with their key's time to live."""
        tries = _Tries()
        async with self._turns.one(room):
            while True:
                loaded = await self._rooms.load(room, sessions)
                await self._subjects.forget(list(loaded.ended.values()))
                forgetting = self._rooms.proposal(loaded, Decision(None), forget=sessions)
                if await self._rooms.commit(forgetting) is Outcome.DONE:
                    break
                await tries.again()
        await self._servers.run(*(("DEL", self._keys.home(i)) for i in sessions))


class _Tries:
    """How often and how long one commit is tried."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lost = 0
        self._failed = 0

    async def again(self) -> None:
        """Somebody else was faster: waits a moment of random length, a little longer each time.

        Raises:
            StoreUnavailable: it has taken too long.
        """
        self._lost += 1
        if time.monotonic() - self._began > COMMIT_WITHIN:
            raise StoreUnavailable("too many processes decide about this room at once; nothing was changed")
        await asyncio.sleep(random.random() * 0.001 * min(self._lost, 20))  # noqa: S311 - spreads, hides nothing

    async def failed(self, error: StoreUnavailable) -> None:
        """Redis has failed us: what it did is found out by looking, unless it goes on failing.

        Raises:
            StoreUnavailable: `error`; the outcome is unknown.
        """
        self._failed += 1
        if self._failed >= UNKNOWN_AT_MOST or time.monotonic() - self._began > UNKNOWN_WITHIN:
            raise error
        await asyncio.sleep(0.02 * self._failed)


def _less_online(loaded: Loaded, decision: Decision[None]) -> tuple[Session, ...]:
    """Those whose last socket somewhere has left: a process that has another one of theirs must hear of it."""
    before = {s.id: s.online_until for s in loaded.room.live}
    return tuple(s for s in decision.changed if s.online_until < before.get(s.id, 0.0))


def _changed(loaded: Loaded, sessions: Sequence[str], change: Callable[[Session], Session]) -> Decision[None]:
    """What a change makes of these sessions of a room."""
    before = [s for i in sessions if (s := loaded.found(i)) is not None]
    after = [change(s) for s in before]
    return Decision(None, changed=tuple(a for a, b in zip(after, before, strict=True) if a != b))
