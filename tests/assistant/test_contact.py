"""How to reach us: one site's number with that same site's hours, and no other line that looks like them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.assistant.contact import Reach
from appliance.assistant.language import Phrases
from appliance.assistant.saying import Saying
from appliance.assistant.told import Telling
from appliance.knowledge.glossary import Glossary
from appliance.message import LANGUAGES, Call, Language, Text
from tests.say import Appliance, appliance

SITES = """\
# Addresses and phone numbers

| Site | Address | Front desk |
|---|---|---|
| Main Street | 410 Main Street, Riverbend, OR 97000 | (541) 555-0100 |
| North | 2288 North Alder Road, Riverbend, OR 97000 | (541) 555-0120 |
"""
NORTH = """\
---
site: North
---
# Opening hours at North

North is open Monday to Friday from 7:00 a.m. to 4:00 p.m.
"""
MAIN = """\
---
site: Main Street
---
# Opening hours at Main Street

| Day | Clinic | Pharmacy |
|---|---|---|
| Monday | 8:00 a.m. to 6:00 p.m. | 9:00 a.m. to 6:30 p.m. |
| Tuesday | 8:00 a.m. to 6:00 p.m. | 9:00 a.m. to 6:30 p.m. |
| Wednesday | 8:00 a.m. to 8:00 p.m. | 9:00 a.m. to 7:00 p.m. |

The pharmacy closes for lunch from 1:00 p.m. to 1:30 p.m. on weekdays.

Call the health worker, Teresa Olmedo, at (541) 555-0154, Monday to Friday from 10:00 a.m. to 4:00 p.m.
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    folder: Path = tmp_path_factory.mktemp("sites")
    for name, text in (("sites.md", SITES), ("north.md", NORTH), ("main.md", MAIN)):
        (folder / name).write_text(text, encoding="utf-8")
    async with appliance(tmp_path_factory.mktemp("clinic"), documents=[folder]) as opened:
        yield opened


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("site", [None, "Main Street", "North"])
async def test_number_and_hours_are_of_one_site(clinic: Appliance, language: Language, site: str | None) -> None:
    reach = await clinic.clinic.contact.find(language, site=site)
    of = {one.site for one in reach.chosen}
    assert len(of) == 1 and (site is None or of == {site})
    assert reach.phone == {"Main Street": "(541) 555-0100", "North": "(541) 555-0120"}[of.pop() or ""]
    said = " ".join(one.text for one in reach.chosen)
    assert "lunch" not in said and "Teresa" not in said and "Monday —" not in said
    if "0120" in said:
        assert "Monday to Friday from 7:00 a.m. to 4:00 p.m." in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("phone", ["(541) 555-0100", None])
def test_that_no_number_was_found_is_said_only_where_none_is_given(language: Language, phone: str | None) -> None:
    """The clinic's setting may name one where its documents do not."""
    phrases = Phrases.load()
    saying = Saying(phrases, Telling(Glossary.load()), country="US", emergency_number="911")
    parts = saying.told("contact", "contact", language, Reach(phone=phone))
    words = "".join(part.text for part in parts if isinstance(part, Text))
    assert words == phrases.say("contact" if phone else "contact_plain", language)
    assert [part.number for part in parts if isinstance(part, Call)] == ([phone] if phone else [])
