"""The verdict on an answer, and the figures of a set of questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.errors import BadInput
from appliance.evaluation.answers import Question, answers, judged, questions
from appliance.evaluation.figures import milliseconds, report, share
from appliance.message import AnswerKind, Call, Citation, DocumentId, Notice, Opening, Part, Span, Text
from tests.say import Appliance

SOURCES = {DocumentId("d1"): "folder/fees.md", DocumentId("d2"): "hours.md"}


def asked(**given: object) -> Question:
    return Question(**{"id": "q", "lang": "en", "question": "?", **given})  # type: ignore[arg-type]  # a test's shorthand


def said(kind: AnswerKind, *words: str, cites: Sequence[str] = ()) -> list[Part]:
    cited = [
        Citation(
            number=place,
            document=DocumentId(one),
            revision=1,
            title="$99",
            language="en",
            span=Span(start=0, end=1),
            quote="$98",
        )
        for place, one in enumerate(cites, start=1)
    ]
    return [Opening(kind=kind, language="en"), *(Text(text=word) for word in words), *cited]


def verdict(question: Question, parts: Sequence[Part]) -> str:
    return judged(question, parts, sources=SOURCES, first_ms=1.0).verdict


@pytest.mark.parametrize(
    ("question", "parts", "wanted"),
    [
        (asked(answer_facts=[r"\$40"]), said("quoted", "It costs ", "$40."), "right"),
        (asked(answer_facts=[r"\$40"]), said("generated", "It costs $", "40."), "right"),
        (asked(answer_facts=["NOON"]), said("quoted", "until noon"), "right"),
        (asked(answer_facts=["a", "b"]), said("quoted", "a b"), "right"),
        (asked(answer_facts=["8:00"]), said("quoted", "at ８：００"), "right"),
        (asked(answer_facts=["a", "b"]), said("quoted", "a"), "wrong"),
        (asked(answer_facts=[r"\$40"]), said("quoted", "It costs $45."), "wrong"),
        (asked(answer_facts=[r"\$40"], must_not=[r"\$31"]), said("quoted", "$40, not $31"), "wrong"),
        (asked(answer_facts=[r"\$9[89]"]), said("quoted", "ask us", cites=["d1"]), "wrong"),
        (asked(answer_facts=["x"]), said("trouble", "later"), "wrong"),
        (asked(answer_facts=["x"]), said("unknown", "I don't know"), "wrongly_refused"),
        (asked(answer_facts=["x"]), said("declined", "I can't"), "wrongly_refused"),
        (asked(answer_facts=["8:00"]), said("contact", "we open at 8:00"), "right"),
        (asked(answerable=False), said("unknown", "I don't know"), "refused"),
        (asked(answerable=False), said("declined", "I can't"), "refused"),
        (asked(answerable=False), said("contact", "call us"), "refused"),
        (asked(answerable=False), said("quoted", "It costs $40."), "invented"),
        (asked(answerable=False), said("generated", "It costs $40."), "invented"),
        (asked(answerable=False), said("greeting", "hello"), "invented"),
    ],
)
def test_the_verdict_on_an_answer(question: Question, parts: list[Part], wanted: str):
    assert verdict(question, parts) == wanted


def test_a_notice_is_read_and_a_call_button_is_not():
    parts = [*said("quoted", "x"), Notice(code="n", text="only in Chinese"), Call(label="Call", number="911")]
    assert verdict(asked(answer_facts=["Chinese"]), parts) == "right"
    assert verdict(asked(answer_facts=["911"]), parts) == "wrong"


@pytest.mark.parametrize(
    ("question", "parts", "cited"),
    [
        (asked(doc=["fees.md"]), said("quoted", "x", cites=["d1"]), True),
        (asked(doc="fees.md"), said("quoted", "x", cites=["d2", "d1"]), True),
        (asked(doc=["other/hours.md"]), said("quoted", "x", cites=["d2"]), True),
        (asked(doc=["fees.md"]), said("quoted", "x", cites=["d2"]), False),
        (asked(doc=["fees.md"]), said("quoted", "x", cites=["d9"]), False),
        (asked(doc=["fees.md"]), said("quoted", "x"), False),
        (asked(), said("quoted", "x", cites=["d1"]), None),
        (asked(doc=["fees.md"]), said("unknown", "x", cites=["d1"]), None),
        (asked(doc=["fees.md"], answerable=False), said("quoted", "x", cites=["d1"]), None),
    ],
)
def test_whether_the_right_document_is_cited(question: Question, parts: list[Part], cited: bool | None):
    assert judged(question, parts, sources=SOURCES, first_ms=0).cited_doc is cited


# ---- files and figures ------------------------------------------------------------------------------------------------


def test_the_rows_of_a_file_are_read_and_blank_lines_skipped(tmp_path: Path):
    file = tmp_path / "q.jsonl"
    file.write_text(
        '{"id":"1","lang":"zh","question":"几点？","answer":"more"}\n\n{"id":"2","lang":"en","question":"?","answerable":false}\n'
    )
    assert [(one.id, one.lang, one.answerable) for one in questions(file)] == [("1", "zh", True), ("2", "en", False)]


@pytest.mark.parametrize("line", ['{"id":"2","lang":"fr","question":"?"}', '{"id":"2"}', "no json", "[]"])
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, line: str):
    file = tmp_path / "q.jsonl"
    file.write_text('{"id":"1","lang":"en","question":"?"}\n' + line + "\n")
    with pytest.raises(BadInput, match=r"q\.jsonl, line 2"):
        questions(file)


def test_a_share_of_nothing_is_not_known():
    assert share([]) is None and share([True, False, False]) == 0.3333


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([7.0], 7.0, 7.0), ([1.0, 100.0], 50.5, 95.0), ([float(i) for i in range(1, 102)], 51.0, 96.0)],
)
def test_a_percentile_is_never_beyond_what_was_measured(values: list[float], p50: float, p95: float):
    found = milliseconds(values)
    assert found["first_ms_p50"] == p50
    assert found["first_ms_p95"] == pytest.approx(p95, abs=0.1)


def test_times_of_nothing_are_not_known():
    assert milliseconds([]) == {"first_ms_p50": None, "first_ms_p95": None}


def test_a_report_has_figures_overall_by_language_and_rows():
    rows = [asked(lang="es"), asked(lang="en"), asked(lang="es")]
    told = report(rows, lambda some: {"questions": len(some)})
    assert told == {
        "overall": {"questions": 3},
        "by_lang": {"en": {"questions": 1}, "es": {"questions": 2}},
        "rows": rows,
    }


# ---- the whole way ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="session")
async def test_questions_are_asked_as_a_patient_would_and_leave_no_conversation(clinic: Appliance):
    rows = [
        asked(
            id="1",
            question="How much is a sports physical?",
            answer_facts=[r"\$40"],
            must_not=[r"\$31"],
            doc=["fees.md"],
        ),
        asked(id="2", question="How much is a sports physical?", answer_facts=[r"\$41"], doc=["hours.md"]),
        asked(id="3", question="Do you sell bicycles?", answer_facts=["bell"]),
        asked(id="4", question="Do you sell bicycles?", answerable=False),
        asked(id="5", question="¿Cuánto cuesta la vacuna contra la gripe?", answerable=False, lang="es"),
    ]
    before = await conversations(clinic)
    steps: list[tuple[int, int]] = []
    sources = {one.id: one.source for one in await clinic.clinic.library.documents()}
    told = await answers(
        clinic.assistant,
        clinic.conversations,
        rows,
        sources=sources,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert [row.verdict for row in told["rows"]] == ["right", "wrong", "wrongly_refused", "refused", "invented"]
    english = told["by_lang"]["en"]
    assert english["right"] == english["wrongly_refused"] == 0.3333
    assert (english["refused"], told["by_lang"]["es"]["refused"], told["overall"]["refused"]) == (1.0, 0.0, 0.5)
    assert english["cited_doc"] == 0.5 and english["must_not"] == 0.0
    assert told["overall"]["kind_quoted"] == 3 and told["overall"]["first_ms_p95"] > 0
    assert steps == [(done, 5) for done in range(1, 6)]
    assert await conversations(clinic) == before


async def conversations(clinic: Appliance) -> int:
    return await clinic.clinic.database.read(
        lambda c: int(c.execute("SELECT count(*) FROM conversation").fetchone()[0])
    )
