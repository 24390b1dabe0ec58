"""Secrets come from systemd or from files that only their owner reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import BadConfig
from appliance.records.secrets import keep, secret, where


def test_what_was_not_given_is_none(tmp_path: Path) -> None:
    assert secret("mattermost-token", tmp_path) is None


def test_a_kept_secret_comes_back_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    for value in ("first", "second"):
        file = keep("sms-token", value, tmp_path)
        assert secret("sms-token", tmp_path) == value
    assert file == where("sms-token", tmp_path) and file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["sms-token"]


def test_a_systemd_credential_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("sms-token", "from the file", tmp_path)
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "sms-token").write_text("from systemd\n", "utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    assert secret("sms-token", tmp_path) == "from systemd"


def test_a_file_that_others_can_read_or_that_is_empty_is_refused(tmp_path: Path) -> None:
    keep("sms-token", "", tmp_path)
    with pytest.raises(BadConfig, match="empty"):
        secret("sms-token", tmp_path)
    keep("sms-token", "x", tmp_path).chmod(0o640)
    with pytest.raises(BadConfig, match="chmod 600"):
        secret("sms-token", tmp_path)


@pytest.mark.parametrize("name", ["../master.key", "", "A", "a/b", ".hidden"])
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        secret(name, tmp_path)
