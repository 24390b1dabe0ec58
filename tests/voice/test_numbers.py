"""Numbers, times, dates, money, phones, doses, codes, addresses and markup, said in four languages."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.counting import cardinal, ordinal, table, year
from voice.numbers import spoken

LANGUAGES = ("en", "es", "zh", "hi")
SPOKEN = tomllib.loads(Path(__file__).with_name("spoken.toml").read_text("utf-8"))
ROWS = [
    pytest.param(language, written, said, id=f"{language} {kind} {written}")
    for language, kinds in SPOKEN.items()
    for kind, rows in kinds.items()
    for written, said in rows
]


@pytest.mark.parametrize(("language", "written", "said"), ROWS)
def test_what_is_written_is_said_as_people_say_it(language: str, written: str, said: str):
    assert spoken(written, language) == said


@pytest.mark.parametrize(("language", "written", "said"), ROWS)
def test_what_was_written_out_is_left_as_it_is(language: str, written: str, said: str):
    assert spoken(said, language) == said


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=120), st.sampled_from(LANGUAGES))
def test_whatever_comes_no_digit_is_left_for_the_voice_to_guess(text: str, language: str):
    assert not re.search(r"[0-9]", spoken(text, language))


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.sampled_from("0123456789.,:/-–$€%°# x(+)amp\n*[]_|年月日个बजे ab"), max_size=40).map("".join),
    st.sampled_from(LANGUAGES),
)
def test_signs_and_digits_in_any_order_are_survived(text: str, language: str):
    assert not re.search(r"[0-9]", spoken(text, language))


@pytest.mark.parametrize("written", ["{}5 mg", "{} 38.5 °C", "{}2%", "{}$50", "{} 7", "{}½ mg", "{}.5 mg"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sign_of_a_limit_is_lost(language: str, written: str):
    said = [spoken("x " + written.format(sign), language) for sign in ("", "<", ">", "≤", "≥", "±", "≈")]
    assert len(set(said)) == len(said)
    assert spoken("x " + written.format("+/-"), language) == spoken("x " + written.format("±"), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_below_ten_thousand_has_words_of_its_own(language: str):
    said = [cardinal(number, language) for number in range(10_000)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (10, "十"), (12, "十二"), (100, "一百"), (110, "一百一十"), (101, "一百零一"), (200, "二百"), (1001, "一千零一"),
        (1010, "一千零一十"), (2000, "两千"), (20_000, "两万"), (12_000, "一万两千"), (100_001, "十万零一"),
        (10**8 + 1, "一亿零一"),
    ],
)  # fmt: skip
def test_chinese_numbers_have_their_zeros(number: int, said: str):
    assert cardinal(number, "zh") == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (16, "dieciséis"), (22, "veintidós"), (31, "treinta y uno"), (100, "cien"), (101, "ciento uno"), (500, "quinientos"),
        (1000, "mil"), (21_000, "veintiún mil"), (101_000, "ciento un mil"), (10**6, "un millón"),
        (21 * 10**6, "veintiún millones"),
    ],
)  # fmt: skip
def test_spanish_numbers_have_their_short_forms(number: int, said: str):
    assert cardinal(number, "es") == said


def test_hindi_counts_in_lakhs_and_crores():
    assert cardinal(12_34_567, "hi") == "बारह लाख चौंतीस हज़ार पाँच सौ सड़सठ"
    assert cardinal(2_10_00_000, "hi") == "दो करोड़ दस लाख"


def test_english_ordinals_and_years():
    assert [ordinal(number, "en") for number in (1, 2, 3, 5, 12, 20, 21)] == [
        "first", "second", "third", "fifth", "twelfth", "twentieth", "twenty-first",
    ]  # fmt: skip
    assert [year(number, "en") for number in (1900, 1905, 2000, 2009, 2026)] == [
        "nineteen hundred", "nineteen oh five", "two thousand", "two thousand nine", "twenty twenty-six",
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tables_are_whole(language: str):
    words = table(language)
    assert len(words.calendar.months) == 12
    assert len(words.calendar.weekdays) == 7
    assert {"mg", "mL", "kg", "IU"} <= set(words.units)
    assert all("" not in names for names in (*words.units.values(), *words.currencies.values()))


@pytest.mark.parametrize(
    "scrap", ["1", "1,", "1-", "1/", "1 ", "(", "*", "_a", "a@", "a.", "|", "\n", "[", "<a", ":", "12 ", "号1"]
)
def test_hostile_text_costs_no_more_than_long_text(scrap: str):
    began = time.process_time()
    spoken(scrap * (4000 // len(scrap)), "en")
    assert time.process_time() - began < 2.0
