"""What is kept of a call's sound: both directions side by side, sealed on the disk, kept for the days that are set.

Knows no consent: whoever makes a recording has it.

A file is a row of frames, each compressed and sealed (AES-256-GCM) under a key of its own file, derived from the master key. The
frame's number is its nonce, so that none can be left out, doubled or moved; the last one says that it is the last.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import struct
import wave
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.conversations.calls import Calls, Kept, Recording
from appliance.errors import NotFound, StoreFailed
from appliance.message import ConversationId
from appliance.problems import where
from appliance.records.keys import derive

log = logging.getLogger(__name__)

Pcm = npt.NDArray[np.int16]
Direction = Literal["in", "out"]

FOLDER: Final = "recordings"
FRAME_S: Final = 5.0
"""So much is lost of a recording when the process dies."""


class Shelf:
    """Where sealed sound is kept."""

    def __init__(self, directory: Path, master: bytes, clinic: str, calls: Calls) -> None:
        self._directory = directory / FOLDER
        self._master = master
        self._clinic = clinic
        self._calls = calls

    def record(self, call: int, conversation: ConversationId, *, kind: Kept, channels: int) -> Recorder:
        """A recording that begins with its first sound."""
        return Recorder(self, call, conversation, kind=kind, channels=channels)

    async def wav(self, recording: Recording) -> bytes:
        """A recording as a WAV file. Raises NotFound, StoreFailed."""
        return await asyncio.to_thread(self._wav, recording)

    async def forget(self, *, older_than_days: int) -> int:
        """Take out what is kept no longer: the file first, then its row. Returns how many."""
        due = await self._calls.due(older_than_days=older_than_days)
        for one in due:
            await asyncio.to_thread((self._directory / one.file).unlink, missing_ok=True)
        await self._calls.forgot(one.id for one in due)
        return len(due)

    # ---- for a recorder ---------------------------------------------------------------------------------------------

    async def begin(self, recorder: Recorder, rate: int) -> tuple[int, _Sealed]:
        name = f"{token_hex(16)}.sealed"
        number = await self._calls.recorded(
            recorder.call,
            recorder.conversation,
            kind=recorder.kind,
            file=name,
            rate=rate,
            channels=recorder.channels,
        )
        return number, await asyncio.to_thread(_Sealed, self._directory / name, self._seal(name))

    async def done(self, number: int, seconds: float) -> None:
        await self._calls.lasted(number, seconds)

    async def drop(self, number: int, sealed: _Sealed) -> None:
        await asyncio.to_thread(sealed.file.unlink, missing_ok=True)
        await self._calls.forgot([number])

    def _seal(self, name: str) -> AESGCM:
        return AESGCM(derive(self._master, f"recording:{self._clinic}:{name}"))

    def _wav(self, recording: Recording) -> bytes:
        file = self._directory / recording.file
        try:
            sealed = file.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"the file of recording {recording.id} is gone: {file}") from None
        try:
            pcm = b"".join(_frames(sealed, self._seal(recording.file)))
        except (InvalidTag, zlib.error, struct.error):
            raise StoreFailed(f"{file} is damaged, or sealed with another master key") from None
        out = io.BytesIO()
        with wave.open(out, "wb") as sound:
            sound.setnchannels(recording.channels)
            sound.setsampwidth(2)
            sound.setframerate(recording.rate)
            sound.writeframes(pcm)
        return out.getvalue()


class Recorder:
    """One recording of one call. What it is given it keeps in memory until the next frame is written."""

    def __init__(self, shelf: Shelf, call: int, conversation: ConversationId, *, kind: Kept, channels: int) -> None:
        self.call = call
        self.conversation = conversation
        self.kind = kind
        self.channels = channels
        """2: the caller left, we right. 1: the caller alone."""
        self._shelf = shelf
        self._in = _Track()
        self._out = _Track()
        self._rate = 0
        self._written = 0
        self._begun: tuple[int, _Sealed] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._failed = False

    @property
    def seconds(self) -> float:
        return self._in.samples / self._rate if self._rate else 0.0

    def __call__(self, direction: Direction, pcm: Pcm, rate: int) -> None:
        """Sound that has just come in or gone out. The caller's packets never pause: they are the clock."""
        if self._failed or (self._rate and rate != self._rate):
            return
        self._rate = rate
        if direction == "in":
            self._in.add(pcm)
        elif self.channels == 2:
            self._out.fill(self._in.samples)
            self._out.add(pcm)
        if self._in.samples - self._written >= FRAME_S * rate and self._writing is None:
            self._writing = asyncio.create_task(self._write(self._in.samples))
            self._writing.add_done_callback(self._wrote)

    async def close(self) -> float:
        """Write the rest. Returns how many seconds were kept; 0 where there was no sound or the disk failed."""
        await self._settled()
        if not (self._rate and self._in.samples) or self._failed:
            return 0.0
        try:
            await self._write(self._in.samples, last=True)
            if self._begun:
                await self._shelf.done(self._begun[0], self.seconds)
        except Exception as error:  # noqa: BLE001 - an edge: a call goes on without its recording
            log.error("recording=failed call=%d %s", self.call, where(error))
            return 0.0
        return self.seconds

    async def discard(self) -> None:
        """The caller does not want it: nothing of it stays."""
        self._failed = True
        await self._settled()
        if self._begun:
            await self._shelf.drop(*self._begun)

    async def _settled(self) -> None:
        if self._writing:
            with suppress(Exception):  # told when it happened
                await self._writing

    async def _write(self, until: int, *, last: bool = False) -> None:
        if self._begun is None:
            self._begun = await self._shelf.begin(self, self._rate)
        pcm = self._in.take(until - self._written)
        if self.channels == 2:
            pcm = np.column_stack([pcm, self._out.take(until - self._written)]).reshape(-1)
        self._written = until
        await asyncio.to_thread(self._begun[1].write, pcm.tobytes(), last=last)

    def _wrote(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not task.cancelled() and (error := task.exception()):
            self._failed = True
            log.error("recording=failed call=%d %s", self.call, where(error))


class _Track:
    """One direction's sound that is not written yet."""

    def __init__(self) -> None:
        self.samples = 0
        """Ever added."""
        self._pieces: list[Pcm] = []

    def add(self, pcm: Pcm) -> None:
        self.samples += len(pcm)
        self._pieces.append(pcm)

    def fill(self, samples: int) -> None:
        """Silence up to there."""
        if samples > self.samples:
            self.add(np.zeros(samples - self.samples, np.int16))

    def take(self, samples: int) -> Pcm:
        """The oldest so many; silence where there are fewer."""
        held = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        taken, left = held[:samples], held[samples:]
        self._pieces = [left] if len(left) else []
        if len(taken) < samples:
            self.samples += samples - len(taken)
            taken = np.concatenate([taken, np.zeros(samples - len(taken), np.int16)])
        return taken


class _Sealed:
    """A file of sealed frames, growing. Blocks: for threads."""

    def __init__(self, file: Path, seal: AESGCM) -> None:
        self.file = file
        self._seal = seal
        self._number = 0
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def write(self, pcm: bytes, *, last: bool = False) -> None:
        sealed = self._seal.encrypt(_nonce(self._number), zlib.compress(pcm, 1), _LAST if last else _MORE)
        self._number += 1
        with self.file.open("ab") as out:
            out.write(struct.pack("<I", len(sealed)) + sealed)
            if last:
                out.flush()
                os.fsync(out.fileno())


_LAST: Final = b"last"
_MORE: Final = b"more"


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "little")


def _frames(sealed: bytes, seal: AESGCM) -> Iterator[bytes]:
    """The sound, frame by frame; of a recording that broke off, all whole frames."""
    at = number = 0
    while at + 4 <= len(sealed):
        (long,) = struct.unpack_from("<I", sealed, at)
        frame = sealed[at + 4 : at + 4 + long]
        if len(frame) < long:
            return
        at, end = at + 4 + long, at + 4 + long >= len(sealed)
        yield zlib.decompress(_opened(seal, frame, number, end=end))
        number += 1


def _opened(seal: AESGCM, frame: bytes, number: int, *, end: bool) -> bytes:
    if end:
        with suppress(InvalidTag):
            return seal.decrypt(_nonce(number), frame, _LAST)
    return seal.decrypt(_nonce(number), frame, _MORE)
