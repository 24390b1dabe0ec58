"""Whom a call goes to, and how it is handed over. Whatever fails, the caller is back with us. Knows no assistant and no case."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from appliance.channels.phone.wording import Wording
from appliance.config import Phone, PhonePerson
from appliance.conversations.calendar import Calendar
from appliance.message import Language, now
from appliance.problems import where
from voice.line import CannotConsult, NotAnswered, TransferFailed

if TYPE_CHECKING:
    from voice.line import Call
    from voice.talk import Talk

log = logging.getLogger(__name__)

T = TypeVar("T")

TAKE, REFUSE = "1", "2"
DECIDE_S: Final = 12.0
"""How long who picked up may think after the words. A mailbox that answers presses no key."""
HANDING_S: Final = 10.0
LONGEST_SUMMARY: Final = 240
"""Letters of what the caller said that staff hear."""

Told = Callable[[str, str], None]
"""What happened, for the record of the call: (what, detail)."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What staff hear before they take a call."""

    key: str
    """Of the phrase: staff_emergency, staff_asked, staff_failed."""
    language: Language
    said: str = ""
    """The caller's last words."""

    @property
    def urgent(self) -> bool:
        return self.key == "staff_emergency"

    def __repr__(self) -> str:
        return f"Why({self.key!r}, {self.language!r}, {len(self.said)} characters)"


class People:
    """The clinic's extensions, by hours, site and language."""

    def __init__(
        self,
        settings: Phone,
        calendar: Calendar,
        wording: Wording,
        talking: Callable[[Call], Talk],
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """``talking``: how we speak with a member of staff on a call of their own."""
        self._settings = settings
        self._calendar = calendar
        self._wording = wording
        self._talking = talking
        self._now = clock

    def open_now(self, site: str | None) -> bool:
        return self._calendar.open_at(self._now(), site)

    def whom(self, *, site: str | None, language: Language, urgent: bool) -> list[str]:
        """The extensions to try, the most particular first. In an emergency rather one out of hours than none."""
        known = [one for one in self._settings.people if _fits(one, site, language, urgent=urgent)]
        there = ("always", "open" if self.open_now(site) else "closed")
        fitting = [one for one in known if one.when in there] or (known if urgent else [])
        fitting.sort(key=lambda one: (one.emergencies == "only", bool(one.site), bool(one.language)), reverse=True)
        return list(dict.fromkeys(one.extension for one in fitting))

    async def connect(self, call: Call, whom: Sequence[str], why: Why, *, told: Told) -> bool:
        """Hand the call over to the first who takes it. False: nobody did, or the caller hung up; then nothing rings any more."""
        for extension in whom:
            if call.ended.is_set():
                return False
            if self._settings.transfer == "blind":
                handed = await self._blind(call, extension, told)
            else:
                handed = await self._attended(call, extension, why, told)
            if handed:
                return True
        return False

    async def _blind(self, call: Call, extension: str, told: Told) -> bool:
        try:
            await call.transfer(extension, self._settings.ring_s)
        except TransferFailed as failed:
            told("transfer", f"{extension}: {_status(failed)}")
            return False
        told("transfer", f"{extension}: handed over")
        return True

    async def _attended(self, call: Call, extension: str, why: Why, told: Told) -> bool:
        try:
            other = await _unless_gone(call, call.consult(extension, self._settings.ring_s))
        except CannotConsult:
            return await self._blind(call, extension, told)
        except NotAnswered as failed:
            told("transfer", f"{extension}: {_status(failed)}")
            return False
        if other is None:
            told("transfer", f"{extension}: the caller hung up")
            return False
        handed = False
        try:
            if not await _unless_gone(call, self._taken(other, why)):
                told("transfer", f"{extension}: picked up, not taken")
                return False
            async with asyncio.timeout(HANDING_S):
                await call.join(other)
            handed = True
        except (TransferFailed, TimeoutError) as failed:
            told("transfer", f"{extension}: {_status(failed)}")
            return False
        finally:
            if not handed:
                await _hung_up(other)
        told("transfer", f"{extension}: handed over")
        return True

    async def _taken(self, other: Call, why: Why) -> bool:
        """Who picked up hears who calls, and takes the call with a key."""
        talk = self._talking(other)
        try:
            return await self._takes(talk, why) and not other.ended.is_set()
        finally:
            await talk.close()

    async def _takes(self, talk: Talk, why: Why) -> bool:
        staff = self._wording.of_staff
        for language, words in self._summary(why):
            spoken = await talk.speak(words, language, interruptible=False)
            if spoken.why == "hung_up":
                return False
            if spoken.why == "digit":
                break
        if await talk.collect(1, timeout_s=DECIDE_S) != TAKE:
            return False
        await talk.speak(self._wording.say("staff_taken", staff), staff, interruptible=False)
        return True

    def _summary(self, why: Why) -> Iterator[tuple[Language, str]]:
        staff, say = self._wording.of_staff, self._wording.say
        yield staff, say("staff_call", staff, speaks=say(why.language, staff))
        yield staff, say(why.key, staff)
        if why.said:
            yield staff, say("staff_said", staff)
            yield why.language, why.said[:LONGEST_SUMMARY]
        yield staff, say("staff_take", staff)


def _fits(person: PhonePerson, site: str | None, language: Language, *, urgent: bool) -> bool:
    return (
        person.emergencies != ("never" if urgent else "only")
        and person.site in ("", site or "")
        and person.language in (None, language)
    )


async def _unless_gone(call: Call, work: Awaitable[T]) -> T | None:
    """What the work brings; None at once when the caller hangs up meanwhile."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(call.ended.wait())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _hung_up(call: Call) -> None:
    if not call.ended.is_set():
        with suppress(Exception):  # it is over either way
            await call.hang_up()


def _status(error: Exception) -> str:
    """A SIP status or a word; never whom it was about."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if not isinstance(error, NotAnswered | TransferFailed):
        log.error("transfer=failed %s", where(error))
    return str(getattr(error, "status", "") or "not answered")
