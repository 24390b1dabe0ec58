"""What can be told of one quoted sentence or row in another language: its hours, price, number, place, yes or no, or nothing.

The words stand in told.toml; days and hours are read by timetable.py, yes and no by whether.py. Knows nothing of the other quotes,
nor whether this one speaks of what was asked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

from appliance.assistant.facts import Fact, facts
from appliance.assistant.quote import Candidate
from appliance.assistant.timetable import Entry, Folded, Hours, Timetables, When
from appliance.assistant.whether import Whether
from appliance.assistant.worded import Worded
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, Language

Kind = Literal["whether", "time", "price", "phone", "place"]


class Row(msgspec.Struct, frozen=True):
    """A table's row: "Saturday — Opens: 9:00 am; Closes: 1:00 pm"."""

    label: str
    cells: tuple[tuple[str, str, str], ...]
    """What the heading means (a name in told.toml, or empty), the heading, the value."""

    def of(self, column: str) -> list[str]:
        return [value for kind, _, value in self.cells if kind == column]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """Whose question it is, and what it takes to read and to say."""

    question: str
    language: Language
    glossary: Glossary
    timetables: Timetables
    whether: Whether
    worded: Worded
    words: Words


class Reading:
    """One quoted sentence or row, being read for one patient."""

    def __init__(self, one: Candidate, tools: Tools) -> None:
        self.one = one
        self.source = one.passage.language
        self.facts = facts(one.sentence.text, self.source)
        self._text = one.sentence.text
        self._tools = tools
        self._say = tools.worded
        self._words = tools.words
        self._row = _row(self._text, tools.words) if one.sentence.kind == "row" else None

    def said(self, kind: Kind) -> tuple[str, bool] | None:
        """The line's words, and whether they name the thing; None when it is not certain."""
        ways: dict[Kind, tuple[Callable[[Row], str], Callable[[], str]]] = {
            "time": (self._times_of_row, self._times),
            "price": (self._prices_of_row, self._price),
            "phone": (self._phones_of_row, self._phone),
            "place": (self._place_of_row, self._address),
            "whether": (self._answers_of_row, self._whether),
        }
        of_row, of_sentence = ways[kind]
        if self._row:
            said = of_row(self._row)
            label = self._label(self._row.label)
            if not said or not label or not self._legible(self._row.label):
                return None
            return self._labelled(label, said), self._names_thing(self._row.label)
        name, *others = [*self._names(), ""]
        said = of_sentence()
        if not said or (kind == "time" and len(others) > 1):  # two places in one sentence: which hours are whose?
            return None
        return (self._labelled(name, said), False) if name and kind == "time" else (said, False)

    def _labelled(self, label: str, said: str) -> str:
        return self._say.template("label", label=label, said=said)

    # ---- what a row is about

    def _label(self, label: str) -> str:
        """Days and dates in the patient's words, a thing of the glossary by its term, all else verbatim."""
        return str(self._say.template("under")).join(self._said_of_label(part) for part in _parts(label))

    def _said_of_label(self, part: str) -> str:
        return self._day(part) or self._name(part)

    def _day(self, part: str) -> str:
        entries = self._tools.timetables.read(part, self.source, whole=True)
        return self._say.entries(entries) if all(one.when and not one.hours for one in entries) else ""

    def _names_thing(self, label: str) -> bool:
        """By a term of the glossary, or in letters that the patient reads; a day or a place alone is none."""
        if self._tools.language in _LATIN and self._verbatim(label):
            return True
        return any(self._term(part) and not self._day(part) for part in _parts(label))

    def _legible(self, words: str) -> bool:
        """Everybody here reads some Latin letters; few read both others."""
        return not any(_OTHER_LETTERS.search(one) for one in self._verbatim(words))

    def _verbatim(self, label: str) -> list[str]:
        """The parts that are said as they stand, though they are no names."""
        return [one for one in _parts(label) if self._said_of_label(one) == self._say.template("quoted", label=one)]

    def _name(self, words: str) -> str:
        if term := self._term(words):
            return term
        return words if _PROPER.fullmatch(words) else self._say.template("quoted", label=words)

    def _names(self) -> list[str]:
        """The places and people of a sentence, as they are written in Latin letters; a day is none, nor "WIC"."""
        days = spans_of(self.facts, "day") + spans_of(self.facts, "date")
        return list(dict.fromkeys(found[0] for found in _NAME.finditer(self._text) if self._is_name(found, days)))

    def _is_name(self, found: re.Match[str], days: Collection[tuple[int, int]]) -> bool:
        begins = self.source in _LATIN and " " not in found[0] and _BEGINS.search(self._text[: found.start()])
        if begins or any(start < found.end() and found.start() < end for start, end in days):
            return False
        return not (self._words.column(found[0]) or self._tools.glossary.carried(found[0], self.source).names)

    def _term(self, words: str) -> str | None:
        return self._tools.glossary.term(words, self.source, to=self._tools.language)

    # ---- hours

    def _times(self) -> str:
        return self._say.entries(self._tools.timetables.read(self._text, self.source))

    def _times_of_row(self, row: Row) -> str:
        days = self._days_of(row)
        hours = [one for cell in row.of("hours") for one in self._whole(cell)] or self._opens_and_closes(row)
        if days is None or (hours and self._more_of_time(row)):
            return ""
        if not hours:
            return self._days_alone(row, days)
        if days and not any(one.when for one in hours):
            hours = [Entry(tuple(days), tuple(each for one in hours for each in one.hours))]
        return self._say.entries(hours)

    def _days_alone(self, row: Row, days: Sequence[When]) -> str:
        """A column a site; or the days, where no other column can say what is on them."""
        if any(row.of(kind) for kind in ("hours", "opens", "closes")):
            return ""
        if not days:
            return self._by_heading(row, self._hours_in)
        return "" if any(not kind for kind, _, _ in row.cells) else self._say.whens(days)

    def _days_of(self, row: Row) -> list[When] | None:
        """The days of the column of days; None where they are not understood."""
        found = [self._whole(cell) for cell in row.of("day")]
        if not all(one and not any(entry.hours for entry in one) for one in found):
            return None
        return [when for one in found for entry in one for when in entry.when]

    def _more_of_time(self, row: Row) -> bool:
        """Another column speaks of days or hours too: "closed in July"."""
        others = [value for kind, _, value in row.cells if not kind]
        return any(self._whole(one) or _states_time(facts(one, self.source)) for one in others)

    def _whole(self, cell: str) -> Sequence[Entry]:
        return self._tools.timetables.read(cell, self.source, whole=True)

    def _opens_and_closes(self, row: Row) -> list[Entry]:
        found = [self._whole(cell) for cell in (*row.of("opens"), *row.of("closes"))]
        if len(found) != 2 or not all(len(one) == 1 and not one[0].when and len(one[0].hours) == 1 for one in found):
            return []
        first, last = (one[0].hours[0] for one in found)
        if first.how == last.how == "at":
            return [Entry((), (Hours("range", first.times + last.times),))]
        return [Entry((), (first,))] if first.how == last.how == "closed" and not first.times else []

    def _hours_in(self, cell: str) -> str:
        entries = self._whole(cell)
        return self._say.entries(entries) if entries and all(one.hours for one in entries) else ""

    def _by_heading(self, row: Row, read: Callable[[str], str]) -> str:
        """A column a site, or a price a kind of patient: each value with its heading."""
        cells = [(heading, read(value)) for kind, heading, value in row.cells if not kind and heading]
        cells = [(heading, said) for heading, said in cells if said]
        if not all(self._legible(heading) for heading, _ in cells):
            return ""
        return str(self._say.template("next")).join(self._labelled(self._name(name), said) for name, said in cells)

    # ---- prices

    def _prices_of_row(self, row: Row) -> str:
        if prices := row.of("price"):
            return self._amount(prices[0]) if len(prices) == 1 else ""
        return self._by_heading(row, self._amount)

    def _amount(self, cell: str) -> str:
        """A cell that holds a price and nothing else."""
        folded = fold(cell).strip(" .")
        if self._words.free.fullmatch(folded):
            return self._say.template("free")
        spans = spans_of(facts(cell, self.source), "money")
        if len(spans) != 1:
            return ""
        ((start, end),) = spans
        rest = fold(cell[:start] + cell[end:]).strip(" .")
        per = self._words.per_of(rest)
        return self._say.money(_amounts(cell, self.source), per=per) if not rest or per else ""

    def _price(self) -> str:
        stated = self.facts
        if self._stopped(self._words.price_stop[self.source]) or any(map(_restricts, stated)):
            return ""
        spans = spans_of(stated, "money")
        if not spans:
            free = [end for _, end in Folded(self._text).found(self._words.free_is[self.source])]
            ended = len(free) == 1 and self._ends(fold(self._text[free[0] :]))
            return self._say.template("price", said=self._say.template("free")) if ended else ""
        if len(spans) > 1 or not self._is_cost(*spans[0]):
            return ""
        per, after = self._words.per_after(fold(self._text[spans[0][1] :]).lstrip())
        if not self._ends(self._words.cost_after[self.source].sub("", after, count=1)):
            return ""
        return self._say.template("price", said=self._say.money(_amounts(self._text, self.source), per=per))

    def _ends(self, after: str) -> bool:
        """Nothing follows in the same breath: "… with a coupon", "… for members"."""
        return bool(self._words.end[self.source].match(after.lstrip()))

    def _is_cost(self, start: int, end: int) -> bool:
        before, after = fold(self._text[:start]).rstrip(" :："), fold(self._text[end:]).lstrip()
        return bool(self._words.cost[self.source].search(before) or self._words.cost_after[self.source].match(after))

    def _stopped(self, words: re.Pattern[str]) -> bool:
        folded = Folded(self._text)
        free = list(folded.found(self._words.free_is[self.source]))  # "there is no charge for …" denies nothing
        stops = [*folded.found(words), *folded.found(self._tools.timetables.stop(self.source))]
        return any(not any(a <= start and end <= b for a, b in free) for start, end in stops)

    # ---- numbers and places

    def _phones_of_row(self, row: Row) -> str:
        cells = row.of("phone")
        return self._phone_in(cells[0]) if len(cells) == 1 else self._by_heading(row, self._phone_in)

    def _phone_in(self, cell: str) -> str:
        spans = spans_of(facts(cell, self.source), "phone")
        alone = len(spans) == 1 and not (cell[: spans[0][0]] + cell[spans[0][1] :]).strip(" .")
        return cell.strip(" .") if alone else ""

    def _phone(self) -> str:
        spans = spans_of(self.facts, "phone")
        if len(spans) != 1 or any(True for _ in Folded(self._text).found(self._words.phone_stop[self.source])):
            return ""
        return self._number(self._text[slice(*spans[0])])

    def _number(self, words: str) -> str:
        """Verbatim; of an extension alone only the digits, after our word for it."""
        if re.match(r"[\W\d]", words):
            return self._say.template("phone", said=words)
        return self._say.template("extension", said="".join(filter(str.isdecimal, words)))

    def _place_of_row(self, row: Row) -> str:
        cells = row.of("place")
        if len(cells) != 1 or not (_PROPER.fullmatch(cells[0]) or _ADDRESS.fullmatch(cells[0])):
            return ""
        return self._say.template("place", said=cells[0])

    def _address(self) -> str:
        found = _ADDRESS.findall(self._text)
        alone = len(found) == 1 and not self._stopped(self._words.place_stop[self.source])
        return self._say.template("address", said=found[0]) if alone else ""

    # ---- yes and no

    def _answers_of_row(self, row: Row) -> str:
        return self._by_heading(row, self._answer_in)

    def _answer_in(self, cell: str) -> str:
        folded = fold(cell).strip(" .")
        for name, words in (("yes", self._words.yes), ("no", self._words.no)):
            if words.fullmatch(folded):
                return self._say.template(name)
        return ""

    def _whether(self) -> str:
        tools = self._tools
        answer = tools.whether.answer(tools.question, tools.language, sentence=self._text, source=self.source)
        return self._say.answer(answer) if answer else ""


def spans_of(stated: Collection[Fact], kind: str) -> list[tuple[int, int]]:
    """Where facts of this kind stand, in order; a range is one place."""
    return sorted({(one.span.start, one.span.end) for one in stated if one.kind == kind})


def _states_time(stated: Collection[Fact]) -> bool:
    return any(one.kind in ("time", "day", "date") for one in stated)


_NUMBERS: Final = frozenset({"duration", "number", "percent", "time", "date", "day"})


def _restricts(fact: Fact) -> bool:
    """Ages, steps of a scale, days: the price may be theirs only. How many minutes a visit takes restricts nothing."""
    return fact.kind in _NUMBERS and not (fact.kind == "duration" and fact.value.startswith("PT"))


_LABEL_PARTS: Final = re.compile(r"\s+[–—|-]\s+")
_PROPER: Final = re.compile(r"[A-Z][\w.'’&-]*(?: (?:of|de|la|the|del|los)| [A-Z0-9][\w.'’&-]*)*")
_NAME: Final = re.compile(r"[A-ZÁÉÍÓÚÑ][A-Za-zÁÉÍÓÚÑáéíóúñ'’&-]+(?: [A-ZÁÉÍÓÚÑ][A-Za-zÁÉÍÓÚÑáéíóúñ'’&-]+)*")
_BEGINS: Final = re.compile(r"(?:^|[.:;!?¿¡(]\s*)$")
_LATIN: Final = frozenset({"en", "es"})
_OTHER_LETTERS: Final = re.compile(r"[\u0900-\u097f\u3400-\u9fff]")
_ADDRESS: Final = re.compile(
    r"\b\d{1,5} (?:[A-Z0-9][\w.'’-]* ){1,4}"
    r"(?:Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Drive|Dr\.?|Way|Lane|Ln\.?|Court|Ct\.?|Square|Highway|Hwy\.?|Place|Plaza)"
    r"(?:, (?:Suite|Unit|Floor) \w+)?(?!\w)"
)


def _parts(label: str) -> list[str]:
    return [part.strip() for part in _LABEL_PARTS.split(label) if part.strip()]


def _row(text: str, words: Words) -> Row:
    label, _, rest = text.partition(" — ")
    cells = []
    for cell in rest.split("; "):
        heading, colon, value = cell.partition(": ")
        cells.append((words.column(heading), heading, value) if colon else ("", "", cell))
    return Row(label=label if rest else "", cells=tuple(cells))


def _amounts(text: str, language: Language) -> list[str]:
    """The lower end of a range first."""
    values = {one.value for one in facts(text, language) if one.kind == "money"}
    return sorted(values, key=lambda value: float(value.split(" ")[1]))


# ---- the words, compiled ----------------------------------------------------------------------------------------------

_ByLanguage = Mapping[Language, re.Pattern[str]]


@cache
def tables() -> tuple[Mapping[Language, Worded], Words]:
    """Read and compiled once a process."""
    tables = tomllib.loads((resources.files("appliance.assistant") / "told.toml").read_text("utf-8"))
    return {language: Worded(tables["say"][language]) for language in LANGUAGES}, Words(tables)


class Words:
    """The tables of told.toml as patterns."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        words = tables["words"]
        self.asking = frozenset(tables["concepts"]["asking"])
        self.plain = frozenset(tables["concepts"]["plain"])
        self._columns = {fold(word): name for name, listed in tables["columns"].items() for word in listed}
        self.free, self.yes, self.no = (pattern(words[name]) for name in ("free", "yes", "no"))
        self.free_is = _by_language(words["free_is"])
        self.cost = {code: re.compile(f"(?:{one.pattern})$") for code, one in _by_language(words["cost"]).items()}
        self.cost_after = _by_language(words["cost_after"])
        self.price_stop = _by_language(words["price_stop"])
        self.phone_stop = _by_language(words["phone_stop"])
        self.place_stop = _by_language(words["place_stop"])
        self.end = {code: re.compile(rf"$|[^\w\s]|{one.pattern}") for code, one in _by_language(words["and"]).items()}
        self._per = {name: pattern(listed) for name, listed in words["per"].items()}

    def column(self, heading: str) -> str:
        return str(self._columns.get(fold(heading).strip(), ""))

    def per_after(self, folded: str) -> tuple[str | None, str]:
        """The unit that stands right behind an amount, and what follows it."""
        for name, words in self._per.items():
            if found := words.match(folded):
                return name, folded[found.end() :]
        return None, folded

    def per_of(self, folded: str) -> str | None:
        return next((name for name, words in self._per.items() if words.fullmatch(folded)), None)


def _by_language(table: Mapping[Language, Sequence[str]]) -> _ByLanguage:
    return {language: pattern(table[language]) for language in LANGUAGES}
