"""The composition root: only here are parts constructed and joined. If you wonder how something got its collaborator, look here."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from appliance import UI
from appliance.api.certificate import Tls, tls
from appliance.api.health import Component
from appliance.api.http import Parts as FrontDoor
from appliance.api.http import create_http
from appliance.api.recordings import Recordings
from appliance.api.server import serve as listen
from appliance.api.staff import StaffRoom, staff_routes
from appliance.api.staff_live import StaffLines
from appliance.assistant import signatures
from appliance.assistant.alarm import NETWORK, Alarm, Classifier
from appliance.assistant.answer import Assistant, Parts, Speaker
from appliance.assistant.approved import Approved
from appliance.assistant.contact import Contact
from appliance.assistant.followup import FollowUps
from appliance.assistant.grounding import Grounding
from appliance.assistant.handing import Handing
from appliance.assistant.language import Phrases, Wishes
from appliance.assistant.likeness import Reader
from appliance.assistant.people import Parts as PeopleParts
from appliance.assistant.people import People
from appliance.assistant.quote import Quoting, Weights
from appliance.assistant.remembered import Remembered
from appliance.assistant.saying import Saying
from appliance.assistant.smalltalk import Smalltalk
from appliance.assistant.told import Telling
from appliance.assistant.triage import Triage
from appliance.assistant.waiting import Waiting
from appliance.channels.live import Live
from appliance.channels.mattermost import check as mattermost_check
from appliance.channels.mattermost.actions import Actions
from appliance.channels.mattermost.room import ROOM_LETTERS, Rooms
from appliance.channels.phone import check as phone_check
from appliance.channels.phone.recording import Shelf
from appliance.channels.phone.unread import Unread
from appliance.channels.sms import check as sms_check
from appliance.channels.sms.line import TextLine
from appliance.channels.socket import Sockets
from appliance.channels.web import ClinicCard, Hours, Web, routes
from appliance.config import Config
from appliance.conversations import letters
from appliance.conversations.alerts import Alerts
from appliance.conversations.calendar import Calendar
from appliance.conversations.calls import Calls
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.ladder import Ladder
from appliance.conversations.rooms import RoomBook
from appliance.conversations.texts import Numbers, Texts
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, BadConfig
from appliance.knowledge.documents import Limits
from appliance.knowledge.glossary import Glossary, examined
from appliance.knowledge.library import Library
from appliance.knowledge.names import spoken_names
from appliance.knowledge.search import Search
from appliance.message import LANGUAGES, Language, Message, MessageId, Opening, now
from appliance.operations import checks
from appliance.operations.checks import Check
from appliance.operations.jobs import Job, scheduled
from appliance.operations.postman import Deliver, Postman
from appliance.people.admins import Admins
from appliance.people.staff import Account, Staff
from appliance.problems import where
from appliance.records import audit
from appliance.records.database import Database, clinic_day, sole_server
from appliance.records.keys import derive, master_key
from appliance.records.outbox import Outbox
from models import ChatModel, Embedder
from models.bitfit import BitFit
from models.llama import LlamaSettings
from models.loading import chat_model, embedder
from models.store import Store

if TYPE_CHECKING:
    from appliance.channels.phone.line import PhoneLine

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
    texts: Texts
    calls: Calls
    alerts: Alerts
    files: Files
    desk: Desk
    calendar: Calendar
    ladder: Ladder
    handing: Handing
    waiting: Waiting
    staffed: Callable[[], Awaitable[bool]]
    admins: Admins
    staff: Staff
    triage: Triage
    alarm: Alarm
    smalltalk: Smalltalk
    phrases: Phrases
    qualified: Speaker
    assistant: Assistant

    async def members(self) -> list[Account]:
        """Who may act for the clinic now."""
        return [account for account in await self.staff.list() if account.disabled_at is None]

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
        return await asyncio.to_thread(_phone_checks, config)
    try:
        database = await _records(config)
    except ApplianceError as error:
        return [checks.records(str(error))]
    try:
        open_alerts = await Alerts(database).list()
        queue = await Desk(database).queue()
        late = await _texts(config, database).waiting_since() if config.sms.account_sid else None
        undelivered = [one for one in await Outbox(database).waiting(1000) if one.kind in letters.KINDS]
        today = date.fromisoformat(await database.read(clinic_day))
        standings = [(one.answer.id, one.standing(today)) for one in await database.read(signatures.newest)]
    finally:
        await database.close()
    expired, due = ([name for name, now in standings if now == wanted] for wanted in ("expired", "due"))
    return [
        *await asyncio.to_thread(_phone_checks, config),
        checks.alerts([one.opened_at for one in open_alerts]),
        checks.cases([one.opened_at for one in queue if one.state == "waiting"], len(queue)),
        checks.outbox([one.created_at for one in undelivered]),
        *([checks.texts(late)] if config.sms.account_sid else []),
        *await asyncio.to_thread(_tokens, config),
        checks.signed_answers(expired, due),
        checks.glossary(*await asyncio.to_thread(examined, _own_glossary(config))),
    ]


def _phone_checks(config: Config) -> list[Check]:
    """What calls need; one line where all is well."""
    found = list(phone_check.looked(config, model_store(config)))
    shown = [one for one in found if one.state != "ok"] or found[:1]
    return [Check(name=one.name, state=one.state, words=one.words, remedy=one.remedy) for one in shown]


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
            served = await asyncio.to_thread(_Served, clinic, certificate, card)  # it reads files
            jobs = [Job(name="retention", hour=3, work=served.forget), *_self_tests(clinic, self_test)]
            async with (
                scheduled(jobs, timezone=config.clinic.timezone),
                _at_work(clinic, served.text_line, served.rooms, served.phone_line),
            ):
                waking = asyncio.create_task(served.wake())
                try:
                    await served.serve()
                finally:
                    waking.cancel()
            if served.phone_died:  # chats have been answered to their end; whoever watches starts us again
                raise SystemExit(PHONE_DIED)


PHONE_DIED = 70
"""The exit code when the telephone's thread has ended (EX_SOFTWARE of sysexits.h): it cannot be begun again in a process."""


@asynccontextmanager
async def _at_work(
    clinic: Clinic, text_line: TextLine | None, rooms: Rooms | None, phone_line: PhoneLine | None = None
) -> AsyncIterator[None]:
    """While open: who waits too long is called for, and what the outbox holds is delivered."""
    postman = Postman(Outbox(clinic.database), deliverers(clinic, text_line, rooms))

    async def woken() -> None:
        async with aclosing(clinic.desk.news()) as news:
            async for _ in news:
                postman.wake()

    works = {"ladder": clinic.ladder.run, "postman": postman.run, "news": woken}
    # ---- further work of other channels: their sockets and senders, a line each ----
    works |= {"mattermost": rooms.run} if rooms else {}
    works |= {"sms in": text_line.replying.run, "sms out": text_line.sending.run} if text_line else {}
    works |= {"phone": phone_line.run} if phone_line else {}
    tasks = [asyncio.create_task(_unceasing(name, work)) for name, work in works.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if rooms:
            await rooms.close()


async def _unceasing(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """A mistake of ours in one of them ends no conversation: it is logged, and begun again."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, patients are still answered
            log.error("work=%s failed %s", name, where(error))
        await asyncio.sleep(1)


def deliverers(
    clinic: Clinic, text_line: TextLine | None = None, rooms: Rooms | None = None
) -> dict[str, list[Deliver]]:
    """Who is told what. A kind that nobody is told of is done with; the staff page reads cases by itself."""
    told: dict[str, list[Deliver]] = {kind: [] for kind in letters.KINDS}
    # ---- further channels: told["case.opened"].append(…), a line each ----
    if rooms:
        for kind in ROOM_LETTERS:
            told[kind].append(rooms.told)
    if clinic.config.takes_calls:
        told["case.staff_said"].append(Unread(clinic.conversations, clinic.desk).staff_said)
    if text_line:
        told["case.staff_said"].append(text_line.staff_said)
        told["case.changed"].append(text_line.changed)
        if clinic.config.sms.page:
            told["page"].append(text_line.page)
    return told


def _tokens(config: Config) -> list[Check]:
    """Of the channels that are set up."""
    found = []
    if config.mattermost.url:
        there = mattermost_check.token(config) is not None
        found.append(checks.token("mattermost", there, "Run: medinovai mattermost check"))
    if config.sms.account_sid:
        found.append(checks.token("sms", sms_check.token(config) is not None, "Run: medinovai sms check"))
    return found


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
            desk=clinic.desk,
            files=clinic.files,
            person=clinic.assistant.person,
            clinic=self._card,
            server=config.server,
            limits=config.limits,
            secure=certificate is not None,
        )
        self._sockets = Sockets(web)
        self.text_line = _text_line(clinic, self._live)
        self.phone_line = _phone_line(clinic, self._live, died=self._phone_dead)
        self.phone_died = False
        self._shelf = shelf(clinic)
        self.rooms, actions = _rooms(clinic)
        room = StaffRoom(
            clinic.staff,
            clinic.desk,
            clinic.conversations,
            clinic.files,
            Recordings(clinic.calls, self._shelf.wav),
            own_page=web.own_page,
            danger=self._danger,
            audit=self._audit,
            secure=web.secure,
        )
        self._staff = StaffLines(room)
        self._http = create_http(
            FrontDoor(
                channels=(
                    *(*routes(web, self._sockets.hang_up), self._sockets.route()),
                    *(*staff_routes(room), self._staff.route()),
                    # ---- further channels: their routes, a line each ----
                    *(actions.routes() if actions else ()),
                    *(self.text_line.routes() if self.text_line else ()),
                ),
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
        await self._clinic.texts.forget()
        await self._shelf.forget(older_than_days=self._clinic.config.phone.recording_days)
        await self._clinic.calls.forget(older_than_days=days)
        if self.phone_line:  # answers signed since the start
            await self.phone_line.prepare()
        return await self._clinic.conversations.forget(older_than_days=days)

    def _phone_dead(self, _why: str) -> None:
        """As if we were told to stop; who does not stop in time is ended."""
        self.phone_died = True
        loop = asyncio.get_running_loop()
        loop.call_later(self._clinic.config.server.drain_s + 10, os._exit, PHONE_DIED)
        os.kill(os.getpid(), signal.SIGTERM)

    async def _drain(self) -> None:
        seconds = self._clinic.config.server.drain_s
        calls = [self.phone_line.drain(seconds)] if self.phone_line else []
        await asyncio.gather(self._live.drain(seconds), *calls)  # who still asks something by phone is given to people
        await self._sockets.close()
        await self._staff.close()

    async def _card(self) -> ClinicCard:
        card = self._shown
        if card.hours:
            calendar = self._clinic.calendar
            holidays = calendar.closed_days(now().astimezone(calendar.zone).date())
            card = msgspec.structs.replace(card, hours=msgspec.structs.replace(card.hours, holidays=holidays))
        if card.phone:
            return card
        reach = await self._clinic.contact.find("en", site=None)
        return msgspec.structs.replace(card, phone=reach.phone, sites=await self._clinic.search.sites())

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
        if self.rooms:
            there = self.rooms.socket.connected
            words = "" if there else "not connected: the staff page serves"
            parts.append(Component(name="mattermost", state="ok" if there else "warning", words=words))
        if self.text_line:
            since = await self._clinic.texts.waiting_since()
            late = since is not None and now() - since > checks.DELIVERED_WITHIN
            words = "messages wait: see medinovai sms check" if late else ""
            parts.append(Component(name="sms", state="warning" if late else "ok", words=words))
        parts += self._phone_health()
        try:
            known = await self._clinic.library.documents()
        except ApplianceError as error:
            return [Component(name="store", state="failing", words=str(error)), *parts]
        unread = [one.source for one in known if one.status == "failed"]
        words = f"{len(known)} documents" + (f"; could not be read: {', '.join(unread)}" if unread else "")
        documents = Component(name="documents", state="warning" if unread or not known else "ok", words=words)
        return [Component(name="store", state="ok"), documents, *parts]

    def _phone_health(self) -> list[Component]:
        if self.phone_line:
            state = self.phone_line.state()
            return [Component(name="phone", state="ok" if state.well else "warning", words=state.words)]
        if self._clinic.config.takes_calls:
            return [Component(name="phone", state="warning", words="off: run medinovai phone check")]
        return []

    def _danger(self, text: str) -> tuple[str, str] | None:
        flag = self._clinic.triage.red_flag(text)
        return (flag.kind, flag.rule) if flag else None

    async def _audit(self, actor: str, act: str, subject: str) -> None:
        await self._clinic.database.write(
            lambda connection: audit.record(connection, actor=actor, act=act, subject=subject)
        )


def _rooms(clinic: Clinic) -> tuple[Rooms | None, Actions | None]:
    """For staff who answer from Mattermost, where the clinic has one."""
    config = clinic.config
    if not config.mattermost.url:
        return None, None
    token = mattermost_check.token(config)
    if token is None:
        log.error("mattermost=off reason=there is no bot's token: run medinovai mattermost check")
        return None, None
    book, client = RoomBook(clinic.database), mattermost_check.client(config, token)
    rooms = Rooms(client, book, clinic.desk, clinic.conversations, clinic.files, config, members=clinic.members)
    actions = Actions(
        *(rooms, book, clinic.desk, rooms.wording),
        command_token=mattermost_check.command_token(config),
        callback=mattermost_check.callback(config),
    )
    return rooms, actions


def _text_line(clinic: Clinic, live: Live) -> TextLine | None:
    """For patients who write by text message, where the clinic has a Twilio account."""
    config = clinic.config
    if not config.sms.account_sid:
        return None
    token = sms_check.token(config)
    if token is None:
        log.error("sms=off reason=there is no auth token: run medinovai sms check")
        return None
    carrier = sms_check.carrier(config, token)
    parts = (clinic.texts, live, clinic.conversations, clinic.desk, clinic.files, config)
    return TextLine(*parts, token=token, carrier=carrier)


def shelf(clinic: Clinic) -> Shelf:
    """Where recordings of calls are kept. Reads the master key: for a thread."""
    directory = Path(clinic.config.data.directory)
    return Shelf(directory, master_key(directory), clinic.config.clinic.id, clinic.calls)


def _phone_line(clinic: Clinic, live: Live, *, died: Callable[[str], None]) -> PhoneLine | None:
    """For patients who call, where lines are configured and the extra [phone] is installed."""
    config = clinic.config
    if not config.takes_calls:
        return None
    if absent := phone_check.missing():
        log.error("phone=off reason=not installed: %s. %s", ", ".join(absent), phone_check.INSTALL)
        return None
    from appliance.channels.phone.joined import Given, joined  # it brings what hears and speaks

    return joined(
        Given(
            config=config,
            store=clinic.models,
            live=live,
            conversations=clinic.conversations,
            calls=clinic.calls,
            shelf=shelf(clinic),
            desk=clinic.desk,
            calendar=clinic.calendar,
            phrases=clinic.phrases,
            danger=lambda text: (flag := clinic.assistant.partial(text)) is not None and flag.sure,
            person=lambda text: clinic.smalltalk.topic(text) == "person",
            staffed=clinic.staffed,
            signed=lambda: _signed_words(clinic.database),
            names=lambda: clinic.database.read(spoken_names),
            died=died,
        )
    )


async def _signed_words(database: Database) -> list[tuple[Language, str]]:
    """The signed answers that are said today."""
    today = date.fromisoformat(await database.read(clinic_day))
    return [
        (language, wording.answer)
        for version in await database.read(signatures.newest)
        if version.answers_on(today)
        for language, wording in version.answer.wordings.items()
    ]


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
    desk, staff = Desk(database), _staff(config, database)
    calendar = Calendar.load(Path(config.data.directory) / "clinic.toml", ZoneInfo(config.clinic.timezone))
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
        texts=_texts(config, database),
        calls=Calls(database, master_key(Path(config.data.directory)), config.clinic.id),
        alerts=Alerts(database),
        files=Files(database, most_bytes=config.files.most_mb * 1024**2),
        desk=desk,
        calendar=calendar,
        ladder=Ladder(desk, calendar, ack_s=config.handover.ack_s, answer_s=config.handover.answer_s),
        handing=Handing.load(config.handover, glossary),
        waiting=Waiting(phrases, calendar.zone, emergency_number=config.clinic.emergency_number),
        staffed=lambda: _somebody(staff),
        admins=Admins(database),
        staff=staff,
        triage=Triage(),
        alarm=Alarm.load(models.danger),
        smalltalk=Smalltalk.load(),
        phrases=phrases,
        qualified=Qualified(models.store, models.chat, config.assistant.write_in),
        assistant=None,  # type: ignore[arg-type]  # replaced in the next line: the assistant is made of the others
    )
    return msgspec.structs.replace(clinic, assistant=_assistant(clinic, clinic.qualified))


def _texts(config: Config, database: Database) -> Texts:
    return Texts(database, Numbers(master_key(Path(config.data.directory)), config.clinic.id))


async def _somebody(staff: Staff) -> bool:
    """Whether there is anybody to hand a patient to. Without staff a patient is told how to reach the clinic.

    Whoever answers from Mattermost has an account, too; a phone that is paged can do nothing without one.
    """
    return any(account.disabled_at is None for account in await staff.list())


def _staff(config: Config, database: Database) -> Staff:
    given = config.staff
    return Staff(
        database,
        idle=timedelta(minutes=given.idle_minutes),
        longest=timedelta(hours=given.session_hours),
        clinic=config.clinic.name,
    )


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
            people=_people(clinic),
            quote_in=clinic.config.assistant.quote_in,
            saying=Saying(
                clinic.phrases,
                Telling(clinic.glossary),
                country=settings.country,
                emergency_number=settings.emergency_number,
            ),
        )
    )


def _people(clinic: Clinic) -> People:
    return People(
        PeopleParts(
            desk=clinic.desk,
            handing=clinic.handing,
            waiting=clinic.waiting,
            ladder=clinic.ladder,
            smalltalk=clinic.smalltalk,
            conversations=clinic.conversations,
            staffed=clinic.staffed,
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
        files=config.files.from_patients,
        hours=Hours(timezone=clinic.timezone, week=words.hours) if words.hours else None,
    )
