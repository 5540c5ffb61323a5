"""The statements that write sessions into SQLite, and their parameters."""

from typing import Any

from enforcer.model import Mark, Session
from enforcer.store.rows import COLUMNS, actor_text

_names = COLUMNS.split(", ")
UPSERT = (
    f"INSERT INTO sessions ({COLUMNS}) VALUES ({', '.join('?' * len(_names))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in _names[1:])}"
)

END = "UPDATE sessions SET last_seen_at = ?, seen_until = ?, ended_at = ?, end_reason = ?, ended_by = ? WHERE id = ?"
"""For a session that was live when it was read: nothing else of it changes, nor do the other indexes on it."""

WERE_PRESENT = """
    UPDATE sessions SET last_seen_at = ?, seen_until = max(seen_until, ?)
    WHERE id IN (SELECT value FROM json_each(?)) AND ended_at IS NULL AND last_seen_at < ?
"""
"""Sessions that had a socket; those that were seen later have left it since, and their record is right."""

MARK_SEEN = """
    UPDATE sessions SET
        last_seen_at = max(last_seen_at, ?), seen_until = max(seen_until, ?), online_until = max(online_until, ?)
    WHERE id = ? AND ended_at IS NULL
"""
"""The most common mark by far: the session has a socket. It touches no index."""
MARK_LIVE = """
    UPDATE sessions SET
        last_seen_at = max(last_seen_at, coalesce(:last_seen_at, 0)),
        seen_until = min(max(seen_until, coalesce(:seen_until, 0)), coalesce(:left_until, 9e15)),
        online_until = min(max(online_until, coalesce(:online_until, 0)), coalesce(:offline_at, 9e15)),
        lost_at = max(lost_at, coalesce(:lost_at, 0)),
        last_active_at = max(last_active_at, coalesce(:last_active_at, 0)),
        idle_at = nullif(max(coalesce(idle_at, 0), coalesce(:idle_at, 0)), 0)
    WHERE id = :id AND ended_at IS NULL
"""
MARK_TOLD = """
    UPDATE sessions SET acked_at = coalesce(acked_at, :acked_at), refused_at = coalesce(refused_at, :refused_at)
    WHERE id = :id
"""
"""What `deadlines.merged` does, as SQL; the contract tests hold both equal."""


def end_row(s: Session) -> tuple[Any, ...]:
    return s.last_seen_at, s.seen_until, s.ended_at, s.end_reason, actor_text(s.ended_by), s.id


def only_seen(mark: Mark) -> bool:
    """Whether `MARK_SEEN` does all of it."""
    seen = mark.last_seen_at, mark.seen_until, mark.online_until
    return None not in seen and mark == Mark(mark.session, *seen[:2], online_until=seen[2])


def only_told(mark: Mark) -> bool:
    """Whether `MARK_TOLD` does all of it."""
    return mark == Mark(mark.session, acked_at=mark.acked_at, refused_at=mark.refused_at)


def seen_row(mark: Mark) -> tuple[Any, ...]:
    return mark.last_seen_at, mark.seen_until, mark.online_until, mark.session


def mark_row(mark: Mark) -> dict[str, Any]:
    return {
        "id": mark.session,
        "last_seen_at": mark.last_seen_at,
        "seen_until": mark.seen_until,
        "lost_at": mark.lost_at,
        "left_until": mark.left_until,
        "online_until": mark.online_until,
        "offline_at": mark.offline_at,
        "last_active_at": mark.last_active_at,
        "idle_at": mark.idle_at,
        "acked_at": mark.acked_at,
        "refused_at": mark.refused_at,
    }
