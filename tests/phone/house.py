"""A whole appliance with a telephone: the real pipeline, store and desk; callers and extensions say what a test has written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from appliance.app import shelf
from appliance.channels.live import Live
from appliance.channels.phone.door import COMFORT_S, Door, Parts
from appliance.channels.phone.joined import read
from appliance.channels.phone.leaving import Leaving
from appliance.channels.phone.people import People
from appliance.channels.phone.wording import Wording
from appliance.config import Config, Phone, PhoneLine, PhonePerson
from appliance.conversations.calendar import Calendar
from appliance.conversations.calls import Whole
from appliance.conversations.turns import Turn
from appliance.message import LANGUAGES, ConversationId, now
from appliance.records.database import Connection
from tests.say import Appliance
from voice.line import HungUp, NotAnswered, Stats, TransferFailed
from voice.talk import Gone, Quiet, Spoken, Utterance

RATE = 8000
LINE = PhoneLine(name="main", extension="100", language="en")
PEOPLE = (PhonePerson(extension="201"), PhonePerson(extension="202"))
SILENCE = Quiet()
HANGS_UP = Gone()

DOCUMENT = """# Opening hours

Main Street is open on Monday from 8:00 to 17:00.

Parking at Main Street costs 2 dollars an hour.
"""


class Says(msgspec.Struct, frozen=True):
    """The caller speaks; ``partials`` are what is understood meanwhile."""

    text: str
    language: str = "en"
    partials: tuple[str, ...] = ()
    sure: float = 1.0


class Types(msgspec.Struct, frozen=True):
    """Keys, when some are collected."""

    keys: str


class Interrupts(msgspec.Struct, frozen=True):
    """The next time that we say these words, the caller speaks after so many letters of them."""

    words: str
    after: int


class Urgent(msgspec.Struct, frozen=True):
    """The next time that we say these words, the caller says what is watched for."""

    words: str


class Rings(msgspec.Struct, frozen=True):
    """An extension rings until the caller has done all that is written for that time; then ``then``."""

    then: Any = 480


class WhileItRings(msgspec.Struct, frozen=True):
    """What the caller does while an extension rings."""

    does: Any


class FakeCall:
    """A call at our end. ``extensions``: what each does when it is called: a status, or a script of whoever picks up."""

    def __init__(
        self, *, line: str = "main", caller: str = "+15035550123", extensions: Mapping[str, Any] | None = None
    ) -> None:
        self.id = f"call-{id(self)}"
        self.line = line
        self.caller = caller
        self.called = "100"
        self.headers: dict[str, str] = {}
        self.rate = RATE
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.reason = ""
        self.extensions = dict(extensions or {})
        self.answered = False
        self.hung_up = False
        self.given_to: str | None = None
        self.tried: list[str] = []
        self.ringing = 0
        self.rung = asyncio.Event()
        self.written = 0
        self.script: Sequence[Any] = ()
        self.name = ""

    async def answer(self) -> None:
        self.answered = True

    async def refuse(self, code: int = 486) -> None:
        self.reason = str(code)
        self.ended.set()

    async def read(self) -> Any:
        raise HungUp

    def write(self, pcm: Any) -> int:
        self.written += len(pcm)
        return len(pcm)

    @property
    def buffered_s(self) -> float:
        return 0.0

    def flush(self) -> float:
        return 0.0

    async def hang_up(self) -> None:
        self.hung_up = True
        self.ended.set()

    async def transfer(self, to: str, timeout_s: float) -> None:
        self.tried.append(to)
        does = self.extensions.get(to, 404)
        if isinstance(does, int):
            raise TransferFailed(does)
        self.given_to = to
        self.ended.set()

    async def consult(self, to: str, timeout_s: float) -> FakeCall:
        self.tried.append(to)
        does = self.extensions.get(to, 404)
        if isinstance(does, Rings):
            self.ringing += 1
            try:
                await self.rung.wait()
            finally:
                self.ringing -= 1
            does = does.then
        if isinstance(does, int):
            raise NotAnswered(does)
        other = FakeCall()
        other.script, other.name = does, to
        return other

    async def join(self, other: FakeCall) -> None:
        if self.extensions.get(f"join {other.name}"):
            raise TransferFailed(503)
        self.given_to = other.name
        other.ended.set()
        self.ended.set()

    async def hold(self) -> None: ...

    async def resume(self) -> None: ...

    def stats(self) -> Stats:
        return Stats(lost=0.01, jitter_ms=3.0, mos=4.2)


class ScriptedTalk:
    """The caller does what is written, in order; what we say is written down."""

    def __init__(self, call: FakeCall, script: Sequence[Any], tap: Callable[..., None] | None = None) -> None:
        self.call = call
        self.script = list(script)
        self.said: list[tuple[str, str]] = []
        self.heard_whole: list[bool] = []
        self.closed = 0
        self._tap = tap
        self._interrupts: list[Interrupts] = []

    @property
    def words(self) -> str:
        return " | ".join(text for text, _ in self.said)

    async def speak(
        self,
        text: Any,
        language: str,
        *,
        interruptible: bool = True,
        keys: bool = True,
        watch: Callable[[str], bool] | None = None,
    ) -> Any:
        if self.call.ended.is_set():
            return Spoken(heard_by_caller="", whole=False, why="hung_up")
        while self.script and isinstance(self.script[0], Interrupts):
            self._interrupts.append(self.script.pop(0))
        if self.script and isinstance(self.script[0], Urgent) and self.script[0].words in str(text):
            self.script.pop(0)
            self.said.append(("", language))
            return Spoken(heard_by_caller="", whole=False, why="urgent")
        if isinstance(text, str):
            heard, why = self._spoken(text, interruptible=interruptible)
        else:
            heard, why = "", "done"
            async with aclosing(text) as pieces:
                async for piece in pieces:
                    now_heard, why = self._spoken(heard + piece, interruptible=interruptible, before=len(heard))
                    heard = now_heard
                    if why != "done":
                        break
        if self._tap:
            self._tap("out", np.full(800, 1000, np.int16), RATE)
            self._tap("in", np.zeros(800, np.int16), RATE)
        self.said.append((heard, language))
        return Spoken(heard_by_caller=heard, whole=why == "done", why=cast(Any, why))

    def _spoken(self, text: str, *, interruptible: bool, before: int = 0) -> tuple[str, str]:
        for one in self._interrupts if interruptible else ():
            at = text.find(one.words)
            if at >= 0 and at + one.after <= len(text):
                self._interrupts.remove(one)
                return text[: at + one.after], "barge_in"
        return text, "done"

    async def hear(
        self, *, language: str | None, first_s: float, watch: Callable[[str], bool] | None = None, **_: Any
    ) -> Any:
        await asyncio.sleep(0)
        if first_s == COMFORT_S:
            return await self._rings(watch)
        does = self.script.pop(0) if self.script else HANGS_UP
        return self._done(does, watch)

    async def _rings(self, watch: Callable[[str], bool] | None) -> Any:
        if self.script and isinstance(self.script[0], WhileItRings):
            return self._done(self.script.pop(0).does, watch)
        self.call.rung.set()
        return await asyncio.Event().wait()

    def _done(self, does: Any, watch: Callable[[str], bool] | None) -> Any:
        if isinstance(does, Says):
            if self._tap:
                self._tap("in", np.full(RATE, 500, np.int16), RATE)
            text = next((one for one in does.partials if watch and watch(one)), does.text)
            audio = np.zeros(32_000, np.int16)
            return Utterance(text=text, language=does.language, language_probability=does.sure, audio=audio)
        if does == HANGS_UP:
            self.call.ended.set()
        return does

    async def close(self) -> None:
        self.closed += 1

    async def collect(self, most: int, *, timeout_s: float, ends: str = "#") -> str:
        await asyncio.sleep(0)
        if timeout_s and self.script and isinstance(self.script[0], Types):
            return cast(Types, self.script.pop(0)).keys
        return ""


class House:
    """An appliance whose phone rings."""

    def __init__(self, inner: Appliance, settings: Phone, site_hours: Calendar, at: Callable[[], datetime]) -> None:
        self.inner = inner
        self.clinic = inner.clinic
        self.settings = settings
        self.talks: list[ScriptedTalk] = []
        self.staff_talks: list[ScriptedTalk] = []
        self.staffed = True
        self.began = time.time()
        clinic = self.clinic
        config: Config = msgspec.structs.replace(clinic.config, phone=settings)
        self.live = Live(
            inner.answering,
            clinic.conversations,
            urgent=lambda text: clinic.triage.red_flag(text) is not None,
            at_most=100,
        )
        self.wording = Wording(config, clinic.phrases)
        self.shelf = shelf(clinic)
        self.script: Sequence[Any] = ()
        self.seconds = 0.0
        people = People(settings, site_hours, self.wording, cast(Any, self._staff), clock=at)
        leaving = Leaving(
            *(clinic.conversations, clinic.desk, self.shelf, self.wording), most_s=90, clock=lambda: self.seconds
        )
        self.door = Door(
            Parts(
                live=self.live,
                conversations=clinic.conversations,
                calls=clinic.calls,
                shelf=self.shelf,
                people=people,
                leaving=leaving,
                wording=self.wording,
                settings=settings,
                talking=cast(Any, self._caller),
                danger=lambda text: (flag := clinic.assistant.partial(text)) is not None and flag.sure,
                person=lambda text: clinic.smalltalk.topic(text) == "person",
                staffed=self._somebody,
                hotwords=lambda _: "",
                clock=lambda: self.seconds,
            )
        )

    async def called(self, *script: Any, call: FakeCall | None = None) -> tuple[FakeCall, ScriptedTalk]:
        """A call from ring to end."""
        one = call or FakeCall()
        self.script = script
        async with asyncio.timeout(60):
            await self.door.take(cast(Any, one))
        return one, self.talks[-1]

    async def record(self) -> Whole:
        """Of the last call."""
        return await self.clinic.calls.show((await self.clinic.calls.newest(1))[0].id)

    async def history(self) -> list[Turn]:
        return await self.clinic.conversations.history(ConversationId((await self.record()).call.conversation))

    def _caller(self, call: FakeCall, taps: Any, _on_timing: Any) -> ScriptedTalk:
        self.talks.append(ScriptedTalk(call, self.script, taps))
        return self.talks[-1]

    def _staff(self, call: FakeCall) -> ScriptedTalk:
        self.staff_talks.append(ScriptedTalk(call, call.script))
        return self.staff_talks[-1]

    async def _somebody(self) -> bool:
        return self.staffed


Ringing = Callable[..., Awaitable[House]]
"""A phone with these settings of the table [phone]; nothing of earlier tests is left."""


async def house(
    inner: Appliance,
    folder: Path,
    *,
    hours: str = "",
    at: Callable[[], datetime] = now,
    line: PhoneLine = LINE,
    **settings: Any,
) -> House:
    given: dict[str, Any] = {"pbx": "10.0.0.2", "lines": (line,), "people": PEOPLE, "ring_s": 5} | settings
    week = folder / "week.toml"
    await asyncio.to_thread(week.write_text, hours)
    calendar = await asyncio.to_thread(Calendar.load, week, inner.clinic.calendar.zone)
    await inner.clinic.database.write(_emptied)
    await asyncio.to_thread(read, LANGUAGES)
    return await asyncio.to_thread(House, inner, Phone(**given), calendar, at)


def _emptied(connection: Connection) -> None:
    for table in ("alert", "note", "case_event", "handover", "call_recording", "call", "conversation"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables
