"""What a written sentence may say: facts, names, medicines and negations that stand in the source, in whatever language."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.grounding import Grounding, Source, Verdict
from appliance.languages import detect
from appliance.message import Language
from models.scripted import ScriptedEmbedder

HOURS = "North is open Monday to Friday from 7:00 a.m. to 4:00 p.m."
SATURDAYS = "On Saturdays North is open from 10:00 a.m. to 2:00 p.m."
LAB = "A sick child can be seen without an appointment. A lab order is good for 6 months."
SPRAY = "Naloxone spray is free at every front desk; you do not need to give your name."
GROUNDING = Grounding.load()


def source(text: str, language: Language | None = None, *, above: str = "", alone: bool = False) -> Source:
    return Source(text=text, language=language or detect(text), above=above, alone=alone)


async def verdict(said: str, *texts: str | Source) -> Verdict:
    given = [source(one) if isinstance(one, str) else one for one in texts]
    return await (await GROUNDING.sources(given)).verdict(said)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("North is open on weekdays from 7 a.m. to 4 p.m.", HOURS),
        ("North abre de lunes a viernes de 7:00 de la mañana a 4:00 de la tarde.", HOURS),
        ("North院区周一至周五上午七点至下午四点开门。", HOURS),
        ("North सोमवार से शुक्रवार तक सुबह ७ बजे से शाम ४ बजे तक खुला रहता है।", HOURS),
        ("A child who is sick can be seen without an appointment.", LAB),
        ("La naloxona en aerosol es gratis en todas las recepciones.", SPRAY),
        ("You can get naloxone spray for free at every front desk.", SPRAY),
    ],
)
async def test_what_the_source_says_is_supported_in_whatever_language(said: str, text: str):
    told = await verdict(said, text)
    assert told.supported and told.reason is None and told.place == 0


@pytest.mark.parametrize(
    ("said", "text", "reason"),
    [
        ("North is open on weekdays from 7 a.m. to 5 p.m.", HOURS, "fact"),
        ("North is open on weekdays from 7 p.m. to 4 p.m.", HOURS, "fact"),
        ("North is open on Saturdays from 7 a.m. to 4 p.m.", HOURS, "fact"),
        ("North院区周一至周六上午七点至下午四点开门。", HOURS, "fact"),
        ("La clínica de Cedar Children abre de lunes a viernes de 7:00 a. m. a 4:00 p. m.", HOURS, "name"),
        ("Main Street院区周一至周五上午七点至下午四点开门。", HOURS, "name"),
        ("Ibuprofen spray is free at every front desk.", SPRAY, "drug"),
        ("每个前台都可以免费领取布洛芬喷雾。", SPRAY, "drug"),
        ("Fosinopril spray is free at every front desk.", SPRAY, "drug"),
        ("A sick child cannot be seen without an appointment at 9:15.", LAB, "fact"),
        ("You need to give your name.", SPRAY, "negation"),
        ("North is not open Monday to Friday without a card from 7:00 a.m. to 4:00 p.m.", HOURS, "negation"),
        ("We have a heated swimming pool.", HOURS, "meaning"),
    ],
)
async def test_what_the_source_does_not_say_is_dropped(said: str, text: str, reason: str):
    told = await verdict(said, text)
    assert (told.supported, told.reason) == (False, reason)


async def test_a_sentence_is_borne_out_by_the_source_that_speaks_of_it():
    assert (await verdict("On Saturdays North opens at 10:00 a.m.", HOURS, SATURDAYS)).place == 1
    assert (await verdict("North opens at 7:00 a.m. from Monday to Friday.", HOURS, SATURDAYS)).place == 0


async def test_one_days_hours_are_not_another_days():
    assert (await verdict("On Saturdays North is open from 7:00 a.m.", HOURS, SATURDAYS)).reason == "fact"


async def test_rows_of_a_table_lend_each_other_nothing():
    rows = [source("Nurse visit — Price: $30", alone=True), source("Pregnancy test — Price: $15", alone=True)]
    assert (await verdict("A pregnancy test costs $15.", *rows)).place == 1
    assert not (await verdict("A pregnancy test costs $30.", rows[1])).supported


async def test_what_stands_above_holds_for_the_sentence():
    below = source("Open Monday to Friday from 7:00 a.m. to 4:00 p.m.", above="Opening hours at Cedar Children")
    said = "The clinic at Cedar Children is open from 7:00 a.m. on Monday."
    assert (await verdict(said, below)).supported
    assert (await verdict(said, source(below.text))).reason == "name"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Children younger than 15 are seen here.", "Aquí se atiende a niños menores de 15 años."),
        ("The class takes two weeks.", "The class takes 14 days."),
        ("We close on July 4.", "We close on July 4, 2026."),
        ("Call 555-0107.", "Call (541) 555-0107."),
        ("The class starts at 9:30.", "The class starts at 9:30 in the morning."),
    ],
)
async def test_the_same_fact_may_be_written_otherwise_or_say_less(said: str, text: str):
    assert (await verdict(said, text)).reason not in ("fact", "name")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("The class takes 14 weeks.", "The class takes 14 days."),
        ("Refills take 2 weeks.", "Press 2 for refills."),
        ("We close on July 4, 2027.", "We close on July 4, 2026."),
        ("Call 911.", "Call (541) 555-0911."),
    ],
)
async def test_another_unit_year_or_number_is_another_fact(said: str, text: str):
    assert (await verdict(said, text)).reason == "fact"


@pytest.mark.parametrize("text", ["", "...", "[1]", "   ", "——"])
async def test_no_words_are_supported_by_nothing(text: str):
    assert not (await verdict(text, HOURS)).supported
    assert not (await verdict(text)).supported


async def test_a_sentence_copied_from_its_source_is_supported_with_an_embedder_and_without():
    texts = [HOURS, SPRAY, "针灸门诊每周二和周五下午1点至5点看诊，须提前预约。", "समूह में आने का कोई पैसा नहीं लगता।"]
    for grounding in (GROUNDING, Grounding.load(embedder=ScriptedEmbedder())):
        sources = await grounding.sources([source(text) for text in texts])
        told = [await sources.verdict(text) for text in texts]
        assert [(one.supported, one.place) for one in told] == [(True, place) for place in range(len(texts))]


PIECES = [
    "North ",
    "7:00 a.m. ",
    "not ",
    "不",
    "ibuprofen ",
    "$",
    "1",
    ", ",
    "。",
    "सोमवार ",
    "\x00",
    "\ud7ff",
    "(",
    "without ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.lists(st.sampled_from(PIECES), max_size=12))
@settings(deadline=None, max_examples=60)
async def test_any_text_gets_a_verdict(said: str, texts: Sequence[str]):
    told = await verdict(said, *("".join(texts[place:]) for place in range(min(3, len(texts)))))
    assert 0 <= told.probability <= 1 and told.supported == (told.reason is None)
