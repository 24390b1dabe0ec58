"""The gate, compiled once for all its tests."""

from __future__ import annotations

import pytest

from appliance.assistant.triage import Triage


@pytest.fixture(scope="session")
def triage() -> Triage:
    return Triage()
