"""The composition root: the only module that constructs parts and joins them. If you wonder how something got its collaborator, look here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from appliance.assistant.answer import Assistant, ClinicFacts, Parts, Speaker
from appliance.assistant.contact import Contact
from appliance.assistant.language import Phrases
from appliance.assistant.quote import Quoting, Weights
from appliance.assistant.smalltalk import Smalltalk
from appliance.assistant.triage import Triage
from appliance.config import Config
from appliance.conversations.turns import Conversations
from appliance.knowledge.documents import Limits
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.library import Library
from appliance.knowledge.search import Search
from appliance.message import Language
from appliance.people.admins import Admins
from appliance.records.database import Database
from appliance.records.keys import derive, master_key
from models import ChatModel, Embedder
from models.llama import LlamaSettings
from models.loading import chat_model, embedder
from models.store import Store


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
    contact: Contact
    conversations: Conversations
    admins: Admins
    assistant: Assistant

    def assistant_with(self, speaker: Speaker) -> Assistant:
        """The same assistant with another word on who may write: for the terminal and for `models qualify`."""
        return _assistant(self, speaker)


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The models a clinic is opened with; tests give scripted ones."""

    store: Store
    embedder: Embedder
    chat: ChatModel | None


@asynccontextmanager
async def open_clinic(config: Config, *, models: Models | None = None) -> AsyncIterator[Clinic]:
    """A clinic with everything joined; models load with their first work. Raises an ApplianceError that says what to do."""
    directory = Path(config.data.directory)
    key = derive(master_key(directory), f"db:{config.clinic.id}")
    database = await Database.open(directory / f"{config.clinic.id}.db", key)
    used = models or installed(config)
    try:
        yield _joined(config, database, used)
    finally:
        if used.chat:
            await used.chat.close()
        await used.embedder.close()
        await database.close()


def installed(config: Config) -> Models:
    """The models the settings name."""
    store = model_store(config)
    settings = LlamaSettings(
        threads=config.models.threads, context_tokens=config.models.context_tokens, queue=config.models.queue
    )
    chat = chat_model(config.models.chat, store, settings) if config.models.chat else None
    return Models(store=store, embedder=embedder(config.models.embedder, store), chat=chat)


def model_store(config: Config) -> Store:
    """The models of this box; needs no key and no database."""
    return Store(Path(config.data.directory) / "models")


class Qualified:
    """Lets a model write only in the languages in which this very file has passed on this box."""

    def __init__(self, store: Store, chat: ChatModel | None) -> None:
        self._chat = chat
        self._verdict = store.verdict(chat.sha256) if chat else None

    def qualified(self, language: Language) -> ChatModel | None:
        if self._chat and self._verdict and self._verdict.passed and language in self._verdict.languages:
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
    glossary = Glossary.load(Path(config.data.directory) / "glossary.toml")
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
        contact=Contact(search, quoting, Phrases.load()),
        conversations=Conversations(database),
        admins=Admins(database),
        assistant=None,  # type: ignore[arg-type]  # replaced in the next line: the assistant is made of the others
    )
    return msgspec.structs.replace(clinic, assistant=_assistant(clinic, Qualified(models.store, models.chat)))


def _assistant(clinic: Clinic, speaker: Speaker) -> Assistant:
    settings = clinic.config.clinic
    return Assistant(
        Parts(
            triage=Triage(),
            smalltalk=Smalltalk.load(),
            search=clinic.search,
            glossary=clinic.glossary,
            quoting=clinic.quoting,
            contact=clinic.contact,
            conversations=clinic.conversations,
            speaker=speaker,
            phrases=Phrases.load(),
            clinic=ClinicFacts(country=settings.country, emergency_number=settings.emergency_number),
        )
    )
