"""The demonstration clinic's documents: readable, in force for years, and nobody's real telephone."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path

import msgspec
import pytest

import appliance
from appliance.config import Clinic
from appliance.knowledge.passages import Cut
from appliance.knowledge.reading import Order, read
from appliance.languages import detect
from appliance.message import LANGUAGES

DEMO = Path(appliance.__file__).parent / "demo"
DOCUMENTS = sorted((DEMO / "documents").iterdir())
SITES = {None, "Main Street", "North", "Cedar Children"}
MEANT_TO_BE_EXPIRED = {"summer-hours-2026.md"}
REAL_NUMBERS = {"1-800-222-1222"}  # Poison Control of the USA, the same for everybody


@cache
def learnt(file: Path) -> Cut:
    return read(file.read_bytes(), Order(name=file.name))


@pytest.fixture(params=DOCUMENTS, ids=lambda file: file.name)
def file(request):
    return request.param


def test_every_document_is_read_whole_and_has_a_title(file):
    cut = learnt(file)
    assert cut.passages
    assert not cut.note
    assert cut.title.strip()
    assert cut.metadata.site in SITES


def test_no_document_goes_out_of_force_within_ten_years_but_the_one_meant_to(file):
    said = learnt(file).metadata
    if said.valid_from:
        assert date.fromisoformat(said.valid_from) <= date(2026, 11, 22)
    if file.name in MEANT_TO_BE_EXPIRED:
        assert said.valid_until
        assert date.fromisoformat(said.valid_until) < date(2026, 11, 22)
    else:
        assert said.valid_until is None or said.valid_until >= "2037"


def test_a_document_is_in_the_language_it_states(file):
    cut = learnt(file)
    assert cut.language == detect(cut.text)


def test_telephone_numbers_are_fictional(file):
    text = learnt(file).text
    for number in re.findall(r"(?:1-\d{3}-|\(\d{3}\) )\d{3}-\d{4}", text):
        assert number in REAL_NUMBERS or re.fullmatch(r"\(541\) 555-01\d\d", number)


def test_there_is_no_long_dash(file):
    """Only what the clinic wrote: rows are joined by the reader."""
    written = file.read_text("utf-8") if file.suffix not in {".pdf", ".docx"} else learnt(file).title
    assert "\u2014" not in written


def test_every_kind_of_file_and_every_language_is_there():
    assert {file.suffix for file in DOCUMENTS} == {".md", ".html", ".txt", ".pdf", ".docx"}
    assert {learnt(file).language for file in DOCUMENTS} == set(LANGUAGES)
    pages = {block.page for file in DOCUMENTS if file.suffix == ".pdf" for block in learnt(file).blocks}
    assert len(pages) >= 3


def test_a_superseded_document_is_there_to_be_superseded():
    names = {file.name for file in DOCUMENTS}
    superseded = {learnt(file).metadata.supersedes for file in DOCUMENTS} - {None}
    assert superseded
    assert superseded <= names


def test_the_clinics_settings_are_settings_and_its_examples_are_in_four_languages():
    told = tomllib.loads((DEMO / "clinic.toml").read_text("utf-8"))
    clinic = msgspec.convert(told["clinic"], Clinic)
    assert clinic.emergency_number == "911"
    assert clinic.phone in learnt(DEMO / "documents" / "contact.md").text
    assert set(told["examples"]) == set(clinic.languages)
    assert all(len(questions) == 4 for questions in told["examples"].values())
