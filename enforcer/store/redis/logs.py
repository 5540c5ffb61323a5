"""The logs: sessions by their start, audit rows by their number, read in one order from all buckets."""

import math
import time
from collections.abc import AsyncIterator
from secrets import token_hex

import orjson

from enforcer.domain.model import AuditRow, Snapshot
from enforcer.store import rows
from enforcer.store.cursors import Cursor
from enforcer.store.queries import AuditPart, AuditQuery, FoundAudit, FoundSessions, Searched, SessionQuery
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.keys import BUCKETS, Keys, bucket_of, session_and_room
from enforcer.store.redis.merge import Sessions, Stream, in_one_order, number_of, place_of, stamp_of
from enforcer.store.redis.outbox import RedisOutbox
from enforcer.store.redis.rooms import Rooms
from enforcer.store.redis.rows import room_of, session_of
from enforcer.store.redis.scripts import TAIL, TRIM, Command


class RedisLogs:
    """See `store.base.Logs` for what each method promises."""

    def __init__(self, servers: Servers, keys: Keys, rooms: Rooms) -> None:
        self._servers = servers
        self._rooms = rooms
        self._keys = keys
        self._outbox = RedisOutbox(servers, keys)

    @property
    def outbox(self) -> RedisOutbox:
        """Where webhooks have come to."""
        return self._outbox

    async def open_sessions(self) -> int:
        """How many there are."""
        counts = await self._servers.ask(*(("ZCARD", self._keys.of_bucket(b, "open")) for b in range(BUCKETS)))
        return sum(map(int, counts))

    # ---- sessions ------------------------------------------------------------------------------

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        """The session log."""
        return (await self.search_sessions(query, math.inf)).rows

    async def search_sessions(self, query: SessionQuery, seconds: float) -> FoundSessions:
        """The session log, read part by part until there are enough rows that the query wants."""
        found: list[Snapshot] = []
        end = time.monotonic() + seconds
        part: list[tuple[str, str]] = []
        async for start, id_, room in self._starts(query):
            if query.until is not None and start >= query.until:
                if query.newest:
                    continue
                break
            place = (start, id_)
            if query.after is not None and (place >= query.after if query.newest else place <= query.after):
                continue
            if room.startswith(query.rooms):
                part.append((id_, room))
            late = time.monotonic() >= end
            if late or len(part) >= query.limit:
                found += await self._wanted(part, query)
                part = []
                if len(found) >= query.limit:
                    break
                if late:
                    return Searched(found, place, start)
        found += await self._wanted(part, query)
        return Searched(found[: query.limit])

    def _starts(self, query: SessionQuery) -> AsyncIterator[tuple[float, str, str]]:
        place = None if query.after is None else query.after[0]
        lows, highs = [query.since, None if query.newest else place], [query.until, place if query.newest else None]
        low = "-inf" if lows == [None, None] else repr(max(at for at in lows if at is not None))
        high = "+inf" if highs == [None, None] else repr(min(at for at in highs if at is not None))
        if query.room is not None:
            sources = [Sessions(self._keys.log(query.room), low, high, query.room, query.newest)]
        else:
            index = "open" if query.open else "started"
            keys = [self._keys.of_bucket(b, index) for b in range(BUCKETS)]
            sources = [Sessions(key, low, high, newest=query.newest) for key in keys]
        return in_one_order(self._servers, sources, query.limit)

    async def _wanted(self, ids: list[tuple[str, str]], query: SessionQuery) -> list[Snapshot]:
        """The records of these sessions, those that the query wants; one may have been purged meanwhile."""
        return [found for found in await self._snapshots(ids) if query.wants(found.session)]

    async def _snapshots(self, ids: list[tuple[str, str]]) -> list[Snapshot]:
        by_bucket: dict[int, list[tuple[str, str]]] = {}
        for id_, room in ids:
            by_bucket.setdefault(bucket_of(room), []).append((id_, room))
        commands = []
        for b, those in by_bucket.items():
            commands.append(("HMGET", self._keys.of_bucket(b, "rooms"), *(room for _, room in those)))
            commands.append(("HMGET", self._keys.of_bucket(b, "ended"), *(id_ for id_, _ in those)))
            commands.append(("HMGET", self._keys.of_bucket(b, "beside"), *(room for _, room in those)))
        replies = await self._servers.ask(*commands) if commands else []
        found: dict[str, Snapshot] = {}
        for n, those in enumerate(by_bucket.values()):
            for (id_, name), state, ended, beside in zip(those, *replies[3 * n : 3 * n + 3], strict=True):
                home = room_of(name, state, beside)
                session = home.session(id_) or (session_of(ended) if ended else None)
                if session is not None:
                    found[id_] = home.snapshot(session)
        return [found[id_] for id_, _ in ids if id_ in found]

    async def gone(self, before: float, limit: int) -> list[tuple[str, str]]:
        """Sessions that ended before, as (id, room): at most `limit`, from any bucket."""
        found: list[tuple[str, str]] = []
        replies = await self._servers.ask(
            *(
                ("ZRANGEBYSCORE", self._keys.of_bucket(b, "gone"), "-inf", f"({before!r}", "LIMIT", 0, limit)
                for b in range(BUCKETS)
            )
        )
        for reply in replies:
            found += [session_and_room(text) for text in reply]
        return found[:limit]

    # ---- audit ---------------------------------------------------------------------------------

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        """The audit log."""
        return (await self.search_audit(query, math.inf)).rows

    async def search_audit(self, query: AuditQuery, seconds: float) -> FoundAudit:
        """The audit log, likewise."""
        room = query.room
        if room is None and query.session is not None:  # it is indexed by room
            room = (await self._rooms.homes([query.session])).get(query.session)
        found: list[AuditRow] = []
        end = time.monotonic() + seconds
        texts = self._all_rows(query) if room is None else self._rows_of(room, query)
        async for number, text in texts:
            if not _behind(number, query):
                continue
            row = rows.audit_of((number, *orjson.loads(text)))
            if query.wants(row):
                found.append(row)
                if len(found) == query.limit:
                    break
            if time.monotonic() >= end:
                return Searched(found, number, row.entry.at)
        return Searched(found)

    def _all_rows(self, query: AuditQuery) -> AsyncIterator[tuple[int, bytes]]:
        keys = [self._keys.of_bucket(b, "audit") for b in range(BUCKETS)]
        sources = [Stream(key, b, query.after, query.since, query.newest) for b, key in enumerate(keys)]
        return in_one_order(self._servers, sources, query.limit)

    async def _rows_of(self, room: str, query: AuditQuery) -> AsyncIterator[tuple[int, bytes]]:
        """By the list of a room's rows; those that were trimmed meanwhile are left out."""
        bucket, trail = bucket_of(room), self._keys.trail(room)
        stream, start = self._keys.of_bucket(bucket, "audit"), 0
        while True:
            part = (start, start + query.limit - 1)
            if query.newest:
                part = (-start - query.limit, -start - 1)
            (ids,) = await self._servers.ask(("LRANGE", trail, *part))
            if not ids:
                return
            start += len(ids)
            if query.newest:
                ids = ids[::-1]
            wanted = [i for i in ids if _behind(number_of(stamp_of(i), bucket), query)]
            replies = await self._servers.ask(*(("XRANGE", stream, i, i) for i in wanted)) if wanted else []
            for reply in replies:
                for id_, (_, text) in reply:
                    yield number_of(stamp_of(id_), bucket), text

    async def audit_after(self, cursor: Cursor | None, limit: int) -> AuditPart | None:
        """The audit log behind a cursor, which has the stamp of the last row that was read of each bucket."""
        if cursor is not None and len(cursor.places) != BUCKETS:
            return None
        places = [0] * BUCKETS if cursor is None else list(cursor.places)
        # A share of each bucket, so that little is sent in vain, and not too small for one busy room.
        count = 0 if cursor is None else min(limit, limit // 16 + 8)
        _, name, *buckets = await self._servers.ask(
            ("SETNX", self._keys.log_name, token_hex(8)),
            ("GET", self._keys.log_name),
            *(self._tail(b, place, count) for b, place in enumerate(places)),
        )
        log = name.decode()
        ends = [int(last or 0) for last, _, _ in buckets]
        if cursor is None:
            return AuditPart((), Cursor(log, tuple(ends)))
        kept = all(
            int(trimmed or 0) <= place <= end for place, end, (_, trimmed, _) in zip(places, ends, buckets, strict=True)
        )
        if cursor.log != log or not kept:
            return None
        found = [(number_of(stamp_of(id_), b), text) for b, (*_, part) in enumerate(buckets) for id_, (_, text) in part]
        behind = []
        for number, text in sorted(found)[:limit]:
            stamp, b = place_of(number)
            places[b] = stamp
            behind.append((rows.audit_of((number, *orjson.loads(text))), Cursor(log, tuple(places))))
        more = len(found) > limit or any(len(part) >= count for *_, part in buckets)
        return AuditPart(tuple(behind), Cursor(log, tuple(places)), more)

    def _tail(self, bucket: int, after: int, count: int) -> Command:
        keys = [self._keys.of_bucket(bucket, name) for name in ("audit", "stamp", "trimmed")]
        return TAIL.call(keys, [after, count])

    async def trim(self, before: float, limit: int) -> None:
        """Forgets audit rows older than `before`, about `limit` of them at most."""
        part = limit // BUCKETS + 1
        high = f"({max(1, int(before * 1e6))}-0"
        streams = [self._keys.of_bucket(b, "audit") for b in range(BUCKETS)]
        replies = await self._servers.ask(*(("XRANGE", stream, "-", high, "COUNT", part) for stream in streams))
        for b, (stream, reply) in enumerate(zip(streams, replies, strict=True)):
            if reply:
                rooms = {orjson.loads(text)[3] for _, (_, text) in reply}
                trails = [self._keys.trail(room) for room in rooms]
                trimmed = self._keys.of_bucket(b, "trimmed")
                await self._servers.run(TRIM.call([stream, trimmed, *trails], [stamp_of(reply[-1][0]) + 1]))


def _behind(number: int, query: AuditQuery) -> bool:
    """Whether a row comes after the last one of the page before."""
    if query.newest:
        return not query.after or number < query.after
    return number > query.after
