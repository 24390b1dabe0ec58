"""Orders to the assistant that somebody has planted in a document: what holds one is neither quoted nor shown to a model.

The phrases stand in planted.toml. Knows no model and no channel; it is a second wall, behind a prompt that keeps sources and
orders apart and a check that lets out only what the sources say.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from appliance.knowledge import Passage
from appliance.knowledge.search import Hit
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, Language, Span


def sound(hits: Iterable[Hit]) -> list[Hit]:
    """The hits without their planted sentences. Offsets stay: in a passage's text they are blanked."""
    return [_sound(hit) for hit in hits]


@lru_cache(maxsize=8192)
def planted(text: str) -> bool:
    """Whether these words are written for a machine. The texts remembered are documents', never a patient's."""
    shown = fold("".join(one for one in text if unicodedata.category(one) != "Cf"))  # nothing hides between letters
    return bool(_ORDERS.search("^ " + _SPARED.sub(" ", _BULLET.sub("", shown))))


def _sound(hit: Hit) -> Hit:
    passage = hit.passage
    spans = _spans(hit)
    above = (passage.title, *passage.heading, passage.site or "")
    if not spans and not any(map(planted, above)):
        return hit
    kept = tuple(one for one in hit.sentences if not _within(one.sentence.start, spans))
    return msgspec.structs.replace(hit, passage=_blanked(passage, spans), sentences=kept)


def _spans(hit: Hit) -> list[Span]:
    """Each planted sentence to the end of its paragraph; where it ends with a colon, to the end of the passage."""
    passage, found = hit.passage, list[Span]()
    for one in (each.sentence for each in hit.sentences):
        lead = one.lead
        introduction = passage.text[max(0, lead.start - passage.start) : lead.end - passage.start] if lead else ""
        if not _within(one.start, found) and (planted(one.text) or planted(introduction)):
            line = passage.text.find("\n", one.end - passage.start)
            whole = line < 0 or one.text.rstrip().endswith((":", "："))
            found.append(Span(start=one.start, end=passage.end if whole else passage.start + line))
            found += [lead] if lead and planted(introduction) else []
    return found


def _blanked(passage: Passage, spans: Sequence[Span]) -> Passage:
    text = passage.text
    for span in spans:
        start, end = max(0, span.start - passage.start), span.end - passage.start
        text = text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]
    return msgspec.structs.replace(
        passage,
        text=text,
        title=str(passage.document) if planted(passage.title) else passage.title,
        heading=tuple(one for one in passage.heading if not planted(one)),
        site=None if passage.site and planted(passage.site) else passage.site,
    )


def _within(place: int, spans: Sequence[Span]) -> bool:
    return any(span.start <= place < span.end for span in spans)


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    planted: dict[Language, tuple[str, ...]]
    spared: dict[Language, tuple[str, ...]]


def _patterns() -> Iterator[re.Pattern[str]]:
    data = (resources.files("appliance.assistant") / "planted.toml").read_text("utf-8")
    table = msgspec.convert(tomllib.loads(data), _Table)
    for phrases in (table.planted, table.spared):
        yield pattern(phrase for code in LANGUAGES for phrase in phrases[code])


_BULLET = re.compile(r"^[\W_]+")
_ORDERS, _SPARED = _patterns()  # when imported, because no file is read while patients wait
