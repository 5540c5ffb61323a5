"""The names of the keys in Redis.

A room lives in one of a fixed number of buckets, whose number is the hash tag of all its keys: `enf:{b17}:…`. So a
commit touches one slot of a Cluster, and what concerns all rooms (deadlines, logs) is read from a fixed number of
keys. The commit script says what each key of a bucket holds.
"""

from zlib import crc32

BUCKETS = 64
"""Never changes while there is data: every room would be looked for in another place."""

NEWLINE = "\n"
"""In no id and no room, and smaller than every character of an id: joined by it, ids keep their order."""


class Keys:
    """Names under one prefix. Channels do not know databases, so the database's number is in their names."""

    def __init__(self, prefix: str, db: int = 0) -> None:
        self._prefix = prefix
        self._changed = f"changed{db}" if db else "changed"
        self.schema = f"{prefix}:schema"
        self.log_name = f"{prefix}:audit"
        """Holds what tells this audit log from any other."""
        self.beat = f"{prefix}:beat"
        self.probe = f"{prefix}:probe"
        self.hooks = f"{prefix}:hooks"
        """The names of webhooks."""
        self.nodes = f"{prefix}:nodes"
        """What each process says of itself: a hash by process, of the time and the text."""

    def lease(self, name: str) -> str:
        """Held by one process at a time."""
        return f"{self._prefix}:lease:{name}"

    def home(self, session: str) -> str:
        """Holds the room that a session id belongs to."""
        return f"{self._prefix}:id:{session}"

    def subject(self, digest: str, name: str) -> str:
        """Of a subject: the rooms of its sessions (hash: session id → room), and what was signalled of it."""
        return f"{self._prefix}:{{s{digest}}}:{name}"

    def message(self, digest: str) -> str:
        """That a message was taken."""
        return f"{self._prefix}:taken:{digest}"

    def of_bucket(self, bucket: int, name: str) -> str:
        """One of a bucket's own keys."""
        return f"{self._prefix}:{{b{bucket}}}:{name}"

    def of_room(self, room: str, name: str) -> str:
        """One of the keys of the bucket that a room lives in."""
        return self.of_bucket(bucket_of(room), name)

    def log(self, room: str) -> str:
        """The ids of a room's sessions by their start."""
        return self.of_room(room, f"log:{room}")

    def trail(self, room: str) -> str:
        """Where the audit rows of a room are."""
        return self.of_room(room, f"trail:{room}")

    def answer(self, room: str, request_id: str) -> str:
        """The kept answer to a request id."""
        return self.of_room(room, f"answer:{room}{NEWLINE}{request_id}")

    def of_hook(self, hook: str, name: str) -> str:
        """One of a webhook's own keys, which are on one server."""
        return f"{self._prefix}:{{h:{hook}}}:{name}"

    def channel(self, room: str) -> str:
        """Where changes of a room are told."""
        return self.of_room(room, f"{self._changed}:{room}")


def bucket_of(room: str) -> int:
    """The bucket that a room lives in."""
    return crc32(room.encode()) % BUCKETS


def member(session: str, room: str) -> str:
    """A session in an index of all sessions of a bucket; sorts as its id does."""
    return f"{session}{NEWLINE}{room}"


def session_and_room(text: bytes) -> tuple[str, str]:
    """What `member` joined."""
    session, _, room = text.decode().partition(NEWLINE)
    return session, room
