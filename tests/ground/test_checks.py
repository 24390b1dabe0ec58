"""What `medinovai doctor` finds on a box that is well and on one that is not."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.config import Config, Data, Server
from appliance.operations import checks
from appliance.records.keys import create_master_key


def config_with(tmp_path: Path, **server: object) -> Config:
    place = msgspec.structs.replace(Data(), directory=str(tmp_path / "data"))
    return msgspec.structs.replace(Config(), data=place, server=msgspec.structs.replace(Server(), **server))


def certificate(folder: Path, *, days: int) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clinic")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(days=99)).not_valid_after(now + datetime.timedelta(days=days))
    (folder / "c.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_text("key", encoding="ascii")
    return {"certificate": str(folder / "c.pem"), "private_key": str(folder / "k.pem")}


def test_a_box_that_is_set_up_is_well(tmp_path):
    create_master_key(tmp_path / "data")
    config = config_with(tmp_path)
    for check in (checks.python, checks.database_engine, checks.directory, checks.key, checks.processor, checks.clock):
        assert check(config).state == "ok", check(config)


def test_a_box_without_data_directory_is_told_to_run_init(tmp_path):
    found = [checks.directory(config_with(tmp_path)), checks.key(config_with(tmp_path))]
    assert [check.state for check in found] == ["failing", "failing"]
    assert all("medinovai init" in check.remedy for check in found)


def test_a_data_directory_that_others_can_read_is_a_warning(tmp_path):
    create_master_key(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)
    assert checks.directory(config_with(tmp_path)).state == "warning"


def test_a_key_that_others_can_read_fails(tmp_path):
    create_master_key(tmp_path / "data")
    (tmp_path / "data" / "master.key").chmod(0o644)
    assert checks.key(config_with(tmp_path)).state == "failing"


def test_a_port_in_use_is_a_warning_that_names_it(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        found = checks.port(config_with(tmp_path, port=number))
    assert found.state == "warning"
    assert str(number) in found.words
    assert checks.port(config_with(tmp_path, port=number)).state == "ok"


@pytest.mark.parametrize(("days", "state"), [(300, "ok"), (10, "warning"), (-2, "failing")])
def test_a_certificate_is_judged_by_the_days_it_has_left(tmp_path, days, state):
    assert checks.certificate(config_with(tmp_path, **certificate(tmp_path, days=days))).state == state


def test_a_certificate_that_cannot_be_read_fails(tmp_path):
    (tmp_path / "c.pem").write_text("nonsense", encoding="ascii")
    found = checks.certificate(config_with(tmp_path, certificate=str(tmp_path / "c.pem"), private_key="none"))
    assert found.state == "failing"


def test_beyond_this_machine_a_self_made_certificate_is_a_warning(tmp_path):
    assert checks.certificate(config_with(tmp_path)).state == "ok"
    assert checks.certificate(config_with(tmp_path, host="0.0.0.0")).state == "warning"  # noqa: S104 - only looked at


def test_little_disk_or_memory_says_how_much_there_is(tmp_path):
    for check in (checks.disk(config_with(tmp_path)), checks.memory(config_with(tmp_path))):
        assert "GB" in check.words


def test_an_emergency_that_nobody_closed_within_the_hour_is_a_warning():
    now = datetime.datetime.now(datetime.UTC)
    minutes = [now - datetime.timedelta(minutes=each) for each in (3, 59, 61, 150)]
    assert checks.alerts([]).state == "ok"
    assert checks.alerts(minutes[:2]).state == "ok"
    found = checks.alerts(minutes)
    assert (found.state, found.words) == ("warning", "4 open, the oldest for 2 h 30 min.")
    assert "medinovai alerts" in found.remedy


def test_signed_answers_that_are_expired_or_due_for_review_are_named():
    assert checks.signed_answers([], []).state == "ok"
    found = checks.signed_answers(["flu-shot"], ["parking", "fees"])
    assert (found.state, found.words) == ("warning", "Expired: flu-shot. Due for review: parking, fees.")
    assert checks.signed_answers([], ["fees"]).words == "Due for review: fees."


def test_the_exit_code_is_that_of_the_worst_check():
    ok, warning, failing = (checks.Check(name="a", state=state, words="") for state in ("ok", "warning", "failing"))
    assert checks.exit_code([ok, ok]) == 0
    assert checks.exit_code([ok, warning]) == 1
    assert checks.exit_code([failing, warning, ok]) == 2
