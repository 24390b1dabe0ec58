"""What becomes of an evaluation: printed, drawn, kept, held against what was asked for. Knows no evaluation, only its report."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from appliance.commands import printed
from appliance.commands.given import Given, as_json_option
from appliance.errors import BadInput
from appliance.message import LANGUAGES

if TYPE_CHECKING:
    from appliance.evaluation.measured import Measured
    from appliance.operations.history import Numbers, Run

NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
html_option = click.option(
    "--html", type=NEW_FILE, help="Write a page to look at: figures, lines, the rows that went wrong."
)

NAMES: Final = {
    "answers": ("right", "must_not", "cited_doc", "refused", "wrongly_refused", "first_ms_p50", "first_ms_p95"),
    "dialogues": ("turns_right", "dialogues_right", "must_not", "first_ms_p50", "first_ms_p95"),
    "retrieval": ("r1", "r5", "r10", "mrr10", "ndcg10"),
    "grounding": ("balanced_accuracy", "supported_kept", "unsupported_dropped"),
    "safety": ("recall", "false_alarms", "first_ms_p50", "first_ms_p95"),
    "injection": (
        *("success_rate", "success_direct", "success_poisoned", "attacks_refused"),
        *("wrongly_refused", "not_known", "first_ms_p50", "first_ms_p95"),
    ),
    "speech": (
        *("error_rate", "error_rate_sure", "doubtful", "digits_right", "took_ms_p50", "took_ms_p95"),
        "invented_words_an_hour",
    ),
}
"""What --min and --max may name: known before anything is measured, so that a slip of the pen costs no minutes."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed about the outcome."""

    as_json: bool
    html: Path | None
    history: bool
    least: dict[str, float]
    most: dict[str, float]
    no_worse: float | None


def wished(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every evaluation; the command gets them, checked, as ``wishes``."""
    options = (
        as_json_option,
        html_option,
        click.option(
            "--history/--no-history",
            default=None,
            help="Keep the figures in the data directory. [default: with --data-dir]",
        ),
        click.option(
            "--min", "least", metavar="NAME=VALUE", multiple=True, help="Exit code 1 when the figure is lower."
        ),
        click.option(
            "--max", "most", metavar="NAME=VALUE", multiple=True, help="Exit code 1 when the figure is higher."
        ),
        click.option(
            "--no-worse",
            type=click.FloatRange(0, 1),
            help="Exit code 1 when a share is worse by more than the last good run's.",
        ),
    )

    @wraps(command)
    def checked(
        given: Given, /, history: bool | None, least: tuple[str, ...], most: tuple[str, ...], **typed: Any
    ) -> None:
        names = NAMES[click.get_current_context().info_name or ""]
        kept = given.data_dir is not None if history is None else history
        wishes = Wishes(
            history=kept,
            least=dict(_bound(one, names) for one in least),
            most=dict(_bound(one, names) for one in most),
            **{name: typed.pop(name) for name in ("as_json", "html", "no_worse")},
        )
        _possible(wishes)
        command(given, wishes=wishes, **typed)

    for option in reversed(options):
        checked = option(checked)
    return checked


def _bound(typed: str, names: Sequence[str]) -> tuple[str, float]:
    name, _, value = typed.partition("=")
    language, _, figure = name.rpartition(".")
    if figure not in names or language not in ("", *LANGUAGES):
        raise BadInput(
            f"{name} is no figure of this evaluation. There are: {', '.join(names)}; of one language: hi.{names[0]}"
        )
    try:
        bound = float(value)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise BadInput(f"{typed}: write NAME=VALUE, such as {names[0]}=0.9")
    return name, bound


def _possible(wishes: Wishes) -> None:
    if wishes.no_worse is not None and not wishes.history:
        raise BadInput("--no-worse needs earlier runs to compare with: add --history, or name a --data-dir")
    if wishes.html and not wishes.html.absolute().parent.is_dir():
        raise BadInput(f"{wishes.html.parent} is not there: make the folder first")


def told(given: Given, wishes: Wishes, *reports: tuple[str, Mapping[str, Any], Path], whole: Any = None) -> None:
    """Each report with what was typed and its questions. ``whole`` is what --json prints instead of the one report.

    May end in exit code 1.
    """
    from appliance.evaluation.measured import measured
    from appliance.operations.history import fingerprint

    found = [measured(command, report, fingerprint=fingerprint([asked])) for command, report, asked in reports]
    if wishes.history:
        found = [_kept(given, one, wishes) for one in found]
    if wishes.as_json:
        printed.as_json(reports[0][1] if whole is None else whole)
    else:
        show(found)
    if wishes.html:
        drawn(wishes.html, found)
    judged([*_out_of_bounds(wishes, found), *(str(fall) for one in found for fall in one.run.fell)])


def show(found: Sequence[Measured]) -> None:
    """The tables, with the change since the run before."""
    for one in found:
        if len(found) > 1:
            click.echo(one.run.command)
        printed.figures(_columns(one.run), before=_shares(_columns(one.before)) if one.before else {})
        for columns in one.groups.values():
            click.echo()
            printed.figures(columns)


def _columns(run: Run) -> dict[str, Numbers]:
    return {"overall": run.overall, **run.by_lang}


def _shares(columns: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Counts and times differ from run to run without being better or worse."""
    from appliance.operations.history import HIGH, LOW

    return {
        head: {name: value for name, value in column.items() if name in HIGH | LOW} for head, column in columns.items()
    }


def drawn(file: Path, found: Sequence[Measured]) -> None:
    from appliance.evaluation.report import page

    try:
        file.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error


def judged(fallen: Sequence[str]) -> None:
    """Every figure that is not what it should be, a line each, and exit code 1."""
    for one in fallen:
        click.echo(one, err=True)
    if fallen:
        sys.exit(1)


def _kept(given: Given, one: Measured, wishes: Wishes) -> Measured:
    from appliance.evaluation.measured import remembered

    kept = remembered(one, Path(given.config().data.directory), margin=wishes.no_worse)
    if wishes.no_worse is not None and not kept.earlier:
        click.echo(f"{one.run.command}: the first run of this set, there is nothing to compare with yet", err=True)
    return kept


def _out_of_bounds(wishes: Wishes, found: Sequence[Measured]) -> Iterator[str]:
    for name, low, high in _bounds(wishes):
        values = [one.run.figures[name] for one in found if name in one.run.figures]
        if not values:
            known = sorted({figure for one in found for figure in one.run.figures})
            raise BadInput(f"the set tells nothing of {name}. It tells: {', '.join(known)}")
        for value in values:
            if value < low:
                yield f"{name} is {value:g}, less than {low:g}"
            if value > high:
                yield f"{name} is {value:g}, more than {high:g}"


def _bounds(wishes: Wishes) -> Iterator[tuple[str, float, float]]:
    yield from ((name, low, float("inf")) for name, low in wishes.least.items())
    yield from ((name, float("-inf"), high) for name, high in wishes.most.items())
