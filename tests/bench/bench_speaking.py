"""How soon, how fast and how clearly the voices speak on this machine: `python tests/bench/bench_speaking.py [MODELS] [VOICE …]`.

Informs, proves nothing. For each language the sentences of speaking.toml: the time to the first sound and the work for a
second of sound, alone and with every core busy; the longest silence that a listener would hear between two clauses. Then
through the telephone (8 kHz, µ-law) into the ears: the share of words (Chinese: characters, Hindi: sounds, because the
ears write it in any script) that come out wrong, of the voice used and of espeak-ng. VOICE: styles of Kokoro to compare.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import resource
import statistics
import sys
import tempfile
import time
import tomllib
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from models.store import Store
from voice.audio import mulaw, resampled, unmulaw
from voice.espeak import Espeak
from voice.kokoro import Kokoro, Network
from voice.loudness import levelled, speech_dbfs, trimmed
from voice.mouth import Mouth, Voice
from voice.numbers import spoken
from voice.phonemes import phonemes
from voice.voices import VoiceFile, voices
from voice.whisper import Ears

SENTENCES: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("speaking.toml").read_text("utf-8"))
LINE_HZ = 8000
say = Console(highlight=False, soft_wrap=True).print


async def main(models: Path, styles: Sequence[str]) -> None:
    logging.disable(logging.WARNING)
    store = Store(models)
    store.assemble("phone")
    files = {name: VoiceFile(store.path(name), store.sha256(name)) for name in ("piper-joe", "kokoro")}
    say(
        f"memory before                 {_megabytes():6.0f} MB; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    began = time.perf_counter()
    found = voices(SENTENCES, piper=files["piper-joe"], kokoro=files["kokoro"])
    mouth = Mouth(found)
    await mouth.warm(SENTENCES)
    say(f"loaded in                     {time.perf_counter() - began:6.1f} s, memory {_megabytes():.0f} MB")
    for busy in (False, True):
        with _burning(os.cpu_count() or 1 if busy else 0):
            for language, sentences in SENTENCES.items():
                await _times(Mouth(found), language, sentences[::3], "every core busy" if busy else "alone")
    say(f"memory at most                {_megabytes():6.0f} MB")
    ears = Ears.load(store.path("whisper-base").parent, threads=os.cpu_count() or 1)
    for language in SENTENCES:
        for voice in (found[language][0], Espeak(language)):
            await _understood(ears, voice, language)
    for style in styles:
        language = {"e": "es", "z": "zh", "h": "hi", "a": "en", "b": "en"}[style[0]]
        network = Network(files["kokoro"].path, sha256=files["kokoro"].sha256)
        await _understood(ears, Kokoro(network, language, style), language)
    ears.close()
    mouth.close()


async def _times(mouth: Mouth, language: str, sentences: Sequence[str], when: str) -> None:
    first, cost, work, gaps = [], [], [], []
    for sentence in sentences:
        at = [piece async for piece in _said(mouth, sentence, language)]
        first.append(at[0].came_s)
        cost.append(at[0].cpu_s)
        work.append(at[-1].cpu_s / sum(piece.seconds for piece in at))
        gaps.append(_gap(at))
    mouth.close()
    say(
        f"{language} {when:16} first sound median {statistics.median(first):5.2f} s, slowest {max(first):5.2f} s, work for it"
        f" {statistics.median(cost):4.2f} s; work {statistics.median(work):4.2f} s a second; a silence of {max(gaps):4.2f} s"
    )


class Piece(NamedTuple):
    came_s: float
    """After it was asked for."""
    cpu_s: float
    """What this process had computed by then."""
    seconds: float


async def _said(mouth: Mouth, sentence: str, language: str) -> AsyncIterator[Piece]:
    began, cpu = time.perf_counter(), time.process_time()
    async with aclosing(mouth.say(sentence, language, LINE_HZ)) as saying:
        async for pcm in saying:
            yield Piece(time.perf_counter() - began, time.process_time() - cpu, len(pcm) / LINE_HZ)


def _gap(at: Sequence[Piece]) -> float:
    """How long a listener waits in the middle, where a clause comes after the one before has been heard."""
    heard_until, longest = at[0].came_s, 0.0
    for piece in at:
        longest = max(longest, piece.came_s - heard_until)
        heard_until = max(heard_until, piece.came_s) + piece.seconds
    return longest


async def _understood(ears: Ears, voice: Voice, language: str) -> None:
    wrong, many, levels = 0, 0, []
    for sentence in SENTENCES[language]:
        said = levelled(trimmed(voice.speak(spoken(sentence, language)), voice.rate), voice.rate)
        line = resampled(unmulaw(mulaw(resampled(said, voice.rate, LINE_HZ))), LINE_HZ, 16_000)
        levels.append(speech_dbfs(line, 16_000))
        heard = await ears.hear(line, language=language, deadline_s=60)
        want, got = _units(sentence, language), _units(heard.text, language)
        wrong += _distance(want, got)
        many += len(want)
    name = re.sub(r"[0-9a-f]{60,}", "", voice.identity)
    say(f"{language} {name:34} {wrong / many:6.3f} wrong, {np.mean(levels):.1f} dBFS")


def _units(text: str, language: str) -> list[str]:
    """What is counted: words, characters or sounds; numbers in words on both sides."""
    text = spoken(text, language).lower()
    if language == "hi":
        other = "ur" if re.search("[\u0600-\u06ff]", text) else "hi"
        return list(re.sub(r"[\Wːʰˈˌ]", "", "".join(sounds for sounds, _ in phonemes(text, other))))
    if language == "zh":
        return re.findall(r"[㐀-鿿]|[a-z]+", text)
    return re.findall(r"\w+", unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode())


def _distance(want: Sequence[str], got: Sequence[str]) -> int:
    row = list(range(len(got) + 1))
    for at, one in enumerate(want, 1):
        before, row[0] = row[0], at
        for column, other in enumerate(got, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (one != other))
    return row[-1]


@contextmanager
def _burning(cores: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=_burn, daemon=True) for _ in range(cores)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.terminate()
            process.join()


def _burn() -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        sum(range(100_000))


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    asyncio.run(main(directory, sys.argv[2:]))
