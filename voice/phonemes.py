"""Words to sounds, by espeak-ng's rules as the package piper-tts carries them. Knows nothing of voices.

One thread at a time: espeak-ng has one voice for the whole process.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

_OTHER_LANGUAGE = re.compile(r"\([^)]*\)")
"""espeak-ng marks where it changes to another language's rules."""


def phonemes(text: str, espeak_voice: str) -> Iterator[tuple[str, str]]:
    """(International Phonetic Alphabet, the sign that ends the clause or nothing), clause by clause."""
    bridge = _bridge()
    bridge.set_voice(espeak_voice)
    for sounds, sign, _ in bridge.get_phonemes(text):
        yield unicodedata.normalize("NFC", _OTHER_LANGUAGE.sub("", sounds)), sign


@functools.cache
def _bridge():  # type: ignore[no-untyped-def]  # an extension module of a package without types
    import piper
    from piper import espeakbridge

    espeakbridge.initialize(str(Path(piper.__file__).parent / "espeak-ng-data"))
    return espeakbridge
