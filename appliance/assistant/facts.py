"""The facts that a text states in one of four languages: times, days, dates, money, phones … as values that can be compared.

    facts(text, language=None) -> frozenset[Fact]        Fact(kind, value, span)

``value`` is the same string however the fact is written: "5:30 p.m.", "17:30", "下午五点半" and "शाम 5:30" are the time "17:30".
``span`` counts code points of the given text. The words stand in facts.toml. Knows no document and no question.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

from appliance.languages import detect
from appliance.message import Language, Span

Kind = Literal["time", "date", "day", "money", "phone", "number", "percent", "duration", "email"]

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact and where it stands."""

    kind: Kind
    value: str
    """time: 17:30, with "?" behind it where nothing tells the half of the day (05:30?). date: 2026-07-04, --07-04 without a
    year, --07 a month. day: mon … sun; a range ("Mon-Fri") is one fact a day, all with the range's span. money: USD 40.5.
    phone: digits, without the country's 1, an extension as x12. percent, number: 12.5. duration: ISO 8601, PT45M, P3D.
    The two ends of "3 to 5 days" are two facts with one span. email: in small letters."""
    span: Span


def facts(text: str, language: Language | None = None) -> frozenset[Fact]:
    """Every fact in the text. The language only decides what 7/4/2026 means; None lets the words tell."""
    return frozenset(_Reading(text, language).all())


class _Reading:
    """One text being read: kind after kind, each taking its letters away from those that follow."""

    def __init__(self, text: str, language: Language | None) -> None:
        self._text = text
        self._language = language
        self._left, self._places = _folded(text)

    def all(self) -> Iterator[Fact]:
        kinds: tuple[tuple[Kind, _Reader], ...] = (
            ("email", _emails),
            ("phone", _phones),
            ("date", self._dates),
            ("time", _times),
            ("money", _money),
            ("percent", _percents),
            ("day", self._days),
            ("duration", _durations),
            ("number", _numbers),
        )
        for kind, read in kinds:
            taken = list(read(self._left))
            for start, end, values in taken:
                yield from (Fact(kind=kind, value=value, span=self._span(start, end)) for value in values)
            for start, end, _ in taken:
                self._left = self._left[:start] + _TAKEN * (end - start) + self._left[end:]

    def _span(self, start: int, end: int) -> Span:
        """Of the text as it was given; marks that were folded away belong to the letter before them."""
        after = self._places[end] if end < len(self._places) else len(self._text)
        return Span(start=self._places[start], end=max(after, self._places[end - 1] + 1))

    def _capital(self, start: int) -> bool:
        return self._text[self._places[start]].isupper()

    def _dates(self, left: str) -> Iterator[_Taken]:
        for found in _words().dates.finditer(left):
            if values := self._date(found):
                yield found.start(), found.end(), values

    def _date(self, found: re.Match[str]) -> list[str]:
        part = found.groupdict()
        if part["n1"]:
            return self._slashed(int(part["n1"]), int(part["n2"]), part["ny"])
        group = next((group for group in ("ma", "mb", "alone") if part[group]), "")
        if group and not self._is_month(found, group):
            return []
        month = _words().months[part[group]] if group else int(part["mi"] or _amount(part["mz"]) or 0)
        days = [int(_amount(part[key]) or 0) for key in ("da", "da2", "db", "db2", "di", "dz", "dz2") if part[key]]
        year = next((str(_amount(part[key])) for key in ("ya", "yb", "yc", "yi", "yz") if part[key]), None)
        return _iso(year, month, days)

    def _slashed(self, first: int, second: int, year: str) -> list[str]:
        """7/4/2026: the month comes first in English, unless it can be no month."""
        english = (self._language or detect(self._text)) == "en"
        month, day = (first, second) if second > 12 or (english and first <= 12) else (second, first)
        return _iso(year, month, [day])

    def _is_month(self, found: re.Match[str], group: str) -> bool:
        """'may' and 'march' are words, 'mar' and 'sun' are short for more than one thing."""
        words, name = _words(), found[group]
        if name in words.doubtful_months and not self._capital(found.start(group)):
            return False
        if group != "alone":
            return True
        if name in words.doubtful_months:
            return bool(words.month_after.search(found.string, 0, found.start()))
        return name not in words.never_months

    def _days(self, left: str) -> Iterator[_Taken]:
        words = _words()
        for found in words.days.finditer(left):
            first, last = found["first"], found["last"]
            if first in words.short_days and not (self._capital(found.start()) or last):
                continue
            yield found.start(), found.end(), words.week(found)


_Taken = tuple[int, int, Sequence[str]]
_Reader = Callable[[str], Iterable[_Taken]]
_TAKEN: Final = "\ue000"


# ---- what is read alike in all languages ------------------------------------------------------------------------------


def _emails(left: str) -> Iterator[_Taken]:
    for found in re.finditer(r"[a-z0-9_.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{2,63}){1,5}", left):
        yield found.start(), found.end(), [found[0]]


def _phones(left: str) -> Iterator[_Taken]:
    for found in _words().phones.finditer(left):
        digits = re.sub(r"\D", "", found["number"] or found["service"] or "")
        digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
        extension = found["ext"] or found["only"]
        yield found.start(), found.end(), [digits + (f"x{extension}" if extension else "")]


def _money(left: str) -> Iterator[_Taken]:
    words = _words()
    for found in words.money.finditer(left):
        currency = words.currencies[found["before"] or found["after"]]
        amounts = _amounts(found, "a1", "a2", "b1", "b2")
        if amounts and found[0] != "一块":  # "together"
            yield found.start(), found.end(), [f"{currency} {one}" for one in amounts]


def _percents(left: str) -> Iterator[_Taken]:
    for found in _words().percents.finditer(left):
        yield found.start(), found.end(), _amounts(found, "a1", "a2", "b1")


def _durations(left: str) -> Iterator[_Taken]:
    words = _words()
    for found in words.durations.finditer(left):
        unit = words.units[found["unit"] or found["halved"] or found["alone"]]
        amounts = ["0.5"] if found["halved"] else ["1.5"] if found["alone"] else _amounts(found, "a1", "a2")
        if found["plus"] or found["more"]:
            amounts = [_plain(Decimal(one) + Decimal("0.5")) for one in amounts]
        if not (found["unit"] == "年" and len(amounts[0]) == 4):
            yield found.start(), found.end(), [_duration(one, unit) for one in amounts]


def _numbers(left: str) -> Iterator[_Taken]:
    words = _words()
    for found in words.numbers.finditer(left):
        value = _amount(words.ordinals.get(found["ordinal"] or "") or found["number"].removeprefix("第"))
        if value is not None and (
            value != 1 or not found[0][0].isalpha() or found[0][0] == "第"
        ):  # "one" is an article, too
            yield found.start(), found.end(), [_plain(value)]


def _amounts(found: re.Match[str], *names: str) -> list[str]:
    values = [_amount(found[name]) for name in names if found[name]]
    return [_plain(value) for value in values if value is not None]


def _duration(amount: str, unit: str) -> str:
    """Halves in the next smaller unit where that is whole: half an hour is PT30M."""
    if "." in amount and unit == "TH":
        amount, unit = _plain(Decimal(amount) * 60), "TM"
    return f"P{unit[:-1]}{amount}{unit[-1]}"


def _iso(year: str | None, month: int, days: Sequence[int]) -> list[str]:
    try:
        whole = [date(int(year or 2000), month, day) for day in days or [1]]
    except ValueError:  # no day of the calendar
        return []
    shown = [one.isoformat() if year else f"--{one:%m-%d}" for one in whole]
    return shown if days else [shown[0][:-3]]


# ---- times of day -----------------------------------------------------------------------------------------------------


class _Clock(msgspec.Struct, frozen=True):
    """A time as it was said. ``half``: am, pm, noon, night, day (of 24 hours), or empty."""

    start: int
    end: int
    hour: int
    minute: int
    half: str
    told: bool
    """Whether it looks like a time by itself."""


def _times(left: str) -> Iterator[_Taken]:
    clocks = [clock for found in _words().clock.finditer(left) if (clock := _clock(found))]
    place = 0
    while place < len(clocks):
        pair = clocks[place : place + 2]
        if not (len(pair) == 2 and _linked(left, *pair) and _are_times(left, pair)):
            pair = pair[:1]
        if len(pair) == 2 or _are_times(left, pair):
            values = _resolved(pair)
            for clock, value in zip(pair, values, strict=True):
                yield clock.start, clock.end, [value]
        place += len(pair)


def _clock(found: re.Match[str]) -> _Clock | None:
    words = _words()
    if name := found["fixed"]:
        return _Clock(found.start(), found.end(), *words.fixed[name], True)
    half = words.halves.get(found["before"] or "") or words.half_after(found["after"])
    minutes = found["minute"] or found["spoken"]
    hour = _amount(found["hour"])
    if hour is None or hour > 24 or (half == "day" and not minutes):  # "2 horas" is how long
        return None
    shift = words.minutes.get(found["early"] or "", 0) + words.minutes.get(found["late"] or "", 0)
    total = int(hour * 60) + int(_amount(minutes) or 0) + shift
    mark = found["mark"] and not (found["hour"] == "一" and found["mark"] == "点")  # 一点 is also "a little"
    told = bool(minutes or found["early"] or found["late"] or half or mark)
    return _Clock(found.start(), found.end(), total // 60 % 24, total % 60, half, told)


def _linked(left: str, first: _Clock, last: _Clock) -> bool:
    words = _words()
    gap = left[first.end : last.start]
    if words.link.fullmatch(gap):
        return True
    return bool(words.both.fullmatch(gap) and words.between.search(left[max(0, first.start - 16) : first.start]))


def _are_times(left: str, clocks: Sequence[_Clock]) -> bool:
    if any(clock.told for clock in clocks):
        return True
    words = _words()
    if not all(1 <= clock.hour <= 12 for clock in clocks) or not words.follows.match(left, clocks[-1].end):
        return False
    before = left[max(0, clocks[0].start - 24) : clocks[0].start]
    if len(clocks) == 1:
        return bool(words.at.search(before))
    return clocks[0].hour > clocks[1].hour or bool(words.hours.search(before))


def _resolved(clocks: Sequence[_Clock]) -> list[str]:
    """The halves that were not said, from those that were: "8 to 5:30 p.m." begins in the morning."""
    if any(clock.half == "day" or clock.hour > 12 or clock.hour == 0 for clock in clocks):
        return [_of_day(clock, clock.half or "day") for clock in clocks]
    if len(clocks) == 2:
        first, last = clocks
        if bool(first.half) != bool(last.half):
            return _span_of_day(first, last)
        if not first.half and (first.hour % 12, first.minute) > (last.hour % 12, last.minute):
            return [_of_day(first, "am"), _of_day(last, "pm")]
    return [_of_day(clock, clock.half or "am") + ("" if clock.half else "?") for clock in clocks]


def _span_of_day(first: _Clock, last: _Clock) -> list[str]:
    """One half is known: the range is the shorter of the two that it may be."""
    starts = [_of_day(first, half) for half in ([first.half] if first.half else ("am", "pm"))]
    ends = [_of_day(last, half) for half in ([last.half] if last.half else ("am", "pm"))]
    if first.half:
        return [starts[0], next((end for end in ends if end > starts[0]), ends[0])]
    return [next((start for start in reversed(starts) if start < ends[0]), starts[-1]), ends[0]]


def _of_day(clock: _Clock, half: str) -> str:
    hour = clock.hour
    if hour <= 12 and half != "day":
        late = {"am": False, "pm": True, "noon": hour <= 9 or hour == 12, "night": 4 < hour < 12}[half]
        hour = hour % 12 + (12 if late else 0)
        if clock.hour in (10, 11) and half == "noon":
            hour = clock.hour
    return f"{hour:02}:{clock.minute:02}"


# ---- numbers ----------------------------------------------------------------------------------------------------------


def _amount(text: str | None) -> Decimal | None:
    """What digits, number words or Chinese numerals are worth; None for what is no number."""
    if not text:
        return None
    if text[0].isdigit():
        try:
            return Decimal(text.replace(",", "").rstrip("万")) * (10_000 if text.endswith("万") else 1)
        except InvalidOperation:
            return None
    if text[0] in _ZH_DIGITS or text[0] in _ZH_UNITS:
        return _chinese(text)
    return _spoken(re.split(r"[ -]+", text))


def _spoken(words: Sequence[str]) -> Decimal:
    total = Decimal(0)
    for word in words:
        if hundred := _words().hundreds.get(word):
            total = max(Decimal(1), total) * hundred if hundred in (100, 1000) else total + hundred
        else:
            total += Decimal(str(_words().small.get(word, 0)))
    return total


def _chinese(text: str) -> Decimal:
    if not any(sign in _ZH_UNITS for sign in text):  # digit by digit, as in years: 二〇二六
        return Decimal("".join(str(_ZH_DIGITS[sign]) for sign in text))
    total, section, digit = 0, 0, 0
    for sign in text:
        if sign in _ZH_DIGITS:
            digit = _ZH_DIGITS[sign]
        elif sign == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        else:
            section, digit = section + (digit or 1) * _ZH_UNITS[sign], 0
    return Decimal(total + section + digit)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_ZH_DIGITS: Final = {**dict(zip("零一二三四五六七八九", range(10), strict=True)), "〇": 0, "两": 2}
_ZH_UNITS: Final = {"十": 10, "百": 100, "千": 1000, "万": 10_000}


# ---- the words, compiled ----------------------------------------------------------------------------------------------

_LETTERS: Final = r"a-z_\u00df-\u024f\u0900-\u0963\u0971-\u097f"
_LETTER: Final = re.compile(f"[{_LETTERS}0-9]")
_EDGE: Final = f"(?<![{_LETTERS}0-9])"
_ENDS: Final = f"(?![{_LETTERS}0-9])"
_S: Final = " {0,3}"
_ZH: Final = f"[{''.join(_ZH_DIGITS)}{''.join(_ZH_UNITS)}]{{1,9}}"
_DIGITS: Final = r"(?<![\d.])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\d.])\d{1,12}(?:\.\d{1,4})?万?"


def _folded(text: str) -> tuple[str, list[int]]:
    """The text as `fold` has it, dashes and spaces as one, and where each of its letters stood."""
    letters: list[str] = []
    places: list[int] = []
    for place, given in enumerate(text):
        for letter in unicodedata.normalize("NFD", unicodedata.normalize("NFKC", given).casefold()):
            if not (_DROPPED.match(letter)):
                digit = unicodedata.decimal(letter, None)
                letters.append(str(digit) if digit is not None else _ALIKE.get(letter, letter))
                places.append(place)
    return "".join(letters), places


_DROPPED: Final = re.compile("[\u0300-\u036f\u093c\u200b-\u200f\u2060\ufe0f]")
_ALIKE: Final = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u301c~", "-"),
    **dict.fromkeys("\t\u00a0\u2009\u202f\u3000", " "),
    "\u2019": "'",
    "\u2018": "'",
    "\u0901": "\u0902",
    "點": "点",
    "\uff1a": ":",
}


def _any(words: Iterable[str]) -> str:
    """One of these words, the longest first. Chinese and signs are found anywhere, others whole; word* takes any ending."""
    folded = sorted({_folded(word)[0] for word in words}, key=len, reverse=True)
    plain = [_written(word) for word in folded if _LETTER.match(word)]
    anywhere = [_written(word) for word in folded if not _LETTER.match(word)]
    edged = [f"{_EDGE}(?:{'|'.join(plain)})"] if plain else []  # one look for the edge, not one a word
    return f"(?:{'|'.join([*edged, *anywhere])})"


def _written(word: str) -> str:
    plain = re.escape(word.removesuffix("*")).replace(r"\ ", " {1,3}")
    if word.endswith("*"):
        return f"{plain}[{_LETTERS}]{{0,3}}{_ENDS}"
    return plain + (_ENDS if _LETTER.match(word[-1]) else "")


_HAN: Final = re.compile(r"[\u3400-\u9fff]")


def ready() -> None:
    """Reads facts.toml now; with the first question it would hold up the event loop."""
    _words()


@lru_cache(maxsize=1)
def _words() -> _Words:
    text = (resources.files("appliance.assistant") / "facts.toml").read_text("utf-8")
    return _Words(tomllib.loads(text))


class _Words:
    """facts.toml as tables and patterns."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._link = rf"{_S}(?:-|{_any(tables['times']['words']['link'])}){_S}"
        self._number_words(tables["numbers"])
        self._time_words(tables["times"])
        self._day_words(tables)
        self._month_words(tables["months"], tables["month_words"])
        self._amount_words(tables)
        self._phone_words(tables["phones"])

    def _number_words(self, table: Mapping[str, Any]) -> None:
        units = {word: value for line in table["units"].values() for value, word in enumerate(line.split())}
        tens = {word: 20 + 10 * place for line in table["tens"].values() for place, word in enumerate(line)}
        self.small = {_key(word): value for word, value in {**tens, **units, **table["others"]}.items()}
        self.hundreds = {_key(word): value for word, value in table["hundreds"].items()}
        self.ordinals = _by_word(table["ordinals"])
        below = f"(?:{_any(tens)}(?:-| | y ){_any([*units, *table['others']])}|{_any(self.small)})"
        spoken = f"(?:(?:{below} )?{_any(self.hundreds)}(?: (?:and |y )?{below})?|{below})"
        counted = f"(?:第{_ZH}|{_ZH}(?=[{table['counted']['zh']}]))"
        self._spoken = spoken
        self._number = f"(?:{_DIGITS}|{spoken}|{_ZH})"
        self.numbers = re.compile(f"(?P<ordinal>{_any(self.ordinals)})|(?P<number>{_DIGITS}|{spoken}|{counted})")

    def _time_words(self, table: Mapping[str, Any]) -> None:
        words, minutes = table["words"], table["minutes"]
        self.halves = _by_word(table["before"])
        self._after = _by_word(table["after"])
        self.fixed: dict[str, tuple[int, int, str]] = {
            word: (12, 0, "noon" if value == "12:00" else "night") for word, value in _by_word(table["fixed"]).items()
        }
        self.minutes = {_key(word): value for side in minutes.values() for word, value in side.items()}
        after = rf"[ap]\. ?m{_ENDS}\.?|[ap] ?m{_ENDS}|{_any(self._after)}"
        more = rf"{_S}(?P<spoken>\d{{1,2}}|{_ZH}|{self._spoken})(?:{_S}(?:分|मिनट))?"
        self.clock = re.compile(
            rf"(?:{_any(words['article'])} )?(?:(?P<before>{_any(self.halves)}){_S})?"
            rf"(?:(?P<early>{_any(minutes['before'])}){_S})?"
            rf"(?P<hour>(?<![\d.,:/$#{_LETTERS}])\d{{1,2}}(?!\d|[,/]\d)|{self._spoken}|{_ZH})"
            rf"(?:(?::|\.(?=\d\d ?[ap]\.? ?m))(?P<minute>[0-5]\d)(?!\d|:\d))?"
            rf"(?:{_S}(?P<mark>{_any(words['clock'])}|点[钟整]?|时(?![间候常]))(?:{more})?)?"
            rf"(?:{_S}(?P<late>{_any(minutes['after'])}))?(?:{_S}[,(]?{_S}(?P<after>{after}))?"
            rf"(?!\.?\d|{_S}[%°]|[个位人次名])|(?P<fixed>{_any(self.fixed)})"
        )
        self.link = re.compile(f"{self._link}(?:{_any(words['article'])} )?")
        self.both = re.compile(rf" {_any(words['and'])} ")
        self.between = re.compile(rf"{_any(words['between'])} ?(?:{_any(words['article'])} ?)?$")
        self.follows = re.compile(rf"{_S}(?:$|[.,;:)\n|{_TAKEN}]|{_any(words['follow'])})")
        self.at = re.compile(rf"{_any(words['at'])} ?$")
        self._hours = words["hours"]

    def half_after(self, text: str | None) -> str:
        if not text:
            return ""
        return self._after.get(text) or f"{text[0]}m"

    def _day_words(self, tables: Mapping[str, Any]) -> None:
        self.short_days = {_key(word) for line in tables["short_days"].values() for word in line}
        self._days = [
            (day.split(), re.compile(_any([*names, *tables["short_days"].get(day, [])])))
            for day, names in tables["days"].items()
        ]
        names = [word for table in ("days", "short_days") for line in tables[table].values() for word in line]
        day = rf"{_any(names)}(?!(?<=[\u3400-\u9fff])[次天个回])"
        sign = "[一二三四五六日](?![点时号月个十天周])"
        self.days = re.compile(
            rf"(?P<first>{day})(?:\.?{self._link}(?P<last>{day}|{sign})|(?P<more>(?:[、,和及]{sign}){{1,5}}))?"
        )
        self.hours = re.compile(rf"(?:{_any(self._hours)}|{day})[:,]? ?$")

    def week(self, found: re.Match[str]) -> list[str]:
        """The days named, a range filled in: 'Friday to Monday' names four."""
        days = self._day(found["first"])
        if found["more"]:
            return [*days, *(WEEK[_WEEK_SIGNS.index(sign)] for sign in found["more"] if sign in _WEEK_SIGNS)]
        if not found["last"]:
            return days
        start, end = WEEK.index(days[0]), WEEK.index(self._day(found["last"])[-1])
        return [WEEK[place % 7] for place in range(start, end + (8 if end < start else 1))]

    def _day(self, text: str) -> list[str]:
        if text in _WEEK_SIGNS:
            return [WEEK[_WEEK_SIGNS.index(text)]]
        return next(days for days, names in self._days if names.fullmatch(text))

    def _month_words(self, table: Mapping[str, Sequence[str]], words: Mapping[str, Sequence[str]]) -> None:
        self.months = {word: int(month) for word, month in _by_word(table).items()}
        self.never_months = frozenset(map(_key, words["alone_never"]))
        self.doubtful_months = frozenset(map(_key, words["alone_only_after"]))
        self.month_after = re.compile(f"{_any(words['alone_after'])} $")
        month, day = _any(self.months), r"\d{1,2}(?!\d|:\d)"
        ordinal = "(?:st|nd|rd|th)?"
        zh = rf"(?:\d{{1,2}}|{_ZH})"
        self.dates = re.compile(
            rf"(?P<yi>\d{{4}})[-/](?P<mi>\d{{1,2}})[-/](?P<di>\d{{1,2}})(?!\d)"
            rf"|(?<![\d/])(?P<n1>\d{{1,2}})/(?P<n2>\d{{1,2}})/(?P<ny>\d{{4}})(?!\d)"
            rf"|(?P<ma>{month})\.? (?P<da>{day}){ordinal}(?:{_S}-{_S}(?P<da2>{day}))?(?!{_S}(?:[ap]\.? ?m{_ENDS}|:))"
            rf"(?:,? (?P<ya>\d{{4}})(?!\d))?"
            rf"|(?<![\d:.])(?P<db>{day}|{self._spoken}(?= (?:de )?{month})){ordinal}(?:{_S}(?:-|al?){_S}(?P<db2>{day}))?"
            rf" (?:de |of )?(?P<mb>{month})(?:,? (?:de |del )?(?P<yb>\d{{4}})(?!\d))?"
            rf"|(?:(?P<yz>\d{{4}}|{_ZH})年{_S})?(?P<mz>{zh}){_S}月(?:{_S}(?P<dz>{zh}){_S}[日号](?:(?:-|至|到)(?P<dz2>{zh})[日号])?)?"
            rf"|(?P<alone>{month})(?:,? (?:de |del )?(?P<yc>\d{{4}})(?!\d))?"
        )

    def _amount_words(self, tables: Mapping[str, Any]) -> None:
        several = rf"(?P<a1>{self._number})(?:{_S}(?:-|{_any(tables['ranges']['link'])}){_S}(?P<a2>{self._number}))?"
        self.currencies = _by_word(tables["money"])
        before = _any(word for word in self.currencies if len(word) <= 3 and not _HAN.match(word))
        self.money = re.compile(
            rf"(?P<before>{before}){_S}(?P<b1>{self._number})(?:{_S}(?:-|{_any(tables['ranges']['link'])}){_S}(?:{before})?{_S}(?P<b2>{self._number}))?"
            rf"|{several}{_S}(?:us )?(?P<after>{_any(self.currencies)})"
        )
        percent = tables["percent"]
        self.percents = re.compile(
            rf"{several}{_S}{_any(percent['words'])}|{_any(percent['before'])}{_S}(?P<b1>{self._number})"
        )
        self.units = _by_word(tables["durations"])
        words, unit = tables["duration_words"], _any(self.units)
        plus = _any(words["plus"])
        self.durations = re.compile(
            rf"{several}(?P<plus>个半| {plus})?[ -]{{0,3}}(?:{_any(words['between'])}{_S})?(?P<unit>{unit})(?P<more> {plus})?"
            rf"|{_any(words['half'])}{_S}(?P<halved>{unit})|(?P<alone>{unit}) {plus}"
        )

    def _phone_words(self, table: Mapping[str, Sequence[str]]) -> None:
        extension = rf"{_any(table['extension'])}{_S}[:#]?{_S}"
        self.phones = re.compile(
            rf"(?<![\d$.])(?P<number>(?:\+?1[ .-]?)?\(?\d{{3}}\)?[ .-]{{0,2}}\d{{3}}[ .-]\d{{4}}|\d{{3}}-\d{{4}}|\d{{10}}"
            rf"|\+\d{{1,3}}(?:[ -]?\d{{2,5}}){{2,5}})(?!\d)(?:,?{_S}{extension}(?P<ext>\d{{1,6}}))?"
            rf"|(?<![\d$.,:-])(?P<service>{'|'.join(table['services'])})(?!\d|[.,:-]\d)"
            rf"|{extension}(?P<only>\d{{1,6}})"
        )


_WEEK_SIGNS: Final = "一二三四五六日"


def _key(word: str) -> str:
    return _folded(word)[0]


def _by_word(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {_key(word): value for value, words in table.items() for word in words}
