"""How well the ears understand recordings with known words, and how many words they invent where there are none.

Each recording is heard as it is and as a telephone carries it: 8 kHz, µ-law. Words are compared without case, accents and
punctuation, numbers written out; Chinese by the character.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from appliance.errors import BadInput
from appliance.evaluation.figures import Figures, milliseconds, report, share
from appliance.evaluation.noises import RATE as NOISE_RATE
from appliance.evaluation.noises import noises
from appliance.message import LANGUAGES, Language
from voice.audio import Pcm, mulaw, resampled, unmulaw
from voice.endpoint import Ended, Endpoint
from voice.numbers import spoken
from voice.vad import CHUNK, Vad
from voice.whisper import RATE, Ears

Condition = Literal["clean", "phone"]
MANIFEST: Final = "manifest.jsonl"
NOISE_S: Final = 60.0
"""How long each kind of noise lasts before the next comes."""
_DIGITS: Final = "digit"
"""What a manifest's ``kind`` has where each recording is one digit."""
_PATIENT_S: Final = 60.0

Progress = Callable[[int, int], None]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a manifest."""

    file: str
    lang: Language
    text: str
    kind: str = ""


class JudgedRecording(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard in one recording, in one condition."""

    id: str
    lang: Language
    condition: Condition
    digit: bool
    text: str
    said: str
    """What the ears heard."""
    wrong: int
    """Words (Chinese: characters) put in, left out or changed."""
    of: int
    doubt: bool
    took_ms: float


class JudgedNoise(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard in a minute or so without a word."""

    kind: str
    lang: Language
    seconds: float
    turns: int
    """How often somebody was taken to speak."""
    invented: tuple[str, ...]
    doubts: int
    """Turns in which somebody seemed to speak who was not understood: the caller is asked to say it again."""


def recordings(folder: Path) -> list[Recording]:
    """The rows of a folder's manifest; raises BadInput naming the line that is wrong."""
    file = folder / MANIFEST
    if not file.is_file():
        raise BadInput(f"{file} is not there. It has a line for each recording: file, lang, text, kind.")
    rows = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            rows.append(msgspec.json.decode(line, type=Recording))
        except msgspec.MsgspecError as wrong:
            raise BadInput(f"{file}, line {number}: {wrong}") from wrong
    return rows


async def heard(
    ears: Ears, folder: Path, rows: Sequence[Recording], *, progress: Progress = lambda _done, _total: None
) -> dict[str, Any]:
    """Every recording in both conditions, in the language that it is in."""
    judged = []
    for done, row in enumerate(rows, start=1):
        clean, phone = await asyncio.to_thread(_carried, folder / row.file)
        judged.append(await _judged(ears, row, "clean", clean))
        judged.append(await _judged(ears, row, "phone", phone))
        progress(done, len(rows))
    found = report([one for one in judged if one.condition == "phone"], _figures)
    found["by_condition"] = {name: _figures([one for one in judged if one.condition == name]) for name in _NAMES}
    found["rows"] = judged
    return found


_NAMES: Final[tuple[Condition, Condition]] = ("clean", "phone")


async def invented(
    ears: Ears, minutes: float, *, hotwords: str = "", progress: Progress = lambda _done, _total: None
) -> dict[str, Any]:
    """What is heard in so many minutes of noise, through the same door as a caller: turns first, then words."""
    judged = []
    total = round(minutes * 60)
    async for row in _noise(ears, total, hotwords):
        judged.append(row)
        progress(min(total, round(sum(one.seconds for one in judged))), total)
    kinds = dict.fromkeys(row.kind for row in judged)
    return {
        "overall": _noise_figures(judged),
        "by_lang": {lang: _noise_figures([row for row in judged if row.lang == lang]) for lang in LANGUAGES},
        "by_noise": {kind: _noise_figures([row for row in judged if row.kind == kind]) for kind in kinds},
        "rows": judged,
    }


# ---- recordings ------------------------------------------------------------------------------------------------------


def sound(file: Path) -> tuple[Pcm, int]:
    """The samples of a recording in any usual format, and its rate."""
    import av

    try:
        with av.open(str(file)) as container:
            rate = container.streams.audio[0].rate
            mono = av.AudioResampler(format="s16", layout="mono", rate=rate)
            frames = [made for frame in container.decode(audio=0) for made in mono.resample(frame)]
    except (OSError, IndexError) as wrong:
        raise BadInput(f"{file} cannot be read as a recording: {wrong}") from wrong
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]).astype(np.int16), rate


def conditions(pcm: Pcm, rate: int) -> tuple[Pcm, Pcm]:
    """As it is, and as a telephone carries it; both at 16 kHz, with the silence that a call has around words."""
    pcm = np.pad(pcm, rate * 2 // 5)
    line = unmulaw(mulaw(resampled(pcm, rate, 8000)))
    return resampled(pcm, rate, RATE), resampled(line, 8000, RATE)


def _carried(file: Path) -> tuple[Pcm, Pcm]:
    return conditions(*sound(file))


async def _judged(ears: Ears, row: Recording, condition: Condition, audio: Pcm) -> JudgedRecording:
    found = await ears.hear(audio, language=row.lang, deadline_s=_PATIENT_S)
    wrong, of = await asyncio.to_thread(_compared, row, found.text)
    return JudgedRecording(
        id=row.file,
        lang=row.lang,
        condition=condition,
        digit=_DIGITS in row.kind,
        text=row.text,
        said=found.text,
        wrong=wrong,
        of=of,
        doubt=found.doubt,
        took_ms=found.took_s * 1000,
    )


def _compared(row: Recording, said: str) -> tuple[int, int]:
    asked = units(row.text, row.lang)
    return distance(asked, units(said, row.lang)), len(asked)


def units(text: str, language: Language) -> list[str]:
    """What is compared: words, in Chinese characters; numbers as they are spoken."""
    parts = unicodedata.normalize("NFKD", spoken(text, language).casefold())
    kept = "".join(
        sign if _counts(sign) else "" if unicodedata.combining(sign) or sign == "'" else " " for sign in parts
    )
    return [sign for sign in kept if sign != " "] if language == "zh" else kept.split()


def _counts(sign: str) -> bool:
    """Devanagari's vowel signs are letters here; accents are not."""
    return sign.isalnum() or "\u0900" <= sign <= "\u094d"


def distance(asked: Sequence[str], said: Sequence[str]) -> int:
    """How many must be put in, left out or changed (Levenshtein)."""
    row = list(range(len(said) + 1))
    for i, wanted in enumerate(asked, start=1):
        before, row[0] = row[0], i
        for j, one in enumerate(said, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != one))
    return row[-1]


def _figures(rows: Sequence[JudgedRecording]) -> Figures:
    words = [row for row in rows if not row.digit]
    digits = [row for row in rows if row.digit]
    took = milliseconds([row.took_ms for row in rows])
    return {
        "recordings": len(rows),
        "error_rate": _rate(words),
        "doubtful": share(row.doubt for row in words),
        "error_rate_sure": _rate([row for row in words if not row.doubt]),
        "digits_right": share(not row.wrong for row in digits),
        "took_ms_p50": took["first_ms_p50"],
        "took_ms_p95": took["first_ms_p95"],
    }


def _rate(rows: Sequence[JudgedRecording]) -> float | None:
    of = sum(row.of for row in rows)
    return round(sum(row.wrong for row in rows) / of, 4) if of else None


# ---- noise -----------------------------------------------------------------------------------------------------------


async def _noise(ears: Ears, total: float, hotwords: str) -> AsyncIterator[JudgedNoise]:
    """A minute of each kind after the other; each time round in another language."""
    left, turn = total, 0
    while left > 0:
        for number, (kind, pcm) in enumerate(noises(min(NOISE_S, left), seed=turn)):
            language = LANGUAGES[(turn + number) % len(LANGUAGES)]
            yield await _nothing(ears, kind, language, pcm, hotwords)
            left -= len(pcm) / NOISE_RATE
            if left <= 0:
                return
        turn += 1


async def _nothing(ears: Ears, kind: str, language: Language, pcm: Pcm, hotwords: str) -> JudgedNoise:
    audio = resampled(unmulaw(mulaw(pcm)), NOISE_RATE, RATE)
    taken = await asyncio.to_thread(turns, audio)
    found = [await ears.hear(turn, language=language, hotwords=hotwords, deadline_s=_PATIENT_S) for turn in taken]
    return JudgedNoise(
        kind=kind,
        lang=language,
        seconds=len(pcm) / NOISE_RATE,
        turns=len(found),
        invented=tuple(one.text for one in found if one.text),
        doubts=sum(one.doubt for one in found),
    )


def turns(audio: Pcm) -> list[Pcm]:
    """What a call takes for turns of a caller in this audio at 16 kHz."""
    vad, endpoint = Vad(), Endpoint()
    stream = np.pad(audio, (0, 3 * RATE))
    chunks = [stream[at : at + CHUNK] for at in range(0, len(stream) - CHUNK + 1, CHUNK)]
    events = [event for chunk in chunks for event in endpoint(vad(chunk), chunk)]
    return [event.audio for event in events if isinstance(event, Ended)]


def _noise_figures(rows: Sequence[JudgedNoise]) -> Figures:
    hours = sum(row.seconds for row in rows) / 3600
    texts = [(text, row.lang) for row in rows for text in row.invented]
    count = sum(len(units(text, lang)) for text, lang in texts)
    return {
        "minutes": round(hours * 60, 1),
        "turns": sum(row.turns for row in rows),
        "doubts": sum(row.doubts for row in rows),
        "invented_texts": len(texts),
        "invented_words": count,
        "invented_words_an_hour": round(count / hours, 2) if hours else None,
    }
