"""What the papers say is what there is."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from appliance import UI, __version__
from appliance.__main__ import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def typed_in_readme() -> list[list[str]]:
    lines = re.findall(r"^medinovai .*|^`medinovai [^`]*`", README, re.MULTILINE)
    return [shlex.split(line.strip("`").split("  #")[0])[1:] for line in lines]


@pytest.mark.parametrize("words", typed_in_readme(), ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words):
    command: click.Command = main
    options = {name for option in main.params for name in option.opts}
    for word in words:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            options |= {name for option in command.params for name in option.opts}
    assert command is not main
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_is_in_the_readme(name):
    assert f"medinovai {name}" in README or f"{name}`" in README or f" {name}\n" in README


def test_architecture_stays_short_enough_to_be_read():
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 280


def test_every_module_and_room_that_architecture_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^  ([a-z_]+(?:\.py|/))", text, re.MULTILINE)
    assert rooms
    assert [room for room in rooms if not (ROOT / "appliance" / room).exists()] == []


def test_every_room_is_named_in_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [path.name for path in (ROOT / "appliance").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [room for room in rooms if f"  {room}/" not in text] == []


def test_every_module_says_what_it_is_for_in_its_first_line():
    modules = [path for room in ("appliance", "models") for path in (ROOT / room).rglob("*.py")]
    assert [path for path in modules if not path.read_text(encoding="utf-8").startswith('"""')] == []


def test_the_changelog_knows_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_dependency_has_its_reason_beside_it():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if re.match(r'  "[a-zA-Z0-9_\[\]-]+[~=><]', line)]
    assert len(named) >= 20
    known = tomllib.loads("\n".join(lines))["project"]["dependencies"]
    assert [line for line in named if "#" not in line and any(each in line for each in known)] == []


def test_the_pages_are_found_beside_the_package():
    assert (UI / "index.html").is_file()
