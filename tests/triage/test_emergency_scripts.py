"""What a patient in danger is told: complete in every language, with the clinic's own number and the country's help lines."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from appliance.assistant.redflags.rules import Kind
from appliance.assistant.triage import script
from appliance.message import LANGUAGES, Language

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize("country", ["US", "us", "IN", ""])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_script_is_short_and_names_the_clinics_emergency_number(
    kind: Kind, language: Language, country: str
) -> None:
    said = script(kind, language, country, "112-x")
    assert "112-x" in said.text
    assert not re.search(r"[{}]", said.text + "".join(label for label, _ in said.calls))
    assert len(said.text.split()) <= 90
    assert said.calls[0][1] == "112-x"


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_the_united_states_the_help_lines_are_said_and_shown(language: Language) -> None:
    for kind, number in (("suicide", "988"), ("poison", "1-800-222-1222"), ("violence", "1-800-799-7233")):
        said = script(kind, language, "US", "911")  # type: ignore[arg-type]  # the three kinds that have a help line
        assert number in said.text
        assert [dialled for _, dialled in said.calls] == ["911", number]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_country_without_its_own_words_gets_only_the_emergency_number(kind: Kind, language: Language) -> None:
    said = script(kind, language, "FR", "112")
    assert [number for _, number in said.calls] == ["112"]
    assert not re.search(r"988|1-800|88788|911", said.text)
