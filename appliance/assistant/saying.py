"""The words an answer is made of, as parts: fixed phrases, a script, a signed answer, a quote. Pure: asks no store and no model."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from appliance.assistant.approved import Match
from appliance.assistant.contact import Reach
from appliance.assistant.followup import Understood
from appliance.assistant.language import Phrases
from appliance.assistant.quote import Candidate, Quote, citation
from appliance.assistant.redflags.rules import KINDS_BY_RANK, Kind
from appliance.assistant.told import Telling, Told
from appliance.assistant.triage import Script, script
from appliance.knowledge.sites import sites_named
from appliance.message import AnswerKind, Call, Language, Notice, Opening, Part, Signature, Text, Voice


class Saying:
    """Makes parts. Every answer but a model's is worded here."""

    def __init__(self, phrases: Phrases, telling: Telling, *, country: str, emergency_number: str) -> None:
        self._phrases = phrases
        self._telling = telling
        self._country = country
        self._emergency_number = emergency_number

    def emergency(self, kind: Kind, language: Language) -> list[Part]:
        """The clinician's fixed words, and whom to call."""
        words = self._script(kind, language)
        return [Opening(kind="emergency", language=language), *_words(words.text), *_urgent(words)]

    def reminder(self, kinds: Collection[str], language: Language) -> list[Part]:
        """How to get help, in short: for whom danger was recognised before, whatever is asked now."""
        gravest = next((kind for kind in KINDS_BY_RANK if kind in kinds), KINDS_BY_RANK[-1])
        words = self._script(gravest, language)
        return [Notice(code="emergency", text=words.reminder), *_urgent(words)]

    def precaution(self, kind: Kind, language: Language) -> list[Part]:
        """Whom to call, should what we take for harmless be danger after all; help lines, where this kind has its own."""
        words = self._script(kind, language)
        lines = [Call(label=label, number=number) for label, number in words.calls if number != self._emergency_number]
        return [Notice(code="precaution", text=words.precaution), *lines]

    def greeting(self, topic: str, language: Language) -> list[Part]:
        """A greeting, or thanks."""
        return [Opening(kind="greeting", language=language), *_words(self._phrases.say(topic, language))]

    def told(self, kind: AnswerKind, key: str, language: Language, reach: Reach) -> list[Part]:
        """A fixed phrase, the number to call, and how to reach the clinic in its documents' own words."""
        words = (
            self._phrases.say(key, language)
            if kind == "contact"
            else self._joined(key, language, found=bool(reach.chosen))
        )
        if kind == "contact" and not (reach.chosen or reach.phone):
            words = self._phrases.say("contact_plain", language)
        parts: list[Part] = [Opening(kind=kind, language=language), *_words(words)]
        if reach.phone:
            parts.append(Call(label=self._phrases.say("call_clinic", language), number=reach.phone))
        lines = self._telling.told(reach.chosen, language, asked=("time",))
        return [*parts, *_lines(lines), *self._quotes(reach.chosen, language)]

    def signed(self, match: Match, language: Language) -> list[Part]:
        """The signed words as they are, in the patient's language where they are signed in it, and who has signed them."""
        signed = match.version.answer
        wording = signed.wordings.get(language)
        signature = Signature(
            answer=signed.id,
            version=match.version.version,
            signed_by=signed.signed_by,
            role=signed.role,
            signed_on=signed.signed_on.isoformat(),
            valid_until=signed.valid_until.isoformat(),
        )
        own = _words(wording.answer) if wording else _words(match.wording.answer, language=match.language)
        return [Opening(kind="signed", language=language), *own, signature]

    def quoted(self, quote: Quote, language: Language, question: str, asked_in: Language | None = None) -> list[Part]:
        """A lead-in, what can be told in the patient's language of quotes in another, and the quotes."""
        lead = next((f"lead_{kind}" for kind in ("price", "phone", "place", "time") if kind in quote.asked), "lead")
        words = _words(self._phrases.say(lead, language))
        lines = _lines(
            self._telling.told(quote.chosen, language, asked=quote.asked, question=question, asked_in=asked_in)
        )
        return [Opening(kind="quoted", language=language), *words, *lines, *self._quotes(quote.chosen, language)]

    def understood(self, followed: Understood, language: Language) -> Notice:
        """How we took a follow-up, so that the patient can put us right."""
        return Notice(code="understood_as", text=self._phrases.say("understood_as", language, question=followed.shown))

    def _quotes(self, chosen: Sequence[Candidate], language: Language) -> list[Part]:
        """The quotes with their citations; before them a word about their language where it is another."""
        parts: list[Part] = []
        sources = dict.fromkeys(one.passage.language for one in chosen)
        if language not in sources:
            for source in sources:
                told = self._phrases.say("source_language", language, source=self._phrases.say(source, language))
                parts.append(Notice(code="source_language", text=told))
        for number, one in enumerate(chosen, start=1):
            theirs = one.passage.language
            if one.introduction:
                # It stands further up in the document, outside the cited span, so it is no part of the quote.
                parts.append(Text(text=f"\n{one.introduction}", language=theirs))
            elif one.of_any_site and one.site and not sites_named(one.text, (one.site,)):
                parts.append(Text(text=f"\n{one.site}:", language=theirs))
            parts += [Text(text="\n"), *_words(one.text, voice="quote", language=theirs)]
            parts.append(citation(one.passage, one.span, text=one.text, number=number))
        return parts

    def trouble(self, language: Language, *, opened: bool, busy: bool) -> list[Part]:
        """Something of ours failed: what to do."""
        words = Text(text=("\n" if opened else "") + self._phrases.say("busy" if busy else "trouble", language))
        return [words] if opened else [Opening(kind="trouble", language=language), words]

    def _script(self, kind: Kind, language: Language) -> Script:
        return script(kind, language, country=self._country, emergency_number=self._emergency_number)

    def _joined(self, key: str, language: Language, *, found: bool) -> str:
        space = "" if language == "zh" else " "
        return (
            self._phrases.say(key, language)
            + space
            + self._phrases.say("reach_us" if found else "reach_us_plain", language)
        )


def _urgent(words: Script) -> list[Part]:
    """The numbers to press."""
    return [Call(label=label, number=number, urgent=True) for label, number in words.calls]


def _words(text: str, *, voice: Voice = "ours", language: Language | None = None) -> list[Text]:
    """A text word by word, as it is streamed; Chinese by the character, Hindi and Latin with the space before the word."""
    return [Text(text=piece, voice=voice, language=language) for piece in _PIECE.findall(text)]


def _lines(told: Sequence[Told]) -> list[Part]:
    """Each on a line of its own, with the number of its source."""
    parts: list[Part] = []
    for line in told:
        *before, last = _words(line.text, voice="told")
        parts += [Text(text="\n", voice="told"), *before, Text(text=last.text, voice="told", cites=line.number)]
    return parts


_PIECE = re.compile(r"[\u3400-\u9fff][\W_]*|\s*[^\s\u3400-\u9fff]+|\s+")
