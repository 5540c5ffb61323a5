"""Bodies and query strings as strict models: what is not known here is an error with a hint, never ignored."""

import hashlib
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    PrivateAttr,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from enforcer import protocol
from enforcer.configuration.settings import LONGEST, duration
from enforcer.domain import devices
from enforcer.domain.model import FOREVER, NO_TERMS, Device, EndReason, Identity, Terms
from enforcer.domain.signals import ALIAS_LIMIT, MOST_ALIASES, NAME_LIMIT

DEMO_ROOMS = "demo:"
"""Rooms that begin so belong to the demo page; app servers cannot log in to them."""


def _room(value: str) -> str:
    if not protocol.valid_room(value):
        raise ValueError("1 to 256 characters, without control characters")
    return value


def _app_room(value: str) -> str:
    if value.startswith(DEMO_ROOMS):
        raise ValueError(f"rooms that begin with {DEMO_ROOMS!r} belong to the demo page")
    return _room(value)


def _session(value: str) -> str:
    if not protocol.valid_session(value):
        raise ValueError("1 to 256 of A-Z a-z 0-9 . _ ~ - : = +, and not . or ..")
    return value


_ROOM_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$"}
_APP_ROOM_SCHEMA = {**_ROOM_SCHEMA, "pattern": rf"^(?!{DEMO_ROOMS})[^\u0000-\u001f\u007f-\u009f]+$"}
_INTEGER_SCHEMA = {"type": "integer", "description": "stands for its decimal text"}
_SESSION_SCHEMA = {"type": "string", "pattern": r"^(?!\.{1,2}$)[A-Za-z0-9._~:=+-]{1,256}$"}

Room = Annotated[str, AfterValidator(_room), WithJsonSchema(_ROOM_SCHEMA)]
RoomInBody = Annotated[
    str,
    BeforeValidator(protocol.room_text),
    AfterValidator(_room),
    WithJsonSchema({"anyOf": [_ROOM_SCHEMA, _INTEGER_SCHEMA]}),
]
"""A room in JSON, where it may be a number."""
AppRoom = Annotated[
    str,
    BeforeValidator(protocol.room_text),
    AfterValidator(_app_room),
    WithJsonSchema({"anyOf": [_APP_ROOM_SCHEMA, _INTEGER_SCHEMA]}),
]
SessionId = Annotated[str, AfterValidator(_session), WithJsonSchema(_SESSION_SCHEMA)]


def _slot(value: str) -> str:
    if not protocol.valid_slot(value):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def _own_duration(value: object) -> float:
    """Seconds, `FOREVER` for "none": null is "not given" here."""
    if isinstance(value, str) and value.strip().lower() == "none":
        return FOREVER
    seconds = value if type(value) is int else duration(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST:
        raise ValueError('seconds from 1 on, as a number or a text like "15m"; or "none"')
    return float(seconds)


SlotName = Annotated[
    str, AfterValidator(_slot), WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,64}$"})
]
Person = Annotated[str, AfterValidator(_room), WithJsonSchema(_ROOM_SCHEMA)]
"""Somebody's name: what a room may be."""
OwnDuration = Annotated[
    float,
    PlainValidator(_own_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 1}, {"type": "string", "examples": ["15m", "none"]}]}),
]
SessionIdInQuery = Annotated[
    str,
    BeforeValidator(lambda text: text.replace(" ", "+")),  # no id has a space: a + was not encoded
    AfterValidator(_session),
    WithJsonSchema(_SESSION_SCHEMA),
]


def _reason(value: object) -> EndReason:
    for reason in protocol.ASKED_REASONS:
        if value == reason:
            return reason
    raise ValueError(f"one of {', '.join(protocol.ASKED_REASONS)}")


Reason = Annotated[
    EndReason, PlainValidator(_reason), WithJsonSchema({"type": "string", "enum": [*protocol.ASKED_REASONS]})
]


class Strict(BaseModel):
    """No coercion, no unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def _said(name: str) -> dict[str, Any]:
    """What the description says of a text that never refuses a login."""
    return {"description": f"{devices.LIMITS[name]} characters are kept"}


class DeviceBody(Strict):
    """What the app knows about the browser or app that logged in. What only describes never refuses a login: texts are
    cut, control characters taken out, an `ip` that is none is left out, and unknown members are ignored."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    label: Annotated[str | None, Field(json_schema_extra=_said("label"))] = None
    class_: Annotated[str | None, Field(alias="class", json_schema_extra=_said("class"))] = None
    id: Annotated[str | None, Field(json_schema_extra=_said("id"))] = None
    user_agent: Annotated[str | None, Field(json_schema_extra=_said("user_agent"))] = None
    ip: Annotated[str | None, Field(json_schema_extra={"description": "an IPv4 or IPv6 address"})] = None

    _changes: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _leniently(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if value == []:  # how PHP writes an empty object
            value = {}
        if not isinstance(value, dict):
            return handler(value)
        kept, changes = devices.tidied_device(value)
        body = handler(kept)
        if changes:
            body._changes = tuple(changes)
        return body

    @property
    def changes(self) -> tuple[str, ...]:
        """A sentence for each member that is not kept as it came."""
        return self._changes

    def device(self) -> Device:
        """As the domain knows it."""
        return Device(self.label, self.class_, self.id, self.user_agent, self.ip)


def _foreign(value: str) -> str:
    if not 1 <= len(value) <= NAME_LIMIT or not protocol.plain(value):
        raise ValueError(f"1 to {NAME_LIMIT} characters, without control characters")
    return value


def _alias(value: str) -> str:
    if not 1 <= len(value) <= ALIAS_LIMIT or not protocol.plain(value):
        raise ValueError(f"1 to {ALIAS_LIMIT} characters, without control characters")
    return value


def _whole_seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise ValueError("seconds since 1970, UTC")
    return int(value)


LATEST = 2**40
"""Seconds since 1970, for a moment that somebody else names."""
Foreign = Annotated[str, AfterValidator(_foreign), WithJsonSchema(_ROOM_SCHEMA | {"maxLength": NAME_LIMIT})]
"""A name that somebody else has given."""
Alias = Annotated[
    str,
    AfterValidator(_alias),
    WithJsonSchema(_ROOM_SCHEMA | {"maxLength": ALIAS_LIMIT, "examples": ["email:alice@example.com"]}),
]


class IdentityBody(Strict):
    """Who logged in, from the claims of the ID token: so signals of the identity provider find the session."""

    iss: Foreign
    sub: Foreign
    sid: Foreign | None = None
    auth_time: Annotated[
        int | None,
        BeforeValidator(lambda value: None if value is None else _whole_seconds(value)),
        WithJsonSchema({"type": "number", "minimum": 0, "maximum": LATEST}),
    ] = None

    def identity(self) -> Identity:
        """As the domain knows it."""
        return Identity(self.iss, self.sub, self.sid, self.auth_time)


class ClaimBody(Strict):
    """A login, as it is decided about."""

    room: AppRoom
    session: SessionId | None = None
    replaces: SessionId | None = None
    device: DeviceBody | None = None
    entry: Annotated[
        str | None, Field(json_schema_extra={"description": f"{devices.ENTRY_LIMIT} characters are kept"})
    ] = None
    slot: SlotName | None = None
    max_sessions: Annotated[int, Field(ge=1, le=1000)] | None = None
    policy: Literal["displace", "reject"] | None = None
    idle_timeout: OwnDuration | None = None
    absolute_timeout: OwnDuration | None = None
    warn_before: OwnDuration | None = None
    exempt: bool | None = None
    impersonated_by: Person | None = None
    ends: Annotated[list[SessionId], Field(max_length=100)] | None = None
    idp: IdentityBody | None = None
    aliases: Annotated[list[Alias], Field(max_length=MOST_ALIASES)] | None = None

    _changes: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _leniently(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        entry = value.get("entry") if isinstance(value, dict) else None
        if not isinstance(entry, str):
            return handler(value)
        text, changes = devices.tidied_text("entry", entry, devices.ENTRY_LIMIT)
        body = handler({**value, "entry": text or None})
        if changes:
            body._changes = tuple(changes)
        return body

    @field_validator("impersonated_by")
    @classmethod
    def _are_exempt(cls, person: str | None, info: ValidationInfo) -> str | None:
        if person is not None and info.data.get("exempt") is False:
            raise ValueError("who acts for a user is exempt; leave `exempt` out")
        return person

    @property
    def changes(self) -> tuple[str, ...]:
        """A sentence for each member that only describes and is not kept as it came."""
        return self._changes if self.device is None else (*self._changes, *self.device.changes)

    def fingerprint(self) -> str:
        """Equal for two bodies that ask for the same thing; the key does not count."""
        members = self.model_dump(mode="json", exclude={"key", "ends", "aliases"}, exclude_none=True)
        if self.ends:
            members["ends"] = self.terms().ends
        if self.aliases is not None:
            members["aliases"] = self.terms().aliases
        return hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def terms(self) -> Terms:
        """What it asks for itself, as the domain knows it."""
        if not _TERMS & self.model_fields_set:
            return NO_TERMS
        return Terms(
            self.slot,
            self.max_sessions,
            self.policy,
            self.idle_timeout,
            self.absolute_timeout,
            self.warn_before,
            self.exempt,
            self.impersonated_by,
            tuple(sorted(set(self.ends))) if self.ends else (),
            None if self.idp is None else self.idp.identity(),
            None if self.aliases is None else tuple(sorted(set(self.aliases))),
        )


_TERMS = frozenset(Terms._fields)


class LoginBody(ClaimBody):
    """A user has just logged in."""

    request_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class NotifyBody(LoginBody):
    """The same, with the key where the original protocol has it."""

    key: str | None = None


class ValidateBody(Strict):
    """Is this session live?"""

    session: SessionId
    room: RoomInBody | None = None
    require: Literal["active"] | None = None


class LogoutUserBody(Strict):
    """Log a user out everywhere."""

    room: RoomInBody
    except_: Annotated[SessionId | None, Field(alias="except")] = None
    reason: Reason | None = None


class PageActivityBody(Strict):
    """How long ago the human did something, in milliseconds."""

    idle_for_ms: Annotated[int, Field(ge=0)] = 0


class PageLogoutBody(Strict):
    """Only here, or everywhere."""

    everywhere: bool = False


class TicketBody(Strict):
    """For how many seconds an elevated ticket is to be good, if one is wanted."""

    elevate_for: Annotated[float, Field(ge=1, le=3600)] | None = None


class LogoutAllBody(Strict):
    """Log everybody out: those who started before a time, those of one slot ("" is the common one)."""

    reason: Reason | None = None
    before: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    slot: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] | None = None


class DeviceEndBody(Strict):
    """One session of the user by its id, or all others."""

    session: SessionId | None = None
    others: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.session is not None) == self.others:
            raise ValueError("give either `session` or `others`: true")
        return self


class ReportBody(Strict):
    """What the user has to say, if anything; 500 characters are kept."""

    note: str | None = None


class AdminLoginForm(Strict):
    """Logging in to the console."""

    key: str


class AdminEndBody(Strict):
    """Ends one session, or all of a room."""

    session: SessionId | None = None
    room: RoomInBody | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.session is None) == (self.room is None):
            raise ValueError("give either `session` or `room`")
        return self


class NoBody(Strict):
    """A call that takes no members."""


class ValidateQuery(Strict):
    """How strict the answer is to be."""

    require: Literal["active"] | None = None
    room: Room | None = None


class EndQuery(Strict):
    """Why a session is ended."""

    reason: Reason | None = None


class EndAllQuery(Strict):
    """Which session stays, and why the others end."""

    except_: Annotated[SessionIdInQuery | None, Field(alias="except")] = None
    reason: Reason | None = None


class NoQuery(Strict):
    """A call that takes no parameters."""


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of one value."""
    return TypeAdapter(kind).json_schema()
