"""Who names no site is told what each says, where they say it of the same thing; who names one, is told of that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.assistant.quote import Quoting, Weights, gate_features
from appliance.knowledge import Passage, Sentence
from appliance.knowledge.search import Hit, SentenceHit
from appliance.message import DocumentId, Language, PassageId
from tests.say import WEIGHTS, appliance

SITES = ("Northgate", "Mill Pond", "Sundial")
QUOTING = Quoting(
    Weights(
        ranker={**WEIGHTS.ranker, "site": 1.0}, gate=WEIGHTS.gate, threshold=0.5, join={**WEIGHTS.join, "sites": 3.0}
    )
)
ASKED: dict[Language, str] = {
    "en": "When do you open on Monday?",
    "es": "¿A qué hora abren el lunes?",
    "zh": "星期一几点开门？",
    "hi": "सोमवार को कितने बजे खुलते हैं?",
}
ROW: dict[Language, str] = {
    "en": "{} — Day: Monday; Opens: {}:00 a.m.",
    "es": "{} — Día: lunes; Abre: {}:00 a. m.",
    "zh": "{} — 日期：星期一；开门：上午{}:00",
    "hi": "{} — दिन: सोमवार; खुलने का समय: सुबह {}:00 बजे",
}


@pytest.mark.parametrize("language", ["en", "es", "zh", "hi"])
def test_a_question_for_no_site_is_answered_for_each(language: Language) -> None:
    rows = [ROW[language].format(site, hour) for site, hour in zip(SITES, (7, 8, 9), strict=True)]
    assert set(_quoted(ASKED[language], language, _table(rows, language))) == set(rows)


@pytest.mark.parametrize("language", ["en", "es", "zh", "hi"])
def test_a_question_for_one_site_is_answered_for_that(language: Language) -> None:
    rows = [ROW[language].format(site, hour) for site, hour in zip(SITES, (7, 8, 9), strict=True)]
    assert _quoted(f"Mill Pond: {ASKED[language]}", language, _table(rows, language)) == [rows[1]]


def test_who_is_at_a_site_is_told_of_that() -> None:
    rows = [ROW["en"].format(site, hour) for site, hour in zip(SITES, (7, 8, 9), strict=True)]
    found = QUOTING.ranked(ASKED["en"], "en", hits=_table(rows, "en"), sites=SITES)
    assert {one.features["site"] for one in found} == {0.0}
    quote = QUOTING.quote(ASKED["en"], "en", hits=_table(rows, "en"), sites=SITES, at="Mill Pond")
    assert quote is not None
    assert [one.site for one in quote.chosen] == ["Mill Pond"]


def test_pages_like_one_another_count_as_one_table() -> None:
    hits = [
        *_table(["We open on Monday at 7:00 a.m."], "en", title="Opening hours at Northgate", site="Northgate"),
        *_table(["We open on Monday at 8:00 a.m."], "en", title="Opening hours at Mill Pond", site="Mill Pond"),
        *_table(["We open on Monday at 9:00 a.m."], "en", title="Food pantry", site="Sundial"),
    ]
    assert set(_quoted(ASKED["en"], "en", hits)) == {"We open on Monday at 7:00 a.m.", "We open on Monday at 8:00 a.m."}


def test_another_day_or_another_thing_is_not_the_same() -> None:
    rows = ["Northgate — Day: Monday; Opens: 7:00 a.m.", "Mill Pond — Day: Friday; Opens: 8:00 a.m."]
    assert _quoted(ASKED["en"], "en", _table(rows, "en")) == rows[:1]
    rows = [
        "Northgate — Day: Monday; Opens: 7:00 a.m.",
        "Mill Pond — Yoga for beginners, Monday, 8:00 a.m., bring a mat",
    ]
    assert _quoted(ASKED["en"], "en", _table(rows, "en")) == rows[:1]


def test_more_sites_than_a_patient_reads_are_not_told_in_part() -> None:
    sites = (*SITES, "Foundry")
    rows = [f"{site} — Day: Monday; Opens: 7:00 a.m." for site in sites]
    assert len(_quoted(ASKED["en"], "en", _table(rows, "en"))) == 1


def test_another_site_is_no_rival_where_none_was_asked_for() -> None:
    hits = [
        *_table(["Northgate — Day: Monday; Opens: 7:00 a.m."], "en"),
        *_table(["Mill Pond — Day: Monday; Opens: 8:00 a.m."], "en"),
        *_table(["Yoga for beginners"], "en", title="Yoga"),
    ]
    ranked = QUOTING.ranked(ASKED["en"], "en", hits=hits, sites=SITES)
    yoga = next(one for one in ranked if one.text.startswith("Yoga"))
    assert gate_features(ranked)["margin"] == ranked[0].score - yoga.score


def _quoted(question: str, language: Language, hits: list[Hit]) -> list[str]:
    quote = QUOTING.quote(question, language, hits=hits, sites=SITES)
    assert quote is not None
    return [one.text for one in quote.chosen]


def _table(rows: list[str], language: Language, *, title: str = "Hours", site: str | None = None) -> list[Hit]:
    """Every row a passage of its own, of one document."""
    return [
        Hit(
            passage=Passage(
                id=PassageId(abs(hash((row, title))) % 10**6), document=DocumentId(title), revision=1, title=title, heading=(),
                page=None, language=language, site=site, start=0, end=len(row), text=row,
            ),
            score=0.5,
            dense=0.5,
            words=0.5,
            sentences=(SentenceHit(sentence=_sentence(row, site), dense=0.5),),
        )
        for row in rows
    ]  # fmt: skip


def _sentence(row: str, site: str | None) -> Sentence:
    begins = next((one for one in (*SITES, "Foundry") if row.startswith(one)), None)
    return Sentence(start=0, end=len(row), text=row, kind="sentence" if site else "row", site=begins)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_follow_up_and_a_name_in_another_language_know_the_sites_that_documents_list(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "where.md").write_text(_WHERE)
    (folder / "hours.md").write_text(_HOURS)
    (folder / "dizhi.md").write_text(_WHERE_IN_CHINESE)
    async with appliance(tmp_path / "house", documents=[folder]) as house, house.conversing("terminal") as patient:
        await patient.say("When does Northgate open on Monday?")
        other = await patient.say("and at the other site?")
        assert "Mill Pond" in other.notices[0].text
        assert "Mill Pond — Day: Monday; Opens: 8:00 a.m." in other.text
        chinese = await patient.say("磨坊诊所星期一几点开门？")
        assert "8:00" in chinese.text and "7:00" not in chinese.text


@pytest.mark.asyncio(loop_scope="session")
async def test_a_quote_that_does_not_say_its_site_has_it_before(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "where.md").write_text(_SECTIONS)
    (folder / "flu.md").write_text("Flu shots are given at Northgate and at Mill Pond.")
    async with appliance(tmp_path / "house", documents=[folder]) as house:
        anywhere = await house.say("What is the phone number of the front desk?")
        there = await house.say("What is the phone number of the front desk at Mill Pond?")
    assert "Northgate:\nFront desk: (541) 555-0110" in anywhere.text or "Mill Pond:\nFront desk:" in anywhere.text
    assert "Mill Pond:\n" not in there.text and "555-0120" in there.text


_WHERE = "# Our sites\n\n- Northgate: 12 Gate Road\n- Mill Pond: 77 Pond Lane\n"
_SECTIONS = """# Our sites

## Northgate

12 Gate Road. Front desk: (541) 555-0110.

## Mill Pond

77 Pond Lane. Front desk: (541) 555-0120.
"""
_HOURS = (
    "# Opening hours\n\n| Site | Day | Opens |\n|---|---|---|\n"
    "| Northgate | Monday | 7:00 a.m. |\n| Mill Pond | Monday | 8:00 a.m. |\n"
)
_WHERE_IN_CHINESE = "# 诊所地址\n\n- 北门诊所 (Northgate)：12 Gate Road\n- 磨坊诊所 (Mill Pond)：77 Pond Lane\n"
