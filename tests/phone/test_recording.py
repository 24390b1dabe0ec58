"""What is kept of a call's sound: side by side, sealed, refused, forgotten."""

from __future__ import annotations

import asyncio
import io
import wave
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from appliance.app import shelf
from appliance.channels.phone.recording import FOLDER, Recorder, Shelf
from appliance.conversations.calls import Recording
from appliance.errors import NotFound, StoreFailed
from appliance.message import ConversationId, now
from appliance.records.database import iso
from tests.phone.house import HANGS_UP, House, Ringing, Says, ScriptedTalk
from tests.say import Appliance
from voice.talk import Digit

pytestmark = pytest.mark.asyncio(loop_scope="session")

RATE = 8000


@pytest.fixture
async def kept(inner: Appliance) -> Shelf:
    return await asyncio.to_thread(shelf, inner.clinic)


async def recorder(inner: Appliance, kept: Shelf, channels: int = 2) -> Recorder:
    conversation, _ = await inner.conversations.create("phone")
    call = await inner.clinic.calls.begin(conversation, line="main", caller="1", site=None)
    return kept.record(call, conversation, kind="call", channels=channels)


async def found(inner: Appliance, one: Recorder) -> Recording:
    (recording,) = (await inner.clinic.calls.show(one.call)).recordings
    return recording


async def samples(kept: Shelf, recording: Recording) -> np.ndarray:
    with wave.open(io.BytesIO(await kept.wav(recording))) as sound:
        assert sound.getframerate() == recording.rate and sound.getnchannels() == recording.channels
        return np.frombuffer(sound.readframes(sound.getnframes()), np.int16).reshape(-1, recording.channels)


async def test_both_sides_stand_where_they_were_said(inner: Appliance, kept: Shelf) -> None:
    one = await recorder(inner, kept)
    for at in range(600):  # twelve seconds: more than two frames of the file
        one("in", np.full(160, at, np.int16), RATE)
        if at == 99:
            one("out", np.full(320, 7, np.int16), RATE)
        if at % 50 == 0:
            await asyncio.sleep(0)
    seconds = await one.close()
    sound = await samples(kept, await found(inner, one))
    assert seconds == 12.0 and len(sound) == 12 * RATE
    assert (sound[:, 0] == np.repeat(np.arange(600), 160)).all()
    assert (sound[:, 1] == 7).sum() == 320 and (sound[100 * 160 : 102 * 160, 1] == 7).all()


async def test_on_the_disk_there_is_no_sound_and_nobody_else_may_read_it(inner: Appliance, kept: Shelf) -> None:
    one = await recorder(inner, kept)
    one("in", np.arange(RATE, dtype=np.int16), RATE)
    await one.close()
    file = Path(inner.clinic.config.data.directory) / FOLDER / (await found(inner, one)).file
    sealed = await asyncio.to_thread(file.read_bytes)
    assert np.arange(100, 140, dtype=np.int16).tobytes() not in sealed
    assert file.stat().st_mode & 0o077 == 0


async def test_a_changed_byte_is_found(inner: Appliance, kept: Shelf) -> None:
    one = await recorder(inner, kept)
    one("in", np.ones(RATE, np.int16), RATE)
    await one.close()
    recording = await found(inner, one)
    file = Path(inner.clinic.config.data.directory) / FOLDER / recording.file
    sealed = bytearray(file.read_bytes())
    sealed[-1] ^= 1
    file.write_bytes(sealed)
    with pytest.raises(StoreFailed, match="damaged"):
        await kept.wav(recording)


async def test_a_recording_that_broke_off_is_heard_as_far_as_it_goes(inner: Appliance, kept: Shelf) -> None:
    one = await recorder(inner, kept, channels=1)
    for _ in range(300):
        one("in", np.ones(160, np.int16), RATE)
    await asyncio.sleep(0)
    while one._writing:  # noqa: ASYNC110 - a thread writes
        await asyncio.sleep(0.01)
    assert len(await samples(kept, await found(inner, one))) >= 5 * RATE


async def test_a_call_without_sound_leaves_no_file(inner: Appliance, kept: Shelf) -> None:
    one = await recorder(inner, kept)
    assert await one.close() == 0.0
    assert (await inner.clinic.calls.show(one.call)).recordings == ()


async def test_a_full_disk_ends_the_recording_and_not_the_call(
    inner: Appliance, kept: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.channels.phone.recording._Sealed.write", full)
    one = await recorder(inner, kept)
    one("in", np.ones(RATE, np.int16), RATE)
    assert await one.close() == 0.0


async def test_announced_recordings_begin_after_the_announcement(ringing: Ringing) -> None:
    one = await ringing(recording="announce")
    _, talk = await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    assert "This call is recorded. If you do not want that, press 5." in talk.said[0][0]
    (kept,) = (await one.record()).recordings
    sound = await samples(one.shelf, kept)
    assert kept.channels == 2 and (sound[:, 0] == 500).any() and (sound[:, 1] == 1000).any()


async def test_who_refuses_is_not_recorded_and_nothing_stays(ringing: Ringing) -> None:
    one = await ringing(recording="announce")
    _, talk = await one.called(Says("When is Main Street open on Monday?"), Digit("5"), Says("and parking?"), HANGS_UP)
    assert "the call is not recorded any more" in talk.words
    assert (await one.record()).recordings == () and _files(one) == []


async def test_who_cuts_the_announcement_short_is_not_recorded(
    ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await ringing(recording="announce")
    speak = ScriptedTalk.speak

    async def cut(self: ScriptedTalk, text: Any, *given: Any, **more: Any) -> Any:
        spoken = await speak(self, text, *given, **more)
        short = isinstance(text, str) and "This call is recorded" in text
        return msgspec.structs.replace(spoken, whole=False, why="digit") if short else spoken

    monkeypatch.setattr(ScriptedTalk, "speak", cut)
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    assert (await one.record()).recordings == ()


async def test_without_consent_there_is_no_recording(ringing: Ringing) -> None:
    one = await ringing(recording="ask")
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    assert (await one.record()).recordings == ()


async def test_consent_begins_the_recording_and_may_be_taken_back(ringing: Ringing) -> None:
    one = await ringing(recording="ask")
    await one.called(Digit("5"), Says("When is Main Street open on Monday?"), HANGS_UP)
    assert len((await one.record()).recordings) == 1
    await one.called(Digit("5"), Says("When is Main Street open on Monday?"), Digit("5"), HANGS_UP)
    assert (await one.record()).recordings == ()


async def test_calls_are_not_recorded_by_default(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("5"), Says("When is Main Street open on Monday?"), HANGS_UP)
    assert (await one.record()).recordings == () and "record" not in talk.words


async def test_recordings_are_forgotten_after_their_days(ringing: Ringing) -> None:
    one = await ringing(recording="announce")
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    (kept,) = (await one.record()).recordings
    assert await one.shelf.forget(older_than_days=1) == 0
    old = iso(now() - timedelta(days=2))
    await one.clinic.database.write(lambda c: c.execute("UPDATE call_recording SET at = ?", (old,)))
    assert await one.shelf.forget(older_than_days=1) == 1
    with pytest.raises(NotFound):
        await one.clinic.calls.recording(kept.id)
    assert _files(one) == []


async def test_a_deleted_conversation_takes_its_recordings_with_it(ringing: Ringing) -> None:
    one = await ringing(recording="announce")
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    await one.clinic.conversations.delete(ConversationId((await one.record()).call.conversation))
    assert await one.shelf.forget(older_than_days=30) == 1 and _files(one) == []


def _files(one: House) -> list[str]:
    """Of recordings that are known; what other tests left is not looked at."""
    return [str(file) for file in one.shelf._directory.glob("*") if file.stat().st_mtime > one.began]
