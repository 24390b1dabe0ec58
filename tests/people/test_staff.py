"""Members of staff: one-time passwords, sessions that end, and a lock that shuts out only whoever guesses."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from appliance.errors import BadInput, NotAllowed, NotFound, TooOften
from appliance.people import passwords
from appliance.people.staff import Staff
from appliance.records import audit
from appliance.records.database import Database

GOOD = "copper violin seventeen lakes"
HOME, AWAY = "192.0.2.7", "198.51.100.9"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id with little memory: its cost is the library's to prove."""
    from argon2 import PasswordHasher

    passwords._nobodys.cache_clear()
    passwords._hasher.cache_clear()
    cheap = PasswordHasher(1, 8, 1)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)


async def settled(database: Database, clock: Clock | None = None) -> Staff:
    """Maria, with a password of her own."""
    staff = Staff(database, clock=clock or Clock())
    first = await staff.create("maria", "Maria", "Nurse")
    signed = await staff.sign_in("maria", first, host=HOME)
    await staff.change_password(signed.token, GOOD)
    return staff


async def test_a_one_time_password_opens_once_and_only_the_choice_of_another(database: Database) -> None:
    staff = Staff(database)
    first = await staff.create("Maria", "Maria", "Nurse", level=2)
    assert re.fullmatch(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", first)
    signed = await staff.sign_in("maria", first, host=HOME)
    assert signed.session.must_change
    assert (signed.session.member.name, signed.session.member.level) == ("Maria", 2)
    with pytest.raises(NotAllowed):
        await staff.sign_in("maria", first, host=HOME)
    fresh = await staff.change_password(signed.token, GOOD)
    assert await staff.session(signed.token) is None
    session = await staff.session(fresh)
    assert session and not session.must_change
    assert not (await staff.sign_in("MARIA ", GOOD, host=HOME)).session.must_change


async def test_one_one_time_password_used_by_two_at_once_opens_one_session(database: Database) -> None:
    staff = Staff(database)
    first = await staff.create("maria", "Maria", "Nurse")
    tried = await asyncio.gather(*(staff.sign_in("maria", first, host=HOME) for _ in range(3)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in tried) == 1


async def test_an_old_one_time_password_opens_nothing(database: Database) -> None:
    staff = Staff(database)
    first = await staff.create("maria", "Maria", "Nurse")
    await database.write(lambda c: c.execute("UPDATE staff SET one_time_until = '2026-01-01T00:00:00.000000+00:00'"))
    with pytest.raises(NotAllowed):
        await staff.sign_in("maria", first, host=HOME)


async def test_neither_passwords_nor_tokens_are_kept(database: Database) -> None:
    staff = await settled(database)
    signed = await staff.sign_in("maria", GOOD, host=HOME)
    rows = await database.read(
        lambda c: (
            repr(c.execute("SELECT * FROM staff").fetchall())
            + repr(c.execute("SELECT * FROM staff_session, staff_browser").fetchall())
            + repr(c.execute("SELECT * FROM audit").fetchall())
        )
    )
    assert GOOD not in rows and signed.token not in rows and signed.browser not in rows
    assert "$argon2id$" in rows


@pytest.mark.parametrize(
    "weak",
    ["short one", "password1234", "qwertyuiop12", "aaaaaaaaaaaaaaaa", "mariamariamaria", "Riverbend2026!", "x" * 129],
)
async def test_a_weak_password_is_refused_in_words_that_do_not_repeat_it(database: Database, weak: str) -> None:
    staff = Staff(database, clinic="Riverbend")
    signed = await staff.sign_in("maria", await staff.create("maria", "Maria", "Nurse"), host=HOME)
    with pytest.raises(BadInput) as refused:
        await staff.change_password(signed.token, weak)
    assert weak not in str(refused.value)
    assert await staff.session(signed.token)


@pytest.mark.parametrize("good", [GOOD, "tK4-9fLm-Qw2x", "绿色的山羊在跳舞好吗我不知道", "हरी बकरी नाचती है सुबह"])
async def test_a_strong_password_is_taken_in_any_script(database: Database, good: str) -> None:
    staff = Staff(database)
    signed = await staff.sign_in("maria", await staff.create("maria", "Maria", "Nurse"), host=HOME)
    await staff.change_password(signed.token, good)
    assert await staff.sign_in("maria", good, host=HOME)


async def test_whoever_is_signed_in_proves_the_old_password_before_choosing_another(database: Database) -> None:
    staff = await settled(database)
    signed = await staff.sign_in("maria", GOOD, host=HOME)
    with pytest.raises(NotAllowed):
        await staff.change_password(signed.token, "seven lakes of copper violins")
    await staff.change_password(signed.token, "seven lakes of copper violins", old=GOOD)
    with pytest.raises(NotAllowed):
        await staff.sign_in("maria", GOOD, host=HOME)


@pytest.mark.parametrize("name", ["maria", "nobody", "", "\ud800", "x" * 5000])
async def test_every_wrong_pair_is_refused_in_the_same_words(database: Database, name: str) -> None:
    staff = await settled(database)
    with pytest.raises(NotAllowed, match="the name or the password is wrong"):
        await staff.sign_in(name, "wrong \ud800", host=HOME)


async def test_an_unknown_name_costs_a_look_at_a_password_too(database: Database, monkeypatch) -> None:
    looked: list[str] = []
    real = passwords.matches

    def matches(kept: str, given: str) -> bool:
        looked.append(kept)
        return real(kept, given)

    monkeypatch.setattr(passwords, "matches", matches)
    staff = await settled(database)
    await staff.disable("maria")
    looked.clear()
    for name in ("maria", "nobody"):
        with pytest.raises(NotAllowed):
            await staff.sign_in(name, GOOD, host=HOME)
    assert looked == ["", ""]
    assert not passwords.matches("", "")


async def test_each_wrong_password_makes_the_next_wait_longer(database: Database) -> None:
    clock = Clock()
    staff = await settled(database, clock)
    waits = []
    for _ in range(14):
        try:
            await staff.sign_in("maria", "wrong", host=AWAY)
        except TooOften as often:
            waits.append(often.retry_after)
            clock.now += often.retry_after + 0.01
        except NotAllowed:
            pass
    assert waits[:4] == [2, 4, 8, 16] and sorted(waits) == waits and max(waits) <= 900


async def test_two_hundred_guesses_at_once_are_not_more_than_three(database: Database) -> None:
    staff = await settled(database)
    guesses = (staff.sign_in("maria", f"wrong {n}", host=AWAY) for n in range(200))
    told = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, NotAllowed) for one in told) == 3
    assert sum(isinstance(one, TooOften) for one in told) == 197


async def test_a_stranger_elsewhere_does_not_lock_her_out(database: Database) -> None:
    staff = await settled(database)
    for _ in range(10):
        with pytest.raises((NotAllowed, TooOften)):
            await staff.sign_in("maria", "wrong", host=AWAY)
    with pytest.raises(TooOften):
        await staff.sign_in("maria", GOOD, host=AWAY)
    assert await staff.sign_in("maria", GOOD, host=HOME)


async def test_nor_one_behind_the_same_proxy_once_her_browser_is_known(database: Database) -> None:
    staff = await settled(database)
    mine = (await staff.sign_in("maria", GOOD, host="127.0.0.1")).browser
    for _ in range(10):
        with pytest.raises((NotAllowed, TooOften)):
            await staff.sign_in("maria", "wrong", host="127.0.0.1")
    with pytest.raises(TooOften):
        await staff.sign_in("maria", GOOD, host="127.0.0.1")
    assert (await staff.sign_in("maria", GOOD, host="127.0.0.1", browser=mine)).browser == mine


async def test_a_known_browser_does_not_help_with_somebody_elses_name(database: Database) -> None:
    staff = await settled(database)
    await staff.create("ana", "Ana", "Doctor")
    mine = (await staff.sign_in("maria", GOOD, host=AWAY)).browser
    for _ in range(3):
        with pytest.raises(NotAllowed):
            await staff.sign_in("ana", "wrong", host=AWAY, browser=mine)
    with pytest.raises(TooOften):
        await staff.sign_in("ana", "wrong", host=AWAY)


async def test_a_session_ends_when_nobody_is_there_and_at_the_latest_after_a_shift(database: Database) -> None:
    staff = await settled(database)
    token = (await staff.sign_in("maria", GOOD, host=HOME)).token

    async def ago(column: str, **how: int) -> None:
        from appliance.message import now
        from appliance.records.database import iso

        at = iso(now() - timedelta(**how))
        await database.write(lambda c: c.execute(f"UPDATE staff_session SET {column} = ?", (at,)))  # noqa: S608 - one of two columns

    await ago("last_at", minutes=29)
    assert await staff.session(token)
    await ago("last_at", minutes=29)
    assert await staff.session(token, seen=True)
    await ago("created_at", hours=11, minutes=59)
    assert await staff.session(token), "seen just now"
    await ago("created_at", hours=12)
    assert await staff.session(token) is None
    await ago("created_at", hours=1)
    await ago("last_at", minutes=30)
    assert await staff.session(token, seen=True) is None


async def test_signing_out_a_reset_and_disabling_end_sessions_at_once(database: Database) -> None:
    staff = await settled(database)
    one, two = [(await staff.sign_in("maria", GOOD, host=HOME)).token for _ in range(2)]
    await staff.sign_out(one)
    assert await staff.session(one) is None and await staff.session(two)
    again = await staff.reset("maria")
    assert await staff.session(two) is None
    three = (await staff.sign_in("maria", again, host=HOME)).token
    await staff.disable("maria")
    assert await staff.session(three) is None and await staff.member("maria") is None
    with pytest.raises(NotAllowed):
        await staff.sign_in("maria", again, host=HOME)


async def test_only_who_is_on_duty_is_called_and_by_level(database: Database) -> None:
    staff = await settled(database)
    await staff.create("ana", "Ana", "Doctor", level=2)
    assert await staff.groups() == {1: (), 2: (), 3: ()}
    await staff.on_duty("maria", True)
    await staff.on_duty("ana", True)
    assert [[one.id for one in group] for group in (await staff.groups()).values()] == [["maria"], ["ana"], []]
    await staff.disable("ana")
    assert (await staff.groups())[2] == ()


async def test_a_name_is_never_given_twice_and_what_cannot_be_is_said(database: Database) -> None:
    staff = await settled(database)
    await staff.disable("maria")
    for name, shown, role, level in [("maria", "Maria", "Nurse", 1), ("M!", "M", "N", 1), ("bo", "", "N", 1)]:
        with pytest.raises(BadInput):
            await staff.create(name, shown, role, level)
    with pytest.raises(BadInput):
        await staff.create("bob", "Bob", "Nurse", 4)
    with pytest.raises(NotFound):
        await staff.reset("nobody")


async def test_every_act_leaves_a_trace(database: Database) -> None:
    staff = await settled(database)
    with pytest.raises(NotAllowed):
        await staff.sign_in("maria", "wrong", host=HOME)
    with pytest.raises(NotAllowed):
        await staff.sign_in("my secret password", "wrong", host=HOME)
    token = (await staff.sign_in("maria", GOOD, host=HOME)).token
    await staff.on_duty("maria", True)
    await staff.sign_out(token)
    await staff.disable("maria")
    entries = await audit.entries(database)
    assert [one.act for one in reversed(entries)] == [
        *("staff.create", "staff.sign_in", "staff.password", "staff.refused", "staff.sign_in"),
        *("staff.on_duty", "staff.sign_out", "staff.disable"),
    ]
    assert "secret" not in repr(entries)
