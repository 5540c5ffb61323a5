"""What only the store on SQLite promises: its file, its lock, its schema and its writer."""

import asyncio
import os
import random
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from enforcer.domain.errors import StartError, StoreUnavailable
from enforcer.domain.model import AuditEntry, AuditEvent, Change, Decision, Device, Mark, RoomState, WaitingLogin
from enforcer.process.cores import usable_cores
from enforcer.store.queries import AuditQuery, SessionQuery
from enforcer.store.sqlite import checkpoints as sqlite_checkpoints
from enforcer.store.sqlite.schema import MIGRATIONS
from enforcer.store.sqlite.store import SQLiteStore
from tests.contract.conftest import START, Clock, Forgetful
from tests.contract.rooms import deciding, ended, look, put, session

pytestmark = pytest.mark.usefixtures("any_cores")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "enforcer.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    """An open store."""
    made = SQLiteStore(path, Clock())
    await made.open()
    yield made
    await made.close()


async def test_what_was_committed_is_there_after_reopening(path: Path) -> None:
    """A restart forgets nothing."""
    for n in range(3):
        store = SQLiteStore(path, Clock())
        await store.open()
        assert len((await store.room("alice")).sessions) == n
        await put(store, session(f"s{n}"))
        await store.close()


async def test_commits_are_synced_to_the_disk(store: SQLiteStore) -> None:
    """WAL with `synchronous=FULL` (2): an answer means that it is on the disk."""
    assert await store._run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)
    assert await store._run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


async def test_what_is_kept_is_what_is_written(path: Path) -> None:
    """Sessions that are asked for again and again, amid commits and marks of many callers, are as the file has them."""
    chance = random.Random(1)
    store = SQLiteStore(path, Clock())
    await store.open()
    ids = [f"s{n}" for n in range(12)]

    def room_of(id_: str) -> str:
        return f"room {int(id_[1:]) % 4}"

    async def commit(id_: str, at: float) -> None:
        s = session(id_, room_of(id_), epoch=int(at), idle_at=at + 9, lost_at=chance.choice([None, at + 5]))
        await put(store, ended(s) if chance.random() < 0.2 else s)

    async def noticed(id_: str, at: float) -> None:
        more = chance.choice([{"last_active_at": at, "idle_at": at + 9}, {"left_until": at}, {"online_until": at + 3}])
        await store.mark([Mark(id_, last_seen_at=at, seen_until=at + 60, lost_at=at + 5, **more)])

    async def ask(id_: str, _: float) -> None:
        store.at_hand(id_)

    for n in range(60):
        work = [chance.choice((commit, noticed, ask, ask))(chance.choice(ids), START + n) for _ in range(8)]
        await asyncio.gather(*work)
    kept = {id_: store.at_hand(id_) for id_ in ids}
    await store.close()
    await store.open()
    assert kept == {id_: await store.get(id_) for id_ in ids}
    await store.close()


async def test_only_the_owner_may_read_the_files(store: SQLiteStore, path: Path) -> None:
    """Database, log and lock hold what users do: mode 0600, whatever the umask."""
    await put(store, session("s"))
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert set(modes) == {"enforcer.db", "enforcer.db-wal", "enforcer.db-shm", "enforcer.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_the_log_of_a_busy_writer_does_not_grow_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is copied beside the writing, and begun anew though there is never a moment without a commit."""
    monkeypatch.setattr(sqlite_checkpoints, "CHANGES", 50)
    monkeypatch.setattr(sqlite_checkpoints, "LOG_PAGES", 200)
    store = SQLiteStore(path, Clock())
    await store.open()
    largest, log = 0, path.with_name(f"{path.name}-wal")
    for n in range(1500):
        await put(store, session(f"s{n}", room=f"room {n % 50}"))
        largest = max(largest, log.stat().st_size)
    assert largest < 20 * 200 * 4096, "without any copying it would have 65 MB; a busy machine is late with some of it"
    await store.close()
    await store.open()
    assert len(await store.logs.sessions(SessionQuery(limit=2000))) == 1500
    await store.close()


async def test_a_checkpoint_that_fails_fails_nothing_else(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log only grows, and the next one copies all of it."""
    monkeypatch.setattr(sqlite_checkpoints, "CHANGES", 1)
    assert store._checkpoints is not None
    store._checkpoints._connection.close()  # whatever it is asked for now is an error
    for n in range(50):
        await put(store, session(f"s{n}"))
    assert len((await store.room("alice")).sessions) == 50


async def test_a_checkpoint_that_fails_is_not_the_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the error is; or the log would grow for as long as the process runs."""
    monkeypatch.setattr(sqlite_checkpoints, "CHANGES", 1)
    failed = 0

    def no_memory(cursor: sqlite3.Cursor, row: tuple[int, ...]) -> tuple[int, ...]:
        nonlocal failed
        failed += 1
        raise MemoryError

    store = SQLiteStore(path, Clock())
    await store.open()
    assert store._checkpoints is not None
    store._checkpoints._connection.row_factory = no_memory
    async with asyncio.timeout(10):
        while failed < 2:
            await put(store, session("s"))
    await store.close()


# ---- the lock ---------------------------------------------------------------------------------------


async def test_a_second_store_on_the_same_file_is_refused(store: SQLiteStore, path: Path) -> None:
    """Two writers would each think that they are the only one."""
    with pytest.raises(StartError, match="in use by another process"):
        await SQLiteStore(path, Clock()).open()
    await put(store, session("s"))  # and the first is unhurt


async def test_a_second_process_is_refused(store: SQLiteStore, path: Path) -> None:
    """The lock holds between processes."""
    code = (
        "import asyncio, pathlib, time, sys\n"
        "from enforcer.store.sqlite.store import SQLiteStore\n"
        "asyncio.run(SQLiteStore(pathlib.Path(sys.argv[1]), time.time).open())"
    )
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 1
    assert "StoreInUse" in ran.stderr
    assert "in use by another process" in ran.stderr


async def test_the_lock_is_free_after_close(store: SQLiteStore, path: Path) -> None:
    """The file of the lock stays, the lock does not."""
    await store.close()
    second = SQLiteStore(path, Clock())
    await second.open()
    await second.close()


@pytest.mark.parametrize("name", ["missing/enforcer.db", "file/enforcer.db", "directory.db"])
async def test_a_place_that_cannot_be_had_is_a_start_error(tmp_path: Path, name: str) -> None:
    """A missing directory, a file in its place, a directory in the database's place: named, and nothing locked."""
    (tmp_path / "file").touch()
    (tmp_path / "directory.db").mkdir()
    with pytest.raises(StartError, match=name.split("/")[0]):
        await SQLiteStore(tmp_path / name, Clock()).open()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_directory_that_is_not_writable_is_a_start_error(path: Path) -> None:
    """SQLite needs to make files beside the database."""
    path.parent.chmod(0o500)
    with pytest.raises(StartError, match="not writable"):
        await SQLiteStore(path, Clock()).open()


async def test_a_file_that_is_no_database_is_a_start_error(path: Path) -> None:
    """It is left as it is."""
    path.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StartError, match="is not a usable database"):
        await SQLiteStore(path, Clock()).open()
    assert path.read_bytes().startswith(b"not a database")


# ---- the schema -------------------------------------------------------------------------------------


def version(path: Path) -> int:
    """`user_version` of the file."""
    connection = sqlite3.connect(path)
    try:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        return int(number)
    finally:
        connection.close()


async def test_a_new_file_gets_the_newest_schema(store: SQLiteStore, path: Path) -> None:
    """`user_version` counts the migrations."""
    await store.close()
    assert version(path) == len(MIGRATIONS)


async def test_what_the_version_before_wrote_reads_as_it_was(path: Path) -> None:
    """Sessions, waiting logins and audit rows of a schema without slots; and they can be written again."""
    with sqlite3.connect(path) as old:
        old.executescript(";".join(MIGRATIONS[:3]) + ";PRAGMA user_version = 3")
        old.execute("INSERT INTO rooms VALUES ('alice', 7, ?, 'op')", (f'[[{START},null,"sso","old"]]',))
        old.execute(
            "INSERT INTO sessions VALUES ('s', 'alice', 1, 7, ?1, ?1, ?1, ?1 + 60, ?1 + 900, NULL, NULL, NULL,"
            """ '["Phone","mobile",null,null,null]', 'sso', NULL, NULL, NULL, NULL, NULL, 0)""",
            (START,),
        )
        old.execute("INSERT INTO audit VALUES (1, 'op', ?, 'started', 'alice', 's', NULL, 7, NULL, NULL)", (START,))
    old.close()
    store = SQLiteStore(path, Clock())
    await store.open()
    was = session("s", epoch=7, idle_at=START + 900, device=Device("Phone", "mobile"), entry="sso")
    state = await store.room("alice")
    assert (state.sessions, state.waiting) == ((was,), (WaitingLogin(START, None, "sso", "old"),))
    assert [row.entry for row in await store.logs.audit(AuditQuery())] == [
        AuditEntry(START, AuditEvent.STARTED, "alice", "s", None, 7)
    ]
    now = was._replace(slot="mobile", impersonated_by="support-7", exempt=True)
    await put(store, now)
    assert (await store.room("alice")).sessions == (now,)
    await store.close()


async def test_a_file_of_a_newer_version_is_refused(store: SQLiteStore, path: Path) -> None:
    """An old program must not write into what it does not know; the lock is let go."""
    await store.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StartError, match="written by a newer version"):
        await SQLiteStore(path, Clock()).open()
    assert version(path) == len(MIGRATIONS) + 1


async def test_a_failing_migration_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each migration is one transaction: half of one is none, and the next start tries again."""
    broken = (*MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE half (x);")
    monkeypatch.setattr("enforcer.store.sqlite.schema.MIGRATIONS", broken)
    store = SQLiteStore(path, Clock())
    with pytest.raises((StartError, StoreUnavailable)):
        await store.open()
    assert version(path) == len(MIGRATIONS)
    monkeypatch.setattr("enforcer.store.sqlite.schema.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE whole (x);"))
    await store.open()
    await store.close()
    assert version(path) == len(MIGRATIONS) + 1


# ---- the writer -------------------------------------------------------------------------------------


async def test_a_failing_job_does_not_take_its_batch_with_it(store: SQLiteStore) -> None:
    """Of jobs that share a commit, each stands or falls alone, whether its own code or the database refuses it."""

    def wrong(state: RoomState, now: float) -> Decision[None]:
        raise ValueError("mine alone")

    refused = session("bad", seen_until=None)  # type: ignore[arg-type] # NOT NULL

    async def job(n: int) -> None:
        if n % 3 == 1:
            await store.transact("alice", wrong)
        elif n % 3 == 2:
            entry = AuditEntry(START, AuditEvent.STARTED, "alice", "bad")
            await store.transact("alice", deciding(Decision(None, changed=(refused,), audit=(entry,))))
        else:
            await put(store, session(f"s{n}"))

    outcomes = await asyncio.gather(*(job(n) for n in range(30)), return_exceptions=True)
    kinds = [type(o) for o in outcomes]
    assert kinds == [type(None), ValueError, sqlite3.IntegrityError] * 10
    assert {s.id for s in (await store.room("alice")).sessions} == {f"s{n}" for n in range(0, 30, 3)}
    assert {row.entry.session for row in await store.logs.audit(AuditQuery(limit=100))} == {
        f"s{n}" for n in range(0, 30, 3)
    }


def commits(path: Path) -> int:
    """How many the write-ahead log has: the frame that ends one names the size of the database after it."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    page = int.from_bytes(log[8:12])
    return sum(int.from_bytes(log[frame + 4 : frame + 8]) > 0 for frame in range(32, len(log), 24 + page))


async def test_those_who_wait_share_a_commit(store: SQLiteStore, path: Path) -> None:
    """Group commit: two hundred logins at once need a handful of transactions, not two hundred."""
    before = commits(path)
    await asyncio.gather(*(put(store, session(f"s{n}", f"room{n}")) for n in range(200)))
    assert 0 < commits(path) - before < 20


async def test_a_decision_that_comes_after_a_mark_has_seen_it(store: SQLiteStore) -> None:
    """Although the mark is not committed when the decision comes: a record is written whole."""
    await put(store, session("s"))

    def rename(state: RoomState, now: float) -> Decision[None]:
        return Decision(None, changed=tuple(s._replace(entry="new") for s in state.sessions))

    marking = asyncio.create_task(store.mark([Mark("s", acked_at=START + 5, last_active_at=START + 5)]))
    await asyncio.sleep(0)
    await asyncio.gather(marking, store.transact("alice", rename))
    snapshot = await store.get("s")
    assert snapshot is not None
    record = snapshot.session
    assert (record.entry, record.acked_at, record.last_active_at) == ("new", START + 5, START + 5)


async def test_a_database_that_is_locked_from_outside_is_unavailable(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody else holds the write lock the outcome is unknown; reads go on, and afterwards all is well."""
    await put(store, session("before"))
    intruder = sqlite3.connect(path, isolation_level=None)
    try:
        monkeypatch.setattr("enforcer.store.sqlite.writer.LOCK_WAIT", 50)
        await store._run(lambda c: c.execute("PRAGMA busy_timeout = 50"))
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await put(store, session("during"))
        with pytest.raises(StoreUnavailable):
            await store.ping()
        assert await store.get("before") is not None
        assert await store.get("during") is None
        intruder.execute("ROLLBACK")
    finally:
        intruder.close()
    await store.ping()
    await put(store, session("during"))
    assert await store.get("during") is not None


async def test_a_caller_who_gives_up_does_not_disturb_the_others(store: SQLiteStore) -> None:
    """A cancelled call may or may not have been committed; its neighbours are answered."""
    calls = [asyncio.create_task(put(store, session(f"s{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    calls[3].cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(o) for n, o in enumerate(outcomes) if n != 3] == [type(None)] * 9
    assert {f"s{n}" for n in range(10) if n != 3} <= {s.id for s in (await store.room("alice")).sessions}


async def test_what_waits_is_finished_before_close_returns(path: Path) -> None:
    """`close` finishes what was begun."""
    store = SQLiteStore(path, Clock())
    await store.open()
    calls = [asyncio.create_task(put(store, session(f"s{n}", f"room{n}"))) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*calls)
    await store.open()
    assert None not in [await store.get(f"s{n}") for n in range(100)]
    await store.close()


async def test_what_cannot_be_written_down_is_not_seen_by_those_after_it(store: SQLiteStore) -> None:
    """A decision whose rows cannot even be made was never taken, as if it had raised."""
    bad = session("bad", device=Device("\ud800", None, None, None, None))

    async def seen() -> list[str]:
        state, _ = await look(store, "alice")
        return [s.id for s in state.sessions]

    answers = await asyncio.gather(put(store, bad), seen(), return_exceptions=True)
    assert isinstance(answers[0], TypeError)
    assert answers[1] == []
    assert await seen() == []


async def test_a_read_that_ends_the_transaction_keeps_nobody_waiting(store: SQLiteStore) -> None:
    """SQLite ends it by itself when the disk fails in a read."""
    await put(store, session("s"))

    def failing(state: RoomState, now: float) -> Decision[None]:
        assert store._reading is not None
        store._reading.execute("ROLLBACK")
        raise StoreUnavailable("the disk fails")

    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            store.transact("alice", failing), put(store, session("s2")), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [StoreUnavailable, type(None)]
    assert [s.id for s in (await store.room("alice")).sessions] == ["s", "s2"]


async def test_a_view_for_which_there_is_no_memory_keeps_nobody_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read is done by itself then."""
    if usable_cores() == 1:
        pytest.skip("on one core decisions read over the connection that writes")
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Forgetful))
    store = SQLiteStore(path, Clock())
    await store.open()
    reader = store._reader
    assert isinstance(reader, Forgetful)
    reader.too_big = ["BEGIN"]
    async with asyncio.timeout(10):
        await asyncio.gather(*(put(store, session(f"s{n}", f"room{n}")) for n in range(100)))
    assert not reader.too_big, "there was no such statement"
    assert not reader.in_transaction
    await store.close()


async def test_close_may_be_called_while_it_closes(path: Path) -> None:
    """Both return when all is finished, and what was begun is."""
    store = SQLiteStore(path, Clock())
    await store.open()
    calls = [asyncio.create_task(put(store, session(f"s{n}", f"room{n}"))) for n in range(1000)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await asyncio.gather(store.close(), store.close())
        await asyncio.gather(*calls)
    await store.open()
    assert None not in [await store.get(f"s{n}") for n in range(1000)]
    await store.close()


async def test_who_has_seen_an_end_does_not_see_the_session_live_again(store: SQLiteStore, path: Path) -> None:
    """Although the commit before the end is told of when the end has long been committed."""
    if usable_cores() == 1:
        pytest.skip("on one core nothing is decided while a commit is under way")
    seen: list[bool] = []

    def listener(change: Change) -> None:
        snapshot = store.at_hand("s")
        assert snapshot is not None
        seen.append(snapshot.session.ended)

    writing = threading.Event()
    assert store._writer is not None
    store._writer._connection.set_progress_handler(writing.set, 1)
    store.listen(listener)
    big = AuditEntry(START, AuditEvent.STARTED, "alice", "0" * 5_000_000)
    start = Decision(None, changed=(session("s"),), audit=(big,))
    calls = [asyncio.create_task(store.transact("alice", deciding(start)))]
    while not writing.is_set():
        await asyncio.sleep(0)
    calls.append(asyncio.create_task(store.transact("alice", deciding(Decision(None, changed=(ended(session("s")),))))))
    for _ in range(3):
        await asyncio.sleep(0)
    with closing(sqlite3.connect(path)) as outside:
        while not outside.execute("SELECT 1 FROM sessions WHERE ended_at IS NOT NULL").fetchall():
            pass
    listener(Change("alice", ()))
    await asyncio.gather(*calls)
    assert seen == [True] * 3


async def test_a_start_that_fails_anywhere_can_be_tried_again(store: SQLiteStore) -> None:
    """However few files the process may open, nothing stays behind, the lock above all."""
    await store.close()
    limits, before = resource.getrlimit(resource.RLIMIT_NOFILE), os.listdir("/proc/self/fd")
    failed = 0
    for files in range(max(map(int, before)) + 20):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))
        try:
            await store.open()
        except (StartError, StoreUnavailable):
            failed += 1
        else:
            await store.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert len(os.listdir("/proc/self/fd")) == len(before)
    assert 0 < failed < files
    await store.open()
    await put(store, session("s"))
