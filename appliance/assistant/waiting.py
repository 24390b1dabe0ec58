"""What a patient is told who waits for a person: place, wait, hours, whose the conversation is. Pure: it is told how things stand.

Every sentence is a phrase of phrases/*.toml. What is not known is not said.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time

from appliance.assistant.language import Phrases
from appliance.conversations.ladder import Outlook
from appliance.message import LANGUAGES, Language, Notice, now

MINUTES: Final = (2, 3, 5, 10, 15, 20, 30, 45, 60)
"""What is said of a wait: never less than it was."""
_LOCALES: Final[dict[Language, tuple[str, str]]] = {
    **{"en": ("en_US", "h:mm a"), "es": ("es_US", "H:mm")},
    **{"zh": ("zh_Hans_CN", "HH:mm"), "hi": ("hi_IN", "B h:mm")},
}


class Waiting:
    """Makes notices."""

    def __init__(self, phrases: Phrases, zone: tzinfo, *, emergency_number: str) -> None:
        self._phrases = phrases
        self._zone = zone
        self._emergency_number = emergency_number
        self._locales = {code: (Locale.parse(locale), hours) for code, (locale, hours) in _LOCALES.items()}
        for language in LANGUAGES:  # babel reads its tables here, and not on the way of a message
            self.moment(now(), language)

    def queued(self, outlook: Outlook, language: Language, *, first: bool) -> Notice:
        """Where the patient stands. ``first``: staff have just been told."""
        said = [self._say("handed" if first else "still_waiting", language)]
        if outlook.closed:
            said.append(self._closed(outlook, language))
        else:
            said += self._wait(outlook, language)
        if outlook.back:
            said.append(self._say("back_at", language, when=self.moment(outlook.back, language)))
        return Notice(code="waiting", text=("" if language == "zh" else " ").join(said))

    def with_person(self, name: str, language: Language, *, at_once: bool) -> Notice:
        """Whose the conversation is. ``at_once``: they have taken it in the middle of an answer."""
        return Notice(code="person", text=self._say("person_here" if at_once else "sent_to", language, name=name))

    def returned(self, language: Language) -> Notice:
        """Nobody is waited for any more."""
        return Notice(code="returned", text=self._say("returned", language))

    def moment(self, moment: datetime, language: Language) -> str:
        """A day and a time of day by the clinic's clock: "Monday, November 23, 2026, 8:00 AM"."""
        local, (locale, hours) = moment.astimezone(self._zone), self._locales[language]
        day = format_date(local, "full", locale=locale)
        time = format_time(local, hours, tzinfo=self._zone, locale=locale)
        return f"{day} {time}" if language == "zh" else f"{day}, {time}"

    def _wait(self, outlook: Outlook, language: Language) -> list[str]:
        said = []
        if outlook.place == 1:
            said.append(self._say("place_next", language))
        elif outlook.place > 1:
            said.append(self._say("place", language, place=str(outlook.place)))
        if outlook.expected is None:
            return said
        left = outlook.expected - outlook.waited
        if left < timedelta():
            return [*said, self._say("wait_longer", language)]
        minutes = next((one for one in MINUTES if left <= timedelta(minutes=one)), None)
        if minutes is None:
            return [*said, self._say("wait_hours", language)]
        return [*said, self._say("wait", language, minutes=str(minutes))]

    def _closed(self, outlook: Outlook, language: Language) -> str:
        if outlook.opens is None:
            return self._say("closed", language, emergency=self._emergency_number)
        when = self.moment(outlook.opens, language)
        return self._say("closed_until", language, when=when, emergency=self._emergency_number)

    def _say(self, key: str, language: Language, **names: str) -> str:
        return self._phrases.say(key, language, **names)
