"""The rule files: their examples, their notation, what a broken one does, and how long a message takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.redflags.rules import RedFlagRules, Rule, RuleFile, rule_file
from appliance.assistant.triage import RedFlag, Triage
from appliance.errors import BadConfig

RULES = [(file.language, rule) for file in RedFlagRules.load().files for rule in file.rule]


def fired(triage: Triage, text: str) -> set[tuple[str, str]]:
    return {(flag.language, flag.rule) for flag in triage.red_flags(text)}


@pytest.mark.parametrize(("language", "rule"), RULES, ids=[f"{language}-{rule.id}" for language, rule in RULES])
def test_every_rule_catches_its_examples_and_leaves_the_others_alone(triage: Triage, language: str, rule: Rule) -> None:
    assert [text for text in rule.must if (language, rule.id) not in fired(triage, text)] == []
    assert [text for text in rule.must_not if triage.red_flag(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "I CAN’T BREATHE",  # a curly quote
        "i cant breathe",
        "i can not breathe",
        "I can't breeeeathe!!!",
        "I can't breathing",
        "Ｉ ｃａｎ'ｔ ｂｒｅａｔｈｅ",  # full width
        "I can't... breathe",
        "I can't\u200b brea\u00adthe",  # unseen characters
        "she's unconcious",
        "he is chocking on food",
        "mi papa no respira",
        "MI PAPÁ NO RESPIRA",
        "no puedo respirrar",
        "我喘不上氣",
        "心臟病發作",
        "我 喘 不 上 气",
        "साँस नहीं आ रही",
        "सांस नही आ रही",
        "साँस नहीं आ रही",  # decomposed
        "ज़हर पी लिया",
        "जहर पी लिया",
        "saans nhi aa rhi",
        "SANS NAHI AA RAHI H",
    ],
)
def test_the_spelling_does_not_matter(triage: Triage, text: str) -> None:
    assert triage.red_flag(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mi mamá is not breathing", "medical"),
        ("meri maa ko chest pain ho raha hai", "medical"),
        ("我妈妈 is having a stroke", "medical"),
        ("no quiero vivir anymore, quiero morir", "suicide"),
        ("papa ne bleach pi liya", "poison"),
    ],
)
def test_a_message_in_two_languages_is_read_by_both(triage: Triage, text: str, kind: str) -> None:
    flag = triage.red_flag(text)
    assert flag
    assert flag.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "no chest pain", "sin dolor de pecho", "没有胸痛", "सीने में दर्द नहीं है", "seene me dard nahi hai", "chest pain nahi hai",
        "I had a heart attack in 2015", "do you treat strokes?", "what are the symptoms of a heart attack?",
        "想死你了", "笑死我了", "me muero de risa", "this wait is killing me", "No quiero morir, solo estoy cansado",
        "pain clinic", "chest X-ray appointment", "emergency contact form", "suicide prevention class", "",
    ],
)  # fmt: skip
def test_denied_past_asked_and_figurative_words_are_no_emergency(triage: Triage, text: str) -> None:
    assert triage.red_flag(text) is None


def test_what_is_denied_does_not_hide_what_is_said(triage: Triage) -> None:
    assert triage.red_flag("no fever, but I can't breathe")
    assert triage.red_flag("I had a heart attack in 2015 and it is happening again")
    assert triage.red_flag("I gave birth last month, my chest hurts")
    assert triage.red_flag("I've never had chest pain like this")


def test_the_kind_that_decides_comes_first(triage: Triage) -> None:
    assert triage.red_flag("I took all my pills because I want to die") == RedFlag(
        kind="suicide", rule="suicide-said", language="en"
    )


async def test_nothing_is_read_written_or_logged_while_a_message_is_judged(
    triage: Triage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert triage.red_flag("my baby is turning blue")  # inside the event loop, where the guard stops blocking calls
    assert caplog.records == []


WORDS = [word for _, rule in RULES for text in (*rule.must, *rule.must_not) for word in text.split()]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)))
def test_no_text_breaks_the_gate(triage: Triage, text: str) -> None:
    triage.red_flag(text)


@pytest.mark.parametrize(
    "piece",
    ["chest pain ", "no chest pain or ", "not not chest ", "痛胸", "没有胸痛", "मेरे पति ", "want to die ", "a", "!"],
)
def test_a_long_hostile_message_takes_time_in_proportion_to_its_length(triage: Triage, piece: str) -> None:
    def took(letters: int) -> float:
        began = time.process_time()
        list(triage.red_flags(piece * (letters // len(piece))))
        return time.process_time() - began

    short = min(took(5_000) for _ in range(3))
    assert min(took(20_000) for _ in range(2)) < 8 * short + 0.05  # were it the square, it would be 16


@pytest.mark.parametrize(
    "sentence",
    [
        "Do you take my insurance and can I bring my son to the appointment on Tuesday at ten? ",
        "¿Aceptan mi seguro y puedo llevar a mi hijo a la cita del martes a las diez de la mañana? ",
        "请问你们收我的保险吗，星期二上午十点的预约可以带孩子来吗？",
        "क्या आप मेरा बीमा लेते हैं और मंगलवार को दस बजे बेटे को साथ ला सकता हूँ? ",
    ],
)
def test_a_message_of_500_characters_takes_at_most_five_milliseconds(triage: Triage, sentence: str) -> None:
    """Where adding up the first hundred thousand numbers takes 1.2 of them; a slower machine gets more."""
    message = (sentence * 500)[:500]

    def took(work: Callable[[], object]) -> float:
        began = time.process_time()
        assert not isinstance(work(), RedFlag)
        return time.process_time() - began

    both = [(took(lambda: triage.red_flag(message)), took(lambda: sum(range(100_000)))) for _ in range(9)]
    quickest, yardstick = (min(one) for one in zip(*both, strict=True))
    assert quickest <= 0.005 * max(1.0, yardstick / 0.0012)


# ---- the notation, on a file of its own ----------------------------------------------------------------------------


def rules_with(**rule: object) -> RedFlagRules:
    silent: dict[str, list[str]] = {"when": []}
    file = {
        "language": "en",
        "version": "1",
        "gap": 2,
        "walls": ["no"],
        "concepts": {"chest": ["chest", "left [upper] side"], "pain": ["pain", "hurt*"]},
        "guards": {
            "negated": {"when": ["no MATCH"], "unless": ["no MATCH now"]},
            "past": silent,
            "asking": silent,
            "other": {"when": ["pain clinic"]},
        },
        "rule": [{"id": "it", "kind": "medical", "catches": "it", "must": ["it"], **rule}],
    }
    return RedFlagRules([msgspec.convert(file, RuleFile)])


def catches(when: str, text: str) -> bool:
    return any(True for _ in rules_with(when=[when]).fired(text))


@pytest.mark.parametrize(("text", "sure"), [("pain", [False]), ("chest pain", [True]), ("chest", [])])
def test_what_only_hints_is_told_from_what_is_sure(text: str, sure: list[bool]) -> None:
    assert [one.sure for one in rules_with(when=["chest pain"], hint=["pain"]).fired(text)] == sure


def test_a_guard_holds_for_hints_too() -> None:
    assert not list(rules_with(hint=["pain"]).fired("no pain"))


def test_suicide_and_self_harm_never_only_hint() -> None:
    assert [rule.id for _, rule in RULES if rule.kind == "suicide" and rule.hint] == []


def test_what_is_sure_decides_before_a_graver_hint(triage: Triage) -> None:
    sure, hint = "I can't breathe", "someone is following me home"
    alone = triage.red_flag(hint)
    assert alone and not alone.sure and alone.kind == "violence"
    flag = triage.red_flag(f"{hint}. {sure}")
    assert flag and flag.sure and flag.kind == "medical"


@pytest.mark.parametrize(
    ("when", "yes", "no"),
    [
        ("heart attack", "a heart attack", "heart and attack"),
        ("breath*", "breathless", "reath"),
        ("seizure|fit", "a fit", "fitting"),
        ("(so|very much) pain", "very much pain", "much pain"),
        ("[really] bad pain", "bad pain", "really pain"),
        ("[really] bad pain", "really bad pain", "really so bad a pain"),
        ("chest .. pain", "chest is in pain", "chest is now in pain"),
        ("chest .. pain", "chest, pain", "chest. pain"),
        ("chest .. pain", "chest has pain", "chest no pain"),
        ("chest ..4 pain", "chest a b c d pain", "pain in the chest"),
        ("chest + pain", "pain in the chest", "pain in the whole left chest"),
        ("<chest> .. <pain>", "my left upper side hurts", "my left lower side hurts"),
        ("took #10+ pills", "took 12 pills", "took 9 pills"),
        ("sugar .. #50-", "sugar is 38.5", "sugar is 51"),
        ("fever #103-109", "fever 104", "fever 99"),
    ],
)
def test_the_notation_means_what_it_says(when: str, yes: str, no: str) -> None:
    assert catches(when, yes)
    assert not catches(when, no)


def test_a_guard_holds_around_a_match_and_is_taken_back_by_its_exception() -> None:
    assert not catches("pain", "no pain")
    assert catches("pain", "no pain now")
    assert catches("pain", "no, pain")
    assert not catches("chest .. pain", "chest pain clinic")
    assert catches("no pulse", "no pulse")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"when": ["<cheast> .. pain"]}, "<cheast> is not among the concepts"),
        ({"when": ["chest .."]}, "a gap needs words on both sides"),
        ({"when": ["severe|bad pain"]}, "put the choices 'severe|bad' in parentheses"),
        ({"when": ["(severe pain"]}, "a parenthesis is not closed"),
        ({"when": ["?!"]}, "is not a word"),
        ({"when": []}, "`must`, and `when` or `hint`, need at least one line"),
        ({"when": ["pain"], "must": []}, "`must`, and `when` or `hint`, need at least one line"),
    ],
)
def test_a_rule_that_cannot_be_read_stops_the_start_and_says_why(rule: dict[str, list[str]], says: str) -> None:
    with pytest.raises(BadConfig, match=r"redflags/en\.toml") as raised:
        rules_with(**rule)
    assert says in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"language = ", b"language = 'en'\ncolour = 'red'"])
def test_a_file_that_is_no_rule_file_stops_the_start(data: bytes) -> None:
    with pytest.raises(BadConfig, match=r"redflags/en\.toml"):
        rule_file("en", data)
