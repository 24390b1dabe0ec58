"""The steps that make the tables, and the rules the tables keep by themselves."""

from __future__ import annotations

import json
from operator import methodcaller
from pathlib import Path

import pytest
import sqlite_utils
from sqlcipher3 import dbapi2
from sqlite_utils.migrations import Migrations

from appliance.errors import StoreFailed
from appliance.records import migrations
from appliance.records.database import Connection, Database
from appliance.records.migrations import MIGRATIONS, STEPS

KEY = bytes(range(32))


def applied(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, applied_at FROM _sqlite_migrations ORDER BY id").fetchall()


def tables(connection: Connection) -> str:
    return json.dumps(connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall())


async def test_steps_run_once_from_empty(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "clinic.db", KEY)
    made, ran = await first.read(tables), await first.read(applied)
    await first.close()
    again = await Database.open(tmp_path / "clinic.db", KEY)
    assert await again.read(applied) == ran
    assert await again.read(tables) == made
    assert [name for name, _ in ran] == [step.__name__ for step in STEPS]
    await again.close()


async def test_steps_run_on_from_the_previous_release(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    fresh = await Database.open(tmp_path / "fresh.db", KEY)
    with pytest.MonkeyPatch.context() as release:
        release.setattr("appliance.records.database.migrate", lambda _: None)
        previous = await Database.open(path, KEY)
    await previous.write(
        lambda c: MIGRATIONS.apply(sqlite_utils.Database(c, recursive_triggers=False), stop_before=STEPS[-1].__name__)
    )
    assert len(await previous.read(applied)) == len(STEPS) - 1
    await previous.close()
    now = await Database.open(path, KEY)
    assert [name for name, _ in await now.read(applied)] == [step.__name__ for step in STEPS]
    assert await now.read(tables) == await fresh.read(tables)
    await now.close()
    await fresh.close()


async def test_what_was_said_before_staff_could_speak_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    with pytest.MonkeyPatch.context() as release:
        release.setattr("appliance.records.database.migrate", lambda _: None)
        previous = await Database.open(path, KEY)

    def told(connection: Connection) -> list[tuple[object, ...]]:
        return connection.execute(
            "SELECT id, conversation, message_id, role, text, parts, kind, language, complete, at FROM turn ORDER BY id"
        ).fetchall()

    def work(connection: Connection) -> list[tuple[object, ...]]:
        MIGRATIONS.apply(sqlite_utils.Database(connection, recursive_triggers=False), stop_before="m006_cases")
        connection.execute(
            "INSERT INTO conversation (id, token_sha256, channel, created_at, last_at) VALUES ('c', x'00', 'web', '', '')"
        )
        for number, role in enumerate(("patient", "assistant", "system"), start=3):
            connection.execute(
                "INSERT INTO turn (id, conversation, message_id, role, text, parts, complete, at)"
                " VALUES (?, 'c', 'm', ?, '你好', '[]', 1, '2026')",
                (number, role),
            )
        return told(connection)

    before = await previous.write(work)
    await previous.close()
    now = await Database.open(path, KEY)
    assert await now.read(told) == before and len(before) == 3
    await now.write(lambda c: c.execute("DELETE FROM conversation"))
    assert await now.read(told) == []
    await now.close()


async def test_a_step_that_fails_leaves_nothing_half_made(tmp_path: Path) -> None:
    def m999_wings(_: sqlite_utils.Database) -> None:
        raise LookupError("no wings")

    with pytest.MonkeyPatch.context() as release:
        release.setattr(migrations, "STEPS", (*STEPS, m999_wings))
        release.setattr(migrations, "MIGRATIONS", Migrations("appliance"))
        for step in migrations.STEPS:
            migrations.MIGRATIONS()(step)
        with pytest.raises(LookupError):
            await Database.open(tmp_path / "clinic.db", KEY)
    again = await Database.open(tmp_path / "clinic.db", KEY)
    assert [name for name, _ in await again.read(applied)] == [step.__name__ for step in STEPS]
    await again.close()


async def test_data_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "clinic.db", KEY)
    newer = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('appliance', 'm999_wings', '')"
    await database.write(lambda c: c.execute(newer))
    await database.close()
    with pytest.raises(StoreFailed, match="newer version"):
        await Database.open(tmp_path / "clinic.db", KEY)


def learn(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO document (id, revision, title, source, sha256, status, learnt_at)"
        " VALUES ('d', 1, 'Hours', 'hours.md', '', 'searchable', '')"
    )
    vector = b"\0" * 4 * 384
    for passage in (1, 2):
        connection.execute(
            "INSERT INTO passage (id, document, start, end, text, language, ordinal)"
            " VALUES (?, 'd', 0, 4, 'open', 'en', ?)",
            (passage, passage),
        )
        connection.execute(
            "INSERT INTO passage_fts (rowid, title_words, words) VALUES (?, 'hours', 'घंटे open')", (passage,)
        )
        connection.execute("INSERT INTO passage_vec VALUES (?, ?, 'en', '')", (passage, vector))
        connection.execute(
            "INSERT INTO sentence (id, passage, start, end, text, kind) VALUES (?, ?, 0, 4, 'open', 'sentence')",
            (passage, passage),
        )
        connection.execute("INSERT INTO sentence_vec VALUES (?, ?)", (passage, vector))


def found(connection: Connection) -> list[int]:
    match = "SELECT count(*) FROM passage_fts WHERE passage_fts MATCH 'घंटे'"
    counts = ("SELECT count(*) FROM passage_vec", "SELECT count(*) FROM sentence_vec", match)
    return [int(connection.execute(count).fetchone()[0]) for count in counts]


async def test_a_hindi_word_is_one_word_and_accents_do_not_matter(database: Database) -> None:
    def hits(connection: Connection) -> list[int]:
        connection.execute("INSERT INTO passage_fts (rowid, title_words, words) VALUES (1, 'घंटे', 'la clínica')")
        search = "SELECT count(*) FROM passage_fts WHERE passage_fts MATCH ?"
        return [connection.execute(search, (word,)).fetchone()[0] for word in ("घंटे", "clinica", "घ", "घंटी")]

    assert await database.write(hits) == [1, 1, 0, 0]


@pytest.mark.parametrize(("gone", "left"), [("DELETE FROM document", 0), ("DELETE FROM passage WHERE id = 1", 1)])
async def test_what_is_removed_is_found_no_more(database: Database, gone: str, left: int) -> None:
    await database.write(learn)
    assert await database.read(found) == [2, 2, 2]
    await database.write(lambda c: c.execute(gone))
    assert await database.read(found) == [left] * 3


async def test_the_audit_is_never_changed_and_a_number_is_never_given_twice(database: Database) -> None:
    add = "INSERT INTO audit (at, actor, act, subject) VALUES ('', 'a', 'b', 'c')"
    await database.write(lambda c: c.execute(add))
    for change in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(dbapi2.IntegrityError, match="never"):
            await database.write(methodcaller("execute", change))
    assert await database.write(lambda c: c.execute(add).lastrowid) == 2


async def test_alerts_of_before_they_could_be_closed_become_one_a_conversation(tmp_path: Path) -> None:
    path, step = tmp_path / "clinic.db", "m003_alerts_and_outbox"
    with pytest.MonkeyPatch.context() as release:
        release.setattr("appliance.records.database.migrate", lambda _: None)
        previous = await Database.open(path, KEY)

    def kept(connection: Connection) -> None:
        MIGRATIONS.apply(sqlite_utils.Database(connection, recursive_triggers=False), stop_before=step)
        connection.execute("INSERT INTO conversation VALUES ('here', x'00', NULL, NULL, 'web', '', '', NULL)")
        connection.executemany(
            "INSERT INTO alert (conversation, kind, language, at) VALUES (?, ?, ?, ?)",
            [
                *[("here", "medical", "en", "1"), ("gone", "poison", "hi", "2")],
                *[("here", "suicide", "es", "3"), ("here", "medical", "es", "4")],
            ],
        )

    await previous.write(kept)
    await previous.close()
    now = await Database.open(path, KEY)
    columns = "SELECT conversation, kinds, language, count, opened_at, last_at, closed_by FROM alert ORDER BY id"
    found = await now.read(lambda c: c.execute(columns).fetchall())
    assert found == [
        ("gone", "poison", "hi", 1, "2", "2", "upgrade"),
        ("here", "medical,suicide", "es", 3, "1", "4", None),
    ]
    await now.close()
