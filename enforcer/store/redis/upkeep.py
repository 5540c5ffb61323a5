"""What is done in Redis as time passes."""

from collections.abc import Collection

from enforcer.domain.deadlines import postponed
from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Session
from enforcer.store.queries import SessionQuery
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.clock import RedisClock
from enforcer.store.redis.commits import Commits
from enforcer.store.redis.keys import BUCKETS, Keys
from enforcer.store.redis.logs import RedisLogs
from enforcer.store.redis.rooms import Rooms, by_room, parts
from enforcer.store.redis.scripts import BEAT

LATE_BEAT = 1.0
"""Seconds. A heartbeat older than this is refused: it was queued while Redis hung."""
BATCH = 200
"""Rooms that are loaded and committed in one trip."""


class RedisUpkeep:
    """See `store.base.Upkeep` for what each method promises."""

    def __init__(
        self, servers: Servers, keys: Keys, clock: RedisClock, rooms: Rooms, commits: Commits, logs: RedisLogs
    ) -> None:
        self._servers = servers
        self._keys = keys
        self._clock = clock
        self._rooms = rooms
        self._commits = commits
        self._logs = logs

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        index = "absolute" if absolute_only else "due"
        found = await self._servers.ask(
            *(
                ("ZRANGEBYSCORE", self._keys.of_bucket(b, index), "-inf", repr(now), "WITHSCORES", "LIMIT", 0, limit)
                for b in range(BUCKETS)
            )
        )
        dated = [
            (float(at), room.decode()) for reply in found for room, at in zip(reply[::2], reply[1::2], strict=True)
        ]
        return [room for _, room in sorted(dated)[:limit]]

    async def purge(self, before: float, limit: int) -> int:
        await self._logs.trim(before, 4 * limit)
        gone = await self._logs.gone(before, limit)
        rooms: dict[str, list[str]] = {}
        for session, room in gone:
            rooms.setdefault(room, []).append(session)
        for room, ids in rooms.items():
            await self._commits.forget(room, ids)
        return len(gone)

    async def forget(self, room: str, sessions: Collection[str]) -> None:
        here = (await self._rooms.load(room)).room
        over = [session for session in sessions if here.session(session) is None]
        if over:
            await self._commits.forget(room, over)

    async def beat(self, now: float) -> None:
        oldest = "" if self._clock.given else LATE_BEAT
        (noted,) = await self._servers.run(BEAT.call([self._keys.beat], [repr(now), oldest]))
        if not noted:
            raise StoreUnavailable("Redis took the note too late")

    async def last_beat(self) -> float | None:
        (found,) = await self._servers.ask(("GET", self._keys.beat))
        return None if found is None else float(found)

    async def postpone(
        self, seconds: float, since: float, skip: Collection[str], after: str | None, limit: int
    ) -> str | None:
        start, _, last = (after or "").partition(" ")
        page = await self._logs.sessions(
            SessionQuery(open=True, after=(float(start), last) if after else None, limit=limit)
        )

        def later(session: Session) -> Session:
            return session if session.ended or session.last_active_at > since else postponed(session, seconds)

        for part in parts(by_room({s.session.id: s.session.room for s in page if s.session.id not in skip}), BATCH):
            await self._commits.change(part, later)
        return f"{page[-1].session.started_at!r} {page[-1].session.id}" if len(page) == limit else None
