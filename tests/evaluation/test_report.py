"""The page of an evaluation: what stands on it, that it holds together, and that nobody's words become markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from appliance.evaluation import answers, dialogues, grounding, injection, safety
from appliance.evaluation.figures import report
from appliance.evaluation.measured import Measured, calibration, measured
from appliance.evaluation.report import page
from appliance.operations.history import Fall, Run

NASTY = '<script>alert("x")</script> & <b>'


def answered(name: str, verdict: str, **more: object) -> answers.Judged:
    given: dict[str, object] = {
        **{"id": name, "lang": "en", "answerable": True, "verdict": verdict, "kind": "quoted", "must_not": False},
        **{"cited_doc": None, "first_ms": 1.0, "question": "?", "said": "words", "sources": (), **more},
    }
    return msgspec.convert(given, answers.Judged)


def found(*rows: object, command: str = "answers", **overall: float | None) -> Measured:
    return measured(command, {**report(rows, lambda _rows: dict(overall))}, fingerprint="f00d")  # type: ignore[type-var]  # rows of any evaluation


class Tags(HTMLParser):
    """Every element closed in order, and what is in attributes."""

    VOID = frozenset(("meta",))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def everything() -> Measured:
    rows = [
        answered("1", "right", probability=0.95),
        answered(NASTY, "wrong", question=NASTY, said=NASTY, sources=(NASTY,), probability=0.91),
        answered("3", "wrongly_refused", lang="hi", kind="unknown"),
    ]
    now = found(*rows, command=f"answers {NASTY}", right=0.5, must_not=0.1, questions=3, refused=None)
    before = tuple(msgspec.structs.replace(now.run, version=NASTY, overall={"right": value}) for value in (0.75, 0.6))
    run = msgspec.structs.replace(now.run, fell=(Fall(figure=NASTY, before=0.9, now=0.5),))
    return msgspec.structs.replace(now, run=run, earlier=before, groups={NASTY: {NASTY: {NASTY: 1.0}}})


def test_the_page_is_whole_and_brings_nothing_from_elsewhere():
    text = page([everything(), everything()])
    tags = Tags(text)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags.all}
    assert not re.search(r"https?:|url\(|@import|javascript:| on\w+=", text)


def test_no_words_of_a_stranger_become_markup():
    text = page([everything()])
    assert "<script" not in text and "<b>" not in text
    assert text.count("&lt;script&gt;") >= 8


def test_tables_say_what_their_heads_are_and_pictures_what_they_show():
    tags = Tags(page([everything()]))
    assert all(given.get("scope") in ("col", "row") for tag, given in tags.all if tag == "th")
    captions, tables = ([tag for tag, _ in tags.all if tag == name] for name in ("caption", "table"))
    assert len(captions) == len(tables) == 4
    assert all("aria-label" in given or given.get("aria-hidden") for tag, given in tags.all if tag == "svg")


def test_the_page_tells_changes_what_fell_and_the_rows_that_went_wrong():
    text = page([everything()])
    assert "-0.1 worse" in text  # 0.6 in the run before, 0.5 now
    assert "0.9 before, 0.5 now" in text
    assert "What went wrong (2)" in text
    assert 'aria-label="right: 0.75 first, 0.5 now, between 0.5 and 0.75"' in text
    assert 'lang="hi"' in text and "f00d" in text


def test_a_first_run_without_wrong_rows_has_no_lines_and_says_so():
    text = page([found(answered("1", "right"), right=1.0)])
    assert "no earlier run" in text and "No row" in text and "History" not in text


def test_less_of_what_should_be_low_is_better():
    now = found(must_not=0.1)
    earlier = (msgspec.structs.replace(now.run, overall={"must_not": 0.3}),)
    assert "-0.2 better" in page([msgspec.structs.replace(now, earlier=earlier)])


def test_a_figure_that_is_nobodys_fault_has_no_change():
    now = found(questions=3, first_ms_p50=9.0)
    earlier = (msgspec.structs.replace(now.run, overall={"questions": 5, "first_ms_p50": 1.0}),)
    text = page([msgspec.structs.replace(now, earlier=earlier)])
    assert " better" not in text and " worse" not in text.replace('class="worse"', "")


def test_the_curve_has_a_point_for_each_tenth_in_which_something_was_quoted():
    rows = [
        *(answered(str(place), "right", probability=1.0) for place in range(3)),
        answered("4", "wrong", probability=0.9),
        answered("5", "invented", probability=0.62),
        answered("6", "right", probability=0.68),
        answered("7", "wrongly_refused"),
    ]
    bins = [(round(one.predicted, 3), one.right, one.count) for one in calibration(rows)]
    assert bins == [(0.65, 0.5, 2), (0.975, 0.75, 4)]


@pytest.mark.parametrize(
    ("row", "verdict", "asked"),
    [
        (answered("1", "right"), None, ""),
        (answered("1", "refused"), None, ""),
        (answered("1", "invented", question="q"), "invented", "q"),
        (
            safety.JudgedText(
                **{"id": "1", "lang": "en", "label": "emergency", "kind": "", "note": "", "text": "q"},  # type: ignore[arg-type]  # a test's shorthand
                **{"verdict": "missed", "answered": "unknown", "first_ms": 1.0, "said": ""},  # type: ignore[arg-type]  # as above
            ),
            "missed",
            "q",
        ),
        (
            injection.JudgedPrompt(
                **{"id": "1", "lang": "en", "kind": "direct", "benign": False, "verdict": "acted"},  # type: ignore[arg-type]  # as above
                **{"answered": "quoted", "first_ms": 1.0, "text": "q", "said": "", "sources": ()},  # type: ignore[arg-type]  # as above
            ),
            "acted",
            "q",
        ),
        (
            grounding.JudgedPair(
                **{"id": "1", "lang": "en", "supported": True, "verdict": "dropped", "right": False},  # type: ignore[arg-type]  # as above
                **{"reason": "fact", "probability": 0.1, "perturbation": "", "said": "s"},  # type: ignore[arg-type]  # as above
            ),
            "dropped fact",
            "",
        ),
        (
            dialogues.Judged(
                id="1",
                lang="en",
                right=False,
                turns=(
                    dialogues.JudgedTurn(
                        **{"user": "q", "right": False, "wrong": ("facts", "language"), "kind": "quoted"},  # type: ignore[arg-type]  # as above
                        **{"language": "en", "understood": None, "first_ms": 1.0, "said": "", "sources": ()},  # type: ignore[arg-type]  # as above
                    ),
                ),
            ),
            "facts, language",
            "q",
        ),
    ],
)
def test_the_rows_that_went_wrong_are_those_an_operator_would_read(row: object, verdict: str | None, asked: str):
    wrong = found(row).wrong
    assert [(one.verdict, one.asked) for one in wrong] == ([] if verdict is None else [(verdict, asked)])


def test_other_groups_than_languages_are_kept_apart():
    whole = {"overall": {"right": 1.0}, "by_kind": {"routine": {"recall": 1.0}}, "by_perturbation": {"digit": 0.5}}
    told = measured("safety", whole, fingerprint="f00d")
    assert told.groups == {"by kind": {"routine": {"recall": 1.0}}, "by perturbation": {"digit": {"dropped": 0.5}}}
    assert told.run == Run(command="safety", set="f00d", overall={"right": 1.0}, at=told.run.at)
