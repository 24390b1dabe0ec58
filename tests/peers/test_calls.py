"""Calls with sipp at the other end: how they begin, what happens in them, how they end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

from tests.peers.conftest import desk, echoed
from tests.peers.programs import free_port
from tests.peers.sipp import ends_well, sipp
from tests.peers.sound import Sound
from voice.line import HungUp
from voice.sip import SipCall

pytestmark = pytest.mark.peers

TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16)


async def test_a_call_is_answered_once_and_not_negotiated_anew(folder: Path, pbx_port: int):
    """sipp's own caller breaks off at a request that it does not expect, such as a re-INVITE."""
    async with desk(pbx_port) as here, sipp(folder, "uac", here.port, seconds=1) as caller:
        call = await here.call()
        assert (call.called, call.rate, call.line) == ("100", 8000, "a")
        await ends_well(caller, folder)
        await asyncio.wait_for(call.ended.wait(), 60)
        assert here.telephone.lines()[0].calls == 0
        with pytest.raises(HungUp):
            while True:
                await call.read()


@pytest.mark.parametrize(("payload", "rate"), [(0, 8000), (8, 8000), (9, 16000)], ids=["PCMU", "PCMA", "G722"])
async def test_keys_hold_resume_and_refreshes_as_3cx_sends_them(folder: Path, pbx_port: int, payload: int, rate: int):
    with Sound() as sound:
        async with desk(pbx_port, echoed) as here:
            async with sipp(folder, "features", here.port, pts=payload, sound=sound.port) as caller:
                call = await here.call()
                await sound.peer()
                await sound.presses("5")
                await sound.presses("star")
                await ends_well(caller, folder)
            pressed = [call.digits.get_nowait() for _ in range(call.digits.qsize())]
    assert pressed == ["5", "*", "7"]  # the last one by INFO
    assert call.rate == rate
    assert (call.caller, call.headers["P-Asserted-Identity"]) == ("5551234", '"Jane Doe" <sip:5551234@127.0.0.1>')


async def test_both_sides_hear_each_other(folder: Path, pbx_port: int):
    heard: list[np.ndarray] = []

    async def listening(call: SipCall) -> None:
        await call.answer()
        call.write(TONE)
        while True:
            heard.append(await call.read())

    with Sound() as sound:
        async with desk(pbx_port, listening) as here:
            async with sipp(folder, "plain", here.port, pts=0, sound=sound.port, seconds=3) as caller:
                await sound.peer()
                await sound.plays(TONE)
                await ends_well(caller, folder)
            await asyncio.wait_for(here.calls[0].ended.wait(), 60)
            stats = here.calls[0].stats()
    assert _loudest(sound.heard()) == pytest.approx(440, abs=5)
    assert _loudest(np.concatenate(heard)) == pytest.approx(440, abs=5)
    assert stats.lost == 0
    assert stats.dropped == 0
    assert stats.mos
    assert stats.mos > 4


async def test_what_was_not_said_yet_can_be_taken_back(folder: Path, pbx_port: int):
    """The next words come at once, not after what was taken back."""
    with Sound() as sound:
        async with (
            desk(pbx_port) as here,
            sipp(folder, "plain", here.port, pts=0, sound=sound.port, seconds=2) as caller,
        ):
            call = await here.call()
            assert call.write(TONE) == len(TONE)
            await asyncio.sleep(0.3)
            thrown = call.flush()
            assert thrown == pytest.approx(0.7, abs=0.1)
            call.write(np.full(1600, 1000, np.int16))
            await ends_well(caller, folder)
    said = sound.heard()
    loud = np.flatnonzero(np.abs(said) > 3000)
    steady = np.flatnonzero(np.abs(said.astype(int) - 1000) < 60)
    assert 0.2 < (loud[-1] - loud[0]) / 8000 < 0.5
    assert 1500 <= np.count_nonzero(steady > loud[-1]) <= 1700
    assert steady[steady > loud[-1]][0] - loud[-1] < 0.5 * 8000


async def test_silence_is_heard_from_who_sends_nothing(folder: Path, pbx_port: int):
    """A PBX that suppresses silence sends no packets; time goes on for whoever listens."""
    async with desk(pbx_port) as here, sipp(folder, "uac", here.port, seconds=2) as caller:
        call = await here.call()
        async with asyncio.timeout(1.5):
            frames = [await call.read() for _ in range(40)]
        assert not np.concatenate(frames).any()
        await ends_well(caller, folder)


async def test_who_comes_when_all_are_taken_hears_busy(folder: Path, pbx_port: int):
    async with desk(pbx_port, most_calls=2) as here:
        async with sipp(folder / "two", "uac", here.port, seconds=3, calls=2) as two:
            await here.call(2)
            async with sipp(folder / "third", "uac", here.port, seconds=1) as third:
                assert await asyncio.wait_for(third.wait(), 60) != 0
            assert "486" in (folder / "third/errors.txt").read_text()
            assert len(here.calls) == 2
            await ends_well(two, folder / "two")
        async with sipp(folder / "later", "uac", here.port, seconds=1) as later:
            await ends_well(later, folder / "later")


async def test_who_vanishes_is_noticed(folder: Path, pbx_port: int):
    with Sound() as sound:
        async with (
            desk(pbx_port, echoed, dead_air_s=3) as here,
            sipp(folder, "plain", here.port, pts=0, sound=sound.port, seconds=60) as caller,
        ):
            call = await here.call()
            await sound.peer()
            await sound.plays(TONE)
            os.kill(caller.pid, signal.SIGKILL)
            await asyncio.wait_for(call.ended.wait(), 50)
            assert call.reason == "rtp stream error"


async def test_only_the_pbx_can_call(folder: Path, pbx_port: int):
    """Another address gets no answer at all, over UDP and TCP."""
    async with desk(pbx_port) as here:
        with socket.socket() as stranger:
            async with sipp(folder / "stranger", "uac", here.port, source="127.0.0.2", seconds=1) as unheard:
                async with sipp(folder / "pbx", "uac", here.port, seconds=1) as caller:
                    await ends_well(caller, folder / "pbx")
                assert unheard.returncode is None
            stranger.bind(("127.0.0.2", 0))
            stranger.settimeout(0.5)
            with pytest.raises(TimeoutError):
                stranger.connect(("127.0.0.1", here.port))
        assert len(here.calls) == 1


async def test_three_thousand_broken_datagrams_do_no_harm(folder: Path, pbx_port: int):
    invite = (
        b"INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:100@127.0.0.1>\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:9>\r\n"
        b"Content-Type: application/sdp\r\nContent-Length: 100\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
        b"m=audio 9 RTP/AVP 0\r\n"
    )
    chance = random.Random(7)  # noqa: S311 - the same every time
    async with desk(pbx_port) as here:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(3000):
                words = bytearray(invite % number if number % 3 else chance.randbytes(chance.randrange(1, 900)))
                for _ in range(chance.randrange(1, 12)):
                    words[chance.randrange(len(words))] = chance.randrange(256)
                sender.sendto(bytes(words[: chance.randrange(1, len(words) + 1)]), ("127.0.0.1", here.port))
                if number % 50 == 0:
                    await asyncio.sleep(0.02)
        for call in list(here.calls):
            await call.hang_up()
        before = len(here.calls)
        async with sipp(folder, "uac", here.port, seconds=1) as caller:
            await here.call(before + 1)
            await ends_well(caller, folder)
        assert not here.died


async def test_a_second_telephone_on_the_same_port_says_so(pbx_port: int):
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        with pytest.raises(Exception, match="in use"):
            async with desk(pbx_port, port=port):
                pass
    async with desk(pbx_port, port=port) as here:  # and a failed start leaves nothing behind
        assert not here.died


def _loudest(pcm: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    spectrum[0] = 0
    return float(np.fft.rfftfreq(len(pcm), 1 / 8000)[int(spectrum.argmax())])
