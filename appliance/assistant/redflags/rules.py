"""Reads the rule files and applies them to a message: a rule's words, unless a guard holds. Knows no channel and no script.

A rule file that cannot be read, or a rule without examples, is an error at start: without triage there is no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Final, Literal, get_args

import msgspec

from appliance.assistant.redflags.patterns import (
    MATCH,
    PART,
    Found,
    Lexicon,
    Notation,
    NotationError,
    Pattern,
    Reading,
    Span,
)
from appliance.assistant.redflags.words import Mender, Spelling
from appliance.errors import BadConfig
from appliance.message import LANGUAGES, Language

Kind = Literal["medical", "poison", "pregnancy_infant", "violence", "suicide"]
KINDS_BY_RANK: Final[tuple[Kind, ...]] = ("suicide", "violence", "poison", "pregnancy_infant", "medical")
"""When several fire, the first decides the words: each of these scripts also says when to call the emergency number."""

GuardName = Literal["negated", "past", "asking", "other"]


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a text sets off."""

    rule: Rule
    language: Language
    """Of the rule's file."""
    sure: bool
    """By its `when`; else by its `hint` only."""


class GuardText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the words of a rule do not mean danger now. With MATCH: words around them. Without: words they may not share."""

    when: list[str]
    unless: list[str] = []
    """Takes the guard back: 'I had a stroke in 2019 and it is happening again'."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One red flag, as a clinician reads and edits it."""

    id: str
    kind: Kind
    catches: str
    when: list[str] = []
    """What means danger by itself."""
    hint: list[str] = []
    """What has meant it in too few messages, or was seen in harmless ones too: danger unless the alarm holds that there is none."""
    unless: list[str] = []
    """Guards of this rule alone."""
    guards: tuple[GuardName, ...] = ("negated", "past", "asking", "other")
    must: list[str]
    must_not: list[str] = []


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One language. The notation is explained in patterns.py."""

    language: Language
    version: str
    gap: int
    """How many words (Chinese: characters) ``..`` and ``+`` may skip when no number stands there."""
    guards_also: list[Language] = []
    """Languages whose words patients mix into this one, so that its guards must hold for them too: 'chest pain nahi hai'."""
    walls: list[str]
    letters: str = ""
    """Letters written for other letters: pairs like ``醫医``, with spaces between."""
    spelling: dict[str, str] = {}
    mended: list[str] = []
    """Words of six letters and more that are recognised with one letter wrong."""
    ordinary: list[str] = []
    """Words that look like a slip in one of those, but are none."""
    concepts: dict[str, list[str]]
    guards: dict[GuardName, GuardText]
    rule: list[Rule]


class Guard:
    """Patterns around what was found, and patterns whose words it may not share; ``unless`` takes the former back."""

    def __init__(self, notation: Notation, when: list[str], unless: list[str]) -> None:
        patterns = notation.all(when)
        self._around: Final = [pattern for pattern in patterns if not {MATCH, PART}.isdisjoint(pattern.elements)]
        self._unless: Final = notation.all(unless)
        self._covering: Final = [pattern for pattern in patterns if {MATCH, PART}.isdisjoint(pattern.elements)]

    def holds(self, around: Mapping[int, list[Span]], reading: Reading) -> bool:
        return self._any_stands(self._around, around, reading) and not self._any_stands(self._unless, around, reading)

    def covered(self, reading: Reading) -> frozenset[int]:
        return frozenset().union(*map(reading.covered, reading.possible(self._covering)))

    @staticmethod
    def _any_stands(patterns: list[Pattern], around: Mapping[int, list[Span]], reading: Reading) -> bool:
        return any(reading.stands(pattern, around) for pattern in reading.possible(patterns))


Guards = dict[GuardName, list[Guard]]


class CompiledRule:
    """A rule with its own patterns and all its guards."""

    def __init__(self, rule: Rule, file: CompiledFile, shared: Guards) -> None:
        if not (rule.when or rule.hint) or not rule.must:
            raise NotationError(f"rule {rule.id!r}: `must`, and `when` or `hint`, need at least one line each")
        self.rule: Final = rule
        self.language: Final = file.file.language
        self.when: Final = file.notation.all(rule.when)
        self.hint: Final = file.notation.all(rule.hint)
        self._walls: Final = file.walls
        self._guards: Final = [
            Guard(file.notation, rule.unless, []),
            *(guard for name in rule.guards for guard in shared[name]),
        ]

    def fires(self, patterns: Iterable[Pattern], reading: Reading) -> bool:
        """Whether one of its patterns stands in the message somewhere where no guard holds."""
        found = [one for pattern in patterns for one in reading.find(pattern, walls=self._walls)]
        if not found:
            return False
        covered = frozenset().union(*(guard.covered(reading) for guard in self._guards))
        return any(not one.touches(covered) and not self._guarded(one, reading) for one in found)

    def _guarded(self, found: Found, reading: Reading) -> bool:
        around = reading.around(found)
        return any(guard.holds(around, reading) for guard in self._guards)


class CompiledFile:
    """One language's words, guards and rules."""

    def __init__(self, file: RuleFile, lexicon: Lexicon, spelling: Spelling) -> None:
        self.file: Final = file
        self.notation: Final = Notation(
            lexicon, concepts=file.concepts, gap=file.gap, spell=lambda text: spelling.read(text).tokens
        )
        self.guards: Final = {name: Guard(self.notation, text.when, text.unless) for name, text in file.guards.items()}
        self.walls: Final = lexicon.add([tuple(spelling.read(word).tokens) for word in file.walls])

    def rules(self, files: list[CompiledFile]) -> list[CompiledRule]:
        """With the guards of those files that hold for this language."""
        holding = [other for other in files if other is self or self.file.language in other.file.guards_also]
        guards: Guards = {name: [other.guards[name] for other in holding] for name in self.guards}
        return [CompiledRule(rule, self, guards) for rule in self.file.rule]


class RedFlagRules:
    """All rule files, compiled once; every file reads every message, because patients mix languages."""

    def __init__(self, files: list[RuleFile]) -> None:
        self.files: Final = files
        letters = {pair[0]: pair[1] for file in files for pair in file.letters.split()}
        self._spelling: Final = Spelling(letters=letters, words=_spellings(files))
        self._lexicon: Final = Lexicon()
        compiled = [_compiled(file, self._lexicon, self._spelling) for file in files]
        rules = [rule for file in compiled for rule in _rules(file, compiled)]
        self._rules: Final = sorted(rules, key=lambda rule: KINDS_BY_RANK.index(rule.rule.kind))
        self._index: Final = _index(self._rules)
        self._mender: Final = Mender(
            self._tokens(word for file in files for word in file.mended),
            ordinary=self._tokens(word for file in files for word in file.ordinary),
            known=self._lexicon.knows,
        )

    @classmethod
    def load(cls) -> RedFlagRules:
        """The files of the package. A missing one is an error like a broken one."""
        folder = resources.files(__package__)
        return cls([rule_file(language, (folder / f"{language}.toml").read_bytes()) for language in LANGUAGES])

    def _tokens(self, words: Iterable[str]) -> frozenset[str]:
        return frozenset(token for word in words for token in self._spelling.read(word).tokens)

    def fired(self, text: str) -> Iterator[Fired]:
        """The rules that the text sets off, those that are sure before the others, the kind that decides first."""
        words = self._spelling.read(text, mend=self._mender)
        reading = Reading(words, self._lexicon.occurrences(words))
        possible: dict[_Place, list[Pattern]] = {}
        for number in reading.present:
            for place, pattern in self._index.get(number, ()):
                if pattern.needs <= reading.present:
                    possible.setdefault(place, []).append(pattern)
        told: set[int] = set()
        for hinted, at in sorted(possible):
            rule = self._rules[at]
            if at not in told and rule.fires(possible[hinted, at], reading):
                told.add(at)
                yield Fired(rule=rule.rule, language=rule.language, sure=not hinted)


_Place = tuple[bool, int]
"""Whether a pattern only hints, and the place of its rule."""


def _index(rules: list[CompiledRule]) -> dict[int, list[tuple[_Place, Pattern]]]:
    """The patterns by their rarest element, so that a message is compared only with what its own words can mean."""
    patterns: list[tuple[_Place, Pattern]] = [
        ((hinted, place), pattern)
        for place, rule in enumerate(rules)
        for hinted, those in ((False, rule.when), (True, rule.hint))
        for pattern in those
    ]
    uses = Counter(number for _, pattern in patterns for number in pattern.needs)
    index: dict[int, list[tuple[_Place, Pattern]]] = {}
    for place, pattern in patterns:
        index.setdefault(min(pattern.needs, key=lambda number: (uses[number], number)), []).append((place, pattern))
    return index


def rule_file(language: Language, data: bytes) -> RuleFile:
    """The file of one language, its shape checked; raises BadConfig."""
    name = f"assistant/redflags/{language}.toml"
    try:
        file = msgspec.toml.decode(data, type=RuleFile)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadConfig(f"{name} cannot be read: {error}") from error
    ids = [rule.id for rule in file.rule]
    if file.language != language or len(set(ids)) != len(ids) or set(file.guards) != set(get_args(GuardName)):
        raise BadConfig(f"{name}: give its language, each rule an id of its own, and all four guards")
    return file


def _compiled(file: RuleFile, lexicon: Lexicon, spelling: Spelling) -> CompiledFile:
    try:
        return CompiledFile(file, lexicon, spelling)
    except NotationError as error:
        raise BadConfig(f"assistant/redflags/{file.language}.toml: {error}") from error


def _rules(compiled: CompiledFile, files: list[CompiledFile]) -> list[CompiledRule]:
    try:
        return compiled.rules(files)
    except NotationError as error:
        raise BadConfig(f"assistant/redflags/{compiled.file.language}.toml: {error}") from error


def _spellings(files: list[RuleFile]) -> dict[str, str]:
    """One table for all: a message may be in two languages, so two files may not disagree."""
    table: dict[str, str] = {}
    for file in files:
        for word, meant in file.spelling.items():
            if table.setdefault(word, meant) != meant:
                raise BadConfig(f"assistant/redflags/{file.language}.toml: another file spells {word!r} otherwise")
    return table
