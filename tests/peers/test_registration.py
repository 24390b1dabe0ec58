"""Signing in at a PBX, real: Kamailio with digest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.peers.conftest import desk
from tests.peers.kamailio import PASSWORD, kamailio
from voice.sip import Line

pytestmark = pytest.mark.peers


async def test_a_line_signs_in_and_renews_in_time(folder: Path, pbx_port: int):
    async with kamailio(folder / "pbx", pbx_port), desk(pbx_port, renew_s=4) as here:
        await here.registered()
        await asyncio.sleep(7)  # the PBX forgets who has not renewed after four seconds
        [line] = here.telephone.lines()
        assert line.registered
        assert line.last_ok_s is not None
        assert line.last_ok_s < 5


async def test_several_lines_sign_in_each_for_itself(folder: Path, pbx_port: int):
    lines = (Line(name="a", user="100", password=PASSWORD), Line(name="b", user="101", password="wrong"))  # noqa: S106 - a test's
    async with kamailio(folder / "pbx", pbx_port), desk(pbx_port, lines=lines) as here:
        await here.registered()
        async with asyncio.timeout(60):
            while not here.telephone.lines()[1].why.startswith("401"):
                await asyncio.sleep(0.05)
        assert not here.telephone.lines()[1].registered


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_line_comes_back_after_the_pbx_was_away(folder: Path, pbx_port: int, transport: str):
    async with desk(pbx_port, renew_s=4, transport=transport) as here:  # the PBX is not there yet
        async with kamailio(folder / "pbx", pbx_port):
            await here.registered()
        async with asyncio.timeout(60):
            while here.telephone.lines()[0].registered:
                await asyncio.sleep(0.1)
        assert here.telephone.lines()[0].why
        async with kamailio(folder / "pbx2", pbx_port):
            await here.registered()
