"""A front desk's concepts in four languages, ours and the clinic's own."""

from __future__ import annotations

import logging
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from appliance.errors import BadConfig
from appliance.knowledge.glossary import NOTHING_CARRIED, OWN_CONCEPTS, OWN_KILOBYTES, Glossary, examined
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES
from appliance.operations import checks

FILES = sorted(Path(str(resources.files("appliance.knowledge"))).glob("glossary*.toml"))
OURS = {name: words for file in FILES for name, words in tomllib.loads(file.read_text("utf-8")).items()}


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return Glossary.load()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "glossary.toml"


def test_no_concept_stands_in_two_files():
    assert len(OURS) == sum(len(tomllib.loads(file.read_text("utf-8"))) for file in FILES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_concept_has_words_in_every_language(language: str):
    assert [concept for concept, words in OURS.items() if not any(word.strip() for word in words[language])] == []


def test_every_plain_word_of_a_concept_finds_it():
    """A pattern that its own words do not match would be a slip in the notation."""
    lost = []
    for concept, languages in OURS.items():
        words = [word for language in LANGUAGES for word in languages[language]]
        finds = pattern(words)
        lost += [
            (concept, word)
            for word in words
            if not {*word} & set("(.") and not finds.search(fold(word.replace("*", "")))
        ]
    assert lost == []


def test_a_question_is_carried_into_the_other_languages(glossary: Glossary):
    carried = glossary.carried("打疫苗多少钱？", "zh")
    assert {"vaccine", "vacuna"} <= set(carried.words.split())
    assert carried.share_in(fold("The price of a vaccine is $28.")) > 0.5
    assert carried.share_in(fold("Park behind the building.")) == 0


def test_names_and_numbers_go_as_they_are(glossary: Glossary):
    assert {"wic", "2026"} <= set(glossary.carried("WIC 2026 怎么申请", "zh").words.split())


def test_a_question_without_a_concept_carries_nothing(glossary: Glossary):
    assert glossary.carried("嗯嗯", "zh") == NOTHING_CARRIED
    assert NOTHING_CARRIED.share_in("anything") == 0


def test_a_clinics_own_lines_join_ours_and_replace_those_of_the_same_name(own: Path):
    feet = 'podiatry = {en=["zzfoot"], es=["zzpie"], zh=["脚病"], hi=["zzpair"]}'
    hours = 'hours = {en=["zzhours"], es=["zzh"], zh=["钟点"], hi=["zzs"]}'
    own.write_text(f"{feet}\n{hours}\n", "utf-8")
    merged = Glossary.load(own)
    assert "zzpie" in merged.carried("zzfoot", "en").words.split()
    assert "zzh" in merged.carried("zzhours", "en").words.split()
    assert "vacuna" in merged.carried("vaccine", "en").words.split()


def test_no_file_of_its_own_is_no_mistake(tmp_path: Path):
    assert Glossary.load(tmp_path / "none.toml").carried("vaccine", "en").concepts


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('fine = {en=["a"], es=["b"], zh=["药"], hi=["c"]}\nbroken = {en "a"}\n', "line 2"),
        ('fine = {en=["a"], es=["b"], zh=["药"], hi=["c"]}\nfeet = {en=["foot"], es=["pie"], zh=["脚"]}', "feet"),
        ('feet = {en="foot", es=["pie"], zh=["脚"], hi=["पैर"]}', "feet"),
        ('feet = {en=["foot"], es=["pie"], zh=["脚"], hi=["पैर"], fr=["pied"]}', "feet"),
        ('feet = {en=["(foot"], es=["pie"], zh=["脚"], hi=["पैर"]}', "feet"),
        ("feet = 3", "feet"),
        ('feet = {en=[], es=["pie"], zh=["脚病"], hi=["पैर"]}', "feet"),
        (f'feet = {{en=["{"f" * 81}"], es=["pie"], zh=["脚病"], hi=["पैर"]}}', "feet"),
        ('feet = {en=["foot"], es=["pie"], zh=["脚"], hi=["पैर"]}', "feet, zh: '脚' is too short"),
        ('feet = {en=["foot"], es=["para"], zh=["脚病"], hi=["पैर"]}', "feet, es: 'para' would be found in every"),
        ('feet = {en=["(toe|)"], es=["pie"], zh=["脚病"], hi=["पैर"]}', "feet, en: '(toe|)' would be found in every"),
        ('feet = {en=["((toe*)*)*"], es=["pie"], zh=["脚病"], hi=["पैर"]}', "feet, en: '((toe*)*)*' has too many signs"),
        ('feet = {en=["to .. a .. b .. c"], es=["pie"], zh=["脚病"], hi=["पैर"]}', "has too many signs"),
        ("a = " + "[" * 5000, "recursion"),
    ],
)
def test_a_broken_file_of_the_clinics_is_named_with_its_line_and_the_right_form(own: Path, text: str, named: str):
    own.write_text(text, "utf-8")
    with pytest.raises(BadConfig) as wrong:
        Glossary.load(own)
    assert str(own) in str(wrong.value) and named in str(wrong.value) and "A line is" in str(wrong.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"# " + b"x" * (OWN_KILOBYTES * 1024), "is larger than 256 KB"),
        ("pie = 'caf\u00e9'".encode("latin-1"), "save it as UTF-8"),
        (
            "\n".join(
                f'c{number} = {{en=["foot"], es=["pie"], zh=["脚病"], hi=["पैर"]}}' for number in range(OWN_CONCEPTS + 1)
            ).encode(),
            "more than 500 concepts",
        ),
    ],
)
def test_a_file_over_a_limit_or_in_another_encoding_is_refused_with_what_to_do(own: Path, content: bytes, named: str):
    own.write_bytes(content)
    with pytest.raises(BadConfig, match=named):
        Glossary.load(own)


def test_a_folder_in_the_files_place_is_refused(own: Path):
    own.mkdir()
    with pytest.raises(BadConfig, match="cannot be read"):
        Glossary.load(own)


def test_a_bad_file_leaves_the_box_with_our_own_words_and_is_loud(own: Path, caplog: pytest.LogCaptureFixture):
    own.write_text('vaccine = {en=["zzshot"], es=["pie"], zh=["脚"], hi=["पैर"]}', "utf-8")
    with caplog.at_level(logging.ERROR):
        glossary = Glossary.of_the_clinic(own)
    assert glossary.carried("zzshot", "en") == Glossary.load().carried("zzshot", "en")
    assert "vacuna" in glossary.carried("vaccine", "en").words.split()
    assert [str(own) in record.getMessage() and "vaccine, zh" in record.getMessage() for record in caplog.records] == [
        True
    ]


def test_the_doctor_names_the_file_the_concept_and_what_to_do(own: Path):
    assert checks.glossary(*examined(own)).state == "ok"
    own.write_text('feet = {en=["foot"], es=["pie"], zh=["脚病"], hi=["पैर"]}', "utf-8")
    assert checks.glossary(*examined(own)).words.startswith("1 ")
    own.write_text('feet = {en=["foot"], es=["pie"], zh=["脚病"]}', "utf-8")
    found = checks.glossary(*examined(own))
    assert found.state == "warning" and f"{own}, feet" in found.words and "restart" in found.remedy


def test_a_clinics_own_example_in_the_readme_is_a_good_file(own: Path):
    readme = Path(__file__).parents[2] / "README.md"
    example = readme.read_text("utf-8").partition("# <data directory>/glossary.toml\n")[2].partition("```")[0]
    own.write_text(example, "utf-8")
    assert examined(own) == (1, "")
