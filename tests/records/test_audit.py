"""The audit stands and falls with the act."""

from __future__ import annotations

from functools import partial

import pytest

from appliance.records import audit
from appliance.records.database import Connection, Database


async def test_entries_come_newest_first_with_who_what_and_when(database: Database) -> None:
    for act in ("learn", "remove"):
        await database.write(partial(audit.record, actor="mei", act=act, subject="hours.md"))
    newest, oldest = await audit.entries(database)
    assert (newest.act, newest.actor, newest.subject, newest.id) == ("remove", "mei", "hours.md", oldest.id + 1)
    assert newest.at >= oldest.at and newest.at.tzinfo is not None


async def test_an_act_that_fails_leaves_no_entry(database: Database) -> None:
    def act(connection: Connection) -> None:
        audit.record(connection, actor="mei", act="learn", subject="hours.md")
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(act)
    assert await audit.entries(database) == []
