"""What happens by the clock: one table of jobs, run by APScheduler in our loop. Knows no part; the work is handed in by app.py."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from appliance.errors import ApplianceError

log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One thing done regularly."""

    name: str
    hour: int
    """Of the clinic's day, 0 to 23; done once a day, and at once if the box was off at that hour."""
    minute: int = 0
    work: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scheduled(jobs: Sequence[Job], *, timezone: str) -> AsyncIterator[None]:
    """While open, the jobs run. One that fails is logged and tried again the next day."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler(timezone=timezone)
    for job in jobs:
        at = {"hour": job.hour, "minute": job.minute}
        scheduler.add_job(_done, "cron", args=[job], **at, id=job.name, misfire_grace_time=None, coalesce=True)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


async def _done(job: Job) -> None:
    try:
        result = await job.work()
        log.info("job=%s done result=%s", job.name, result)
    except ApplianceError as error:
        log.error("job=%s failed reason=%s", job.name, error)
