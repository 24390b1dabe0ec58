"""Names that stand in the documents (people, places, medicines), for who must recognise them by ear. Knows no sound.

By their capital letters, so in scripts that have them: what is written small somewhere else in the documents is no name. Nor are
days and months, which any ear knows: told of "Monday, Friday" Whisper hears nothing else any more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from babel.dates import get_day_names, get_month_names

from appliance.message import LANGUAGES, Language
from appliance.records.database import Connection

MOST: Final = 40
"""A model that hears takes about 200 tokens of them."""


def spoken_names(connection: Connection) -> Mapping[Language, Sequence[str]]:
    """The names in the documents of each language that are searched, the most frequent first."""
    rows = connection.execute(
        "SELECT passage.language, passage.text FROM passage JOIN document ON document.id = document"
        " WHERE document.status = 'searchable'"
    ).fetchall()
    return {code: names(text for language, text in rows if language == code) for code in LANGUAGES}


def names(texts: Iterable[str]) -> list[str]:
    """Capitalised words inside sentences, and runs of them, as "Dr. Ana Ruiz"."""
    found: Counter[str] = Counter()
    small: set[str] = set()
    for text in texts:
        small.update(_SMALL.findall(text))
        found.update(" ".join(run.split()) for run in _RUN.findall(text))
    known = ((name, count) for name, count in found.items() if not _plain(name, small))
    return [name for name, _ in sorted(known, key=lambda one: (-one[1], one[0]))[:MOST]]


def _plain(name: str, small: set[str]) -> bool:
    """One word that is elsewhere written small is a word at the head of a row; a day or a month is no name."""
    return " " not in name and (name.lower() in small or name.lower() in _CALENDAR)


_CALENDAR: Final = frozenset(
    name.lower()
    for code in ("en", "es")
    for named in (get_day_names, get_month_names)
    for name in named("wide", locale=code).values()
)
_WORD: Final = r"[A-ZÁÉÍÓÚÑ][a-záéíóúñü]{2,}"
_RUN: Final = re.compile(rf"(?<=[a-z,;:)] )(?:Dra?\. )?{_WORD}(?: {_WORD}){{0,2}}")
_SMALL: Final = re.compile(r"\b[a-záéíóúñü]{3,}\b")
