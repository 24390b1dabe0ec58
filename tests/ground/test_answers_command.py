"""Signed answers at the command line, with the real embedder."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.message import now

pytestmark = pytest.mark.models

DOCUMENT = """---
title: Flu shots
language: en
---
# Flu shots

You need no appointment for a flu shot. A flu shot costs $24.
"""


def answers(*, price: int = 24, until: int = 300) -> str:
    today = now().date()
    return f'''[[answer]]
id = "flu-shot"
signed_by = "Dr. Elena Marsh"
role = "Medical director"
signed_on = {today - timedelta(days=40)}
valid_from = {today - timedelta(days=30)}
valid_until = {today + timedelta(days=until)}
review_by = {today - timedelta(days=20)}

[answer.en]
questions = [
  "Do I need an appointment for a flu shot?",
]
answer = """
No appointment.
A flu shot costs ${price}."""
'''


@pytest.fixture(autouse=True)
def _box(tmp_path: Path, monkeypatch, blockbuster):
    blockbuster.deactivate()  # what is typed may block: it has its process for itself
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))
    typed("init")


def typed(*words: str) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def imported(text: str) -> str:
    Path("answers.toml").write_text(text, encoding="utf-8")
    return typed("answers", "import", "answers.toml", "--by", "Ana").output


def test_answers_are_imported_said_exported_checked_and_withdrawn():
    Path("flu.md").write_text(DOCUMENT, encoding="utf-8")
    typed("learn", "flu.md")
    assert "1 new, 0 changed, 0 as before" in imported(answers())
    said = typed("ask", "do i need an appointment for a flu shot").output
    assert "No appointment.\nA flu shot costs $24." in said
    assert "Signed by Dr. Elena Marsh, Medical director" in said

    typed("answers", "export", "out.toml")
    assert Path("out.toml").read_text(encoding="utf-8") == answers()
    typed("answers", "export", "out.csv")
    assert "0 new, 0 changed, 1 as before" in typed("answers", "import", "out.csv", "--by", "Ana").output

    assert typed("answers", "check").exit_code == 0
    assert "0 new, 1 changed, 0 as before" in imported(answers(price=42))
    checked = typed("answers", "check", "--json")
    assert checked.exit_code == 1
    (found,) = json.loads(checked.stdout)
    assert (found["answer"], found["kind"]) == ("flu-shot", "documents")

    typed("answers", "withdraw", "flu-shot", "--by", "Ana")
    (listed,) = json.loads(typed("answers", "list", "--json").stdout)
    assert (listed["standing"], listed["version"], listed["state"]) == ("withdrawn", "3", "withdrawn by Ana")
    assert "Signed by" not in typed("ask", "do i need an appointment for a flu shot").output


def test_what_is_due_or_expired_shows_up_in_a_list_and_the_expired_is_not_said():
    imported(answers())
    (due,) = json.loads(typed("answers", "list", "--expired", "--json").stdout)
    assert due["standing"] == "due"
    imported(answers(until=-10))
    (expired,) = json.loads(typed("answers", "list", "--expired", "--json").stdout)
    assert expired["standing"] == "expired"
    assert "Signed by" not in typed("ask", "do i need an appointment for a flu shot").output


def test_a_file_that_is_wrong_changes_nothing():
    wrong = typed("answers", "import", "none.toml", "--by", "Ana")
    assert wrong.exit_code == 2
    Path("answers.toml").write_text(answers().replace("signed_by", "sined_by"), encoding="utf-8")
    refused = typed("answers", "import", "answers.toml", "--by", "Ana")
    assert refused.exit_code == 2
    assert "answers.toml, flu-shot" in refused.stderr
    assert json.loads(typed("answers", "list", "--json").stdout) == []
