"""Files that want to take the machine: each ends in its child process, with words for whoever brought it."""

from __future__ import annotations

import asyncio
import functools
import io
import os
import zipfile
import zlib
from pathlib import Path

import pytest

from appliance.errors import BadDocument, TooLarge
from appliance.knowledge import documents
from appliance.knowledge.documents import Limits, read
from appliance.knowledge.parsed import Metadata

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LOL = "".join(f'<!ENTITY {chr(98 + depth)} "{("&" + chr(97 + depth) + ";") * 10}">' for depth in range(9))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lollollollol">{LOL}]>'


def flate_bomb(layers: int, size: int) -> bytes:
    """A PDF of 2 KiB whose page unpacks to ``size`` bytes."""
    packed = b"\0" * size
    for _ in range(layers):
        packed = zlib.compress(packed, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Length %d/Filter [%s]>>\nstream\n%s\nendstream" % (len(packed), b"/FlateDecode " * layers, packed),
    ]
    file, places = b"%PDF-1.5\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return file + b"xref\n0 5\n0000000000 65535 f \n%strailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(file),
    )


def word_file(*parts: bytes) -> bytes:
    """A DOCX whose document is these bytes."""
    package = "application/vnd.openxmlformats-package.relationships+xml"
    document = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    schema = "http://schemas.openxmlformats.org"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{schema}/package/2006/content-types"><Default Extension="rels" ContentType="{package}"/>'
            f'<Override PartName="/word/document.xml" ContentType="{document}"/></Types>',
        )
        packed.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{schema}/package/2006/relationships"><Relationship Id="r" Target="word/document.xml" '
            f'Type="{schema}/officeDocument/2006/relationships/officeDocument"/></Relationships>',
        )
        with packed.open("word/document.xml", "w") as inner:
            for part in parts:
                inner.write(part)
    return file.getvalue()


def huge_word_file() -> bytes:
    paragraph = b"<w:p><w:r><w:t>" + b"A" * 1_000_000 + b"</w:t></w:r></w:p>"
    return word_file(f"<w:document {W}><w:body>".encode(), *[paragraph] * 120, b"</w:body></w:document>")


def reader_that(folder: Path, monkeypatch: pytest.MonkeyPatch, *, does: str) -> None:
    """Puts these lines in the reader's place."""
    package = folder / "appliance" / "knowledge"
    package.mkdir(parents=True)
    for one in (package.parent, package):
        (one / "__init__.py").touch()
    (package / "reading.py").write_text(does)
    monkeypatch.setattr(documents, "_HOUSE", str(folder))


BOMBS = {
    "layers.pdf": (flate_bomb(2, 400_000_000), "needs more than 512 MB of memory to open"),
    "huge.docx": (huge_word_file(), "needs more than 512 MB of memory to open .*: it unpacks to 114 MB"),
    "laughs.docx": (word_file(f"{LAUGHS}<w:document {W}><w:body><w:p>&j;</w:p></w:body></w:document>".encode()), "damaged"),
    "deep.html": (b"<div>" * 100_000 + b"x", "nested too deeply"),
    "deep.md": (b"> " * 20_000 + b"x", "nested too deeply"),
    "slow.md": (b"*a " * 200_000, "took longer than 2 seconds"),
    "empty.txt": (b"", "is empty"),
    "blank.pdf": (b"  \n", "is empty"),
    "comment.html": (b"<!-- only this -->", "holds no text"),
    "false.pdf": (b"<html>hello", "is not a PDF although its name says so"),
    "false.docx": (b"%PDF-1.4", "is not a DOCX although its name says so"),
    "false.txt": (b"%PDF-1.4\n...", "is not text although its name says so: it looks like a PDF"),
    "table.xlsx": (b"PK\x03\x04", r"of a kind that cannot be read. These can: Markdown .* DOCX"),
    "noname": (b"text", "of a kind that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
async def test_a_file_that_cannot_be_read_is_refused_in_words(name: str) -> None:
    data, told = BOMBS[name]
    with pytest.raises(BadDocument, match=told):
        # a busy machine opens slowly: only the slow one is to run out of time
        await read(name, data, limits=Limits(memory_mb=512, seconds=2 if name == "slow.md" else 30))


async def test_laughs_in_html_stay_words() -> None:
    found = await read("laughs.html", f"{LAUGHS}<p>Open &j;".encode(), limits=Limits(memory_mb=512, seconds=5))
    assert len(found.text) < 1_000


async def test_a_file_over_the_limit_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(TooLarge, match=r"is 60 MB large; the limit is 50 MB \(limits.upload_mb\)"):
        await read("large.txt", bytes(60 << 20))


async def test_an_answer_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader_that(tmp_path, monkeypatch, does="while True: print('x' * 100_000)")
    monkeypatch.setattr(documents, "MOST_ANSWER", 1_000_000)
    # what was not read is still in the pipe when the child is stopped, however fast this machine is
    short = functools.partial(asyncio.create_subprocess_exec, limit=1)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", short)
    with pytest.raises(BadDocument, match="holds more text than can be learnt"):
        await asyncio.wait_for(read("long.txt", b"Text."), timeout=60)


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "is damaged: the reader broke off"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "needs more than 1024 MB of memory"),
        ("raise SystemExit(3)", "is damaged: the reader broke off"),
        ("print('not JSON')", "is damaged: the reader broke off"),
        ("import time; time.sleep(60)", "took longer than 1 seconds"),
        ("while True: pass", "took longer than 1 seconds"),
    ],
)
async def test_every_way_to_die_has_words(
    does: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader_that(tmp_path, monkeypatch, does=does)
    monkeypatch.setattr(documents, "START_S", 0.2)
    with pytest.raises(BadDocument, match=told):
        # a busy machine starts it slowly: only what is told so is to run out of time
        await read("a.md", b"Text.", limits=Limits(seconds=1 if "1 seconds" in told else 60))


async def test_the_child_can_neither_write_files_nor_see_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/secret")
    house = Path(documents.__file__).parents[2]
    reader_that(
        tmp_path,
        monkeypatch,
        does=f"import json, os, sys; sys.path.insert(0, {str(house)!r}); sys.modules.pop('appliance'); "
        "sys.modules.pop('appliance.knowledge'); import appliance.knowledge.reading as real; order = real.Order(name='x'); "
        "real._give_up(order)\n"
        f"import pathlib\ntry: wrote = pathlib.Path({str(tmp_path / 'out')!r}).write_text('x')\n"
        "except OSError: wrote = False\n"
        "print(json.dumps({'bad': f'wrote={wrote} secret={os.environ.get(\"CREDENTIALS_DIRECTORY\")}'}))",
    )
    with pytest.raises(BadDocument, match="wrote=False secret=None"):
        await read("a.md", b"Text.")


async def test_what_was_given_goes_before_what_the_document_says() -> None:
    data = b"---\ntitle: Mine\nsite: North\nvalid_from: 2026-01-01\n---\nEffective March 2, 2026\n\nText."
    found = await read("a.md", data, given=Metadata(title="Given", language="es"))
    assert (found.title, found.metadata.site, found.metadata.valid_from, found.language) == (
        "Given",
        "North",
        "2026-01-01",
        "es",
    )


def test_no_child_is_left() -> None:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    running = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    assert not any(b"appliance.knowledge.reading" in command for command in running)
