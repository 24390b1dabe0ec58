"""What a document says of itself at its top: from when, until when, instead of what. Better nothing than something guessed.

Only a short sentence that says nothing else counts: "Flu shots from October to March" is no validity of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from appliance.knowledge.dates import DATE, dates_in
from appliance.knowledge.parsed import Block, Metadata
from appliance.knowledge.sentences import sentences

FIRST_BLOCKS: Final = 6
LONGEST: Final = 160


def stated(blocks: Sequence[Block]) -> Metadata:
    """From the paragraphs before the second heading, the first few only."""
    found = Metadata()
    for line in _top(blocks):
        found = found.over(_said(line))
    return found


def _top(blocks: Sequence[Block]) -> Iterable[str]:
    headings = 0
    for block in islice(blocks, FIRST_BLOCKS):
        headings += block.kind == "heading"
        if headings > 1:
            return
        if block.kind == "paragraph":
            lines = (block.text[start:end].rstrip(" .。!！।") for start, end in sentences(block.text))
            yield from (line for line in lines if len(line) <= LONGEST)


def _said(line: str) -> Metadata:
    if _FROM.fullmatch(line) or _BOTH.fullmatch(line):
        days = dates_in(line)
        return Metadata(valid_from=days[0] if days else None, valid_until=days[1] if len(days) > 1 else None)
    if _UNTIL.fullmatch(line):
        return Metadata(valid_until=next(iter(dates_in(line)), None))
    if gone := _GONE.fullmatch(line):
        return Metadata(superseded_by=_name(gone))
    if instead := _INSTEAD.fullmatch(line):
        return Metadata(supersedes=_name(instead))
    return Metadata()


def _name(found: re.Match[str]) -> str:
    name = next(group for group in found.groups() if group)
    return name.strip(" \"'“”‘’«»「」《》.。")


_DAY: Final = re.sub(r"\?P<\w+>", "?:", DATE)
_SUBJECT: Final = (
    r"(?:(?:(?:this|these|the) (?:\w+ ){0,2}(?:is|are)|(?:este|esta|estos|estas) (?:\w+ ){0,2}(?:es|son|está|están)"
    r"|本(?:页|通知|文件|信息|价目表)|यह (?:[\u0900-\u097f]+ ){0,2}) ?)?"
)
_COLON: Final = r"\s*[:：]?\s*"
_STARTS: Final = (
    r"(?:effective(?: date| from| as of)?|valid(?: from| as of)|in effect (?:from|as of|since)|in force (?:from|as of|since)"
    r"|vigente (?:desde|a partir de)|válid[oa]s? (?:desde|a partir de)|en vigor (?:desde|a partir de)|fecha de vigencia"
    r"|自|从|生效日期|有效期自?|लागू|प्रभावी|लागू होने की तिथि)"
)
_ENDS: Final = (
    r"(?:valid (?:until|through|to)|in effect until|in force until|expires(?: on)?|vigente hasta|válid[oa]s? hasta|en vigor hasta"
    r"|vence el|有效期至|有效期到|मान्य)"
)
_TO: Final = r"\s*(?:,? ?(?:until|through|to|till)|,? ?hasta|,? ?al?|至|到|से|[-–—])\s*"
_TAIL: Final = r"(?:起(?:生效|有效|实行|施行)?| ?से(?: (?:लागू|प्रभावी|मान्य))?| ?तक(?: मान्य)?|有效|止)?\s*"
_DAY_FIRST: Final = rf"{_DAY} ?से (?:लागू|प्रभावी|मान्य)(?: है)?|{_DAY} ?起(?:生效|有效|实行|施行)"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_FROM: Final = _pattern(rf"{_SUBJECT}(?:{_STARTS}{_COLON}{_DAY}{_TAIL}|{_DAY_FIRST})")
_BOTH: Final = _pattern(
    rf"{_SUBJECT}(?:{_STARTS}|valid|in effect|effective|vigente|válid[oa]s?|有效期)?{_COLON}(?:from |del? |desde )?"
    rf"{_DAY}{_TO}{_DAY}{_TAIL}"
)
_UNTIL: Final = _pattern(rf"{_SUBJECT}(?:{_ENDS}{_COLON}{_DAY}{_TAIL}|{_DAY} ?तक मान्य(?: है)?)")
_PAGE: Final = r"(?:document|page|notice|version|price list|policy|leaflet|schedule)"
_HOJA: Final = r"(?:documento|página|hoja|aviso|versión|lista de precios|folleto)"
_INSTEAD: Final = _pattern(
    rf"(?:(?:this {_PAGE} )?(?:supersedes|replaces)[: ]+(?!your|the old|any|all)(.+)"
    rf"|(?:este|esta) {_HOJA} (?:sustituye|reemplaza)(?: a)?[: ]+(.+)|(?:sustituye a|reemplaza a)[: ]+(.+)"
    rf"|(?:本(?:页|通知|文件|价目表))?(?:取代|代替|替代)[:： ]*(.+)|यह (?:दस्तावेज़|सूचना|पन्ना) (.+?) की जगह (?:है|लेता है|लेती है))"
)
_GONE: Final = _pattern(
    rf"(?:(?:this {_PAGE} (?:has been|is|was) )?(?:superseded|replaced) by[: ]+(.+)"
    rf"|(?:(?:este|esta) {_HOJA} (?:ha sido|fue) )?(?:sustituid|reemplazad)[oa] por[: ]+(.+)"
    rf"|(?:本(?:页|通知|文件|价目表))?已?被(.+?)(?:取代|代替|替代)|(?:इसकी जगह अब) (.+?) (?:है|लागू है))"
)
