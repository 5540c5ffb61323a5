"""The SQLite schema as a list of migrations. `user_version` counts those applied; a released one never changes.

Every index is paid for at every login, so there are few: those in order of time grow at their end only, which is cheap;
one by room serves the live sessions (`ended_at` is null there) as well as a room's log.
"""

import sqlite3

from enforcer.domain.deadlines import IDLE_SLACK
from enforcer.domain.errors import StartError
from enforcer.domain.model import FOREVER

MIGRATIONS: tuple[str, ...] = (
    f"""
    CREATE TABLE rooms (
        room TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        waiting TEXT NOT NULL,            -- JSON: logins that no page has taken yet
        operation TEXT NOT NULL           -- of the latest commit
    ) WITHOUT ROWID;

    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        room TEXT NOT NULL,
        claimed INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        started_at REAL NOT NULL,
        last_seen_at REAL NOT NULL,
        last_active_at REAL NOT NULL,
        seen_until REAL NOT NULL,
        idle_at REAL,
        absolute_at REAL,
        lost_at REAL,
        window_at REAL,
        device TEXT,                      -- JSON
        entry TEXT,
        ended_at REAL,
        end_reason TEXT,
        ended_by TEXT,                    -- JSON
        acked_at REAL,
        refused_at REAL,
        online_until REAL NOT NULL DEFAULT 0,
        due_at REAL NOT NULL GENERATED ALWAYS AS (min(
            coalesce(idle_at + {IDLE_SLACK}, {FOREVER}),
            coalesce(absolute_at, {FOREVER}),
            coalesce(lost_at, {FOREVER}),
            coalesce(window_at, {FOREVER})
        )) VIRTUAL
    );
    CREATE INDEX sessions_room ON sessions (room, ended_at);
    CREATE INDEX sessions_due ON sessions (due_at) WHERE ended_at IS NULL;
    CREATE INDEX sessions_absolute ON sessions (absolute_at) WHERE ended_at IS NULL AND absolute_at IS NOT NULL;
    CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX sessions_started ON sessions (started_at);

    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        operation TEXT NOT NULL,
        at REAL NOT NULL,
        event TEXT NOT NULL,
        room TEXT NOT NULL,
        session TEXT,
        reason TEXT,
        epoch INTEGER,
        actor TEXT,                       -- JSON
        device TEXT                       -- JSON
    );
    CREATE INDEX audit_room ON audit (room, seq);
    CREATE INDEX audit_at ON audit (at);

    CREATE TABLE answers (
        room TEXT NOT NULL,
        request_id TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        at REAL NOT NULL,
        answer TEXT NOT NULL,             -- JSON
        PRIMARY KEY (room, request_id)
    ) WITHOUT ROWID;
    CREATE INDEX answers_at ON answers (at);

    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value
    ) WITHOUT ROWID;

    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        topic TEXT NOT NULL,
        body TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE presence (
        share INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        sessions TEXT NOT NULL            -- JSON: the ids that had a socket then
    );
    """,
    """
    DROP TABLE outbox;
    """,
    """
    ALTER TABLE sessions ADD COLUMN slot TEXT;
    ALTER TABLE sessions ADD COLUMN exempt INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN particulars TEXT;    -- JSON: what only few sessions have
    ALTER TABLE audit ADD COLUMN slot TEXT;
    ALTER TABLE audit ADD COLUMN impersonated_by TEXT;
    ALTER TABLE audit ADD COLUMN note TEXT;
    """,
    """
    CREATE TABLE hooks (
        name TEXT PRIMARY KEY,
        cursor TEXT NOT NULL,
        failing_since REAL,
        status INTEGER,
        off TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE TABLE deliveries (
        hook TEXT NOT NULL,
        id TEXT NOT NULL,
        room TEXT NOT NULL,
        at REAL NOT NULL,
        body TEXT NOT NULL,               -- JSON
        tries INTEGER NOT NULL,
        due_at REAL,                      -- null: dead
        status INTEGER,
        error TEXT,
        tried_at REAL
    );
    CREATE UNIQUE INDEX deliveries_id ON deliveries (hook, id);
    CREATE INDEX deliveries_due ON deliveries (hook, due_at, id) WHERE due_at IS NOT NULL;
    CREATE INDEX deliveries_dead ON deliveries (hook, at, id) WHERE due_at IS NULL;
    """,
    """
    CREATE TABLE subjects (               -- of whom signals speak, and in which sessions
        subject TEXT NOT NULL,
        session TEXT NOT NULL,
        room TEXT NOT NULL,
        PRIMARY KEY (subject, session)
    ) WITHOUT ROWID;
    CREATE INDEX subjects_session ON subjects (session);
    CREATE TRIGGER session_forgotten AFTER DELETE ON sessions BEGIN
        DELETE FROM subjects WHERE session = old.id;
    END;

    CREATE TABLE signals (                -- what was signalled: subjects, and messages that were taken
        name TEXT PRIMARY KEY,
        not_before REAL NOT NULL,
        until REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX signals_until ON signals (until);
    """,
)


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Brings the database to the newest schema, each step in a transaction of its own.

    Raises:
        StartError: the database was written by a newer version; `name` is the file as the operator knows it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StartError(
            f"{name} was written by a newer version (schema {version}, this one knows {len(MIGRATIONS)}); upgrade"
        )
    for number in range(version, len(MIGRATIONS)):
        try:
            connection.executescript(f"BEGIN IMMEDIATE;{MIGRATIONS[number]};PRAGMA user_version = {number + 1};COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
