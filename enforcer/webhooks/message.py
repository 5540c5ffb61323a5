"""What a receiver is told of an event. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from enforcer import protocol
from enforcer.domain.deliveries import Delivery
from enforcer.domain.model import AuditRow

TEST = "webhook.test"
"""The type of the message that an operator sends to see whether a hook works."""
_LOG = 8
"""Digits of the name of the log in an id: a log that begins anew numbers its rows anew."""


def message_id(hook: str, log: str, seq: int) -> str:
    """The `webhook-id`: of the hook's name and the row's `seq`, without full stops, which signatures are made with."""
    return f"{hook.replace('.', '~')}_{log[:_LOG]}_{seq}"


def delivery_of(hook: str, log: str, row: AuditRow, record: Mapping[str, Any] | None) -> Delivery:
    """A row of the audit log on its way, with its session's record, None where there is none."""
    e = row.entry
    data = protocol.audit_record(row) | {"record": record}
    body = {"type": protocol.HAPPENINGS[e.event], "timestamp": protocol.iso(e.at), "data": data}
    return Delivery(message_id(hook, log, row.seq), e.room, e.at, orjson.dumps(body).decode())


def test_body(hook: str, now: float) -> str:
    """What a test sends."""
    return orjson.dumps({"type": TEST, "timestamp": protocol.iso(now), "data": {"webhook": hook}}).decode()


def address_name(url: str) -> str:
    """Stands for an address where it is kept: a token may stand in it."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]
