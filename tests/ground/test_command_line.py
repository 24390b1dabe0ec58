"""The command line as a person meets it: help, exit codes, one clear line for an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from click import Group
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.channels.terminal import KINDS
from appliance.commands.box import address
from appliance.config import Server
from appliance.errors import BadConfig
from appliance.message import AnswerKind

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """No command finds the repository's own settings or data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def commands(group: Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(main), ids=" ".join)
def test_every_command_has_help_even_when_the_settings_are_wrong(path, tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n", encoding="utf-8")
    told = typed(*path, "--help")
    assert told.exit_code == 0
    assert "Usage" in told.output


def test_help_answers_at_once_because_nothing_heavy_is_imported():
    code = (
        "import sys; sys.argv = ['medinovai', '--help']\n"
        "from appliance.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'litestar', 'numpy', 'rich', 'sqlite_utils', 'cryptography', 'huggingface_hub'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603 - our own words
    assert ran.returncode == 0, ran.stderr


def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n", encoding="utf-8")
    told = typed("config", "show")
    assert told.exit_code == 2
    assert told.stderr.splitlines() == [
        f"medinovai: {tmp_path}/config.toml: server.prot is not a setting. Did you mean server.port?"
    ]


def test_debug_shows_the_traceback(tmp_path):
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n", encoding="utf-8")
    assert isinstance(typed("--debug", "config", "show").exception, BadConfig)


def test_config_show_writes_the_reference_file():
    assert typed("config", "show").output == (ROOT / "config.toml").read_text(encoding="utf-8")


def test_config_explain_says_value_origin_and_purpose(monkeypatch):
    monkeypatch.setenv("MEDINOVAI__SERVER__PORT", "8081")
    told = typed("config", "explain", "server.port").output
    assert "server.port = 8081" in told
    assert "environment MEDINOVAI__SERVER__PORT" in told
    assert "Port to listen on." in told


def test_config_explain_of_an_unknown_key_names_the_nearest():
    told = typed("config", "explain", "server.prot")
    assert told.exit_code == 2
    assert "Did you mean server.port?" in told.stderr


def test_doctor_on_a_bare_box_fails_with_exit_code_2_and_says_what_to_do(tmp_path):
    told = typed("--data-dir", str(tmp_path / "none"), "doctor", "--json")
    found = json.loads(told.stdout)
    assert told.exit_code == 2
    assert found["state"] == "failing"
    wrong = {check["name"]: check for check in found["checks"] if check["state"] == "failing"}
    assert "medinovai init" in wrong["data directory"]["remedy"]


def test_a_command_on_a_box_without_a_clinic_says_to_run_init(tmp_path, blockbuster):
    blockbuster.deactivate()  # a clinic is opened before anything is served
    told = typed("--data-dir", str(tmp_path / "none"), "documents")
    assert told.exit_code == 2
    assert "medinovai init" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        (Server(), "http://127.0.0.1:8080"),
        (Server(host="::1", port=81), "http://[::1]:81"),
        (Server(host="clinic.example", port=443), "https://clinic.example:443"),
        (Server(certificate="c", private_key="k"), "https://127.0.0.1:8080"),
        (Server(public_url="https://assistant.clinic.example"), "https://assistant.clinic.example"),
    ],
)
def test_serve_says_what_to_type_into_a_browser(server, shown):
    assert address(server) == shown


def test_the_terminal_has_a_heading_for_every_kind_of_answer():
    assert set(KINDS) == set(get_args(AnswerKind))
