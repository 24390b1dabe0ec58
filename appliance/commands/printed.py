"""Tables, JSON and progress bars in a terminal. Knows nothing of what they show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"ok": "green", "warning": "yellow", "failing": "red"}


def console() -> Console:
    from rich.console import Console

    # a table written into a file or a pipe is not squeezed into 80 columns
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        # as Text: a document's name may hold what rich would take for markup
        drawn.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    console().print(drawn)


def as_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def figures(
    columns: Mapping[str, Mapping[str, float | None]], *, before: Mapping[str, Mapping[str, float | None]] | None = None
) -> None:
    """One row a figure; the change beside those that ``before`` knows."""
    old = before or {}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = (
        (name, *(_figure(column.get(name), old.get(head, {}).get(name)) for head, column in columns.items()))
        for name in names
    )
    table(("", *columns), rows)


@contextmanager
def bar(words: str) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr, told (done, of how many[, words])."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as drawn:
        task = drawn.add_task(words, total=None)

        def told(done: int, total: int, now: str = words) -> None:
            drawn.update(task, completed=done, total=total, description=now)

        yield told


def _figure(value: float | None, before: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if before in (None, value) else f"{value:g} ({value - before:+.3g})"
