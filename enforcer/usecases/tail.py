"""The end of the audit log, read once for all who follow it.

Who follows may be behind: he then reads the log by himself until he has come to what was read for all. Nothing runs and
nothing is read while nobody follows.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import AuditRow, Decision
from enforcer.process.tasks import cancelled
from enforcer.store.base import Logs
from enforcer.store.cursors import Cursor

log = logging.getLogger(__name__)

PAGE = 500
"""Rows that are read at once."""
KEPT = 4096
"""Rows that are kept for those who are a little behind."""
LOOK_EVERY = 1.0
"""Seconds between two looks for what other processes have committed."""
GATHER = 0.01
"""Seconds after a commit of this process in which more may come and be read with it."""
LEVEL_EVERY = LOOK_EVERY / 2
"""Seconds, at least, between two times at which those who want to know are told how far they have come."""
QUIET_EVERY = 15.0
"""Seconds after which those who follow are told that they still do."""

Render = Callable[[AuditRow, Cursor], bytes]
"""What is said of a row, with the cursor behind it."""


class Entry(NamedTuple):
    """A row, the cursor behind it, and what is said of it: made once for all who follow."""

    row: AuditRow
    cursor: Cursor
    said: bytes


class Kind(Enum):
    """What there is to say to somebody who follows."""

    ROWS = "rows"
    RESET = "reset"
    """Rows behind his cursor are not kept any more: he goes on from now."""
    AWAY = "away"
    QUIET = "quiet"
    LEVEL = "level"
    """All that was committed before `News.at` was said."""
    OVER = "over"


class News(NamedTuple):
    """`rows` in their order; `cursor` is behind everything that was said.

    `alike` is there for all who are told the very same rows: what one has made of them, under a name for what he
    wants to know, need not be made again. `at` is a moment of the event loop's clock.
    """

    kind: Kind
    cursor: Cursor
    rows: tuple[Entry, ...] = ()
    alike: dict[Hashable, bytes] | None = None
    at: float = -math.inf


class Portion(NamedTuple):
    """The newest rows, from one number on; `alike` as in `News`."""

    entries: tuple[Entry, ...]
    alike: dict[Hashable, bytes]


class Tail:
    """Of the log of one process's store. `committed` is called after each of its commits."""

    def __init__(self, logs: Logs, render: Render) -> None:
        self._logs = logs
        self._render = render
        self._followers = 0
        self._reading: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._owed = False
        self.moved = asyncio.Event()
        """Set when there is something new to know; the next one takes its place then."""
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.number = 0
        """Of entries that were read so far; the last is the newest of `entries`."""
        self._portions: dict[int, Portion] = {}
        """Of the newest entries, by the number before them; until there are newer ones."""
        self.cursor: Cursor | None = None
        """Behind the newest entry; None before the first look."""
        self.level_at = -math.inf
        """When the last look began that left nothing unread: all that was committed before was read."""
        self.resets = 0
        self.quiet = 0
        self.away = False
        self.closed = False

    def committed(self, _: str, decision: Decision[Any], __: float) -> None:
        """A decision of this process was committed."""
        if self._reading is not None and decision.audit:
            self._due.set()

    @contextmanager
    def followed(self, cursor: Cursor, levels: bool = False) -> Iterator["Follower"]:
        """Somebody follows from this cursor on. `levels`: he wants to know how far he has come, too."""
        self._followers += 1
        if self._reading is None and not self.closed:
            self.cursor = None
            self._reading = asyncio.get_running_loop().create_task(self._read(), name="audit log")
        try:
            yield Follower(self, cursor, levels)
        finally:
            self._followers -= 1

    async def after(self, cursor: Cursor) -> tuple[tuple[Entry, ...], Cursor, bool] | None:
        """Some entries behind a cursor, the cursor behind them, whether there are more; None if they are not kept."""
        part = await self._logs.audit_after(cursor, PAGE)
        if part is None:
            return None
        return tuple(Entry(row, behind, self._render(row, behind)) for row, behind in part.rows), part.cursor, part.more

    def moved_on(self, entry: Entry, cursor: Cursor) -> Entry:
        """The same entry for somebody who is further than others were behind it."""
        return entry if cursor == entry.cursor else Entry(entry.row, cursor, self._render(entry.row, cursor))

    async def end(self) -> Cursor:
        """The cursor of where the log ends now; raises StoreUnavailable."""
        part = await self._logs.audit_after(None, 0)
        if part is None:
            raise StoreUnavailable("the end of the audit log is not known")
        return part.cursor

    def look_again(self) -> None:
        """Somebody could not read: after the next look everybody tries again."""
        self._owed = True

    async def close(self) -> None:
        """Everybody who follows is told that it is over."""
        self.closed = True
        self._move()
        if self._reading is not None:
            await cancelled([self._reading])
            self._reading = None

    def _move(self) -> None:
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        said = loop.time()
        while self._followers:
            self._due.clear()
            more, began = False, loop.time()
            try:
                more = await self._look()
                if not more and began - self.level_at >= LEVEL_EVERY:
                    self.level_at = began
                    self._move()
                if self.away or self._owed:
                    self.away = self._owed = False
                    self._move()
            except StoreUnavailable:
                self.away = True
                self._move()
            except Exception:
                log.exception("reading the audit log failed; it goes on")
            if loop.time() - said >= QUIET_EVERY:
                said = loop.time()
                self.quiet += 1
                self._move()
            if not more:
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._due.wait()
                    await asyncio.sleep(GATHER)
                except TimeoutError:
                    pass
        self._reading = None

    async def _look(self) -> bool:
        """Reads what is new; whether there may be more."""
        if self.cursor is None:
            self.cursor = await self.end()
            self._move()
            return False
        found = await self.after(self.cursor)
        if found is None:  # the log is another one: emptied, or restored
            self.cursor = await self.end()
            self.resets += 1
            self._move()
            return False
        entries, self.cursor, more = found
        if entries:
            self.entries.extend(entries)
            self.number += len(entries)
            self._portions.clear()
            self._move()
        return more

    def since(self, number: int) -> Portion | None:
        """The entries after this number; None if some of them are not kept."""
        kept, behind = len(self.entries), self.number - number
        if behind > kept:
            return None
        portion = self._portions.get(number)
        if portion is None:
            portion = Portion(tuple(islice(self.entries, kept - behind, None)), {})
            if behind <= PAGE:
                self._portions[number] = portion
        return portion


class Follower:
    """Somebody who follows. `news` waits for what is next."""

    def __init__(self, tail: Tail, cursor: Cursor, levels: bool) -> None:
        self._tail = tail
        self._cursor = cursor
        self._level_at = tail.level_at if levels else math.inf
        """Up to which moment he knows that all was said; infinite if he does not want to know."""
        self._at: int | None = None
        """The number of the entry that was said last; None while he reads by himself."""
        self._level = False
        """Whether his cursor is that of what was read for all up to this number: then all that comes is news to him."""
        self._resets = tail.resets
        self._quiet = tail.quiet
        self._away = False

    async def news(self) -> News:
        """What there is to say next; waits until there is something."""
        while True:
            moved = self._tail.moved  # before anything is looked at, so that nothing is missed
            found = await self._next()
            if found is not None:
                return found
            await moved.wait()

    async def _next(self) -> News | None:
        tail = self._tail
        if tail.closed:
            return News(Kind.OVER, self._cursor)
        if self._resets != tail.resets and tail.cursor is not None:
            return self._reset(tail.cursor)
        away = tail.away
        if self._at is not None and tail.cursor is not None and (portion := tail.since(self._at)) is not None:
            self._at = tail.number
            if portion.entries and self._level:
                self._cursor = tail.cursor
                return News(Kind.ROWS, self._cursor, *portion)
            fresh = tuple(self._fresh(portion.entries))
            self._cursor = _later(self._cursor, tail.cursor)
            self._level = self._cursor == tail.cursor
            if fresh:
                return News(Kind.ROWS, self._cursor, fresh)
        else:
            try:
                found = await self._by_himself()
                if found is not None:
                    return found
            except StoreUnavailable:
                away = True
                tail.look_again()
        if away != self._away:
            self._away = away
            if away:
                return News(Kind.AWAY, self._cursor)
        if tail.quiet != self._quiet:
            self._quiet = tail.quiet
            return News(Kind.QUIET, self._cursor)
        if self._at == tail.number and tail.level_at > self._level_at:
            self._level_at = tail.level_at
            return News(Kind.LEVEL, self._cursor, at=tail.level_at)
        return None

    async def _by_himself(self) -> News | None:
        """Reads on until all that was read for everybody is behind him."""
        tail = self._tail
        number, read_for_all = tail.number, tail.cursor
        found = await tail.after(self._cursor)
        if found is None:
            return self._reset(await tail.end())
        entries, self._cursor, _ = found
        if read_for_all is not None and _covers(self._cursor, read_for_all):
            self._at, self._level = number, self._cursor == read_for_all
        return News(Kind.ROWS, self._cursor, entries) if entries else None

    def _reset(self, end: Cursor) -> News:
        self._cursor, self._at, self._resets = end, None, self._tail.resets
        self._level = False
        return News(Kind.RESET, end)

    def _fresh(self, entries: tuple[Entry, ...]) -> Iterator[Entry]:
        """Without those that he has read by himself."""
        for entry in entries:
            if not _covers(self._cursor, entry.cursor):
                self._cursor = _later(self._cursor, entry.cursor)
                yield self._tail.moved_on(entry, self._cursor)


def _later(own: Cursor, other: Cursor) -> Cursor:
    """Behind everything that either is behind; the other, if they are of two logs."""
    if own.log != other.log:
        return other
    return Cursor(own.log, tuple(map(max, own.places, other.places)))


def _covers(own: Cursor, other: Cursor) -> bool:
    """Whether everything before the other cursor is before this one, too."""
    return own.log == other.log and all(a >= b for a, b in zip(own.places, other.places, strict=True))
