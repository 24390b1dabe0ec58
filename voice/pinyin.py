"""Chinese characters to Kokoro's sounds, by way of pinyin. The only importer of pypinyin; its table is pinyin.toml."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    initials: dict[str, str]
    finals: dict[str, str]
    whole: dict[str, str]
    tones: dict[str, str]


def sounds(characters: str) -> str:
    """Words with a space between them; each syllable carries its tone."""
    from pypinyin import Style, lazy_pinyin
    from pypinyin.seg.mmseg import seg

    words = (
        lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=True) for word in seg.cut(characters)
    )
    return " ".join("".join(syllable(one) for one in word) for word in words)


@functools.lru_cache(2000)
def syllable(pinyin: str) -> str:
    """``zhong1``: the first sound, the vowel with its tone, the end. What is no syllable is silent."""
    table = _table()
    if not (parts := re.fullmatch(r"([a-zêü]+)([1-5])", pinyin)):
        return ""
    letters, tone = parts.groups()
    if letters in table.whole:
        return table.whole[letters].replace("0", table.tones[tone])
    initial = next((i for i in ("zh", "ch", "sh", letters[0]) if letters.startswith(i) and i in table.initials), "")
    final = table.finals.get(letters[len(initial) :] or letters, "")
    return table.initials.get(initial, "") + final.replace("0", table.tones[tone])


@functools.cache
def _table() -> _Table:
    return msgspec.toml.decode(Path(__file__).with_name("pinyin.toml").read_bytes(), type=_Table)
