"""What the assistant says in its own words: the same keys and names in four languages, and nothing left empty."""

from __future__ import annotations

import re
import string
import tomllib
from importlib import resources

import pytest

from appliance.assistant.language import Phrases, asked_language
from appliance.errors import ApplianceError, BadConfig, Busy
from appliance.languages import scripts
from appliance.message import LANGUAGES, ConversationId, Language, Message, MessageId

FOLDER = resources.files("appliance.assistant") / "phrases"
TABLES: dict[Language, dict[str, str]] = {
    code: tomllib.loads((FOLDER / f"{code}.toml").read_text("utf-8")) for code in LANGUAGES
}
SCRIPT: dict[Language, str] = {"en": "latin", "es": "latin", "zh": "han", "hi": "devanagari"}
PIPELINE = (resources.files("appliance.assistant") / "answer.py").read_text("utf-8")


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def message(text: str, language: Language | None) -> Message:
    return Message(
        id=MessageId("m"), conversation=ConversationId("c"), channel="terminal", text=text, language=language
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_and_names_and_nothing_empty(language: Language):
    assert TABLES[language].keys() == TABLES["en"].keys()
    assert {key: names(text) for key, text in TABLES[language].items()} == {
        key: names(text) for key, text in TABLES["en"].items()
    }
    assert [key for key, text in TABLES[language].items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_is_written_in_its_languages_script(language: Language):
    wrong = {key: text for key, text in TABLES[language].items() if next(iter(scripts(text))) != SCRIPT[language]}
    assert wrong == {}


def test_every_phrase_that_the_pipeline_names_exists():
    named = set(re.findall(r'_(?:say|joined)\("(\w+)"|_told\("\w+", "(\w+)"', PIPELINE))
    named = {key for found in named for key in found if key}
    named |= {f"declined_{topic}" for topic in ("dose", "diagnosis", "records")}
    named |= {"lead_price", "lead_phone", "lead_place", "lead_time", "busy", "trouble", *LANGUAGES}
    assert len(named) > 12 and named <= TABLES["en"].keys()


@pytest.mark.parametrize("error", [ApplianceError, Busy])
def test_what_an_error_says_is_a_phrase(error: type[ApplianceError]):
    assert error.say in TABLES["en"]


def test_a_phrase_file_that_lacks_a_key_or_a_name_stops_the_start():
    good = {"greeting": "Hi {name}"}
    for wrong in ({}, {"greeting": "Hola"}, {"greeting": "Hola {nombre}"}, {**good, "more": "x"}):
        tables: dict[Language, dict[str, str]] = {"en": good, "es": wrong}
        with pytest.raises(BadConfig, match=r"es\.toml differs from en\.toml"):
            Phrases(tables)


def test_names_are_filled_in():
    phrases = Phrases.load()
    assert "Chinese" in phrases.say("source_language", "en", source=phrases.say("zh", "en"))


@pytest.mark.parametrize(
    ("text", "chosen", "hint", "answered"),
    [
        ("¿A qué hora abren mañana?", "en", None, "es"),
        ("你们几点开门", "en", None, "zh"),
        ("ok", "hi", None, "hi"),
        ("555-0100", None, None, "en"),
        ("555-0100", None, "zh", "zh"),
        ("", "es", None, "es"),
    ],
)
def test_the_words_decide_the_language_and_the_choice_where_they_do_not_tell(
    text: str, chosen: Language | None, hint: Language | None, answered: Language
):
    assert asked_language(message(text, chosen), hint=hint) == answered
