"""What of the line needs no call: addresses, who we are, what the log may hold."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.sip import Line, PhoneSettings, Telephone, _discreet, _instance, _number


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ('"Jane Doe" <sip:5551234@10.0.0.2>;tag=1', "5551234"),
        ("sip:+15035550100@pbx.test;user=phone", "+15035550100"),
        ("tel:+15035550100;phone-context=x", "+15035550100"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', ""),
        ("", ""),
    ],
)
def test_who_calls_is_read_from_the_address(address: str, number: str):
    assert _number(address) == number


@given(st.text())
def test_no_address_is_too_strange(address: str):
    assert len(_number(address)) <= 64


@pytest.mark.parametrize("number", ["200@evil.test", "200;x=y", "", "2 0", "200\r\nX: y", "2" * 65, "<200>"])
async def test_what_is_more_than_a_number_is_never_called(number: str):
    with pytest.raises(ValueError, match="no number"):
        _telephone().address(number)


async def test_a_number_is_called_at_the_pbx():
    assert _telephone().address("*60#") == "sip:*60%23@10.0.0.2"


def test_who_we_are_is_kept(tmp_path: Path):
    made = _instance(tmp_path / "instance")
    assert _instance(tmp_path / "instance") == made
    (tmp_path / "instance").write_text("broken")
    assert _instance(tmp_path / "instance") != made


def test_no_number_of_a_caller_gets_into_the_log(caplog: pytest.LogCaptureFixture):
    _discreet()
    logging.getLogger("baresip.native").warning("call: sip:%s@10.0.0.2: gone (caller +15035550100)", "5035550100")
    assert "5035550100" not in caplog.text
    assert "gone" in caplog.text


def test_a_password_is_in_no_repr():
    line = Line(name="a", user="100", password="hunter2")  # noqa: S106 - to be looked for
    assert "hunter2" not in repr(PhoneSettings(pbx="10.0.0.2", lines=(line,)))


def _telephone() -> Telephone:
    async def nobody(call: object) -> None:
        raise AssertionError(call)

    return Telephone(PhoneSettings(pbx="10.0.0.2", lines=()), nobody, print)
