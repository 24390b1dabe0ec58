"""How long and how well the ears hear on this machine. Informs, proves nothing.

`python tests/bench/bench_hearing.py RECORDINGS MODELS [turns|windows|models]`: RECORDINGS has a manifest.jsonl (as for
`medinovai eval speech`), MODELS is a model directory. All is heard as a telephone carries it.
turns: where a caller's turn ends, by silence alone and by how it sounds; a hesitation of 0.9 s is put where a recording is
quietest in its middle. windows: padding after the speech. models: which, beams, threads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from appliance.evaluation.speech import Recording, conditions, distance, recordings, sound, units
from models.store import Store
from voice import whisper
from voice.audio import Pcm
from voice.endpoint import Ended, Endpoint, Listening, Paused
from voice.smart_turn import TurnEnd
from voice.vad import CHUNK, Vad

RATE = 16_000
HESITATION_S = 0.9


def main(folder: Path, models: Path, which: Sequence[str]) -> None:
    store = Store(models)
    rows = [(row, conditions(*sound(folder / row.file))[1]) for row in recordings(folder)]
    for name, bench in (("turns", turns), ("windows", windows), ("models", engines)):
        if not which or name in which:
            bench(store, rows)


# ---- where a turn ends -----------------------------------------------------------------------------------------------


def turns(store: Store, rows: Sequence[tuple[Recording, Pcm]]) -> None:
    store.assemble("smart-turn")
    network = TurnEnd(store.path("smart-turn"))
    long = [(row, audio) for row, audio in rows if len(audio) > 2.5 * RATE]
    sets = {
        "finished": [Stream(row.lang, [audio], network) for row, audio in long],
        "hesitating": [Stream(row.lang, _halves(audio), network) for row, audio in long],
        "digits": [Stream("en", groups, network) for groups in _numbers(rows)],
    }
    ways: list[tuple[str, Listening, Any, bool]] = [
        *((f"silence {s}", Listening(silence_s=s), "normal", False) for s in (0.5, 0.65, 0.8, 1.0, 1.2)),
        *(
            (
                f"meaning {sure}/{unsure} from {least}",
                Listening(sure_s=sure, unsure_s=unsure, complete=least),
                "normal",
                True,
            )
            for sure, unsure, least in (
                (0.3, 1.2, 0.5),
                (0.4, 1.2, 0.5),
                (0.4, 1.6, 0.5),
                (0.4, 1.2, 0.8),
                (0.4, 1.2, 0.95),
            )
        ),
        ("patience digits", Listening(), "digits", True),
        ("patience half", Listening(), "half", True),
    ]
    for name, how, patience, meaning in ways:
        for kind, streams in sets.items():
            for lang in sorted({one.lang for one in streams}):
                those = [one.taken(how, patience, meaning=meaning) for one in streams if one.lang == lang]
                _told(name, f"{kind} {lang}", those)
    began = time.process_time()
    for _, audio in long[:20]:
        network.complete(audio)
    print(f"one look: {(time.process_time() - began) / 20 * 1000:.0f} ms of a core")  # noqa: T201 - a bench speaks


class Stream:
    """Somebody speaks in parts; what the networks say of it is asked once, whatever is made of it."""

    def __init__(self, lang: str, parts: Sequence[Pcm], judge: TurnEnd) -> None:
        self.lang = lang
        gap = np.zeros(int(HESITATION_S * RATE), np.int16)
        pieces = [piece for part in parts for piece in (part, gap)]
        self.audio = np.concatenate([*pieces[:-1], np.zeros(4 * RATE, np.int16)])
        vad = Vad()
        starts = range(0, len(self.audio) - CHUNK + 1, CHUNK)
        self.chunks = [self.audio[at : at + CHUNK] for at in starts]
        self.speech = [vad(chunk) for chunk in self.chunks]
        self.last = max(at for at, probability in zip(starts, self.speech, strict=True) if probability >= 0.5)
        self._judge, self._sounded = judge, dict[int, float]()

    def taken(self, how: Listening, patience: Any, *, meaning: bool) -> tuple[bool, float]:
        """(whether it was cut off, else: seconds waited after the last word)"""
        endpoint = Endpoint(how)
        endpoint.patience = patience
        for number, (probability, chunk) in enumerate(zip(self.speech, self.chunks, strict=True)):
            for event in endpoint(probability, chunk):
                if isinstance(event, Paused) and meaning:
                    endpoint.complete = self._complete(number, event.audio)
                if isinstance(event, Ended):
                    return number * CHUNK < self.last, event.silence_s
        return False, 4.0

    def _complete(self, number: int, audio: Pcm) -> float:
        if number not in self._sounded:
            self._sounded[number] = self._judge.complete(audio)
        return self._sounded[number]


def _halves(audio: Pcm) -> list[Pcm]:
    """Cut where it is quietest in the middle third, as who hesitates breaks off."""
    third, tenth = len(audio) // 3, RATE // 20
    middle = audio[third : 2 * third].astype(float) ** 2
    loud = middle[: len(middle) // tenth * tenth].reshape(-1, tenth).mean(axis=1)
    cut = third + int(loud.argmin()) * tenth + tenth // 2
    return [audio[:cut], audio[cut:]]


def _numbers(rows: Sequence[tuple[Recording, Pcm]]) -> Iterator[list[Pcm]]:
    """Telephone numbers: three, three and four digits of one voice, a breath between the groups."""
    voices: dict[str, list[Pcm]] = {}
    for row, audio in rows:
        if "digit" in row.kind:
            voices.setdefault(row.file.split("_")[-2], []).append(audio[int(0.3 * RATE) : -int(0.3 * RATE)])
    for digits in voices.values():
        for at in range(0, len(digits) - 9, 5):
            yield [np.concatenate(digits[at + a : at + b]) for a, b in ((0, 3), (3, 6), (6, 10))]


def _told(name: str, kind: str, taken: Sequence[tuple[bool, float]]) -> None:
    cut = sum(one[0] for one in taken) / len(taken)
    waited = median([one[1] for one in taken if not one[0]] or [float("nan")])
    print(f"{name:26} {kind:13} n {len(taken):3}  cut off {cut:.2f}  waited {waited:.2f} s", flush=True)  # noqa: T201 - a bench speaks


# ---- how long hearing takes ------------------------------------------------------------------------------------------


def windows(store: Store, rows: Sequence[tuple[Recording, Pcm]]) -> None:
    for padding in (30.0, 15.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0):
        _measured(store, rows, f"base, 2 threads, beam 5, padding {padding:g} s", "whisper-base", 2, 5, padding)


def engines(store: Store, rows: Sequence[tuple[Recording, Pcm]]) -> None:
    for model in ("whisper-base", "whisper-tiny-en"):
        for threads in (1, 2):
            for beam in (1, 5):
                name = f"{model}, {threads} threads, beam {beam}"
                _measured(store, rows, name, model, threads, beam, whisper.PADDING_S)


def _measured(
    store: Store, rows: Sequence[tuple[Recording, Pcm]], name: str, model: str, threads: int, beam: int, padding: float
) -> None:
    store.assemble(model)
    from faster_whisper import WhisperModel

    loaded = WhisperModel(str(store.path(model).parent), device="cpu", compute_type="int8", cpu_threads=threads)
    ears = whisper._Whisper(loaded, ("en", "es", "zh") if loaded.model.is_multilingual else ("en",), beam)
    groups: dict[str, list[tuple[int, int, float, float]]] = {}
    for row, audio in rows[::3]:
        if row.lang not in ears.languages:
            continue
        asked = whisper._Asked(audio, row.lang, "", time.monotonic(), time.monotonic() + 60)
        began, cpu = time.monotonic(), time.process_time()
        _, speech = whisper._trimmed(audio)
        speech = speech if len(speech) else audio
        text = ears._written(speech, ears._encoded(speech, padding), row.lang, asked, "").text
        wanted = units(row.text, row.lang)
        wrong = distance(wanted, units(text, row.lang))
        kind: str = "digits" if "digit" in row.kind else row.lang
        took = (time.monotonic() - began, time.process_time() - cpu)
        groups.setdefault(kind, []).append((wrong, len(wanted), *took))
    for kind, found in sorted(groups.items()):
        print(  # noqa: T201 - a bench speaks
            f"{name:46} {kind:6} wrong {sum(one[0] for one in found) / sum(one[1] for one in found):.3f}"
            f"  took {median(one[2] for one in found):.2f} s, {median(one[3] for one in found):.2f} of a core",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
