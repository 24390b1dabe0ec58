"""A patient is handed over to staff and back, played out: python -m tests.handover.play [web] [text] [killed]

A whole appliance in its own process, with Mattermost's and Twilio's twins on loopback; a patient on the chat page or at a phone,
and Ana in Mattermost or on the staff page. Every line is printed with the moment (s) in which the other side had it.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

import appliance
from appliance.records.secrets import keep
from tests.twins import mattermost, twilio
from tests.twins.mattermost import Mattermost, eventually
from tests.twins.twilio import Twilio

PHONE = "+15035550177"
PASSWORD = "a walk of nine miles 7"  # noqa: S105 - opens this demonstration only
DOCUMENTS = Path(appliance.__file__).parent / "demo" / "documents"
LEARNT = ("hours-main-street.html", "contact.md", "fees.md")
QUESTION = "When is Main Street open on Saturday?"
ANSWER = re.compile(r"9\s?(:00)?\s?(am|a\.m\.)?.*1\s?(:00)?\s?(pm|p\.m\.)?", re.I)
PERSON = "I want to talk to a person"

Tell = Callable[[str, str], None]


class Stage:
    """The appliance, the twins and Ana."""

    def __init__(self, url: str, chat: Mattermost, texts: Twilio, client: httpx.AsyncClient, tell: Tell) -> None:
        self.url = url
        self.chat = chat
        self.texts = texts
        self.client = client
        self.tell = tell
        self.ana = chat.person("ana")
        self.one_time = ""
        self.cases = 0

    # ---- Ana in Mattermost ------------------------------------------------------------------------------------------

    async def called(self) -> str:
        """Until the next case has its channel, its summary and its buttons, and Ana is in it. Returns the channel."""
        self.cases += 1
        name = f"case:{self.cases}"
        await eventually(lambda: _true(bool(self.chat.marked.get(name))))
        post = self.chat.marked[name][0]
        channel = str(post["channel_id"])
        assert self.ana in self.chat.members[channel]
        self.tell("Mattermost", _shown(post))
        return channel

    async def presses(self, act: str) -> None:
        post = self.chat.marked[f"case:{self.cases}"][0]
        reply = await self.chat.press(self.client, post["id"], act, self.ana)
        self.tell("Ana presses", f"{act}: {reply.json().get('ephemeral_text') or 'done'}")

    def writes(self, channel: str, text: str) -> None:
        self.tell("Ana writes", text)
        self.chat.write(self.ana, channel, text)

    async def reads(self, channel: str, text: str) -> None:
        """Until Ana sees the patient's words, once."""
        await eventually(lambda: _true(self._times(channel, text) > 0))
        self.tell("Ana reads", text)
        assert self._times(channel, text) == 1

    def _times(self, channel: str, text: str) -> int:
        return sum(f"> {text}" in _shown(post) for post in self.chat.said(channel, by=self.chat.bot))

    # ---- Ana on the staff page ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def on_the_page(self) -> AsyncIterator[httpx.AsyncClient]:
        """Ana signs in with her one-time password and chooses another. Her cookies are for https, which a proxy would bring."""
        async with httpx.AsyncClient(base_url=self.url, headers={"origin": self.url}, timeout=60) as page:
            for path, given in (
                ("session", {"name": "ana", "password": self.one_time}),
                ("password", {"new": PASSWORD}),
            ):
                reply = await page.post(f"/api/staff/{path}", json=given)
                assert reply.is_success, reply.text
                page.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in reply.cookies.items())
            self.tell("Ana signs in", "/staff")
            yield page


class WebPatient:
    """A patient on the chat page."""

    def __init__(self, stage: Stage, line: ClientConnection) -> None:
        self.stage = stage
        self._line = line
        self._heard: list[dict[str, Any]] = []
        self._new = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def comes(cls, stage: Stage) -> AsyncIterator[WebPatient]:
        async with httpx.AsyncClient(base_url=stage.url, headers={"origin": stage.url}, timeout=60) as page:
            (await page.post("/api/conversations", json={"language": "en"})).raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
        address = stage.url.replace("http", "ws") + "/api/conversation/socket"
        patience: dict[str, Any] = {"open_timeout": 60, "ping_interval": None}
        async with connect(address, origin=stage.url, additional_headers={"cookie": cookie}, **patience) as line:  # type: ignore[arg-type]  # its type of an origin is its own
            patient = cls(stage, line)
            yield patient
            patient._reading.cancel()

    async def says(self, text: str) -> str:
        """The answer to it."""
        self.stage.tell("Patient", text)
        id = str(uuid4())
        await self._line.send(msgspec.json.encode({"type": "say", "id": id, "text": text}).decode())
        await self._until(lambda one: one["type"] == "end" and one["id"] == id)
        parts = [one["part"] for one in self._heard if one["type"] == "part" and one["id"] == id]
        answer = "".join(str(part["text"]) for part in parts if "text" in part)
        self.stage.tell("Assistant", answer or "(is silent)")
        return answer

    async def sees(self, text: str) -> None:
        """Until the patient has read this word of staff, which comes once."""
        await self._until(lambda one: one["type"] == "staff" and one["text"] == text)
        self.stage.tell("Patient reads", f"{self.stage_name(text)}: {text}")
        assert len([one for one in self._heard if one["type"] == "staff" and one["text"] == text]) == 1

    def stage_name(self, text: str) -> str:
        return next(str(one["name"]) for one in self._heard if one["type"] == "staff" and one["text"] == text)

    async def knows(self, owner: str) -> None:
        """Until the page shows who answers."""
        await self._until(lambda one: one["type"] == "owner" and one["owner"] == owner, newest="owner")
        self.stage.tell("Page shows", f"{owner} answers")

    def words(self) -> list[str]:
        return [str(one["text"]) for one in self._heard if one["type"] == "staff"]

    async def _until(self, wanted: Callable[[dict[str, Any]], bool], *, newest: str = "") -> None:
        async with asyncio.timeout(120):
            while not any(
                wanted(one) for one in ([o for o in self._heard if o["type"] == newest][-1:] if newest else self._heard)
            ):
                self._new.clear()
                await self._new.wait()

    async def _read(self) -> None:
        async for frame in self._line:
            self._heard.append(msgspec.json.decode(frame))
            self._new.set()


class TextPatient:
    """A patient with a phone."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def says(self, text: str, *, answered: bool = True, wanted: re.Pattern[str] | None = None) -> str:
        """The text message that answers it, by what is ``wanted`` of it; none is waited for where there is to be none."""
        self.stage.tell("Patient texts", text)
        before = len(self.got())
        reply = await self.stage.texts.post(self.stage.client, self.stage.texts.text(PHONE, text))
        assert reply.status_code == 200
        if not answered:
            return ""

        def answers() -> list[str]:
            return [one for one in self.got()[before:] if wanted is None or wanted.search(one)]

        await eventually(lambda: _true(bool(answers())))
        self.stage.tell("Phone gets", answers()[0])
        return answers()[0]

    async def gets(self, text: str) -> None:
        await eventually(lambda: _true(text in self.got()))
        self.stage.tell("Phone gets", text)
        assert self.got().count(text) == 1

    def got(self) -> list[str]:
        return self.stage.texts.to(PHONE)


# ---- what is played -----------------------------------------------------------------------------------------------------


async def web(stage: Stage) -> None:
    """On the chat page: to a person in Mattermost, and back."""
    async with WebPatient.comes(stage) as patient:
        assert ANSWER.search(await patient.says(QUESTION))
        await patient.says(PERSON)
        await patient.knows("waiting")
        channel = await stage.called()
        await stage.presses("accept")
        await patient.knows("person")
        stage.writes(channel, "note: she called yesterday, too")
        stage.writes(channel, "Hello, this is Ana. How can I help?")
        await patient.sees("Hello, this is Ana. How can I help?")
        assert not ANSWER.search(await patient.says("Can I come on Saturday at ten?"))
        await stage.reads(channel, "Can I come on Saturday at ten?")
        stage.writes(channel, "Yes, at ten is fine.")
        await patient.sees("Yes, at ten is fine.")
        assert patient.words() == ["Hello, this is Ana. How can I help?", "Yes, at ten is fine."]
        await stage.presses("return")
        await patient.knows("assistant")
        assert ANSWER.search(await patient.says(QUESTION))
        await eventually(lambda: _true(bool(stage.chat.channels[channel]["delete_at"])))
        stage.tell("Mattermost", "the channel is archived")


async def text(stage: Stage) -> None:
    """The same by text message."""
    patient = TextPatient(stage)
    await patient.says(QUESTION, wanted=ANSWER)
    await patient.says(PERSON)
    channel = await stage.called()
    await stage.presses("accept")
    stage.writes(channel, "Hello, this is Ana. How can I help?")
    await patient.gets("Ana: Hello, this is Ana. How can I help?")
    await patient.says("Can I come on Saturday at ten?", answered=False)
    await stage.reads(channel, "Can I come on Saturday at ten?")
    stage.writes(channel, "Yes, at ten is fine.")
    await patient.gets("Ana: Yes, at ten is fine.")
    await stage.presses("return")
    await patient.gets("The automatic assistant answers you again from here on. To reach a person, ask for one.")
    await patient.says(QUESTION, wanted=ANSWER)


async def killed(stage: Stage) -> None:
    """Mattermost dies in the middle: the staff page serves, and afterwards Mattermost has all of it, once."""
    async with WebPatient.comes(stage) as patient:
        await patient.says(PERSON)
        channel = await stage.called()
        await stage.presses("accept")
        stage.writes(channel, "Hello, this is Ana. How can I help?")
        await patient.sees("Hello, this is Ana. How can I help?")
        stage.tell("Mattermost", "is killed")
        await asyncio.to_thread(stage.chat.kill)
        await patient.says("My knee is swollen since Monday.")
        await patient.says("Should I come in?")
        async with stage.on_the_page() as page:
            view = (await page.get(f"/api/staff/cases/{stage.cases}")).json()
            unread = view["case"]["unread"]
            stage.tell("Ana reads", f"on the staff page, {unread} unread")
            assert unread == 2
            reply = await page.post(
                f"/api/staff/cases/{stage.cases}/reply", json={"id": str(uuid4()), "text": "Please come at four."}
            )
            assert reply.is_success, reply.text
            stage.tell("Ana writes", "Please come at four. (on the staff page)")
        await patient.sees("Please come at four.")
        await asyncio.to_thread(stage.chat.revive)
        stage.tell("Mattermost", "is back")
        for words in ("My knee is swollen since Monday.", "Should I come in?", "Please come at four."):
            await stage.reads(channel, words)
        stage.writes(channel, "See you at four.")
        await patient.sees("See you at four.")
        await stage.presses("return")
        await patient.knows("assistant")
        assert len(patient.words()) == len(set(patient.words())) == 3


PLAYS: dict[str, Callable[[Stage], Coroutine[Any, Any, None]]] = {"web": web, "text": text, "killed": killed}


# ---- the house ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def staged(data: Path, tell: Tell) -> AsyncIterator[Stage]:
    """A clinic with Ana and two channels for text messages and staff."""
    chat, texts = Mattermost(), Twilio()
    async with AsyncExitStack() as house:
        chat_url = await asyncio.to_thread(house.enter_context, chat.serving())
        api = await asyncio.to_thread(house.enter_context, texts.serving())
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        settings = _settings(chat_url, api, url)
        await _typed(data, settings, "init")
        await _typed(data, settings, "learn", *(str(DOCUMENTS / name) for name in LEARNT))
        added = await _typed(data, settings, "staff", "add", "ana", "--shown", "Ana", "--role", "Nurse")
        await asyncio.to_thread(keep, "mattermost-token", mattermost.TOKEN, data)
        await asyncio.to_thread(keep, "twilio-auth-token", twilio.TOKEN, data)
        client = await house.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
        stage = Stage(url, chat, texts, client, tell)
        stage.one_time = added.splitlines()[1].strip()
        await house.enter_async_context(_serving(data, settings, port))
        yield stage


def _settings(chat: str, api: str, url: str) -> dict[str, str]:
    given = {
        **{"CLINIC__NAME": "Riverside", "CLINIC__PHONE": "(503) 555-0100", "SERVER__PUBLIC_URL": twilio.PUBLIC},
        **{"MATTERMOST__URL": chat, "MATTERMOST__TEAM": mattermost.TEAM, "MATTERMOST__CALLBACK_URL": url},
        **{"SMS__ACCOUNT_SID": twilio.ACCOUNT, "SMS__NUMBER": twilio.CLINIC, "SMS__API": api, "SMS__QUIET_HOURS": ""},
    }
    return os.environ | {f"MEDINOVAI__{name}": value for name, value in given.items()} | {"HF_HUB_OFFLINE": "1"}


@asynccontextmanager
async def _serving(data: Path, settings: dict[str, str], port: int) -> AsyncIterator[None]:
    serving = await _medinovai(data, settings, "serve", "--port", str(port))
    assert serving.stderr
    said = b""
    while b"ready=True" not in said:
        line = await serving.stderr.readline()
        assert line, said.decode()
        said += line
    draining = asyncio.create_task(serving.stderr.read())
    try:
        yield
    finally:
        serving.terminate()
        assert await serving.wait() == 0
        await draining


async def _typed(data: Path, settings: dict[str, str], *words: str) -> str:
    done = await _medinovai(data, settings, *words)
    said, wrong = await done.communicate()
    assert done.returncode == 0, wrong.decode()
    return said.decode()


async def _medinovai(data: Path, settings: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", "--data-dir", str(data), *words),
        env=settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _shown(post: dict[str, Any]) -> str:
    """A post with what stands below its line."""
    attachments = post["props"].get("attachments", [])
    return "\n".join(part for part in (post["message"], *(one.get("text", "") for one in attachments)) if part)


async def _true(value: bool) -> bool:
    return value


async def main(names: list[str]) -> None:
    began = time.monotonic()

    def tell(who: str, what: str) -> None:
        print(f"{time.monotonic() - began:7.2f}  {who:14} {what.replace(chr(10), chr(10) + ' ' * 24)}", flush=True)  # noqa: T201 - a program's output

    with tempfile.TemporaryDirectory() as data:
        async with staged(Path(data), tell) as stage:
            for name in names or PLAYS:
                play: Callable[[Stage], Awaitable[None]] = PLAYS[name]
                tell("", f"==== {PLAYS[name].__doc__}")
                await play(stage)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
