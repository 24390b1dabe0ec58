"""Makes every voice as loud as every other, and breathes where a sentence breathes. Knows nothing of engines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voice.audio import Pcm

SPEECH_DBFS = -20.0
"""Loudness of the parts where somebody speaks; 6 dB above the nominal level of telephone speech, as recorded prompts are."""
PEAK = 30_000
"""Above this samples are bent, not cut."""
SHAPE = 1
"""Raise it when a clause comes out of this module otherwise than before: sound kept on disk is then made anew."""

_FRAME_S = 0.01
_FLOOR_DB = 35.0
_MARGIN_S = 0.02
_PAUSES_S = (("。.!?！？।॥…", 0.36), (",，、;；:：–—", 0.14))


def trimmed(pcm: Pcm, rate: int) -> Pcm:
    """Without the silence in front and behind: some engines begin with a third of a second of it, and a caller waits."""
    loud = np.flatnonzero(_frames_db(pcm, rate) > _loudest_db(pcm, rate) - _FLOOR_DB)
    if not len(loud):
        return pcm[:0]
    frame, margin = int(rate * _FRAME_S), int(rate * _MARGIN_S)
    return _faded(pcm[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin], margin // 2)


def levelled(pcm: Pcm, rate: int) -> Pcm:
    """At ``SPEECH_DBFS``, measured where somebody speaks."""
    if not len(pcm) or (now := speech_dbfs(pcm, rate)) == -np.inf:
        return pcm
    return _bent(pcm.astype(np.float32) * 10 ** ((SPEECH_DBFS - now) / 20))


def speech_dbfs(pcm: Pcm, rate: int) -> float:
    """Mean power of the frames that are within 20 dB of the loudest: pauses do not count."""
    frames = _frames_db(pcm, rate)
    speech = frames[frames > _loudest_db(pcm, rate) - 20.0]
    return float(10 * np.log10(np.mean(10 ** (speech / 10)))) if len(speech) else -np.inf


def pause_after(clause: str, rate: int) -> Pcm:
    """The silence that belongs to how the clause ends; none where it was cut without a sign."""
    last = clause.rstrip()[-1:]
    seconds = next((long for signs, long in _PAUSES_S if last and last in signs), 0.05)
    return np.zeros(int(rate * seconds), np.int16)


def _frames_db(pcm: Pcm, rate: int) -> npt.NDArray[np.float64]:
    frame = int(rate * _FRAME_S)
    whole = np.pad(pcm.astype(np.float64), (0, -len(pcm) % frame)).reshape(-1, frame)
    decibels: npt.NDArray[np.float64] = 10 * np.log10(np.mean(whole**2, axis=1) / 32768.0**2 + 1e-10)
    return decibels


def _loudest_db(pcm: Pcm, rate: int) -> float:
    """Of the loudest twentieth of the frames: a click is not speech. Silence has none."""
    frames = _frames_db(pcm, rate)
    loudest = float(np.quantile(frames, 0.95)) if len(frames) else -100.0
    return loudest if loudest > -60.0 else np.inf


def _bent(sound: npt.NDArray[np.float32]) -> Pcm:
    """Peaks above 3/4 of the limit approach it smoothly."""
    knee = PEAK * 0.75
    size = np.abs(sound)
    bent = np.where(size > knee, knee + (PEAK - knee) * np.tanh((size - knee) / (PEAK - knee)), size)
    pcm: Pcm = np.round(np.sign(sound) * bent).astype(np.int16)
    return pcm


def _faded(pcm: Pcm, samples: int) -> Pcm:
    """No click where it was cut."""
    edge = np.linspace(0, 1, min(samples, len(pcm) // 2), dtype=np.float32)
    shape = np.ones(len(pcm), np.float32)
    shape[: len(edge)] = edge
    shape[len(pcm) - len(edge) :] = edge[::-1]
    faded: Pcm = (pcm * shape).astype(np.int16)
    return faded
