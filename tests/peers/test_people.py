"""Other people's telephones through a PBX: Debian's baresip behind Kamailio calls us, is called, gets calls handed over."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.peers.certificate import self_signed
from tests.peers.conftest import Desk, answered, desk
from tests.peers.kamailio import kamailio
from tests.peers.phones import phone
from tests.peers.programs import free_port, running, said
from voice.line import HungUp, NotAnswered, TransferFailed
from voice.sip import SipCall

pytestmark = pytest.mark.peers


@asynccontextmanager
async def clinic(folder: Path, pbx: int, **more: Any) -> AsyncIterator[Desk]:
    """A PBX, and us at its extension 100."""
    async with kamailio(folder / "pbx", pbx), desk(pbx, **more) as here:
        await here.registered()
        yield here


async def test_a_caller_is_handed_to_another_extension(folder: Path, pbx_port: int):
    async with (
        clinic(folder, pbx_port) as here,
        phone(folder / "200", "200", pbx_port) as staff,
        phone(folder / "300", "300", pbx_port) as caller,
    ):
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        assert call.caller == "300"
        await call.transfer("200", 10)
        assert call.ended.is_set()
        await staff.sees("CALL_ESTABLISHED")
        assert call.reason == "handed over to 200"
        await caller.sees("CALL_ESTABLISHED", times=2)


@pytest.mark.parametrize(
    ("to", "patience_s", "status"),
    [("999", 30, 404), ("busy", 30, 486), ("201", 3, 408)],
    ids=["unknown", "busy", "unanswered"],
)
async def test_a_caller_who_is_not_taken_stays_with_us(
    folder: Path, pbx_port: int, to: str, patience_s: float, status: int
):
    async with (
        clinic(folder, pbx_port) as here,
        phone(folder / "201", "201", pbx_port, answers=False),
        phone(folder / "300", "300", pbx_port) as caller,
    ):
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        with pytest.raises(TransferFailed) as failed:
            await call.transfer(to, patience_s)
        assert failed.value.status == status
        assert await _is_heard(call)
        with pytest.raises(NotAnswered) as unanswered:
            await call.consult(to, patience_s)
        assert unanswered.value.status == status
        assert await _is_heard(call)
        assert here.telephone.lines()[0].calls == 1


async def test_an_answer_that_comes_while_the_loop_is_busy_is_not_lost(folder: Path, pbx_port: int):
    """The library hands it to a call that it has not made yet."""
    async with clinic(folder, pbx_port) as here, phone(folder / "200", "200", pbx_port):
        for to in ("200", "busy"):
            dialling = asyncio.create_task(here.telephone.dial("a", to))
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # now it is on its way
            time.sleep(2)  # noqa: ASYNC251 - what is to be shown
            if to == "busy":
                with pytest.raises(NotAnswered, match="486"):
                    await dialling
            else:
                assert await _is_heard(await dialling)


async def test_a_phone_without_replaces_leaves_both_calls_with_us(folder: Path, pbx_port: int):
    """Debian's baresip cannot be joined to another call: caller and colleague are still here, and hear us."""
    async with (
        clinic(folder, pbx_port) as here,
        phone(folder / "200", "200", pbx_port),
        phone(folder / "300", "300", pbx_port) as caller,
    ):
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        other = await call.consult("200", 10)
        with pytest.raises(TransferFailed):
            await call.join(other)
        assert await _is_heard(call)
        assert await _is_heard(other)


async def test_a_caller_is_joined_to_the_colleague_we_asked(folder: Path, pbx_port: int):
    async with (
        clinic(folder, pbx_port) as here,
        _modern_phone(folder / "400", "400", pbx_port),
        _modern_phone(folder / "500", "500", pbx_port, dials="100"),
    ):
        call = await here.call()
        other = await call.consult("400", 10)
        assert await _is_heard(other)
        await call.join(other)
        assert call.ended.is_set()
        assert other.ended.is_set()
        await said(folder / "500", "joined CALL_ESTABLISHED")
        await said(folder / "400", "CALL_ESTABLISHED sip:500")
        assert here.telephone.lines()[0].calls == 0


async def test_a_caller_on_hold_comes_back(folder: Path, pbx_port: int):
    async with clinic(folder, pbx_port) as here, phone(folder / "300", "300", pbx_port) as caller:
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        await call.hold()
        await asyncio.sleep(0.5)
        await call.resume()
        assert await _is_heard(call)
        assert call.write(np.zeros(160, np.int16)) == 160
        caller.does("hangup")
        await asyncio.wait_for(call.ended.wait(), 60)
        with pytest.raises(HungUp):
            call.write(np.zeros(160, np.int16))


async def test_we_call_out_and_are_asked_who_we_are(folder: Path, pbx_port: int):
    """The PBX answers every INVITE with 407 first."""
    async with clinic(folder, pbx_port) as here, phone(folder / "200", "200", pbx_port) as staff:
        call = await here.telephone.dial("a", "200", {"X-Reason": "a call-back"})
        assert await _is_heard(call)
        await staff.sees("CALL_ESTABLISHED")
        await call.hang_up()
        await staff.sees("CALL_CLOSED")
        assert here.telephone.lines()[0].calls == 0


@pytest.mark.parametrize(("codecs", "rate"), [("g722/16000/1", 16000), ("opus/48000/2", 16000), ("pcma/8000/1", 8000)])
async def test_sound_is_agreed_on(folder: Path, pbx_port: int, codecs: str, rate: int):
    ours = ("opus/48000/2", "g722/16000/1", "pcmu", "pcma")
    async with (
        clinic(folder, pbx_port, codecs=ours) as here,
        phone(folder / "300", "300", pbx_port, codecs=codecs) as caller,
    ):
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        assert call.rate == rate
        assert await _is_heard(call)


async def test_signalling_and_sound_are_encrypted_or_there_is_no_call(folder: Path, pbx_port: int):
    certificate = self_signed(folder / "pbx.pem")
    secure = {"transport": "tls", "encrypted_audio": True, "certificate": str(certificate)}
    async with (
        kamailio(folder / "pbx", pbx_port, certificate=certificate),
        desk(pbx_port, answered, **secure) as here,
        phone(folder / "300", "300", pbx_port, certificate=certificate) as caller,
    ):
        await here.registered()
        caller.does("dial", "sip:100@clinic.test")
        call = await here.call()
        assert await _is_heard(call)


async def test_a_pbx_that_somebody_else_has_signed_is_not_trusted(folder: Path, pbx_port: int):
    certificate, other = self_signed(folder / "pbx.pem"), self_signed(folder / "other.pem")
    async with (
        kamailio(folder / "pbx", pbx_port, certificate=certificate),
        desk(pbx_port, transport="tls", certificate=str(other), renew_s=4) as here,
    ):
        async with asyncio.timeout(60):
            while here.telephone.lines()[0].why == "not registered yet":
                await asyncio.sleep(0.1)
        assert not here.telephone.lines()[0].registered


async def _is_heard(call: SipCall) -> bool:
    """The tone that the phones play."""
    async with asyncio.timeout(60):
        while True:
            pcm = np.concatenate([await call.read() for _ in range(10)]).astype(float)
            spectrum = np.abs(np.fft.rfft(pcm))
            spectrum[0] = 0
            if spectrum.max() > 0 and abs(int(spectrum.argmax()) / len(pcm) * call.rate - 440) < 10:
                return True


@asynccontextmanager
async def _modern_phone(folder: Path, user: str, pbx: int, *, dials: str = "") -> AsyncIterator[None]:
    """A phone that knows Replaces (RFC 3891); Debian's does not."""
    folder.mkdir()
    script = Path(__file__).parent / "modern_phone.py"
    async with running(sys.executable, str(script), user, str(pbx), str(free_port()), dials, folder=folder):
        await said(folder, "registered")
        yield
