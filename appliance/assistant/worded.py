"""Days, hours, dates and money as a patient's language writes them: babel, and the templates of told.toml. Knows no document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Literal, cast

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_day_names
from babel.lists import format_list
from babel.numbers import format_decimal, get_currency_symbol

from appliance.assistant.facts import WEEK
from appliance.assistant.timetable import Date, Days, Entry, Hours, When


class Worded:
    """One language's templates, with babel's tables loaded: nothing is read from the disk later."""

    def __init__(self, templates: Mapping[str, Any]) -> None:
        self._say = templates
        self._locale = Locale.parse(templates["locale"])
        width = cast(Literal["wide", "abbreviated"], templates["day"])
        self._days = get_day_names(width, "stand-alone", self._locale)
        self.money(["INR 1.5"])
        self._date("2026-01-01")
        self._date("--01-01")

    def template(self, name: str, **values: str) -> str:
        return str(self._say[name]).format(**values)

    def answer(self, name: str) -> str:
        return str(self._say["answer"][name])

    def line(self, text: str) -> str:
        """With a capital, where the script has them."""
        return text[:1].upper() + text[1:]

    def entries(self, entries: Iterable[Entry]) -> str:
        return str(self._say["next"]).join(self._entry(one) for one in entries)

    def whens(self, whens: Sequence[When]) -> str:
        """'Monday to Friday and the first Saturday of the month'."""
        return format_list([said for when in whens for said in self._when(when)], locale=self._locale)

    def money(self, values: Sequence[str], *, per: str | None = None) -> str:
        """Of an amount, or of the two ends of a range."""
        said = [self._amount(*value.split(" ")) for value in values]
        whole = said[0] if len(said) == 1 else self.template("to", first=said[0], last=said[-1])
        return str(self._say["per"][per]).format(money=whole) if per else whole

    def _entry(self, entry: Entry) -> str:
        hours = self._say["and_hours"].join(self._hours(one) for one in entry.hours)
        if not entry.when:
            return str(hours)
        when = self.whens(entry.when)
        return self.template("entry", when=when, hours=hours) if hours else when

    def _when(self, when: When) -> list[str]:
        if isinstance(when, Days):
            said = [self._of_month(when)] if when.nth else self._stretches(when)
            if not when.only:
                return said
            return [self.template("only", when=format_list(said, locale=self._locale))]
        if isinstance(when, Date):
            told = self._date(when.value)
            return [self.template("dated", date=told, day=self._day(when.day)) if when.day else told]
        return [self.template("daily")]

    def _stretches(self, days: Days) -> list[str]:
        said: list[str] = []
        for stretch in days.stretches:
            names = [self._day(day) for day in stretch]
            said += [self.template("stretch", first=names[0], last=names[-1])] if len(names) > 2 else names
        return said

    def _of_month(self, days: Days) -> str:
        nth = format_list([self._say["nth"][one] for one in days.nth], locale=self._locale)
        return self.template("of_month", nth=nth, day=self._day(days.stretches[0][0]))

    def _hours(self, hours: Hours) -> str:
        if hours.part:
            return self.template(hours.part)
        said = [self._time(one) for one in hours.times]
        if len(said) == 2:
            name = "closed_range" if hours.how == "closed" else "range"
            return self.template(name, first=said[0], last=said[1])
        return self.template(hours.how, time=said[0]) if said else self.template("closed")

    def _time(self, value: str) -> str:
        return format_time(time.fromisoformat(value), self._say["time"], locale=self._locale)

    def _day(self, day: str) -> str:
        return str(self._days[WEEK.index(day)])

    def _date(self, value: str) -> str:
        """2026-12-24, or --12-24 without a year; 2024 had every day."""
        if value.startswith("--"):
            return str(format_skeleton("MMMMd", date.fromisoformat(value.replace("--", "2024-")), locale=self._locale))
        return format_date(date.fromisoformat(value), "long", locale=self._locale)

    def _amount(self, currency: str, amount: str) -> str:
        value = Decimal(amount)
        whole = value == value.to_integral_value()
        said = format_decimal(value, "#,##0" if whole else "#,##0.00", locale=self._locale)
        return self.template("usd", amount=said) if currency == "USD" else get_currency_symbol(currency, "en") + said
