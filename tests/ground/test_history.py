"""Figures of past evaluations: what is kept, what is compared, and what `medinovai doctor` says of it."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from appliance.config import Config, Data
from appliance.operations import checks, history
from appliance.operations.history import Fall, Numbers, Run


def run(
    command: str = "answers", of: str = "set", by_lang: dict[str, Numbers] | None = None, **overall: float | None
) -> Run:
    return Run(command=command, set=of, overall=overall, by_lang=by_lang or {})


def doctor(directory: Path) -> checks.Check:
    return checks.self_test(msgspec.structs.replace(Config(), data=Data(directory=str(directory))))


def fell(now: Run, *before: Run, margin: float = 0.03) -> list[str]:
    return [str(one) for one in history.fallen(now, before, margin=margin)]


def test_what_is_kept_comes_back_in_order_and_only_its_owner_reads_it(tmp_path):
    first, second = run(right=0.5, cited_doc=None), run(right=0.75, by_lang={"hi": {"right": 0.5}})
    for one in (first, second):
        history.keep(tmp_path / "data", one)
    assert history.runs(tmp_path / "data") == [first, second]
    assert stat.S_IMODE((tmp_path / "data" / history.FILE).stat().st_mode) == 0o600


def test_only_the_same_command_on_the_same_questions_is_compared(tmp_path):
    for one in (run(right=0.1), run("nightly answers", right=0.2), run(of="other", right=0.3)):
        history.keep(tmp_path, one)
    assert [one.overall for one in history.earlier(tmp_path, run())] == [{"right": 0.1}]


def test_a_line_cut_short_is_passed_over_and_logged(tmp_path, caplog):
    history.keep(tmp_path, run(right=0.1))
    with (tmp_path / history.FILE).open("ab") as file:
        file.write(b'{"command":"ans\n')
    history.keep(tmp_path, run(right=0.2))
    assert [one.overall["right"] for one in history.runs(tmp_path)] == [0.1, 0.2]
    assert "line=2" in caplog.text


def test_without_any_run_there_is_nothing_to_compare(tmp_path):
    assert history.runs(tmp_path / "nowhere") == []
    assert fell(run(right=0.1)) == []


@pytest.mark.parametrize(
    ("figure", "before", "now", "worse"),
    [
        ("right", 0.9, 0.86, True),
        ("right", 0.83, 0.80, False),  # just the margin
        ("right", 0.8, 0.9, False),
        ("must_not", 0.0, 0.04, True),
        ("must_not", 0.04, 0.0, False),
        ("questions", 100, 90, False),
        ("first_ms_p95", 100, 900, False),
    ],
)
def test_a_share_that_is_worse_by_more_than_the_margin_fell(figure, before, now, worse):
    assert bool(fell(run(**{figure: now}), run(**{figure: before}))) is worse


def test_a_fall_in_one_language_is_told_though_the_whole_stays():
    hindi: list[dict[str, Numbers]] = [{"hi": {"right": value}} for value in (0.9, 0.7)]
    before, now = hindi
    assert fell(run(right=0.8, by_lang=now), run(right=0.8, by_lang=before)) == ["hi.right fell: 0.9 before, 0.7 now"]


def test_the_second_bad_run_is_compared_with_the_last_good_one():
    good = run(right=0.9)
    bad = msgspec.structs.replace(run(right=0.7), fell=(Fall(figure="right", before=0.9, now=0.7),))
    assert fell(run(right=0.7), good, bad) == ["right fell: 0.9 before, 0.7 now"]
    assert fell(run(right=0.9), good, bad) == []


def test_a_fingerprint_follows_the_content_of_a_file_and_of_a_folder(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text("1", encoding="ascii")
    first = history.fingerprint([file]), history.fingerprint([tmp_path])
    assert first == (history.fingerprint([file]), history.fingerprint([tmp_path]))
    file.write_text("2", encoding="ascii")
    assert history.fingerprint([file]) != first[0] and history.fingerprint([tmp_path]) != first[1]


def test_the_doctor_warns_of_a_worse_self_test_until_a_run_is_good_again(tmp_path):
    assert doctor(tmp_path).state == "ok"
    worse = Fall(figure="recall", before=1.0, now=0.9)
    history.keep(tmp_path, run("nightly answers", right=0.9))
    assert doctor(tmp_path).state == "ok"
    history.keep(tmp_path, msgspec.structs.replace(run("nightly safety", recall=0.9), fell=(worse,)))
    history.keep(tmp_path, run("nightly answers", right=0.9))
    found = doctor(tmp_path)
    assert (found.state, found.words) == ("warning", "recall fell: 1 before, 0.9 now (nightly safety).")
    history.keep(tmp_path, run("nightly safety", recall=1.0))
    assert doctor(tmp_path).state == "ok"


def test_a_fall_of_an_evaluation_by_hand_is_not_the_doctors(tmp_path):
    worse = Fall(figure="right", before=1.0, now=0.9)
    history.keep(tmp_path, msgspec.structs.replace(run("answers", right=0.9), fell=(worse,)))
    assert doctor(tmp_path).state == "ok"


def test_the_doctor_says_so_when_the_history_cannot_be_read(tmp_path):
    (tmp_path / history.FILE).mkdir()
    assert doctor(tmp_path).state == "warning"
