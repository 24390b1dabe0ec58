"""The verdict on a conversation, turn by turn, and the clinics' own dialogues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import BadInput
from appliance.evaluation.dialogues import Dialogue, Expected, Turn, dialogues, held, judged
from appliance.message import LANGUAGES, AnswerKind, Citation, DocumentId, Language, Notice, Opening, Part, Span, Text
from tests.say import Appliance

CLINICS = Path(__file__).parents[1] / "clinics"


def said(kind: AnswerKind, words: str, *, language: Language = "en", more: Sequence[Part] = ()) -> list[Part]:
    return [Opening(kind=kind, language=language), *more, Text(text=words)]


def wrong(parts: Sequence[Part], **expected: Any) -> tuple[str, ...]:
    return judged(Turn(user="?", expected=Expected(**expected)), parts, sources={}, first_ms=1.0).wrong


@pytest.mark.parametrize(
    ("parts", "expected", "fails"),
    [
        (said("quoted", "It costs $40."), {"facts": (r"\$40",)}, ()),
        (said("quoted", "It costs $40."), {"facts": (r"\$40", "noon")}, ("facts",)),
        (said("quoted", "It costs $40, not $31."), {"facts": (r"\$40",), "must_not": (r"\$31",)}, ("must_not",)),
        (said("quoted", "NOON at ８：００"), {"facts": ("noon", "8:00")}, ()),
        (said("quoted", "x", language="es"), {"language": "es"}, ()),
        (said("quoted", "x", language="es"), {"language": "en"}, ("language",)),
        (said("unknown", "ask us"), {"handoff": True}, ()),
        (said("contact", "ask us"), {"handoff": True}, ()),
        (said("quoted", "x"), {"handoff": True}, ("handoff",)),
        (said("unknown", "ask us"), {"handoff": False}, ("handoff",)),
        (said("contact", "we open at 8:00"), {"handoff": False, "facts": ("8:00",)}, ()),
        (said("emergency", "911"), {"emergency": True}, ()),
        (said("emergency", "911"), {"emergency": False}, ("emergency",)),
        (said("quoted", "x"), {"emergency": True}, ("emergency",)),
        (said("trouble", "later"), {}, ()),
    ],
)
def test_what_is_wrong_with_an_answer(parts: list[Part], expected: dict[str, Any], fails: tuple[str, ...]):
    assert wrong(parts, **expected) == fails


def test_how_a_follow_up_was_taken_is_told_and_is_no_fact():
    taken = Notice(code="understood_as", text="You are asking about: $40")
    parts = said("quoted", "x", more=[taken, Notice(code="source_language", text="only in Chinese")])
    assert wrong(parts, facts=(r"\$40",)) == ("facts",) and wrong(parts, facts=("Chinese",)) == ()
    row = judged(Turn(user="?"), parts, sources={}, first_ms=1.0)
    assert (row.understood, row.said) == (taken.text, "only in Chinesex")


def test_a_turn_names_its_sources():
    cited = Citation(
        number=1, document=DocumentId("d1"), revision=1, title="t", language="en", span=Span(start=0, end=1), quote="x"
    )
    row = judged(
        Turn(user="?"), [*said("quoted", "x"), cited, cited], sources={cited.document: "fees.md"}, first_ms=1.0
    )
    assert row.sources == ("fees.md",) and row.right


@pytest.mark.parametrize("line", ['{"id":"2","lang":"fr","turns":[]}', '{"id":"2"}', "no json", "[]"])
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, line: str):
    file = tmp_path / "d.jsonl"
    file.write_text('{"id":"1","lang":"en","turns":[{"user":"?","more":1}]}\n\n' + line + "\n")
    with pytest.raises(BadInput, match=r"d\.jsonl, line 3"):
        dialogues(file)


@pytest.mark.parametrize(("clinics", "least"), [(("harbor", "lakeside"), 15), (("juniper",), 8)])
def test_there_are_dialogues_enough_in_every_language(clinics: Sequence[str], least: int):
    rows = [row for clinic in clinics for row in dialogues(CLINICS / clinic / "dialogues.jsonl")]
    assert len({row.id for row in rows}) == len(rows)
    counted = Counter(row.lang for row in rows)
    assert all(counted[language] >= least for language in LANGUAGES), counted
    assert all(2 <= len(row.turns) <= 5 for row in rows)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_conversation_is_held_in_order_and_leaves_no_trace(clinic: Appliance):
    follow = Turn(user="and on Saturdays?", expected=Expected(facts=("9:00",), handoff=False))
    first = Turn(user="When is Main Street open on Wednesday?", expected=Expected(facts=("8:00",)))
    bad = Turn(user="How much is a sports physical?", expected=Expected(facts=(r"\$41",)))
    asked = [
        Dialogue(id="one", lang="en", turns=(first, follow)),
        Dialogue(id="two", lang="es", turns=(follow, bad, first)),
    ]
    before = await conversations(clinic)
    sources = {one.id: one.source for one in await clinic.clinic.library.documents()}
    told = await held(clinic.assistant, clinic.conversations, asked, sources=sources)
    assert [row.right for row in told["rows"]] == [True, False]
    assert told["rows"][0].turns[1].understood and told["rows"][0].turns[0].sources == ("hours-main.md",)
    assert told["by_lang"]["en"]["turns_right"] == told["by_lang"]["en"]["dialogues_right"] == 1.0
    assert told["overall"]["dialogues_right"] == 0.5 and told["overall"]["turns"] == 5
    assert told["overall"]["first_ms_p95"] > 0
    assert await conversations(clinic) == before


async def conversations(clinic: Appliance) -> int:
    return await clinic.clinic.database.read(
        lambda c: int(c.execute("SELECT count(*) FROM conversation").fetchone()[0])
    )
