"""The clinic's telephone, whole: it opens when it can hear and speak, takes calls, says how it is, and closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from appliance.channels.phone.recording import Shelf
from appliance.channels.phone.wording import Wording
from appliance.config import Phone
from appliance.conversations.calls import Calls
from appliance.errors import ApplianceError
from appliance.message import Language
from appliance.problems import where

if TYPE_CHECKING:
    from voice.line import Call, LineStatus

log = logging.getLogger(__name__)

LATE_S: Final = 180.0
"""A line whose last good REGISTER is older is not trusted, whatever it says of itself."""
AGAIN_S: Final = 30.0


class Telephone(Protocol):
    """What `voice.sip.Telephone` is."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def lines(self) -> list[LineStatus]: ...


class Mouth(Protocol):
    """What speaks, as far as it is prepared here."""

    async def prepare(self, texts: Sequence[str], language: str) -> None: ...

    def close(self) -> None: ...


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How the phone is, for `/health`."""

    well: bool
    words: str


class PhoneLine:
    """Made in app.py where lines are configured and the extra `[phone]` is installed."""

    def __init__(
        self,
        settings: Phone,
        wording: Wording,
        calls: Calls,
        shelf: Shelf,
        *,
        ready: Callable[[], Awaitable[None]],
        read_names: Callable[[], Awaitable[None]],
        mouth: Mouth,
        take: Callable[[Call], Coroutine[None, None, None]],
        telephone: Callable[[Callable[[Call], Awaitable[None]], Callable[[str], None]], Telephone],
        signed: Callable[[], Awaitable[Sequence[tuple[Language, str]]]],
        died: Callable[[str], None],
    ) -> None:
        """``ready``: loads what hears; ``read_names``: has it know the documents' names.

        ``signed``: the signed answers in force; ``died``: ends the process.
        """
        self._settings = settings
        self._wording = wording
        self._calls = calls
        self._shelf = shelf
        self._ready = ready
        self._read_names = read_names
        self._mouth = mouth
        self._take = take
        self._made = telephone
        self._signed = signed
        self._died = died
        self._telephone: Telephone | None = None
        self._taken: dict[asyncio.Task[None], Call] = {}
        self._closing = False
        self._why = "starting"
        self._loop: asyncio.AbstractEventLoop

    async def run(self) -> None:
        """Until it is cancelled. The lines are registered only when callers can be heard and answered."""
        await self._calls.settle()
        self._loop = asyncio.get_running_loop()
        try:
            while not await self._opened():  # noqa: ASYNC110 - a model that is put in place meanwhile tells nobody
                await asyncio.sleep(AGAIN_S)
            await self._prepared()
            await asyncio.Event().wait()
        finally:
            await self._closed()
            await asyncio.to_thread(self._mouth.close)

    async def prepare(self) -> None:
        """What was learnt and signed since: names to listen for, and sound, where there is none yet. Nothing while it is closed."""
        if self._telephone is None:  # it has no voice yet, and reads all this when it opens
            return
        await self._read_names()
        for language, words in await self._signed():
            await self._mouth.prepare([words], language)

    async def forget(self, *, call_days: int) -> int:
        """Recordings and calls that are kept no longer."""
        gone = await self._shelf.forget(older_than_days=self._settings.recording_days)
        return gone + await self._calls.forget(older_than_days=call_days)

    async def drain(self, seconds: float) -> None:
        """Take no new call, let those under way end, then hang up."""
        self._closing = True
        if self._taken:
            await asyncio.wait(list(self._taken), timeout=seconds)
        await self._closed()

    def state(self) -> State:
        """Registered or not, and since when."""
        if self._telephone is None:
            return State(well=False, words=self._why)
        lines = self._telephone.lines()
        wrong = [f"{one.name}: {_wrong(one)}" for one in lines if _wrong(one)]
        calls = sum(one.calls for one in lines)
        words = f"{len(lines) - len(wrong)} of {len(lines)} lines registered, {calls} calls"
        return State(well=not wrong, words="; ".join((words, *wrong)))

    async def take(self, call: Call) -> None:
        """A call came in: a task of its own, so that none waits for another."""
        going_on = sum(not one.ended.is_set() for one in self._taken.values())  # by whichever way they came
        if self._closing or going_on >= self._settings.most_calls:
            await call.refuse()
            return
        task = asyncio.create_task(self._take(call), name=f"call {call.id}")
        self._taken[task] = call
        task.add_done_callback(self._left)

    @property
    def calls(self) -> int:
        """Under way now."""
        return len(self._taken)

    # ---- below ------------------------------------------------------------------------------------------------------

    async def _opened(self) -> bool:
        """What hears and speaks is loaded, greetings are sound; then the lines open. False: not yet."""
        try:
            await self._ready()
            for language in self._wording.languages:
                first = [self._wording.disclosure(language), self._wording.say("in_an_emergency", language)]
                await self._mouth.prepare(first, language)
            self._telephone = await asyncio.to_thread(self._made, self.take, self._dead)
            await self._telephone.start()
        except Exception as error:  # noqa: BLE001 - whatever is missing may be mended meanwhile; chats go on
            self._telephone = None
            if self._why != (why := where(error)):  # once, not every half minute
                log.error("phone=closed %s", why)
            self._why = why
            return False
        log.info("phone=open lines=%d", len(self._settings.lines))
        return True

    async def _prepared(self) -> None:
        """The rest of the fixed words, while calls may come in already. Without it they are made when they are said."""
        try:
            for language in self._wording.languages:
                for words in self._wording.fixed(language):
                    await self._mouth.prepare([words], language)
            await self.prepare()
        except Exception as error:  # noqa: BLE001 - a voice that fails here fails in a call too, and is told there
            log.error("phone=unprepared %s", where(error))

    def _dead(self, why: str) -> None:
        """From whichever thread noticed."""
        log.critical("phone=dead reason=%s", why)
        self._loop.call_soon_threadsafe(self._gone, why)

    def _gone(self, why: str) -> None:
        self._why, self._telephone = f"the telephone has ended: {why}", None
        self._died(why)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._taken.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("call=failed %s", where(error))

    async def _closed(self) -> None:
        telephone, self._telephone = self._telephone, None
        tasks = list(self._taken)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if telephone:
            with suppress(ApplianceError, OSError):
                await telephone.stop()


def _wrong(line: LineStatus) -> str:
    """What is wrong with a line; empty where nothing is."""
    if not line.registered:
        return line.why or "not registered"
    if line.last_ok_s is None or line.last_ok_s > LATE_S:
        return "its last good registration is too old"
    return ""
