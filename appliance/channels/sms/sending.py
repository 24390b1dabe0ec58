"""Hands over what waits to be sent, once. Knows the carrier's answers, not why anything is said.

Twilio knows no idempotency key. So every try is written down before it is made; after one whose outcome nobody knows (a time-out,
a gateway's error, our own death) the number's messages are looked up there before it is tried again, or the status callback,
whose address names the message, says that it got through.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from prometheus_client import Counter

from appliance.channels.sms.carrier import Carrier, Handed, Refused, Unknown, ours_among
from appliance.channels.sms.statuses import FAILED, Does, code, explained, furthest
from appliance.channels.sms.webhook import STATUS, Progress
from appliance.config import Config
from appliance.conversations.texts import Outgoing, Sent, Texts
from appliance.errors import ApplianceError
from appliance.message import now
from appliance.problems import where

log = logging.getLogger(__name__)

SETTLE_S: Final = 15.0
"""After a try with unknown outcome it may still be on its way through Twilio: so long nobody looks it up."""
LONGEST_S: Final = 60.0
"""Between two tries."""
GIVEN_UP: Final = timedelta(hours=24)
"""Who asked yesterday has been answered otherwise."""
TICK_S: Final = 1.0

SEGMENTS = Counter("medinovai_sms_segments", "Segments handed to Twilio", ["origin"])
COST = Counter("medinovai_sms_cost", "What they cost by sms.segment_price", ["currency"])
REACHED = Counter("medinovai_sms_reached", "Messages by the status they came to", ["status"])
DOUBLED = Counter("medinovai_sms_doubled", "Messages that Twilio tells of under two ids")


class Sending:
    """The way out. ``trouble`` is told of each message that did not reach its patient."""

    def __init__(
        self,
        texts: Texts,
        carrier: Carrier,
        config: Config,
        *,
        trouble: Callable[[Sent, str], Awaitable[None]],
        clock: Callable[[], datetime] = now,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._texts = texts
        self._carrier = carrier
        self._public_url = config.server.public_url
        self._price = Decimal(config.sms.segment_price)
        self._currency = config.sms.currency
        self._trouble = trouble
        self._now = clock
        self._settle_s = settle_s
        self._woken = asyncio.Event()
        self._busy: set[int] = set()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled. What was being sent when an earlier process died is looked up first."""
        settled = False
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    if not settled:
                        await self._texts.unsettled()
                        settled = True
                    await self._begin(group)
                except ApplianceError as error:
                    log.error("sms=waiting reason=%s", where(error))
                self._woken.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._woken.wait()

    async def round(self) -> int:
        """Everything that is due now, and waits for its end. Returns how many there were."""
        async with asyncio.TaskGroup() as group:
            return await self._begin(group)

    async def _begin(self, group: asyncio.TaskGroup) -> int:
        due = [one for one in await self._texts.due(self._now()) if one.id not in self._busy]
        for one in due:
            self._busy.add(one.id)
            group.create_task(self._safely(one))
        return len(due)

    async def progressed(self, told: Progress) -> None:
        """A status callback. Of two at once one looks again."""
        for _ in range(8):
            sent = await self._texts.sent(told.out, told.secret)
            if sent is None:
                return  # of a message that is forgotten
            if sent.sid not in (None, told.sid):
                DOUBLED.inc()
                log.error("sms=doubled out=%d", sent.id)
                return
            status = furthest(sent.status, told.status)
            if status is None or status == sent.status:
                return
            error = told.error if status in FAILED else None
            if await self._texts.came_to(sent.id, told.sid, status, error, from_status=sent.status):
                await self._reached(sent, status, error)
                return

    async def _reached(self, sent: Sent, status: str, error: int | None) -> None:
        REACHED.labels(status).inc()
        if status in FAILED:
            known = code(error)
            if known and known.does == "opt_out":
                await self._texts.opted_out_at_twilio(sent.digest)
            log.warning("sms=%s out=%d code=%s", status, sent.id, error)
            await self._trouble(sent, explained(error))

    async def _safely(self, one: Outgoing) -> None:
        """Whatever goes wrong with one waits for its next turn, and holds nobody else up."""
        try:
            await self._attempt(one)
        except Exception as error:  # noqa: BLE001 - an edge: the message stays in its table
            log.error("sms=failed out=%d %s", one.id, where(error))
            await self._unsettled(one)
        finally:
            self._busy.discard(one.id)
            self._woken.set()

    async def _unsettled(self, one: Outgoing) -> None:
        """Our own store, or a mistake of ours: how far it came is not known. If that cannot be kept, the next start looks."""
        try:
            await self._later(one, unknown=True, least_s=self._settle_s)
        except ApplianceError as error:
            log.error("sms=failed out=%d %s", one.id, where(error))
            await asyncio.sleep(TICK_S)

    async def _attempt(self, one: Outgoing) -> None:
        if not (one.agreed or one.always or one.origin in ("page", "test")):
            await self._texts.refused(one.id, 21610, dropped=True)
        elif one.state == "unknown" and await self._got_through(one):
            return
        elif self._now() - one.created_at > GIVEN_UP:
            await self._gave_up(one, None, "It could not be handed to Twilio within a day.")
        elif await self._texts.trying(one.id):
            await self._send(one)

    async def _send(self, one: Outgoing) -> None:
        callback = f"{self._public_url}{STATUS}/{one.id}/{one.secret}" if self._public_url else ""
        try:
            handed = await self._carrier.send(one.number, one.text, callback=callback)
        except Refused as refused:
            await self._refused(one, refused)
        except Unknown as error:
            log.warning("sms=unknown out=%d reason=%s", one.id, error)
            await self._later(one, unknown=True, least_s=self._settle_s)
        else:
            await self._handed(one, handed)

    async def _got_through(self, one: Outgoing) -> bool:
        """Whether Twilio has it already. While Twilio cannot be asked, nothing is tried again."""
        try:
            newest = await self._carrier.newest(one.number)
        except (Refused, Unknown) as error:
            log.warning("sms=unknown out=%d reason=%s", one.id, error)
            await self._later(one, unknown=True)
            return True
        likely = [
            found for found in ours_among(newest, tried_at=one.created_at) if self._texts.body(found.text) == one.body
        ]
        known = await self._texts.known_sids(found.sid for found in likely)
        found = next((found for found in likely if found.sid not in known), None)
        if found:
            await self._handed(one, Handed(sid=found.sid, status=found.status))
        return found is not None

    async def _handed(self, one: Outgoing, handed: Handed) -> None:
        await self._texts.handed(one.id, handed.sid, handed.status)
        SEGMENTS.labels(one.origin).inc(one.segments)
        COST.labels(self._currency).inc(float(self._price * one.segments))
        log.debug("sms=handed out=%d segments=%d", one.id, one.segments)

    async def _refused(self, one: Outgoing, refused: Refused) -> None:
        does = _does(refused)
        if does in ("retry", "set_up"):
            level = logging.ERROR if does == "set_up" else logging.WARNING
            log.log(level, "sms=postponed out=%d status=%d %s", one.id, refused.status, explained(refused.code))
            await self._later(one, unknown=False, error=refused.code, least_s=refused.retry_after or 0)
            return
        if does == "opt_out":
            await self._texts.opted_out_at_twilio(one.digest)
        await self._gave_up(one, refused.code, explained(refused.code))

    async def _gave_up(self, one: Outgoing, error: int | None, words: str) -> None:
        log.warning("sms=refused out=%d code=%s", one.id, error)
        if sent := await self._texts.refused(one.id, error):
            await self._trouble(sent, words)

    async def _later(self, one: Outgoing, *, unknown: bool, error: int | None = None, least_s: float = 0) -> None:
        # The half that is left to chance keeps many messages from coming back at once.
        wait = min(LONGEST_S, 2.0 ** min(one.attempts, 10)) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        until = self._now() + timedelta(seconds=max(wait, least_s))
        await self._texts.postponed(one.id, until, unknown=unknown, error=error)


def _does(refused: Refused) -> Does:
    """What follows from a refusal; of codes we do not know, HTTP's status tells whether it is the account or the message."""
    if refused.status == 429:
        return "retry"
    if known := code(refused.code):
        return known.does
    return "set_up" if refused.status in (401, 403, 404) else "give_up"
