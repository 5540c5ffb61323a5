"""Between records and rows of plain values (texts, numbers, None), for the stores that write them down. Pure."""

from typing import Any

import orjson

from enforcer.domain.model import (
    NO_TERMS,
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    AuditRow,
    Device,
    EndReason,
    Identity,
    LoginAnswer,
    RememberedAnswer,
    Session,
    Terms,
    WaitingLogin,
)

COLUMNS = (
    "id, room, claimed, epoch, started_at, last_seen_at, last_active_at, seen_until, idle_at, absolute_at, lost_at, "
    "window_at, device, entry, ended_at, end_reason, ended_by, acked_at, refused_at, online_until, "
    "slot, exempt, particulars"
)
"""Of a session, in the order of `Session`'s fields; `particulars` are those that few sessions have."""

AUDIT_COLUMNS = "operation, at, event, room, session, reason, epoch, actor, device, slot, impersonated_by, note"

ANSWER_COLUMNS = "request_id, fingerprint, at, answer"


def session_row(s: Session) -> tuple[Any, ...]:
    return (
        s.id,
        s.room,
        int(s.claimed),
        s.epoch,
        s.started_at,
        s.last_seen_at,
        s.last_active_at,
        s.seen_until,
        s.idle_at,
        s.absolute_at,
        s.lost_at,
        s.window_at,
        _device_text(s.device),
        s.entry,
        s.ended_at,
        value_of(s.end_reason),
        actor_text(s.ended_by),
        s.acked_at,
        s.refused_at,
        s.online_until,
        s.slot,
        int(s.exempt),
        _particulars_text(s),
    )


def only_ended(before: Session | None, after: Session) -> bool:
    """Whether nothing but its end, and when it was seen, distinguishes a record from the one before."""
    return before is not None and before == after._replace(
        last_seen_at=before.last_seen_at,
        seen_until=before.seen_until,
        ended_at=before.ended_at,
        end_reason=before.end_reason,
        ended_by=before.ended_by,
    )


def session_of(row: tuple[Any, ...]) -> Session:
    """From the first columns of a row, as `COLUMNS` names them; the version before wrote none behind `online_until`."""
    slot, exempt, particulars = row[20:23] if len(row) > 20 else _NO_MORE
    return Session(
        row[0],
        row[1],
        bool(row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        row[11],
        _device(row[12]),
        row[13],
        row[14],
        None if row[15] is None else EndReason(row[15]),
        _actor(row[16]),
        row[17],
        row[18],
        row[19],
        slot,
        bool(exempt),
        *(_NO_PARTICULARS if particulars is None else _particulars_of(*orjson.loads(particulars))),
    )


_NO_MORE = (None, 0, None)
_NO_PARTICULARS = (None, None, None, None, None, ())


def has_particulars(s: Session) -> bool:
    """Whether a session has any of what few have."""
    return _particulars(s) != _NO_PARTICULARS


def _particulars(s: Session) -> tuple[Any, ...]:
    return s.impersonated_by, s.idle_timeout, s.warn_before, s.reported_at, s.idp, s.aliases


def _particulars_text(s: Session) -> str | None:
    if not has_particulars(s):
        return None
    *others, idp, aliases = _particulars(s)
    return orjson.dumps([*others, _identity_list(idp), aliases]).decode()


def _particulars_of(
    impersonated_by: Any, idle: Any, warning: Any, reported_at: Any, idp: Any = None, aliases: Any = ()
) -> tuple[Any, ...]:
    return impersonated_by, idle, warning, reported_at, _identity(idp), tuple(aliases)


def _identity_list(idp: Identity | None) -> list[Any] | None:
    return None if idp is None else list(idp)


def _identity(row: list[Any] | None) -> Identity | None:
    return None if row is None else Identity._make(row)


def audit_row(operation: str, e: AuditEntry) -> tuple[Any, ...]:
    by, device = actor_text(e.by), _device_text(e.device)
    more = e.slot, e.impersonated_by, e.note
    return operation, e.at, str(e.event), e.room, e.session, value_of(e.reason), e.epoch, by, device, *more


def audit_of(row: tuple[Any, ...]) -> AuditRow:
    """From `seq` and `AUDIT_COLUMNS`; the version before wrote none behind `device`."""
    seq, operation, at, event, room, session, reason, epoch, by, device, *more = row
    why = None if reason is None else EndReason(reason)
    entry = AuditEntry(at, AuditEvent(event), room, session, why, epoch, _actor(by), _device(device), *more)
    return AuditRow(seq, operation, entry)


def waiting_text(waiting: tuple[WaitingLogin, ...]) -> str:
    if not waiting:  # nearly always
        return "[]"
    return orjson.dumps([_waiting_row(w) for w in waiting]).decode()


def _waiting_row(w: WaitingLogin) -> list[Any]:
    row = [w.at, _device_list(w.device), w.entry, w.replaces]
    if w.key is not None:
        return [*row, _terms_given(w.terms), w.key]
    return row if w.terms == NO_TERMS else [*row, _terms_given(w.terms)]


def waiting_of(text: str) -> tuple[WaitingLogin, ...]:
    if text == "[]":
        return ()
    return tuple(
        WaitingLogin(
            at,
            None if device is None else Device(*device),
            entry,
            replaces,
            _terms(more[0]) if more else NO_TERMS,
            *more[1:],
        )
        for at, device, entry, replaces, *more in orjson.loads(text)
    )


def _terms_given(terms: Terms) -> dict[str, Any]:
    """By their names, without those that were not given."""
    given = {name: value for name, value in terms._asdict().items() if value != getattr(NO_TERMS, name)}
    return given | ({"idp": _identity_list(terms.idp)} if terms.idp is not None else {})


def _terms(kept: dict[str, Any] | list[Any]) -> Terms:
    """What this version does not know is passed over; the version before kept a list of those that it knew."""
    given = kept if isinstance(kept, dict) else dict(zip(Terms._fields, kept, strict=False))
    terms = NO_TERMS._replace(**{name: value for name, value in given.items() if name in Terms._fields})
    aliases = None if terms.aliases is None else tuple(terms.aliases)
    return terms._replace(ends=tuple(terms.ends), idp=_identity(given.get("idp")), aliases=aliases)


def answer_row(kept: RememberedAnswer) -> tuple[Any, ...]:
    a = kept.answer
    answer = orjson.dumps([a.session, a.epoch, a.created, a.displaced, a.absolute_at]).decode()
    return kept.request_id, kept.fingerprint, kept.at, answer


def answer_of(row: tuple[Any, ...]) -> RememberedAnswer:
    """From `ANSWER_COLUMNS`."""
    session, epoch, created, displaced, absolute_at = orjson.loads(row[3])
    return RememberedAnswer(row[0], row[1], row[2], LoginAnswer(session, epoch, created, tuple(displaced), absolute_at))


def _device_list(device: Device | None) -> list[str | None] | None:
    return None if device is None else [device.label, device.class_, device.id, device.user_agent, device.ip]


def _device_text(device: Device | None) -> str | None:
    return None if device is None else orjson.dumps(_device_list(device)).decode()


def _device(text: str | None) -> Device | None:
    return None if text is None else Device(*orjson.loads(text))


def value_of(reason: EndReason | None) -> str | None:
    """The plain text: databases' drivers take long over anything else."""
    return None if reason is None else str(reason)


def actor_text(actor: Actor | None) -> str | None:
    if actor is None:
        return None
    named: list[str | None] = [] if actor.key is None else [actor.key]
    if actor.name is not None:
        named = [actor.key, actor.name]
    return orjson.dumps([actor.kind, actor.session, _device_list(actor.device), *named]).decode()


def _actor(text: str | None) -> Actor | None:
    if text is None:
        return None
    kind, session, device, *named = orjson.loads(text)
    return Actor(ActorKind(kind), session, None if device is None else Device(*device), *named)
