"""One calendar: hours by site, holidays, the days on which clocks change, and a bad file named by its line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import appliance
from appliance.conversations.calendar import Calendar
from appliance.errors import BadConfig

ZONE = ZoneInfo("America/Los_Angeles")
FILE = """
[examples]
en = ["When?"]

[hours]
mon = [["08:00", "12:00"], ["13:00", "17:00"]]
fri = [["08:00", "17:00"]]
sun = [["00:00", "24:00"]]

[site_hours."North Hill"]
mon = [["10:00", "11:00"]]

[holidays]
12-25 = []
2026-11-27 = [["09:00", "10:00"]]
"""


def calendar(folder: Path, text: str = FILE) -> Calendar:
    (folder / "clinic.toml").write_text(text, "utf-8")
    return Calendar.load(folder / "clinic.toml", ZONE)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("moment", "site", "open_"),
    [
        ("2026-11-23 08:00", None, True),  # a Monday
        ("2026-11-23 07:59", None, False),
        ("2026-11-23 12:30", None, False),
        ("2026-11-23 17:00", None, False),
        ("2026-11-23 10:30", "north-hill", True),
        ("2026-11-23 09:00", "North Hill", False),
        ("2026-11-23 09:00", "a site without hours of its own", True),
        ("2026-11-24 09:00", None, False),
        ("2026-11-27 09:30", None, True),  # the Friday after Thanksgiving
        ("2026-11-27 10:30", None, False),
        ("2026-12-25 09:30", None, False),  # Christmas, a Friday
        ("2026-11-22 23:59", None, True),  # a Sunday that is open until midnight
    ],
)
def test_it_is_open_by_its_hours_and_closed_by_its_holidays(
    tmp_path: Path, moment: str, site: str | None, open_: bool
) -> None:
    assert calendar(tmp_path).open_at(at(moment), site) is open_


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-23 07:00", "2026-11-23 08:00"),
        ("2026-11-23 12:30", "2026-11-23 13:00"),
        ("2026-11-23 09:00", "2026-11-23 09:00"),
        ("2026-11-23 20:00", "2026-11-27 09:00"),
        ("2026-12-21 20:00", "2026-12-27 00:00"),  # over Christmas
    ],
)
def test_the_next_opening_is_found_past_weekends_and_holidays(tmp_path: Path, moment: str, opens: str) -> None:
    assert calendar(tmp_path).opens(at(moment)) == at(opens)


def test_the_demonstration_clinics_file_is_a_good_one() -> None:
    demo = Calendar.load(Path(appliance.__file__).parent / "demo" / "clinic.toml", ZONE)
    assert demo.open_at(at("2026-11-23 07:30"), "North") and not demo.open_at(at("2026-11-23 07:30"), "Main Street")
    assert not demo.open_at(at("2026-11-26 10:00"))


def test_without_hours_nobody_is_told_of_closing(tmp_path: Path) -> None:
    for one in (Calendar.load(tmp_path / "none.toml", ZONE), calendar(tmp_path, "[examples]\n")):
        assert one.open_at(at("2026-11-23 03:00")) and not one.known
        assert one.opens(at("2026-11-23 03:00")) == at("2026-11-23 03:00")


def test_a_clinic_that_never_opens_names_no_day(tmp_path: Path) -> None:
    assert calendar(tmp_path, "[hours]\nmon = []\n").opens(at("2026-11-23 03:00")) is None


def test_the_hour_that_clocks_skip_and_the_one_they_repeat(tmp_path: Path) -> None:
    always = calendar(tmp_path, '[hours]\nsun = [["01:00", "03:00"]]\n')
    autumn = [datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in range(7, 12)]
    assert [always.open_at(one) for one in autumn] == [False, True, True, True, False]  # three hours, by the sun
    spring = [datetime(2026, 3, 8, hour, 30, tzinfo=UTC) for hour in range(8, 11)]
    assert [always.open_at(one) for one in spring] == [False, True, False]  # one hour


def test_holidays_are_told_for_the_page(tmp_path: Path) -> None:
    assert calendar(tmp_path).closed_days(date(2026, 11, 20)) == {
        "2026-11-27": (("09:00", "10:00"),),
        "2026-12-25": (),
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[hours]\nmon = [["8:00", "12:00"]]', 2, "no time of day"),
        ('[hours]\n\nmonday = [["08:00", "12:00"]]', 3, "no day of the week"),
        ('[hours]\nmon = [["18:00", "02:00"]]', 2, "closes before it opens"),
        ('[hours]\nmon = [["08:00", "12:00"], ["11:00", "13:00"]]', 2, "overlap"),
        ('[hours]\n[site_hours."North Hill"]\nmon = []\ntue = [["08:00", "25:00"]]', 4, "no time of day"),
        ("[holidays]\n2026-13-01 = []", 2, "no day"),
        ("[holidays]\n12-32 = []", 2, "no day"),
        ("\n\n[hours]\nmon = 5", 3, "hours"),
        ("[hours]\nmon = [[ x", 2, "line 2"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(BadConfig, match=words) as bad:
        calendar(tmp_path, text)
    assert f"line {line}" in str(bad.value) and "clinic.toml" in str(bad.value)


moments = st.integers(0, 366 * 24 * 60).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(moment=moments)
def test_where_it_says_it_opens_it_is_open_and_nowhere_before(tmp_path: Path, moment: datetime) -> None:
    one = calendar(tmp_path)
    opens = one.opens(moment)
    assert opens is not None and opens >= moment and one.open_at(opens)
    since = one.since(opens)
    assert since is not None and since <= opens and one.open_at(since)
