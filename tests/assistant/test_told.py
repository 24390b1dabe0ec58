"""What is said, above a quote in another language, in the patient's own: by templates, borne out by the quote, or not at all."""

from __future__ import annotations

import asyncio
import io
import tomllib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from appliance.assistant.asked import Asked
from appliance.assistant.facts import facts
from appliance.assistant.quote import Candidate
from appliance.assistant.told import KINDS, Telling, Told
from appliance.channels import terminal
from appliance.knowledge import Passage, Sentence, SentenceKind
from appliance.knowledge.glossary import Glossary
from appliance.message import LANGUAGES, Citation, DocumentId, Language, Notice, Part, PassageId, Text
from tests.say import CHANNELS, Appliance, Channel


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    q: str
    of: Language
    text: str
    says: tuple[str, ...]
    above: str = ""
    row: bool = False


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cases: tuple[Case, ...]


CASES = msgspec.convert(tomllib.loads((Path(__file__).parent / "told.toml").read_text("utf-8")), dict[Language, Cases])
EVERY = [(language, one) for language in LANGUAGES for one in CASES[language].cases]
TELLING = Telling(Glossary.load())


def quoted(text: str, language: Language, *, above: str = "", row: bool = False, at: int = 40) -> Candidate:
    """A passage that begins somewhere in its document, with this one sentence."""
    kind: SentenceKind = "row" if row else "sentence"
    passage = Passage(
        id=PassageId(1),
        document=DocumentId("d"),
        revision=1,
        title=above or "Document",
        heading=(),
        page=None,
        language=language,
        site=None,
        start=at,
        end=at + len(text),
        text=text,
    )
    sentence = Sentence(start=at, end=at + len(text), text=text, kind=kind)
    return Candidate(passage=passage, sentence=sentence, features={})


def told(language: Language, question: str, *chosen: Candidate) -> list[Told]:
    return TELLING.told(chosen, language, asked=Asked.load().kinds(question), question=question)


def values(text: str, language: Language | None = None) -> set[tuple[str, str]]:
    """What can be compared in two languages; of a time the minutes and the hour on a clock face, where a half is not said."""
    stated = {(one.kind, one.value) for one in facts(text, language)}
    return {one for one in stated if one[0] in ("time", "day", "date", "money", "phone") and not one[1].endswith("?")}


def borne_out(line: Told, chosen: Sequence[Candidate]) -> bool:
    one = chosen[line.number - 1]
    inside = one.span.start <= line.span.start < line.span.end <= one.span.end
    return inside and values(line.text) <= values(one.text, one.passage.language)


@pytest.mark.parametrize(("language", "case"), EVERY, ids=lambda one: one if isinstance(one, str) else one.q)
def test_what_is_certain_is_told_and_nothing_else(language: Language, case: Case):
    one = quoted(case.text, case.of, above=case.above, row=case.row)
    lines = told(language, case.q, one)
    assert tuple(line.text for line in lines) == case.says
    assert all(borne_out(line, [one]) for line in lines)


def test_there_are_cases_enough():
    for language, cases in CASES.items():
        assert len(cases.cases) >= 30
        assert {one.of for one in cases.cases} == set(LANGUAGES) - {language}
        assert sum(not one.says for one in cases.cases) >= 12, "traps"


def test_a_quote_in_the_patients_own_language_needs_no_telling():
    for language, case in EVERY:
        assert told(case.of, case.q, quoted(case.text, case.of, above=case.above, row=case.row)) == [], language


WHOLE_WEEK = "The pharmacy is open Monday to Friday from 8:30 a.m. to 6:00 p.m."
LUNCH = "The pharmacy closes for lunch from 1:00 p.m. to 1:40 p.m. on weekdays."


def test_each_line_names_its_own_source():
    lines = told("zh", "药房几点开门？", quoted(WHOLE_WEEK, "en"), quoted(LUNCH, "en", at=200))
    assert [(line.text, line.number) for line in lines] == [
        ("周一至周五 08:30–18:00", 1),
        ("周一至周五 13:00–13:40 关门", 2),
    ]
    assert [line.span.start for line in lines] == [40, 200]


def test_where_one_quote_of_two_cannot_be_told_neither_is():
    half = "The pharmacy is open on Saturdays from 9:00 a.m. to noon, unless it snows."
    assert told("zh", "药房几点开门？", quoted(WHOLE_WEEK, "en"), quoted(half, "en", at=200)) == []


def test_two_prices_without_a_name_are_not_told():
    lines = told(
        "es", "¿Cuánto cuesta una radiografía?", quoted("X光收费45美元。", "zh"), quoted("X光收费60美元。", "zh")
    )
    assert lines == []


def test_rows_stand_beside_each_other_for_they_name_themselves():
    rows = [quoted(f"{name} — Price: ${price}", "en", row=True) for name, price in (("Flu shot", 24), ("X-ray", 45))]
    assert [line.text for line in told("hi", "फ्लू का टीका और एक्स-रे कितने का है?", *rows)] == []  # one thing a row
    assert [line.text for line in told("hi", "फ्लू का टीका कितने का है?", *rows)] == ["फ्लू का टीका: 24 डॉलर"]


def test_only_what_was_asked_for_is_told():
    row = quoted("Flu shot — Price: $24; Hours: Monday 9 a.m. to 5 p.m.; Phone: (541) 555-0142", "en", row=True)
    assert [line.text for line in told("zh", "流感疫苗多少钱？", row)] == ["流感疫苗：24美元"]
    assert [line.text for line in told("zh", "流感疫苗几点打？", row)] == ["流感疫苗：周一 09:00–17:00"]
    assert [line.text for line in told("zh", "流感疫苗的电话？", row)] == ["流感疫苗：(541) 555-0142"]


def test_how_to_reach_us_is_told_only_of_the_clinic_as_a_whole():
    week = "Open Monday to Friday from 8:00 a.m. to 5:00 p.m."
    assert TELLING.told([quoted(week, "en", above="Opening hours")], "hi", asked=("time",))
    assert not TELLING.told([quoted(week, "en", above="Pharmacy")], "hi", asked=("time",))
    assert not TELLING.told([quoted(WHOLE_WEEK, "en", above="Opening hours")], "hi", asked=("time",))


PIECES: dict[Language, list[str]] = {
    "en": ["The pharmacy", " is open", " closes", " on Mondays", " Monday to Friday", " from 9 a.m. to 5 p.m.", " at noon",
           " until 5:30 p.m.", " and", ",", " only", " the first Tuesday of the month", ".", " costs $45", " free", " not",
           " (541) 555-0142", " December 24", " at Mill", ": ", " — Hours: ", " — Price: "],
    "es": ["La farmacia", " abre", " cierra", " los lunes", " de lunes a viernes", " de 9:00 a 17:00", " a las 12:00",
           " hasta las 5:30 p. m.", " y", ",", " solo", " el tercer sábado del mes", ".", " cuesta $45", " gratis", " no"],
    "zh": ["药房", "开门", "关门", "每周一", "周一至周五", "上午9:00到下午5:00", "中午12点", "到下午5点半", "和", "，", "仅",
           "每月第三个周六", "。", "收费45美元", "免费", "不", "12月24日"],
    "hi": ["फार्मेसी ", "खुलती है ", "बंद ", "सोमवार को ", "सोमवार से शुक्रवार ", "सुबह 9:00 से शाम 5:00 बजे तक ", "दोपहर 12 बजे ",
           "शाम 5:30 बजे तक ", "और ", ", ", "सिर्फ़ ", "महीने के तीसरे शनिवार को ", "। ", "शुल्क $45 है ", "नहीं "],
}  # fmt: skip
QUESTIONS: dict[Language, str] = {
    "en": "What are the pharmacy's hours, phone and price?",
    "es": "¿A qué hora abre la farmacia, cuánto cuesta y qué teléfono tiene?",
    "zh": "药房几点开门，多少钱，电话是多少？",
    "hi": "फार्मेसी कितने बजे खुलती है, कितने का है, फोन नंबर?",
}


@st.composite
def sentences(draw: st.DrawFn) -> tuple[Language, Language, str, bool]:
    of = draw(st.sampled_from(LANGUAGES))
    patient = draw(st.sampled_from([one for one in LANGUAGES if one != of]))
    pieces = draw(st.lists(st.sampled_from(PIECES[of]), min_size=2, max_size=9))
    return patient, of, PIECES[of][0] + "".join(pieces), draw(st.booleans())


@given(sentences())
@settings(deadline=None, max_examples=600)
def test_whatever_the_sentence_every_value_told_is_the_sources_and_every_span_is_in_the_citation(
    drawn: tuple[Language, Language, str, bool],
):
    patient, of, text, row = drawn
    one = quoted(text, of, row=row)
    for line in TELLING.told([one], patient, asked=KINDS, question=QUESTIONS[patient]):
        assert borne_out(line, [one]), (text, line.text)


# ---- as a part of an answer -------------------------------------------------------------------------------------------


CROSSED = [
    ("योग कक्षा कब होती है?", "hi", None),
    ("When is the yoga class?", "en", "Wednesday, 6:00 PM"),
    ("运动体检多少钱？", "zh", "运动体检：40美元"),
    ("Main Street शनिवार को कब खुलता है?", "hi", "शनिवार: “Main Street is open”: सुबह 9:00 से दोपहर 12:30 बजे तक"),
    ("¿Cuándo es la clase de yoga?", "es", "Miércoles, 18:00"),
]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("via", CHANNELS)
@pytest.mark.parametrize(("question", "language", "line"), CROSSED)
async def test_the_line_stands_between_the_lead_in_and_the_quote_and_cites_it(
    clinic: Appliance, question: str, language: Language, line: str | None, via: Channel
):
    said = await clinic.say(question, via=via)
    assert (said.kind, said.language) == ("quoted", language)
    lines = [part for part in said.parts if isinstance(part, Text) and part.voice == "told"]
    assert "".join(part.text for part in lines).strip() == (line or "")
    if line:
        order = [_name(part) for part in said.parts]
        assert list(dict.fromkeys(order)) == ["opening", "ours", "told", "notice", "quote", "citation"]
        assert [part.cites for part in lines if part.cites] == [said.citations[0].number]
        assert said.text.count(said.text.splitlines()[0]) == 1, "the lead-in once"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_terminal_shows_the_number_behind_the_line(clinic: Appliance):
    said = await clinic.say("When is the yoga class?")
    shown = io.StringIO()
    await terminal.write(_stream(said.parts), Console(file=shown, width=200))
    assert "Wednesday, 6:00 PM [1]" in shown.getvalue()


async def _stream(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


def _name(part: Part) -> str:
    if isinstance(part, Text):
        return part.voice if part.text.strip() else "ours"
    return {Notice: "notice", Citation: "citation"}.get(type(part), "opening")
