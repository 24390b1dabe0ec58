"""A table's rows as lines that can be understood alone: each value with its column's heading. Knows no file format.

"Saturday — Opens: 9:00 am; Closes: 1:00 pm". The document's text holds the row just so: a quote of it is verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from appliance.knowledge.parsed import Block, tidy

MOST_COLUMNS: Final = 60
"""What a cell may span and a row may hold: a number like colspan=1000000 is an attack."""


def rows(table: Sequence[Sequence[str | None]], *, headed: bool | None, page: int | None = None) -> Iterator[Block]:
    """Blocks of a table given as rows of cells; None continues the cell before it, which spans several columns.

    ``headed``: whether the first row is of headings; None: look at it.
    """
    cells = [[cell if cell is None else tidy(cell) for cell in row[:MOST_COLUMNS]] for row in table]
    cells = [row for row in cells if any(row)]
    if not cells:
        return
    headings: Sequence[str | None] = ()
    if len(cells) > 1 and (headed or (headed is None and _looks_headed(cells))):
        headings, *cells = cells
    for row in cells:
        if len(row) > 1 and not any(cell is not None for cell in row[1:]):
            yield Block(kind="paragraph", text=row[0] or "", page=page, introduces=True)  # a line over the rows below
        else:
            yield Block(kind="row", text=_line(row, headings), page=page)


def _line(row: Sequence[str | None], headings: Sequence[str | None]) -> str:
    label, values = row[0], []
    for place, value in enumerate(row[1:], start=1):
        heading = headings[place] if place < len(headings) else None
        spans = place + 1 < len(row) and row[place + 1] is None
        if value:
            values.append(f"{heading.rstrip(' :：')}: {value}" if heading and not spans else value)
    values[:-1] = [_FULL_STOP.sub("", value) for value in values[:-1]]
    return f"{label} — {'; '.join(values)}" if label and values else label or "; ".join(values)


def _looks_headed(cells: Sequence[Sequence[str | None]]) -> bool:
    """No digit in the first row, but one in most cells below some heading; and the row does not begin with a day."""
    first, *body = cells
    if (
        len(first) < 2
        or not all(first[1:])
        or any(_VALUE.search(cell or "") for cell in first)
        or _DAY.match(first[0] or "")
    ):
        return False
    columns = range(1, len(first))
    return any(
        2 * sum(bool(_VALUE.search(row[place] or "")) for row in body if place < len(row)) > len(body)
        for place in columns
    )


_FULL_STOP: Final = re.compile(r"(?<=[^\W\d]{3})\.$")
_VALUE: Final = re.compile(r"[\d०-९$€]")
_DAY: Final = re.compile(
    r"(?:mon|tues?|wed|thu|fri|satur|sun)(?:day|nes|rs|\b)|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo"
    r"|(?:星期|周|礼拜)[一二三四五六日天]|(?:सोम|मंगल|बुध|गुरु|शुक्र|शनि|रवि)वार",
    re.IGNORECASE,
)
