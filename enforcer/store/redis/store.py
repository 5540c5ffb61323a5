"""`redis://…` and its kin: the truth for any number of processes and machines."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from enforcer.domain.deadlines import merged as with_mark
from enforcer.domain.errors import StartError
from enforcer.domain.model import Change, Decision, Mark, RoomState, Session, Snapshot
from enforcer.store.base import Decide
from enforcer.store.queries import Claim
from enforcer.store.redis.address import RedisAddress
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.clock import RedisClock
from enforcer.store.redis.commits import Commits
from enforcer.store.redis.feed import Feed
from enforcer.store.redis.keys import NEWLINE, Keys
from enforcer.store.redis.logs import RedisLogs
from enforcer.store.redis.rooms import Rooms, by_room, parts
from enforcer.store.redis.subjects import RedisSubjects
from enforcer.store.redis.upkeep import RedisUpkeep

T = TypeVar("T")

SCHEMA = 1
"""Of the keys. A store that was written by a newer one is refused."""
SPREAD = 0.4
"""Marks come once a second and are in no hurry: they go a few rooms at a time, spread over so many seconds, so that no
login waits for all of them."""
ANNOUNCED_FOR = 10.0
"""Seconds for which others take a process to be there after it has said something."""
FEWEST_ROOMS, MOST_PARTS = 10, 40
"""Rooms that go together at least, and parts that all of them go in at most."""


class RedisStore:
    """See `store.base.Store` for what each method promises. `clock` takes the place of the server's time."""

    def __init__(self, address: RedisAddress, clock: Callable[[], float] | None = None) -> None:
        self._keys = Keys(address.prefix, address.db)
        self._servers = Servers(address)
        self._clock = RedisClock(clock)
        self._rooms = Rooms(self._servers, self._keys, self._clock)
        self._listeners: list[Callable[[Change], None]] = []
        self._feed = Feed(self._servers, self._keys, self._rooms, self._tell)
        self._subjects = RedisSubjects(self._servers, self._keys, self._clock)
        self._commits = Commits(self._servers, self._keys, self._rooms, self._feed, self._subjects, self._tell)
        self._logs = RedisLogs(self._servers, self._keys, self._rooms)
        self._upkeep = RedisUpkeep(self._servers, self._keys, self._clock, self._rooms, self._commits, self._logs)

    @property
    def trips(self) -> int:
        """How often Redis was asked something, for measuring."""
        return self._servers.trips

    @property
    def shared(self) -> "RedisStore":
        return self

    @property
    def presence_log(self) -> None:
        return None  # the records say it

    @property
    def logs(self) -> RedisLogs:
        return self._logs

    @property
    def upkeep(self) -> RedisUpkeep:
        return self._upkeep

    @property
    def subjects(self) -> RedisSubjects:
        return self._subjects

    def now(self) -> float:
        return self._clock.now()

    async def open(self) -> None:
        await self._servers.open()
        _, found = await self._servers.ask(("SETNX", self._keys.schema, SCHEMA), ("GET", self._keys.schema))
        if found is not None and int(found) > SCHEMA:
            raise StartError(f"the data in Redis is of a newer version (schema {int(found)}, this one knows {SCHEMA})")
        self._feed.start()

    async def close(self) -> None:
        await self._feed.close()
        await self._servers.close()

    async def ping(self) -> None:
        await self._servers.run(("SET", self._keys.probe, "", "PX", 60_000))

    # ---- deciding ------------------------------------------------------------------------------

    async def transact(
        self,
        room: str,
        decide: Decide[T],
        *,
        sessions: Collection[str] = (),
        request_id: str | None = None,
        claim: Claim | None = None,
    ) -> Decision[T]:
        return await self._commits.decide(room, decide, sessions, request_id, claim)

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

        rooms = by_room(await self._rooms.homes(noticed))
        portions = list(parts(rooms, max(FEWEST_ROOMS, -(-len(rooms) // MOST_PARTS))))
        for n, part in enumerate(portions):
            if n:
                await asyncio.sleep(SPREAD / len(portions))
            await self._commits.change(part, merge)

    # ---- reading -------------------------------------------------------------------------------

    def at_hand(self, session: str) -> Snapshot | None:
        return None  # another node may have changed it

    async def get(self, session: str) -> Snapshot | None:
        loaded = await self._rooms.find(session)
        found = None if loaded is None else loaded.found(session)
        return None if loaded is None or found is None else loaded.room.snapshot(found)

    async def room(self, room: str) -> RoomState:
        return (await self._rooms.load(room)).state({}, ())

    # ---- between processes ---------------------------------------------------------------------

    async def lease(self, task: str, seconds: float) -> bool:
        key, mine, ms = self._keys.lease(task), self._rooms.origin, int(seconds * 1000)
        _, holder = await self._servers.run(("SET", key, mine, "NX", "PX", ms), ("GET", key))
        if holder != mine.encode():
            return False
        await self._servers.run(("PEXPIRE", key, ms))
        return True

    async def give_back(self, task: str) -> None:
        key = self._keys.lease(task)
        (holder,) = await self._servers.run(("GET", key))
        if holder == self._rooms.origin.encode():
            await self._servers.run(("DEL", key))

    async def announce(self, text: str) -> None:
        await self._servers.run(("HSET", self._keys.nodes, self._rooms.origin, f"{self.now()!r}{NEWLINE}{text}"))

    async def unannounce(self) -> None:
        await self._servers.run(("HDEL", self._keys.nodes, self._rooms.origin))

    async def announced(self) -> list[str]:
        (reply,) = await self._servers.ask(("HGETALL", self._keys.nodes))
        found: list[str] = []
        gone: list[bytes] = []
        for process, said in zip(reply[::2], reply[1::2], strict=True):
            at, _, text = said.decode().partition(NEWLINE)
            if self.now() - float(at) >= ANNOUNCED_FOR:
                gone.append(process)
            elif process.decode() != self._rooms.origin:
                found.append(text)
        if gone:
            await self._servers.run(("HDEL", self._keys.nodes, *gone))
        return found

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    async def hold(self, room: str) -> None:
        await self._feed.hold(room)

    def release(self, room: str) -> None:
        self._feed.release(room)
