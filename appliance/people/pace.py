"""How often one stranger may ask, and which network addresses are one stranger. Knows no cookie and no words."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from appliance.errors import TooOften

NAMES = 20_000
"""Buckets kept; the one unused for longest goes first."""


class Pace:
    """``per_minute`` for each name, of which ``burst`` may come at once."""

    def __init__(
        self, per_minute: int, *, burst: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst or per_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """One more for this name. Raises TooOften with the seconds until the next is allowed."""
        now = self._clock()
        tokens, at = self._buckets.pop(name, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > NAMES:
            self._buckets.popitem(last=False)
        if tokens < 1:
            wait = (1 - tokens) / self._per_second
            raise TooOften("too many requests in a short time: wait a moment, then try again", retry_after=wait)


def stranger(host: str | None) -> str:
    """Who counts as one behind a network address: an IPv4 address, or the /64 that one IPv6 customer has.

    Empty for this machine itself: an operator, or a proxy behind which everybody would share one allowance.
    """
    try:
        found = ipaddress.ip_address(host or "127.0.0.1")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return ""
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
