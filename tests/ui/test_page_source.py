"""What the page's files may not hold: they are shown under a strict content policy, and only one of them uses the network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "ui"
SCRIPTS = sorted(UI.glob("*.js"))
PAGES = sorted(UI.glob("*.html"))
NETWORK = {"api.js", "staff-api.js", "staff-worker.js"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_no_script_makes_elements_out_of_markup(script: Path) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser",
        script.read_text("utf-8"),
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_only_three_scripts_use_the_network(script: Path) -> None:
    used = re.search(r"\bfetch\(|new WebSocket|new EventSource|XMLHttpRequest|sendBeacon", script.read_text("utf-8"))
    assert bool(used) == (script.name in NETWORK)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_every_script_says_what_it_is_for_and_has_its_types_checked(script: Path) -> None:
    first, second, *_ = script.read_text("utf-8").splitlines()
    assert re.fullmatch(r"// [A-Z].*\.", first)
    assert second == "// @ts-check"


@pytest.mark.parametrize("page", PAGES, ids=lambda file: file.name)
def test_no_page_holds_inline_script_or_style_or_reaches_elsewhere(page: Path) -> None:
    source = page.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", source)


@pytest.mark.parametrize(("page", "first"), [("index.html", "chat.js"), ("staff.html", "staff.js")])
def test_every_module_is_fetched_ahead(page: str, first: str) -> None:
    source = (UI / page).read_text("utf-8")
    needed, seen = {first}, set[str]()
    while needed - seen:
        name = (needed - seen).pop()
        seen.add(name)
        needed |= set(re.findall(r'from "\./([\w-]+\.js)"', (UI / name).read_text("utf-8")))
    assert set(re.findall(r'modulepreload" href="/static/([\w-]+\.js)"', source)) == needed - {first}
