"""The clinic's text line, whole: its addresses, its two ways, and what the desk has to say through it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from litestar.types import ControllerRouterHandler

from appliance.channels.live import Live
from appliance.channels.sms.carrier import Carrier
from appliance.channels.sms.limits import when
from appliance.channels.sms.opt_out import OptOut, Wish
from appliance.channels.sms.replying import Replying, drafts, whole
from appliance.channels.sms.segments import counted
from appliance.channels.sms.sending import SETTLE_S, Sending
from appliance.channels.sms.webhook import Signed, Text, sms_routes
from appliance.channels.sms.wording import Wording, written
from appliance.config import Config
from appliance.conversations.case import Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.letters import CaseChanged, Page, StaffSaid
from appliance.conversations.texts import Incoming, Phone, Received, Sent, Texts
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, BadInput, NotFound, TooLarge, Unavailable
from appliance.languages import detect
from appliance.message import ConversationId, Message, MessageId, now
from appliance.problems import where
from appliance.records.outbox import Letter

log = logging.getLogger(__name__)

KEEPING_S: Final = 6.0
ANSWERING_S: Final = 6.0
"""Together less than the fifteen seconds after which Twilio hangs up."""
TALKING: Final = timedelta(hours=2)
"""So long after a patient's message a word of staff answers it; later it comes unasked, and waits for the morning."""
OURSELVES: Final = Staffer(id="sms", name="SMS", role="system")


class TextLine:
    """Made in app.py where sms.account_sid is set and the token is there."""

    def __init__(
        self,
        texts: Texts,
        live: Live,
        conversations: Conversations,
        desk: Desk,
        files: Files,
        config: Config,
        *,
        token: str,
        carrier: Carrier,
        phone: str | None = None,
        clock: Callable[[], datetime] = now,
        settle_s: float = SETTLE_S,
    ) -> None:
        zone = ZoneInfo(config.clinic.timezone)
        self._texts = texts
        self._live = live
        self._desk = desk
        self._files = files
        self._carrier = carrier
        self._config = config
        self._zone = zone
        self._now = clock
        self._signed = Signed(config, token)
        self._opt_out = OptOut.load(twilio_answers=config.sms.twilio_answers_opt_out)
        self.wording = Wording(config, phone=phone)
        self.sending = Sending(texts, carrier, config, trouble=self._trouble, clock=clock, settle_s=settle_s)
        self.replying = Replying(
            *(texts, live, conversations, desk, self._pictures, self.wording, config),
            zone=zone,
            answered=self.sending.wake,
            clock=clock,
        )

    def routes(self) -> list[ControllerRouterHandler]:
        """Where Twilio posts to."""
        return sms_routes(self._signed, received=self.received, progressed=self.sending.progressed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While open, what came in is answered and what waits is sent."""
        tasks = [asyncio.create_task(self.replying.run()), asyncio.create_task(self.sending.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def received(self, text: Text) -> str:
        """Keep a text. What is returned Twilio says at once: nothing, but where our store cannot keep it."""
        wish = await self._wish(text)
        received = Received(
            sid=text.sid,
            number=text.number,
            text=text.text,
            media=text.media,
            segments=counted(text.text).segments,
            language=detect(text.text, hint=self._config.clinic.languages[0]) if text.text else None,
            wish=msgspec.Raw(msgspec.json.encode(wish)),
            agreed={"out": False, "in": True}.get(wish.act) if wish else None,
        )
        try:
            async with asyncio.timeout(KEEPING_S):
                await self._texts.receive(received)
        except (ApplianceError, TimeoutError) as error:
            log.error("sms=unkept %s", where(error))
            return await self._said_at_once(text)
        self.replying.wake()
        return ""

    # ---- letters of the desk ----------------------------------------------------------------------------------------

    async def staff_said(self, letter: Letter) -> None:
        """``case.staff_said``: a word of staff to a patient who writes by text. Delivered twice it is sent once."""
        told = msgspec.json.decode(letter.payload, type=StaffSaid)
        phone = await self._texts.phone(told.conversation)
        if phone is None:
            return
        name = f"staff:{told.message_id}"
        if told.what != "said" and await self._texts.drop(name) and told.what == "edited":
            name = f"{name}:{letter.id}"  # the first wording never left: the second one goes as if it were the first
            await self._staff_word(told, phone, name, "staff")
        elif told.what == "said":
            await self._staff_word(told, phone, name, "staff")
        elif told.what == "edited":
            await self._staff_word(told, phone, f"{name}:{letter.id}", "correction")
        self.sending.wake()

    async def _staff_word(self, told: StaffSaid, phone: Phone, name: str, key: str) -> None:
        try:
            word = await self._desk.word(told.message_id)
        except NotFound:
            return  # with the conversation
        if not word.text:
            return
        language = phone.language or self._config.clinic.languages[0]
        text = self.wording.say(key, language, name=word.by, text=word.text)
        messages = drafts(name, text, origin="staff", not_before=self._unasked(phone))
        await self._texts.put(messages, phone.number, told.conversation)

    async def changed(self, letter: Letter) -> None:
        """``case.changed``: who has talked with a person is told that the assistant answers from here on."""
        told = msgspec.json.decode(letter.payload, type=CaseChanged)
        phone = await self._texts.phone(told.conversation) if told.what == "given_back" and told.by else None
        if phone is None or (await self._desk.case(told.case)).accepted_at is None:
            return
        words = self.wording.say("with_assistant", phone.language or self._config.clinic.languages[0])
        messages = drafts(f"given_back:{letter.id}", words, origin="staff", not_before=self._unasked(phone))
        await self._texts.put(messages, phone.number, told.conversation)
        self.sending.wake()

    async def page(self, letter: Letter) -> None:
        """``page``: nobody has taken a waiting case; the phones of sms.page are told, whatever the hour."""
        told = msgspec.json.decode(letter.payload, type=Page)
        words = self.wording.say("page", self._config.clinic.languages[0], case=str(told.case))
        for place, number in enumerate(self._config.sms.page):
            name = f"page:{letter.id}:{place}"
            await self._texts.put(drafts(name, words, origin="page", always=True), number)
        self.sending.wake()

    def _unasked(self, phone: Phone) -> datetime:
        """From when on a message may go out that answers nothing the patient has just written."""
        quiet = "" if self._now() - phone.last_at < TALKING else self._config.sms.quiet_hours
        return when(self._now(), quiet, self._zone)

    # ---- what else happens ------------------------------------------------------------------------------------------

    async def _wish(self, text: Text) -> Wish | None:
        """What is wanted of text messages as such. A cry for help is none, whatever word it is made of."""
        wish = self._opt_out.wish(text.text, told=text.opt_out_type)
        if wish is None or (wish.act != "out" and not wish.answered and self._live.urgent(text.text)):
            return None
        if wish.only_undoes and not text.opt_out_type and await self._agreed(text.number):
            return None
        return wish

    async def _agreed(self, number: str) -> bool:
        try:
            return await self._texts.agreed(number)
        except ApplianceError:
            return True

    async def _said_at_once(self, text: Text) -> str:
        """Our store fails: an emergency is answered in Twilio's own reply, anybody else hears whom to call."""
        language = detect(text.text, hint=self._config.clinic.languages[0])
        if not self._live.urgent(text.text):
            return self.wording.say("trouble", language)
        message = Message(
            id=MessageId(text.sid),
            conversation=ConversationId(str(uuid4())),
            channel="sms",
            text=text.text,
            language=language,
        )
        try:
            async with asyncio.timeout(ANSWERING_S):
                parts, _ = await whole(self._live, await self._live.say(message))
        except (ApplianceError, TimeoutError) as error:
            log.error("sms=unanswered in an emergency %s", where(error))
            parts = []
        return written(parts) or self.wording.say("trouble", language)

    async def _pictures(self, incoming: Incoming) -> Sequence[str]:
        """What came as MMS, kept for the people who have the conversation. None where the clinic takes none now."""
        if not (self._config.files.from_patients and await self._desk.open_case(incoming.conversation)):
            return ()
        try:
            fetched = await self._carrier.media(incoming.sid, self._files.most_bytes)
        except Unavailable as error:
            log.warning("sms=pictures unfetched %s", where(error))
            return ()
        names = []
        for number, content in enumerate(fetched, start=1):
            try:
                kept = await self._files.keep(
                    incoming.conversation,
                    MessageId(incoming.sid),
                    f"mms-{number}",
                    content,
                    source=f"{incoming.sid}-{number}",
                )
            except (BadInput, TooLarge):
                continue  # a video, a contact: refused as before
            names.append(kept.name)
        return names

    async def _trouble(self, sent: Sent, words: str) -> None:
        """Staff who talk with this patient are told that a message did not arrive."""
        if sent.conversation is None:
            return
        try:
            if case := await self._desk.open_case(sent.conversation):
                await self._desk.note(case.id, OURSELVES, f"A text message did not reach the patient. {words}")
        except ApplianceError as error:
            log.error("sms=untold out=%d %s", sent.id, where(error))
