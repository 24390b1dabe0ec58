"""Who waits too long, or was left unread: the next group is called, then everybody is paged; and what may be said of the wait.

Knows the desk and the calendar. It calls nobody itself: it leaves letters in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final

import msgspec

from appliance.conversations.calendar import Calendar
from appliance.conversations.case import Case
from appliance.conversations.cases import Desk
from appliance.errors import ApplianceError
from appliance.message import now

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
LOOKED_AT: Final = 50
"""Acceptances that tell how long one waits."""
ENOUGH: Final = 5
"""With fewer nothing is said."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a patient's wait."""

    place: int
    """1 is next; 0 when the case does not wait."""
    waited: timedelta
    expected: timedelta | None = None
    """How long patients waited of late, in the middle; None while that is not known."""
    closed: bool = False
    opens: datetime | None = None
    """When somebody is there again, while the clinic is closed."""
    back: datetime | None = None
    """When staff who put the case off meant to be back."""


class Ladder:
    """Looks at the queue every second. ``ack_s``: after how many seconds of waiting each further group is called. ``answer_s``:
    how long who has a case may leave the patient unread; 0: ever."""

    def __init__(
        self,
        desk: Desk,
        calendar: Calendar,
        *,
        ack_s: Sequence[int],
        answer_s: int = 0,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._desk = desk
        self._calendar = calendar
        self._steps = [timedelta(seconds=b - a) for a, b in zip((0, *ack_s), ack_s, strict=False)]
        self._answer = timedelta(seconds=answer_s)
        self._now = clock
        self._failed = False

    async def run(self) -> None:
        """Until it is cancelled. A store that fails is tried again the next second."""
        while True:
            try:
                await self.step()
                self._failed = False
            except ApplianceError as error:
                if not self._failed:  # once, not every second
                    log.error("ladder=failed error=%s reason=%s", type(error).__name__, error)
                self._failed = True
            await asyncio.sleep(EVERY_S)

    async def step(self) -> None:
        """Open what is owed, wake what is due, call the next group for who has waited too long."""
        await self._desk.settle()
        at = self._now()
        for case in await self._desk.queue():
            if case.state == "snoozed" and case.snoozed_until and case.snoozed_until <= at:
                await self._wake(case)
            elif case.state == "waiting" and self._overdue(case, at):
                await self._desk.raise_level(case.id, last=len(self._steps))
            elif case.state == "person" and self._forgotten(case, at):
                await self._desk.call_again(case.id)

    async def outlook(self, case: Case) -> Outlook:
        """What may be said to this patient now."""
        at = self._now()
        closed = not self._calendar.open_at(at, case.site)
        back = case.snoozed_until if case.snoozed_until and case.snoozed_until > at else None
        return Outlook(
            place=await self._desk.place(case.id),
            waited=max(at - max(case.opened_at, self._calendar.since(at, case.site) or at), timedelta()),
            expected=None if closed else await self.expected(),
            closed=closed,
            opens=self._calendar.opens(at, case.site) if closed else None,
            back=back,
        )

    async def expected(self) -> timedelta | None:
        """How long the patients accepted last have waited, in the middle; who came while it was closed does not count."""
        waits = [
            (at - case.opened_at).total_seconds()
            for case, at in await self._desk.waits(LOOKED_AT)
            if self._calendar.open_at(case.opened_at, case.site)
        ]
        return timedelta(seconds=median(waits)) if len(waits) >= ENOUGH else None

    def _overdue(self, case: Case, at: datetime) -> bool:
        if case.level > len(self._steps):
            return False
        since = case.level_at
        if case.urgency > 0:  # an emergency waits for no opening
            opened = self._calendar.since(at, case.site)
            if opened is None:
                return False
            since = max(since, opened)
        return at - since >= self._steps[case.level - 1]

    def _forgotten(self, case: Case, at: datetime) -> bool:
        """Whether who has the case leaves the patient unread for too long: they may have gone home."""
        opened = case.opened_at if case.urgency == 0 else self._calendar.since(at, case.site)
        if not (self._answer and case.unread_since and case.accepted_at and opened):
            return False
        return at - max(case.unread_since, case.accepted_at, opened) >= self._answer

    async def _wake(self, case: Case) -> None:
        """When the clinic is open; a case put off until tomorrow's holiday wakes the day after."""
        if case.urgency == 0 or self._calendar.open_at(self._now(), case.site):
            await self._desk.wake(case.id)
