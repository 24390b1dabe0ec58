"""Sites are found where documents list them with addresses, in four languages; what only looks like one is none."""

from __future__ import annotations

import pytest

from appliance.knowledge.library import Library
from appliance.knowledge.places import listed, names_of
from appliance.knowledge.reading import Order, read
from appliance.knowledge.search import Search
from appliance.knowledge.sites import in_one_name, site_of_sentence, sites_named
from appliance.records.database import Database
from models.scripted import ScriptedEmbedder

TABLE = """# Where we are

| Site | Address | Phone |
|---|---|---|
| Northgate | 12 Gate Road | 555-010-0110 |
| Mill Pond | 77 Pond Lane | 555-010-0120 |
"""
SECTIONS = """# Hours

## Northgate Clinic (main site)

12 Gate Road. Phone 555-010-0110.

## Mill Pond Clinic hours

77 Pond Lane. Phone 555-010-0120.
"""
ITEMS = """# Nuestras sedes

- **Sede Northgate:** Calle del Sol, 12
- **Sede Mill Pond:** Avenida de la Paz 77
"""
CHINESE = """# 诊所地址

| 诊所 | 地址 |
|---|---|
| 北门诊所 (Northgate) | 12 Gate Road |
| 磨坊诊所 (Mill Pond) | 77 Pond Lane |
"""
HINDI = """# हमारे क्लिनिक

- Northgate क्लिनिक: 555-010-0110
- झील क्लिनिक: 77, झील रोड
"""
ELSEWHERE = "# Flu shots\n\nFlu shots are given at Northgate on Mondays and at Mill Pond on Fridays."


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("Northgate Clinic hours", ("Northgate",)),
        ("Opening hours at Northgate", ("Northgate",)),
        ("Breakwater (main site)", ("Breakwater",)),
        ("Pier Street, 212 Pier Street, phone (231) 555-0140", ("Pier Street",)),
        ("Horario de la clínica de Northgate", ("Northgate",)),
        ("Sede Norte (North Clinic)", ("Sede Norte", "North Clinic")),
        ("北门诊所营业时间", ("北门",)),
        ("Northgate（北门诊所）", ("Northgate", "北门")),
        ("Cannery（市中心）", ("Cannery",)),
        ("उत्तर द्वार क्लिनिक", ("उत्तर द्वार",)),
        ("Billing office", ()),
        ("Main Clinic", ()),
        ("Ellery Harbor Hospital", ()),
        ("Dr. Ana Ruiz", ()),
        ("牙科诊所", ()),
        ("How to get here", ()),
        ("12 Gate Road", ()),
        ("", ()),
    ],
)
def test_a_label_holds_a_name_only_where_one_is_left(label: str, names: tuple[str, ...]) -> None:
    assert names_of(label) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TABLE, ["Northgate", "Mill Pond"]),
        (SECTIONS, ["Northgate", "Mill Pond"]),
        (ITEMS, ["Northgate", "Mill Pond"]),
        (CHINESE, ["北门", "磨坊"]),
        (HINDI, ["Northgate", "झील"]),
        (ELSEWHERE, []),
        ("# Help\n\n- Ellery Hospital, 90 Lake Drive\n- Poison Line: 555-010-0199\n- Bay Pharmacy, 9 Main Street", []),
        ("# Staff\n\n| Name | Phone |\n|---|---|\n| Ana Ruiz | 555-010-0131 |\n| Joe Poe | 555-010-0132 |", []),
        ("# Specialists\n\n- Alder Heart, 12 Oak Street\n- Bay Bones, 14 Elm Avenue", []),
        ("# Labels\n\n- Northgate: 12 Gate Road\n- Billing office: 12 Gate Road", []),
    ],
)
def test_a_list_of_at_least_two_names_with_addresses_is_a_list_of_places(text: str, names: list[str]) -> None:
    found = listed(read(text.encode(), Order(name="page.md")))
    assert [one.names[0] for one in found] == names


async def test_a_place_is_a_site_when_two_documents_name_it(library: Library, database: Database) -> None:
    await library.learn_bytes("where.md", TABLE.encode())
    assert await _sites(database) == ()
    flu = await library.learn_bytes("flu.md", ELSEWHERE.encode())
    assert set(await _sites(database)) == {"Northgate", "Mill Pond"}
    await library.remove(flu.id)
    assert await _sites(database) == ()


async def test_a_page_for_each_site_is_enough(library: Library, database: Database) -> None:
    for name, address in (("Northgate", "12 Gate Road"), ("Mill Pond", "77 Pond Lane")):
        text = f"# Opening hours at {name}\n\nYou find us at {address}.\n\nThe doors open at eight."
        await library.learn_bytes(f"{name}.md", text.encode())
        assert await _sites(database) == ()
    await library.learn_bytes("flu.md", ELSEWHERE.encode())
    assert set(await _sites(database)) == {"Northgate", "Mill Pond"}
    rows = await database.read(
        lambda c: c.execute("SELECT DISTINCT site FROM passage WHERE site IS NOT NULL").fetchall()
    )
    assert {row[0] for row in rows} == {"Northgate", "Mill Pond"}


async def test_front_matter_goes_before_what_is_found(library: Library, database: Database) -> None:
    await library.learn_bytes("where.md", TABLE.encode())
    await library.learn_bytes("dental.md", b"---\nsite: northgate\n---\n# Dental\n\nTeeth are cleaned on Mondays.")
    await library.learn_bytes("flu.md", ELSEWHERE.encode())
    assert set(await _sites(database)) == {"northgate", "Mill Pond"}


async def test_what_may_be_the_same_site_or_another_is_left_out(library: Library, database: Database) -> None:
    await library.learn_bytes("where.md", TABLE.encode())
    await library.learn_bytes("dental.md", b"---\nsite: Mill\n---\n# Dental\n\nTeeth are cleaned on Mondays.")
    await library.learn_bytes("flu.md", ELSEWHERE.encode())
    assert set(await _sites(database)) == {"Mill", "Northgate"}


async def test_what_another_language_calls_a_site_is_the_same_site(library: Library, database: Database) -> None:
    await library.learn_bytes("where.md", TABLE.encode())
    await library.learn_bytes("zh.md", CHINESE.encode())
    await library.learn_bytes("yimiao.md", "# 疫苗\n\n## 北门诊所\n\n星期一打疫苗。".encode())
    called = await Search(database, ScriptedEmbedder()).called()
    assert called == {"Northgate": "Northgate", "北门": "Northgate", "Mill Pond": "Mill Pond", "磨坊": "Mill Pond"}
    rows = await database.read(lambda c: c.execute("SELECT site FROM passage WHERE text LIKE '%打疫苗%'").fetchall())
    assert rows == [("Northgate",)]


async def test_of_a_table_each_row_has_its_site(library: Library, database: Database) -> None:
    await library.learn_bytes("where.md", TABLE.encode())
    await library.learn_bytes("flu.md", ELSEWHERE.encode())
    rows = await database.read(
        lambda c: c.execute("SELECT site FROM sentence WHERE kind = 'row' ORDER BY id").fetchall()
    )
    assert rows == [("Northgate",), ("Mill Pond",)]


async def test_who_else_has_an_address_is_no_site(library: Library, database: Database) -> None:
    shelters = "# Shelters: addresses and hours\n\n- Casa Esperanza, 14 Elm Avenue\n- Helping Hands, 9 Oak Street"
    await library.learn_bytes("shelters.md", shelters.encode())
    await library.learn_bytes("night.md", b"Ask at Casa Esperanza or Helping Hands. Call Northgate or Mill Pond first.")
    await library.learn_bytes("where.md", TABLE.encode())
    await library.learn_bytes("flu.md", ELSEWHERE.encode())
    assert set(await _sites(database)) == {"Northgate", "Mill Pond"}


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("Northgate — Monday: 8 to 5", "Northgate"),
        ("Northgate, Saturday — Opens: 9", "Northgate"),
        ("At Northgate the limit is 10 minutes.", "Northgate"),
        ("En la sede Northgate no hay farmacia.", "Northgate"),
        ("北门诊所 — 星期一：八点", "Northgate"),
        ("Northgate Street is closed to cars.", None),
        ("Northgate — transfers to Mill Pond", None),
        ("Our only pharmacy is at Northgate.", None),
    ],
)
def test_a_sentence_speaks_of_the_site_with_which_it_begins(text: str, site: str | None) -> None:
    assert site_of_sentence(text, {"Northgate": "Northgate", "北门": "Northgate", "Mill Pond": "Mill Pond"}) == site


def test_a_question_names_a_site_by_whole_words() -> None:
    sites = ("Sur", "Clínica Norte", "Cedar Children")
    assert sites_named("Is surgery done there?", sites) == frozenset()
    assert sites_named("¿Abre la clínica?", sites) == frozenset()
    assert sites_named("hours at cedar", sites) == {"Cedar Children"}


def test_a_question_in_another_language_gets_the_sites_own_name() -> None:
    called = {
        "Northgate": "Northgate",
        "北门": "Northgate",
        "Sede Norte": "North Clinic",
        "North Clinic": "North Clinic",
    }
    assert in_one_name("北门诊所几点开门？", called) == "Northgate诊所几点开门？"
    assert in_one_name("¿A qué hora abre la sede norte?", called) == "¿A qué hora abre la North Clinic?"
    assert in_one_name("When do you open?", called) == "When do you open?"


async def _sites(database: Database) -> tuple[str, ...]:
    return await Search(database, ScriptedEmbedder()).sites()
