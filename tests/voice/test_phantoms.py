"""What recognisers write where nobody speaks, and what callers really say."""

from __future__ import annotations

import pytest

from voice.phantoms import babble, circling, once, phantom, unechoed


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Thanks for watching!", "en"),
        ("Thank you for watching, and I'll see you in the next one.", "en"),
        ("Subtítulos realizados por la comunidad de Amara.org", "es"),
        ("¡Suscríbete al canal!", "es"),
        ("字幕由Amara.org社区提供", "zh"),
        ("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "zh"),
    ],
)
def test_credits_of_films_are_never_heard(text: str, language: str) -> None:
    assert phantom(text, language, unsure=False)


@pytest.mark.parametrize(
    ("text", "language"), [("Thank you.", "en"), ("Gracias.", "es"), ("谢谢。", "zh"), ("you", "en")]
)
def test_what_callers_say_too_is_dropped_only_where_one_is_unsure(text: str, language: str) -> None:
    assert phantom(text, language, unsure=True)
    assert not phantom(text, language, unsure=False)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Thank you, that is all.", "en"),
        ("I have chest pain", "en"),
        ("no gracias", "es"),
        ("谢谢你，我要预约", "zh"),
        ("yes", "en"),
    ],
)
def test_what_callers_say_stays_however_unsure(text: str, language: str) -> None:
    assert not phantom(text, language, unsure=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("मुझे, " * 9, 5),
        ("I want to I want to I want to I want to", 4),
        ("We are sure that one war is enough. We are sure that one war is enough.", 2),
        ("你好你好你好你好你好你好你好你好", 2),
    ],
)
def test_a_text_that_goes_round_in_circles_is_noticed(text: str, seconds: float) -> None:
    assert circling(text, seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("five five five oh one two two", 4),
        ("5 5 5 0 1 0 0", 3),
        ("no no no, not today", 2),
        ("It hurts a lot, it hurts a lot when I breathe", 4),
        ("我要预约看医生", 2),
        ("", 1),
    ],
)
def test_what_people_repeat_is_left_alone(text: str, seconds: float) -> None:
    assert not circling(text, seconds)


def test_of_what_circles_the_first_round_is_kept() -> None:
    assert (
        once("We are sure that one war is enough. We are sure that one war is enough.")
        == "We are sure that one war is enough."
    )
    assert once("你要去哪里你要去哪里") == "你要去哪里"
    assert once("five five five oh one") == "five five five oh one"


@pytest.mark.parametrize(
    ("text", "is_babble"),
    [
        ("biiiiii", True),
        ("आपाशाशाशाशाशा", True),
        ("अठूपना आपिट\ufffd", True),
        ("help help help help help", False),
        ("5555555", False),
        ("好好好好好好", False),
    ],
)
def test_a_word_that_rolls_is_babble_and_a_word_said_again_is_not(text: str, is_babble: bool) -> None:
    assert babble(text) is is_babble


@pytest.mark.parametrize(
    ("text", "speech_s", "heard"),
    [
        ("9 9", 0.3, "9"),
        ("4. 4. 4.", 0.4, "4."),
        ("no no", 0.6, "no no"),
        ("Help! Help!", 0.8, "Help! Help!"),
        ("好好好好", 0.3, "好"),
        ("five six", 0.3, "five six"),
        ("We are sure. We are sure.", 0.9, "We are sure."),
    ],
)
def test_an_echo_of_the_recogniser_is_not_said_twice(text: str, speech_s: float, heard: str) -> None:
    assert unechoed(text, speech_s) == heard
