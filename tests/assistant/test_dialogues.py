"""Every dialogue over every channel, against a whole appliance."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from appliance.message import AnswerKind, Citation, Language, Text
from tests.say import CHANNELS, Appliance, Channel, Said

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a patient says, and what is expected of the answer."""

    user: str
    times: int = 1
    """Said so often in one message."""
    kind: AnswerKind | None = None
    language: Language | None = None
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    cites: tuple[str, ...] | None = None
    numbers: tuple[str, ...] | None = None
    """Those of the calls, the urgent ones first; more may follow."""
    notice: bool | None = None


class Dialogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    turns: tuple[Turn, ...]
    site: str | None = None
    chosen: Language | None = None


def dialogues() -> dict[str, Dialogue]:
    read = {}
    for file in sorted((Path(__file__).parent / "dialogues").glob("*.toml")):
        for one in msgspec.convert(tomllib.loads(file.read_text("utf-8"))["dialogue"], list[Dialogue]):
            read[f"{file.stem}: {one.name}"] = one
    return read


DIALOGUES = dialogues()


@pytest.mark.parametrize("via", CHANNELS)
@pytest.mark.parametrize("name", DIALOGUES)
async def test_the_dialogue_goes_as_written(clinic: Appliance, name: str, via: Channel):
    dialogue = DIALOGUES[name]
    async with clinic.conversing(via, language=dialogue.chosen, site=dialogue.site) as patient:
        for turn in dialogue.turns:
            said = await patient.say(turn.user * turn.times, language=dialogue.chosen)
            expected(turn, said)
            await cited(clinic, said.citations)
            assert quotes(said) == [one.quote for one in said.citations]
            assert length(said) <= 90, "longer than a patient reads"
        recorded = await clinic.history(patient.id)
    assert [turn.role for turn in recorded] == ["patient", "assistant"] * len(dialogue.turns)
    assert all(turn.complete for turn in recorded)


def expected(turn: Turn, said: Said) -> None:
    assert said.complete
    assert turn.kind in (None, said.kind)
    assert turn.language in (None, said.language)
    assert [words for words in turn.says if words not in said.text] == [], said.text
    assert [words for words in turn.never if words in said.text] == [], said.text
    assert turn.cites is None or list(turn.cites) == [one.document for one in said.citations]
    assert turn.numbers is None or said.numbers[: max(1, len(turn.numbers))] == list(turn.numbers)
    assert turn.notice in (None, bool(said.notices))


def quotes(said: Said) -> list[str]:
    """What is said in a document's words, each up to its citation."""
    spoken = [""]
    for part in said.parts:
        if isinstance(part, Citation):
            spoken.append("")
        elif isinstance(part, Text) and part.voice == "quote":
            spoken[-1] += part.text
    assert spoken.pop() == "", "a quote without a source"
    return spoken


def length(said: Said) -> float:
    """In words; a Chinese character is half of one."""
    han = sum("\u3400" <= letter <= "\u9fff" for letter in said.text)
    return len(said.text.split()) + han / 2


async def cited(clinic: Appliance, citations: list[Citation]) -> None:
    """Each source really says so, where the citation says."""
    for one in citations:
        document = await clinic.clinic.library.document(one.document)
        assert document.text[one.span.start : one.span.end] == one.quote != ""
        assert (document.title, document.revision, document.language) == (one.title, one.revision, one.language)


async def test_there_are_dialogues_enough():
    assert len(DIALOGUES) >= 60
