"""What IT types for the phone: from the guide, with nothing set up, and with something set up wrongly."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.channels.phone.joined import telephone
from appliance.config import Config, Data, Phone, PhoneLine
from appliance.errors import BadConfig
from appliance.records.keys import create_master_key
from appliance.records.secrets import keep

GUIDE = (Path(__file__).parents[2] / "docs" / "3cx.md").read_text(encoding="utf-8")
DATA = Path("data")
LINE = """[models]
chat = ""
[phone]
pbx = "127.0.0.1:9"
callbacks = ["201"]
[[phone.lines]]
name = "main"
extension = "100"
"""


@pytest.fixture(autouse=True)
def _box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blockbuster) -> None:
    blockbuster.deactivate()  # what is typed may block: it has its process for itself
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))


def typed(*words: str) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(*words: str) -> str:
    """What is said of a command that cannot be done."""
    result = typed(*words)
    assert result.exit_code != 0
    return result.stderr


@pytest.mark.models
def test_init_makes_the_folder_of_secrets_for_its_owner_alone() -> None:
    typed("init")
    shutil.rmtree(DATA / "secrets")  # as on a box of an earlier version
    typed("init")
    assert stat.S_IMODE((DATA / "secrets").stat().st_mode) == 0o700


@pytest.mark.parametrize("secret", ["phone-main", "pbx-key"])
def test_what_the_guide_says_of_secrets_can_be_typed_on_any_box(secret: str) -> None:
    (command,) = re.findall(rf"install -d .*/{secret}\b", GUIDE)
    create_master_key(DATA)
    for _ in range(2):
        subprocess.run(["sh", "-c", command], check=True, timeout=60)  # noqa: S603, S607 - our own guide's
    assert stat.S_IMODE((DATA / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((DATA / "secrets" / secret).stat().st_mode) == 0o600


def test_without_a_line_it_is_said_how_to_write_one() -> None:
    create_master_key(DATA)
    Path("config.toml").write_text('[phone]\ncallbacks = ["201"]\n', encoding="utf-8")
    echo = subprocess.run(  # a process, because what is proved is that it does not wait for ever
        [sys.executable, "-m", "appliance", "phone", "echo"], capture_output=True, text=True, timeout=120, check=False
    )
    assert echo.returncode == 2 and "[[phone.lines]]" in echo.stderr
    assert "[[phone.lines]]" in told("phone", "call", "201")


def test_an_unknown_line_is_answered_with_those_there_are() -> None:
    create_master_key(DATA)
    Path("config.toml").write_text(LINE, encoding="utf-8")
    words = told("phone", "call", "201", "--line", "nosuch")
    assert "'nosuch'" in words and "main" in words


@pytest.mark.parametrize("sign", ['"', "\\", "\x07"])
def test_a_password_that_cannot_be_sent_is_said_and_not_shown(sign: str) -> None:
    pytest.importorskip("baresip")
    settings = Config(
        data=Data(directory=str(DATA)),
        phone=Phone(pbx="127.0.0.1:9", lines=(PhoneLine(name="main", extension="100"),)),
    )
    keep("phone-main", f"s3{sign}cret", DATA)

    async def never(*_: object) -> None:
        raise AssertionError

    with pytest.raises(BadConfig, match="the password of main") as wrong:
        telephone(settings, never, lambda _: None)
    assert "s3" not in str(wrong.value)


def test_a_password_that_cannot_be_sent_is_said_by_the_command() -> None:
    pytest.importorskip("baresip")
    create_master_key(DATA)
    Path("config.toml").write_text(LINE, encoding="utf-8")
    keep("phone-main", 's3"cret', DATA)
    assert "the password of main" in told("phone", "echo")
