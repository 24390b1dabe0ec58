"""What a caller leaves whom nobody can take: a voice message, transcribed, or a number to be called back. Both become a case."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec
import numpy as np

from appliance.channels.phone.record import Taps
from appliance.channels.phone.recording import Shelf
from appliance.channels.phone.wording import Wording
from appliance.conversations.cases import Desk
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError
from appliance.message import ConversationId, Language, Message, MessageId
from appliance.problems import where
from voice.line import HungUp

if TYPE_CHECKING:
    from voice.line import Call
    from voice.talk import Talk

log = logging.getLogger(__name__)

BEGIN_S: Final = 6.0
PAUSE_S: Final = 4.0
"""After so long a silence the message has ended."""
TONE_HZ, TONE_S = 950.0, 0.35
MANY_KEYS: Final = 64
DIGITS: Final = 15
"""Of a telephone number, at most (E.164)."""
FEWEST: Final = 3
"""An extension within the house."""
TRIES: Final = 2


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose call it is."""

    call: Call
    talk: Talk
    taps: Taps
    number: int | None
    """Of the call's record; none where the store failed."""
    conversation: ConversationId
    language: Language
    site: str | None
    danger: Callable[[str], bool]


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A voice message, as it was understood."""

    text: str
    seconds: float
    danger: bool

    def __repr__(self) -> str:
        return f"Left({len(self.text)} characters, {self.seconds:.0f} s)"


class Leaving:
    """Messages and call-backs."""

    def __init__(
        self,
        conversations: Conversations,
        desk: Desk,
        shelf: Shelf,
        wording: Wording,
        *,
        most_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._conversations = conversations
        self._desk = desk
        self._shelf = shelf
        self._wording = wording
        self._most_s = most_s
        self._clock = clock

    async def message(self, caller: Caller) -> Left:
        """The caller speaks after the tone, until a key, a pause or the limit; also when the caller hangs up it is kept."""
        say, language = self._wording.say, caller.language
        await caller.talk.speak(say("leave", language), language)
        await caller.talk.collect(MANY_KEYS, timeout_s=0, ends="")  # who skips the words has left nothing yet
        recorder = (
            self._shelf.record(caller.number, caller.conversation, kind="voicemail", channels=1)
            if caller.number is not None
            else None
        )
        try:
            _tone(caller.call)
            if recorder:
                caller.taps.add(recorder)
            text, spoken_s, danger = await self._heard(caller)
        finally:
            if recorder:
                caller.taps.remove(recorder)
        if not spoken_s:
            if recorder:
                await recorder.discard()
            return Left(text="", seconds=0.0, danger=False)
        seconds = await recorder.close() if recorder else spoken_s
        return Left(text=text, seconds=seconds or spoken_s, danger=danger)

    async def number(self, caller: Caller) -> str:
        """The number to call back: the caller's own, or one typed in and read back; empty without one."""
        talk, language, say = caller.talk, caller.language, self._wording.say
        own = "".join(filter(str.isdecimal, caller.call.caller))
        if len(own) >= FEWEST:
            await talk.speak(say("callback_from", language), language)
            if await talk.collect(1, timeout_s=BEGIN_S) == "1":
                return caller.call.caller
        for _ in range(TRIES):
            await talk.speak(say("callback_number", language), language)
            typed = await talk.collect(DIGITS, timeout_s=2 * BEGIN_S)
            if len(typed) < FEWEST:
                continue
            await talk.speak(say("callback_read", language, number=" ".join(typed)), language)
            if await talk.collect(1, timeout_s=BEGIN_S) == "1":
                return typed
        return ""

    async def case(self, caller: Caller, words: str, *, why: str) -> bool:
        """For staff, as a message of the patient's. False where the store fails: then nothing may be promised."""
        message = Message(
            id=MessageId(str(uuid4())),
            conversation=caller.conversation,
            channel="phone",
            text=words,
            language=caller.language,
        )
        return await _kept(self._opened(message, caller, why=why))

    async def _opened(self, message: Message, caller: Caller, *, why: str) -> None:
        await self._conversations.begin(message)
        await self._desk.open(
            caller.conversation,
            reason="asked",
            urgency=1,
            language=caller.language,
            channel="phone",
            site=caller.site,
            summary=message.text,
            why=why,
        )

    async def _heard(self, caller: Caller) -> tuple[str, float, bool]:
        """What was said, how long somebody spoke, whether it speaks of danger."""
        from voice.talk import Utterance

        began, texts, seconds, danger = self._clock(), list[str](), 0.0, False
        first_s = BEGIN_S
        while self._clock() - began < self._most_s:
            heard = await caller.talk.hear(
                language=caller.language, first_s=first_s, patience="half", dictated=True, watch=caller.danger
            )
            if not isinstance(heard, Utterance):
                break  # a key, silence, or hung up
            texts.append(heard.text)
            seconds += len(heard.audio) / 16_000
            danger = danger or caller.danger(heard.text)
            if danger:
                break
            first_s = PAUSE_S
        return " ".join(filter(None, texts)), seconds, danger


def _tone(call: Call) -> None:
    at = np.arange(int(call.rate * TONE_S))
    try:
        call.write((6_000 * np.sin(2 * np.pi * TONE_HZ * at / call.rate)).astype(np.int16))
    except HungUp:
        return


async def _kept(work: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(5):
            await work
    except (ApplianceError, TimeoutError) as error:
        log.error("left=unkept %s", where(error))
        return False
    return True
