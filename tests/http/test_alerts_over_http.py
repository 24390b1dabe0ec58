"""Alerts over HTTP: an administrator sees the open ones and closes them, nobody else."""

from __future__ import annotations

import httpx
import pytest

from appliance.conversations.alerts import Flag
from appliance.message import ConversationId
from appliance.records import audit
from tests.http.house import House


@pytest.fixture
async def admin(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {await house.admins.create('mei')}"}


@pytest.fixture
async def alert(house: House) -> int:
    for kind in ("medical", "suicide"):
        await house.alerts.sound(
            Flag(conversation=ConversationId("here"), kind=kind, language="hi", channel="web"),
        )
    (made,) = await house.alerts.list()
    return made.id


async def test_an_administrator_sees_what_is_open_and_closes_it(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str], alert: int
):
    (shown,) = (await browser.get("/api/alerts", headers=admin)).json()
    assert (shown["id"], shown["kinds"], shown["count"], shown["language"]) == (alert, ["medical", "suicide"], 2, "hi")
    reply = await browser.post(f"/api/alerts/{alert}/close", json={"note": "called back"}, headers=admin)
    assert reply.status_code == 200
    assert (reply.json()["closed_by"], reply.json()["note"]) == ("mei", "called back")
    assert (await browser.get("/api/alerts", headers=admin)).json() == []
    assert (await browser.get("/api/alerts?every=true", headers=admin)).json() == [reply.json()]
    (entry, *_) = await audit.entries(house.database)
    assert (entry.actor, entry.act, entry.subject) == ("mei", "alert.close", str(alert))


async def test_what_is_not_open_is_not_found_and_says_what_to_type(
    browser: httpx.AsyncClient, admin: dict[str, str], alert: int
):
    for _ in range(2):
        reply = await browser.post(f"/api/alerts/{alert}/close", json={}, headers=admin)
    for refused in (reply, await browser.post("/api/alerts/77/close", json={}, headers=admin)):
        assert refused.status_code == 404 and "medinovai alerts list" in refused.json()["detail"]


@pytest.mark.parametrize("number", ["0", "-1", str(2**64), "one"])
async def test_a_number_that_no_alert_can_have_is_refused(
    browser: httpx.AsyncClient, admin: dict[str, str], number: str
):
    reply = await browser.post(f"/api/alerts/{number}/close", json={}, headers=admin)
    assert reply.status_code in (400, 404) and reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer mdv_wrong", "Basic bWVpOm1laQ=="])
async def test_nobody_else_sees_or_closes_an_alert(
    house: House, browser: httpx.AsyncClient, alert: int, header: str | None
):
    headers = {"authorization": header} if header else {}
    for method, path in (("GET", "/api/alerts"), ("POST", f"/api/alerts/{alert}/close")):
        reply = await browser.request(method, path, headers=headers, json={} if method == "POST" else None)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert [one.closed_at for one in await house.alerts.list()] == [None]
