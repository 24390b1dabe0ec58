"""Who may reach a port: decided by the kernel, for sockets of ours."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from voice.gate import addresses, close_to_others


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.settimeout(0.2)
        yield one


def test_only_named_addresses_get_through(udp: socket.socket):
    port = udp.getsockname()[1]
    assert close_to_others({port}, ["127.0.0.2", "127.0.0.3"]) == 1
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"):
        _send(source, port)
    assert _received(udp) == ["127.0.0.2", "127.0.0.3"]


def test_a_gate_can_be_changed(udp: socket.socket):
    port = udp.getsockname()[1]
    close_to_others({port}, ["127.0.0.2"])
    close_to_others({port}, ["127.0.0.3"])
    _send("127.0.0.2", port)
    _send("127.0.0.3", port)
    assert _received(udp) == ["127.0.0.3"]


def test_with_nobody_named_nobody_gets_through(udp: socket.socket):
    port = udp.getsockname()[1]
    close_to_others({port}, [])
    _send("127.0.0.1", port)
    assert _received(udp) == []


def test_a_stranger_cannot_even_connect():
    with socket.socket() as listening, socket.socket() as stranger, socket.socket() as known:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        close_to_others({listening.getsockname()[1]}, ["127.0.0.2"])
        stranger.bind(("127.0.0.1", 0))
        known.bind(("127.0.0.2", 0))
        stranger.settimeout(0.2)
        known.settimeout(60)
        known.connect(listening.getsockname())
        with pytest.raises(TimeoutError):
            stranger.connect(listening.getsockname())


def test_other_ports_stay_as_they_are(udp: socket.socket):
    port = udp.getsockname()[1]
    assert close_to_others({port + 1}, []) == 0
    _send("127.0.0.1", port)
    assert _received(udp) == ["127.0.0.1"]


def test_a_name_that_means_nothing_allows_nobody():
    assert addresses("127.0.0.1") == ["127.0.0.1"]
    assert addresses("no-such-name.invalid") == []


def _send(source: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((source, 0))
        one.sendto(b"x", ("127.0.0.1", port))


def _received(udp: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(udp.recvfrom(10)[1][0])
        except TimeoutError:
            return found
