"""Dates and times of the day, read aloud as each language says them. Knows nothing of time zones or of today."""

from __future__ import annotations

import re
from collections.abc import Callable

from voice.counting import cardinal, ordinal, table, year

_NO_NUMBER_BEFORE = r"(?<![\d.,:/-])"
_NO_NUMBER_AFTER = r"(?![\d/:]|[.,]\d|-\d)"
_ISO = re.compile(rf"{_NO_NUMBER_BEFORE}(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){_NO_NUMBER_AFTER}")
_YEAR_FIRST = re.compile(rf"{_NO_NUMBER_BEFORE}(\d{{4}})/(\d{{1,2}})/(\d{{1,2}}){_NO_NUMBER_AFTER}")
_YEAR_LAST = re.compile(rf"{_NO_NUMBER_BEFORE}(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_NO_NUMBER_AFTER}")
_SHORT = r"(\d{1,2})/(\d{1,2})"
_SHORT_AFTER = r"(?![\w/%]|[.,:]\d|\s?[-–—]\s?\d)"
_NO_YEAR = re.compile(rf"{_NO_NUMBER_BEFORE}(?<![$€£₹¥]){_SHORT}(?:(\s?[-–—]\s?){_SHORT})?{_SHORT_AFTER}")
_NO_DAY = re.compile(rf"{_NO_NUMBER_BEFORE}(?<![$€£₹¥])(0?[1-9]|1[0-2])/((?:19|20)\d\d){_SHORT_AFTER}")
_HALF_DAY = r"(?:\s*(?P<half{0}>[ap])\.?\s?m\b\.?(?!\w))"
_CLOCK = r"(?P<hour{0}>\d{{1,2}})(?:(?P<sign{0}>[:：])(?P<minute{0}>[0-5]\d)(?::[0-5]\d)?)?" + _HALF_DAY + "?"
_TIME = re.compile(
    rf"(?<![\d.,:/$€£₹¥-]){_CLOCK.format(1)}(?:\s*[-–—~～]\s*{_CLOCK.format(2)})?(?![\d:/%]|[.,]\d)", re.IGNORECASE
)
_HOUR_WORD = {
    "es": r"\s*(?:h|hs|hrs|horas)\b(?:\.(?=\s+[a-záéíóú]))?",
    "hi": r"\s*बजे",
    "zh": r"\s*(?:时|點|点)?",
    "en": r"\s*o'clock",
}
_PART_OF_DAY = {
    "hi": re.compile(r"(?:सुबह|दोपहर|शाम|रात|तड़के|सवेरे)(?:\s+के|\s+को)?\s*$"),
    "zh": re.compile(r"(?:上午|下午|早上|早晨|中午|晚上|凌晨|夜里|傍晚)\s*$"),
    "es": re.compile(r"(?!)"),
    "en": re.compile(r"(?!)"),
}


def dates(text: str, language: str) -> str:
    for pattern in (_ISO, _YEAR_FIRST):
        text = pattern.sub(lambda found: _date(found, language, *map(int, found.groups())), text)
    text = _YEAR_LAST.sub(lambda found: _ordered(found, language), text)
    text = _NO_DAY.sub(lambda found: _without_day(found, language), text)
    text = _NO_YEAR.sub(lambda found: _without_year(found, language), text)
    return _WRITTEN[language](text)


def times(text: str, language: str) -> str:
    """``9:30``, ``9 a.m.``, ``9:00-17:00``, ``9-5 pm``."""
    after = _HOUR_WORD[language]
    pattern = re.compile(f"{_TIME.pattern}(?P<after>{after})?", re.IGNORECASE)
    return pattern.sub(lambda found: _range(found, language), text)


# ---- dates --------------------------------------------------------------------------------------------------------


def _ordered(found: re.Match[str], language: str) -> str:
    first, second, written = int(found[1]), int(found[3]), found[4]
    number = int(written) if len(written) == 4 else 2000 + int(written)
    return _date(found, language, number, *_month_and_day(first, second, language))


def _without_day(found: re.Match[str], language: str) -> str:
    """``11/2026``, as on a box of medicine."""
    if _counted(found, language):
        return found[0]
    name, said = table(language).calendar.months[int(found[1]) - 1], year(int(found[2]), language)
    return {"es": f"{name} de {said}", "zh": f"{said}年{name}"}.get(language, f"{name} {said}")


def _without_year(found: re.Match[str], language: str) -> str:
    """``12/05``: a day if it can be one, and is written or stands as one is; else it is left to the fractions."""
    days = [_month_and_day(int(found[at]), int(found[at + 1]), language) for at in (1, 4) if found[at]]
    if not all(1 <= month <= 12 and 1 <= day <= 31 for month, day in days) or not _stands_as_day(found, language):
        return found[0]
    to = {"en": " to ", "es": " al ", "zh": "到", "hi": " से "}[language]
    return to.join(_day_of_month(month, day, language) for month, day in days)


def _stands_as_day(found: re.Match[str], language: str) -> bool:
    """With a zero in front, which no fraction has; as a span; behind or before a word that a day has."""
    if _counted(found, language):
        return False
    parts = re.findall(r"\d+", found[0])
    if any(part[0] == "0" for part in parts):
        return True
    if all(re.fullmatch(r"[1-3]/[2348]", part) for part in re.findall(r"\d+/\d+", found[0])):
        return False  # "on 1/2 tablet"
    dated, text = table(language).calendar.dated, found.string
    before = rf"(?:{'|'.join(dated['before'])})\s*$"
    behind = bool(re.search(before, text[max(0, found.start() - 40) : found.start()], re.IGNORECASE))
    return bool(found[3]) or behind or bool(re.match(rf"\s*(?:{'|'.join(dated['after'])})", text[found.end() :]))


def _counted(found: re.Match[str], language: str) -> bool:
    """A unit follows: ``5/20 mg`` is the strength of a medicine that has two."""
    units = "|".join(map(re.escape, sorted(table(language).units, key=len, reverse=True)))
    return bool(re.match(rf"\s?(?:{units})(?![^\W\d_])", found.string[found.end() :]))


def _day_of_month(month: int, day: int, language: str) -> str:
    name = table(language).calendar.months[month - 1]
    return {
        "en": f"{name} {ordinal(day, 'en')}",
        "es": f"{_spanish_day(day)} de {name}",
        "zh": f"{name}{cardinal(day, 'zh')}日",
    }.get(language, f"{cardinal(day, 'hi')} {name}")


def _month_and_day(first: int, second: int, language: str) -> tuple[int, int]:
    """Chinese has the month before the day in any order of the year; what cannot be a month is the day."""
    month_first = (table(language).calendar.date_order in ("mdy", "ymd") and first <= 12) or second > 12
    return (first, second) if month_first else (second, first)


def _date(found: re.Match[str], language: str, number: int, month: int, day: int) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    name, said = table(language).calendar.months[month - 1], year(number, language)
    match language:
        case "en":
            return f"{name} {ordinal(day, 'en')}, {said}"
        case "es":
            return f"{_spanish_day(day)} de {name} de {said}"
        case "zh":
            return f"{said}年{name}{cardinal(day, 'zh')}日"
        case _:
            return f"{cardinal(day, 'hi')} {name} {said}"


def _english_dates(text: str) -> str:
    calendar = table("en").calendar
    names = "|".join((*calendar.months, *calendar.months_short))
    month = rf"\b(?P<month>{names})\b\.?"
    end = r"(?:st|nd|rd|th)?(?![\d:]|\s*(?:[ap]\.?m\b|mg|mL))"
    written = r"(?:,?\s+(?P<year>\d{4})\b)?"
    text = re.sub(r"\bM\s?[-–]\s?F\b(?=:?\s+\d)", "Monday to Friday", text)
    text = _spans_of_weekdays(text, "en", " to ")
    text = re.sub(rf"(\b(?:{names})\b\.?\s+\d{{1,2}})\s?[-–—]\s?(?=(?:{names})\b\.?\s+\d)", r"\1 to ", text)
    for pattern in (
        rf"{month}\s+(?P<day>\d{{1,2}}){end}(?:\s*[-–]\s*(?P<last>\d{{1,2}}){end})?{written}",
        rf"(?<![\d$.,:-])(?P<day>\d{{1,2}})(?P<last>)(?:st|nd|rd|th)?\s+{month}{written}",
        rf"{month},?(?P<day>)(?P<last>)\s+(?P<year>\d{{4}})\b",
    ):
        text = re.sub(pattern, _english_date, text)
    return text


def _english_date(found: re.Match[str]) -> str:
    said = next(name for name in table("en").calendar.months if name[:3] == found["month"][:3])
    if found["day"]:
        said += f" {ordinal(int(found['day']), 'en')}"
    if found["last"]:
        said += f" to {ordinal(int(found['last']), 'en')}"
    if found["year"]:
        said += f"{',' if found['day'] else ''} {year(int(found['year']), 'en')}"
    return said


def _spanish_dates(text: str) -> str:
    calendar = table("es").calendar
    text = _spans_of_weekdays(text, "es", " a ")
    months = "|".join(calendar.months)
    for name, short in zip(calendar.months, calendar.months_short, strict=True):
        text = re.sub(rf"(?<=\d)(\s+(?:de\s+)?){short}\b\.?(?=[\s,.;)]|$)", rf"\g<1>{name}", text)
    text = re.sub(rf"(?<![\d.,:/-])1\s*[ºo°]?\s+de\s+(?={months})", "primero de ", text)
    return re.sub(rf"(?<=\d )(?=(?:{months})\b)", "de ", text)


def _spanish_day(day: int) -> str:
    return "primero" if day == 1 else cardinal(day, "es")


def _chinese_dates(text: str) -> str:
    text = re.sub(r"((?:周|星期|礼拜)[一二三四五六日天])\s*[-–—~～]\s*(?=周|星期|礼拜)", r"\1到", text)
    text = re.sub(r"(?<=[月日号])\s*[-–—~～]\s*(?=\d)", "到", text)
    text = re.sub(r"(?<!\d)(\d{4})\s*年", lambda found: f"{year(int(found[1]), 'zh')}年", text)
    span = r"(?<![\d.])(\d{1,2})(?:\s*[-–—~～]\s*(\d{1,2}))?\s*(?=[月日号]|个月)"
    return re.sub(span, lambda found: "到".join(cardinal(int(n), "zh") for n in found.groups() if n), text)


def _hindi_dates(text: str) -> str:
    text = _spans_of_weekdays(text, "hi", " से ")
    months = "|".join(table("hi").calendar.months)
    dated = rf"((?:{months}),?\s+)(\d{{4}})(?!\d)|(?<!\d)(\d{{4}})(?=\s+(?:में|से|तक)(?:\s|$))"
    return re.sub(dated, lambda found: (found[1] or "").replace(",", "") + _hindi_year(int(found[2] or found[3])), text)


def _hindi_year(number: int) -> str:
    return year(number, "hi") if 1900 <= number < 2100 else cardinal(number, "hi")


def _spans_of_weekdays(text: str, language: str, to: str) -> str:
    calendar = table(language).calendar
    for name, short in zip(calendar.weekdays, calendar.weekdays_short, strict=True):
        text = re.sub(
            rf"(?<!\w)(?:{name}|(?:{short})\.?(?=\s*[-–—,:]|\s+\d|\s+a\s|\s+[A-Z][a-z]+\s\d))(?!\w)",
            name,
            text,
            flags=re.IGNORECASE if language == "es" else 0,
        )
    names = "|".join(calendar.weekdays)
    for name, short in zip(calendar.weekdays, calendar.weekdays_short, strict=True):
        text = re.sub(rf"((?:{names})(?:\s*[-–—]\s*|\s+a\s+))(?:{short})\b\.?", rf"\g<1>{name}", text)
    return re.sub(rf"({names})\s*[-–—]\s*(?=(?:{names})(?!\w))", rf"\1{to}", text)


_WRITTEN: dict[str, Callable[[str], str]] = {
    "en": _english_dates,
    "es": _spanish_dates,
    "zh": _chinese_dates,
    "hi": _hindi_dates,
}


# ---- times --------------------------------------------------------------------------------------------------------


def _range(found: re.Match[str], language: str) -> str:
    """Two times, or one, or what was no time at all."""
    marked = found["sign1"] or found["half1"] or found["sign2"] or found["half2"]
    if not marked or not _is_time(found, 1) or (found["hour2"] and not _is_time(found, 2)):
        return found[0]
    before = found.string[: found.start()]
    if found["hour2"] is None:
        return _clock(found, 1, language, before, last=True) + _tail(found, language)
    to = {"en": " to ", "es": " a ", "zh": "到", "hi": " से "}[language]
    first = _clock(found, 1, language, before, last=False, half=_shared_half(found))
    return first + to + _clock(found, 2, language, "", last=True) + _tail(found, language)


def _shared_half(found: re.Match[str]) -> str | None:
    """``9-11 a.m.``: both in the morning; ``9-5 p.m.`` says nothing of the nine."""
    if not found["half2"]:
        return None
    first, last = int(found["hour1"]) % 12, int(found["hour2"]) % 12
    return found["half2"] if first < last else None


def _is_time(found: re.Match[str], which: int) -> bool:
    return int(found[f"hour{which}"]) <= (12 if found[f"half{which}"] else 24)


def _tail(found: re.Match[str], language: str) -> str:
    """A sentence's full stop that stood as the last sign of "p.m."."""
    half = found["half2"] if found["hour2"] else found["half1"]
    whole = found[0].removesuffix(found["after"] or "")
    rest = found.string[found.end() :].lstrip()
    ends = bool(half and whole.endswith(".") and (not rest or rest[:1].isupper() or rest[:1] == "\n"))
    return "." if ends and language != "en" else ""


def _clock(found: re.Match[str], which: int, language: str, before: str, *, last: bool, half: str | None = None) -> str:
    hour, minute = int(found[f"hour{which}"]), int(found[f"minute{which}"] or 0)
    half = (found[f"half{which}"] or half or "").lower() or None
    if language == "en":
        said = _english_time(hour, minute, half, alone=not found["hour2"])
        stands = last and found.string[found.end() :][:1] == "."  # the sentence's own full stop
        return f"{said}." if said.endswith(".m") and not stands else said
    if language == "es":
        return _spanish_time(hour, minute, half, hours=last and bool(found["after"]))
    if _PART_OF_DAY[language].search(before):
        half = None
    if language == "zh":
        return _chinese_time(hour, minute, half)
    said = _hindi_time(hour, minute, half, said_before=bool(_PART_OF_DAY["hi"].search(before)))
    return f"{said} बजे" if last and "बजकर" not in said else said


def _english_time(hour: int, minute: int, half: str | None, *, alone: bool) -> str:
    if half is None and (hour > 12 or hour == 0):
        half, hour = ("p" if 12 <= hour < 24 else "a"), hour % 12 or 12
    said = cardinal(hour, "en")
    if minute:
        said += f" oh {cardinal(minute, 'en')}" if minute < 10 else f" {cardinal(minute, 'en')}"
    elif half is None and alone:
        said += " o'clock"
    return f"{said} {half}.m" if half else said


def _spanish_time(hour: int, minute: int, half: str | None, *, hours: bool) -> str:
    said = {1: "una", 21: "veintiuna"}.get(hour, cardinal(hour, "es"))
    if minute:
        said += f" y {cardinal(minute, 'es')}"
    if half is None:
        return said + (" horas" if hours else "")
    if half == "p" and hour == 12 and not minute:
        return f"{said} del mediodía"
    if half == "a" and hour == 12:
        return f"{said} de la noche"
    return f"{said} {'de la mañana' if half == 'a' else 'de la tarde' if hour % 12 < 8 else 'de la noche'}"


def _chinese_time(hour: int, minute: int, half: str | None) -> str:
    said = f"{'两' if hour == 2 else cardinal(hour, 'zh')}点"
    if minute:
        said += f"{'零' if minute < 10 else ''}{cardinal(minute, 'zh')}分"
    if half is None:
        return said
    if half == "p":
        return ("中午" if hour == 12 else "下午" if hour < 6 else "晚上") + said
    return ("凌晨" if hour == 12 or hour < 5 else "上午") + said


def _hindi_time(hour: int, minute: int, half: str | None, *, said_before: bool) -> str:
    part = ""
    if not said_before and (half or hour > 12):
        of_day = hour % 12 + (12 if half == "p" or hour > 12 else 0)
        part = (
            "सुबह " if 4 <= of_day < 12 else "दोपहर " if 12 <= of_day < 16 else "शाम " if 16 <= of_day < 20 else "रात "
        )
    hour = hour % 12 or 12
    following = hour % 12 + 1
    match minute:
        case 0:
            return part + cardinal(hour, "hi")
        case 15:
            return f"{part}सवा {cardinal(hour, 'hi')}"
        case 30:
            return part + {1: "डेढ़", 2: "ढाई"}.get(hour, f"साढ़े {cardinal(hour, 'hi')}")
        case 45:
            return part + ("पौन" if following == 1 else f"पौने {cardinal(following, 'hi')}")
        case _:
            return f"{part}{cardinal(hour, 'hi')} बजकर {cardinal(minute, 'hi')} मिनट"
