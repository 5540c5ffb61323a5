"""The log of what was committed: a line for each row of the audit log, made from the rows, so that the two agree.

It also sees when two browsers throw each other out again and again, which no single login shows.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Collection
from typing import Any

from enforcer.domain.model import AuditEntry, AuditEvent, Decision, EndReason
from enforcer.process.notices import Notices

log = logging.getLogger(__name__)

WAR_WITHIN = 60.0
"""Seconds in which take-overs of a room are counted."""
WAR_BEYOND = 5
"""Take-overs in that time that a user may cause; more come from log-ins that nobody typed."""
LOOKED_AT = 10_000
"""Take-overs that are remembered, of all rooms; two browsers at war are far quicker than it takes to forget them."""


class TakeOvers:
    """How often rooms were taken over in the last minute. Pure."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, str]] = deque()
        self._by_room: Counter[str] = Counter()

    def another(self, room: str, now: float) -> int:
        """One more, at `now`; how many of the room there were within `WAR_WITHIN` seconds."""
        self._recent.append((now, room))
        self._by_room[room] += 1
        while self._recent[0][0] <= now - WAR_WITHIN or len(self._recent) > LOOKED_AT:
            _, old = self._recent.popleft()
            self._by_room[old] -= 1
            if not self._by_room[old]:
                del self._by_room[old]
        return self._by_room[room]


class Journal:
    """Writes the lines of one process. `elapsed` counts seconds; `war` is called for each that is noticed."""

    def __init__(self, elapsed: Callable[[], float], war: Callable[[], None]) -> None:
        self._elapsed = elapsed
        self._war = war
        self._take_overs = TakeOvers()
        self._notices = Notices(log, elapsed)

    def committed(self, room: str, decision: Decision[Any], seconds: float) -> None:
        """A line for each row of a decision that was committed."""
        if decision.audit:
            self._write(room, decision.audit)

    def _write(self, room: str, rows: Collection[AuditEntry]) -> None:
        displaced = [r.session for r in rows if r.reason is EndReason.DISPLACED]
        for row in rows:
            match row.event:
                case AuditEvent.STARTED | AuditEvent.CLAIMED:
                    members = {"room": room, "session": row.session, "event": row.event, "epoch": row.epoch}
                    if row.impersonated_by is not None:
                        members["impersonated_by"] = row.impersonated_by
                    members |= _key(row)
                    log.info("login", extra={**members, "displaced": displaced})
                    if displaced:
                        self._taken_over(room)
                case AuditEvent.ENDED:
                    log.info("ended", extra={"room": room, "session": row.session, "reason": row.reason, **_by(row)})
                case AuditEvent.LOGIN_REFUSED:
                    log.info("login refused", extra={"room": room, "session": row.session, **_key(row)})
                case AuditEvent.REPORTED:
                    log.warning("reported by its user", extra={"room": room, "session": row.session})

    def _taken_over(self, room: str) -> None:
        times = self._take_overs.another(room, self._elapsed())
        if times > WAR_BEYOND and self._notices.warn(
            room,
            "a room is taken over again and again: browsers that log in by themselves throw each other out; "
            'let them ask before the login, or set `policy` to "reject"',
            room=room,
            takeovers=times,
            within_s=WAR_WITHIN,
        ):
            self._war()


def _by(row: AuditEntry) -> dict[str, str]:
    if row.by is None:
        return {}
    by: dict[str, str] = {"by": row.by.kind}
    if row.by.session is not None:
        by["by_session"] = row.by.session
    if row.by.name is not None:
        by["signal"] = row.by.name
    return by | _key(row)


def _key(row: AuditEntry) -> dict[str, str]:
    """The name of the key that was used, if it has one."""
    return {} if row.by is None or row.by.key is None else {"key": row.by.key}
