"""Of the statuses that are told, in whatever order and however often, the furthest is true."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.channels.sms.statuses import FAILED, Status, code, explained, furthest


def reached(told: list[str]) -> str | None:
    known = None
    for one in told:
        known = furthest(known, one)
    return known


@given(st.lists(st.sampled_from(get_args(Status)), min_size=1), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(told: list[str], chance) -> None:
    shuffled = told * 2
    chance.shuffle(shuffled)
    first, second = reached(told), reached(shuffled)
    assert first == second or (first in FAILED and second in FAILED)  # of two failures the first one told stands


def test_delivered_is_true_whatever_comes_after() -> None:
    for late in ("accepted", "queued", "sending", "sent", "undelivered", "failed", "something new"):
        assert reached(["delivered", late]) == "delivered"
    assert reached(["undelivered", "sent"]) == "undelivered"
    assert reached(["something new"]) is None


@pytest.mark.parametrize("number", [21610, 30003, 30005, 30006, 30007, 30008, 30034])
def test_the_codes_that_happen_are_explained_to_staff(number: int) -> None:
    assert code(number) and str(number) in explained(number) and len(explained(number)) > 40


def test_a_code_that_nobody_knows_is_named() -> None:
    assert "12345" in explained(12345) and explained(None)
