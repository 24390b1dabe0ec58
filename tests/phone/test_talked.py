"""The door on a real `Talk`, in real time: keys, words and an interruption as samples of a line."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from appliance.channels.phone.joined import read
from tests.phone.house import Ringing
from tests.voice.fake import FakeEars, FakeLine, FakeMouth, FakeVad, sound
from voice.talk import Talk

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

QUESTION = "When is Main Street open on Monday?"


async def test_an_interruption_stops_us_at_once_and_cuts_the_history(ringing: Ringing) -> None:
    one = await ringing()
    await asyncio.to_thread(read, ("en",))
    line, mouth = FakeLine(), FakeMouth(took_s=0.02)

    def talking(call: Any, taps: Any, on_timing: Any) -> Talk:
        ears = FakeEars(took_s=0.1)
        return Talk(call, ears, FakeVad(), cast(Any, mouth), clock=time.monotonic, tap=taps, on_timing=on_timing)

    one.door._with = _with(one, talking)
    line.presses("9", 0.2)  # a key ends the greeting
    asked = line.says(sound(QUESTION, 1.5), 2.5)
    line.says(sound("But on Tuesday, when do you open there?", 2.0), asked + 4.0)
    line.hangs_up(asked + 6.3)
    async with asyncio.timeout(120):
        await one.door.take(cast(Any, line))
    whole = await one.record()
    answer = next(turn for turn in await one.history() if turn.role == "assistant")
    assert whole.call.barge_ins == 1 and whole.turns[0].said == "barge_in"
    assert not answer.complete and "17:00" not in answer.text and answer.text.startswith("About times")
    assert 0 < (whole.turns[0].stopped_ms or 0) <= 300
    assert whole.turns[0].audio_ms and whole.turns[0].speech_ms and whole.call.greeted_ms is not None
    assert mouth.open == 0


def _with(one: Any, talking: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(one.door._with, talking=talking, clock=time.monotonic)
