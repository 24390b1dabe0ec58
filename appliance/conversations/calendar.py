"""When somebody of the clinic is there: hours by site and holidays, read from clinic.toml. One calendar for every channel.

Knows no patient and no phrase. Where a file names no hours, the clinic counts as open: nobody is told of hours that were made up.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from appliance.errors import BadConfig

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD_DAYS: Final = 60
"""As far as the next opening is looked for."""

Times = tuple[tuple[str, str], ...]
"""``[["08:00", "12:00"], ["13:00", "17:00"]]``; none: closed."""


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """What clinic.toml says of hours; the file says more, for others."""

    hours: dict[str, Times] = {}
    site_hours: dict[str, dict[str, Times]] = {}
    holidays: dict[str, Times] = {}


class Calendar:
    """The clinic's week, its sites' weeks, and the days that are otherwise."""

    def __init__(self, written: _Written, zone: tzinfo) -> None:
        self._zone = zone
        self._week = _week(written.hours)
        self._sites = {_plain(site): _week(hours) for site, hours in written.site_hours.items()}
        self._holidays = {day: _spans(times) for day, times in written.holidays.items()}

    @classmethod
    def load(cls, file: Path, zone: tzinfo) -> Calendar:
        """Raises BadConfig with the file, the line and what is wrong there. A file that is missing names no hours."""
        text = file.read_text("utf-8") if file.exists() else ""
        try:
            written = msgspec.convert(tomllib.loads(text), _Written)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
            raise BadConfig(f"{file}: {_with_line(text, str(wrong))}") from None
        for table, day, times in _days(written):
            if fault := _fault(table, day, times):
                raise BadConfig(f"{file}, line {_line(text, table, day)}: {fault}")
        return cls(written, zone)

    def open_at(self, moment: datetime, site: str | None = None) -> bool:
        """Whether somebody is there."""
        return self.since(moment, site) is not None

    def since(self, moment: datetime, site: str | None = None) -> datetime | None:
        """When it opened for the hours that it is open now; None while it is closed. Without hours: long ago."""
        week = self._of(site)
        if not week:
            return datetime.min.replace(tzinfo=UTC)
        today = moment.astimezone(self._zone).date()
        return next((start for start, end in self._opened(week, today) if start <= moment < end), None)

    def opens(self, moment: datetime, site: str | None = None) -> datetime | None:
        """When it opens next: the moment itself while it is open, None where no opening is known."""
        if self.open_at(moment, site):
            return moment
        week, today = self._of(site), moment.astimezone(self._zone).date()
        starts = (
            start
            for days in range(AHEAD_DAYS)
            for start, _ in self._opened(week, today + timedelta(days=days))
            if start > moment
        )
        return next(starts, None)

    @property
    def zone(self) -> tzinfo:
        return self._zone

    @property
    def known(self) -> bool:
        """Whether the file names any hours."""
        return bool(self._week or self._sites)

    def closed_days(self, first: date, days: int = AHEAD_DAYS) -> dict[str, Times]:
        """The holidays among the coming days, as ISO dates with the hours that hold instead."""
        coming = (first + timedelta(days=n) for n in range(days))
        found = ((day.isoformat(), self._holiday(day)) for day in coming)
        return {day: tuple((f"{a:%H:%M}", f"{b:%H:%M}") for a, b in spans) for day, spans in found if spans is not None}

    def _of(self, site: str | None) -> Mapping[int, _Spans]:
        """The site's own week, else the clinic's."""
        return self._sites.get(_plain(site), self._week) if site else self._week

    def _opened(self, week: Mapping[int, _Spans], day: date) -> Iterator[tuple[datetime, datetime]]:
        holiday = self._holiday(day)
        for start, end in week.get(day.weekday(), ()) if holiday is None else holiday:
            yield self._moment(day, start), self._moment(day, end)

    def _holiday(self, day: date) -> _Spans | None:
        return self._holidays.get(day.isoformat(), self._holidays.get(f"{day:%m-%d}"))

    def _moment(self, day: date, at: time) -> datetime:
        """In UTC: on the two days when the clocks change, local times cannot be subtracted."""
        if at == _MIDNIGHT:
            day, at = day + timedelta(days=1), time()
        return datetime.combine(day, at, tzinfo=self._zone).astimezone(UTC)


_Spans = Sequence[tuple[time, time]]
_MIDNIGHT: Final = time.max
"""24:00, as the end of a day."""


def _plain(site: str) -> str:
    """'main-street' is 'Main Street'."""
    return "".join(filter(str.isalnum, site.casefold()))


def _week(hours: Mapping[str, Times]) -> dict[int, _Spans]:
    return {DAYS.index(day): _spans(times) for day, times in hours.items()}


def _spans(times: Times) -> _Spans:
    return tuple(sorted((_time(start), _time(end)) for start, end in times))


def _time(text: str) -> time:
    """Raises ValueError for what is no time of day."""
    if not _CLOCK.fullmatch(text):
        raise ValueError(text)
    return _MIDNIGHT if text == "24:00" else time.fromisoformat(text)


_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_HOLIDAY: Final = re.compile(r"(\d{4}-)?\d{2}-\d{2}")


def _days(written: _Written) -> Iterator[tuple[str, str, Times]]:
    """Each line of hours: its table, its day, its times."""
    for day, times in written.hours.items():
        yield "hours", day, times
    for site, hours in written.site_hours.items():
        for day, times in hours.items():
            yield f"site_hours.{site}", day, times
    for day, times in written.holidays.items():
        yield "holidays", day, times


def _fault(table: str, day: str, times: Times) -> str:
    """What is wrong with a line, in words; empty where nothing is."""
    if table == "holidays" and not _is_day(day):
        return f"{day!r} is no day: write it as 2026-12-25, or 12-25 for every year."
    if table != "holidays" and day not in DAYS:
        return f"{day!r} is no day of the week: write {', '.join(DAYS)}."
    try:
        spans = _spans(times)
    except ValueError as wrong:
        return f"{str(wrong)!r} is no time of day: write it as 08:00, up to 24:00."
    if any(end <= start for start, end in spans):
        return "it closes before it opens; past midnight, write two lines: until 24:00, and from 00:00 the next day."
    if any(later < end for (_, end), (later, _) in pairwise(spans)):
        return "its hours overlap."
    return ""


def _is_day(text: str) -> bool:
    if not _HOLIDAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text if len(text) > 5 else f"2024-{text}")  # a leap year: 02-29 is a day
    except ValueError:
        return False
    return True


def _line(text: str, table: str, day: str) -> int:
    """Where the file writes this day of this table."""
    now = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", line):
            now = re.sub(r"[\"'\s]", "", head[1])
        elif now == re.sub(r"\s", "", table) and re.match(rf"\s*[\"']?{re.escape(day)}[\"']?\s*=", line):
            return number
    return 1


def _with_line(text: str, wrong: str) -> str:
    """msgspec names the path of a wrong value, `$.hours[...]`; a reader wants its line. tomllib says the line itself."""
    path: Any = re.search(r"at `\$\.(\w+)", wrong)
    if not path:
        return wrong
    heads = (number for number, line in enumerate(text.splitlines(), start=1) if re.match(rf"\s*\[?{path[1]}\b", line))
    return f"line {next(heads, 1)} and below, [{path[1]}]: {wrong}"
