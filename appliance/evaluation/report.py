"""An evaluation as one page to look at: no script, nothing from elsewhere. Knows figures and rows, not how they came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Final

from appliance.evaluation.measured import Bin, Measured, Wrong
from appliance.operations.history import HIGH, LOW, Numbers, Run

LANGUAGES: Final = {"en": "English", "es": "Spanish", "zh": "Chinese", "hi": "Hindi"}
RUNS: Final = 30
"""The newest runs that the lines show."""


def page(found: Sequence[Measured]) -> str:
    """The whole file. Every word that a stranger wrote is escaped."""
    first = found[0].run
    title = f"MedinovAI evaluation: {', '.join(one.run.command for one in found)}"
    style = (resources.files("appliance.evaluation") / "report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f"<p>{first.at:%Y-%m-%d %H:%M} UTC, MedinovAI {escape(first.version)}. A share lies between 0 and 1.</p>\n"
        + "".join(_section(one) for one in found)
        + "</main>\n</body>\n</html>\n"
    )


def _section(one: Measured) -> str:
    return (
        f"<section>\n<h2>{escape(one.run.command)}</h2>\n"
        f"<p>Fingerprint of the questions: <code>{escape(one.run.set)}</code>. {_compared(one.before)}</p>\n"
        + "".join(f'<p class="worse">Worse: {escape(str(fall))}.</p>\n' for fall in one.run.fell)
        + _figures("Figures", {"overall": one.run.overall, **one.run.by_lang}, before=one.before)
        + "".join(_figures(f"Figures {name}", columns) for name, columns in one.groups.items())
        + (_calibration(one.curve) if one.curve else "")
        + (_history((*one.earlier, one.run)[-RUNS:]) if one.earlier else "")
        + _wrong_rows(one.wrong)
        + "</section>\n"
    )


def _compared(before: Run | None) -> str:
    if before is None:
        return "There is no earlier run to compare with."
    return f"Changes are against {before.at:%Y-%m-%d %H:%M} UTC, MedinovAI {escape(before.version)}."


def _figures(caption: str, columns: Mapping[str, Numbers], *, before: Run | None = None) -> str:
    """A row a figure; shares that are judged have a bar, and the change since the run before."""
    old = {"overall": before.overall, **before.by_lang} if before else {}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [
        (name, *(_cell(name, column.get(name), old.get(head, {}).get(name)) for head, column in columns.items()))
        for name in names
    ]
    return _table(caption, ("figure", *(LANGUAGES.get(head, head) for head in columns)), rows)


def _cell(name: str, value: float | None, before: float | None) -> str:
    if value is None:
        return "–"
    if name not in HIGH | LOW:
        return f"{value:g}"
    return f"{value:g}{_bar(value)}{_change(name, value, before)}"


def _bar(value: float) -> str:
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rail" width="100" height="8"/><rect class="full" width="{value * 100:.1f}" height="8"/></svg>'
    )


def _change(name: str, value: float, before: float | None) -> str:
    change = round(value - before, 4) if before is not None else 0.0
    if not change:
        return ""
    better = (change > 0) == (name in HIGH)
    return f'<small class="{"better" if better else "worse"}">{change:+g} {"better" if better else "worse"}</small>'


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells come ready; the first of a row is its header. Wide ones scroll by themselves, by keyboard too."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>\n'
        for name, *cells in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>\n'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )


# ---- curves ------------------------------------------------------------------------------------------------------------


def _calibration(curve: Sequence[Bin]) -> str:
    """A quote that says .8 should be right eight times of ten: then the line lies on the diagonal."""
    points = [(one.predicted, one.right) for one in curve]
    rows = [(f"{one.predicted:.2f}", f"{one.right:.2f}", str(one.count)) for one in curve]
    drawn = (
        '<svg class="curve" viewBox="-16 -6 222 226" role="img" aria-label="Share right by probability, as in the table">'
        '<rect class="rail" width="200" height="200"/><line class="guide" x1="0" y1="200" x2="200" y2="0"/>'
        '<text x="0" y="216">0</text><text x="200" y="216" text-anchor="end">1</text><text x="-12" y="10">1</text>'
        f"{_line(points, width=200, height=200)}</svg>"
    )
    words = "How sure a quote was (to the right) and how often it was right (upward). On the dashed line both agree."
    return (
        f'<figure>\n<figcaption>{words}</figcaption>\n<div class="beside">{drawn}\n'
        + _table("Calibration of quoted answers", ("probability", "share right", "answers"), rows)
        + "</div>\n</figure>\n"
    )


def _history(runs: Sequence[Run]) -> str:
    names = [name for name in runs[-1].overall if name in HIGH | LOW]
    drawn = "".join(_course(name, known) for name in names if len(known := _known(name, runs)) > 1)
    rows = [
        (f"{run.at:%Y-%m-%d %H:%M}", escape(run.version), *(_plain(run.overall.get(name)) for name in names))
        for run in reversed(runs)
    ]
    table = _table("Runs of this set", ("when (UTC)", "version", *names), rows)
    return f'<h3>History</h3>\n<div class="courses">{drawn}</div>\n{table}'


def _known(name: str, runs: Sequence[Run]) -> list[float]:
    return [value for run in runs if (value := run.overall.get(name)) is not None]


def _course(name: str, values: Sequence[float]) -> str:
    """One figure's line. Its box reaches from the lowest value to the highest, so that small changes show; both are written."""
    low, high = min(values), max(values)
    spread = high - low
    heights = [(value - low) / spread if spread else 0.5 for value in values]
    points = [(place / (len(values) - 1), height) for place, height in enumerate(heights)]
    said = f"{name}: {values[0]:g} first, {values[-1]:g} now, between {low:g} and {high:g}"
    return (
        f"<figure>\n<figcaption>{escape(name)} <small>{low:g} to {high:g}</small></figcaption>\n"
        f'<svg class="course" viewBox="-6 -6 212 62" role="img" aria-label="{escape(said)}">'
        f'<rect class="rail" width="200" height="50"/>{_line(points, width=200, height=50)}</svg>\n</figure>\n'
    )


def _line(points: Sequence[tuple[float, float]], *, width: float, height: float) -> str:
    """Through points between 0 and 1."""
    placed = [(f"{x * width:.1f}", f"{height - y * height:.1f}") for x, y in points]
    dots = "".join(f'<circle class="dot" cx="{x}" cy="{y}" r="3.5"/>' for x, y in placed)
    return f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in placed)}"/>{dots}'


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


# ---- rows --------------------------------------------------------------------------------------------------------------


def _wrong_rows(rows: Sequence[Wrong]) -> str:
    if not rows:
        return "<h3>What went wrong</h3>\n<p>No row, or the set has no rows to show.</p>\n"
    return f"<h3>What went wrong ({len(rows)})</h3>\n<ol>\n{''.join(map(_wrong_row, rows))}</ol>\n"


def _wrong_row(row: Wrong) -> str:
    asked = f'<p class="asked" lang="{row.lang}">{escape(row.asked)}</p>' if row.asked else ""
    sources = f"<p><small>{escape(', '.join(row.sources))}</small></p>" if row.sources else ""
    return (
        f'<li><p><b class="worse">{escape(row.verdict)}</b> <small>{escape(row.id)}, {LANGUAGES[row.lang]}</small></p>'
        f'{asked}<p class="said">{escape(row.said)}</p>{sources}</li>\n'
    )
