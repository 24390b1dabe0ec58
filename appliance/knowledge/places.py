"""Which places a document lists: names that head a row, an item or a section with a street address. Rather none than a wrong one.

Knows one document at a time, and nothing of the clinic; sites.py decides which of the places are the clinic's sites. The words
stand in places.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Final

import msgspec

from appliance.knowledge import PlacedBlock
from appliance.knowledge.passages import Cut
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A place with its names, as one document gives them."""

    names: tuple[str, ...]
    address: str
    """Folded: the same address in a document of another language is the same place."""
    alone: bool = False
    """It heads a page of its own; the others stand in a list of at least two."""


def listed(whole: Cut) -> tuple[Listed, ...]:
    """The places of a document."""
    forms: dict[str, list[Listed]] = {}
    for form, place in _found(whole):
        forms.setdefault(form, []).append(place)
    lists = [places for places in forms.values() if len({one.names[0] for one in places}) > 1]
    if lists:
        return tuple(msgspec.structs.replace(one, alone=False) for places in lists for one in places)
    return tuple(one for places in forms.values() for one in places if one.alone)


def names_of(label: str) -> tuple[str, ...]:
    """The proper names in a label: 'Sede Norte (North Clinic)' gives two, 'Breakwater (main site)' one, 'Billing office' none."""
    parts = _PARTS.match(_FIRST_PART.split(label.strip(" *_#"), maxsplit=1)[0])
    if not parts:
        return ()
    name = _proper(parts["name"])
    beside = [_proper(one) for one in (parts["beside"], parts["behind"]) if one and _is_a_name(one, parts["name"])]
    return tuple(dict.fromkeys(one for one in (name, *beside) if one)) if name else ()


# ---- where places stand ----------------------------------------------------------------------------------------------


def _found(whole: Cut) -> Iterator[tuple[str, Listed]]:
    """Each with the kind of what it heads, where the page's title or the heading speaks of hours, addresses or sites."""
    sites, pages = _Words.load().sites, _Words.load().pages
    heading, under, of_sites = "", 0, False
    for block in whole.blocks:
        text = whole.text[block.start : block.end]
        label, rest = _label(block, text)
        if block.kind == "heading":
            heading, under, of_sites = text, 0, False
        if block.kind in ("heading", "paragraph") and len(text) <= _SHORT:
            of_sites = of_sites or bool(sites.search(fold(text)))
        under += 1
        if not pages.search(fold(f"{whole.title} {heading}")):
            continue
        told = _address(rest[:_NEAR]) or (_phone(rest) if of_sites and block.kind in ("row", "item") else "")
        if told and (names := names_of(label)):
            yield block.kind, Listed(names=names, address=told)
        elif under > 1 and under <= _FIRST_BLOCKS and block.kind != "row" and (told := _address(text[:_NEAR])):
            if names := names_of(heading):
                yield "heading", Listed(names=names, address=told, alone=fold(names[0]) != fold(heading))
            heading = ""


def _label(block: PlacedBlock, text: str) -> tuple[str, str]:
    """What stands before the first mark, and the rest."""
    mark = {"row": _ROW_MARK, "paragraph": _MARK}.get(block.kind, _MARK_OR_COMMA)
    label, *rest = mark.split(text, maxsplit=1)
    return (label, rest[0]) if rest and len(label) <= _SHORT else ("", "")


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    return re.sub(r"[\W_]+", " ", fold(found[0])).strip() if found else ""


def _phone(text: str) -> str:
    found = _PHONE.search(text)
    return "".join(filter(str.isdigit, found[0])) if found else ""


_FIRST_BLOCKS: Final = 3
"""The heading and two more: so near its address must stand."""
_NEAR: Final = 90
"""Characters in which an address must begin."""
_SHORT: Final = 50
_ROW_MARK: Final = re.compile(r"\s—\s")
_MARK: Final = re.compile(r"\s*[:：]\s*|\s[-–—]\s")
_MARK_OR_COMMA: Final = re.compile(r"\s*[:：，]\s*|,\s|\s[-–—]\s")
_STREET: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Highway|Hwy|Way|Court|Ct|Square|Sq|Plaza|Parkway|Pkwy|Place"
    r"|Pl|Terrace|Circle|Route|Broadway)\b"
)
_ADDRESS: Final = re.compile(
    rf"\b\d{{1,5}}[A-Z]?\s+(?:[NSEW]\.?\s+)?(?:[A-Z][\w'’.-]*\s+){{0,3}}{_STREET}"
    r"|\b(?:[Cc]alle|C/|[Aa]venida|[Aa]vda?\.|[Cc]arretera|[Pp]aseo|[Cc]amino|[Bb]ulevar|[Cc]alzada|[Rr]onda)\s[^,;.:\d]{2,40},?"
    r"\s(?:n\.?[º°o]\s?|núm\.?\s|número\s|#\s?)?\d{1,5}\b"
    r"|[\u3400-\u9fff]{1,8}(?:路|街|大道|巷)\s?\d{1,5}\s?号"
    r"|\b\d{1,5},?\s[\u0900-\u097f]+(?:\s[\u0900-\u097f]+){0,2}\s?(?:रोड|मार्ग|सड़क|स्ट्रीट|गली|एवेन्यू)"
)
_PHONE: Final = re.compile(r"\(?\b\d{2,4}\)?[-. ]\d{3,4}[-. ]?\d{3,4}\b")


# ---- what is a name --------------------------------------------------------------------------------------------------


class _Words(msgspec.Struct, frozen=True):
    """The lists of places.toml, folded."""

    place: tuple[str, ...]
    around: tuple[str, ...]
    plain: frozenset[str]
    vague: frozenset[str]
    other: re.Pattern[str]
    sites: re.Pattern[str]
    pages: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> _Words:
        file = tomllib.loads((resources.files("appliance.knowledge") / "places.toml").read_text("utf-8"))
        place, around = (tuple(sorted(map(fold, file[key]), key=len, reverse=True)) for key in ("place", "around"))
        plain, vague = (frozenset(map(fold, file[key])) for key in ("plain", "vague"))
        other, sites, pages = (pattern(file[key]) for key in ("other", "sites", "pages"))
        return cls(place, around, plain, vague, other, sites, pages)


def word_of_place(word: str) -> bool:
    """Whether it is what any site is called: 'clínica', 'Sede'."""
    return fold(word) in _Words.load().place


def _proper(text: str) -> str | None:
    """Without the words around it and the word of place, where a name of its own is left."""
    words = _Words.load()
    whole = _stripped(text, words.around)
    core = _stripped(whole, (*words.place, *words.around))
    called = core != whole
    if fold(core) in words.plain and called:
        core = whole
    if not core or words.other.search(fold(whole)) or fold(core) in words.vague or any(map(str.isdigit, core)):
        return None
    return core if _looks_like_a_name(core, called=called) else None


def _looks_like_a_name(core: str, *, called: bool) -> bool:
    """Latin by its capitals; Chinese and Hindi, which have none, by the word of place that stood beside it."""
    parts = core.split()
    if len(parts) > _MOST_WORDS:
        return False
    if _LATIN.fullmatch(core):
        small = _Words.load().around
        return len(core) >= _SHORTEST and all(one[0].isupper() or fold(one) in small for one in parts)
    return called and 2 <= len(core) <= (_LONGEST_HAN if _HAN.search(core) else _LONGEST_HINDI)


def _is_a_name(beside: str, name: str) -> bool:
    """What stands in brackets is often a remark: it must be called a place, or be of another script."""
    words = _Words.load()
    called = _stripped(beside, words.place) != beside.strip()
    return called or (bool(_LATIN.fullmatch(beside.strip())) and not _LATIN.fullmatch(name.strip()))


def _stripped(text: str, words: tuple[str, ...]) -> str:
    """Without any of the words at its ends; Chinese ones need no space."""
    before, text = "", text.strip(_ENDS)
    while text != before:
        before, folded = text, fold(text)
        if len(folded) != len(text):
            return text
        for word in words:
            gap = 0 if _HAN.search(word) else 1
            if folded == word:
                return ""
            if folded.endswith(" " * gap + word):
                text = text[: len(text) - len(word)].strip(_ENDS)
                break
            if folded.startswith(word + " " * gap):
                text = text[len(word) :].strip(_ENDS)
                break
    return text


_ENDS: Final = " \t.,;:–—-*_·、，"
_MOST_WORDS: Final = 4
_SHORTEST: Final = 3
_LONGEST_HAN: Final = 8
_LONGEST_HINDI: Final = 30
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’ .-]*")
_FIRST_PART: Final = re.compile(r"\s*[:：，|]\s*|,\s|\s[-–—]\s")
_PARTS: Final = re.compile(
    r"(?P<name>[^(（/／]+?)\s*(?:[(（](?P<beside>[^)）]+)[)）]|[/／]\s*(?P<behind>[^(（/／]+))?\s*[^\w]*$"
)
