"""Many chat pages at once against a running server: `python tests/bench/bench_web.py --sockets 1000 --rate 10000`.

Each page opens a conversation and a WebSocket and keeps it; questions come at an even pace, a page after the other. The
first words are counted from the question leaving until the first text arriving. Informs, proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import resource
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

PATIENCE_S = 30.0


@dataclass
class Asked:
    """One question and when its answer came."""

    at: float
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    first_words: float | None = None
    kind: str = ""


@dataclass
class Told:
    """What came of all questions."""

    first_words: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class Page:
    """One open chat page."""

    def __init__(self, line: ClientConnection, told: Told) -> None:
        self._line = line
        self._told = told
        self._open: dict[str, Asked] = {}
        self._listening = asyncio.create_task(self._listen())

    async def ask(self, text: str, language: str) -> None:
        name = str(uuid4())
        asked = self._open[name] = Asked(at=time.perf_counter())
        try:
            await self._line.send(json.dumps({"type": "say", "id": name, "text": text, "language": language}))
            async with asyncio.timeout(PATIENCE_S):
                await asked.ended.wait()
        except (TimeoutError, WebSocketException) as error:
            self._told.errors[type(error).__name__] += 1
        self._open.pop(name, None)

    async def stay(self) -> None:
        """As the page does."""
        while True:
            await asyncio.sleep(20 + random.random() * 5)  # noqa: S311 - no secret
            await self._line.send('{"type":"ping"}')

    async def _listen(self) -> None:
        async for text in self._line:
            self._hear(json.loads(text))

    def _hear(self, event: dict[str, Any]) -> None:
        asked = self._open.get(event.get("id", ""))
        if asked is None:
            return
        now = time.perf_counter() - asked.at
        match event["type"]:
            case "part" if event["part"]["type"] == "opening":
                asked.kind = event["part"]["kind"]
            case "part" if event["part"]["type"] == "text" and asked.first_words is None:
                asked.first_words = now
                self._told.first_words.append(now)
            case "end":
                self._told.whole.append(now)
                self._told.kinds[asked.kind if event["complete"] else "incomplete"] += 1
                asked.ended.set()
            case "problem":
                self._told.errors[event["code"]] += 1
                asked.ended.set()


async def page(client: httpx.AsyncClient, told: Told) -> Page:
    """Open a conversation and its socket; told to wait, wait and try again."""
    reply = await client.post("/api/conversations", json={})
    if wait := reply.headers.get("retry-after"):
        await asyncio.sleep(int(wait))
        return await page(client, told)
    reply.raise_for_status()
    origin = str(client.base_url).rstrip("/")
    headers = {"cookie": f"conversation={reply.cookies['conversation']}"}
    url = origin.replace("http", "ws", 1) + "/api/conversation/socket"
    line = await connect(url, origin=origin, additional_headers=headers, compression=None, ping_interval=None)  # type: ignore[arg-type]  # a NewType of str
    client.cookies.clear()
    return Page(line, told)


async def resident_mb(client: httpx.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes")) / 2**20


async def questions(client: httpx.AsyncClient, file: Path | None) -> list[tuple[str, str]]:
    """(question, language): of a file with one JSON object a line, else the clinic's own examples."""
    if file:
        rows = [json.loads(row) for row in file.read_text(encoding="utf-8").splitlines()]  # noqa: ASYNC240 - before the clock runs
        return [(row["question"], row["lang"]) for row in rows]
    examples = (await client.get("/api/clinic")).json()["examples"]
    return [(text, language) for language, texts in examples.items() for text in texts]


async def main(given: argparse.Namespace) -> None:
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(
        base_url=given.url,
        headers={"origin": given.url},
        limits=limits,
        timeout=60,
        verify=False,  # noqa: S501 - perhaps self-made
    ) as client:
        told = Told()
        asked = await questions(client, given.questions)
        before = await resident_mb(client)
        opened = time.perf_counter()
        gate = asyncio.Semaphore(16)

        async def one() -> Page:
            async with gate:
                return await page(client, told)

        pages = await asyncio.gather(*(one() for _ in range(given.sockets)))
        opened = time.perf_counter() - opened
        connected = await resident_mb(client)
        staying = [asyncio.create_task(one.stay()) for one in pages]
        asking = await paced(pages, asked, given.rate, given.seconds)
        await asyncio.gather(*asking)
        after = await resident_mb(client)
        for task in staying:
            task.cancel()
    report(told, len(asking), given, opened)
    say(f"memory        before {before:.0f} MB   pages connected {connected:.0f} MB   after {after:.0f} MB")


async def paced(
    pages: list[Page], asked: list[tuple[str, str]], rate: float, seconds: float
) -> list[asyncio.Task[None]]:
    """Ask at an even pace, whether or not earlier answers have come."""
    asking = []
    start, every = time.perf_counter(), 3600 / rate
    turns = itertools.cycle(pages)
    for number in range(int(seconds / every)):
        await asyncio.sleep(max(0, start + number * every - time.perf_counter()))
        text, language = asked[number % len(asked)]
        asking.append(asyncio.create_task(next(turns).ask(text, language)))
    return asking


def report(told: Told, count: int, given: argparse.Namespace, opened: float) -> None:
    say(f"pages         {given.sockets} connected in {opened:.1f} s")
    say(f"asked         {count} in {given.seconds:.0f} s ({given.rate:.0f} an hour), answered {len(told.whole)}")
    for name, times in (("first words", told.first_words), ("whole answer", told.whole)):
        if len(times) > 1:
            p50, p95, worst = statistics.median(times), statistics.quantiles(times, n=20)[18], max(times)
            say(f"{name:13} p50 {p50 * 1000:.0f} ms   p95 {p95 * 1000:.0f} ms   worst {worst * 1000:.0f} ms")
    say(f"kinds         {dict(told.kinds)}")
    say(f"errors        {dict(told.errors) or 'none'}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="a running `medinovai serve`")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10_000, help="questions an hour, over all pages")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--questions", type=Path, help="one JSON object a line, with question and lang")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(main(parser.parse_args()))
