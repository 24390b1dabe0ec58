"""`medinovai phone check`: does 3CX take our client, and may it read the log and take calls. Mends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from appliance.channels.phone.check import KEY, Looked, key
from appliance.channels.phone.pbx.control import Control
from appliance.channels.phone.pbx.token import Access
from appliance.channels.phone.pbx.xapi import Xapi
from appliance.config import Config
from appliance.errors import BadConfig, Unavailable
from appliance.message import now
from appliance.records.secrets import where

LOOKED_AT: Final = 1
"""A row tells whether we may read."""


def access(config: Config) -> Access:
    """Who we are at 3CX. Reads the key: for a thread. Raises BadConfig."""
    if not config.pbx.url:
        raise BadConfig("pbx.url is empty: docs/3cx.md says how 3CX's interfaces are set up")
    secret = key(config)
    if secret is None:
        file = where(KEY, Path(config.data.directory))
        raise BadConfig(f"there is no key of the client: copy it into {file}, then: chmod 600 {file}")
    return Access(config.pbx.url, config.pbx.client_id, secret, certificate=config.phone.certificate)


async def looked(config: Config, opened: Access) -> AsyncIterator[Looked]:
    """Each thing in the order in which a person would set it up; what builds on what failed is not asked."""
    client, dn = config.pbx.client_id, config.pbx.route_point
    signed_in = await _found("3CX client", f"3CX takes the client {client}.", opened.token)
    yield signed_in
    if signed_in.state != "ok":
        return
    xapi, since = Xapi(opened), now() - timedelta(days=1)
    yield await _found("3CX log", "Its log of calls can be read.", lambda: xapi.calls(since, dn=dn, most=LOOKED_AT))
    yield await _found(
        "3CX recordings", "Its recordings can be read.", lambda: xapi.recordings(since, dn=dn, most=LOOKED_AT)
    )
    if config.pbx.calls:
        control = Control(opened, dn)
        yield await _found(
            "route point",
            f"Calls to {dn} can be taken; over the limit they go to {config.pbx.overflow}.",
            control.participants,
        )


async def _found(name: str, words: str, ask: Callable[[], Awaitable[object]]) -> Looked:
    try:
        await ask()
    except Unavailable as error:
        return Looked(name=name, state="failing", words=f"{error}.", remedy="See docs/3cx.md, Enterprise licence.")
    return Looked(name=name, state="ok", words=words)
