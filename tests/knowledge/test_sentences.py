"""Where sentences end, in four languages; half a sentence is never cut off."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.knowledge.sentences import ENDLESS, sentences, weight

CASES = [
    # English
    "Call at 7:30 a.m. to get one; they are gone by 9:00 a.m. | We open again on Monday.",
    "Open from 8:00 a.m. Monday to Friday. | Closed at 5 p.m. | The door is locked.",
    "Dr. Smith sees patients on St. Mary's ward. | Ask Mrs. O'Neil.",
    "We are at 410 Main St. | Call us.",
    "See No. 5, ext. 12, or p. 3 of the form. | Thanks!",
    "No. | We do not.",
    "It costs $1.50. | A dose is 3.5 ml. | Visit www.clinic.example/a.html. | Bye",
    "Write to hello@clinic.example. | Do not wait.",
    "J. R. Smith and the U.S. Department of Health are at P.O. Box 12. | Write there.",
    "Take vitamin C. | Patients on Level A. | Medicare Part B. | Ask us.",
    "Wait... what is it? | Ask!",
    'He said "Come in." | Then he left. | (He came back.) | So it is.',
    "Call (541) 555-0100. | 2 nurses answer.",
    "Steps: 1. Call us. | 2. Wait. | 3. Come in.",
    "Bring papers, cards, etc. | We copy them.",
    "It opens Jan. 5 and closes Feb. 6. | Come early.",
    # Spanish
    "Abre de 10:00 a. m. a 12:30 p. m. en Main Street. | Traiga bolsas.",
    "Cierra a las 5:00 p. m. | Se necesita cita.",
    "La Dra. Gómez y el Sr. Ruiz atienden. | ¿Tiene cita? | ¡Llame!",
    "Pida el núm. 4, tel. 555-0100. | Uds. pueden venir, p. ej. el lunes.",
    # Chinese
    "周一开门。|周二休息！|您有预约吗？|请打电话：(541) 555-0138，可以说普通话。",
    "正月初一休息一天；|初二照常开门。",
    "她说：“请进。”|然后走了。",
    "费用为35.50美元。|请见www.clinic.example。",
    # Hindi
    "क्लिनिक सुबह 8:30 बजे खुलता है। | डॉ. वर्मा सोमवार को आते हैं। | क्या आपको समय चाहिए? | हाँ।",
    "पता लिखें | | फिर आएँ।",
]


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_cut_where_its_sentences_end(case: str) -> None:
    if "| |" in case:  # a stroke that is typed for a danda
        text, wanted = "पता लिखें | फिर आएँ।", ["पता लिखें |", "फिर आएँ।"]
    else:
        parts = [part.strip() for part in case.split("|")]
        text, wanted = case.replace(" | ", " ").replace("|", ""), parts
    assert [text[start:end] for start, end in sentences(text)] == wanted


@pytest.mark.parametrize("text", ["word " * 2000, "字" * 2000, "a, b, " * 900, "甲，乙、" * 900, "one; two; " * 300])
def test_a_text_without_full_stops_is_cut_all_the_same(text: str) -> None:
    found = [text[start:end] for start, end in sentences(text)]
    assert max(map(weight, found)) <= ENDLESS + 2
    assert "".join("".join(found).split()) == "".join(text.split())


@given(st.text(alphabet="aZ.!?。；।| \n\"'”)(1é中कa.m;,", max_size=80))
def test_no_letter_is_lost_or_doubled(text: str) -> None:
    spans = list(sentences(text))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())
