"""Tables, JSON and progress bars in a terminal. Knows nothing of what they show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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


def figures(overall: Mapping[str, Any], by_lang: Mapping[str, Mapping[str, Any]]) -> None:
    """One row a figure, one column a language."""
    columns = {"overall": overall, **by_lang}
    table(("", *columns), ((name, *(_figure(column.get(name)) for column in columns.values())) for name in overall))


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


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
