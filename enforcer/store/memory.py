"""`memory://`: for development and tests. Everything is forgotten when the process ends."""

import asyncio
import heapq
import itertools
import math
import time
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from enforcer.domain.deadlines import due_at, merged, postponed
from enforcer.domain.model import (
    AuditRow,
    Change,
    Decision,
    Mark,
    RememberedAnswer,
    RoomState,
    Session,
    Snapshot,
    WaitingLogin,
    in_order,
    newest_epoch,
)
from enforcer.domain.policy import REMEMBER_FOR
from enforcer.store.base import Decide
from enforcer.store.cursors import Cursor
from enforcer.store.memory_outbox import MemoryOutbox
from enforcer.store.memory_subjects import MemorySubjects
from enforcer.store.queries import AuditPart, AuditQuery, Claim, FoundAudit, FoundSessions, Searched, SessionQuery

T = TypeVar("T")

AT_ONCE = 2_000
"""Rows that are searched before others have their turn: a millisecond or two."""


def _seq(row: AuditRow) -> int:
    return row.seq


class _Room:
    """A room's own part of the state."""

    __slots__ = ("answers", "epoch", "live", "waiting")

    def __init__(self) -> None:
        self.epoch = 0
        self.live: dict[str, Session] = {}
        self.waiting: tuple[WaitingLogin, ...] = ()
        self.answers: dict[str, RememberedAnswer] = {}


class MemoryStore:
    """Dictionaries and one index. `decide` never awaits, so a decision is atomic by running to its end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        self._sessions: dict[str, Session] = {}
        self._by_start: list[tuple[float, str]] = []
        self._due: list[tuple[float, str]] = []  # a heap; entries may be out of date, which `due` finds out
        self._audit: list[AuditRow] = []
        self._log = uuid.uuid4().hex[:16]
        self._outbox = MemoryOutbox()
        self._seq = 0
        self._trimmed = 0
        """The number of the last audit row that was forgotten."""
        self._beat: float | None = None
        self._open = 0
        self._listeners: list[Callable[[Change], None]] = []
        self._subjects = MemorySubjects(clock)

    @property
    def shared(self) -> None:
        return None

    @property
    def presence_log(self) -> None:
        return None  # nothing outlives the process

    @property
    def logs(self) -> "MemoryStore":
        return self

    @property
    def outbox(self) -> MemoryOutbox:
        return self._outbox

    @property
    def upkeep(self) -> "MemoryStore":
        return self

    @property
    def subjects(self) -> MemorySubjects:
        return self._subjects

    def now(self) -> float:
        return self._clock()

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def ping(self) -> None:
        """Always there."""

    async def transact(
        self,
        room: str,
        decide: Decide[T],
        *,
        sessions: Collection[str] = (),
        request_id: str | None = None,
        claim: Claim | None = None,
    ) -> Decision[T]:
        held = self._rooms.get(room) or _Room()
        found = {i: self._sessions[i] for i in sessions if i in self._sessions}
        kept = held.answers.get(request_id) if request_id is not None else None
        now = self._clock()
        signalled = self._subjects.signalled(() if claim is None else claim.subjects)
        live = in_order(held.live.values())
        decision = decide(RoomState(room, held.epoch, live, held.waiting, found, kept, signalled), now)
        if decision.empty:
            return decision
        self._rooms[room] = held
        if decision.epoch is not None:
            held.epoch = decision.epoch
        if decision.waiting is not None:
            held.waiting = decision.waiting
        if decision.remember is not None:
            held.answers[decision.remember.request_id] = decision.remember
        for session in decision.changed:
            self._put(session)
        operation = uuid.uuid4().hex
        for entry in decision.audit:
            self._seq += 1
            self._audit.append(AuditRow(self._seq, operation, entry))
        if decision.changed:
            for listener in self._listeners:
                listener(Change(room, decision.changed))
        return decision

    async def mark(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            session = self._sessions.get(mark.session)
            if session is not None:
                self._put(merged(session, mark))

    def at_hand(self, session: str) -> Snapshot | None:
        found = self._sessions.get(session)
        return None if found is None else self._snapshot(found)

    async def get(self, session: str) -> Snapshot | None:
        return self.at_hand(session)

    async def open_sessions(self) -> int:
        return self._open

    async def room(self, room: str) -> RoomState:
        held = self._rooms.get(room) or _Room()
        return RoomState(room, held.epoch, in_order(held.live.values()), held.waiting)

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        rooms: dict[str, None] = {}
        looked_at: dict[str, float] = {}
        while self._due and self._due[0][0] <= now and len(looked_at) < limit:
            at, session_id = heapq.heappop(self._due)
            session = self._sessions.get(session_id)
            if session is None or session.ended or session_id in looked_at:
                continue
            current = due_at(session)
            if current > at:
                heapq.heappush(self._due, (current, session_id))
                continue
            looked_at[session_id] = at
            if not absolute_only or (session.absolute_at is not None and session.absolute_at <= now):
                rooms[session.room] = None
        for session_id, at in looked_at.items():
            heapq.heappush(self._due, (at, session_id))
        return list(rooms)

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        return (await self.search_sessions(query, math.inf)).rows

    async def search_sessions(self, query: SessionQuery, seconds: float) -> FoundSessions:
        starts, after = self._by_start, query.after
        if query.newest:
            starts = starts[: None if after is None else bisect_left(starts, after)][::-1]
        elif after is not None:
            starts = starts[bisect_right(starts, after) :]
        found: list[Snapshot] = []
        end = time.monotonic() + seconds
        for n, place in enumerate(starts, 1):
            session = self._sessions.get(place[1])  # None: forgotten since
            if session is not None and query.wants(session):
                found.append(self._snapshot(session))
                if len(found) == query.limit:
                    break
            if n % AT_ONCE == 0:
                if time.monotonic() >= end:
                    return Searched(found, place, place[0])
                await asyncio.sleep(0)
        return Searched(found)

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        return (await self.search_audit(query, math.inf)).rows

    async def search_audit(self, query: AuditQuery, seconds: float) -> FoundAudit:
        rows, after = self._audit, query.after
        if query.newest:
            rows = rows[: bisect_left(rows, after, key=_seq) if after else None][::-1]
        else:
            rows = rows[bisect_right(rows, after, key=_seq) :]
        found: list[AuditRow] = []
        end = time.monotonic() + seconds
        for n, row in enumerate(rows, 1):
            if query.wants(row):
                found.append(row)
                if len(found) == query.limit:
                    break
            if n % AT_ONCE == 0:
                if time.monotonic() >= end:
                    return Searched(found, row.seq, row.entry.at)
                await asyncio.sleep(0)
        return Searched(found)

    async def audit_after(self, cursor: Cursor | None, limit: int) -> AuditPart | None:
        if cursor is None:
            return AuditPart((), Cursor(self._log, (self._seq,)))
        if cursor.log != self._log or not self._trimmed <= cursor.places[0] <= self._seq:
            return None
        first = bisect_right(self._audit, cursor.places[0], key=_seq)
        rows = tuple((row, Cursor(self._log, (row.seq,))) for row in self._audit[first : first + limit])
        return AuditPart(rows, rows[-1][1] if rows else cursor, more=len(rows) >= limit)

    async def forget(self, room: str, sessions: Collection[str]) -> None:
        for session_id in sessions:
            session = self._sessions.get(session_id)
            if session is not None and session.ended:
                self._drop(session)

    async def purge(self, before: float, limit: int) -> int:
        over = (s for s in self._sessions.values() if s.ended_at is not None and s.ended_at < before)
        gone = list(itertools.islice(over, limit))
        for session in gone:
            self._drop(session)
        self._trimmed = max((row.seq for row in self._audit if row.entry.at < before), default=self._trimmed)
        self._audit = [row for row in self._audit if row.entry.at >= before]
        forgotten = self._clock() - REMEMBER_FOR
        for held in self._rooms.values():
            held.answers = {i: a for i, a in held.answers.items() if a.at > forgotten}
        kept = {s.room for s in self._sessions.values()}
        self._rooms = {n: r for n, r in self._rooms.items() if n in kept or r.waiting or r.answers}
        return len(gone)

    async def beat(self, now: float) -> None:
        self._beat = now

    async def last_beat(self) -> float | None:
        return self._beat

    async def postpone(
        self, seconds: float, since: float, skip: Collection[str], after: str | None, limit: int
    ) -> str | None:
        open_ids = (s.id for s in self._sessions.values() if not s.ended and s.last_active_at <= since)
        ids = sorted(i for i in open_ids if after is None or i > after)[:limit]
        for session_id in ids:
            if session_id not in skip:
                self._put(postponed(self._sessions[session_id], seconds))
        return ids[-1] if len(ids) == limit else None

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def _drop(self, session: Session) -> None:
        """Forgets the record."""
        del self._sessions[session.id]
        self._by_start.remove((session.started_at, session.id))
        self._subjects.forget(session)

    def _put(self, session: Session) -> None:
        """Stores the record and keeps the indexes right."""
        old = self._sessions.get(session.id)
        self._sessions[session.id] = session
        self._subjects.put(old, session)
        self._open += (not session.ended) - (old is not None and not old.ended)
        if old is None or old.started_at != session.started_at:
            if old is not None:
                self._by_start.remove((old.started_at, old.id))
            insort(self._by_start, (session.started_at, session.id))
        live = self._rooms[session.room].live
        if session.ended:
            live.pop(session.id, None)
        else:
            live[session.id] = session
            if old is None or due_at(old) > due_at(session):  # a later deadline is found when the earlier one comes
                heapq.heappush(self._due, (due_at(session), session.id))

    def _snapshot(self, session: Session) -> Snapshot:
        held = self._rooms.get(session.room)
        live = held.live.values() if held is not None else ()
        return Snapshot(session, newest_epoch(live, session.slot))
