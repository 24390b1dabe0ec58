"""How often one stranger may ask, and who is one stranger."""

from __future__ import annotations

import pytest

from appliance.errors import TooOften
from appliance.people.pace import NAMES, Pace, stranger


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_one_each_interval() -> None:
    clock = Clock()
    pace = Pace(60, burst=3, clock=clock)
    for _ in range(3):
        pace.take("one")
    with pytest.raises(TooOften) as refused:
        pace.take("one")
    assert refused.value.retry_after == pytest.approx(1.0)
    clock.now += 1
    pace.take("one")
    with pytest.raises(TooOften):
        pace.take("one")


def test_refused_requests_do_not_make_the_wait_longer() -> None:
    clock = Clock()
    pace = Pace(60, burst=1, clock=clock)
    pace.take("one")
    for _ in range(100):
        with pytest.raises(TooOften):
            pace.take("one")
    clock.now += 1.01
    pace.take("one")


def test_names_do_not_share_a_bucket_and_are_forgotten_in_time() -> None:
    pace = Pace(60, burst=1, clock=Clock())
    for number in range(NAMES + 10):
        pace.take(str(number))
    assert len(pace._buckets) == NAMES
    with pytest.raises(TooOften):
        pace.take(str(NAMES + 9))


def test_one_ipv6_customer_is_one_stranger_and_this_machine_is_none() -> None:
    assert stranger("2001:db8:1:2::1") == stranger("2001:db8:1:2:ffff::9") != stranger("2001:db8:1:3::1")
    assert stranger("::ffff:192.0.2.1") == stranger("192.0.2.1") == "192.0.2.1"
    assert stranger("127.0.0.1") == stranger("::1") == stranger("::ffff:127.0.0.1") == stranger(None) == ""
    assert stranger("not an address") == "unknown"
