"""Settings: where they come from, and what a wrong one is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import config
from appliance.config import Config, explain, keys, load, render
from appliance.errors import BadConfig

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_config_toml_holds_every_setting_with_its_default_and_its_comment():
    assert (ROOT / "config.toml").read_text(encoding="utf-8") == render(Config())


def test_every_setting_in_config_toml_has_a_comment_above_it():
    lines = (ROOT / "config.toml").read_text(encoding="utf-8").splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"\w+ = |# \[\[", line)]
    assert len(settings) == len(keys())
    assert all(lines[number - 1].startswith("# ") for number in settings)


def test_the_reference_file_loads_to_the_defaults():
    loaded = load(ROOT / "config.toml", env={})
    assert msgspec.structs.replace(loaded.config, data=Config().data) == Config()
    assert loaded.config.data.directory == str(ROOT / "data")


def test_without_any_source_the_defaults_count(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))
    assert load(env={}).config == Config()
    assert load(env={}).origins == {}


def test_flag_beats_environment_beats_file_beats_default(tmp_path):
    file = written(tmp_path, "[server]\nport = 1001\n")
    env = {"MEDINOVAI__SERVER__PORT": "1002"}
    assert load(file, env={}).config.server.port == 1001
    assert load(file, env=env).config.server.port == 1002
    assert load(file, env=env, flags={"server.port": 1003}).config.server.port == 1003


def test_explain_says_where_a_value_comes_from(tmp_path):
    file = written(tmp_path, "[server]\nport = 1001\n")
    by_file = explain(load(file, env={}), "server.port")
    by_env = explain(load(file, env={"MEDINOVAI__SERVER__PORT": "1002"}), "server.port")
    by_default = explain(load(file, env={}), "server.host")
    assert (by_file.value, by_file.origin, by_file.default) == (1001, str(file), 8080)
    assert (by_env.value, by_env.origin) == (1002, "environment MEDINOVAI__SERVER__PORT")
    assert (by_default.value, by_default.origin) == ("127.0.0.1", "default")
    assert by_file.description == "Port to listen on."
    assert by_file.expects == "a whole number from 1 to 65535"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1", "server.prot is not a setting. Did you mean server.port?"),
        ("[servr]\nport = 1", "Did you mean server?"),
        ("port = 1", "port is not a setting. Did you mean server.port?"),
        ("server = 1", "write [server]"),
        ("[server]\nport = 'x'", "server.port must be a whole number from 1 to 65535, not 'x'"),
        ("[server]\nport = '81'", "server.port must be a whole number"),
        ("[server]\nport = 0", "not 0"),
        ("[server]\nport = true", "not True"),
        ("[clinic]\nlanguages = ['de']", "clinic.languages must be a list of one of en, es, hi, zh"),
        ("[clinic]\ntimezone = 'Mars'", "is not a time zone"),
        ("[clinic]\ntimezone = '../etc'", "is not a time zone"),
        ("[log]\nlevel = 'loud'", "log.level must be one of debug, error, info, warning"),
        ("[server]\ncertificate = 'a.pem'", "belong together"),
        ("[server\nport = 1", "is not TOML"),
        ("[phone]\n[log]\n[phone]\npbx = 'a'", "stands in the file already"),
    ],
)
def test_a_wrong_setting_is_named_with_its_path_and_what_to_write(tmp_path, text, words):
    with pytest.raises(BadConfig) as told:
        load(written(tmp_path, text), env={})
    assert words in str(told.value)
    if "belong" not in words and "time zone" not in words:
        assert str(tmp_path / "config.toml") in str(told.value)


def test_an_unknown_environment_variable_is_named():
    with pytest.raises(BadConfig, match=r"MEDINOVAI__SERVER__PROT: server\.prot .* Did you mean server\.port"):
        load(ROOT / "config.toml", env={"MEDINOVAI__SERVER__PROT": "1"})


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(BadConfig, match="--config"):
        load(tmp_path / "none.toml", env={})


def test_lists_from_the_environment_are_separated_by_commas():
    loaded = load(ROOT / "config.toml", env={"MEDINOVAI__CLINIC__LANGUAGES": "hi, en"})
    assert loaded.config.clinic.languages == ("hi", "en")


def test_relative_paths_count_from_the_folder_of_their_file_or_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    file = written(tmp_path / "etc", "[data]\ndirectory = 'kept'\n")
    assert load(file, env={}).config.data.directory == str(tmp_path / "etc" / "kept")
    assert load(file, env={}, flags={"data.directory": "kept"}).config.data.directory == str(tmp_path / "kept")


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(keys()) | st.text(max_size=20), JUNK)
def test_any_value_for_any_key_loads_or_is_told_clearly(key, value):
    try:
        loaded = load(ROOT / "config.toml", env={}, flags={key: value})
    except BadConfig as error:
        assert key in str(error)
    else:
        assert loaded.origins[key] == "command line"


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_what_render_writes_is_read_back_the_same(name):
    changed = msgspec.structs.replace(Config(), clinic=msgspec.structs.replace(Config().clinic, name=name))
    assert msgspec.convert(tomllib.loads(render(changed)), Config) == changed


def test_tables_are_written_below_the_settings_of_the_shipped_file(tmp_path):
    """And read back; who still has the empty list of an older file above them is told what to take out."""
    shipped = (ROOT / "config.toml").read_text(encoding="utf-8").replace('pbx = ""', 'pbx = "10.0.0.2"')
    tables = '[[phone.lines]]\nname = "main"\nextension = "100"\n[[phone.people]]\nextension = "201"\n'
    filled = load(written(tmp_path, shipped.replace("# [[phone.people]]\n", tables)), env={}).config
    assert (filled.phone.lines[0].extension, filled.phone.people[0].extension) == ("100", "201")
    assert msgspec.convert(tomllib.loads(render(filled)), Config) == filled
    with pytest.raises(BadConfig, match=r"Take out `lines = \[\]`"):
        load(written(tmp_path, f"[phone]\nlines = []\n{tables}"), env={})


def test_no_setting_is_a_secret():
    assert not [key for key in keys() if any(word in key for word in ("password", "secret", "token_", "api_key"))]


@pytest.mark.parametrize("when", ["off", "00:00", "03:30", "23:59"])
def test_the_self_test_has_an_hour_or_is_off(when):
    assert load(env={"MEDINOVAI__OPERATIONS__SELF_TEST": when}).config.operations.self_test == when


@pytest.mark.parametrize("when", ["", "24:00", "3:30", "03:60", "on", "03:30:00"])
def test_a_self_test_at_no_hour_is_refused(when):
    with pytest.raises(BadConfig, match=r"operations\.self_test"):
        load(env={"MEDINOVAI__OPERATIONS__SELF_TEST": when})
