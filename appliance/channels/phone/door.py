"""One call, from ring to end, as a straight line: greeting, words and keys, answers, emergencies, people, what is left for them.

Knows no SIP and no engine of speech. An answer is the same as on every other channel (`Live.say`); what of it was not heard leaves
the history. Nothing that a caller says is logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from appliance.channels.live import Live
from appliance.channels.phone.leaving import Caller, Leaving
from appliance.channels.phone.menu import Pressed, pressed
from appliance.channels.phone.people import People, Why
from appliance.channels.phone.record import Diary, Taps
from appliance.channels.phone.recording import Recorder, Shelf
from appliance.channels.phone.reply import Reply
from appliance.channels.phone.wording import Wording
from appliance.config import Phone, PhoneLine
from appliance.conversations.calls import Calls
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, Unavailable
from appliance.message import AnswerKind, ConversationId, Language, Message, MessageId, Opening, Part, Text
from appliance.problems import where
from voice.backchannel import opener, unfinished
from voice.line import HungUp
from voice.talk import Digit, Gone, Quiet, Utterance

if TYPE_CHECKING:
    from voice.line import Call
    from voice.talk import Spoken, Talk, Timing

log = logging.getLogger(__name__)

FAILURES: Final = 2
"""Turns that failed one after the other; then people."""
LISTEN_S: Final = 7.0
FOLLOWS_S: Final = 2.0
"""After "excuse me", or half a sentence, the rest follows soon."""
BARELY: Final = 12
"""Who interrupts an answer of which they have heard no more letters goes on with their own question."""
FILLER_S: Final = 2.0
"""After so long without a word of the answer the caller hears that we are at it."""
URGENT_S: Final = 4.0
"""How long the pipeline has in an emergency before fixed words are said without it."""
STORE_S: Final = 3.0
COMFORT_S: Final = 8.0
"""Between two words to a caller while an extension rings: silence sounds like a line that is dead."""
SURE: Final = 0.7
"""How likely a language must be, to be the caller's from the first words on: a wrong one is not understood from then on."""
MANY_KEYS: Final = 64
RESCUE_S: Final = 60.0
"""For the words around it, when a call that failed is handed on."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators, joined in app.py."""

    live: Live
    conversations: Conversations
    calls: Calls
    shelf: Shelf
    people: People
    leaving: Leaving
    wording: Wording
    settings: Phone
    talking: Callable[[Call, Taps, Callable[[Timing], None]], Talk]
    danger: Callable[[str], bool]
    """Whether words mean danger now, by rules and weighed words: asked of every partial transcript."""
    person: Callable[[str], bool]
    """Whether a person is asked for."""
    staffed: Callable[[], Awaitable[bool]]
    """Without staff nothing is promised."""
    hotwords: Callable[[Language], str]
    """Names and medicines of the clinic's documents."""
    clock: Callable[[], float] = time.monotonic


class Door:
    """Takes calls. One instance for all of them; what belongs to one call is in `_Visit`."""

    def __init__(self, parts: Parts) -> None:
        self._with = parts
        self._lines = {line.name: line for line in parts.settings.lines}

    async def take(self, call: Call) -> None:
        """A call, from ring to end. Whatever of ours fails, it is recorded, and everything it held is freed."""
        line = self._lines.get(call.line) or PhoneLine(name="other", extension="0")  # a call that came in another way
        visit = _Visit(self._with, line, call)
        try:
            await visit.run()
        finally:
            await visit.close()


class _Over(Exception):
    """The call has come to its end, or the caller hung up."""


class _Visit:
    """One call."""

    def __init__(self, parts: Parts, line: PhoneLine, call: Call) -> None:
        self._with = parts
        self._call = call
        self._site = line.site or None
        self._chosen = line.language is not None
        self._language: Language = line.language or parts.wording.languages[0]
        self._diary = Diary(parts.clock)
        self._taps = Taps()
        self._talk: Talk = None  # type: ignore[assignment]  # until the call is answered, before which nobody talks
        self._conversation = ConversationId(str(uuid4()))
        self._number: int | None = None
        self._recorder: Recorder | None = None
        self._opening: asyncio.Task[None] | None = None
        self._turn_number: int | None = None
        self._failed = 0
        self._silent = 0
        self._answered = False
        self._gone = False
        self._urgent = False
        self._alone = 0
        """How often nobody came in an emergency."""
        self._disclosed: dict[Language, bool] = {}
        """Languages in which the caller was told who speaks and whether it is recorded, and whether they heard it whole."""
        self._doubted = False
        """The language of the last words is a guess."""
        self._half: str | None = None
        """What the caller has said and seems to go on with; empty after "excuse me"."""
        self._said = ""
        self._last_words = ""
        self._last_answer: list[tuple[Language, str]] = []

    # ---- from ring to end -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ends when the call does."""
        try:
            await self._call.answer()
            self._diary.answered_ms = self._diary.ms()
            self._opening = asyncio.create_task(self._opened())
            self._talk = self._with.talking(self._call, self._taps, self._diary.timed)
            await self._conversed()
        except (_Over, HungUp):
            pass
        except Exception as error:  # noqa: BLE001 - an edge: the caller is not left with a dead line
            log.error("call=failed id=%s %s", self._call.id, where(error))
            self._diary.outcome, self._diary.reason = "failed", type(error).__name__
            await self._rescued()

    async def close(self) -> None:
        """Hang up, record how it went, leave nothing behind."""
        if self._opening:
            await asyncio.wait([self._opening], timeout=STORE_S)
        if not self._call.ended.is_set():
            with suppress(Exception):  # it is over either way
                await self._call.hang_up()
        with suppress(ApplianceError):
            await self._with.live.stop_all(self._conversation)
        if self._talk:
            await self._talk.close()
        if self._recorder and self._unannounced():
            await self._unrecorded("not announced")
        if self._recorder:
            await self._recorder.close()
        self._diary.language = self._language if self._chosen else None
        if self._number is not None:
            await self._kept(self._with.calls.end(self._number, self._diary.ended(self._call)))
        log.info("call=ended id=%s outcome=%s turns=%d", self._call.id, self._diary.outcome, self._diary.turns)

    async def _opened(self) -> None:
        """Its rows in the store; the greeting does not wait for them."""
        await self._kept(self._begun())

    async def _begun(self) -> None:
        language = self._language if self._chosen else None
        self._conversation, _ = await self._with.conversations.create("phone", language, self._site)
        self._number = await self._with.calls.begin(
            self._conversation, line=self._call.line, caller=self._call.caller, site=self._site
        )

    async def _conversed(self) -> None:
        await self._greeted()
        began = self._with.clock()
        while True:
            if self._with.clock() - began > self._with.settings.call_minutes * 60:
                await self._to_people("long_call", self._why("staff_asked"))
            await self._turn()

    async def _greeted(self) -> None:
        """Who speaks and whether it is recorded, whole; then what to do in an emergency and how a language is chosen.

        Who calls often knows that, and may interrupt it.
        """
        wording, language = self._with.wording, self._language
        await self._disclose()
        then = [(language, wording.say("in_an_emergency", language))]
        if not self._chosen and len(wording.languages) > 1:
            then += wording.choices()
        for one, words in then:
            if (await self._say(words, one)).why != "done":
                return
        await self._invite()

    async def _disclose(self) -> None:
        """Who speaks and whether it is recorded, once in every language that is spoken. Who did not hear of it is not recorded."""
        if self._language in self._disclosed:
            return
        if self._recorder and self._unannounced():
            await self._unrecorded("not announced")
        spoken = await self._say(self._with.wording.disclosure(self._language), interruptible=False)
        self._disclosed[self._language] = spoken.whole
        if spoken.why == "digit":
            self._diary.told("disclosure", "cut short by a key")
        await self._opened_by_now()
        if spoken.whole and self._with.settings.recording == "announce":
            self._record()

    def _unannounced(self) -> bool:
        """Whether a recording was announced in another language than the caller's. With ``ask`` they said yes to it."""
        return self._with.settings.recording == "announce" and not self._disclosed.get(self._language)

    async def _opened_by_now(self) -> None:
        """The rows were written while the greeting was said; a store that hangs keeps nobody waiting."""
        if self._opening:
            await asyncio.wait([self._opening], timeout=STORE_S)

    async def _invite(self) -> None:
        if self._by_keys:
            await self._menu()
        else:
            await self._say(self._with.wording.say("how_can_i_help", self._language))

    async def _menu(self) -> None:
        """What the keys are for; star repeats it, for it was said last."""
        self._last_answer = []
        others = ("menu_language",) if len(self._with.wording.languages) > 1 else ()
        for key in ("menu", *others):
            if not (await self._say(self._with.wording.say(key, self._language))).whole:
                return

    async def _turn(self) -> None:
        """Listen once, and do what was asked."""
        heard = await self._talk.hear(
            language=self._language if self._chosen else None,
            hotwords=self._with.hotwords(self._language),
            first_s=LISTEN_S if self._half is None else FOLLOWS_S,
            watch=self._with.danger,
        )
        self._turn_number = heard.timings.turn if isinstance(heard, Utterance) and heard.timings else None
        half, self._half = self._half, None
        match heard:
            case Gone():
                raise _Over
            case Digit():
                await self._key(heard.key)
            case Quiet() if half:
                await self._understood(half)
            case Quiet() if half is not None:
                await self._invite()
            case Quiet():
                await self._nothing_heard()
            case Utterance():
                await self._words(heard, half or "")

    # ---- words ------------------------------------------------------------------------------------------------------

    async def _words(self, heard: Utterance, before: str) -> None:
        text, self._silent = heard.text.strip(), 0
        if not self._chosen and text and heard.language in self._with.wording.languages:
            self._doubted = heard.language_probability < SURE
            if not self._doubted:
                self._speak(heard.language)
        text = self._with.wording.joined((before, text), self._language)
        self._last_words = text or self._last_words
        if not text:
            await self._failure("unclear", "not_understood")
        elif self._with.danger(text) or before:
            await self._understood(text)
        elif opener(text, self._language):
            self._half = ""
        elif unfinished(text, self._language):
            self._half = text
        else:
            await self._understood(text)

    async def _understood(self, text: str) -> None:
        """What was said, whole."""
        if self._with.danger(text):
            await self._emergency(text)
            return
        if self._chosen:
            await self._disclose()
        if self._by_keys:
            await self._to_people("to_a_person", self._why("staff_asked"))
        elif self._with.person(text):
            await self._wants_a_person(text)
        else:
            await self._answer(text)

    async def _answer(self, text: str) -> None:
        """The assistant's answer, spoken as it is made; interrupted, it ends, and what was not heard was not said."""
        try:
            async with self._reply(text) as reply:
                await self._filled(reply)
                if reply.kind == "trouble":
                    raise Unavailable("the pipeline has no answer")
                heard, whole = await self._spoken(reply)
                if not whole:
                    await self._interrupted(reply, heard)
                    if self._said == "barge_in" and len(heard) <= BARELY:
                        self._half = text
        except ApplianceError as error:
            log.error("call=unanswered id=%s %s", self._call.id, where(error))
            self._noted("trouble")
            await self._to_people("trouble", self._why("staff_failed"))
            return
        self._noted(reply.kind)
        if self._gone:
            raise _Over
        if self._half is None:
            await self._after(reply)

    async def _after(self, reply: Reply) -> None:
        if reply.language in self._with.wording.languages and not self._guessed(reply.language):
            self._speak(reply.language, by_words=True)
        if reply.kind == "emergency":
            await self._to_staff_now()
        elif reply.kind == "person":
            await self._to_people("to_a_person", self._why("staff_asked"))
        elif reply.kind == "unknown":
            self._failed += 1
            if self._failed >= FAILURES:
                await self._to_people("cannot_help", self._why("staff_failed"))
        else:
            self._failed = 0
            self._answered = True
            self._diary.outcome = "answered"

    def _guessed(self, language: Language) -> bool:
        """Whether a language that leaves the caller nothing but keys rests on a guess."""
        return self._doubted and language in self._with.settings.by_people

    async def _filled(self, reply: Reply) -> None:
        """Silence is short: where the first words take long, something is said meanwhile."""
        opening = asyncio.ensure_future(reply.opened())
        try:
            await asyncio.wait([opening], timeout=FILLER_S)
            if not opening.done():
                await self._say(self._with.wording.say("one_moment", self._language))
            await opening
        finally:
            opening.cancel()

    async def _spoken(self, reply: Reply) -> tuple[str, bool]:
        """What of the answer the caller heard, and whether that was all."""
        heard, self._last_answer, self._said = "", [], "done"
        urgent = reply.kind == "emergency"
        async for language, words in reply.runs(self._language):
            spoken = await self._say(self._noting(words, language), language, interruptible=not urgent, keys=not urgent)
            heard += spoken.heard_by_caller
            self._said, self._gone = spoken.why, spoken.why == "hung_up"
            self._diary.barge_ins += spoken.why == "barge_in"
            if not spoken.whole:
                return heard, False
        return heard, True

    async def _noting(self, words: AsyncGenerator[str, None], language: Language) -> AsyncGenerator[str, None]:
        """Remembers what is said, for who wants it again."""
        self._last_answer.append((language, ""))
        async with aclosing(words):
            async for piece in words:
                self._last_answer[-1] = (language, self._last_answer[-1][1] + piece)
                yield piece

    async def _interrupted(self, reply: Reply, heard: str) -> None:
        await self._with.live.stop(self._conversation, reply.message.id)
        await reply.heard(heard)

    async def _nothing_heard(self) -> None:
        """Silence: after an answer it means that all is said, before one that something is wrong."""
        self._silent += 1
        if self._answered and self._silent >= FAILURES:
            await self._say(self._with.wording.say("goodbye", self._language))
            raise _Over
        if self._by_keys and self._silent < FAILURES:
            await self._menu()
        elif self._answered:
            await self._say(self._with.wording.say("anything_else", self._language))
        else:
            await self._failure("quiet", "not_heard")

    async def _failure(self, kind: str, key: str) -> None:
        self._noted(kind)
        self._failed += 1
        if self._failed >= FAILURES:
            await self._to_people("cannot_help", self._why("staff_failed"))
        else:
            await self._say(self._with.wording.say(key, self._language))

    # ---- keys -------------------------------------------------------------------------------------------------------

    async def _key(self, key: str) -> None:
        self._silent = 0
        meant = pressed(key, languages=self._with.wording.languages, by_keys=self._by_keys)
        self._diary.told("key", meant.act)
        match meant:
            case Pressed(act="people"):
                await self._to_people("to_a_person", self._why("staff_asked"))
            case Pressed(act="repeat"):
                await self._repeat()
            case Pressed(act="recording"):
                await self._recording_wished()
            case Pressed(act="language", language=language) if language:
                self._speak(language)
                await self._kept(self._with.conversations.set_language(self._conversation, language))
                await self._spoken_to_now()
            case Pressed(act="languages"):
                await self._other_languages()
            case Pressed(act="hours" | "address" as asked):
                await self._answer(self._with.wording.say(f"ask_{asked}", self._language))
            case Pressed(act="message"):
                await self._message()
            case Pressed(act="callback"):
                await self._callback()
            case _:
                await self._invite()

    async def _spoken_to_now(self) -> None:
        """A language was chosen: what was said at the start in another one is said in it."""
        if self._language not in self._disclosed:
            await self._disclose()
            await self._say(self._with.wording.say("in_an_emergency", self._language))
        if self._by_keys:
            await self._menu()
        else:
            await self._say(self._with.wording.say("chosen", self._language))

    async def _other_languages(self) -> None:
        """Whoever has nothing but keys, perhaps by mistake, chooses again."""
        self._chosen = False
        for language, words in self._with.wording.choices():
            if not (await self._say(words, language)).whole:
                return

    async def _repeat(self) -> None:
        if not self._last_answer:
            await self._invite()
            return
        for language, words in list(self._last_answer):
            if not (await self._say(words, language)).whole:
                return

    async def _recording_wished(self) -> None:
        """Key 5: with ``ask`` it begins, with ``announce`` it ends, and nothing of it stays."""
        if self._with.settings.recording == "off":
            await self._invite()
        elif self._recorder is None and self._with.settings.recording == "ask":
            self._record()
            await self._say(self._with.wording.say("recording_on", self._language))
        else:
            await self._unrecorded("refused")
            await self._say(self._with.wording.say("recording_off", self._language))

    def _record(self) -> None:
        if self._number is None or self._diary_has("recording", "refused"):
            return
        self._recorder = self._with.shelf.record(self._number, self._conversation, kind="call", channels=2)
        self._taps.add(self._recorder)
        self._diary.told("recording", "begun")

    async def _unrecorded(self, why: str) -> None:
        self._diary.told("recording", why)
        if self._recorder:
            self._taps.remove(self._recorder)
            await self._recorder.discard()
            self._recorder = None

    # ---- emergencies and people -------------------------------------------------------------------------------------

    async def _emergency(self, text: str) -> None:
        """The words, then people."""
        await self._urgently(text)
        await self._to_staff_now()

    async def _urgently(self, text: str) -> None:
        """The fixed words, the alert and the case by the pipeline; where it fails or is slow, the words all the same."""
        reply, self._urgent = self._reply(text), True
        try:
            async with asyncio.timeout(URGENT_S) as patience, reply:
                await reply.opened()
                patience.reschedule(None)
                if reply.kind != "emergency":
                    raise ApplianceError("the pipeline took an emergency for something else")
                heard, whole = await self._spoken(reply)
                if not whole:
                    await reply.heard(heard)
                self._noted("emergency")
        except (ApplianceError, TimeoutError) as error:
            log.error("call=emergency without the pipeline id=%s %s", self._call.id, where(error))
            self._noted("emergency")
            await self._say(self._with.wording.emergency(self._language), interruptible=False, keys=False)
        if reply.language in self._with.wording.languages:
            self._speak(reply.language)

    async def _to_staff_now(self) -> None:
        """An emergency's words were said, the alert is open: now people, at once."""
        self._urgent = True
        self._diary.told("emergency")
        await self._to_people("to_staff_now", self._why("staff_emergency"))

    async def _wants_a_person(self, text: str) -> None:
        """What was said, and that we connect, stand in the history; a case is opened only where nobody answers."""
        self._noted("person")
        message = self._message_of(text)
        key = "to_a_person" if self._whom(urgent=self._urgent) else self._nobody()
        words = self._with.wording.say(key, self._language)
        parts: list[Part] = [Opening(kind="contact", language=self._language), Text(text=words)]

        async def kept() -> None:
            await self._with.conversations.begin(message)
            await self._with.conversations.finish(
                message, parts, kind="contact", language=self._language, complete=True
            )

        await self._kept(kept())
        await self._to_people("to_a_person", self._why("staff_asked"))

    async def _to_people(self, key: str, why: Why) -> None:
        """Hand the caller over. Comes back only in an emergency: one that nobody answered, or one that comes up now."""
        self._diary.reason = why.key
        await self._keys_forgotten()  # who presses 0 five times means it once
        whom = self._whom(urgent=why.urgent)
        for words in _announced(key, anybody=bool(whom)):
            spoken = await self._say(
                self._with.wording.say(words, self._language), interruptible=False, keys=not why.urgent
            )
            if spoken.why == "urgent" and not why.urgent:
                return
        if await self._connected(whom, why):
            self._diary.outcome = "transferred"
            raise _Over
        if self._call.ended.is_set():
            self._diary.outcome = "unheard"
            raise _Over
        await self._keys_forgotten()  # pressed for impatience while it rang
        if self._urgent and not why.urgent:  # since it began to ring
            await self._to_staff_now()
        elif why.urgent:
            await self._nobody_came()
        else:
            await self._say(self._with.wording.say(self._nobody(), self._language))
            await self._left_something()

    def _whom(self, *, urgent: bool) -> list[str]:
        return self._with.people.whom(site=self._site, language=self._language, urgent=urgent)

    async def _connected(self, whom: Sequence[str], why: Why) -> bool:
        """Ring them, one after the other; meanwhile the caller hears that we are at it, and is listened to."""
        ringing = asyncio.ensure_future(self._with.people.connect(self._call, whom, why, told=self._diary.told))
        try:
            while danger := await self._waited(ringing):
                with suppress(_Over):  # somebody took the call in the middle of the words
                    await self._urgently(danger)
            return await ringing
        finally:
            ringing.cancel()
            await asyncio.gather(ringing, return_exceptions=True)

    async def _waited(self, ringing: asyncio.Future[bool]) -> str:
        """Until the ringing has ended, or the caller says something dangerous: that. Keys and other words do nothing."""
        waiting = asyncio.ensure_future(self._waiting())
        try:
            await asyncio.wait((ringing, waiting), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else ""
        except Exception as error:  # noqa: BLE001 - without ears or voice it rings on
            log.error("call=unheard while it rings id=%s %s", self._call.id, where(error))
            return ""
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def _waiting(self) -> str:
        """Empty where the caller hung up."""
        watch = None if self._urgent else self._with.danger
        language = self._language if self._chosen else None
        while True:
            match await self._talk.hear(language=language, first_s=COMFORT_S, watch=watch):
                case Gone():
                    return ""
                case Utterance(text=text) if watch and watch(text):
                    self._last_words = text
                    return text
                case Quiet():
                    words = self._with.wording.say("still_trying", self._language)
                    await self._talk.speak(words, self._language, interruptible=False, keys=False, watch=watch)

    async def _nobody_came(self) -> None:
        """In an emergency. A second time there is nothing left but a message."""
        self._alone, self._failed = self._alone + 1, 0
        await self._say(self._with.wording.say("nobody_urgent", self._language), interruptible=False, keys=False)
        if self._alone >= FAILURES:
            await self._left_something()

    async def _keys_forgotten(self) -> None:
        await self._talk.collect(MANY_KEYS, timeout_s=0, ends="")

    def _nobody(self) -> str:
        return "nobody" if self._with.people.open_now(self._site) else "closed"

    async def _left_something(self) -> None:
        """Nobody is there: a message, a call-back, or a word of when to call. The call ends in here."""
        self._diary.outcome = "unheard"
        if not await self._somebody():
            await self._bye(self._again())
        await self._offered()

    async def _offered(self, *, again: bool = False) -> None:
        await self._say(self._with.wording.say("leave_or_callback", self._language))
        if await self._talk.collect(1, timeout_s=3.0) == "2":
            await self._callback()
        else:
            await self._message(again=again)

    def _again(self) -> str:
        return "try_later" if self._with.people.open_now(self._site) else "try_again"

    async def _message(self, *, again: bool = False) -> None:
        """``again``: an empty one came before; a second ends the call."""
        caller = self._caller()
        if not await self._somebody():
            await self._bye(self._again())
        left = await self._with.leaving.message(caller)
        if left.danger:
            await self._urgently(left.text)
        if not left.seconds and again:
            await self._bye("message_empty")
        if not left.seconds:
            await self._say(self._with.wording.say("message_empty", self._language))
            await self._offered(again=True)
        words = self._for_staff(
            "case_voicemail",
            seconds=f"{left.seconds:.0f}",
            number=self._callers_number(),
            text=left.text if left.text and not self._by_keys else self._for_staff("case_unclear"),
        )
        kept = await self._with.leaving.case(caller, words, why="voicemail")
        self._diary.outcome = "voicemail" if kept else "failed"
        if left.danger and not self._alone:
            await self._to_staff_now()
        await self._bye("message_kept" if kept else self._again())

    async def _callback(self) -> None:
        caller = self._caller()
        if not await self._somebody():
            await self._bye(self._again())
        number = await self._with.leaving.number(caller)
        if not number:
            await self._bye("callback_none")
        words = self._for_staff("case_callback", number=number)
        kept = await self._with.leaving.case(caller, words, why="callback")
        self._diary.outcome = "callback" if kept else "failed"
        await self._bye("callback_kept" if kept else self._again())

    async def _bye(self, key: str) -> None:
        """Last words, as far as anybody still hears them."""
        for last in (key, "goodbye"):
            await self._say(self._with.wording.say(last, self._language))
        raise _Over

    async def _rescued(self) -> None:
        """Something of ours broke: people, without another word if need be."""
        key, why = ("to_staff_now", "staff_emergency") if self._urgent else ("trouble", "staff_failed")
        settings = self._with.settings
        longest = settings.ring_s * (len(settings.people) + 1) + settings.voicemail_s + RESCUE_S
        try:
            async with asyncio.timeout(longest):
                with suppress(_Over):
                    await self._to_people(key, self._why(why))
        except (Exception, TimeoutError) as error:  # noqa: BLE001 - the voice itself may be what is broken
            log.error("call=unrescued id=%s %s", self._call.id, where(error))
            await self._blindly()

    async def _blindly(self) -> None:
        for extension in self._with.people.whom(site=self._site, language=self._language, urgent=self._urgent):
            with suppress(Exception):  # the next one
                await self._call.transfer(extension, self._with.settings.ring_s)
                self._diary.told("transfer", f"{extension}: handed over unasked")
                return

    # ---- small things -----------------------------------------------------------------------------------------------

    @property
    def _by_keys(self) -> bool:
        """Whether this caller's speech is recognised too badly."""
        return self._chosen and self._language in self._with.settings.by_people

    async def _say(
        self,
        words: str | AsyncIterator[str],
        language: Language | None = None,
        *,
        interruptible: bool = True,
        keys: bool = True,
    ) -> Spoken:
        """Speak; the call's end is the end of everything."""
        spoken = await self._talk.speak(
            words, language or self._language, interruptible=interruptible, keys=keys, watch=self._with.danger
        )
        if spoken.why == "hung_up" and isinstance(words, str):
            raise _Over
        return spoken

    def _speak(self, language: Language, *, by_words: bool = False) -> None:
        """From now on in this language."""
        self._doubted = False
        if language != self._language or not self._chosen:
            self._diary.told("language", f"{language}{' by words' if by_words else ''}")
        self._language, self._chosen = language, True

    def _reply(self, text: str) -> Reply:
        return Reply(self._with.live, self._with.conversations, self._with.wording, self._message_of(text))

    def _message_of(self, text: str) -> Message:
        return Message(
            id=MessageId(str(uuid4())),
            conversation=self._conversation,
            channel="phone",
            text=text,
            language=self._language,
            locked=self._chosen,
            site=self._site,
        )

    def _why(self, key: str) -> Why:
        """An emergency stays one, whatever is pressed or misheard after it."""
        return Why(key="staff_emergency" if self._urgent else key, language=self._language, said=self._last_words)

    def _caller(self) -> Caller:
        return Caller(
            call=self._call,
            talk=self._talk,
            taps=self._taps,
            number=self._number,
            conversation=self._conversation,
            language=self._language,
            site=self._site,
            danger=self._with.danger,
        )

    def _callers_number(self) -> str:
        known = self._call.caller if any(map(str.isdecimal, self._call.caller)) else ""
        return known or self._for_staff("case_unknown_number")

    def _for_staff(self, key: str, **names: str) -> str:
        wording = self._with.wording
        return wording.say(key, wording.of_staff, **names)

    async def _somebody(self) -> bool:
        try:
            return await self._with.staffed()
        except ApplianceError:
            return False

    async def _kept(self, work: Awaitable[None]) -> None:
        """The store is asked, not waited for."""
        try:
            async with asyncio.timeout(STORE_S):
                await work
        except (ApplianceError, TimeoutError) as error:
            log.error("call=unrecorded id=%s %s", self._call.id, where(error))

    def _diary_has(self, what: str, detail: str) -> bool:
        return any(event.what == what and event.detail == detail for event in self._diary.events)

    def _noted(self, kind: AnswerKind | str) -> None:
        """One turn of the record."""
        if self._diary.outcome == "nothing_said":
            self._diary.outcome = "unheard"
        self._diary.turn(kind, self._language, self._turn_number, said=self._said)


def _announced(key: str, *, anybody: bool) -> tuple[str, ...]:
    """What is said before it rings; that we connect only where there is somebody."""
    alone = () if key in ("to_a_person", "to_staff_now") else (key,)
    then = () if not anybody else ("to_staff_now",) if key == "to_staff_now" else ("to_a_person",)
    return (*alone, *then)
