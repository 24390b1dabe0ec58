"""Which names of the documents are given to who listens."""

from __future__ import annotations

from appliance.knowledge.names import MOST, names


def test_people_places_and_medicines_are_names():
    text = "Please ask for Dr. Ana Ruiz at North Hill, or for Tylenol, on the first floor."
    assert names([text]) == ["Dr. Ana Ruiz", "North Hill", "Tylenol"]


def test_the_word_that_begins_a_sentence_is_no_name():
    assert names(["Parking is free. Children are welcome."]) == []


def test_a_word_that_is_written_small_elsewhere_is_no_name():
    assert names(["On weekdays, Parking is free.", "There is parking behind the house."]) == []


def test_the_most_frequent_come_first_and_not_too_many():
    texts = [f"see {chr(65 + n // 26)}{'abcdefghijklmnopqrstuvwxyz'[n % 26]}xyz there" for n in range(60)] + [
        "see Mara there"
    ] * 3
    found = names(texts)
    assert found[0] == "Mara" and len(found) == MOST


def test_scripts_without_capitals_have_none():
    assert names(["请到北山诊所找李医生。", "डॉक्टर से पूछिए।"]) == []


def test_days_and_months_are_no_names():
    assert names(["Closed on Monday and in August, but for Ana.", "Abrimos el Lunes, con Marta."]) == ["Ana", "Marta"]
