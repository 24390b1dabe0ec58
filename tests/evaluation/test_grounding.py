"""The figures of the support check, and that our own pairs are what they say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from blockbuster import BlockBuster

import appliance.demo as demo
from appliance.assistant.grounding import Grounding
from appliance.errors import BadInput
from appliance.evaluation.fit_grounding import OWN
from appliance.evaluation.grounding import judged_pairs, pairs, sources_of

EVAL_DATA = Path(os.environ.get("MEDINOVAI_EVAL_DATA", Path(__file__).parents[2] / "../shared/eval"))
PUBLIC = EVAL_DATA / "grounding" / "halueval_general.dev.jsonl"
SOURCE = "Main Street is open until 5:00 p.m.\nThe pharmacy does not sell stamps."


@pytest.fixture(autouse=True)
def _may_read_its_sets(blockbuster: BlockBuster) -> None:
    """A command line tool that serves nobody meanwhile."""
    blockbuster.functions["io.TextIOWrapper.read"].can_block_in("appliance/evaluation/grounding.py", "pairs")
    blockbuster.functions["io.TextIOWrapper.read"].can_block_in("pathlib.py", "read_text")


def row(name: str, text: str, *, supported: bool, **more: str) -> str:
    return json.dumps({"id": name, "source": SOURCE, "text": text, "supported": supported, **more})


async def test_balanced_accuracy_is_the_mean_of_both_sides(tmp_path: Path):
    file = tmp_path / "pairs.jsonl"
    lines = [
        row("a", "Main Street is open until 5 p.m.", supported=True, lang="en"),
        row("b", "Main Street is open until 5 p.m. The pharmacy does not sell stamps.", supported=True),
        row("c", "Main Street is open until 6 p.m.", supported=True),  # wrongly labelled: dropped, and so wrong
        row("d", "Main Street is open until 5 p.m. The pharmacy sells stamps.", supported=False, perturbation="not"),
    ]
    file.write_text("\n".join([*lines, ""]), "utf-8")
    told = await judged_pairs(Grounding.load(), pairs(file))
    assert told["overall"] == {
        "pairs": 4,
        "balanced_accuracy": 0.8333,
        "supported_kept": 0.6667,
        "unsupported_dropped": 1.0,
    }
    assert [(one.id, one.verdict, one.reason) for one in told["rows"]] == [
        ("a", "kept", ""),
        ("b", "kept", ""),
        ("c", "dropped", "fact"),
        ("d", "dropped", "negation"),
    ]
    assert told["by_perturbation"] == {"not": 1.0} and set(told["by_lang"]) == {"en"}


def test_a_wrong_line_is_named(tmp_path: Path):
    file = tmp_path / "pairs.jsonl"
    file.write_text(row("a", "Yes.", supported=True) + '\n{"id": "b"}\n', "utf-8")
    with pytest.raises(BadInput, match="line 2"):
        pairs(file)


def test_lines_of_a_list_stand_alone():
    assert [one.alone for one in sources_of("- Yes, we do.\nNo. Never.")] == [True, False, False]


def test_our_own_pairs_are_half_wrong_in_four_languages_and_their_sources_stand_in_the_documents():
    given = pairs(OWN)
    rows = [json.loads(line) for line in OWN.read_text("utf-8").splitlines()]
    documents = Path(demo.__path__[0]) / "documents"
    assert len(given) >= 200 and len({pair.id for pair in given}) == len(given)
    assert sum(pair.supported for pair in given) * 2 == len(given)
    for code in ("en", "es", "zh", "hi"):
        some = [pair for pair in given if pair.lang == code]
        assert len(some) >= 50 and sum(pair.supported for pair in some) * 2 == len(some)
    assert all(bool(pair.perturbation) != pair.supported for pair in given)
    for one in rows:
        text = (documents / one["document"]).read_text("utf-8")
        assert [line for line in one["source"].splitlines() if line not in text] == []
    halves = {half: {pair.source for pair in given if pair.half == half} for half in ("fit", "report")}
    assert not halves["fit"] & halves["report"], "what is reported was fitted on"


@pytest.mark.slow
async def test_the_check_holds_its_floor_on_pairs_it_was_not_fitted_on_even_without_an_embedder():
    told = await judged_pairs(Grounding.load(), [pair for pair in pairs(OWN) if pair.half == "report"])
    assert told["overall"]["balanced_accuracy"] >= 0.78
    sure = ("digit", "day", "half_day", "drug", "site")
    assert {kind: told["by_perturbation"][kind] for kind in sure} == dict.fromkeys(sure, 1.0)


def test_the_public_set_is_read():
    if not PUBLIC.exists():
        pytest.skip(f"no evaluation data at {PUBLIC}; set MEDINOVAI_EVAL_DATA to measure on it")
    given = pairs(PUBLIC)
    assert len(given) >= 400 and {pair.supported for pair in given} == {True, False}
