"""What the clinic learns: new, changed, removed, superseded documents, and what becomes of each, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from appliance.errors import BadDocument, NotFound, StoreFailed
from appliance.knowledge import DocumentStatus
from appliance.knowledge.documents import Limits
from appliance.knowledge.library import Library
from appliance.knowledge.parsed import Block, Metadata, Parsed
from appliance.knowledge.search import Scope, Search
from appliance.message import DocumentId, now
from appliance.records.database import Connection, Database
from models import Vectors
from models.scripted import ScriptedEmbedder

FEES = "# Fees\n\nAn office visit costs $95.\n"
NEW_FEES = "# Fees\n\nAn office visit costs $110.\n"


def day(offset: int) -> str:
    return (now().date() + timedelta(days=offset)).isoformat()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


async def found(database: Database, question: str = "office visit", **scope: str) -> list[str]:
    hits = await Search(database, ScriptedEmbedder()).passages(question, "en", scope=Scope(**scope))  # type: ignore[arg-type]
    return [hit.passage.text for hit in hits]


async def states(library: Library) -> dict[str, tuple[str, str]]:
    return {one.source: (one.status, one.words) for one in await library.documents()}


async def counts(database: Database) -> list[int]:
    """Passages, their words, their vectors, sentences and theirs."""
    tables = ("passage", "passage_fts", "passage_vec", "sentence", "sentence_vec")
    return await database.read(lambda c: [c.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables])  # noqa: S608


# ---- learning --------------------------------------------------------------------------------------------------------


async def test_a_folder_is_learnt_with_all_that_is_in_it(library: Library, database: Database, folder: Path) -> None:
    write(folder, fees=FEES)
    (folder / "more").mkdir()
    write(folder / "more", hours="# Hours\n\nOpen at 8. Closed at 5.\n")
    for ignored in (".hidden.md", "~$lock.docx", "picture.png", "old.md~"):
        (folder / ignored).write_text("x")
    learnt = await library.learn([folder])
    assert [(one.id, one.source, one.status, one.words) for one in learnt] == [
        ("fees.md", "fees.md", "searchable", "searchable: 1 passage, 1 sentence"),
        ("more-hours.md", "more/hours.md", "searchable", "searchable: 1 passage, 2 sentences"),
    ]
    assert "An office visit costs $95." in await found(database)
    assert await counts(database) == [2, 2, 2, 3, 3]


async def test_progress_reaches_the_end_and_never_goes_back(library: Library, folder: Path) -> None:
    write(folder, fees=FEES, hours="\n\n".join(f"Sentence number {n} of this text." for n in range(80)))
    told: list[tuple[int, int, str]] = []
    await library.learn([folder], progress=lambda *now_: told.append(now_))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (200, 200)
    assert any(0 < done % 100 < 100 for done, _, _ in told)


async def test_what_is_unchanged_is_neither_read_nor_embedded_again(database: Database, folder: Path) -> None:
    class Counting(ScriptedEmbedder):
        asked = 0

        async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
            self.asked += len(texts)
            return await super().passages(texts, languages)

    embedder = Counting()
    library = Library(database, embedder)
    write(folder, fees=FEES, hours="Open at 8.")
    await library.learn([folder])
    before = embedder.asked
    write(folder, fees=NEW_FEES)
    again = await library.learn([folder])
    assert embedder.asked == before + 2  # one passage, one sentence
    assert [(one.source, one.revision) for one in again] == [("fees.md", 2), ("hours.md", 1)]


async def test_a_changed_file_replaces_what_it_said(library: Library, database: Database, folder: Path) -> None:
    write(folder, fees=FEES)
    await library.learn([folder])
    write(folder, fees=NEW_FEES)
    await library.learn([folder / "fees.md"])
    assert await found(database) == ["An office visit costs $110."]
    assert await counts(database) == [1, 1, 1, 1, 1]


async def test_a_file_that_is_gone_is_removed_but_only_from_the_folder_that_is_learnt(
    library: Library, database: Database, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(folder, fees=FEES, hours="Open at 8.")
    write(other, parking="Free.")
    await library.learn([folder, other])
    await library.learn_bytes("sent.md", b"Sent by hand.")
    (folder / "fees.md").unlink()
    (other / "parking.md").unlink()
    learnt = await library.learn([folder])
    assert [(one.source, one.status) for one in learnt] == [("fees.md", "removed"), ("hours.md", "searchable")]
    assert sorted(await states(library)) == ["hours.md", "parking.md", "sent.md"]
    assert "An office visit costs $95." not in await found(database)


async def test_the_same_name_in_two_folders_is_two_documents(library: Library, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(folder, hours="Open at 8.")
    write(other, hours="Open at 9.")
    await library.learn([folder])
    await library.learn([other])
    assert sorted(await states(library)) == ["hours.md", "hours.md-2"]


async def test_a_folder_that_was_moved_is_the_same_documents(library: Library, folder: Path, tmp_path: Path) -> None:
    write(folder, hours="Open at 8.")
    await library.learn([folder])
    folder.rename(tmp_path / "moved")  # noqa: ASYNC240 - a test's own files
    await library.learn([tmp_path / "moved"])
    assert sorted(await states(library)) == ["hours.md"]


async def test_a_document_that_is_sent_again_is_replaced(library: Library, database: Database) -> None:
    first = await library.learn_bytes("fees.md", FEES.encode())
    second = await library.learn_bytes("fees.md", NEW_FEES.encode())
    assert (first.id, first.revision, second.id, second.revision) == ("fees.md", 1, "fees.md", 2)
    assert await found(database) == ["An office visit costs $110."]


async def test_blocks_that_somebody_else_read_are_learnt(library: Library, database: Database) -> None:
    parsed = Parsed(blocks=(Block(kind="paragraph", text="Open at 8."),), metadata=Metadata(title="", language="en"))
    assert (await library.learn_parsed("p1", parsed, sentence_vectors=False)).title == ""
    assert await counts(database) == [1, 1, 1, 1, 0]


async def test_many_at_once_are_learnt_one_after_the_other(library: Library) -> None:
    await asyncio.gather(*(library.learn_bytes(f"{n}.md", f"Text number {n}.".encode()) for n in range(5)))
    assert {status for status, _ in (await states(library)).values()} == {"searchable"}


# ---- what is said about a document -----------------------------------------------------------------------------------


async def test_what_stands_beside_a_file_counts_and_a_change_of_it_too(library: Library, folder: Path) -> None:
    write(folder, fees=FEES)
    beside = folder / "fees.md.toml"
    beside.write_text('title = "Prices"\nsite = "North"\nvalid_from = 2026-01-05\n')
    (one,) = await library.learn([folder])
    assert (one.title, one.site, one.valid_from) == ("Prices", "North", "2026-01-05")
    beside.write_text('title = "All prices"\n')
    (one,) = await library.learn([folder])
    assert (one.title, one.site, one.revision) == ("All prices", None, 2)


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ("title = ", "which is not TOML"),
        ('titel = "x"', "says titel; it can say title, site"),
        ('language = "fr"', "it can be en, es"),
    ],
)
async def test_what_stands_beside_a_file_and_is_wrong_is_told(
    library: Library, folder: Path, beside: str, told: str
) -> None:
    write(folder, fees=FEES)
    (folder / "fees.md.toml").write_text(beside)
    (one,) = await library.learn([folder])
    assert one.status == "failed"
    assert told in one.words


async def test_a_day_that_is_none_is_refused(library: Library) -> None:
    with pytest.raises(BadDocument, match="valid_from is 'soon', which is not a day"):
        await library.learn_bytes("fees.md", FEES.encode(), Metadata(valid_from="soon"))


async def test_a_passage_has_the_site_that_its_heading_names(library: Library, database: Database) -> None:
    await library.learn_bytes("hours.md", b"# Hours\n\n## North\n\nOpen at 8.\n\n## Main Street\n\nOpen at 9.\n")
    await library.learn_bytes("a.md", b"---\nsite: Main Street\n---\nA text.")
    await library.learn_bytes("b.md", b"---\nsite: north\n---\nB text.")
    await library.learn_bytes("c.md", b"# Parking at Main Street\n\nC text.")
    rows = await database.read(lambda c: c.execute("SELECT text, site FROM passage ORDER BY text").fetchall())
    assert rows == [
        ("A text.", "Main Street"),
        ("B text.", "north"),
        ("C text.", "Main Street"),
        ("Open at 8.", "north"),
        ("Open at 9.", "Main Street"),
    ]
    assert (
        await database.read(lambda c: c.execute("SELECT count(*) FROM passage_vec WHERE site = 'north'").fetchone()[0])
        == 2
    )


# ---- in force --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("fees", "new"), ("new", "fees")])
async def test_a_superseded_document_never_answers_whichever_is_learnt_first(
    library: Library, database: Database, folder: Path, order: tuple[str, str]
) -> None:
    write(folder, fees=FEES, new="---\nsupersedes: fees.md\ntitle: Fees 2026\n---\nAn office visit costs $110.")
    for name in order:
        await library.learn([folder / f"{name}.md"])
    assert await found(database) == ["An office visit costs $110."]
    assert (await states(library))["fees.md"] == ("superseded", "Fees 2026 (new.md) has taken its place")
    assert (await library.document(DocumentId("fees.md"))).text  # an old answer may still show it
    await library.remove(DocumentId("new.md"))
    assert await found(database) == ["An office visit costs $95."]


async def test_a_document_answers_until_the_day_before_its_successor_begins(
    library: Library, database: Database
) -> None:
    await library.learn_bytes("fees.md", FEES.encode())
    text = f"---\nsupersedes: Fees\ntitle: Fees 2027\nvalid_from: {day(10)}\n---\nAn office visit costs $110."
    await library.learn_bytes("new.md", text.encode())
    assert await found(database) == ["An office visit costs $95."]
    assert await states(library) == {
        "fees.md": (
            "searchable",
            f"searchable: 1 passage, 1 sentence; until {day(9)}, then Fees 2027 (new.md) takes its place",
        ),
        "new.md": ("not_in_force", f"not in force before {day(10)}"),
    }
    assert await found(database, today=now().date() + timedelta(days=10)) == ["An office visit costs $110."]  # type: ignore[arg-type]


async def test_a_document_that_says_it_is_superseded_never_answers(library: Library, database: Database) -> None:
    await library.learn_bytes("fees.md", b"# Fees\n\nSuperseded by: Fees 2026.\n\nAn office visit costs $85.")
    assert await found(database) == []
    assert (await states(library))["fees.md"] == ("superseded", "Fees 2026 has taken its place")


async def test_a_document_that_is_no_longer_in_force_says_so(library: Library, database: Database) -> None:
    await library.learn_bytes("summer.md", f"---\nvalid_until: {day(-1)}\n---\nClosed early.".encode())
    assert await found(database, "closed early") == []
    assert (await states(library))["summer.md"] == ("not_in_force", f"was in force until {day(-1)}")


async def test_the_clinics_own_day_decides_what_is_in_force(tmp_path: Path) -> None:
    ahead = timezone(timedelta(hours=14)) if now().hour >= 10 else timezone(timedelta(hours=-12))  # never UTC's day
    there = now().astimezone(ahead).date().isoformat()
    database = await Database.open(tmp_path / "ahead.db", bytes(32), zone=ahead)
    library = Library(database, ScriptedEmbedder())
    await library.learn_bytes(
        "today.md", f"---\nvalid_from: {there}\nvalid_until: {there}\n---\nClosed early.".encode()
    )
    assert await found(database, "closed early") == ["Closed early."]
    assert (await states(library))["today.md"][0] == "searchable"
    await database.close()


# ---- what goes wrong -------------------------------------------------------------------------------------------------


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(library: Library, folder: Path) -> None:
    write(folder, fees=FEES)
    (folder / "broken.pdf").write_bytes(b"hello")
    (folder / "sheet.xlsx").write_bytes(b"PK")
    (folder / "large.txt").write_bytes(bytes(60 << 20))
    await library.learn([folder])
    said = await states(library)
    assert said["fees.md"][0] == "searchable"
    assert said["broken.pdf"] == ("failed", "not learnt: it is not a PDF although its name says so")
    assert "These can: Markdown" in said["sheet.xlsx"][1]
    assert "is 60 MB large; the limit is 50 MB" in said["large.txt"][1]


async def test_a_newer_version_that_cannot_be_read_leaves_the_old_one_answering(
    library: Library, database: Database, folder: Path
) -> None:
    write(folder, fees=FEES)
    await library.learn([folder])
    (folder / "fees.md").write_bytes(b"%PDF-1.7")
    (one,) = await library.learn([folder])
    assert one.status == "searchable"
    assert "its newer version was not learnt: it is not Markdown" in one.words
    assert await found(database) == ["An office visit costs $95."]
    write(folder, fees=FEES)
    (one,) = await library.learn([folder])
    assert one.words == "searchable: 1 passage, 1 sentence"


async def test_a_path_that_is_not_there_is_told(library: Library, folder: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file or folder"):
        await library.learn([folder / "nothing.md"])


async def test_what_is_removed_is_gone_and_learnt_again_is_a_new_revision(library: Library, database: Database) -> None:
    await library.learn_bytes("fees.md", FEES.encode())
    await library.remove(DocumentId("fees.md"))
    assert await library.documents() == []
    assert await counts(database) == [0, 0, 0, 0, 0]
    with pytest.raises(NotFound, match=r"there is no document 'fees\.md'"):
        await library.document(DocumentId("fees.md"))
    with pytest.raises(NotFound):
        await library.remove(DocumentId("fees.md"))
    assert (await library.learn_bytes("fees.md", FEES.encode())).revision == 2


class FullDisk:
    """A database whose disk is full for everything but reading, and for the first ``lines`` small writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.full = False
        self.read = database.read

    async def write(self, work: Callable[[Connection], object]) -> object:
        def filled(connection: Connection) -> object:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 1 if self.full else 1 << 30}")
            return work(connection)

        return await self._database.write(filled)


async def test_on_a_full_disk_the_old_version_answers_and_the_status_says_why(database: Database) -> None:
    disk = FullDisk(database)
    library = Library(disk, ScriptedEmbedder())  # type: ignore[arg-type]
    await library.learn_bytes("fees.md", FEES.encode())
    disk.full = True
    with pytest.raises(StoreFailed, match="is full: free some space"):
        await library.learn_bytes(
            "fees.md", NEW_FEES.encode() + b"\n\n".join(b"Sentence %d of many." % n for n in range(3000))
        )
    assert await found(database) == ["An office visit costs $95."]
    (one,) = await library.documents()
    assert "the disk that holds" in one.words
    disk.full = False
    await library.learn_bytes("fees.md", NEW_FEES.encode())
    assert await found(database) == ["An office visit costs $110."]


# ---- another embedder ------------------------------------------------------------------------------------------------


async def test_after_a_change_of_embedder_everything_is_embedded_anew_without_the_files(
    library: Library, database: Database, folder: Path
) -> None:
    class Wider(ScriptedEmbedder):
        name = "wider"
        dimensions = 512

        async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
            import numpy as np

            return np.pad(await super().passages(texts, languages), ((0, 0), (0, 128)))

    write(folder, fees=FEES)
    await library.learn([folder])
    (folder / "fees.md").unlink()
    await Library(database, Wider()).learn_bytes("hours.md", b"Open at 8.")
    assert await counts(database) == [2, 2, 2, 2, 2]
    assert await database.read(lambda c: c.execute("SELECT name, dimensions FROM embedder").fetchall()) == [
        ("wider", 512)
    ]


def test_the_limits_have_the_defaults_of_the_settings() -> None:
    from appliance.config import Config

    limits, settings = Limits(), Config()
    assert (limits.memory_mb, limits.seconds, limits.words) == (
        settings.knowledge.parse_memory_mb,
        settings.knowledge.parse_seconds,
        settings.knowledge.passage_words,
    )
    assert limits.upload_mb == settings.limits.upload_mb


def test_a_status_hides_nothing() -> None:
    assert "words" in DocumentStatus.__struct_fields__
