"""RTP as a test's own far end: sends what a file or a tone holds, and notes when the kernel received each packet."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from pathlib import Path
from types import TracebackType

import numpy as np

from voice.audio import mulaw, unmulaw

_STAMPED = 35
"""SO_TIMESTAMPNS: when the kernel received it, whatever this process did then."""
KEYS = Path("/usr/share/sip-tester")
"""RTP of pressed keys, captured by the makers of sipp."""


class Sound:
    """A port to which a call's audio goes, and from which it comes. PCMU, 20 ms."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.came: list[tuple[float, bytes]] = []
        """(the kernel's time in seconds, the packet), in order."""
        self._peer: tuple[str, int] | None = None
        self._number = 0

    def __enter__(self) -> Sound:
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def peer(self) -> None:
        """Until the far end has sent something: then we know where it is."""
        async with asyncio.timeout(60):
            while self._peer is None:
                await asyncio.sleep(0.02)

    def frame(self, pcm: np.ndarray) -> None:
        """160 samples."""
        header = struct.pack("!BBHII", 0x80, 0, self._number & 0xFFFF, self._number * 160 & 0xFFFFFFFF, 7)
        self._send(header + mulaw(pcm))
        self._number += 1

    async def plays(self, pcm: np.ndarray) -> None:
        """In real time."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for start in range(0, len(pcm) - 159, 160):
            self.frame(pcm[start : start + 160])
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def presses(self, key: str) -> None:
        """A key, as sipp's makers captured it (RFC 4733)."""
        loop = asyncio.get_running_loop()
        begun: float | None = None
        start = loop.time()
        for at, packet in _captured(KEYS / f"dtmf_2833_{key}.pcap"):
            begun = at if begun is None else begun
            await asyncio.sleep(max(0.0, start + at - begun - loop.time()))
            self._send(packet)

    def heard(self) -> np.ndarray:
        """All that came, as sound."""
        return np.concatenate([unmulaw(packet[12:]) for _, packet in self.came if packet[1] & 0x7F == 0])

    def gaps_ms(self, *, since: float = 0.0) -> list[float]:
        """Between packets of sound, by the kernel's clock."""
        times = [at for at, packet in self.came if packet[1] & 0x7F == 0 and at >= since]
        return [1000 * (after - before) for before, after in itertools.pairwise(times)]

    def _send(self, packet: bytes) -> None:
        assert self._peer, "nothing has come yet"
        self._socket.sendto(packet, self._peer)

    def _read(self) -> None:
        while True:
            try:
                packet, notes, _, self._peer = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            seconds, nanoseconds = struct.unpack("qq", notes[0][2])
            self.came.append((seconds + nanoseconds / 1e9, packet))


def _captured(file: Path) -> list[tuple[float, bytes]]:
    """(seconds, UDP payload) of a pcap file with Ethernet frames."""
    data, at, found = file.read_bytes(), 24, []
    while at < len(data):
        seconds, micros, size, _ = struct.unpack_from("<IIII", data, at)
        found.append((seconds + micros / 1e6, data[at + 16 + 42 : at + 16 + size]))
        at += 16 + size
    return found
