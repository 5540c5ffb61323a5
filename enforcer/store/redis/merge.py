"""One order out of many buckets: parts are asked for as they are needed and merged."""

import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Protocol

from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.keys import BUCKETS, session_and_room
from enforcer.store.redis.scripts import Command

_BUCKET_BITS = (BUCKETS - 1).bit_length()


class Source(Protocol):
    """What one bucket has, in order, a part at a time. Rows are tuples that sort in the order of the whole."""

    def command(self, count: int) -> Command:
        """Asks for at most `count` rows, those that come next."""
        ...

    def rows(self, reply: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of the reply; none when there are no more."""
        ...


class Latest(tuple[Any, ...]):
    """A row that comes before those that it would come after."""

    __slots__ = ()

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return super().__gt__(other)


class Sessions:
    """Sessions by start, from an index of a bucket or (with `room`) of a room: rows of (start, id, room).

    `low` and `high` are bounds as ZRANGEBYSCORE takes them. With `newest` they come the other way round.
    """

    def __init__(
        self, key: str, low: str = "-inf", high: str = "+inf", room: str | None = None, newest: bool = False
    ) -> None:
        self._key, self._low, self._high, self._room, self._newest = key, low, high, room, newest
        self._skip = 0

    def command(self, count: int) -> Command:
        if self._newest:
            bounds = self._high, self._low
            return ("ZREVRANGEBYSCORE", self._key, *bounds, "WITHSCORES", "LIMIT", self._skip, count)
        return ("ZRANGEBYSCORE", self._key, self._low, self._high, "WITHSCORES", "LIMIT", self._skip, count)

    def rows(self, reply: Sequence[Any]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for text, score in zip(reply[::2], reply[1::2], strict=True):
            start = float(score)
            bound = repr(start)
            row = (start, *((text.decode(), self._room) if self._room else session_and_room(text)))
            self._skip = self._skip + 1 if bound == (self._high if self._newest else self._low) else 1
            if self._newest:
                self._high = bound
                found.append(Latest(row))
            else:
                self._low = bound
                found.append(row)
        return found


class Stream:
    """Rows of a bucket's stream: (number, text). Numbers are unique over all buckets and grow with time.

    With `newest` they come the other way round, and `after` is the number of a later row, 0 for none.
    """

    def __init__(self, key: str, bucket: int, after: int = 0, since: float | None = None, newest: bool = False) -> None:
        self._key, self._bucket, self._newest = key, bucket, newest
        stamp, there = place_of(after)
        self._low = int((since or 0) * 1e6)
        self._high: int | None = None
        if not newest:
            self._low = max(stamp + (bucket <= there), self._low)
        elif after:
            self._high = stamp - (bucket >= there)

    def command(self, count: int) -> Command:
        if self._newest:
            high = "+" if self._high is None else max(0, self._high)
            return ("XREVRANGE", self._key, high, self._low, "COUNT", count)
        return ("XRANGE", self._key, self._low, "+", "COUNT", count)

    def rows(self, reply: Sequence[Any]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for id_, (_, text) in reply:
            stamp = stamp_of(id_)
            row = (number_of(stamp, self._bucket), text)
            if self._newest:
                self._high = stamp - 1
                found.append(Latest(row))
            else:
                self._low = stamp + 1
                found.append(row)
        return found


async def in_one_order(servers: Servers, sources: Iterable[Source], about: int) -> AsyncIterator[tuple[Any, ...]]:
    """The rows of all sources in one order; asks no more of them than about as many rows as are wanted."""
    hungry = list(enumerate(sources))
    part = about if len(hungry) == 1 else 2 * about // BUCKETS + 4
    waiting: dict[int, deque[tuple[Any, ...]]] = {}
    heads: list[tuple[tuple[Any, ...], int, Source]] = []
    while hungry or heads:
        if hungry:
            replies = await servers.ask(*(source.command(part) for _, source in hungry))
            for (n, source), reply in zip(hungry, replies, strict=True):
                waiting[n] = deque(source.rows(reply))
                if waiting[n]:
                    heapq.heappush(heads, (waiting[n].popleft(), n, source))
            hungry = []
            continue
        row, n, source = heads[0]
        if waiting[n]:
            heapq.heapreplace(heads, (waiting[n].popleft(), n, source))
        else:
            heapq.heappop(heads)
            hungry = [(n, source)]
        yield row


def stamp_of(id_: bytes) -> int:
    """The microseconds that a stream's row is called by."""
    return int(id_.partition(b"-")[0])


def number_of(stamp: int, bucket: int) -> int:
    """One number for a row of a bucket's stream, unique over all buckets; fits into 63 bits."""
    return stamp << _BUCKET_BITS | bucket


def place_of(number: int) -> tuple[int, int]:
    """Stamp and bucket of the row of that number."""
    return number >> _BUCKET_BITS, number & (BUCKETS - 1)
