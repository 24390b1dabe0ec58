"""What every test gets: no network past this machine, no blocking call in the event loop, no setting from outside, and time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pkgutil import resolve_name

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

LOOPBACK = ["127.0.0.1", "::1", "localhost"]
LOCK_WAIT = "appliance.records.database.LOCK_WAIT_S"
PATIENCE = (
    "appliance.conversations.alerts.PATIENCE_S",
    "appliance.assistant.answer._PATIENCE_S",
    "appliance.assistant.people.PATIENCE_S",
)
"""How long the store is waited for. A patient is answered without it then; a test that looks for what was kept waits on."""

# how long an example takes says how busy the machine is
settings.register_profile("any-machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def _shipped() -> Iterator[dict[str, float]]:
    """A busy machine's disk is waited for, but where a test says that it is ``impatient``: with the seconds of before."""
    with pytest.MonkeyPatch.context() as patient:
        before = {name: float(resolve_name(name)) for name in PATIENCE}
        for name in (LOCK_WAIT, *PATIENCE):
            patient.setattr(name, 60.0)
        yield before


@pytest.fixture
def impatient(_shipped: dict[str, float]) -> Callable[[], AbstractContextManager[None]]:
    """``with impatient():`` the store is waited for no longer than by the product."""

    @contextmanager
    def meanwhile() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as hurried:
            for name, seconds in _shipped.items():
                hurried.setattr(name, seconds)
            yield

    return meanwhile


@pytest.fixture(autouse=True)
def _this_machine_only() -> None:
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """A blocking call made by our packages inside the event loop is an error. A test may use it to allow one."""
    with blockbuster_ctx(scanned_modules=["appliance", "models"]) as guard:
        yield guard


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the settings of whoever runs it; what loads models finds no hub."""
    for name in [name for name in os.environ if name.startswith("MEDINOVAI")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
