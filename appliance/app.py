"""The composition root: only here are parts constructed and joined. If you wonder how something got its collaborator, look here."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from appliance import UI
from appliance.api.certificate import Tls, tls
from appliance.api.health import Component
from appliance.api.http import Parts as FrontDoor
from appliance.api.http import create_http
from appliance.api.server import serve as listen
from appliance.assistant import signatures
from appliance.assistant.alarm import NETWORK, Alarm, Classifier
from appliance.assistant.answer import Assistant, Parts, Speaker
from appliance.assistant.approved import Approved
from appliance.assistant.contact import Contact
from appliance.assistant.followup import FollowUps
from appliance.assistant.grounding import Grounding
from appliance.assistant.language import Phrases, Wishes
from appliance.assistant.likeness import Reader
from appliance.assistant.quote import Quoting, Weights
from appliance.assistant.remembered import Remembered
from appliance.assistant.saying import Saying
from appliance.assistant.smalltalk import Smalltalk
from appliance.assistant.told import Telling
from appliance.assistant.triage import Triage
from appliance.channels.live import Live
from appliance.channels.socket import Sockets
from appliance.channels.web import ClinicCard, Hours, Web, routes
from appliance.config import Config
from appliance.conversations.alerts import Alerts
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, BadConfig
from appliance.knowledge.documents import Limits
from appliance.knowledge.glossary import Glossary, examined
from appliance.knowledge.library import Library
from appliance.knowledge.search import Search
from appliance.message import LANGUAGES, Language, Message, MessageId, Opening
from appliance.operations import checks
from appliance.operations.checks import Check
from appliance.operations.jobs import Job, scheduled
from appliance.people.admins import Admins
from appliance.records import audit
from appliance.records.database import Database, clinic_day, sole_server
from appliance.records.keys import derive, master_key
from models import ChatModel, Embedder
from models.bitfit import BitFit
from models.llama import LlamaSettings
from models.loading import chat_model, embedder
from models.store import Store

log = logging.getLogger(__name__)


class Clinic(msgspec.Struct, frozen=True, kw_only=True):
    """One clinic, opened: every part, joined."""

    config: Config
    database: Database
    models: Store
    embedder: Embedder
    chat: ChatModel | None
    library: Library
    search: Search
    glossary: Glossary
    quoting: Quoting
    followups: FollowUps
    grounding: Grounding
    contact: Contact
    approved: Approved
    conversations: Conversations
    alerts: Alerts
    admins: Admins
    triage: Triage
    alarm: Alarm
    smalltalk: Smalltalk
    phrases: Phrases
    qualified: Speaker
    assistant: Assistant

    def assistant_with(self, speaker: Speaker) -> Assistant:
        """The same assistant with another word on who may write: for the terminal and for `models qualify`."""
        return _assistant(self, speaker)


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The models a clinic is opened with; tests give scripted ones."""

    store: Store
    embedder: Embedder
    chat: ChatModel | None
    danger: Classifier | None = None
    """The network behind the red-flag rules; without it the rules and the weighed words work alone."""


@asynccontextmanager
async def open_clinic(config: Config, *, models: Models | None = None) -> AsyncIterator[Clinic]:
    """A clinic with everything joined; models load with their first work. Raises an ApplianceError that says what to do."""
    database = await _records(config)
    used = await asyncio.to_thread(installed, config) if models is None else models
    try:
        yield await asyncio.to_thread(_joined, config, database, used)
    finally:
        if used.chat:
            await used.chat.close()
        if used.danger:
            await used.danger.close()
        await used.embedder.close()
        await database.close()


async def clinic_checks(config: Config) -> list[Check]:
    """What the clinic's own records tell whoever looks after it; nothing where there are none yet. Loads no model."""
    if not await asyncio.to_thread(_file(config).exists):
        return []
    try:
        database = await _records(config)
    except ApplianceError as error:
        return [checks.records(str(error))]
    try:
        open_alerts = await Alerts(database).list()
        today = date.fromisoformat(await database.read(clinic_day))
        standings = [(one.answer.id, one.standing(today)) for one in await database.read(signatures.newest)]
    finally:
        await database.close()
    expired, due = ([name for name, now in standings if now == wanted] for wanted in ("expired", "due"))
    return [
        checks.alerts([one.opened_at for one in open_alerts]),
        checks.signed_answers(expired, due),
        checks.glossary(*await asyncio.to_thread(examined, _own_glossary(config))),
    ]


async def _records(config: Config) -> Database:
    """The clinic's database, opened."""
    key = derive(await asyncio.to_thread(master_key, Path(config.data.directory)), f"db:{config.clinic.id}")
    zone = await asyncio.to_thread(ZoneInfo, config.clinic.timezone)
    return await Database.open(_file(config), key, zone=zone)


def _file(config: Config) -> Path:
    return Path(config.data.directory) / f"{config.clinic.id}.db"


def _own_glossary(config: Config) -> Path:
    """The clinic's own words; it need not be there."""
    return Path(config.data.directory) / "glossary.toml"


def installed(config: Config) -> Models:
    """The models the settings name."""
    store = model_store(config)
    settings = LlamaSettings(
        threads=config.models.threads, context_tokens=config.models.context_tokens, queue=config.models.queue
    )
    chat = chat_model(config.models.chat, store, settings) if config.models.chat else None
    return Models(store=store, embedder=embedder(config.models.embedder, store), chat=chat, danger=BitFit(NETWORK))


def model_store(config: Config) -> Store:
    """The models of this box; needs no key and no database."""
    return Store(Path(config.data.directory) / "models")


SelfTest = Callable[[Clinic], Awaitable[object]]
"""Asks the clinic's own questions; handed in, because what evaluates stands above us."""


async def serve(config: Config, *, self_test: SelfTest | None = None) -> None:
    """Serve patients until SIGTERM or SIGINT; answers under way are finished first. One process a clinic."""
    directory = Path(config.data.directory)
    with sole_server(_file(config)):
        async with open_clinic(config) as clinic:
            certificate = await asyncio.to_thread(tls, config.server, directory)
            card = await asyncio.to_thread(_card, config, directory)
            served = _Served(clinic, certificate, card)
            jobs = [Job(name="retention", hour=3, work=served.forget), *_self_tests(clinic, self_test)]
            async with scheduled(jobs, timezone=config.clinic.timezone):
                waking = asyncio.create_task(served.wake())
                try:
                    await served.serve()
                finally:
                    waking.cancel()


def _self_tests(clinic: Clinic, self_test: SelfTest | None) -> list[Job]:
    at = clinic.config.operations.self_test
    if self_test is None or at == "off":
        return []
    hour, minute = map(int, at.split(":"))
    return [Job(name="self_test", hour=hour, minute=minute, work=lambda: self_test(clinic))]


class _Served:
    """An opened clinic behind its front door."""

    def __init__(self, clinic: Clinic, certificate: Tls | None, card: ClinicCard) -> None:
        config = clinic.config
        self._clinic = clinic
        self._certificate = certificate
        self._shown = card
        self._ready = False
        self._live = Live(
            clinic.assistant.answer,
            clinic.conversations,
            urgent=lambda text: clinic.triage.red_flag(text) is not None,
            at_most=config.limits.sockets,
        )
        web = Web(
            self._live,
            clinic.conversations,
            person=clinic.assistant.person,
            clinic=self._card,
            server=config.server,
            limits=config.limits,
            secure=certificate is not None,
        )
        self._sockets = Sockets(web)
        self._http = create_http(
            FrontDoor(
                channels=(*routes(web, self._sockets.hang_up), self._sockets.route()),
                library=clinic.library,
                alerts=clinic.alerts,
                admins=clinic.admins,
                audit=self._audit,
                limits=config.limits,
                ui=UI,
                ready=lambda: self._ready,
                health=self._health,
                secure=certificate is not None,
            )
        )

    async def serve(self) -> None:
        await listen(self._http, self._clinic.config.server, self._certificate, drain=self._drain)

    async def wake(self) -> None:
        """Ask ourselves a question by the patient's own path; ready when its first word has come out."""
        conversations = self._clinic.conversations
        conversation, _ = await conversations.create("terminal")
        try:
            message = Message(
                id=MessageId(f"wake-{conversation}"),
                conversation=conversation,
                channel="terminal",
                text=self._clinic.phrases.say("ask_hours", "en"),
            )
            async with aclosing(self._clinic.assistant.answer(message)) as parts:
                kinds = [part.kind async for part in parts if isinstance(part, Opening)]
            self._ready = "trouble" not in kinds
        finally:
            await conversations.delete(conversation)
        log.info("ready=%s", self._ready)

    async def forget(self) -> int:
        days = self._clinic.config.retention.conversation_days
        return await self._clinic.conversations.forget(older_than_days=days)

    async def _drain(self) -> None:
        await self._live.drain(self._clinic.config.server.drain_s)
        await self._sockets.close()

    async def _card(self) -> ClinicCard:
        if self._shown.phone:
            return self._shown
        reach = await self._clinic.contact.find("en", site=None)
        return msgspec.structs.replace(self._shown, phone=reach.phone, sites=await self._clinic.search.sites())

    async def _health(self) -> Sequence[Component]:
        """Each part in an operator's words; the store and the documents are really looked at."""
        speaks = [code for code in LANGUAGES if self._clinic.qualified.qualified(code)]
        chat = f"writes in {', '.join(speaks)}" if speaks else "no qualified model: every answer is quoted"
        parts = [
            Component(
                name="answers", state="ok" if self._ready else "failing", words="" if self._ready else "not ready"
            ),
            Component(name="model", state="ok", words=chat),
            Component(name="remembered", state="ok", words=self._clinic.assistant.remembered.words()),
        ]
        try:
            known = await self._clinic.library.documents()
        except ApplianceError as error:
            return [Component(name="store", state="failing", words=str(error)), *parts]
        unread = [one.source for one in known if one.status == "failed"]
        words = f"{len(known)} documents" + (f"; could not be read: {', '.join(unread)}" if unread else "")
        documents = Component(name="documents", state="warning" if unread or not known else "ok", words=words)
        return [Component(name="store", state="ok"), documents, *parts]

    async def _audit(self, actor: str, act: str, subject: str) -> None:
        await self._clinic.database.write(
            lambda connection: audit.record(connection, actor=actor, act=act, subject=subject)
        )


class Qualified:
    """Lets a model write only in the languages in which this very file has passed on this box, and the clinic wants it to."""

    def __init__(self, store: Store, chat: ChatModel | None, languages: Collection[Language] = LANGUAGES) -> None:
        self._chat = chat
        self._languages = languages
        self._verdict = store.verdict(chat.sha256) if chat else None

    def qualified(self, language: Language) -> ChatModel | None:
        if language not in self._languages or not self._chat or not self._verdict or not self._verdict.passed:
            return None
        if language in self._verdict.languages:
            return self._chat
        return None


class Unqualified:
    """Lets a model write whatever its verdict; never joined to a patient's channel."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat

    def qualified(self, _language: Language) -> ChatModel | None:
        return self._chat


class Nobody:
    """Lets no model write: every answer is quoted."""

    def qualified(self, _language: Language) -> ChatModel | None:
        return None


def _joined(config: Config, database: Database, models: Models) -> Clinic:
    search = Search(database, models.embedder)
    quoting = Quoting(Weights.load())
    phrases = Phrases.load()
    glossary = Glossary.of_the_clinic(_own_glossary(config))
    clinic = Clinic(
        config=config,
        database=database,
        models=models.store,
        embedder=models.embedder,
        chat=models.chat,
        library=Library(database, models.embedder, _limits(config)),
        search=search,
        glossary=glossary,
        quoting=quoting,
        followups=FollowUps(glossary),
        grounding=Grounding.load(glossary, embedder=models.embedder),
        contact=Contact(search, quoting, phrases, glossary, phone=config.clinic.phone),
        approved=Approved(database, models.embedder, Reader(glossary)),
        conversations=Conversations(database),
        alerts=Alerts(database),
        admins=Admins(database),
        triage=Triage(),
        alarm=Alarm.load(models.danger),
        smalltalk=Smalltalk.load(),
        phrases=phrases,
        qualified=Qualified(models.store, models.chat, config.assistant.write_in),
        assistant=None,  # type: ignore[arg-type]  # replaced in the next line: the assistant is made of the others
    )
    return msgspec.structs.replace(clinic, assistant=_assistant(clinic, clinic.qualified))


def _assistant(clinic: Clinic, speaker: Speaker) -> Assistant:
    settings = clinic.config.clinic
    return Assistant(
        Parts(
            triage=clinic.triage,
            alarm=clinic.alarm,
            smalltalk=clinic.smalltalk,
            search=clinic.search,
            glossary=clinic.glossary,
            quoting=clinic.quoting,
            remembered=Remembered(
                Reader(clinic.glossary), clinic.search.edition, most=clinic.config.assistant.remembered
            ),
            followups=clinic.followups,
            grounding=clinic.grounding,
            contact=clinic.contact,
            approved=clinic.approved,
            conversations=clinic.conversations,
            alerts=clinic.alerts,
            speaker=speaker,
            wishes=Wishes.load(),
            quote_in=clinic.config.assistant.quote_in,
            saying=Saying(
                clinic.phrases,
                Telling(clinic.glossary),
                country=settings.country,
                emergency_number=settings.emergency_number,
            ),
        )
    )


def _limits(config: Config) -> Limits:
    given = config.knowledge
    return Limits(
        memory_mb=given.parse_memory_mb,
        seconds=given.parse_seconds,
        upload_mb=config.limits.upload_mb,
        words=given.passage_words,
    )


class _PageWords(msgspec.Struct, frozen=True, kw_only=True):
    """<data>/clinic.toml: what the page shows besides the settings. Questions to begin with, and the week's opening hours."""

    examples: dict[Language, list[str]] = {}
    hours: dict[str, list[tuple[str, str]]] = {}


def _card(config: Config, directory: Path) -> ClinicCard:
    file = directory / "clinic.toml"
    try:
        words = msgspec.convert(tomllib.loads(file.read_text("utf-8")) if file.exists() else {}, _PageWords)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise BadConfig(f"{file}: {wrong}") from wrong
    clinic = config.clinic
    return ClinicCard(
        name=clinic.name,
        languages=clinic.languages,
        emergency_number=clinic.emergency_number,
        examples=words.examples,
        retention_days=config.retention.conversation_days,
        accent=clinic.accent,
        phone=clinic.phone or None,
        hours=Hours(timezone=clinic.timezone, week=words.hours) if words.hours else None,
    )
