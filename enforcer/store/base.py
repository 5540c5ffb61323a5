"""The storage seam. These docstrings are the contract; `tests/contract` holds every store to it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from enforcer.domain.deliveries import Delivery, HookState, Settlement
from enforcer.domain.model import AuditRow, Change, Decision, Mark, RoomState, Snapshot
from enforcer.store.cursors import Cursor
from enforcer.store.queries import AuditPart, AuditQuery, Claim, FoundAudit, FoundSessions, SessionQuery

T = TypeVar("T")
Decide = Callable[[RoomState, float], Decision[T]]
"""A pure function of a room's state and `now` (UTC seconds)."""


class Store(Protocol):
    """Rooms and sessions.

    Session ids are global: an id belongs to one room, live or ended, as long as its record is kept. Every method
    raises `StoreUnavailable` when the store cannot answer; after a method that writes, this means *unknown*.
    """

    @property
    def shared(self) -> "Shared | None":
        """What processes that use the same data at the same time owe each other; None: this one is alone."""
        ...

    @property
    def presence_log(self) -> "PresenceLog | None":
        """Where a process that is alone notes who has a socket; None: nowhere, or in the records."""
        ...

    @property
    def logs(self) -> "Logs":
        """What has happened."""
        ...

    @property
    def upkeep(self) -> "Upkeep":
        """What is done as time passes."""
        ...

    def now(self) -> float:
        """UTC seconds by the clock that decides here. Never used to measure how long something took."""
        ...

    async def open(self) -> None:
        """Makes the store ready, once. Raises `StartError` for what an operator must mend first."""
        ...

    async def close(self) -> None:
        """Finishes what was begun and lets go of everything. May be called twice, or without `open`."""
        ...

    async def ping(self) -> None:
        """Returns if the store would take a login now."""
        ...

    @property
    def subjects(self) -> "Subjects":
        """Of whom signals speak."""
        ...

    async def transact(
        self,
        room: str,
        decide: Decide[T],
        *,
        sessions: Collection[str] = (),
        request_id: str | None = None,
        claim: Claim | None = None,
    ) -> Decision[T]:
        """Reads the room, lets `decide` choose, and commits its decision in one atomic, durable step; the decision.

        `sessions` are ids whose records `decide` needs wherever they are (`RoomState.found`), `request_id` one whose
        kept answer it needs (`RoomState.remembered`), `claim` names subjects of which it must know whether a signal has
        spoken of them (`RoomState.signalled`); see `Subjects.note`. `decide` may run more than once and may run in
        another thread; only its last decision is committed. Decisions about one room are taken one after the other,
        each on the state that the one before left. If `decide` raises, nothing is committed and the error is the
        caller's.
        When this returns, every later read here sees the change, and the listeners have been told of it.
        """
        ...

    async def mark(self, marks: Sequence[Mark]) -> None:
        """Merges what was noticed into the records, each in one step, as `deadlines.merged` does; skips unknown ids.

        In as many portions as it takes for nobody else to wait long; a shared store spreads them over half a second.
        """
        ...

    async def get(self, session: str) -> Snapshot | None:
        """The session, live or ended; None if the store does not know the id."""
        ...

    def at_hand(self, session: str) -> Snapshot | None:
        """What `get` would return, if it can be said without waiting for anything; None says nothing."""
        ...

    async def room(self, room: str) -> RoomState:
        """The room with its live sessions; an unknown room is empty."""
        ...

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls `listener` on the event loop with each committed change of records, before `transact` returns.

        A hint for those who hold sockets, never the truth: whoever may have missed one reads the store.
        """
        ...


class Logs(Protocol):
    """The logs: a row for each session, and an audit row for each thing that happened to one."""

    @property
    def outbox(self) -> "Outbox":
        """Where webhooks have come to in the audit log."""
        ...

    async def sessions(self, query: SessionQuery) -> list[Snapshot]:
        """The session log."""
        ...

    async def audit(self, query: AuditQuery) -> list[AuditRow]:
        """The audit log. `seq` grows in a room in the order of its commits."""
        ...

    async def search_sessions(self, query: SessionQuery, seconds: float) -> FoundSessions:
        """The session log as far as it can be searched in about so many seconds. Like `sessions`, it keeps nobody from
        logging in, however much there is to search."""
        ...

    async def search_audit(self, query: AuditQuery, seconds: float) -> FoundAudit:
        """The audit log, likewise."""
        ...

    async def open_sessions(self) -> int:
        """How many sessions are live, pages that no login has claimed included; without looking at each."""
        ...

    async def audit_after(self, cursor: Cursor | None, limit: int) -> AuditPart | None:
        """The audit rows behind a cursor, at most `limit`; none when there are no more for now.

        Without a cursor: no rows, and the cursor of where the log ends now. None: rows behind the cursor are not kept
        any more, or it is one of another log; whoever copies the log must begin anew. The rows of a room come in the
        order of their commits, and none is left out, whatever is committed while somebody reads.
        """
        ...


class Outbox(Protocol):
    """What is known of webhooks, each by its name: the place in the audit log up to which events were taken up, and the
    deliveries that are not over. All of it is as durable as sessions are."""

    async def begin(self, hook: str, cursor: str) -> None:
        """Makes a hook known, at this place of the log, unless it is."""
        ...

    async def hooks(self) -> dict[str, HookState]:
        """All that are known, configured or not."""
        ...

    async def settle(self, hook: str, change: Settlement) -> None:
        """Stores a change of a known hook in one atomic step; ids in `done` that there are not are skipped."""
        ...

    async def due(self, hook: str, until: float, limit: int) -> list[Delivery]:
        """Deliveries that are due by `until`, the earliest first, then by id."""
        ...

    async def dead(self, hook: str, after: str | None, limit: int) -> list[Delivery]:
        """Dead letters in the order of `at`, then id; those behind the one with the id `after`, which may be gone: then
        from the beginning."""
        ...

    async def count_dead(self, hook: str) -> int:
        """How many dead letters there are."""
        ...

    async def find(self, hook: str, ids: Collection[str]) -> list[Delivery]:
        """Those of these deliveries that are not over, dead or not."""
        ...


class Upkeep(Protocol):
    """What is done as time passes: finding what is over, forgetting what is old, making up for an outage."""

    async def due(self, now: float, limit: int, absolute_only: bool = False) -> list[str]:
        """Rooms with a live session whose time may be over (`deadlines.due_at`) at `now`, the longest overdue first.

        Costs no more than what it returns: a look at an index, never at all sessions. `limit` bounds the sessions
        looked at, so a room may appear because of one of them and have more. With `absolute_only`, no other deadline
        counts.
        """
        ...

    async def purge(self, before: float, limit: int) -> int:
        """Forgets at most `limit` sessions that ended before `before`, audit rows older than that, and answers to
        request ids past their memory. Live sessions stay whatever their age. The number of sessions forgotten."""
        ...

    async def forget(self, room: str, sessions: Collection[str]) -> None:
        """Forgets these sessions of the room, which have ended; live and unknown ones are skipped."""
        ...

    async def beat(self, now: float) -> None:
        """Notes durably that a node was at work at `now`: sessions whose time was over were ended."""
        ...

    async def last_beat(self) -> float | None:
        """When a node was last at work, this one or another; None if never."""
        ...

    async def postpone(
        self, seconds: float, since: float, skip: Collection[str], after: str | None, limit: int
    ) -> str | None:
        """Moves the idle and lost deadlines of open sessions without activity later than `since`, by `seconds`.

        Goes through at most `limit` open sessions in an order of its own, those behind `after`, and leaves out the
        ids in `skip`. Where it has come to, for the next call's `after`; None when it is through.
        """
        ...


class Subjects(Protocol):
    """Of whom signals speak, and what they have said: on all nodes that share the store."""

    async def note(self, not_before: Mapping[str, float], seconds: float) -> None:
        """Notes durably, for so long, that these subjects were signalled; of two times for one the later one stays.

        A claim of one of them is either decided with what is noted here, on whichever node, or `rooms` names its room
        from when this returns, and the next decision about that room which commits something comes after it.
        """
        ...

    async def rooms(self, subjects: Collection[str]) -> set[str]:
        """The rooms with sessions, live or ended, that can be spoken of by one of these; perhaps others, too."""
        ...

    async def used(self, message: str) -> bool:
        """Whether it was taken: a message of an issuer, or another name that counts once."""
        ...

    async def use(self, message: str, seconds: float) -> bool:
        """Takes it, durably, for so long; False if it was taken before: of several who try, one succeeds."""
        ...


class Shared(Protocol):
    """The part of a store that several processes use at the same time."""

    async def hold(self, room: str) -> None:
        """From when this returns until `release`, the listeners hear of commits to the room by other processes too.

        At once, if nothing is lost on the way; a second later at the latest when the store can be read, and then with
        the sessions that are live now: of any other that the listener cares for it reads what has become. Counted: each
        call wants its `release`.
        """
        ...

    def release(self, room: str) -> None:
        """One holder of the room less."""
        ...

    async def lease(self, task: str, seconds: float) -> bool:
        """Whether this process may do `task` for so long: one of those that share the store may, and may renew it."""
        ...

    async def give_back(self, task: str) -> None:
        """Lets others do `task`, if this process held its lease."""
        ...

    async def announce(self, text: str) -> None:
        """Says something about this process to the others, in place of what it said before."""
        ...

    async def unannounce(self) -> None:
        """Takes it back: this process stops."""
        ...

    async def announced(self) -> list[str]:
        """What the other processes said within the last ten seconds."""
        ...


class PresenceLog(Protocol):
    """Who has a socket, noted in one piece for the process after this one."""

    async def present(self, share: int, sessions: Collection[str], now: float) -> None:
        """Notes durably that these sessions have a socket here at `now`, in place of what was noted for the share."""
        ...

    async def take_presence(self, alive_window: float) -> None:
        """At the start: who was `present` in the process before this one counts as seen then, unless it was since."""
        ...
