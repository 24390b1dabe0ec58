"""Files between patients and staff: what they are, kept once, within limits, gone with their conversation or their word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.conversations.case import Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.files import MOST, Files, kind_of
from appliance.conversations.turns import Conversations
from appliance.errors import BadInput, NotFound, TooLarge
from appliance.message import ConversationId, MessageId
from appliance.records.database import Database

PDF = b"%PDF-1.7 a form"
PNG = b"\x89PNG\r\n\x1a\n and so on"
ANA = Staffer(id="ana", name="Ana", role="nurse")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "clinic.db", bytes(32))
    yield opened
    await opened.close()


@pytest.fixture
def files(database: Database) -> Files:
    return Files(database, most_bytes=1000)


@pytest.fixture
async def conversation(database: Database) -> ConversationId:
    return (await Conversations(database).create("web", "en"))[0]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 photo", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic\x00", "image/heic"),
        (b"<svg onload=alert(1)>", None),
        (b"<html><script>", None),
        (b"MZ\x90\x00", None),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content: bytes, media_type: str | None) -> None:
    kind = kind_of(content)
    assert (kind.media_type if kind else None) == media_type


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("form.pdf", "form.pdf"),
        ("photo.exe", "photo.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\temp\\a.b.txt", "a.b.pdf"),
        ("  .pdf", "file.pdf"),
        ('a"b\r\nset-cookie: x.pdf', "abset-cookie x.pdf"),
        ("化验单.jpg", "化验单.pdf"),
        ("x" * 300 + ".pdf", "x" * 76 + ".pdf"),
    ],
)
async def test_a_name_is_short_printable_and_true(
    files: Files, conversation: ConversationId, given: str, kept: str
) -> None:
    assert (await files.keep(conversation, MessageId("m"), given, PDF, source="s")).name == kept


async def test_what_comes_twice_is_kept_once(files: Files, conversation: ConversationId) -> None:
    first = await files.keep(conversation, MessageId("m"), "form.pdf", PDF, source="mm-1")
    assert await files.keep(conversation, MessageId("m"), "form.pdf", PDF, source="mm-1") == first
    await files.keep(conversation, MessageId("n"), "photo.png", PNG, source="mm-2")
    assert [one.name for one in await files.of(conversation)] == ["form.pdf", "photo.png"]
    assert await files.of(conversation, MessageId("m")) == [first]
    assert await files.open(conversation, first.id) == (first, PDF)


async def test_a_file_is_opened_in_its_own_conversation_only(
    database: Database, files: Files, conversation: ConversationId
) -> None:
    kept = await files.keep(conversation, MessageId("m"), "form.pdf", PDF, source="s")
    other, _ = await Conversations(database).create("web", "en")
    with pytest.raises(NotFound):
        await files.open(other, kept.id)


async def test_limits(files: Files, conversation: ConversationId) -> None:
    with pytest.raises(TooLarge):
        await files.keep(conversation, MessageId("m"), "form.pdf", PDF + bytes(1000), source="big")
    with pytest.raises(BadInput):
        await files.keep(conversation, MessageId("m"), "form.pdf", b"<html>", source="page")
    with pytest.raises(NotFound):
        await files.keep(ConversationId("gone"), MessageId("m"), "form.pdf", PDF, source="s")
    for number in range(MOST):
        await files.keep(conversation, MessageId(f"m{number}"), "form.pdf", PDF, source=f"s{number}")
    with pytest.raises(BadInput):
        await files.keep(conversation, MessageId("more"), "form.pdf", PDF, source="more")


async def test_a_word_taken_back_takes_its_files_and_a_conversation_all_of_them(
    database: Database, files: Files, conversation: ConversationId
) -> None:
    desk = Desk(database)
    for name in ("w1", "w2"):
        await files.keep(conversation, MessageId(name), "form.pdf", PDF, source=name)
        await desk.say(conversation, ANA, "form.pdf", id=MessageId(name), via="page")
    await desk.edit(MessageId("w2"), ANA, "Please sign it.")
    await desk.take_back(MessageId("w1"), ANA)
    assert [one.message_id for one in await files.of(conversation)] == ["w2"]
    await Conversations(database).delete(conversation)
    assert await files.of(conversation) == []
