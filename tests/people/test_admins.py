"""Administrators: a token is shown once, opens until it is revoked, and leaves a trace."""

from __future__ import annotations

import re

import pytest

from appliance.errors import BadInput, NotAllowed, NotFound
from appliance.people.admins import Admins
from appliance.records import audit
from appliance.records.database import Database


async def test_a_token_says_whose_it_is_and_is_not_kept(database: Database) -> None:
    token = await Admins(database).create("mei")
    assert re.fullmatch(r"mdv_[A-Za-z0-9_-]{43}", token)
    assert await Admins(database).check(token) == "mei"
    rows = await database.read(lambda c: c.execute("SELECT * FROM admin_token, audit").fetchall())
    assert token not in repr(rows)


@pytest.mark.parametrize("wrong", ["", "mdv_", "mdv_" + "x" * 43, "\ud800", "' OR 1=1 --"])
async def test_any_other_token_is_refused(database: Database, wrong: str) -> None:
    await Admins(database).create("mei")
    with pytest.raises(NotAllowed):
        await Admins(database).check(wrong)


async def test_a_revoked_token_opens_nothing_and_its_name_is_free_again(database: Database) -> None:
    admins = Admins(database)
    old = await admins.create("mei")
    with pytest.raises(BadInput, match="revoke it first"):
        await admins.create("mei")
    await admins.revoke("mei")
    with pytest.raises(NotAllowed):
        await admins.check(old)
    new = await admins.create("mei")
    assert await admins.check(new) == "mei"
    first, second = await admins.list()
    assert first.revoked_at is not None and second.revoked_at is None and first.created_at <= second.created_at


async def test_an_unknown_name_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound):
        await Admins(database).revoke("nobody")


async def test_making_and_revoking_leave_a_trace(database: Database) -> None:
    await Admins(database).create("mei")
    await Admins(database).revoke("mei")
    acts = [(entry.act, entry.subject) for entry in await audit.entries(database)]
    assert acts == [("admin.revoke", "mei"), ("admin.create", "mei")]
