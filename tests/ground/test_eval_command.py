"""What every `medinovai eval` does with its figures, by the one that needs no documents and no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.operations import history

GOOD = {"source": "The clinic opens at 8:00.", "text": "The clinic opens at 8:00.", "supported": True, "lang": "en"}
BAD = {"source": "The clinic opens at 8:00.", "text": "The clinic opens at 9:00.", "supported": False, "lang": "en"}
DATA = Path("data")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blockbuster) -> None:
    blockbuster.deactivate()  # what is typed may block: it has its process for itself
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))
    pairs(GOOD, BAD)


def pairs(*rows: dict[str, object]) -> None:
    lines = (json.dumps({"id": str(place), **row}) for place, row in enumerate(rows))
    Path("pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")


def measured(*words: str, data: bool = False) -> Result:
    place = ("--data-dir", str(DATA)) if data else ()
    return CliRunner().invoke(main, (*place, "eval", "grounding", "--words-only", "--pairs", "pairs.jsonl", *words))


def yesterday(**overall: float) -> None:
    """A good run of the same set, kept."""
    fingerprint = history.fingerprint([Path("pairs.jsonl")])
    history.keep(DATA, history.Run(command="grounding --words-only", set=fingerprint, overall=dict(overall)))


def test_without_wishes_a_table_is_printed_and_nothing_is_kept():
    told = measured()
    assert told.exit_code == 0, told.stderr
    assert "balanced_accuracy" in told.stdout
    assert not DATA.exists()


def test_html_is_a_page_beside_the_table_or_the_json():
    told = measured("--html", "page.html", "--json")
    assert json.loads(told.stdout)["overall"]["balanced_accuracy"] == 1.0
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_in_a_folder_that_is_not_there_is_told_before_anything_is_measured():
    assert measured("--html", "nowhere/page.html").exit_code == 2


def test_figures_are_kept_in_a_data_directory_that_is_named_or_on_demand():
    assert measured(data=True).exit_code == 0
    assert measured("--history").exit_code == 0
    assert measured("--no-history", data=True).exit_code == 0
    kept = history.runs(DATA)
    assert [one.command for one in kept] == ["grounding --words-only"] * 2
    assert "8:00" not in (DATA / history.FILE).read_text(encoding="utf-8")


def test_the_table_shows_the_change_since_the_run_before():
    yesterday(balanced_accuracy=0.5, pairs=9)
    told = measured(data=True)
    assert "1 (+0.5)" in told.stdout
    assert "-7" not in told.stdout  # fewer pairs are no better or worse


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--min", "balanced_accuracy=1"), 0, ""),
        (("--max", "en.unsupported_dropped=1"), 0, ""),
        (("--min", "balanced_accuracy=1.01"), 1, "balanced_accuracy is 1, less than 1.01\n"),
        (("--max", "supported_kept=0.5", "--max", "en.supported_kept=0.4"), 1, "supported_kept is 1, more than 0.5\n"),
    ],
)
def test_a_figure_out_of_bounds_is_exit_code_1_and_a_line(words: tuple[str, ...], code: int, said: str):
    told = measured(*words)
    assert told.exit_code == code
    assert said in told.stderr
    assert "balanced_accuracy" in told.stdout  # the table comes all the same


@pytest.mark.parametrize("wrong", ["recall=1", "xx.supported_kept=1", "supported_kept", "supported_kept=nan", "=1", ""])
def test_a_bound_that_means_nothing_is_told_with_the_names_that_there_are(wrong: str):
    told = measured("--min", wrong)
    assert told.exit_code == 2
    assert "balanced_accuracy" in told.stderr


def test_a_bound_on_what_the_set_does_not_tell_is_no_success():
    told = measured("--min", "hi.supported_kept=0.1")
    assert told.exit_code == 2
    assert "en.supported_kept" in told.stderr


def test_worse_than_the_last_good_run_is_exit_code_1_until_it_is_good_again():
    pairs(GOOD, {**BAD, "text": "The clinic opens at 8:00."})  # nothing to find wrong in it: half is right
    yesterday(balanced_accuracy=1.0)
    for _day in range(2):
        told = measured("--no-worse", "0.1", data=True)
        assert told.exit_code == 1
        assert "balanced_accuracy fell: 1 before, 0.5 now" in told.stderr
    assert measured("--no-worse", "0.6", data=True).exit_code == 0


def test_a_first_run_has_nothing_to_be_worse_than_and_says_so():
    told = measured("--no-worse", "0.1", data=True)
    assert told.exit_code == 0
    assert "nothing to compare with" in told.stderr


def test_no_worse_without_a_history_is_told():
    assert measured("--no-worse", "0.1").exit_code == 2
