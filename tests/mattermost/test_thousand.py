"""Many hand-overs while Mattermost is killed, hangs, limits, talks nonsense, and loses, doubles and mixes up its events."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.conversations.case import Case
from appliance.message import ConversationId
from tests.mattermost.box import PAGE, QUICK, Box, answer, box
from tests.twins.mattermost import Fault, Mattermost, eventually

CHAOS: dict[Fault, float] = {
    "500_before": 0.02, "500_after": 0.02, "502_before": 0.01, "502_after": 0.01, "503_before": 0.01, "429": 0.02,
    "429_reset": 0.01, "hang_before": 0.004, "hang_after": 0.004, "cut_before": 0.01, "cut_after": 0.02,
    "nonsense_after": 0.01, "empty_after": 0.01, "late": 0.005, "charset": 0.05, "list_error": 0.01,
}  # fmt: skip
"""About one request in five goes wrong."""
RARER: dict[Fault, float] = {"hang_before": 0.001, "hang_after": 0.001, "late": 0.001}
"""What two seconds are waited for each time: among a thousand hand-overs more of it is only more waiting."""
AT_ONCE = 24


class Talk:
    """One patient, and what each side must have seen in the end."""

    def __init__(self, number: int, clinic: Box, twin: Mattermost, client: httpx.AsyncClient) -> None:
        self.number = number
        self.clinic = clinic
        self.twin = twin
        self.client = client
        self.chance = random.Random(number)  # noqa: S311 - a test's
        self.case: Case | None = None
        self.by_patient: list[str] = []
        self.by_staff: list[str] = []

    async def whole(self) -> None:
        self.case = case = await self.clinic.waiting(f"p{self.number}x0x")
        patient = asyncio.create_task(self._patient(case.conversation))
        channel, root = await self._place(case)
        await self._staff(channel, root)
        await patient
        await self._seen(case)
        await self._closed(case, root)

    async def _patient(self, conversation: ConversationId) -> None:
        for part in (1, 2):
            await asyncio.sleep(self.chance.random() * 0.3)
            self.by_patient.append(text := f"p{self.number}x{part}x")
            await self.clinic.writes(conversation, text)

    async def _place(self, case: Case) -> tuple[str, str]:
        """Where a member of staff sees it: the post that names her."""

        async def there() -> bool:
            return bool(self._control(case))

        await eventually(there, 300)
        (post,) = self._control(case)
        return post["channel_id"], post["id"]

    def _control(self, case: Case) -> list[dict[str, Any]]:
        """Every post with the buttons of this case, wherever it stands."""
        return self.twin.marked.get(f"case:{case.id}", [])

    async def _staff(self, channel: str, root: str) -> None:
        threads = self.clinic.config.mattermost.rooms == "threads"
        for part in range(self.chance.randint(1, 3)):
            text = f"s{self.number}x{part}x"
            post = self.twin.write(self.clinic.ana, channel, text, root=root if threads else "")
            match self.chance.randrange(6):
                case 0:
                    self.twin.edit(post, text := f"{text} changed")
                case 1:
                    await asyncio.sleep(self.chance.random() * 0.2)
                    self.twin.delete(post)
                    continue
                case 2:
                    self.twin.edit(post, f"note: {text}")
                    continue
            self.by_staff.append(text)
            await asyncio.sleep(self.chance.random() * 0.1)

    async def _seen(self, case: Case) -> None:
        async def there() -> bool:
            await asyncio.sleep(0.1)
            return await self.clinic.words(case.conversation) == self.by_staff

        with suppress(TimeoutError):  # what is missing is shown at the end
            await eventually(there, 300)

    async def _closed(self, case: Case, control: str) -> None:
        """From Mattermost, or from the staff page."""
        for _ in range(20):
            if not (self.chance.random() < 0.5 and "resolve" in self.twin.buttons(control)):
                break
            if "resolved" in answer(await self.twin.press(self.client, control, "resolve", self.clinic.ana)):
                return
            await asyncio.sleep(0.2)
        if (await self.clinic.desk.case(case.id)).open:
            await self.clinic.desk.resolve(case.id, PAGE)

    async def wrongs(self) -> list[str]:
        """What was lost or doubled, on either side."""
        assert self.case
        wrong = []
        words = await self.clinic.words(self.case.conversation)
        if words != self.by_staff:
            wrong.append(f"{self.number}: the patient saw {words}, not {self.by_staff}")
        room = await self.clinic.book.room(self.case.id)
        assert room and room.channel
        shown = [text for text in self.clinic.texts(room.channel) if f"p{self.number}x" in text]
        relayed = [text.rsplit("> ", 1)[1] for text in shown if text.startswith("The patient writes:")]
        if relayed != self.by_patient:
            wrong.append(f"{self.number}: staff saw {relayed}, not {self.by_patient}")
        if len(shown) != len(self.by_patient) + 1 or len(self._control(self.case)) != 1:
            wrong.append(f"{self.number}: the case was shown {len(self._control(self.case))} times")
        if not room.left_at:
            wrong.append(f"{self.number}: the room is still open")
        return wrong


async def gremlin(twin: Mattermost) -> None:
    """Kills the server, cuts lines, makes them half open, over and over."""
    chance = random.Random(3)  # noqa: S311 - a test's
    while True:
        await asyncio.sleep(chance.uniform(0.5, 2))
        match chance.randrange(3):
            case 0:
                twin.dead = True
                await asyncio.to_thread(twin.cut_lines)
                await asyncio.sleep(chance.uniform(0.1, 1))
                twin.dead = False
            case 1:
                await asyncio.to_thread(twin.cut_lines, politely=chance.random() < 0.5)
            case 2:
                twin.half_open()


@pytest.mark.parametrize(
    ("rooms", "handovers"),
    [
        ("channels", 25),
        ("threads", 25),
        pytest.param("channels", 1000, marks=pytest.mark.slow),
        pytest.param("threads", 300, marks=pytest.mark.slow),
    ],
)
async def test_nothing_is_lost_and_nothing_is_said_twice(
    tmp_path: Path, twin: Mattermost, url: str, rooms: str, handovers: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    twin.hang_s, twin.wait_s = 60, 0.05
    async with (
        box(tmp_path, twin, url, rooms=rooms, timeout_s=2, pulse=QUICK) as clinic,
        clinic.client() as client,
    ):
        clinic.actions._each = type(clinic.actions._each)(1_000_000)
        twin.chaos = CHAOS if handovers < 100 else CHAOS | RARER
        twin.doubled, twin.dropped, twin.swapped = 0.2, 0.2, 0.2
        evil = asyncio.create_task(gremlin(twin))
        talks = [Talk(number, clinic, twin, client) for number in range(handovers)]
        doors = asyncio.Semaphore(AT_ONCE)

        async def one(talk: Talk) -> None:
            async with doors:
                await talk.whole()

        await asyncio.gather(*map(one, talks))
        evil.cancel()
        await asyncio.gather(evil, return_exceptions=True)
        twin.dead, twin.chaos, twin.dropped = False, {}, 0.0
        await asyncio.to_thread(twin.cut_lines)  # whatever the gremlin left
        await clinic.quiet(300)
        wrong = [line for talk in talks for line in await talk.wrongs()]
        asked = sum(twin.asked.values())
    assert not wrong, wrong[:10]
    assert asked > handovers
