"""What the API answers, as models: only to describe it. The answers themselves are made in `protocol`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from enforcer import protocol
from enforcer.domain.model import ActorKind, AuditEvent, EndReason

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Delivery = Literal["pending", "acked", "refused_on_return", "gone"]


class Record(BaseModel):
    """What is only described, not validated: its schema is built when the description is."""

    model_config = ConfigDict(defer_build=True)


class DeviceRecord(Record):
    """A device, as the app told it."""

    label: str | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    id: str | None = None
    user_agent: str | None = None
    ip: str | None = None


class ActorRecord(Record):
    """Who ended a session; `name` is that of a signal."""

    kind: ActorKind
    session: str | None = None
    device: DeviceRecord | None = None
    key: Annotated[str | None, Field(json_schema_extra={"description": "the name of the key that was used"})] = None
    name: str | None = None


class SeenRecord(Record):
    """How a request of `enforcer doctor` has arrived; the clocks in UTC seconds."""

    host: str
    address: str
    peer: str | None
    trusted: bool
    forwarded: bool
    clock: float
    store_clock: float


class IdentityRecord(Record):
    """Who logged in, as the app told it from the ID token."""

    iss: str
    sub: str
    sid: str | None = None
    auth_time: int | None = None


class SessionRecord(Record):
    """A session, live or ended."""

    session: str
    room: str
    active: bool
    claimed: bool
    newest: bool
    online: bool
    epoch: int
    started_at: Time
    last_seen_at: Time
    last_active_at: Time
    idle_expires_in: float | None
    absolute_expires_in: float | None
    device: DeviceRecord | None
    entry: str | None
    ended_at: Time | None
    end_reason: EndReason | None
    ended_by: ActorRecord | None
    delivery: Delivery | None
    slot: str | None
    exempt: bool
    impersonated_by: str | None
    idp: IdentityRecord | None
    aliases: list[str]


class LoginRecord(Record):
    """What a login got. `session` and the tickets are null while it waits for a page (`join: "open"`)."""

    room: str
    session: str | None
    pending: bool | None = None
    ticket: str | None
    proxy_ticket: str | None
    ticket_expires_in: float | None
    epoch: int
    created: bool
    displaced: list[str]


class TicketsRecord(Record):
    """New tickets for a live session; the elevated one if it was asked for."""

    ticket: str | None
    proxy_ticket: str | None
    ticket_expires_in: float | None
    elevated_ticket: str | None = None
    elevated_expires_in: float | None = None


class OtherRecord(Record):
    """A session that counts for a login's limit."""

    session: str
    device: DeviceRecord | None
    started_at: Time
    last_seen_at: Time
    online: bool


class EndingRecord(OtherRecord):
    """A session that would end for a login."""

    reason: EndReason


class ExplanationRecord(Record):
    """What a login would do now, and why. `max_sessions` is null for an exempt one."""

    outcome: Literal["admitted", "refused"]
    code: Annotated[str | None, Field(json_schema_extra={"examples": ["session-limit", "session-ended"]})]
    room: str
    slot: str | None
    policy: Literal["displace", "reject"]
    max_sessions: int | None
    counted: list[OtherRecord]
    would_end: list[EndingRecord]
    why: list[str]


class CountRecord(Record):
    """How many sessions were ended."""

    ended: int


class PageDevice(Record):
    """What pages are told of a device."""

    label: str | None
    class_: Annotated[str | None, Field(alias="class")]


class DeviceSession(Record):
    """A live session of the page's user. `support` is there and true where somebody else acts for the user."""

    session: str
    current: bool
    device: PageDevice | None
    slot: str | None
    started_at: Time
    last_seen_at: Time
    online: bool
    support: Literal[True] | None = None


class DeviceList(Record):
    """The live sessions of the page's user, last seen first, 100 at most; `more` are not shown."""

    sessions: list[DeviceSession]
    more: int
    max_sessions: int
    may_end: bool


class RoomRecord(Record):
    """The live sessions of a room, newest login first."""

    room: str
    sessions: list[SessionRecord]


class EndedRecord(Record):
    """The sessions that were ended now."""

    ended: list[str]


class SessionLogPage(Record):
    """A page of the session log."""

    items: list[SessionRecord]
    next: str | None


class AuditRecord(Record):
    """A transition."""

    seq: str
    at: Time
    event: AuditEvent
    room: str
    session: str | None
    reason: EndReason | None
    epoch: int | None
    by: ActorRecord | None
    device: DeviceRecord | None
    slot: str | None
    impersonated_by: str | None
    note: str | None


class AuditLogPage(Record):
    """A page of the audit log."""

    items: list[AuditRecord]
    next: str | None


class WebhookRecord(Record):
    """How a webhook stands. `lag` is how many seconds the oldest event has waited that was not taken up yet."""

    name: str
    url: str
    state: Literal["ok", "failing", "off"]
    lag: float
    failing_since: Time | None
    dead: int
    last_status: int | None


class WebhookList(RootModel[list[WebhookRecord]]):
    """The webhooks, in the order of the configuration."""


class DeadLetter(Record):
    """An event that no try was taken of. `body` is what was sent."""

    id: str
    at: Time
    room: str
    tries: int
    last_tried_at: Time | None
    last_status: int | None
    last_error: str | None
    body: dict[str, Any]


class DeadLetters(RootModel[list[DeadLetter]]):
    """Dead letters, the oldest event first."""


class RetriedRecord(Record):
    """How many events are tried again."""

    retried: int


class TestRecord(Record):
    """What came of a test."""

    id: str
    delivered: bool
    status: int | None
    error: str | None


class PageSession(Record):
    """What a page knows about its live session; times are remaining milliseconds."""

    session: str
    room: str
    active: Literal[True]
    claimed: bool
    newest: bool
    epoch: int
    idle_ms: int | None
    warn_ms: int
    absolute_ms: int | None
    server_now: Time
    ticket: str | None = None


class KickTimes(Record):
    """Milliseconds from the end of a session to its page's ack, of the last five minutes; null if there was none."""

    p50: float | None
    p99: float | None


class NodeRecord(Record):
    """One process."""

    node: str
    version: str
    uptime_s: float
    sockets: int
    online: int


class OverviewRecord(Record):
    """How it goes, over all nodes that share the store."""

    open_sessions: int
    online: int
    sockets: int
    logins_per_minute: int
    ends_per_minute: dict[EndReason, int]
    kick_ms: KickTimes
    store: Literal["sqlite", "redis", "memory"]
    nodes: list[NodeRecord]
    version: str
    uptime_s: float


class FieldError(Record):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemDocument(Record):
    """RFC 9457. Go by `code`; some codes add members."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(json_schema_extra={"enum": sorted(protocol.PROBLEMS)})]
    errors: list[FieldError] | None = None


class Health(Record):
    """Alive, or ready."""

    status: Literal["ok", "ready"]
