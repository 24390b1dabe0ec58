"""For whoever watches the box."""

from __future__ import annotations

import httpx
import pytest

from appliance.api.health import Component
from appliance.config import Server
from tests.http.house import House, free_port


async def test_ready_only_when_a_first_token_came_out_of_the_pipeline(house: House, browser: httpx.AsyncClient):
    assert (await browser.get("/live")).json() == {"live": True}
    reply = await browser.get("/ready")
    assert (reply.status_code, reply.json()) == (503, {"ready": False})
    house.ready = True
    reply = await browser.get("/ready")
    assert (reply.status_code, reply.json()) == (200, {"ready": True})


@pytest.mark.parametrize(("state", "status"), [("ok", 200), ("warning", 200), ("failing", 503)])
async def test_health_is_as_good_as_its_worst_part(house: House, browser: httpx.AsyncClient, state, status: int):
    house.components.append(Component(name="models", state=state, words="look at it"))
    reply = await browser.get("/health")
    assert (reply.status_code, reply.json()["state"]) == (status, state)
    assert [one["name"] for one in reply.json()["components"]] == ["store", "models"]


async def test_metrics_count_routes_and_not_paths(house: House, browser: httpx.AsyncClient):
    for number in range(30):
        await browser.get(f"/api/documents/my-secret-{number}")
        await browser.request(f"VERB{number}", "/live")
        await browser.get(f"/my-secret-{number}")
    told = await browser.get("/metrics")
    assert told.status_code == 200 and told.headers["content-type"].startswith("text/plain")
    assert 'path="/api/documents/{document}"' in told.text
    assert "my-secret" not in told.text and "VERB" not in told.text
    for name in ("medinovai_answers_running", "medinovai_sockets", "medinovai_first_words_seconds", "process_resident"):
        assert name in told.text


class TestBeyondThisMachine:
    @pytest.fixture
    def server_settings(self):
        return Server(port=free_port())

    async def test_metrics_and_words_are_for_this_machine_or_an_administrator(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ):
        house.components.append(Component(name="documents", state="warning", words="secret.pdf could not be read"))
        monkeypatch.setattr("appliance.api.health.LOOPBACK", ())
        async with httpx.AsyncClient(base_url=house.origin, timeout=60) as stranger:
            assert (await stranger.get("/metrics")).status_code == 401
            token = await house.admins.create("mei")
            told = await stranger.get("/metrics", headers={"authorization": f"Bearer {token}"})
            assert told.status_code == 200
            assert "secret.pdf" not in (await stranger.get("/health")).text
            told = await stranger.get("/health", headers={"authorization": f"Bearer {token}"})
            assert "secret.pdf" in told.text
