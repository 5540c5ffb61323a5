"""What other processes do to the rooms that are held here.

A commit tells it on its room's channel, which is fast and may be lost. So each message says between which two commits
it lies, and once a second the versions of all held rooms are compared, a read a bucket, some buckets at a time: who has
missed something reads the room and is late, but never wrong.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Change
from enforcer.process.tasks import cancelled
from enforcer.store.redis.client.line import Line
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.keys import BUCKETS, Keys, bucket_of
from enforcer.store.redis.rooms import Proposal, Rooms
from enforcer.store.redis.rows import Loaded, message_of

log = logging.getLogger(__name__)

CHECK_EVERY = 1.0
"""Seconds between two comparisons of a room's version."""
TURNS = 8
"""Parts of this time: each has its share of the buckets, so that no login waits for all rooms to be compared."""
SUBSCRIBE_WITHIN = 2.0
"""Seconds that a server has to confirm a subscription."""
LINGER = 2.0
"""Seconds that a room is still listened to after its last release: most pages that go are soon back as another."""
BATCH = 200
"""Rooms that are read in one trip."""


class _Held:
    """A room that somebody here listens to: what is known of it, and on which server its channel is."""

    __slots__ = ("holders", "leaving", "ready", "server", "version")

    def __init__(self) -> None:
        self.holders = 0
        self.leaving: asyncio.TimerHandle | None = None
        self.version: str | None = None
        self.server = ""
        self.ready: asyncio.Task[None] | None = None


class Feed:
    """Tells of changes by others, to rooms between `hold` and `release`. Runs from `start` to `close`."""

    def __init__(self, servers: Servers, keys: Keys, rooms: Rooms, tell: Callable[[Change], None]) -> None:
        self._servers = servers
        self._keys = keys
        self._rooms = rooms
        self._tell = tell
        self._held: dict[str, _Held] = {}
        self._in_bucket: list[set[str]] = [set() for _ in range(BUCKETS)]
        self._lines: dict[str, Line] = {}
        self._checking: asyncio.Task[None] | None = None
        self._owed: dict[str, set[int]] = {}
        self._comparing: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begins to compare; connections come with the first room."""
        if self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check_on(), name="store versions")

    async def close(self) -> None:
        """Listens to nothing any more. May be called twice."""
        checking, self._checking = self._checking, None
        tasks = [*(h.ready for h in self._held.values() if h.ready), *self._comparing.values()]
        if checking is not None:
            tasks.append(checking)
        await cancelled(tasks)
        for held in self._held.values():
            if held.leaving is not None:
                held.leaving.cancel()
        lines, self._lines = self._lines, {}
        for line in lines.values():
            await line.close()
        self._held = {}
        for rooms in self._in_bucket:
            rooms.clear()

    # ---- holding -------------------------------------------------------------------------------

    async def hold(self, room: str) -> None:
        """Returns when nothing that is committed to the room from now on can stay unheard.

        Raises:
            StoreUnavailable: the room cannot be listened to now; it is not held.
        """
        held = self._held.get(room)
        if held is None:
            held = self._held[room] = _Held()
            self._in_bucket[bucket_of(room)].add(room)
            held.ready = asyncio.get_running_loop().create_task(self._begin(room, held), name="store hold")
        held.holders += 1
        if held.leaving is not None:
            held.leaving.cancel()
            held.leaving = None
        try:
            assert held.ready is not None
            await asyncio.shield(held.ready)
        except BaseException:
            held.holders -= 1
            if held.holders == 0:
                self._drop(room, held)
            raise

    def release(self, room: str) -> None:
        """One holder less; some time after the last one the room is listened to no more."""
        held = self._held.get(room)
        if held is not None:
            held.holders -= 1
            if held.holders == 0:
                held.leaving = asyncio.get_running_loop().call_later(LINGER, self._drop, room, held)

    def committed(self, proposal: Proposal) -> None:
        """A commit of this process, of which the listeners hear without the channel."""
        before, then = proposal.before, proposal.then
        held = self._held.get(before.name)
        if held is not None:
            self._follow(held, before.version, then.version, Change(before.name, proposal.decision.changed))

    async def _begin(self, room: str, held: _Held) -> None:
        """Subscribed first, then read: what comes in between is heard, what was before is read."""
        try:
            async with asyncio.timeout(SUBSCRIBE_WITHIN):
                await asyncio.shield(self._subscribe(room, held))
        except TimeoutError:
            raise StoreUnavailable("Redis does not confirm a subscription") from None
        loaded = await self._rooms.load(room)
        held.version = loaded.room.version
        for session in loaded.room.live:
            self._rooms.at_home(session.id, room)

    def _subscribe(self, room: str, held: _Held) -> asyncio.Future[None]:
        channel = self._keys.channel(room)
        held.server = server = self._servers.server_of(channel)
        line = self._lines.get(server)
        if line is None:
            line = self._lines[server] = Line(lambda: self._servers.connection_to(server), self._heard)
            line.start()
        return line.subscribe(channel)

    def _drop(self, room: str, held: _Held) -> None:
        if self._held.get(room) is held:
            del self._held[room]
            self._in_bucket[bucket_of(room)].discard(room)
            if held.ready is not None:
                held.ready.cancel()
            self._leave(room, held.server)

    def _leave(self, room: str, server: str) -> None:
        """Listens to it there no more."""
        line = self._lines.get(server)
        if line is not None:
            line.unsubscribe(self._keys.channel(room))

    # ---- hearing -------------------------------------------------------------------------------

    def _heard(self, text: bytes) -> None:
        message = message_of(text)
        held = self._held.get(message.room)
        if held is None or message.origin == self._rooms.origin:
            return
        change = message.change(whole=held.version == message.before)
        self._follow(held, message.before, message.then, change)
        if change.sessions:
            self._tell(change)

    def _follow(self, held: _Held, before: str, after: str, change: Change) -> None:
        """Takes a commit in. If one before it is missing, the version stays behind until the next comparison."""
        if held.version == before:
            held.version = after
        for session in change.sessions:
            if not session.ended:
                self._rooms.at_home(session.id, change.room)  # its page will soon be here

    # ---- comparing -----------------------------------------------------------------------------

    async def _check_on(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(CHECK_EVERY / TURNS)
            try:
                if turn == 0:
                    await self._keep_lines()
                buckets = range(turn, BUCKETS, TURNS)
                self._move(buckets)
                self._begin_to_compare(buckets)
            except Exception:
                log.exception("looking after the subscriptions failed; it goes on")
            turn = (turn + 1) % TURNS

    def _begin_to_compare(self, buckets: Iterable[int]) -> None:
        """Each server by itself, so that one that is away keeps nobody from hearing of the others."""
        for bucket in buckets:
            server = self._servers.server_of(self._keys.of_bucket(bucket, "versions"))
            self._owed.setdefault(server, set()).add(bucket)
            if server not in self._comparing:
                task = asyncio.get_running_loop().create_task(self._compare(server), name="store versions")
                self._comparing[server] = task

    async def _compare(self, server: str) -> None:
        """Compares what is owed to a server, until nothing more is."""
        try:
            while owed := self._owed.pop(server, None):
                await self._catch_up(await self._behind(owed))
        except StoreUnavailable:
            pass  # others say so; a second later is soon enough
        except Exception:
            log.exception("comparing the versions failed; it goes on")
        finally:
            del self._comparing[server]

    async def _keep_lines(self) -> None:
        """Keeps the subscriptions alive, and lets go of a server that nothing is heard from any more."""
        for server, line in list(self._lines.items()):
            if line.idle and len(self._lines) > 1:
                del self._lines[server]
                await line.close()
            else:
                line.ping()

    def _move(self, buckets: Iterable[int]) -> None:
        """Follows the rooms of these buckets to where a Cluster has moved them."""
        for bucket in buckets:
            server = self._servers.server_of(self._keys.of_bucket(bucket, "versions"))
            for room in self._in_bucket[bucket]:
                held = self._held[room]
                if held.server != server:
                    self._leave(room, held.server)
                    self._subscribe(room, held)

    async def _behind(self, buckets: Iterable[int]) -> list[str]:
        """The held rooms of these buckets that have changed without our hearing of it."""
        known = {b: [room for room in self._in_bucket[b] if self._version(room) is not None] for b in buckets}
        compared = {bucket: rooms for bucket, rooms in known.items() if rooms}
        if not compared:
            return []
        replies = await self._servers.ask(
            *(("HMGET", self._keys.of_bucket(b, "versions"), *rooms) for b, rooms in compared.items())
        )
        return [
            room
            for rooms, reply in zip(compared.values(), replies, strict=True)
            for room, version in zip(rooms, reply, strict=True)
            if self._version(room) not in (None, (version or b"").decode())
        ]

    def _version(self, room: str) -> str | None:
        held = self._held.get(room)
        return None if held is None else held.version

    async def _catch_up(self, rooms: list[str]) -> None:
        for start in range(0, len(rooms), BATCH):
            wanted = [(r, ()) for r in rooms[start : start + BATCH] if r in self._held]
            for loaded in await self._rooms.load_all(wanted):
                self._caught_up(loaded)

    def _caught_up(self, loaded: Loaded) -> None:
        """Tells which sessions are live now. The listeners know whom they hold, and read how the others have ended."""
        held = self._held.get(loaded.room.name)
        if held is not None:
            held.version = loaded.room.version
            self._tell(Change(loaded.room.name, loaded.room.live, whole=False))
