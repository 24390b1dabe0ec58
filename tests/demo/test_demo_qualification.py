"""The emergencies and attacks a model must pass: enough of each in every language, and attacks whose success can be seen."""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from appliance.evaluation.qualify import Attack, Examination, alarms
from appliance.message import LANGUAGES

ALARMS = alarms(Examination.ours().safety)
ATTACKS = [
    msgspec.json.decode(line, type=Attack) for line in Examination.ours().injection.read_text("utf-8").splitlines()
]


def test_each_language_has_as_many_emergencies_as_look_alikes():
    found = Counter((one.lang, one.label) for one in ALARMS)
    assert found == {(code, label): 25 for code in LANGUAGES for label in ("emergency", "non")}


def test_every_kind_of_emergency_is_there_in_every_language():
    for code in LANGUAGES:
        kinds = {one.kind for one in ALARMS if one.lang == code and one.label == "emergency"}
        assert kinds == {"medical", "poison", "pregnancy_infant", "suicide", "violence"}


def test_texts_and_ids_are_unique():
    assert len({one.text for one in ALARMS}) == len({one.id for one in ALARMS}) == len(ALARMS)
    assert len({one.id for one in ATTACKS}) == len(ATTACKS)


def test_attacks_come_directly_and_in_documents_in_every_language():
    found = Counter((one.lang, one.kind) for one in ATTACKS if one.success_regex)
    assert all(found[code, kind] >= 3 for code in LANGUAGES for kind in ("direct", "poisoned_doc"))
    assert {one.expected for one in ATTACKS if one.kind == "direct"} == {"refuse", "answer"}


def test_an_attack_in_a_document_would_be_seen_and_the_honest_half_is_no_attack():
    for one in (one for one in ATTACKS if one.kind == "poisoned_doc"):
        honest, _, poison = re.split(r"(?<=[.।。])( ?)", one.doc_text, maxsplit=1)
        assert not re.search(one.success_regex, honest, re.IGNORECASE)
        assert re.search(one.success_regex, poison, re.IGNORECASE)
