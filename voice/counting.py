"""Numbers in words, in four languages, from the tables in ``spoken/``. Knows nothing of what is counted."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import msgspec


class Calendar(msgspec.Struct, frozen=True):
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    date_order: str
    months_short: tuple[str, ...] = ()
    weekdays_short: tuple[str, ...] = ()
    dated: dict[str, tuple[str, ...]] = {}


class Words(msgspec.Struct, frozen=True):
    """What one language needs to be read aloud; a file of ``spoken/``."""

    words: dict[str, str]
    numbers: dict[str, Any]
    fractions: dict[str, str]
    calendar: Calendar
    telephone: dict[str, tuple[str, ...]]
    identifiers: dict[str, tuple[str, ...]]
    units: dict[str, tuple[str, str]]
    currencies: dict[str, tuple[str, str, str, str]]
    abbreviations: dict[str, str]
    spelled: dict[str, Any]
    compared: dict[str, str]
    per: dict[str, tuple[str, ...]]
    ordinals: dict[str, Any] = {}
    gender: dict[str, tuple[str, ...]] = {}
    measures: dict[str, tuple[str, ...]] = {}


@functools.cache
def table(language: str) -> Words:
    file = Path(__file__).with_name("spoken") / f"{language}.toml"
    return msgspec.toml.decode(file.read_bytes(), type=Words)


def cardinal(number: int, language: str) -> str:
    """``number`` in words; what is too large to be a count (a thousand million millions) digit by digit."""
    if number < 0:
        return _joined(language, table(language).words["minus"], cardinal(-number, language))
    if number >= 10**15:
        return digits(str(number), language)
    return _CARDINALS[language](number)


def ordinal(number: int, language: str) -> str:
    if language == "en":
        return _english_ordinal(number)
    if language == "zh":
        return f"第{cardinal(number, 'zh')}"
    known = table(language).ordinals["list"]
    if number < len(known):
        return str(known[number])
    return cardinal(number, language) + ("वाँ" if language == "hi" else "")


def digits(written: str, language: str, *, telephone: bool = False) -> str:
    """One by one, other signs left out. On the telephone a Chinese one is ``yao``, which nobody takes for seven."""
    small = table(language).numbers["small"]
    one = table(language).numbers.get("telephone_one", small[1]) if telephone else small[1]
    return _joined(
        language, *(one if digit == "1" else small[int(digit)] for digit in written if digit in "0123456789")
    )


def decimal(whole: str, part: str, language: str, *, point: str = "point") -> str:
    """``3.25``: what is behind the point digit by digit."""
    return _joined(language, cardinal(int(whole), language), table(language).words[point], digits(part, language))


def year(number: int, language: str) -> str:
    if language == "zh":
        return digits(str(number), "zh")
    if language == "hi" and 1100 <= number < 2000:
        return " ".join(part for part in (cardinal(number // 100, "hi"), "सौ", _rest(number % 100, "hi")) if part)
    if language == "en" and 1100 <= number < 2100 and not 2000 <= number < 2010:
        century, rest = divmod(number, 100)
        return f"{cardinal(century, 'en')} {_english_years(rest)}"
    return cardinal(number, language)


def feminine(words: str) -> str:
    """Spanish: ``veintiuna``, ``doscientas``."""
    return words.removesuffix("uno") + "una" if words.endswith("uno") else words.replace("cientos", "cientas")


def before_noun(words: str) -> str:
    """Spanish: ``un``, ``veintiún`` before a masculine noun."""
    if words.endswith("veintiuno"):
        return words.removesuffix("uno") + "ún"
    return words.removesuffix("o") if words.endswith("uno") else words


# ---- each language ------------------------------------------------------------------------------------------------


def _english(number: int) -> str:
    small, tens = table("en").numbers["small"], table("en").numbers["tens"]
    if number < 20:
        return str(small[number])
    if number < 100:
        return str(tens[number // 10]) + (f"-{small[number % 10]}" if number % 10 else "")
    for size, name in (
        (10**12, "trillion"),
        (10**9, "billion"),
        (10**6, "million"),
        (1000, "thousand"),
        (100, "hundred"),
    ):
        if number >= size:
            rest = _rest(number % size, "en")
            return f"{_english(number // size)} {name}{' ' + rest if rest else ''}"
    raise AssertionError(number)


def _english_ordinal(number: int) -> str:
    head, sep, last = _english(number).rpartition(" ")
    tens, hyphen, unit = last.rpartition("-")
    irregular = table("en").ordinals
    unit = irregular.get(unit) or (f"{unit[:-1]}ieth" if unit.endswith("y") else f"{unit}th")
    return f"{head}{sep}{tens}{hyphen}{unit}"


def _english_years(rest: int) -> str:
    """Of a century: ``hundred``, ``oh five``, ``twenty-six``."""
    if rest == 0:
        return "hundred"
    return f"oh {_english(rest)}" if rest < 10 else _english(rest)


def _spanish(number: int) -> str:
    words = table("es").numbers
    if number < 30:
        return str(words["small"][number])
    if number < 100:
        return str(words["tens"][number // 10]) + (f" y {words['small'][number % 10]}" if number % 10 else "")
    if number == 100:
        return "cien"
    if number < 1000:
        return " ".join(part for part in (words["hundreds"][number // 100], _rest(number % 100, "es")) if part)
    if number < 10**6:
        thousands = "mil" if number < 2000 else f"{before_noun(_spanish(number // 1000))} mil"
        return " ".join(part for part in (thousands, _rest(number % 1000, "es")) if part)
    millions, rest = divmod(number, 10**6)
    many = "un millón" if millions == 1 else f"{before_noun(_spanish(millions))} millones"
    return " ".join(part for part in (many, _rest(rest, "es")) if part)


def _chinese(number: int) -> str:
    """Groups of four: 万, 亿, 万亿."""
    if number == 0:
        return str(table("zh").numbers["small"][0])
    said = ""
    for size, name in ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"), (1, "")):
        group = number // size % 10**4
        if not group:
            continue
        gap = "零" if said and (group < 1000 or number // size // 10**4 % 10 == 0) else ""
        count = "两" if group == 2 and name else _chinese_group(group, leading=not said)
        said += gap + count + name
    return said


def _chinese_group(group: int, *, leading: bool) -> str:
    small = table("zh").numbers["small"]
    said = ""
    for place, (size, name) in enumerate(((1000, "千"), (100, "百"), (10, "十"), (1, ""))):
        digit = group // size % 10
        if digit:
            gap = "零" if said and place and group // (size * 10) % 10 == 0 else ""
            ten = leading and size == 10 and digit == 1 and not said  # 十二, but 一百一十二
            two = size >= 1000 and digit == 2  # 两千, but 二百
            said += gap + ("" if ten else "两" if two else small[digit]) + name
    return said


def _hindi(number: int) -> str:
    small = table("hi").numbers["small"]
    if number < 100:
        return str(small[number])
    for size, name in ((10**11, "खरब"), (10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ")):
        if number >= size:
            return " ".join(part for part in (_hindi(number // size), name, _rest(number % size, "hi")) if part)
    raise AssertionError(number)


def _rest(number: int, language: str) -> str:
    return _CARDINALS[language](number) if number else ""


_CARDINALS = {"en": _english, "es": _spanish, "zh": _chinese, "hi": _hindi}


def _joined(language: str, *words: str) -> str:
    return ("" if language == "zh" else " ").join(itertools.filterfalse(lambda word: not word, words))
