"""The words of the domain as frozen values. No behaviour beyond what follows from the fields alone.

Times are UTC seconds since the epoch (`float`), durations are seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

FOREVER = 9e15
"""Later or longer than any time: stands for "none" where a number is needed."""


class EndReason(StrEnum):
    """Why a session ended. Stable public names."""

    DISPLACED = "displaced"
    REPLACED = "replaced"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    LOGOUT = "logout"
    LOGOUT_EVERYWHERE = "logout_everywhere"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password
    SECURITY = "security"
    ADMIN = "admin"
    LOST = "lost"
    IDP_LOGOUT = "idp_logout"
    CAEP = "caep"


class ActorKind(StrEnum):
    """Who ended a session."""

    LOGIN = "login"
    PAGE = "page"
    APP = "app"
    ADMIN = "admin"
    TIMER = "timer"
    SIGNAL = "signal"


class AuditEvent(StrEnum):
    """What a row of the audit log tells."""

    STARTED = "started"
    CLAIMED = "claimed"
    ENDED = "ended"
    LOGIN_REFUSED = "login_refused"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Device:
    """What the app server told about the browser or app of a login; all optional."""

    label: str | None = None
    class_: str | None = None
    id: str | None = None
    user_agent: str | None = None
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: for a login, the session that displaced and its device; for a signal, its `name` in the settings.
    `key` names the key, if it has a name."""

    kind: ActorKind
    session: str | None = None
    device: Device | None = None
    key: str | None = None
    name: str | None = None


class Identity(NamedTuple):
    """Who logged in, in the words of an identity provider (OpenID Connect Core 1.0 §2): claims of the ID token.

    `sid` is the session there, `auth_time` when the user proved who it is: whole seconds, UTC.
    """

    iss: str
    sub: str
    sid: str | None = None
    auth_time: int | None = None


class Session(NamedTuple):
    """One login in one browser or app. Tabs of a browser share it.

    `claimed` is false only in `join: "open"`, between a page's first join and its login.
    `epoch` is that of its latest claim, 0 while unclaimed.
    `seen_until` is when it stops to count as alive unless it is seen again.
    `idle_at`, `absolute_at`, `lost_at` and `window_at` are deadlines, `None` where there is none:
    without human activity; whatever happens; without being seen; and, for an unclaimed session, without a login.
    `online_until` is how long a live socket of it is known of, in whichever process.
    `slot` is the one in which it competes, None the common one; an `exempt` one competes with nobody.
    `impersonated_by` names who really acts. `idle_timeout` and `warn_before` are its own (seconds, `FOREVER`: none),
    None where the settings hold. `reported_at` is when its user has said "it wasn't me". By `idp` and `aliases` the
    signals of identity providers find it.
    """

    id: str
    room: str
    claimed: bool
    epoch: int
    started_at: float
    last_seen_at: float
    last_active_at: float
    seen_until: float
    idle_at: float | None
    absolute_at: float | None
    lost_at: float | None
    window_at: float | None = None
    device: Device | None = None
    entry: str | None = None
    ended_at: float | None = None
    end_reason: EndReason | None = None
    ended_by: Actor | None = None
    acked_at: float | None = None
    refused_at: float | None = None
    online_until: float = 0.0
    slot: str | None = None
    exempt: bool = False
    impersonated_by: str | None = None
    idle_timeout: float | None = None
    warn_before: float | None = None
    reported_at: float | None = None
    idp: Identity | None = None
    aliases: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def claimed_again(self) -> bool:
        """Whether its latest claim may be another than its first, with which it started."""
        return self.epoch > int(self.started_at * 1e6)

    @property
    def passing(self) -> bool:
        """It was a page that no login has claimed and that time has ended: nothing of it is kept."""
        return not self.claimed and self.ended_by is not None and self.ended_by.kind is ActorKind.TIMER


class Snapshot(NamedTuple):
    """A session as it was read, and the highest epoch among those that competed with it then (`newest_epoch`)."""

    session: Session
    newest_epoch: int

    @property
    def newest(self) -> bool:
        s = self.session
        return s.claimed and not s.ended and not s.exempt and s.epoch == self.newest_epoch


def newest_epoch(live: Iterable[Session], slot: str | None) -> int:
    """The highest epoch among the live sessions of a slot that are not exempt; 0 if there is none."""
    return max((s.epoch for s in live if s.slot == slot and not s.exempt), default=0)


class Terms(NamedTuple):
    """What a login asks for itself; None where it asks for nothing, and then the settings hold.

    `max_sessions` and `policy` are for this login's decision alone. Time-outs are seconds, `FOREVER` stands for none.
    `ends` are ids of sessions of the room that are to end for it. `idp` and `aliases` say who logs in.
    """

    slot: str | None = None
    max_sessions: int | None = None
    policy: str | None = None
    idle_timeout: float | None = None
    absolute_timeout: float | None = None
    warn_before: float | None = None
    exempt: bool | None = None
    impersonated_by: str | None = None
    ends: tuple[str, ...] = ()
    idp: Identity | None = None
    aliases: tuple[str, ...] | None = None


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class WaitingLogin:
    """A login of `join: "open"` that no page has taken yet. `key` names the key that it came with."""

    at: float
    device: Device | None = None
    entry: str | None = None
    replaces: str | None = None
    terms: Terms = NO_TERMS
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What a login got. `session` is None while it waits for a page (`join: "open"`)."""

    session: str | None
    epoch: int
    created: bool
    displaced: tuple[str, ...] = ()
    absolute_at: float | None = None


@dataclass(frozen=True, slots=True)
class RememberedAnswer:
    """The answer to a `request_id`, kept so that a repeat has no second effect.

    `fingerprint` stands for the parsed body without its key.
    """

    request_id: str
    fingerprint: str
    at: float
    answer: LoginAnswer


class RoomState(NamedTuple):
    """All that decides about a room: its live sessions, and what the caller asked the store to look up.

    `sessions` are the live ones, oldest claim first, unclaimed ones (epoch 0) before them by start.
    `found` has the session ids that were asked for, wherever they are, live or ended; unknown ids are absent.
    `remembered` is the kept answer to the request id that was asked for. `signalled` are the subjects that were asked
    for and of which a signal has spoken lately: before when they must have logged in to be refused (`domain.signals`).
    """

    room: str
    epoch: int = 0
    sessions: tuple[Session, ...] = ()
    waiting: tuple[WaitingLogin, ...] = ()
    found: Mapping[str, Session] = MappingProxyType({})
    remembered: RememberedAnswer | None = None
    signalled: Mapping[str, float] = MappingProxyType({})


class AuditEntry(NamedTuple):
    """One transition, as the audit log keeps it. `note` is what a user has written who reported a session."""

    at: float
    event: AuditEvent
    room: str
    session: str | None
    reason: EndReason | None = None
    epoch: int | None = None
    by: Actor | None = None
    device: Device | None = None
    slot: str | None = None
    impersonated_by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An audit entry with its place in the log. `operation` names the commit that wrote it."""

    seq: int
    operation: str
    entry: AuditEntry


def in_order(live: Iterable[Session]) -> tuple[Session, ...]:
    """The live sessions of a room in the order of `RoomState.sessions`."""
    return tuple(sorted(live, key=lambda s: (s.epoch, s.started_at, s.id)))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A session that the login `by` replaces and that is not live in the login's room."""

    session: str
    by: Actor


class Decision(NamedTuple, Generic[T]):
    """What a pure decision wants committed in one step, and the `result` for its caller.

    `None` for `epoch` and `waiting` means unchanged. `changed` are whole new records. `elsewhere` is not committed
    with it: a session that may be another room's and is to end right after.
    """

    result: T
    changed: tuple[Session, ...] = ()
    epoch: int | None = None
    waiting: tuple[WaitingLogin, ...] | None = None
    audit: tuple[AuditEntry, ...] = ()
    remember: RememberedAnswer | None = None
    elsewhere: Elsewhere | None = None

    def after(self, room: RoomState) -> RoomState:
        """The room as this leaves it, without what was only asked for."""
        live = {s.id: s for s in room.sessions}
        for session in self.changed:
            live.pop(session.id, None)
            if not session.ended:
                live[session.id] = session
        return RoomState(
            room.room,
            room.epoch if self.epoch is None else self.epoch,
            in_order(live.values()),
            room.waiting if self.waiting is None else self.waiting,
        )

    @property
    def empty(self) -> bool:
        """Nothing to commit."""
        return not (self.changed or self.audit or self.remember or self.waiting is not None or self.epoch is not None)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit has changed in a room, for those who hold its sockets.

    `whole`: nothing that others must know was missed before it, so each session that is not here is as it was, but for
    which is the newest. Else any of them may have ended: whoever holds a socket of it reads the store.
    """

    room: str
    sessions: tuple[Session, ...]
    whole: bool = True

    def may_concern(self, epoch: int, newest: bool) -> bool:
        """Whether a live session that is not here, with this epoch, may have become the newest, or no longer be it."""
        if not self.whole:
            return True
        later = [s for s in self.sessions if s.epoch > epoch]
        if newest:
            return any(not s.ended for s in later)
        return any(s.ended or s.claimed_again for s in later)  # one that claims again may have left its slot


class Mark(NamedTuple):
    """What was noticed about a session without deciding anything: merged into its record in batches.

    Times only ever grow (`max`), the first `acked_at` and `refused_at` stay, and `seen_until` may be
    shortened by `left_until`, `online_until` by `offline_at`. `idle_at` and the presence fields apply to live
    sessions only.
    """

    session: str
    last_seen_at: float | None = None
    seen_until: float | None = None
    lost_at: float | None = None
    left_until: float | None = None
    last_active_at: float | None = None
    idle_at: float | None = None
    online_until: float | None = None
    offline_at: float | None = None
    acked_at: float | None = None
    refused_at: float | None = None
