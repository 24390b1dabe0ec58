"""Only these addresses reach a port: a filter of the kernel's on our own sockets. Needs no privilege and no firewall.

The SIP library answers whoever sends to it and does not say who did. A classic BPF program (socket(7), SO_ATTACH_FILTER) on its
sockets drops what others send before the library sees it; on a listening TCP socket it drops the first packet of a connection.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

_ATTACH: Final = 26
"""SO_ATTACH_FILTER, which Python's socket module does not name."""
_SOURCE: Final = 0xFFF00000 + 12
"""Of an IPv4 packet: SKF_NET_OFF counts from the network header, whatever the socket's type."""
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALL, _NONE = 0xFFFFFFFF, 0


class _Step(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Step)))


def close_to_others(ports: Collection[int], sources: Collection[str]) -> int:
    """Whatever comes to these ports of this process from elsewhere is dropped. Returns to how many sockets that applies now."""
    steps = _program(sources)
    array = (_Step * len(steps))(*steps)
    program = bytes(_Program(len(steps), array))
    count = 0
    for one in _ours(ports):
        one.setsockopt(socket.SOL_SOCKET, _ATTACH, program)
        count += 1
    return count


def addresses(host: str) -> list[str]:
    """What a name means, IPv4 only: the library listens there only. Empty where it means nothing now. Blocks."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)})
    except OSError:
        return []


def _program(sources: Iterable[str]) -> list[_Step]:
    steps = [_Step(_LOAD, 0, 0, _SOURCE)]
    for source in sources:  # each: equal? take it : look on
        steps += [_Step(_EQUAL, 0, 1, int(IPv4Address(source))), _Step(_RETURN, 0, 0, _ALL)]
    return [*steps, _Step(_RETURN, 0, 0, _NONE)]


def _ours(ports: Collection[int]) -> Iterator[socket.socket]:
    """The sockets of this process that are bound to one of the ports, each as a copy that is closed after use."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, or no socket
            if not str(entry.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(entry.name))) as one:
                if one.family == socket.AF_INET and one.getsockname()[1] in ports:
                    yield one
