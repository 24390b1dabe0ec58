"""What a question is about, and whether a quote is about that and nothing else: things of the glossary, days and dates.

Across languages there are no common words to go by, so a quote fits only where every thing named agrees. Says nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from appliance.assistant.facts import Fact, facts
from appliance.assistant.quote import Candidate
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.words import fold
from appliance.message import Language


class Subject:
    """Of one question; without a question, the clinic as a whole."""

    def __init__(
        self,
        question: str,
        language: Language,
        glossary: Glossary,
        *,
        asking: frozenset[str],
        plain: frozenset[str],
    ) -> None:
        """``asking``: concepts that tell what is asked, not about what. ``plain``: those that name no other thing."""
        self._question = question
        self._glossary = glossary
        self._asking = asking
        self._plain = plain
        self._facts = facts(question, language) | facts(fold(question), language)  # 禮拜二 is read as 礼拜二
        self._names = glossary.carried(question, language).names
        self._things = self._named(fold(question))

    def fits(self, one: Candidate, stated: Collection[Fact]) -> bool:
        """All things the question names stand in the quote or above it; its days and dates are the question's."""
        around = fold(" | ".join((_above(one), one.introduction, one.text)))
        if not all(any(self._found(name, around) for name in thing) for thing in self._things):
            return False
        return all(_agree(_values(self._facts, kind), _values(stated, kind)) for kind in ("day", "date"))

    def names_it(self, one: Candidate) -> bool:
        """The row's label names what was asked for."""
        return self._speaks_of_it(_label(one), one)

    def day_asked(self, one: Candidate) -> bool:
        """A row of one day of the week answers only who asks for that day; the other days have rows of their own."""
        stated = facts(_label(one), one.passage.language)
        days = _values(stated, "day")
        if not 0 < len(days) < _A_WEEK or _values(stated, "date"):
            return True
        return bool(days & _values(self._facts, "day")) or self.names_it(one)

    def label_fits(self, one: Candidate) -> bool:
        """The row names what was asked for, or the date, or no thing of the glossary at all."""
        label = _label(one)
        wanted, said = _values(self._facts, "date"), _values(facts(label, one.passage.language), "date")
        dated = bool(wanted and said) and _agree(wanted, said)
        return dated or self.names_it(one) or self._nothing_but(label, one)

    def alone(self, one: Candidate) -> bool:
        """The quote speaks of nothing but what is asked: no lunch break, no other department."""
        if one.sentence.kind == "row":
            return self.names_it(one) or self._under_it(one)
        named = not self._question or self._things or _values(self._facts, "date")
        return bool(named) and self._under_it(one) and self._nothing_but(one.sentence.text, one, known=_above(one))

    def _under_it(self, one: Candidate) -> bool:
        """What stands above names the thing, or none. To a question that names none, only a document of the whole clinic fits."""
        passage = one.passage
        if self._things:
            near = (one.introduction, *passage.heading[-1:])
            return all(self._speaks_of_it(text, one) or self._nothing_but(text, one) for text in near)
        return all(self._nothing_but(text, one) for text in (one.introduction, *passage.heading, passage.title))

    def _speaks_of_it(self, text: str, one: Candidate) -> bool:
        return bool(self._glossary.carried(text, one.passage.language).names & self._names - self._asking)

    def _nothing_but(self, text: str, one: Candidate, *, known: str = "") -> bool:
        """No thing stands in it that is neither asked for, nor part of what is, nor known from above."""
        folded = fold(text)
        others = self._glossary.carried(text, one.passage.language).names - self._names - self._plain
        asked = [found.span() for name in self._names for found in self._found(name, folded)]
        return all(
            any(start < found.end() and found.start() < end for start, end in asked)
            for name in others
            if not self._found(name, fold(known))
            for found in self._found(name, folded)
        )

    def _named(self, folded: str) -> list[frozenset[str]]:
        """The things, each by the names that the glossary has for it; "flu shot" is one thing, not two."""
        found = {(name, match.span()) for name in self._names for match in self._found(name, folded)}
        whole = {span for _, span in found if not any(_inside(span, other) for _, other in found)}
        things = [frozenset(name for name, at in found if at == span) for span in whole]
        return [thing for thing in things if not thing & self._asking]

    def _found(self, name: str, folded: str) -> list[re.Match[str]]:
        return [found for words in self._glossary.concept(name).concepts for found in words.finditer(folded)]


_A_WEEK: Final = 5


def _inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _label(one: Candidate) -> str:
    return one.sentence.text.partition(" — ")[0]


def _above(one: Candidate) -> str:
    return " | ".join((one.passage.title, *one.passage.heading))


def _agree(wanted: Collection[str], said: Collection[str]) -> bool:
    """Either names none, or they have one in common. A year may be missing on one side."""
    short = {value[-6:] for value in said}
    return not wanted or not said or any(value[-6:] in short for value in wanted)


def _values(stated: Collection[Fact], kind: str) -> set[str]:
    return {one.value for one in stated if one.kind == kind}
