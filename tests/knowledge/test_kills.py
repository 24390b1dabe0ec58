"""kill -9 while a document is learnt: what was known before answers, whole, and learning again mends the rest."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from appliance.knowledge.library import Library
from appliance.knowledge.search import Search
from appliance.records.database import Database
from models.scripted import ScriptedEmbedder

KEY = bytes(range(32))
OLD = "# Fees\n\n" + "\n\n".join(f"Old price {n} is ${n} for a visit." for n in range(60))
NEW = OLD.replace("Old", "New")

LEARNING = """
import asyncio, signal, sys
from pathlib import Path
from appliance.knowledge.library import Library
from appliance.records.database import Database
from models.scripted import ScriptedEmbedder

moment = sys.argv[3]

def stop(here):
    if here == moment:
        print(here, flush=True)
        signal.pause()

class Embedder(ScriptedEmbedder):
    async def passages(self, texts, languages):
        stop("embedding")
        return await super().passages(texts, languages)

class Stopping:
    def __init__(self, database):
        self.read = database.read
        self._database = database
    async def write(self, work):
        def whole(connection):
            made = work(connection)
            stop("before the commit")
            return made
        return await self._database.write(whole)

async def main():
    database = await Database.open(Path(sys.argv[1]), bytes(range(32)))
    await Library(Stopping(database), Embedder()).learn([Path(sys.argv[2])])
    print("learnt", flush=True)
    signal.pause()

asyncio.run(main())
"""


async def killed(path: Path, folder: Path, moment: str) -> None:
    """Learns the folder in a process of its own and kills that at the moment."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEARNING, str(path), str(folder), moment, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(240):
        assert (await child.stdout.readline()).decode().strip() == moment
    child.kill()
    await child.wait()


async def known(path: Path) -> set[str]:
    """The first words of every passage that is found, and a check that nothing is half there."""
    database = await Database.open(path, KEY)
    try:
        hits = await Search(database, ScriptedEmbedder()).passages("price of a visit", "en", limit=50)
        tables = ("passage", "passage_fts", "passage_vec")
        counted = await database.read(
            lambda c: {c.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}  # noqa: S608 - names of ours
        )
        assert counted == {len(hits)}
        return {hit.passage.text.split()[0] for hit in hits}
    finally:
        await database.close()


async def learn(path: Path, folder: Path) -> None:
    database = await Database.open(path, KEY)
    await Library(database, ScriptedEmbedder()).learn([folder])
    await database.close()


@pytest.mark.parametrize(("moment", "after"), [("embedding", "Old"), ("before the commit", "Old"), ("learnt", "New")])
async def test_a_kill_while_learning_leaves_one_whole_version(
    folder: Path, tmp_path: Path, moment: str, after: str
) -> None:
    path = tmp_path / "clinic.db"
    (folder / "fees.md").write_text(OLD)
    await learn(path, folder)
    (folder / "fees.md").write_text(NEW)
    await killed(path, folder, moment)
    assert await known(path) == {after}
    await learn(path, folder)
    assert await known(path) == {"New"}
