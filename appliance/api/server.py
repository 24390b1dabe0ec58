"""Granian inside our own process and loop, and how it stops. Knows no route; everything it serves is handed to it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar

from appliance.api.certificate import Tls
from appliance.config import Server
from appliance.errors import BadConfig, Unavailable

log = logging.getLogger(__name__)

HEADERS_MS = 10_000
BACKLOG = 4096
BACKPRESSURE = 4000
"""At granian's default of 1,024 open streams every other request hangs."""

# granian would write to stdout in its own format
_QUIET: dict[str, Any] = {
    "handlers": {},
    "loggers": {"_granian": {"handlers": []}, "granian.access": {"handlers": [], "propagate": False}},
}


async def serve(http: Litestar, server: Server, tls: Tls | None, *, drain: Callable[[], Awaitable[None]]) -> None:
    """Serve until SIGTERM or SIGINT, then ``drain`` and stop; a second signal stops at once.

    Raises BadConfig when the address cannot be listened on, Unavailable when the server ends by itself.
    """
    embedded = await asyncio.to_thread(_embedded, http, server, tls)
    with _signals(embedded, drain):
        await embedded.serve()
    if embedded.interrupt_children:
        raise Unavailable("the HTTP server stopped by itself: the log says why")
    log.info("stopped")


def _embedded(http: Litestar, server: Server, tls: Tls | None) -> Any:
    address = _listenable(server)
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.embed import Server as Embedded

    return Embedded(
        http,
        address=address,
        port=server.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,  # the socket needs it, and its limits are the ones we measured
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MS, max_buffer_size=64 * 1024),
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        log_level=LogLevels.error,
        log_dictconfig=_QUIET,
        ssl_cert=tls.certificate if tls else None,
        ssl_key=tls.private_key if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


@contextmanager
def _signals(embedded: Any, drain: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """The embedded server has no signal handling of its own."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    async def stop() -> None:
        try:
            await drain()
        finally:
            embedded.stop()

    def asked() -> None:
        if stopping:
            embedded.stop()
        else:
            stopping.append(asyncio.ensure_future(stop()))

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked)
    try:
        yield
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


def _listenable(server: Server) -> str:
    """The numeric address of server.host, free to listen on; granian would end with a panic's text."""
    try:
        family, _, _, _, place = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(place)
    except OSError as error:
        raise BadConfig(
            f"cannot listen on {server.host}:{server.port} ({error.strerror}): "
            "stop what uses it, or set another server.port or server.host"
        ) from None
    return str(place[0])
