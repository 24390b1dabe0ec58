"""What a quote in another language says, in the patient's: hours, prices, numbers, yes or no, by templates; never a translation.

    Telling(glossary).told(chosen, language, asked=…, question=…) -> list[Told]

Only what was asked for is said, only of what was asked about (subject.py), and only where it is certain what the source joins
(tellable.py): silence is better than a wrong line. Knows no channel and no model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from appliance.assistant.facts import Fact, facts
from appliance.assistant.quote import Candidate
from appliance.assistant.subject import Subject
from appliance.assistant.tellable import Kind, Reading, Tools, spans_of, tables
from appliance.assistant.timetable import Timetables
from appliance.assistant.whether import Whether
from appliance.knowledge.glossary import Glossary
from appliance.message import Language, Span

KINDS: Final[Sequence[Kind]] = ("whether", "time", "price", "phone", "place")
MOST_LINES: Final = 3


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One line, and the stretch of the document that says it."""

    text: str
    span: Span
    number: int
    """The citation that the stretch is in."""


class _Line(msgspec.Struct, frozen=True):
    kind: Kind
    text: str
    named: bool
    """It says of what: it may stand beside others of its kind."""
    number: int
    span: Span


class Telling:
    """Says what it can of quotes."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._timetables = Timetables.load()
        self._worded, self._words = tables()
        self._whether = Whether(glossary, asking=self._words.asking)

    def told(
        self,
        chosen: Sequence[Candidate],
        language: Language,
        *,
        asked: Collection[str],
        question: str = "",
        asked_in: Language | None = None,
    ) -> list[Told]:
        """The lines for these quotes, of the kinds asked for; none for those in the patient's own language.

        Without a question they must be about the clinic as a whole. ``asked_in`` is the question's language where the patient
        chose to be answered in another; then yes and no are not told.
        """
        kinds = [kind for kind in KINDS if kind in asked]
        if not kinds or all(one.passage.language == language for one in chosen):
            return []
        reads = asked_in or language
        tools = self._tools(question if reads == language else "", language)
        words = self._words
        subject = Subject(question, reads, self._glossary, asking=words.asking, plain=words.plain)
        readings = [Reading(one, tools) for one in chosen]
        lines = [
            line
            for number, reading in enumerate(readings, start=1)
            if reading.source != language and subject.fits(reading.one, reading.facts)
            for line in self._lines(reading, number, kinds, subject)
        ]
        kept = [line for line in lines if line.named or _alone(line, lines, readings)]
        return [Told(text=tools.worded.line(one.text), span=one.span, number=one.number) for one in kept[:MOST_LINES]]

    def _lines(self, reading: Reading, number: int, kinds: Sequence[Kind], subject: Subject) -> Iterator[_Line]:
        sentence = reading.one.sentence
        for kind in kinds:
            if said := reading.said(kind):
                text, named = said
                if _is_about(subject, reading.one, kind, named=named) and _borne_out(text, reading.facts):
                    yield _Line(kind, text, named, number, Span(start=sentence.start, end=sentence.end))

    def _tools(self, question: str, language: Language) -> Tools:
        return Tools(
            question=question,
            language=language,
            glossary=self._glossary,
            timetables=self._timetables,
            whether=self._whether,
            worded=self._worded[language],
            words=self._words,
        )


def _is_about(subject: Subject, one: Candidate, kind: Kind, *, named: bool) -> bool:
    if one.sentence.kind == "row" and kind == "time" and not subject.day_asked(one):
        return False
    if one.sentence.kind == "row" and kind == "place" and not subject.names_it(one):
        return False
    return subject.label_fits(one) if named else kind == "whether" or subject.alone(one)


def _alone(line: _Line, lines: Sequence[_Line], readings: Sequence[Reading]) -> bool:
    """Nothing else that is quoted could be meant: every quote that holds such a thing has its line, or it is the only one."""
    kind = _FACT_OF[line.kind]
    holding = [one for one in readings if spans_of(one.facts, kind)] if kind else []
    same = [other for other in lines if other.kind == line.kind]
    if line.kind == "time":
        return len({other.number for other in same}) >= len(holding)
    return len(same) == 1 and len(holding) <= 1


_FACT_OF: Final[Mapping[Kind, str]] = {"time": "time", "price": "money", "phone": "phone", "place": "", "whether": ""}


def _borne_out(text: str, stated: Collection[Fact]) -> bool:
    """Read back, the line states nothing that the source does not: our templates and our reading check each other."""
    known = {(one.kind, one.value) for one in stated}
    return all(
        any((one.kind, value) in known for value in _either_half(one)) for one in facts(text) if one.kind in _SAID
    )


_SAID: Final = frozenset({"time", "date", "day", "money", "phone"})


def _either_half(fact: Fact) -> Sequence[str]:
    """A time of 24 hours may be read back as one of twelve, with the half of the day left open."""
    if fact.kind != "time" or not fact.value.endswith("?"):
        return (fact.value,)
    hour, minute = int(fact.value[:2]), fact.value[3:5]
    return (f"{hour % 12:02}:{minute}", f"{hour % 12 + 12:02}:{minute}")
