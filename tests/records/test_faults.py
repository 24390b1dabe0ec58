"""Broken on purpose: killed in mid-write, a full disk, a stolen data directory."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WRITING = Path(__file__).with_name("writing.py")
SAID = (
    ("my chest hurts since breakfast", "me duele el pecho desde ayer", "我从昨天起胸口很痛", "मुझे कल से सीने में दर्द है"),
    ("the clinic opens at eight", "la clínica abre a las ocho", "诊所早上八点开门", "क्लिनिक सुबह आठ बजे खुलता है"),
)


def fragments() -> list[bytes]:
    """Pieces short enough to be found even where a page ends in the middle of a sentence."""
    pieces = [text[at : at + 6] for texts in SAID for text in texts for at in range(0, len(text) - 5, 3)]
    return [piece.encode(code) for piece in pieces for code in ("utf-8", "utf-16-le")]


def read_by_a_thief(directory: Path) -> list[bytes]:
    """Which pieces of what was said stand in any file of this directory."""
    files = [file.read_bytes() for file in directory.rglob("*") if file.is_file()]
    return [piece for piece in fragments() if any(piece in content for content in files)]


def test_the_thief_would_find_the_words_in_a_plain_database(tmp_path: Path) -> None:
    plain = sqlite3.connect(tmp_path / "plain.db")
    plain.execute("CREATE TABLE turn (text TEXT)")
    plain.executemany("INSERT INTO turn VALUES (?)", [(text,) for texts in SAID for text in texts])
    plain.commit()
    plain.close()
    assert len(read_by_a_thief(tmp_path)) >= len(fragments()) / 2


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=500)  # noqa: S603 - commands of this file


def test_twenty_kills_lose_no_acknowledged_turn_and_leave_no_readable_word(tmp_path: Path) -> None:
    done = run(sys.executable, WRITING, "kill", tmp_path, "20")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["acknowledged"] >= 100
    assert (result["lost"], result["wrong"]) == (0, [])
    # Left as the last killed process left it: the newest turns are only in the WAL.
    assert (tmp_path / "clinic.db-wal").stat().st_size > 0
    assert read_by_a_thief(tmp_path) == []


def test_a_full_disk_is_told_and_everything_acknowledged_stays(tmp_path: Path) -> None:
    small_disk = f"mount -t tmpfs -o size=6m none '{tmp_path}'"
    if (probe := run("unshare", "-rm", "sh", "-c", small_disk)).returncode != 0:
        pytest.skip(f"no small disk can be made here: {probe.stderr.strip()}")
    fill = f"{small_disk} && exec '{sys.executable}' '{WRITING}' fill '{tmp_path}'"
    done = run("unshare", "-rm", "sh", "-c", fill)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert len(result["told"]) >= 1 and all("is full: free some space" in told for told in result["told"])
    assert result["acknowledged"] > 50
    assert result["during"] == result["acknowledged"]
    assert result["after"] == result["acknowledged"] + 1
    assert result["wrong"] == ["ok"]
