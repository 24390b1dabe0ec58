"""Model files that come cut up over several packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import ModelDamaged, ModelMissing
from models.catalog import Beside, Catalog, CatalogModel, Joined, PackageFile
from models.checksums import sha256_of
from models.store import Store

VERSION = "1"


def piece(path: str) -> PackageFile:
    """A file of a package that is surely here."""
    return PackageFile(package="msgspec", version=VERSION, path=path)


def store(directory: Path, sha256: str, *, package: str = "msgspec") -> Store:
    beside = Beside(file="names.py", package="msgspec", version=VERSION, path="msgspec/toml.py", sha256=_sha("toml.py"))
    parts = (piece("msgspec/json.py"), PackageFile(package=package, version=VERSION, path="msgspec/yaml.py"))
    model = CatalogModel(
        name="joined",
        title="",
        kind="voice",
        engine="kokoro",
        sets=("phone",),
        languages=(),
        licence="",
        note="",
        source=Joined(file="there/joined.bin", parts=parts, beside=(beside,)),
        bytes=1,
        sha256=sha256,
    )
    return Store(directory, catalog=Catalog((model,)))


def _sha(name: str) -> str:
    import msgspec

    return sha256_of(Path(msgspec.__file__).with_name(name))


def _joined(tmp_path: Path) -> str:
    import msgspec

    whole = tmp_path / "whole"
    home = Path(msgspec.__file__)
    whole.write_bytes(home.with_name("json.py").read_bytes() + home.with_name("yaml.py").read_bytes())
    return sha256_of(whole)


def test_the_parts_are_joined_in_order_with_what_belongs_beside(tmp_path: Path):
    box = store(tmp_path / "models", _joined(tmp_path))
    assert not box.installed("joined")
    assert box.assemble("phone") == ["joined"]
    assert box.verify("joined") == tmp_path / "models" / "there" / "joined.bin"
    assert sha256_of(tmp_path / "models" / "there" / "names.py") == _sha("toml.py")


def test_a_file_that_is_whole_is_not_made_again(tmp_path: Path):
    box = store(tmp_path / "models", _joined(tmp_path))
    box.assemble("phone")
    before = box.path("joined").stat().st_mtime_ns
    box.assemble("phone")
    assert box.path("joined").stat().st_mtime_ns == before


def test_a_damaged_file_is_made_anew(tmp_path: Path):
    box = store(tmp_path / "models", _joined(tmp_path))
    box.assemble("phone")
    box.path("joined").write_bytes(b"damaged")
    box.assemble("phone")
    box.verify("joined")


def test_other_bytes_than_known_are_refused(tmp_path: Path):
    box = store(tmp_path / "models", "0" * 64)
    with pytest.raises(ModelDamaged):
        box.assemble("phone")
    assert not box.installed("joined")


def test_a_missing_package_is_named(tmp_path: Path):
    box = store(tmp_path / "models", _joined(tmp_path), package="no-such-package")
    with pytest.raises(ModelMissing, match="no-such-package==1"):
        box.assemble("phone")


def test_the_phone_s_models_are_those_that_the_wheels_carry():
    phone = {model.name: model for model in Catalog.read().set_of("phone")}
    assert {model.engine for model in phone.values()} >= {"whisper", "piper", "kokoro"}
    assert all(model.sha256 and model.bytes for model in phone.values())
