"""When nothing is sent unasked, and where a clinic's day begins. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo


def when(at: datetime, quiet: str, zone: tzinfo) -> datetime:
    """The moment from which something unasked may be sent: ``at`` itself, or when the quiet hours end."""
    if not quiet:
        return at
    start, end = (time.fromisoformat(clock) for clock in quiet.split("-"))
    local = at.astimezone(zone)
    now = local.time()
    inside = start <= now < end if start <= end else now >= start or now < end
    if not inside:
        return at
    day = local.date() if now < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, tzinfo=zone).astimezone(UTC)


def day_began(at: datetime, zone: tzinfo) -> datetime:
    """The clinic's last midnight."""
    return datetime.combine(at.astimezone(zone).date(), time(), tzinfo=zone).astimezone(UTC)
