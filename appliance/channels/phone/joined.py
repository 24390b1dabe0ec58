"""Joins the phone's parts: `app.py` imports this only where lines are configured and the extra `[phone]` is installed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from appliance.assistant.language import Phrases
from appliance.channels.live import Live
from appliance.channels.phone import check
from appliance.channels.phone.door import Door, Parts
from appliance.channels.phone.leaving import Leaving
from appliance.channels.phone.line import PhoneLine
from appliance.channels.phone.line import Telephone as AnyTelephone
from appliance.channels.phone.people import People
from appliance.channels.phone.record import Taps
from appliance.channels.phone.recording import Shelf
from appliance.channels.phone.wording import Wording
from appliance.config import Config
from appliance.conversations.calendar import Calendar
from appliance.conversations.calls import Calls
from appliance.conversations.cases import Desk
from appliance.conversations.turns import Conversations
from appliance.errors import BadConfig
from appliance.message import Language
from models.store import Store
from voice.backchannel import backchannel, opener, unfinished
from voice.line import Call, LineStatus
from voice.mouth import Mouth, Voice
from voice.numbers import spoken
from voice.sentences import clauses
from voice.talk import Talk, Timing

if TYPE_CHECKING:
    from voice.sip import PhoneSettings, Telephone
    from voice.smart_turn import TurnEnd


SOUNDS = "sounds"
"""The folder of the data directory in which the sound of fixed words is kept."""
EXAMPLE = "Dr. Lee: Mon. 8:00, 5 mg, $20, +1 503 555 0100, 3rd floor."
UNSENDABLE = frozenset('"\\\x7f') | frozenset(map(chr, range(32)))
"""What a password may not hold: the telephone's library quotes it, and has no way to write these."""
INSTANCE = "phone-instance"
"""Its file that keeps who we are, so that the telephone system replaces our registration after a restart."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the rest of the house brings."""

    config: Config
    store: Store
    live: Live
    conversations: Conversations
    calls: Calls
    shelf: Shelf
    desk: Desk
    calendar: Calendar
    phrases: Phrases
    danger: Callable[[str], bool]
    person: Callable[[str], bool]
    staffed: Callable[[], Awaitable[bool]]
    signed: Callable[[], Awaitable[Sequence[tuple[Language, str]]]]
    names: Callable[[], Awaitable[Mapping[Language, Sequence[str]]]]
    died: Callable[[str], None]


def joined(given: Given) -> PhoneLine:
    """The phone, closed: it opens when it runs."""
    config = given.config
    wording = Wording(config, given.phrases)
    engines = Engines(config, given.store, given.names)
    return PhoneLine(
        *(config.phone, wording, given.calls, given.shelf),
        ready=engines.ready,
        read_names=engines.read_names,
        mouth=engines,
        take=door(given, engines, wording).take,
        telephone=lambda on_call, on_dead: Ways(*ways(config, on_call, on_dead)),
        signed=given.signed,
        died=given.died,
    )


def door(given: Given, engines: Engines, wording: Wording) -> Door:
    """What takes calls, whichever way they come in."""
    phone = given.config.phone
    return Door(
        Parts(
            live=given.live,
            conversations=given.conversations,
            calls=given.calls,
            shelf=given.shelf,
            people=People(phone, given.calendar, wording, engines.with_staff),
            leaving=Leaving(
                *(given.conversations, given.desk, given.shelf, wording),
                most_s=phone.voicemail_s,
                clock=time.monotonic,
            ),
            wording=wording,
            settings=phone,
            talking=engines.with_caller,
            danger=given.danger,
            person=given.person,
            staffed=given.staffed,
            hotwords=engines.hotwords,
        )
    )


class Engines:
    """What hears and speaks, for all calls; loaded by `ready`."""

    def __init__(
        self,
        config: Config,
        store: Store,
        names: Callable[[], Awaitable[Mapping[Language, Sequence[str]]]],
    ) -> None:
        self._config = config
        self._store = store
        self._names = names
        self._words: Mapping[Language, str] = {}
        self._ears: Any = None
        self._mouth: Mouth | None = None
        self._turn_end: Any = None

    async def ready(self) -> None:
        """Verify and load every model. Raises ModelError."""
        if self._ears is None:
            await asyncio.to_thread(self._load)
        await self._spoken_by.warm(self._config.clinic.languages)
        await self.read_names()

    async def read_names(self) -> None:
        """From the documents as they are now: the names that callers may say."""
        self._words = {language: ", ".join(names) for language, names in (await self._names()).items()}

    def with_caller(self, call: Call, taps: Taps, on_timing: Callable[[Timing], None]) -> Talk:
        return self._talk(call, tap=taps, on_timing=on_timing)

    def with_staff(self, call: Call) -> Talk:
        """Nothing of what staff say is kept."""
        return self._talk(call)

    def hotwords(self, language: Language) -> str:
        return self._words.get(language, "")

    async def prepare(self, texts: Iterable[str], language: str) -> None:
        """As `Mouth.prepare`."""
        await self._spoken_by.prepare(texts, language)

    def close(self) -> None:
        """The engines' threads end."""
        for engine in (self._ears, self._mouth):
            if engine is not None:
                engine.close()
        self._ears = self._mouth = None

    @property
    def _spoken_by(self) -> Mouth:
        assert self._mouth is not None  # noqa: S101 - `ready` comes first
        return self._mouth

    def _talk(self, call: Call, **more: Any) -> Talk:
        from voice.vad import Vad

        return Talk(call, self._ears, Vad(), self._spoken_by, turn_end=self._turn_end, **more)

    def _load(self) -> None:
        from voice.vad import Vad
        from voice.whisper import Ears

        read(self._config.clinic.languages)
        Vad()
        ears = self._store.verify(self._config.phone.ears)
        self._mouth = self._mouth or Mouth(self._voices(), store=Path(self._config.data.directory) / SOUNDS)
        self._turn_end = _turn_end(self._store)
        self._ears = Ears.load(ears.parent, self._config.phone.threads, languages=self._config.clinic.languages)

    def _voices(self) -> Mapping[str, Sequence[Voice]]:
        from voice.voices import VoiceFile, voices

        files = {
            name: VoiceFile(self._store.verify(name), self._store.sha256(name)) for name in ("piper-joe", "kokoro")
        }
        return voices(self._config.clinic.languages, piper=files["piper-joe"], kokoro=files["kokoro"])


def read(languages: Iterable[str]) -> None:
    """What is read from files at its first use: not in the loop, in the middle of a call. Blocks."""
    for language in languages:
        clauses(EXAMPLE + spoken(EXAMPLE, language))
        backchannel("mhm", language, language)
        opener("mhm", language)
        unfinished("mhm", language)


class Ways:
    """Several telephones as one."""

    def __init__(self, *telephones: AnyTelephone) -> None:
        self._telephones = telephones

    async def start(self) -> None:
        begun: list[AnyTelephone] = []
        try:
            for one in self._telephones:
                await one.start()
                begun.append(one)
        except Exception:
            await asyncio.gather(*(one.stop() for one in begun))
            raise

    async def stop(self) -> None:
        await asyncio.gather(*(one.stop() for one in self._telephones))

    def lines(self) -> list[LineStatus]:
        return [line for one in self._telephones for line in one.lines()]


def ways(
    config: Config, on_call: Callable[[Call], Awaitable[None]], on_dead: Callable[[str], None]
) -> Iterator[AnyTelephone]:
    """The route point and the lines, as far as they are set up. Raises BadConfig where a password is missing."""
    if config.pbx.calls:
        yield route_point(config, on_call)
    if config.phone.lines:
        yield telephone(config, on_call, on_dead)


def route_point(config: Config, on_call: Callable[[Call], Awaitable[None]]) -> AnyTelephone:
    from appliance.channels.phone.pbx.check import access
    from appliance.channels.phone.pbx.route_point import RoutePoint

    return RoutePoint(access(config), config.pbx.route_point, on_call, overflow=config.pbx.overflow)


def telephone(config: Config, on_call: Callable[[Call], Awaitable[None]], on_dead: Callable[[str], None]) -> Telephone:
    """The lines, not registered yet. Raises BadConfig where a password is missing."""
    from voice.sip import Telephone

    return Telephone(_sip(config), on_call, on_dead)


def _sip(config: Config) -> PhoneSettings:
    """The settings as the telephone takes them, with the lines' passwords."""
    from voice.sip import Line, PhoneSettings

    phone, lines = config.phone, list[Line]()
    for line in phone.lines:
        password = check.password(config, line)
        if password is None:
            raise BadConfig(f"phone.lines: {line.name} has no password: run `medinovai phone check`")
        if UNSENDABLE.intersection(password):
            raise BadConfig(
                f'phone.lines: the password of {line.name} may hold no ", \\ or control sign: set another one'
            )
        lines.append(Line(name=line.name, user=line.extension, password=password, auth_user=line.auth_id))
    low, high = map(int, phone.rtp_ports.split("-"))
    return PhoneSettings(
        pbx=phone.pbx,
        domain=phone.domain,
        lines=tuple(lines),
        transport=phone.transport,
        encrypted_audio=phone.encrypted_audio,
        certificate=phone.certificate,
        listen=phone.listen,
        most_calls=phone.most_calls,
        instance=Path(config.data.directory) / INSTANCE,
        allowed=phone.allowed,
        rtp_ports=(low, high),
    )


def _turn_end(store: Store) -> TurnEnd:
    from voice.smart_turn import TurnEnd

    return TurnEnd(store.verify("smart-turn"))
