"""What the server answers, as it is on the wire; it may have more members than are named here."""

from typing import Any, Literal, TypedDict


class Device(TypedDict, total=False):
    """A browser or app. Without `label` and `class` they are made of `user_agent`."""

    label: str
    id: str
    user_agent: str
    ip: str


class Login(TypedDict):
    """What a login got. Keep `session` in your own session; `ticket` is for the page."""

    room: str
    session: str
    ticket: str
    proxy_ticket: str
    ticket_expires_in: float | None
    epoch: int
    created: bool
    displaced: list[str]


def to_keep(login: Login) -> dict[str, str]:
    """What an application's own session keeps of a login."""
    return {"room": login["room"], "session": login["session"], "ticket": login["ticket"]}


class Session(TypedDict):
    """A session. Times are ISO 8601 UTC, durations seconds."""

    session: str
    room: str
    active: bool
    claimed: bool
    newest: bool
    online: bool
    epoch: int
    started_at: str
    last_seen_at: str
    last_active_at: str
    idle_expires_in: float | None
    absolute_expires_in: float | None
    device: dict[str, str] | None
    entry: str | None
    ended_at: str | None
    end_reason: str | None
    ended_by: dict[str, Any] | None
    delivery: str | None
    slot: str | None
    exempt: bool
    impersonated_by: str | None


class Tickets(TypedDict, total=False):
    """New tickets; the elevated one if it was asked for."""

    ticket: str
    proxy_ticket: str
    ticket_expires_in: float | None
    elevated_ticket: str
    elevated_expires_in: float


class Explanation(TypedDict):
    """What a login would do, and why."""

    outcome: Literal["admitted", "refused"]
    code: str | None
    room: str
    slot: str | None
    policy: str
    max_sessions: int | None
    counted: list[dict[str, Any]]
    would_end: list[dict[str, Any]]
    why: list[str]


class Terms(TypedDict, total=False):
    """What a login may ask for itself; see the server's docs/who-may-stay.md."""

    entry: str
    slot: str
    max_sessions: int
    policy: Literal["displace", "reject"]
    idle_timeout: float | str
    absolute_timeout: float | str
    warn_before: float | str
    exempt: bool
    impersonated_by: str
    ends: list[str]
    idp: dict[str, Any]
    aliases: list[str]
