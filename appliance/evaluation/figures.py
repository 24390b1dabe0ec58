"""Shares and percentiles over the rows of an evaluation, overall and by language. Knows no question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median, quantiles
from typing import Any, Protocol, TypeVar

Figures = dict[str, float | int | None]


class _Row(Protocol):
    @property
    def lang(self) -> str: ...


R = TypeVar("R", bound=_Row)


def share(values: Iterable[bool]) -> float | None:
    """Between 0 and 1; None when there is nothing to count."""
    counted = list(values)
    return round(sum(counted) / len(counted), 4) if counted else None


def milliseconds(values: Sequence[float]) -> Figures:
    """Median and 95th percentile of the first words' times."""
    if not values:
        return {"first_ms_p50": None, "first_ms_p95": None}
    top = quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"first_ms_p50": round(median(values), 1), "first_ms_p95": round(top, 1)}


def report(rows: Sequence[R], figures: Callable[[Sequence[R]], Figures]) -> dict[str, Any]:
    """The object that every evaluation prints as JSON: overall, by language, and the rows."""
    languages = sorted({row.lang for row in rows})
    return {
        "overall": figures(rows),
        "by_lang": {code: figures([row for row in rows if row.lang == code]) for code in languages},
        "rows": rows,
    }
