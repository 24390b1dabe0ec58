"""A heading names a site only when it says so: a word that looks alike is no site."""

from __future__ import annotations

import pytest

from appliance.knowledge.sites import site_of_heading, site_of_path, site_spelt

SITES = {name: name for name in ("Main Street", "North", "Cedar Children")}


@pytest.mark.parametrize(
    ("heading", "site"),
    [
        ("North", "North"),
        ("Opening hours – North Clinic", "North"),
        ("Dental clinic at North", "North"),
        ("Horario en Main Street", "Main Street"),
        ("Main Street: parking", "Main Street"),
        ("North院区", "North"),
        ("North में योग", "North"),
        ("cedar children", "Cedar Children"),
        ("Northern lights", None),
        ("North Street entrance", None),
        ("The road north", None),
        ("Main Street and North", None),
        ("Parking", None),
        ("", None),
    ],
)
def test_a_heading_names_one_site_or_none(heading: str, site: str | None) -> None:
    assert site_of_heading(heading, SITES) == site


def test_the_innermost_heading_counts() -> None:
    assert site_of_path(("Hours at North", "Main Street"), SITES) == "Main Street"
    assert site_of_path(("Hours at North", "Saturday"), SITES) == "North"


def test_a_site_is_spelt_as_the_clinic_spells_it() -> None:
    assert site_spelt("main-street", SITES) == "Main Street"
    assert site_spelt("South", SITES) == "South"
