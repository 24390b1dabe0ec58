"""The master key: where it lives, who may read it, and that it is never replaced."""

from __future__ import annotations

import hmac
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from appliance.errors import BadConfig
from appliance.records.keys import create_master_key, derive, master_key


@pytest.fixture(autouse=True)
def _no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_a_new_key_is_private_and_found_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = create_master_key(data)
    assert len(key) == 32 and master_key(data) == key
    assert stat.S_IMODE((data / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert create_master_key(tmp_path / "other") != key


def test_the_systemd_credential_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_master_key(tmp_path)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert master_key(tmp_path) == (tmp_path / "master.key").read_bytes()
    (credentials / "master").write_bytes(b"c" * 32)
    assert master_key(tmp_path) == b"c" * 32


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    key = create_master_key(tmp_path)
    with pytest.raises(BadConfig, match="kept as it is"):
        create_master_key(tmp_path)
    assert master_key(tmp_path) == key


def test_a_database_without_its_key_gets_no_new_one(tmp_path: Path) -> None:
    (tmp_path / "clinic.db").touch()
    with pytest.raises(BadConfig, match="holds a database already"):
        create_master_key(tmp_path)


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="medinovai init"):
        master_key(tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_master_key(tmp_path)
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(BadConfig, match="chmod 600"):
        master_key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_key_of_another_length_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master.key").touch(0o600)
    (tmp_path / "master.key").write_bytes(content)
    with pytest.raises(BadConfig, match="exactly 32 bytes") as told:
        master_key(tmp_path)
    assert "kk" not in str(told.value)


def test_a_key_for_a_purpose_is_the_hkdf_of_rfc_5869() -> None:
    master = bytes(range(32))
    extracted = hmac.digest(b"\0" * 32, master, sha256)
    assert derive(master, "db:riverside") == hmac.digest(extracted, b"db:riverside\x01", sha256)
    assert derive(master, "db:riverside") != derive(master, "db:hillside")
