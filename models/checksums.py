"""Whether a file is the one that was catalogued. Knows nothing of what is in it."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import msgspec

from models import ModelDamaged, ModelMissing


def sha256_of(path: Path) -> str:
    """Reads the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checksums:
    """Remembers what it has read, by path, size, inode and times: a large file is read once, not at each start.

    With a directory it remembers across starts. Bytes that rot on the disk without a write change none of these;
    ``medinovai models verify`` therefore reads everything.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._file = None if directory is None else directory / "checksums.json"
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def verify(self, path: Path, sha256: str) -> None:
        """Raises ModelMissing or ModelDamaged, with what to do."""
        found = self.of(path)
        if found != sha256:
            raise ModelDamaged(
                f"{path} is damaged or another version: its sha256 is {found[:12]}…, expected is {sha256[:12]}…. "
                "Remove the file and install it again (medinovai models verify shows what is wrong)."
            )

    def of(self, path: Path) -> str:
        """The sha256 of the file as it is now."""
        if not path.is_file():
            raise ModelMissing(f"{path} does not exist. Install the model again: medinovai models list shows how.")
        key = _identity(path)
        with self._lock:  # each engine's thread may ask
            known = self._recall()
            if key not in known:
                known[key] = sha256_of(path)
                self._remember(known)
            return known[key]

    def _recall(self) -> dict[str, str]:
        if self._known or self._file is None or not self._file.is_file():
            return self._known
        try:
            self._known = msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])
        except msgspec.MsgspecError:
            self._known = {}  # a torn cache costs one reading of the files, no more
        return self._known

    def _remember(self, known: dict[str, str]) -> None:
        if self._file is not None:
            write_atomically(self._file, msgspec.json.encode(known))


def write_atomically(path: Path, data: bytes) -> None:
    """Old content or new content after a power cut, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    move_into_place(part, path)


def move_into_place(part: Path, path: Path) -> None:
    """Rename a complete, synced file to its name, and sync the directory so that the name survives too."""
    part.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _identity(path: Path) -> str:
    now = path.stat()
    return f"{path}|{now.st_size}|{now.st_ino}|{now.st_mtime_ns}|{now.st_ctime_ns}"
