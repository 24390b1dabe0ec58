"""Days written in four languages, as ISO dates. Knows only whole days: a month or a season is no day."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_MONTHS: Final = """
    january february march april may june july august september october november december
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर
"""
_OTHERWISE: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10, "nov": 11, "dec": 12,
    "setiembre": 9, "फ़रवरी": 2, "सितम्बर": 9, "अक्तूबर": 10, "नवम्बर": 11, "दिसम्बर": 12,
}  # fmt: skip
_MONTH: Final = {name: place % 12 + 1 for place, name in enumerate(_MONTHS.split())} | _OTHERWISE
_NAME: Final = "(?P<{}>" + "|".join(sorted(_MONTH, key=len, reverse=True)) + ")"

DATE: Final = (
    r"(?:(?P<y1>\d{4})-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})(?!\d)"
    rf"|{_NAME.format('m2')}\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
    rf"|(?:el )?(?P<d3>\d{{1,2}})(?:st|nd|rd|th|º|\.)? (?:de |of )?{_NAME.format('m3')}\.?,? (?:de |del )?(?P<y3>\d{{4}})"
    r"|(?P<y4>\d{4}) ?年 ?(?P<m4>\d{1,2}) ?月 ?(?P<d4>\d{1,2}) ?日)"
)
"""One day with its year. Not 3/4/2026, which is in March or in April."""

_WHOLE: Final = re.compile(DATE, re.IGNORECASE)


def whole_date(text: str) -> str | None:
    """The ISO date when the text is one day and nothing else."""
    found = _WHOLE.fullmatch(text.strip())
    return iso_date(found) if found else None


def dates_in(text: str) -> list[str]:
    """Every day in the text, in its order; what is no day of the calendar is left out."""
    return [day for found in _WHOLE.finditer(text) if (day := iso_date(found))]


def iso_date(found: re.Match[str]) -> str | None:
    for way in "1234":
        if year := found[f"y{way}"]:
            month = found[f"m{way}"].lower()
            try:
                return date(int(year), _MONTH.get(month) or int(month), int(found[f"d{way}"])).isoformat()
            except ValueError:
                return None
    return None
