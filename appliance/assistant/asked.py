"""What a question asks for (a time, a price, a phone …), which days it names, and whether a sentence holds such a thing.

The words stand in asked.toml. Knows no document, no score and no model.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Final

from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE_LINK: Final = r"\.?\s*(?:-|–|—|to|through|thru|till|until|a|al|hasta|至|到|से|से लेकर|se)\s*"
# 周一至五 is Monday to Friday, but 周一到五点 is Monday until five o'clock.
_SHORT_ENDS: Final = {day: f"{sign}(?![点时号月个十])" for day, sign in zip(WEEK, "一二三四五六日", strict=True)}


class Asked:
    """The compiled tables of asked.toml; ``kinds`` and ``holds`` answer for one text each."""

    def __init__(self, tables: dict[str, dict[str, list[str]]], day_names: dict[str, list[str]]) -> None:
        self._asks = {kind: pattern(_ask_words(table)) for kind, table in tables.items()}
        self._holds = {kind: [re.compile(one) for one in table["holds"]] for kind, table in tables.items()}
        self._days = {day: pattern(names) for day, names in day_names.items()}
        begins = "|".join(f"(?P<a_{day}>{self._days[day].pattern})" for day in WEEK)
        ends = "|".join(f"(?P<b_{day}>{self._days[day].pattern}|{_SHORT_ENDS[day]})" for day in WEEK)
        self._range = re.compile(f"(?:{begins}){_RANGE_LINK}(?:{ends})")

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Asked:
        tables = tomllib.loads((resources.files("appliance.assistant") / "asked.toml").read_text("utf-8"))
        return cls(tables, tables.pop("days")["names"])

    def kinds(self, question: str) -> frozenset[str]:
        """The kinds of fact the question asks for; empty when no word tells."""
        folded = fold(question)
        found = {kind for kind, pattern in self._asks.items() if pattern.search(folded)}
        return frozenset(_without_weaker(found))

    def holds(self, kind: str, sentence: str) -> bool:
        """Whether the sentence holds a fact of this kind; kinds without patterns are held by any sentence."""
        patterns = self._holds[kind]
        return not patterns or any(pattern.search(sentence) for pattern in patterns)

    def days(self, text: str) -> frozenset[str]:
        """The days of the week that a text names, ranges filled in: 'Monday to Wednesday' names three."""
        folded = fold(text)
        days = {day for day in WEEK if self._days[day].search(folded)}
        for found in self._range.finditer(folded):
            ends = {name[0]: WEEK.index(name[2:]) for name, value in found.groupdict().items() if value}
            days |= {WEEK[index % 7] for index in range(ends["a"], ends["b"] + (8 if ends["b"] < ends["a"] else 1))}
        if self._days["weekday"].search(folded):
            days |= set(WEEK[:5])
        if self._days["weekend"].search(folded):
            days |= set(WEEK[5:])
        return frozenset(days)


def _without_weaker(kinds: set[str]) -> set[str]:
    """'How long until …' holds a word of time too, and 'how much is the phone' one of phone: the sharper kind stays."""
    if "duration" in kinds:
        kinds -= {"time"}
    if len(kinds) > 1:
        kinds -= {"whether"}
    return kinds


def _ask_words(table: dict[str, list[str]]) -> list[str]:
    return [word for key, words in table.items() if key.startswith("ask_") for word in words]
