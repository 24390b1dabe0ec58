"""Which source a written sentence leaves with: passages made by hand, without a search."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from appliance.assistant.grounding import Grounding
from appliance.assistant.prompt import prompt, written_answer
from appliance.knowledge import Passage, Sentence
from appliance.knowledge.search import Hit, SentenceHit
from appliance.message import Citation, DocumentId, Language, PassageId, Text
from models.scripted import ScriptedChat


def hit(number: int, *sentences: str, language: Language = "en") -> Hit:
    """A passage that begins somewhere in its document."""
    text, start, parts = "\n".join(sentences), 100 * number, []
    for one in sentences:
        begins = start + text.index(one)
        parts.append(SentenceHit(sentence=Sentence(start=begins, end=begins + len(one), text=one), dense=0.5))
    passage = Passage(
        id=PassageId(number),
        document=DocumentId(f"d{number}"),
        revision=1,
        title=f"Title {number}",
        heading=("Above",),
        page=None,
        language=language,
        site=None,
        start=start,
        end=start + len(text),
        text=text,
    )
    return Hit(passage=passage, score=1.0, dense=0.5, words=0.0, sentences=tuple(parts))


GROUNDING = Grounding.load()
HITS = [
    hit(1, "Cherry grapes melons olives."),
    hit(2, "Bread costs $3.", "Butter costs $5."),
    hit(3, "Alpha beta gamma delta."),
    hit(4, "Nobody shows this passage."),
]


async def written(text: str, language: Language = "en", hits: list[Hit] | None = None) -> list[tuple[str, str, str]]:
    """Each sentence with the document and the quote that it left with."""
    chat = ScriptedChat()
    chat.enqueue(text)
    async with aclosing(written_answer("?", language, hits=hits or HITS, model=chat, grounding=GROUNDING)) as answer:
        parts = [part async for part in answer]
    said = [part.text.strip() for part in parts if isinstance(part, Text)]
    cited = [part for part in parts if isinstance(part, Citation)]
    assert [one.number for one in cited] == list(range(1, len(said) + 1))
    return [(words, one.document, one.quote) for words, one in zip(said, cited, strict=True)]


@pytest.mark.parametrize(
    ("text", "document", "quote"),
    [
        ("Bread costs $3 [2].", "d2", "Bread costs $3."),
        ("Butter costs $5.", "d2", "Butter costs $5."),
        ("Butter costs $5 [1].", "d2", "Butter costs $5."),  # the wrong number named, borne out all the same
        ("Butter costs $5 [1] [2].", "d2", "Butter costs $5."),
        ("Alpha beta gamma delta [3].", "d3", "Alpha beta gamma delta."),
        ("Delta gamma beta alpha.", "d3", "Alpha beta gamma delta."),
    ],
)
async def test_a_sentence_leaves_with_the_passage_it_names_or_with_one_that_bears_it_out(
    text: str, document: str, quote: str
):
    assert [(found, words) for _, found, words in await written(text)] == [(document, quote)]


@pytest.mark.parametrize(
    "text",
    [
        "Alpha mango papaya lychee.",  # a quarter of its words, and no passage named
        "Alpha mango papaya lychee [0].",
        "Alpha mango papaya lychee [4].",  # there are three passages to name
        "Alpha mango papaya lychee [1].",
        "Alpha mango papaya lychee [3].",
        "Alpha beta mango papaya.",
        "Mango papaya lychee guava [3].",
        "Bread costs $4 [2].",
        "Bread costs $3.50 [2].",
        "Nobody shows this passage.",
    ],
)
async def test_a_sentence_without_a_source_does_not_leave(text: str):
    assert await written(text) == []


async def test_a_sentence_in_another_language_than_its_source_leaves_with_its_facts_checked():
    hits = [hit(1, "Bread costs $3.", "Butter costs $5.")]
    assert await written("El pan cuesta $3 [1].", "es", hits) == [("El pan cuesta $3.", "d1", "Bread costs $3.")]
    assert await written("El pan cuesta $4 [1].", "es", hits) == []
    assert await written("El pan cuesta tres dólares.", "es", hits) == [
        ("El pan cuesta tres dólares.", "d1", "Bread costs $3.")
    ]
    assert await written("No se venden bicicletas.", "es", hits) == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Bread costs $3. Butter costs $5.", ["Bread costs $3.", "Butter costs $5."]),
        ("Bread costs $3 [2]. Butter costs $5 [2].", ["Bread costs $3.", "Butter costs $5."]),
        ("Bread costs $3. [2] Butter costs $5. [2]", ["Bread costs $3.", "Butter costs $5."]),
        ("- Bread costs $3\n- Butter costs $5", ["- Bread costs $3", "- Butter costs $5"]),
        ("Bread costs $3", ["Bread costs $3"]),
    ],
)
async def test_sentences_are_told_apart_and_marks_are_not_shown(text: str, sentences: list[str]):
    assert [words for words, _, _ in await written(text)] == sentences


def test_the_prompt_numbers_the_passages_and_shows_where_they_stand():
    system, user = prompt("When?", "hi", hits=HITS)
    assert system.role == "system" and user.role == "user"
    assert "[1] (Title 1 > Above) Cherry" in user.text and "[3] (Title 3 > Above) Alpha" in user.text
    assert "Nobody shows" not in user.text
    assert user.text.endswith("Answer in Hindi.\nQuestion: When?")


def test_a_long_passage_does_not_crowd_out_the_question():
    user = prompt("When?", "en", hits=[hit(1, "word " * 5_000)])[1]
    assert len(user.text) < 1_200 and user.text.endswith("Question: When?")
