"""Where a reader of the audit log has come to, and how that is written as text. Pure.

A log has parts, each with an order of its own: one in a database, one a bucket in Redis. A cursor has the place of the
last row that was read of each, so that a part which is late is never passed over.
"""

import base64
import binascii
from typing import NamedTuple

_LOG = 8
"""Bytes that name a log."""
_PLACE = 7
"""Bytes of a place: microseconds since 1970 fit for two thousand years."""


class Cursor(NamedTuple):
    """`log` is a name of 16 hexadecimal digits, of this log and no other; `places` are whole numbers from 0."""

    log: str
    places: tuple[int, ...]


def cursor_text(cursor: Cursor) -> str:
    """The cursor as base64url: 20 characters for one part, 608 for sixty-four."""
    places = b"".join(place.to_bytes(_PLACE) for place in cursor.places)
    return base64.urlsafe_b64encode(bytes.fromhex(cursor.log) + places).decode()


def cursor_of(text: str) -> Cursor | None:
    """The cursor that `cursor_text` has written so; None for any other text."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    places = raw[_LOG:]
    if len(raw) <= _LOG or len(places) % _PLACE:
        return None
    cursor = Cursor(
        raw[:_LOG].hex(),
        tuple(int.from_bytes(places[n : n + _PLACE]) for n in range(0, len(places), _PLACE)),
    )
    return cursor if cursor_text(cursor) == text else None
