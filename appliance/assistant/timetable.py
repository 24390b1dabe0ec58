"""Which hours go with which days, as one sentence joins them. Knows no question, and says nothing where it is not certain.

    Timetables.load().read(text, language, whole=…) -> tuple[Entry, …]       empty: not understood

A sentence becomes a row of signs, one a day, an hour, a joining word, an unknown word; only a few plain rows are read. The
words stand in timetable.toml, days and hours are those of facts.py.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

from appliance.assistant.facts import WEEK, Fact, facts
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, Language, Span

Part = Literal["morning", "afternoon", "evening"]


class Days(msgspec.Struct, frozen=True):
    """Days of the week; a range ("Mon-Fri") is one stretch, a list several."""

    stretches: tuple[tuple[str, ...], ...]
    nth: tuple[str, ...] = ()
    """1 to 5, or last: which ones of a month; empty means every one."""
    only: bool = False


class Date(msgspec.Struct, frozen=True):
    """A day of the calendar, as facts.py writes it, and the day of the week where that is said too."""

    value: str
    day: str | None = None


class Daily(msgspec.Struct, frozen=True):
    """Every day."""


class Hours(msgspec.Struct, frozen=True):
    """range: from the first time to the second; closed: all that while, or all day without times."""

    how: Literal["range", "closed", "opens", "closes", "until", "from", "at", "part"]
    times: tuple[str, ...] = ()
    part: Part | None = None


When = Days | Date | Daily


class Entry(msgspec.Struct, frozen=True):
    """Some days and their hours; either may be missing, when the sentence does not say it."""

    when: tuple[When, ...]
    hours: tuple[Hours, ...]


class Folded:
    """A text as `fold` has it, letter by letter, with the place of each letter in the text as it was given."""

    def __init__(self, text: str) -> None:
        self.given = text
        letters = [(letter, place) for place, one in enumerate(text) for letter in _letters(one)]
        self.text = "".join(letter for letter, _ in letters)
        self._places = [*(place for _, place in letters), len(text)]

    def found(self, words: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        for match in words.finditer(self.text):
            yield self._places[match.start()], self._places[match.end()]


@lru_cache(maxsize=4096)
def _letters(one: str) -> str:
    return fold(one)


class Timetables:
    """The compiled tables of timetable.toml."""

    def __init__(self, tables: Mapping[Language, Mapping[str, Any]]) -> None:
        self._words = {language: _Words(table) for language, table in tables.items()}

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Timetables:
        tables = tomllib.loads((resources.files("appliance.assistant") / "timetable.toml").read_text("utf-8"))
        return cls({language: tables[language] for language in LANGUAGES})

    def read(self, text: str, language: Language, *, whole: bool = False) -> tuple[Entry, ...]:
        """The entries of a sentence. ``whole``: nothing may stand in it but days, hours and the words that join them."""
        words = self._words[language]
        signs = words.signs(text, language)
        for change in words.changes:
            signs = _changed(signs, change)
        signs = [one for one in signs if one.kind not in "go"]
        row = "".join(one.kind for one in signs)
        if not any(form.fullmatch(row) for form in (_WHOLE if whole else _SENTENCE)):
            return ()
        return tuple(_entries([one.value for one in signs if one.kind in "WHtk"]))

    def stop(self, language: Language) -> re.Pattern[str]:
        """The words that negate or restrict, for folded text."""
        return self._words[language].stop


class _Sign(msgspec.Struct, frozen=True):
    """One of a sentence's pieces.

    D days, A date, E daily, N ordinal, M of the month; W any of these when put together. T a time, R a range; o opens, c closes,
    u until, f from, h part of a day; H, or t a time alone, or k closed all day, when put together. y only, ~ since, & and,
    g glue, x unknown, comma and full stop, ! what stops the reading.
    """

    kind: str
    start: int
    end: int
    value: Any = None


def _entries(values: Sequence[When | Hours]) -> Iterator[Entry]:
    when: list[When] = []
    hours: list[Hours] = []
    if isinstance(values[0], Hours) and len(values) > 1 and not isinstance(values[-1], Hours):
        values = [*values[1:], values[0]]  # "9 to 5 on Mondays"
    for value in values:
        if isinstance(value, Hours):
            hours.append(value)
        else:
            if hours:
                yield Entry(tuple(when), tuple(hours))
                when, hours = [], []
            when.append(value)
    yield Entry(tuple(when), tuple(hours))


# What a row of signs may look like once all is put together: days before their hours, one after the other; or one of each.
_ONE: Final = r"W,?(?:t|k|H(?:[,&]+H)*)"
_WHOLE: Final = tuple(
    map(re.compile, (rf"{_ONE}(?:[,&.]+{_ONE})*\.?", r"H(?:[,&]+H)*\.?", r"[tk]\.?", r"[tkH],?W\.?", r"W\.?"))
)
_SENTENCE: Final = tuple(
    map(
        re.compile,
        (
            rf"[x,&.]*{_ONE}(?:[,&]+{_ONE})*[x,&.]*",
            r"[x,&.]*W[x,&]{0,3}(?:k|H(?:[,&]+H)*)[x,&.]*",
            r"[x,&.]*[tkH]W[x,&.]*",
            r"[x,&.]*H[x,&.]*",
            r"[x,&.]*W[x,&.]*",
        ),
    )
)


# ---- putting signs together -------------------------------------------------------------------------------------------

_Change = tuple[re.Pattern[str], Callable[[Sequence[_Sign]], _Sign]]


def _changed(signs: Sequence[_Sign], change: _Change) -> list[_Sign]:
    """The same row with each stretch that looks so made into one sign."""
    looks, made = change
    left, place = [], 0
    for found in looks.finditer("".join(one.kind for one in signs)):
        left += [*signs[place : found.start()], made(signs[found.start() : found.end()])]
        place = found.end()
    return [*left, *signs[place:]]


def _joined(kind: str, signs: Sequence[_Sign], value: object) -> _Sign:
    return _Sign(kind, signs[0].start, signs[-1].end, value)


def _of_month(signs: Sequence[_Sign]) -> _Sign:
    """'The first and third Thursday of the month'; without the month an ordinal may mean anything."""
    nth = tuple(one.value for one in signs if one.kind == "N")
    days = next(one.value for one in signs if one.kind == "D")
    told = any(one.kind == "M" for one in signs) and sum(map(len, days)) == 1
    return _joined("W" if told else "!", signs, Days(days, nth=nth))


def _since(signs: Sequence[_Sign]) -> _Sign:
    return _joined("!", signs, None)


def _since_day(signs: Sequence[_Sign]) -> _Sign:
    """'De lunes a viernes' are the days themselves; 'from Monday' may be from then on."""
    days = next(one.value for one in signs if one.kind == "D")
    return _joined("D" if sum(map(len, days)) > 1 else "!", signs, days)


def _glue(signs: Sequence[_Sign]) -> _Sign:
    return _joined("g", signs, None)


def _dated(signs: Sequence[_Sign]) -> _Sign:
    days = [one.value for one in signs if one.kind == "D"]
    date = next(one.value for one in signs if one.kind == "A")
    told = days[0][0][0] if days and sum(map(len, days[0])) == 1 else None
    return _joined("W" if told or not days else "!", signs, Date(date, told))


def _listed(signs: Sequence[_Sign]) -> _Sign:
    return _joined("W", signs, Days(tuple(stretch for one in signs if one.kind == "D" for stretch in one.value)))


def _daily(signs: Sequence[_Sign]) -> _Sign:
    return _joined("W", signs, Daily())


def _only(signs: Sequence[_Sign]) -> _Sign:
    value = next(one.value for one in signs if one.kind == "W")
    only = msgspec.structs.replace(value, only=True) if isinstance(value, Days) else None
    return _joined("W" if only else "!", signs, only)


def _hours(signs: Sequence[_Sign]) -> _Sign:
    """A time or a range, and what opens or closes with it."""
    times = next(one.value for one in signs if one.kind in "TR")
    cue = next((kind for kind in "ucfo" if any(one.kind == kind for one in signs)), "")
    if any("?" in time for time in times):
        return _joined("!", signs, None)
    if len(times) == 2:
        return _joined("H", signs, Hours("closed" if any(one.kind == "c" for one in signs) else "range", times))
    if not cue:
        return _joined("t", signs, Hours("at", times))
    how: dict[str, Literal["opens", "closes", "until", "from"]] = {
        "o": "opens",
        "c": "closes",
        "u": "until",
        "f": "from",
    }
    return _joined("H", signs, Hours(how[cue], times))


def _closed(signs: Sequence[_Sign]) -> _Sign:
    """All day; of which day must be said, else it may be the thing itself that is no more."""
    return _joined("k", signs, Hours("closed"))


def _part(signs: Sequence[_Sign]) -> _Sign:
    return _joined("H", signs, Hours("part", part=signs[0].value))


_LATER: Final = r"R(?:g*u)?(?:g*[oc])?|Tg*u(?:g*o)?|Tg*[ocf]|T"
_CUES: Final = {
    "before": r"(?:og*)?ug*T|[oc]g*[TR]|fg*T|[TR]",  # "open until 5", "closed from 1 to 2"
    "after": _LATER,  # "शाम 5 बजे तक खुला"
    "both": rf"(?:og*)?ug*T|{_LATER}",  # "到下午5点", "下午5点关门"
}


def _changes(cues: str) -> Sequence[_Change]:
    """In this order: days first, then what is left of the words about hours."""
    return [
        (re.compile(looks), made)
        for looks, made in (
            (r"M?g*N(?:[&,]g*N)*g*Dg*M?", _of_month),
            (r"Ag*~" if cues == "after" else r"~g*A", _since),
            (r"Dg*~" if cues == "after" else r"~g*D", _since_day),
            (r"~", _glue),
            (r"A,?g*D|D,?g*A|A", _dated),
            (r"D(?:,?&?g*D)*", _listed),
            (r"E", _daily),
            (r"yg*W|Wg*y(?!g*[TR])", _only),
            (_CUES[cues], _hours),
            (r"c", _closed),
            (r"h", _part),
        )
    ]


# ---- reading signs ----------------------------------------------------------------------------------------------------


class _Words:
    """One language's table as patterns."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.changes = _changes(table["cues"])
        self.stop = pattern(table["stop"])
        self._links = frozenset(map(fold, table["link"]))
        self._between_links = frozenset(map(fold, table["between_link"]))
        self._between = re.compile(rf"(?:{pattern(table['between']).pattern})\s*$")
        self._kinds: list[tuple[str, object, re.Pattern[str]]] = [
            ("M", None, pattern(table["month"])),
            *(("N", value, pattern(words)) for value, words in table["nth"].items()),
            ("y", None, pattern(table["only"])),
            ("E", None, pattern(table["daily"])),
            *(("h", part, pattern(table[part])) for part in ("morning", "afternoon", "evening")),
            *((kind, None, pattern(table[key])) for kind, key in _CUE_KINDS),
            ("&", None, pattern(table["and"])),
            ("~", None, pattern(table["since"])),
            ("g", None, pattern(table["glue"])),
            ("!", None, self.stop),
        ]

    def signs(self, text: str, language: Language) -> list[_Sign]:
        """The whole text as signs, in order."""
        firm = list(self._times_and_days(text, language))
        known = _apart([*firm, *self._said(_masked(text, firm))])
        signs: list[_Sign] = []
        place = 0
        for sign in [*known, None]:
            signs += _unknown(text, place, sign.start if sign else len(text))
            if sign:
                signs.append(sign)
                place = sign.end
        return signs

    def _said(self, text: str) -> Iterator[_Sign]:
        folded = Folded(text)
        for kind, value, words in self._kinds:
            for start, end in folded.found(words):
                yield _Sign(kind, start, end, value)

    def _times_and_days(self, text: str, language: Language) -> Iterator[_Sign]:
        stated = facts(text, language)
        yield from self._ranges(text, sorted((one for one in stated if one.kind == "time"), key=_place))
        for (start, end), days in _by_span(stated, "day"):
            yield _Sign("D", start, end, _stretches(days))
        for (start, end), dates in _by_span(stated, "date"):
            whole = len(dates) == 1 and not _MONTH_ALONE.fullmatch(dates[0])
            yield _Sign("A" if whole else "!", start, end, dates[0])

    def _ranges(self, text: str, times: Sequence[Fact]) -> Iterator[_Sign]:
        place = 0
        while place < len(times):
            pair = times[place : place + 2]
            linked = len(pair) == 2 and self._linked(text, pair[0].span, pair[1].span)
            taken = pair if linked else pair[:1]
            values = tuple(one.value for one in taken)
            yield _Sign("R" if linked else "T", taken[0].span.start, taken[-1].span.end, values)
            place += len(taken)

    def _linked(self, text: str, first: Span, last: Span) -> bool:
        gap = fold(text[first.end : last.start]).strip()
        if gap in _DASHES or gap in self._links:
            return True
        return gap in self._between_links and bool(self._between.search(fold(text[: first.start])))


_CUE_KINDS: Final = (("o", "opens"), ("c", "closes"), ("u", "until"), ("f", "from"))
_DASHES: Final = frozenset("-\u2013\u2014~\u301c")
_MONTH_ALONE: Final = re.compile(r"(?:-|\d{4})-\d\d")


def _place(fact: Fact) -> int:
    return fact.span.start


def _by_span(stated: Iterable[Fact], kind: str) -> list[tuple[tuple[int, int], list[str]]]:
    found: dict[tuple[int, int], list[str]] = {}
    for fact in stated:
        if fact.kind == kind:
            found.setdefault((fact.span.start, fact.span.end), []).append(fact.value)
    return sorted(found.items())


def _stretches(days: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Days that follow one another, as the week runs: Friday to Monday is one stretch."""
    numbers = sorted(WEEK.index(day) for day in days)
    if len(numbers) == len(WEEK):
        return (WEEK,)
    starts = [one for one in numbers if (one - 1) % 7 not in numbers]
    return tuple(tuple(WEEK[(start + step) % 7] for step in range(_run(start, numbers))) for start in starts)


def _run(start: int, numbers: Sequence[int]) -> int:
    return next(step for step in range(1, 8) if (start + step) % 7 not in numbers)


def _masked(text: str, firm: Sequence[_Sign]) -> str:
    """Without the letters of days and hours: "hasta" stays a word where "las 5:30" is an hour."""
    for one in firm:
        text = text[: one.start] + _TAKEN * (one.end - one.start) + text[one.end :]
    return text


_TAKEN: Final = "\ue000"


def _apart(signs: Sequence[_Sign]) -> list[_Sign]:
    """From left to right, the longest at each place."""
    kept: list[_Sign] = []
    for one in sorted(signs, key=lambda one: (one.start, one.start - one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _unknown(text: str, start: int, end: int) -> Iterator[_Sign]:
    for found in _PIECES.finditer(text, start, end):
        kind = "x" if found["word"] else "." if found["stop"] else ","
        yield _Sign(kind, found.start(), found.end())


_PIECES: Final = re.compile(
    r"(?P<word>[^\s.,;:!?।()\[\]/|。，；：！？（）、·•—–-][^\s,;:()\[\]/|。，；：！？（）、—–]*(?:\s+[^\s\W]\w*)*)|(?P<stop>[.;!?。；！？।\n]+)|[^\s]"
)
