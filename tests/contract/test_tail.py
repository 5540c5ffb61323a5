"""Who follows the audit log is told each row once and a room's in order, wherever he begins. Alike is made once."""

import asyncio
import random

from enforcer.domain.model import Decision
from enforcer.store.base import Store
from enforcer.store.cursors import Cursor, cursor_of, cursor_text
from enforcer.usecases.tail import Entry, Kind, Tail
from tests.contract.rooms import session, started
from tests.contract.test_audit_after import add, by_room

ROWS = 120


class Reader:
    """Follows from a cursor on, and keeps what it was told."""

    def __init__(self, tail: Tail, cursor: Cursor) -> None:
        self._tail = tail
        self._cursor = cursor
        self.entries: list[Entry] = []
        self.alike: list[dict[object, bytes]] = []

    async def read(self, count: int) -> None:
        """Until so many rows were told."""
        with self._tail.followed(self._cursor) as follower:
            while len(self.entries) < count:
                news = await follower.news()
                assert news.kind is Kind.ROWS
                self.entries += news.rows
                if news.alike is not None:
                    self.alike.append(news.alike)

    @property
    def told(self) -> dict[str, list[int | None]]:
        """The epochs of each room's rows."""
        return by_room([entry.row for entry in self.entries])


async def test_everybody_is_told_everything_once(store: Store) -> None:
    """From the beginning, from behind, and from the cursor of any row, as it stands in a reader's last id."""
    dice = random.Random(7)
    tail = Tail(store.logs, lambda _, cursor: cursor_text(cursor).encode())
    begin = await tail.end()
    commit = Decision(None, epoch=1, audit=(started(session("any")),))
    first = [Reader(tail, begin) for _ in range(3)]
    reading = [asyncio.create_task(reader.read(ROWS)) for reader in first]
    late: list[Reader] = []
    try:
        async with asyncio.timeout(30):
            for n in range(0, ROWS, 4):
                for _ in range(2):
                    await add(store, dice.choice("abcdefgh"), 2)
                tail.committed("a", commit, 0.0)
                while n % 3 == 0 and len(first[0].entries) < n + 4:
                    await asyncio.sleep(0.001)
                if n in (20, 60, 100):
                    late.append(Reader(tail, begin))
                    reading.append(asyncio.create_task(late[-1].read(ROWS)))
            await asyncio.gather(*reading)
            for reader in (*first, *late):
                assert reader.told == first[0].told
            assert all(epochs == sorted(set(epochs)) for epochs in first[0].told.values())
            assert any(one is other for one in first[0].alike for other in first[1].alike)
            assert any(one is other for one in first[0].alike for other in late[0].alike), (
                "who was behind has caught up"
            )

            for reader in (first[0], late[1]):
                at = dice.randrange(ROWS - 1)
                cursor = cursor_of(reader.entries[at].said.decode())
                assert cursor is not None
                rest = Reader(tail, cursor)
                await rest.read(ROWS - at - 1)
                assert rest.told == by_room([entry.row for entry in reader.entries[at + 1 :]])
    finally:
        for task in reading:
            task.cancel()
        await tail.close()
