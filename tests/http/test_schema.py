"""The API against its own description, with made-up requests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import allow_header_conformance, ignored_auth, negative_data_rejection

from appliance.config import Limits, Server
from appliance.records.database import Database
from tests.http.house import House, free_port

ROOT = Path(__file__).parents[2]


def described() -> dict[str, Any]:
    """The description needs no store."""
    house = House(cast(Database, None), Server(), Limits(), Path())
    return dict(house.http.openapi_schema.to_schema())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and admin token of a house in a process of its own."""
    port = free_port()
    given = {
        "server": {"port": port, "drain_s": 0},
        "limits": {"requests_per_minute": 1_000_000, "messages_per_minute": 600},
        "words": ["One."],
        "pause_after": None,
        "admin": "mei",
    }
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "tests.http.house", str(tmp_path_factory.mktemp("data"))],
        env=os.environ | {"HOUSE": msgspec.json.encode(given).decode()},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout
    token = process.stdout.readline().decode().strip()
    yield f"http://127.0.0.1:{port}", token
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture
def cookie(house: tuple[str, str]) -> str:
    origin, _ = house
    transport = httpx.HTTPTransport(retries=5)  # the token is printed a moment before the first connection is taken
    with httpx.Client(base_url=origin, headers={"origin": origin}, transport=transport, timeout=60) as page:
        return page.post("/api/conversations", json={}).cookies["conversation"]


schema = schemathesis.openapi.from_dict(described())


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_route_does_what_the_schema_says(case: Case, house: tuple[str, str], cookie: str):
    origin, token = house
    case.call_and_validate(
        base_url=origin,
        headers={"origin": origin, "authorization": f"Bearer {token}"},
        cookies={"conversation": cookie},
        excluded_checks=[
            negative_data_rejection,  # it leaves out the cookie and the token, which this test puts back
            ignored_auth,
            allow_header_conformance,  # Litestar's reply to OPTIONS names the first method of a path only
        ],
    )
