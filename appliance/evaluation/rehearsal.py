"""A clinic that is only being tried: its emergencies call nobody and are not kept, nothing is answered from memory, and how sure
a quote was can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from appliance.app import Clinic
from appliance.assistant.quote import Quote, Quoting
from appliance.conversations.alerts import Alerts, Flag
from appliance.knowledge.glossary import NOTHING_CARRIED, Carried
from appliance.knowledge.search import Hit
from appliance.message import ConversationId, Language
from appliance.records.database import Database


def rehearsing(clinic: Clinic) -> Clinic:
    """The same clinic, whose alerts are remembered for their own conversation only: no row, no letter, no page to staff."""
    return _rejoined(msgspec.structs.replace(clinic, alerts=_Unheard(clinic.database)))


def overheard(clinic: Clinic) -> tuple[Clinic, Callable[[], float | None]]:
    """The same clinic, and how probable the quote was that was weighed since this was last asked, if any was."""
    quoting = _Overheard(clinic.quoting)
    return _rejoined(msgspec.structs.replace(clinic, quoting=quoting)), quoting.probability


def _rejoined(clinic: Clinic) -> Clinic:
    """Joined anew without a memory: what is measured is the documents' answer, not that it was given before."""
    wanted = msgspec.structs.replace(clinic.config.assistant, remembered=0)
    tried = msgspec.structs.replace(clinic, config=msgspec.structs.replace(clinic.config, assistant=wanted))
    return msgspec.structs.replace(tried, assistant=tried.assistant_with(tried.qualified))


class _Unheard(Alerts):
    """Knows an emergency as long as this object lives, so that reminders come as they would for a patient."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._kinds: dict[ConversationId, tuple[str, ...]] = {}

    async def sound(self, flag: Flag) -> None:
        known = self._kinds.get(flag.conversation, ())
        self._kinds[flag.conversation] = tuple(dict.fromkeys((*known, flag.kind)))

    async def standing(self, conversation: ConversationId) -> tuple[str, ...]:
        return self._kinds.get(conversation, ())


class _Overheard(Quoting):
    """The clinic's own does the work. One question at a time."""

    def __init__(self, quoting: Quoting) -> None:
        self._quoting = quoting
        self._probability: float | None = None

    @property
    def threshold(self) -> float:
        return self._quoting.threshold

    def probability(self) -> float | None:
        told, self._probability = self._probability, None
        return told

    def quote(
        self,
        question: str,
        language: Language,
        *,
        hits: Sequence[Hit],
        carried: Carried = NOTHING_CARRIED,
        sites: Sequence[str] = (),
        at: str | None = None,
    ) -> Quote | None:
        found = self._quoting.quote(question, language, hits=hits, carried=carried, sites=sites, at=at)
        self._probability = found.probability if found else None
        return found
