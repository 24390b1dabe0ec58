"""The emergency gate: decides by rules alone, before anything else, whether words mean danger now, and what is said then.

Knows no model, no document and no conversation. Nothing is read after construction, and no text is kept or logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final, get_args

import msgspec

from appliance.assistant.redflags.rules import Kind, RedFlagRules
from appliance.errors import BadConfig
from appliance.message import LANGUAGES, Language


class RedFlag(msgspec.Struct, frozen=True, kw_only=True):
    """Danger now, and the rule that says so."""

    kind: Kind
    rule: str
    language: Language
    """The language of the rule file, which is that of the words it found."""
    sure: bool = True
    """False for a hint: danger, unless the alarm behind the rules holds that there is none."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient in danger is told, and the numbers to call as (label, number)."""

    text: str
    reminder: str
    """How to get help, in one sentence or two: said with whatever else is said while the alert is open."""
    precaution: str
    """The same where we take it that there is no danger, in case there is."""
    calls: tuple[tuple[str, str], ...]


class Triage:
    """Loads rules and scripts; if either is broken there is no Triage, and without it no answer."""

    def __init__(self) -> None:
        self.rules: Final = RedFlagRules.load()
        _scripts()

    def red_flag(self, text: str) -> RedFlag | None:
        return next(self.red_flags(text), None)

    def red_flags(self, text: str) -> Iterator[RedFlag]:
        """Every rule that fires, the one that decides first."""
        for one in self.rules.fired(text):
            yield RedFlag(kind=one.rule.kind, rule=one.rule.id, language=one.language, sure=one.sure)


def script(kind: Kind, language: Language, country: str, emergency_number: str) -> Script:
    """The clinician's fixed words. A country without its own gets those that name only the emergency number."""
    scripts = _scripts()
    lines = scripts.get(country.upper(), scripts[_DEFAULT])
    numbers = {**lines.numbers, "emergency": emergency_number}
    labels = lines.labels[language]
    calls = ((labels[line].format(number=numbers[line]), numbers[line]) for line in lines.calls[kind])
    return Script(
        text=lines.words[language][kind].format(emergency=emergency_number),
        reminder=lines.reminders[language][kind].format(emergency=emergency_number),
        precaution=lines.precautions[language].format(emergency=emergency_number),
        calls=tuple(calls),
    )


_DEFAULT: Final = ""


class _Lines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One country's help lines and words. ``calls`` lists, by kind, which numbers are shown and in which order."""

    numbers: dict[str, str]
    calls: dict[Kind, list[str]]
    labels: dict[Language, dict[str, str]]
    words: dict[Language, dict[Kind, str]]
    reminders: dict[Language, dict[Kind, str]]
    precautions: dict[Language, str] = {}


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: str
    default: _Lines
    country: dict[str, _Lines]


@cache
def _scripts() -> dict[str, _Lines]:
    """By country code; what a country does not say is as in the default."""
    try:
        data = (resources.files("appliance.assistant.redflags") / "scripts.toml").read_bytes()
        file = msgspec.toml.decode(data, type=_File)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise BadConfig(f"assistant/redflags/scripts.toml cannot be read: {error}") from error
    scripts = {_DEFAULT: file.default} | {code: _over(file.default, own) for code, own in file.country.items()}
    for code, lines in scripts.items():
        _check(code, lines)
    return scripts


def _over(default: _Lines, own: _Lines) -> _Lines:
    return _Lines(
        numbers=default.numbers | own.numbers,
        calls=default.calls | own.calls,
        labels={language: default.labels[language] | own.labels.get(language, {}) for language in default.labels},
        words={language: default.words[language] | own.words.get(language, {}) for language in default.words},
        reminders={code: default.reminders[code] | own.reminders.get(code, {}) for code in default.reminders},
        precautions=default.precautions | own.precautions,
    )


def _check(code: str, lines: _Lines) -> None:
    """Every kind has words, calls and labels in every language, so that nothing can be missing in an emergency."""
    kinds = set(get_args(Kind))
    shown = {line for calls in lines.calls.values() for line in calls}
    complete = set(lines.calls) == kinds and shown <= {"emergency", *lines.numbers}
    for language in LANGUAGES:
        complete &= set(lines.words.get(language, {})) == kinds and shown <= set(lines.labels.get(language, {}))
        complete &= set(lines.reminders.get(language, {})) == kinds and bool(lines.precautions.get(language))
    if not complete:
        where = f"country {code}" if code else "default"
        raise BadConfig(f"assistant/redflags/scripts.toml, {where}: a kind, language, number or label is missing")
