"""`redis://…` and its kin: the truth for any number of processes and machines.

`decide` runs here; a script commits its decision if the room is still what it was made on (`redis_commit.lua`), else
the decision is made again. A commit whose reply was lost is looked for in the room itself, by its name. Decisions
that this process takes about one room wait for each other first, so that they do not spoil each other's commits.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from enforcer.domain.deadlines import merged as with_mark
from enforcer.domain.deadlines import postponed
from enforcer.domain.errors import StartError, StoreUnavailable
from enforcer.domain.model import AuditRow, Change, Decision, Mark, RoomState, Session, Snapshot
from enforcer.store.base import AuditQuery, Decide, SessionQuery
from enforcer.store.redis.address import RedisAddress
from enforcer.store.redis.client.link import Link
from enforcer.store.redis.clock import RedisClock
from enforcer.store.redis.feed import Feed
from enforcer.store.redis.keys import BUCKETS, Keys
from enforcer.store.redis.logs import Logs
from enforcer.store.redis.rooms import Outcome, Proposal, Rooms
from enforcer.store.redis.rows import Loaded
from enforcer.store.redis.scripts import BEAT
from enforcer.store.redis.turns import Turns

T = TypeVar("T")

SCHEMA = 1
"""Of the keys. A store that was written by a newer one is refused."""
COMMIT_WITHIN = 6.0
"""Seconds until a commit is given up as unknown."""
UNKNOWN_AT_MOST = 3
UNKNOWN_WITHIN = 1.0
"""Times that Redis may fail us within one commit, and seconds after which it may not any more."""
LATE_BEAT = 1.0
"""Seconds after which a note that sessions were looked after is none: it lay in the way while Redis stood still."""
BATCH = 200
"""Rooms that are loaded and committed in one trip."""
SMALL_BATCH = 10
SPREAD = 0.4
"""Marks come once a second and are in no hurry: they go a few rooms at a time, spread over so many seconds, so that no
login waits for all of them."""
MOST_PARTS = 40


class RedisStore:
    """See `store.base.Store` for what each method promises. `clock` takes the place of the server's time."""

    def __init__(self, address: RedisAddress, clock: Callable[[], float] | None = None) -> None:
        self._keys = Keys(address.prefix, address.db)
        self._link = Link(address)
        self._clock = RedisClock(clock)
        self._rooms = Rooms(self._link, self._keys, self._clock)
        self._logs = Logs(self._link, self._keys)
        self._turns = Turns()
        self._listeners: list[Callable[[Change], None]] = []
        self._feed = Feed(self._link, self._keys, self._rooms, self._tell)

    @property
    def trips(self) -> int:
        """How often Redis was asked something, for measuring."""
        return self._link.trips

    @property
    def shared(self) -> "RedisStore":
        return self

    @property
    def presence_log(self) -> None:
        return None  # the records say it

    def now(self) -> float:
        return self._clock.now()

    async def open(self) -> None:
        await self._link.open()
        _, found = await self._link.ask(("SETNX", self._keys.schema, SCHEMA), ("GET", self._keys.schema))
        if found is not None and int(found) > SCHEMA:
            raise StartError(f"the data in Redis is of a newer version (schema {int(found)}, this one knows {SCHEMA})")
        self._feed.start()

    async def close(self) -> None:
        await self._feed.close()
        await self._link.close()

    async def ping(self) -> None:
        await self._link.run(("SET", self._keys.probe, "", "PX", 60_000))

    # ---- deciding ------------------------------------------------------------------------------

    async def transact(
        self, room: str, decide: Decide[T], *, sessions: Collection[str] = (), request_id: str | None = None
    ) -> Decision[T]:
        async with self._turns.one(room):
            decision, changed = await self._decided(room, decide, list(sessions), request_id)
            if changed:
                self._tell(Change(room, decision.changed))
            return decision

    async def _decided(
        self, room: str, decide: Decide[T], asked: list[str], request_id: str | None
    ) -> tuple[Decision[T], bool]:
        """The decision that is committed, and whether it changed records."""
        tries = _Tries()
        proposal: Proposal | None = None
        while True:
            try:
                loaded, found = await self._loaded(room, asked, request_id)
                if proposal is not None and loaded.room.knows(proposal.then.version):
                    break  # its reply was lost
                decision = decide(loaded.state(found, asked), loaded.now)
                if decision.empty:
                    return decision, False
                fresh = [s.id for s in decision.changed if loaded.found(s.id) is None]
                if fresh and not self._link.one_server and await self._taken(room, fresh, asked):
                    await tries.again()
                    continue
                at_once = fresh if self._link.one_server else ()
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
        return proposal.decision, bool(proposal.decision.changed)

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

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)

    # ---- what is no decision -------------------------------------------------------------------

    async def mark(self, marks: Sequence[Mark]) -> None:
        noticed: dict[str, list[Mark]] = {}
        for mark in marks:
            noticed.setdefault(mark.session, []).append(mark)

        def merge(session: Session) -> Session:
            for mark in noticed[session.id]:
                session = with_mark(session, mark)
            return session

        rooms = _by_room(await self._rooms.homes(noticed))
        parts = list(_parts(rooms, max(SMALL_BATCH, -(-len(rooms) // MOST_PARTS))))
        for n, part in enumerate(parts):
            if n:
                await asyncio.sleep(SPREAD / len(parts))
            await self._change(part, merge)

    async def postpone(
        self, seconds: float, since: float, skip: Collection[str], after: str | None, limit: int
    ) -> str | None:
        start, _, last = (after or "").partition(" ")
        page = await self._logs.sessions(
            SessionQuery(open=True, after=(float(start), last) if after else None, limit=limit)
        )

        def later(session: Session) -> Session:
            return session if session.ended or session.last_active_at > since else postponed(session, seconds)

        for part in _parts(_by_room({s.session.id: s.session.room for s in page if s.session.id not in skip}), BATCH):
            await self._change(part, later)
        return f"{page[-1].session.started_at!r} {page[-1].session.id}" if len(page) == limit else None

    async def _change(self, rooms: dict[str, list[str]], change: Callable[[Session], Session]) -> None:
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

    # ---- reading -------------------------------------------------------------------------------

    def at_hand(self, session: str) -> Snapshot | None:
        return None  # another node may have changed it

    async def get(self, session: str) -> Snapshot | None:
        loaded = await self._rooms.find(session)
        found = None if loaded is None else loaded.found(session)
        return None if loaded is None or found is None else loaded.room.snapshot(found)

    async def room(self, room: str) -> RoomState:
        return (await self._rooms.load(room)).state({}, ())

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        index = "absolute" if absolute_only else "due"
        found = await self._link.ask(
            *(
                ("ZRANGEBYSCORE", self._keys.of_bucket(b, index), "-inf", repr(now), "WITHSCORES", "LIMIT", 0, limit)
                for b in range(BUCKETS)
            )
        )
        dated = [
            (float(at), room.decode()) for reply in found for room, at in zip(reply[::2], reply[1::2], strict=True)
        ]
        return [room for _, room in sorted(dated)[:limit]]

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        return await self._logs.sessions(query)

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        room = query.room
        if room is None and query.session is not None:  # the audit log is indexed by room
            room = (await self._rooms.homes([query.session])).get(query.session)
        return await self._logs.audit(query, room)

    # ---- forgetting ----------------------------------------------------------------------------

    async def purge(self, before: float, limit: int) -> int:
        await self._logs.trim(before, 4 * limit)
        gone = await self._logs.gone(before, limit)
        rooms: dict[str, list[str]] = {}
        for session, room in gone:
            rooms.setdefault(room, []).append(session)
        for room, ids in rooms.items():
            await self._forget(room, ids)
        return len(gone)

    async def forget(self, room: str, sessions: Collection[str]) -> None:
        here = (await self._rooms.load(room)).room
        await self._forget(room, [session for session in sessions if here.session(session) is None])

    async def _forget(self, room: str, sessions: list[str]) -> None:
        """Answers to request ids go by themselves, with their key's time to live."""
        tries = _Tries()
        async with self._turns.one(room):
            while True:
                forgetting = self._rooms.proposal(await self._rooms.load(room), Decision(None), forget=sessions)
                if await self._rooms.commit(forgetting) is Outcome.DONE:
                    break
                await tries.again()
        await self._link.run(*(("DEL", self._keys.home(i)) for i in sessions))

    # ---- looking after the sessions ------------------------------------------------------------

    async def beat(self, now: float) -> None:
        oldest = "" if self._clock.given else LATE_BEAT
        (noted,) = await self._link.run(BEAT.call([self._keys.beat], [repr(now), oldest]))
        if not noted:
            raise StoreUnavailable("Redis took the note too late")

    async def last_beat(self) -> float | None:
        (found,) = await self._link.ask(("GET", self._keys.beat))
        return None if found is None else float(found)

    async def lease(self, task: str, seconds: float) -> bool:
        key, mine, ms = self._keys.lease(task), self._rooms.origin, int(seconds * 1000)
        _, holder = await self._link.run(("SET", key, mine, "NX", "PX", ms), ("GET", key))
        if holder != mine.encode():
            return False
        await self._link.run(("PEXPIRE", key, ms))
        return True

    async def give_back(self, task: str) -> None:
        key = self._keys.lease(task)
        (holder,) = await self._link.run(("GET", key))
        if holder == self._rooms.origin.encode():
            await self._link.run(("DEL", key))

    # ---- what others do ------------------------------------------------------------------------

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    async def hold(self, room: str) -> None:
        await self._feed.hold(room)

    def release(self, room: str) -> None:
        self._feed.release(room)


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


def _by_room(homes: dict[str, str]) -> dict[str, list[str]]:
    """The sessions of each room."""
    rooms: dict[str, list[str]] = {}
    for session, room in homes.items():
        rooms.setdefault(room, []).append(session)
    return rooms


def _parts(rooms: dict[str, list[str]], size: int) -> Iterator[dict[str, list[str]]]:
    """The same, so many rooms at a time."""
    names = list(rooms)
    for start in range(0, len(names), size):
        yield {name: rooms[name] for name in names[start : start + size]}


def _less_online(loaded: Loaded, decision: Decision[None]) -> tuple[Session, ...]:
    """Those whose last socket somewhere has left: a process that has another one of theirs must hear of it."""
    before = {s.id: s.online_until for s in loaded.room.live}
    return tuple(s for s in decision.changed if s.online_until < before.get(s.id, 0.0))


def _changed(loaded: Loaded, sessions: Sequence[str], change: Callable[[Session], Session]) -> Decision[None]:
    """What a change makes of these sessions of a room."""
    before = [s for i in sessions if (s := loaded.found(i)) is not None]
    after = [change(s) for s in before]
    return Decision(None, changed=tuple(a for a, b in zip(after, before, strict=True) if a != b))
