"""A telephone that can be joined to another call, run as a program of its own: USER PBX-PORT OWN-PORT [NUMBER]."""

from __future__ import annotations

import asyncio
import sys

import baresip


async def main(user: str, pbx: str, port: str, dials: str) -> None:
    runtime = baresip.Runtime()
    await runtime.start(
        baresip.Config(
            net_interface="127.0.0.1",
            max_concurrent_calls=8,
            audio_source="ausine,440",
            extra_config_text=f"sip_listen 127.0.0.1:{port}\ncall_hold_other_calls no\n",
        )
    )
    account = baresip.Account(
        user,
        "clinic.test",
        "secret",
        registrar=f"127.0.0.1:{pbx}",
        reg_interval=60,
        extra_params=("video_codecs=none",),
    )
    agent = await baresip.UserAgent.create(runtime, account, transfer_policy="auto")
    await agent.register()
    print("registered", flush=True)  # noqa: T201 - it is read by the test

    def watched(name: str, call: baresip.Call) -> None:
        call.on(lambda event: print(name, event.event.name, call.peer, event.text, flush=True))  # noqa: T201 - likewise

    tasks = set()

    def rang(call: baresip.Call) -> None:
        watched("in", call)
        tasks.add(asyncio.create_task(call.answer()))

    agent.on_incoming(rang)
    agent.on_transfer_call(lambda call: watched("joined", call))
    if dials:
        watched("out", await agent.dial(f"sip:{dials}@clinic.test"))
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:5]))
