"""What every test gets: no network past this machine, no blocking call in the event loop, no setting from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from pytest_socket import socket_allow_hosts

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


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
