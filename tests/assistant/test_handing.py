"""Who needs a person, in four languages: asked for, anger, failure twice, doubt, a topic; and who only sounds like it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.assistant.handing import Exchange, Handing, Why, suggested, summary
from appliance.config import Handover
from appliance.conversations.turns import Role, Turn
from appliance.knowledge.glossary import Glossary
from appliance.message import AnswerKind, Citation, DocumentId, MessageId, Opening, Span, Text, now

SAID: dict[str, dict[str, list[str]]] = tomllib.loads((Path(__file__).parent / "handing.toml").read_text("utf-8"))


def cases(*tables: str) -> list[tuple[str, str]]:
    return [(table, text) for table in tables for texts in SAID[table].values() for text in texts]


@pytest.fixture(scope="module")
def handing() -> Handing:
    settings = Handover(topics=("billing", "lost .. card"), unsure=0.6)
    return Handing.load(settings, Glossary.load())


def exchange(
    text: str,
    *,
    kind: AnswerKind = "quoted",
    asked: bool = False,
    before: tuple[Turn, ...] = (),
    probability: float | None = None,
) -> Exchange:
    return Exchange(text=text, kind=kind, asked=asked, before=before, probability=probability)


def turn(role: Role, kind: AnswerKind | None = None, text: str = "x") -> Turn:
    return Turn(message_id=MessageId("m"), role=role, text=text, kind=kind, at=now())


@pytest.mark.parametrize(("table", "text"), cases("anger", "calm"))
def test_anger_is_heard_and_nothing_else_is_taken_for_it(handing: Handing, table: str, text: str) -> None:
    why = handing.why(exchange(text))
    assert (why == Why(reason="anger")) is (table == "anger"), text


@pytest.mark.parametrize(("table", "text"), cases("never_mind", "still_asking", "calm"))
def test_who_needs_nobody_any_more_says_so_and_little_else(handing: Handing, table: str, text: str) -> None:
    assert handing.never_mind(text) is (table == "never_mind"), text


def test_a_person_is_there_for_who_asks(handing: Handing) -> None:
    why = handing.why(exchange("you are useless", asked=True))
    assert why and (why.reason, why.urgency) == ("asked", 1)


@pytest.mark.parametrize(
    ("kind", "before", "failed"),
    [
        ("unknown", (turn("assistant", "unknown"),), True),
        ("trouble", (turn("assistant", "unknown"), turn("patient")), True),
        ("unknown", (), False),
        ("unknown", (turn("assistant", "quoted"),), False),
        ("quoted", (turn("assistant", "unknown"),), False),
        ("unknown", (turn("assistant", "unknown"), turn("assistant", "greeting")), False),
        ("unknown", (turn("assistant", "unknown"), turn("staff")), False),
    ],
)
def test_two_failures_in_a_row_are_enough(
    handing: Handing, kind: AnswerKind, before: tuple[Turn, ...], failed: bool
) -> None:
    why = handing.why(exchange("When?", kind=kind, before=before))
    assert (why == Why(reason="failed")) is failed


@pytest.mark.parametrize("text", ["I lost my insurance card", "a question about billing"])
def test_a_topic_of_the_clinics_list_goes_to_a_person(handing: Handing, text: str) -> None:
    why = handing.why(exchange(text))
    assert why and (why.reason, why.urgency) == ("topic", 2) and why.detail.startswith("topic=")


def test_a_topic_may_be_a_concept_of_the_glossary_in_any_language() -> None:
    handing = Handing.load(Handover(topics=("interpreter",)), Glossary.load())
    for text in ("Do you have an interpreter?", "¿Tienen intérprete?", "有口译吗？", "क्या दुभाषिया है?"):
        why = handing.why(exchange(text))
        assert why and why.reason == "topic", text


@pytest.mark.parametrize(("probability", "unsure"), [(0.59, True), (0.6, False), (None, False)])
def test_a_quote_that_is_hardly_likely_is_looked_at_by_a_person(
    handing: Handing, probability: float | None, unsure: bool
) -> None:
    why = handing.why(exchange("When?", probability=probability))
    assert (why is not None) is unsure
    assert why is None or (why.reason, why.detail) == ("unsure", "probability=0.59")


def test_doubt_is_never_told_where_the_clinic_does_not_want_it() -> None:
    handing = Handing.load(Handover(unsure=0), Glossary.load())
    assert handing.why(exchange("When?", probability=0.5)) is None


def test_staff_see_what_the_patient_said_last_and_the_documents_words() -> None:
    turns = [turn("patient", text=f"question {n}") for n in range(5)]
    assert summary([*turns, turn("assistant", text="answer")]) == "question 2\nquestion 3\nquestion 4"
    span = Span(start=0, end=4)
    cited = Citation(
        number=1, document=DocumentId("d"), revision=1, title="T", language="en", span=span, quote="Open at 8."
    )
    assert suggested([Opening(kind="quoted", language="en"), Text(text="The documents say:"), cited]) == "Open at 8."
    assert suggested([Opening(kind="contact", language="en"), Text(text="This is how:"), cited]) == ""
    assert suggested([Opening(kind="unknown", language="en"), Text(text="I don't know.")]) == ""


def test_an_exchange_that_is_printed_holds_no_words() -> None:
    assert "secret" not in repr(exchange("secret"))
