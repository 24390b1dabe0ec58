"""What `doctor` and `phone check` say, what may be called, and the settings that do not fit together."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from appliance.channels.phone import check
from appliance.channels.phone.check import allowed, looked, reached
from appliance.commands.phone import _line
from appliance.config import Config, Data, Phone, PhoneLine, PhonePerson, load
from appliance.conversations.calls import Figures
from appliance.errors import BadConfig, BadInput
from models.store import Store

LINES = (PhoneLine(name="main", extension="100"),)


def config(data: Path, **phone: Any) -> Config:
    return Config(data=Data(directory=str(data)), phone=Phone(**({"pbx": "127.0.0.1", "lines": LINES} | phone)))


def states(settings: Config) -> dict[str, str]:
    return {one.name: one.state for one in looked(settings, Store(Path(settings.data.directory) / "models"))}


def test_without_a_line_the_phone_is_off_and_that_is_no_fault(tmp_path: Path) -> None:
    (one,) = looked(Config(), Store(tmp_path))
    assert (one.name, one.state, one.words) == ("phone", "ok", "The phone is off: no line is configured.")


def test_a_line_without_the_extra_is_a_fault_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PACKAGES", ("no_such_package_at_all",))
    found = list(looked(config(tmp_path), Store(tmp_path)))
    assert (found[-1].name, found[-1].state, found[-1].remedy) == ("packages", "failing", check.INSTALL)


def test_each_missing_thing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PACKAGES", ("msgspec",))
    found = states(config(tmp_path))
    assert found["password of main"] == "failing" and found["model whisper-base"] == "failing"
    assert found["people"] == "warning" and found["phone"] == "warning"
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "phone-main"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    safe = config(tmp_path, transport="tls", encrypted_audio=True, people=(PhonePerson(extension="201"),))
    found = states(safe)
    assert found["password of main"] == "ok" and found["people"] == "ok" and found["phone"] == "ok"
    secret.chmod(0o644)
    assert states(safe)["password of main"] == "failing"


def test_no_password_is_ever_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PACKAGES", ("msgspec",))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "phone-main").write_text("s3cret")
    (tmp_path / "secrets" / "phone-main").chmod(0o600)
    assert "s3cret" not in repr(list(looked(config(tmp_path), Store(tmp_path))))


async def test_a_telephone_system_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (one,) = [one async for one in reached(config(tmp_path, pbx=f"127.0.0.1:{port}", transport="tcp"))]
        assert one.state == "ok"
    (one,) = [one async for one in reached(config(tmp_path, pbx=f"127.0.0.1:{port}", transport="tcp"))]
    assert one.state == "failing" and "docs/3cx.md" in one.remedy


@pytest.mark.parametrize(
    ("number", "may"),
    [("201", True), ("+15035550123", True), ("+1 (503) 555-0123", True), ("+15045550123", False), ("2010", False)],
)
def test_only_numbers_of_the_list_are_called(number: str, may: bool) -> None:
    assert allowed(number, ("201", "+1503*")) is may


@pytest.mark.parametrize("number", ["", "+", "abc", "0", "sip:evil@example.org", "1503"])
def test_without_a_list_or_a_number_nothing_is_called(number: str) -> None:
    assert not allowed(number, ()) and not allowed(number, ("+1503*", "201"))


def test_figures_are_told_in_words() -> None:
    told = dict(check.told(Figures(calls=40, outcomes={"answered": 40}, waited_ms=tuple(range(100, 4100, 100)))))
    assert told["30 days"] == "40 calls: answered 40"
    assert told["answer begins after"] == "2.1 s in the middle, 3.9 s for the slowest twentieth (40 turns)"


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        ('pbx = "10.0.0.2"', "phone.pbx and phone.lines belong together"),
        ('pbx = "10.0.0.2"\nlines = [{name="a", extension="1"}, {name="a", extension="2"}]', "a name and an extension"),
        ('pbx = "10.0.0.2"\nlines = [{name="a", extension="1"}]\npeople = [{extension="1"}]', "come back to us"),
        ('pbx = "10.0.0.2"\nlines = [{name="a", extension="1"}]\nencrypted_audio = true', "in the clear"),
        ('lines = [{name="a", extensio="1"}]', "phone.lines must be a list of tables"),
        ('rtp_ports = "31000-30000"', "phone.rtp_ports"),
    ],
)
def test_settings_that_do_not_fit_are_told(tmp_path: Path, phone: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[phone]\n{phone}\n")
    with pytest.raises(BadConfig, match=words):
        load(file, env={})


def test_lines_and_people_are_tables_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[phone]\npbx = "10.0.0.2"\n[[phone.lines]]\nname = "main"\nextension = "100"\nlanguage = "es"\n'
        '[[phone.people]]\nextension = "201"\nwhen = "closed"\n'
    )
    phone = load(file, env={}).config.phone
    assert phone.lines == (PhoneLine(name="main", extension="100", language="es"),)
    assert phone.people == (PhonePerson(extension="201", when="closed"),)


def test_a_line_that_is_not_there_is_named(tmp_path: Path) -> None:
    two = config(tmp_path, lines=(*LINES, PhoneLine(name="other", extension="101")))
    with pytest.raises(BadInput, match=r"docs/3cx\.md"):
        _line(Config(), None)
    with pytest.raises(BadInput, match="no line 'third', but main, other"):
        _line(two, "third")
    assert (_line(two, None), _line(two, "other")) == ("main", "other")
