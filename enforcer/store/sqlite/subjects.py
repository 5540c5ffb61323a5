"""Of whom signals speak, in SQLite.

A note is committed by a job of the writer. Jobs are done in their order, and after one of this kind nothing is decided
before it is committed: so a claim was committed before the note, and is found, or it is decided with the note.
"""

import sqlite3
from collections.abc import Callable, Collection, Mapping

import orjson

from enforcer.store.sqlite.logs import Read
from enforcer.store.sqlite.writer import Run

SIGNALLED = "SELECT name, not_before FROM signals WHERE name IN (SELECT value FROM json_each(?)) AND until > ?"
_ROOMS = "SELECT DISTINCT room FROM subjects WHERE subject IN (SELECT value FROM json_each(?))"
_OVER = "DELETE FROM signals WHERE until <= ?"
_NOTE = """
    INSERT INTO signals (name, not_before, until) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET not_before = max(not_before, excluded.not_before), until = excluded.until
"""


class SQLiteSubjects:
    """See `store.base.Subjects` for what each method promises."""

    def __init__(self, read: Read, run: Run, clock: Callable[[], float]) -> None:
        self._read = read
        self._run = run
        self._clock = clock

    async def note(self, not_before: Mapping[str, float], seconds: float) -> None:
        now = self._clock()
        rows = [(subject, at, now + seconds) for subject, at in not_before.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_OVER, (now,))
            connection.executemany(_NOTE, rows)

        await self._run(work)

    async def rooms(self, subjects: Collection[str]) -> set[str]:
        return {room for (room,) in self._read(_ROOMS, orjson.dumps(list(subjects)).decode())}

    async def used(self, message: str) -> bool:
        return bool(self._read("SELECT 1 FROM signals WHERE name = ? AND until > ?", message, self._clock()))

    async def use(self, message: str, seconds: float) -> bool:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute(_OVER, (now,))
            made = connection.execute("INSERT OR IGNORE INTO signals VALUES (?, 0, ?)", (message, now + seconds))
            return made.rowcount == 1

        first: bool = await self._run(work)
        return first
