"""Which voices each language has, the best first. The files come verified from whoever calls; a voice that cannot be
loaded is left out, so that the next one speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from voice.espeak import Espeak
from voice.kokoro import VOICES as KOKORO_VOICES
from voice.kokoro import Kokoro, Network
from voice.mouth import Voice
from voice.piper import Piper

log = logging.getLogger(__name__)

PIPER_LANGUAGE = "en"


class VoiceFile(msgspec.Struct, frozen=True):
    """A model file, and the sha256 that it was found to have."""

    path: Path
    sha256: str


def voices(
    languages: Iterable[str], *, piper: VoiceFile | None, kokoro: VoiceFile | None
) -> dict[str, tuple[Voice, ...]]:
    """For ``Mouth``. Blocks: it loads Piper's network; Kokoro's is loaded when it first speaks, once for all languages."""
    network = Network(kokoro.path, sha256=kokoro.sha256) if kokoro else None
    return {language: tuple(_voices(language, piper, network)) for language in languages}


def _voices(language: str, piper: VoiceFile | None, network: Network | None) -> Iterable[Voice]:
    ways: list[Callable[[], Voice]] = []
    if piper and language == PIPER_LANGUAGE:
        ways.append(lambda: Piper(piper.path, sha256=piper.sha256))
    if network and language in KOKORO_VOICES:
        ways.append(lambda: Kokoro(network, language))
    ways.append(lambda: Espeak(language))
    for way in ways:
        try:
            yield way()
        except Exception:  # a missing package or file, a damaged model: whatever it is, another voice speaks
            log.warning("voice not loaded: language=%s", language, exc_info=True)
