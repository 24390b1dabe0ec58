"""A follow-up ("and on Saturdays?") put together with the question before it, out of words the patient has said or was shown.

What the follow-up fills anew (subject, site, day, for whom) is replaced, the rest stays; nothing is invented, and a question
that stands by itself stays as it is. The words stand in followup.toml. Knows no store and no model: it is given the turns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from appliance.assistant.slots import CARRIED, ENDS, Piece, Read, Reader, Slot
from appliance.conversations.turns import Turn
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.words import fold
from appliance.languages import detect
from appliance.message import AnswerKind, Citation, Language

EARLIER: Final = 16
"""Turns that are looked at, the patient's and ours."""


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up as the question it is."""

    text: str
    shown: str
    """Its slots in the patient's language: "flu shot · Saturday"."""

    def __repr__(self) -> str:
        return f"Understood({len(self.text)} characters)"


class FollowUps:
    """Tells follow-ups from questions that stand by themselves, and completes them."""

    def __init__(self, glossary: Glossary) -> None:
        self._reader = Reader(glossary)
        self._words = self._reader.words

    def read(self, text: str, language: Language, *, sites: Sequence[str]) -> Read | None:
        """The message read, if it may be a follow-up: only then need anybody look at the conversation."""
        if _length(text) > MOST_WORDS:
            return None
        read = self._reader.read(text, language, sites=sites)
        return read if self._follows(read) else None

    def understood(self, follow: Read, earlier: Sequence[Turn], *, sites: Sequence[str]) -> Understood | None:
        """The whole question; None when nothing was said before that completes it."""
        before = self._before(earlier, tuple(sites))
        whole = self._completed(follow, before) if before else None
        return Understood(text=whole.text, shown=self._shown(whole)) if whole else None

    def _before(self, earlier: Sequence[Turn], sites: tuple[str, ...]) -> _Before | None:
        """The question last put, itself completed by those before it where it was a follow-up."""
        chain: list[tuple[Read, Turn]] = []
        for asked, answer in reversed(_exchanges(earlier)):
            language = detect(asked.text, hint=asked.language)  # the answer may be in another, if that was chosen
            chain.append((self._reader.read(asked.text, language, sites=sites), answer))
            if not self._follows(chain[-1][0]):
                break
        spoken = frozenset(site for read, _ in chain for site in read.names("site"))
        answers = tuple(answer for _, answer in chain)
        before: _Before | None = None
        for read, _ in reversed(chain):
            question = read
            if before and self._follows(read):  # what could not be completed is passed over
                question = self._completed(read, before) or before.question
            before = _Before(question=question, answers=answers, spoken=spoken, sites=sites)
        return before

    def _quoted_site(self, before: _Before) -> Piece | None:
        """The site that the patient was shown last, where quotes name one only."""
        for answer in before.answers:
            quotes = [". ".join((*part.heading, part.quote)) for part in answer.parts if isinstance(part, Citation)]
            read = [self._reader.read(quote, "en", sites=before.sites) for quote in quotes]
            named = {fold(site.text): site for one in read for site in one.of("site") if site.sure}
            if len(named) == 1:
                return _site(next(iter(named.values())).text)
        return None

    def _follows(self, read: Read) -> bool:
        """Whether it asks for something that it does not say."""
        asked_of = read.only(self._words.of_a_thing | self._words.of_a_place)
        if read.opened or read.of("other_site"):
            return True
        if read.of("it", "there"):
            return not read.subjects or asked_of
        if read.of("you", "whole") or _length(read.text) > ELLIPTIC_WORDS:
            return False
        if read.subjects:  # "do I need an appointment?"
            return asked_of and not read.of("site")
        if read.of("site"):  # "what time does Cannery open?" is whole, "at Cannery?" is not
            return not read.kinds
        return bool(read.kinds or read.of("when", "who"))

    def _completed(self, follow: Read, before: _Before) -> Read | None:
        """With what it leaves out; None when that was never said."""
        if follow.of("other_site") and not before.other_sites:
            return None
        if not follow.kinds and not follow.of("subject", "site", "other_site", "when", "who"):
            return None
        if self._of_the_door(follow) and not self._of_a_door(before.question):
            return None  # "几点开门?" after a question about cholesterol asks when the clinic opens
        if follow.only(self._words.of_a_place):
            return self._asked_anew(follow, before, ("site",))
        asks = follow.kinds if follow.subjects else follow.kinds - {"whether"}
        clause = bool(follow.subjects) and not follow.opened  # "do they ask for an id?", but not "and with Medicaid?"
        if not (asks or clause) or (not follow.subjects and asks <= before.question.kinds):
            return self._replaced(follow, before)
        own = follow.subjects and not follow.only(self._words.of_a_thing)
        return self._asked_anew(follow, before, ("site",) if own or self._of_the_clinic(follow) else CARRIED)

    def _of_the_door(self, follow: Read) -> bool:
        """Whether it asks when something opens or closes, and points at nothing."""
        opens = any(one.name in OPENING for one in follow.of("asking"))
        return opens and not (follow.opened or follow.of("subject", "site", "other_site", "it", "there"))

    def _of_a_door(self, question: Read) -> bool:
        """Whether that has a door of its own: it was asked about hours, of a site or of a department."""
        departments = any(one.name in self._words.departments for one in question.subjects)
        return bool("time" in question.kinds or question.of("site") or departments)

    def _of_the_clinic(self, follow: Read) -> bool:
        return bool(follow.of("you", "whole")) and not follow.of("it")

    def _asked_anew(self, follow: Read, before: _Before, carry: Sequence[Slot]) -> Read | None:
        """Its own question, with what was spoken of where it points at it, or behind it."""
        brought = [
            one for slot in carry if self._lacks(follow, slot) for one in self._carried(before.question, slot, follow)
        ]
        if carry == ("site",):
            brought = [one for one in brought if one.sure]
        if follow.subjects and not any(
            one.name for one in follow.subjects
        ):  # "how much is the exam?", at the eye clinic
            subjects = self._carried(before.question, "subject", follow)
            brought = [*(one for one in subjects if one.name in self._words.departments), *brought]
        if follow.of("other_site"):
            brought = [*(one for one in brought if one.slot != "site"), *before.other_sites]
        elif self._lacks(follow, "site") and not any(one.slot == "site" for one in brought):
            pointed = follow.of("there") or follow.only(self._words.of_a_place)
            brought += [site] if pointed and (site := self._quoted_site(before)) else []
        return self._reader.read(_pointed(follow, brought), follow.language, sites=before.sites) if brought else None

    def _lacks(self, follow: Read, slot: Slot) -> bool:
        if slot == "subject":
            return not follow.subjects or follow.only(self._words.of_a_thing)
        if slot == "when" and "time" not in follow.kinds:
            return False
        return not follow.of(slot)

    def _replaced(self, follow: Read, before: _Before) -> Read:
        """The question before, with what the follow-up fills anew in its place."""
        base = before.question
        fresh = [*follow.of("site", "when", "who", "subject"), *(before.other_sites if follow.of("other_site") else ())]
        stays = self._in_the_new_language if base.language != follow.language else self._in_its_place
        return self._reader.read(stays(follow, base, fresh), follow.language, sites=before.sites)

    def _in_its_place(self, follow: Read, base: Read, fresh: Sequence[Piece]) -> str:
        text, added = base.text, list[Piece]()
        edits: list[tuple[int, int, str]] = []
        for slot in CARRIED:
            new = [one for one in fresh if one.slot == slot]
            old = self._gives_way(base, new) if slot in ("subject", "site") else base.of(slot)
            if new and old:
                edits.append((old[0].start, old[0].end, _said(new, follow)))
                edits += [(one.start, one.end, "") for one in old[1:]]
            else:
                added += new
        for start, end, words in sorted(edits, reverse=True):
            text = text[:start] + words + text[end:]
        text = _TWICE.sub(r"\1", _SPACES.sub(" ", text))  # "by cash", "by check": the small word came with both
        if not added:
            return text
        return f"{text.rstrip(ENDS)} {follow.rest if len(added) == len(fresh) else _said(added, follow)}?"

    def _gives_way(self, base: Read, new: Sequence[Piece]) -> Sequence[Piece]:
        """What of the question before a new subject stands for: what is of one list with it, else what was said last."""
        if new and new[0].slot == "site":
            return _site_that_gives_way(base, new)
        names = {one.name for one in new}
        lists = [rivals for rivals in self._words.rivals if rivals & names]
        for run in base.runs:
            if any(rivals & {one.name for one in run} for rivals in lists):
                return run
        if names <= self._words.of_a_thing:
            return ()  # "and with Medicaid?" is asked of the same thing
        known = [run for run in base.runs if any(one.name for one in run)] or base.runs
        return known[-1] if known else ()

    def _in_the_new_language(self, follow: Read, base: Read, fresh: Sequence[Piece]) -> str:
        """Slot after slot in its words, and what was asked for in a word of followup.toml."""
        taken = {one.slot for one in fresh}
        if "subject" in taken and not self._gives_way(base, follow.subjects):
            taken.remove("subject")
        kept = [one for slot in CARRIED if slot not in taken for one in self._carried(base, slot, follow)]
        said = sorted([*kept, *fresh], key=lambda one: CARRIED.index(one.slot))
        space = "" if follow.language == "zh" else " "
        return space.join([*(one.text for one in said), *self._asked_for(base, follow.language)]) + "?"

    def _carried(self, base: Read, slot: Slot, follow: Read) -> list[Piece]:
        """What fills a slot, in the follow-up's language: the patient's words, the glossary's, or a name."""
        pieces = list(base.of(slot))
        if slot == "subject":  # not what was asked of it: "do I need an appointment for a flu shot?"
            pieces = [one for one in pieces if one.name not in self._words.of_a_thing] or pieces
        if base.language == follow.language:
            return _side_by_side(pieces, base.text)
        translated = ((one, self._reader.plain(one, follow.language)) for one in pieces)
        return [msgspec.structs.replace(one, text=text, start=-1, end=-1) for one, text in translated if text]

    def _asked_for(self, read: Read, language: Language) -> list[str]:
        return [self._words.asked[kind][language] for kind in sorted(read.kinds) if kind in self._words.asked]

    def _shown(self, whole: Read) -> str:
        said = [one.text for slot in CARRIED for one in whole.of(slot)]
        return " · ".join(dict.fromkeys([*said, *self._asked_for(whole, whole.language)]))


MOST_WORDS: Final = 12
"""A message of more says what it asks for."""
OPENING: Final = frozenset({"hours", "closed"})
"""Concepts of the glossary that the whole clinic has too."""
ELLIPTIC_WORDS: Final = 7
"""The same of one that neither begins nor points like a follow-up."""
_NO_QUESTION: Final[frozenset[AnswerKind]] = frozenset({"greeting", "emergency", "declined", "person", "trouble"})


class _Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was spoken of."""

    question: Read
    answers: tuple[Turn, ...]
    """What was said to it and to the questions before it, the newest first."""
    spoken: frozenset[str]
    sites: tuple[str, ...]

    @property
    def other_sites(self) -> list[Piece]:
        """Those not spoken of yet, when one was."""
        here = self.question.names("site")
        others = [site for site in self.sites if site not in here] if here else []
        return [_site(site) for site in [site for site in others if site not in self.spoken] or others]


def _exchanges(earlier: Sequence[Turn]) -> list[tuple[Turn, Turn]]:
    """Each question and its answer; a greeting or what we must not answer is no question to come back to."""
    asked = {turn.message_id: turn for turn in earlier if turn.role == "patient"}
    answers = [turn for turn in earlier if turn.role == "assistant" and turn.kind not in _NO_QUESTION]
    return [(asked[turn.message_id], turn) for turn in answers if turn.message_id in asked]


def _side_by_side(pieces: Sequence[Piece], text: str) -> list[Piece]:
    """Neighbours as one: "flu shot"."""
    joined: list[Piece] = []
    for one in pieces:
        last = joined[-1] if joined else None
        if last and not text[last.end : one.start].strip():
            joined[-1] = msgspec.structs.replace(last, text=text[last.start : one.end], end=one.end)
        else:
            joined.append(one)
    return joined


def _site(name: str) -> Piece:
    return Piece(slot="site", name=name, text=name)


def _pointed(follow: Read, brought: Sequence[Piece]) -> str:
    """The follow-up with the subject for "it" and the site for "there", once each; what it has no place for comes last."""
    text, left = follow.text, list(brought)
    for pointer in reversed(follow.of("it", "there")):
        meant = [one for one in left if (one.slot == "site") == (pointer.slot == "there")]
        if meant:
            text = text[: pointer.start] + " ".join(one.text for one in meant) + text[pointer.end :]
            left = [one for one in left if one not in meant]
    text = text[follow.start :].strip(ENDS)
    comma = "，" if follow.language == "zh" else ", "
    return comma.join([text, *(one.text for one in left)]) + "?"


def _site_that_gives_way(base: Read, new: Sequence[Piece]) -> Sequence[Piece]:
    """A site for a site, another name for a name ("do you take Aetna?" – "and Kaiser?"); "at Cannery" takes no name's place."""
    sites, names = [one for one in base.of("site") if one.sure], [one for one in base.of("site") if not one.sure]
    if not new[0].sure:
        return names or sites
    return sites or (names if base.kinds & {"time", "place", "phone"} else ())


def _said(pieces: Sequence[Piece], follow: Read) -> str:
    """As they stand in the follow-up, with the small words between them where they stand close."""
    first, last = pieces[0], pieces[-1]
    if first.start < 0 or last.end - first.start > sum(len(one.text) for one in pieces) + _BETWEEN * (len(pieces) - 1):
        return " ".join(one.text for one in pieces)
    return follow.text[first.start : last.end]


_BETWEEN: Final = 10
_SPACES: Final = re.compile(r"\s+")
_TWICE: Final = re.compile(r"\b(\w+)\s+\1\b", re.IGNORECASE)


def _length(text: str) -> float:
    """In words; a Chinese character is half of one."""
    han = len(_HAN.findall(text))
    return len(_HAN.sub(" ", text).split()) + han / 2


_HAN: Final = re.compile(r"[\u3400-\u9fff]")
