"""A stand-in for the appliance's HTTP surface with scripted answers, for looking at the page. Knows no model and keeps nothing."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import re
import sys
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Request, Response, WebSocket, delete, get, post, put, websocket
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.response import File, ServerSentEvent, ServerSentEventMessage
from litestar.static_files import create_static_files_router

UI = Path(__file__).parents[2] / "ui"
LANGUAGES = ("en", "es", "zh", "hi")
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

EXAMPLES = {
    "en": ["When is Main Street open on Saturday?", "How much is a visit without insurance?", "How do I get a refill?"],
    "es": ["¿A qué hora abren los sábados?", "¿Cuánto cuesta una consulta sin seguro?", "¿Cómo renuevo una receta?"],
    "zh": ["星期六几点开门？", "没有保险看一次病要多少钱？", "怎样续开处方药？"],
    "hi": ["शनिवार को क्लिनिक कब खुलता है?", "बिना बीमा के एक विज़िट का कितना खर्च है?", "दवा दोबारा कैसे मिलेगी?"],
}
CLINIC = {
    "name": "Riverside Community Clinic",
    "languages": LANGUAGES,
    "emergency_number": "911",
    "phone": "(541) 555-0100",
    "hours": {
        "timezone": "America/Los_Angeles",
        "week": {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    },
    "examples": EXAMPLES,
    "retention_days": 30,
    "accent": "#0f5f63",
}

LINES = [
    ("heading", 1, None, "Opening hours: Main Street"),
    (
        "paragraph",
        None,
        1,
        "These hours are for 410 Main Street only 🏥. North and Cedar Children have their own hours.",
    ),
    ("heading", 2, 1, "Saturday and Sunday"),
    ("row", None, 1, "Saturday; Clinic: 9:00 a.m. to 1:00 p.m.; Laboratory: 8:00 a.m. to 11:00 a.m."),
    ("row", None, 1, "Sunday; Clinic: Closed; Laboratory: Closed"),
    ("heading", 2, 2, "Good to know"),
    ("item", None, 2, "We check in the last patient 20 minutes before closing time. Please come early."),
    ("item", None, 2, "The pharmacy closes for lunch from 1:00 p.m. to 1:30 p.m. on weekdays."),
]
SAID = {
    "en": ("This is what the clinic's documents say:", "", "I don't know. I could not find the answer in the clinic's documents.",
           "You can talk to a person at the clinic. This is how to reach us:", "Call the clinic",
           "This may be an emergency. Call 911 now, or ask somebody near you to call. Do not drive yourself. Stay where you are and unlock the door.",
           "Emergency services", "Poison Control", "I can't tell you how much of a medicine to take. Please ask a nurse, a doctor or a pharmacist."),
    "es": ("Esto es lo que dicen los documentos de la clínica:", "La clínica tiene esta información solo en inglés; le muestro las palabras exactas.",
           "No lo sé. No encontré la respuesta en los documentos de la clínica.",
           "Puede hablar con una persona de la clínica. Puede comunicarse con nosotros así:", "Llamar a la clínica",
           "Esto puede ser una emergencia. Llame al 911 ahora, o pida a alguien cercano que llame. No maneje usted. Quédese donde está y abra la puerta.",
           "Servicios de emergencia", "Control de envenenamiento", "No puedo decirle cuánta medicina tomar. Por favor, pregunte a una enfermera o a un médico."),
    "zh": ("诊所的文件是这样写的：", "诊所的这份资料只有英文版，下面是原文。", "我不知道。我在诊所的文件里没有找到答案。", "您可以和诊所的工作人员说话。您可以这样联系我们：", "打电话给诊所",
           "这可能是紧急情况。请马上拨打 911，或请身边的人拨打。不要自己开车。留在原地，把门打开。", "急救电话", "中毒控制中心", "我不能告诉您药要吃多少。请问护士、医生或药剂师。"),
    "hi": ("क्लिनिक के दस्तावेज़ों में यह लिखा है:", "क्लिनिक के पास यह जानकारी केवल अंग्रेज़ी में है, इसलिए मैं वही शब्द दिखा रहा हूँ।",
           "मुझे नहीं पता। क्लिनिक के दस्तावेज़ों में मुझे इसका जवाब नहीं मिला।", "आप क्लिनिक में किसी व्यक्ति से बात कर सकते हैं। आप हमसे ऐसे संपर्क कर सकते हैं:", "क्लिनिक को फ़ोन करें",
           "यह आपात स्थिति हो सकती है। अभी 911 पर फ़ोन करें, या पास के किसी व्यक्ति से फ़ोन करवाएँ। खुद गाड़ी न चलाएँ। वहीं रहें और दरवाज़ा खोल दें।",
           "आपातकालीन सेवा", "विष नियंत्रण केंद्र", "मैं यह नहीं बता सकता कि कितनी दवा लेनी है। कृपया नर्स या डॉक्टर से पूछें।"),
}  # fmt: skip
TRIGGERS = {
    "emergency": re.compile(r"chest pain|dolor de pecho|胸痛|सीने में दर्द", re.IGNORECASE),
    "unknown": re.compile(r"astronaut|astronauta|宇航员|अंतरिक्ष", re.IGNORECASE),
    "declined": re.compile(r"\bdose\b|dosis|剂量|खुराक", re.IGNORECASE),
    "generated": re.compile(r"explain|explique|解释|समझाइए", re.IGNORECASE),
}


def document() -> dict[str, Any]:
    text, blocks = "", []
    for kind, level, page, words in LINES:
        blocks.append({"kind": kind, "level": level, "start": len(text), "end": len(text) + len(words), "page": page})
        text += words + "\n"
    return {
        "id": "hours",
        "revision": 3,
        "title": "Opening hours: Main Street",
        "language": "en",
        "valid_from": "2026-09-06",
        "text": text,
        "blocks": blocks,
    }


DOCUMENT = document()


class Saying:
    """One answer being said: its events, and whoever waits for the next."""

    def __init__(self, message_id: str, text: str, language: str, kind: str) -> None:
        self.id, self.text, self.language, self.kind = message_id, text, language, kind
        self.events: list[dict[str, Any]] = []
        self.stopped = self.over = False
        self.grown = asyncio.Condition()

    async def run(self) -> None:
        for part in parts_of(self.kind, self.language):
            if self.stopped:
                break
            await self._tell({"type": "part", "part": part})
            await asyncio.sleep(0.002)
        self.over = True
        await self._tell({"type": "end", "complete": not self.stopped})

    async def _tell(self, event: dict[str, Any]) -> None:
        async with self.grown:
            self.events.append(event | {"id": self.id, "seq": len(self.events) + 1})
            self.grown.notify_all()

    async def follow(self, after: int) -> AsyncGenerator[dict[str, Any], None]:
        while True:
            for event in self.events[after:]:
                yield event
                if event["type"] == "end":
                    return
                after = event["seq"]
            async with self.grown:
                await self.grown.wait_for(lambda seen=after: len(self.events) > seen)  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def parts_of(kind: str, language: str) -> list[dict[str, Any]]:
    lead, foreign, unknown, contact, call, emergency, service, poison, declined = SAID[language]
    clinic = {"type": "call", "label": call, "number": CLINIC["phone"], "urgent": False}
    opening = {"type": "opening", "kind": kind, "language": language}
    if kind == "emergency":
        calls = [
            {"type": "call", "label": f"{service}", "number": "911", "urgent": True},
            {"type": "call", "label": poison, "number": "1-800-222-1222"},
        ]
        return [opening, *words(emergency, "ours"), *calls]
    if kind in ("unknown", "declined"):
        return [opening, *words(unknown if kind == "unknown" else declined, "ours"), clinic]
    if kind == "contact":
        return [opening, *words(contact + "\n", "ours"), *quote(3, 1), clinic]
    if kind == "generated":
        return [
            opening,
            *words("On Saturday the clinic is open from 9 to 1.", "written"),
            citation(3, 1),
            *words(" Please come early.", "written"),
            citation(6, 2),
        ]
    notice = [{"type": "notice", "code": "source_language", "text": foreign}] if foreign else []
    return [opening, *notice, *words(lead + "\n", "ours"), *quote(3, 1), *quote(6, 2)]


def quote(line: int, number: int) -> list[dict[str, Any]]:
    cited = citation(line, number)
    return [*words(cited["quote"], "quote", "en"), cited]


def citation(line: int, number: int) -> dict[str, Any]:
    block = DOCUMENT["blocks"][line]
    start = block["start"]
    end = block["end"] if block["kind"] == "row" else start + DOCUMENT["text"][start:].index(".") + 1
    heading = next(words for kind, level, _, words in reversed(LINES[: line + 1]) if kind == "heading")
    return {
        "type": "citation", "number": number, "document": "hours", "revision": 3, "title": DOCUMENT["title"], "heading": [DOCUMENT["title"], heading],
        "page": block["page"], "language": "en", "span": {"start": start, "end": end}, "quote": DOCUMENT["text"][start:end], "valid_from": "2026-09-06",
    }  # fmt: skip


def words(text: str, voice: str, language: str | None = None) -> list[dict[str, Any]]:
    pieces = re.findall(r"\S+\s*|\s+", text) if " " in text.strip() else list(text)
    return [{"type": "text", "text": piece, "voice": voice, "language": language} for piece in pieces]


class Conversation(msgspec.Struct):
    id: str
    language: str | None
    sayings: dict[str, Saying] = msgspec.field(default_factory=dict)
    feedback: dict[str, Any] = msgspec.field(default_factory=dict)


CONVERSATIONS: dict[str, Conversation] = {}
TASKS: set[asyncio.Task[None]] = set()


def conversation_of(connection: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> Conversation:
    found = CONVERSATIONS.get(connection.cookies.get("conversation", ""))
    if found is None:
        raise HTTPException(status_code=404, detail="There is no conversation here.")
    return found


def language_of(text: str, wished: str | None) -> str:
    if wished:
        return wished
    if re.search(r"[一-鿿]", text):
        return "zh"
    if re.search(r"[ऀ-ॿ]", text):
        return "hi"
    return "es" if re.search(r"[¿áéíóúñ]|dolor|dosis", text) else "en"


def say(
    conversation: Conversation, message_id: str, text: str, language: str | None, kind: str | None = None
) -> Saying:
    if message_id not in conversation.sayings:
        kind = kind or next((name for name, trigger in TRIGGERS.items() if trigger.search(text)), "quoted")
        saying = conversation.sayings[message_id] = Saying(message_id, text, language_of(text, language), kind)
        task = asyncio.create_task(saying.run())
        TASKS.add(task)
        task.add_done_callback(TASKS.discard)
    return conversation.sayings[message_id]


@get("/")
async def page() -> File:
    return File(UI / "index.html", media_type="text/html", content_disposition_type="inline")


@get("/documents/{document_id:str}")
async def document_page(document_id: str) -> File:
    return File(UI / "document.html", media_type="text/html", content_disposition_type="inline")


@get("/api/clinic")
async def clinic() -> dict[str, Any]:
    return CLINIC


@get("/api/documents/{document_id:str}")
async def document_text(document_id: str) -> dict[str, Any]:
    if document_id != "hours":
        raise HTTPException(status_code=404, detail="No such document.")
    return DOCUMENT


@post("/api/conversations")
async def begin(data: dict[str, Any]) -> Response[dict[str, Any]]:
    token = uuid.uuid4().hex
    CONVERSATIONS[token] = Conversation(uuid.uuid4().hex, data.get("language"))
    made = Response({"id": CONVERSATIONS[token].id, "clinic": CLINIC}, status_code=201)
    made.set_cookie("conversation", token, httponly=True, samesite="strict")
    return made


@get("/api/conversation")
async def conversation(request: Request[Any, Any, Any]) -> dict[str, Any]:
    found = conversation_of(request)
    at = datetime.datetime.now(datetime.UTC).isoformat()
    turns, live = [], None
    for saying in found.sayings.values():
        common = {"message_id": saying.id, "language": saying.language, "at": at}
        turns.append(common | {"role": "patient", "text": saying.text, "parts": None, "kind": None, "complete": True})
        parts = [event["part"] for event in saying.events if event["type"] == "part"]
        if saying.over:
            turns.append(
                common
                | {"role": "assistant", "text": "", "parts": parts, "kind": saying.kind, "complete": not saying.stopped}
            )
        else:
            live = {"message_id": saying.id, "last_seq": len(saying.events)}
    return {"id": found.id, "language": found.language, "turns": turns, "live": live}


@delete("/api/conversation", status_code=204)
async def forget(request: Request[Any, Any, Any]) -> None:
    conversation_of(request)
    del CONVERSATIONS[request.cookies["conversation"]]


@put("/api/conversation/language", status_code=204)
async def set_language(request: Request[Any, Any, Any], data: dict[str, Any]) -> None:
    conversation_of(request).language = data["language"]


@post("/api/conversation/messages", status_code=202)
async def message(request: Request[Any, Any, Any], data: dict[str, Any]) -> dict[str, str]:
    say(conversation_of(request), data["id"], data["text"], data.get("language"))
    return {"message_id": data["id"]}


@post("/api/conversation/person", status_code=202)
async def person(request: Request[Any, Any, Any], data: dict[str, Any]) -> dict[str, str]:
    say(conversation_of(request), data["id"], "", data.get("language") or "en", "contact")
    return {"message_id": data["id"]}


@get("/api/conversation/events")
async def events(request: Request[Any, Any, Any], message_id: str, after: int = 0) -> ServerSentEvent:
    saying = conversation_of(request).sayings[message_id]

    async def stream() -> AsyncGenerator[ServerSentEventMessage, None]:
        async for event in saying.follow(after):
            yield ServerSentEventMessage(
                data=msgspec.json.encode(event).decode(), id=str(event["seq"]), event=event["type"]
            )

    return ServerSentEvent(stream())


@post("/api/conversation/messages/{message_id:str}/stop", status_code=204)
async def stop(request: Request[Any, Any, Any], message_id: str) -> None:
    conversation_of(request).sayings[message_id].stopped = True


@put("/api/conversation/messages/{message_id:str}/feedback", status_code=204)
async def feedback(request: Request[Any, Any, Any], message_id: str, data: dict[str, Any]) -> None:
    conversation_of(request).feedback[message_id] = data


@websocket("/api/conversation/socket")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    found = conversation_of(socket)
    await socket.accept()
    following: set[asyncio.Task[None]] = set()
    try:
        while True:
            frame = await socket.receive_json()
            if frame["type"] == "ping":
                await socket.send_json({"type": "pong"})
                continue
            if frame["type"] == "stop":
                found.sayings[frame["id"]].stopped = True
                continue
            if frame["type"] in ("say", "person"):
                kind = "contact" if frame["type"] == "person" else None
                say(found, frame["id"], frame.get("text", ""), frame.get("language"), kind)
            task = asyncio.create_task(forward(socket, found.sayings[frame["id"]], frame.get("after", 0)))
            following.add(task)
    except WebSocketDisconnect:
        pass
    finally:
        for task in following:
            task.cancel()


async def forward(socket: WebSocket[Any, Any, Any], saying: Saying, after: int) -> None:
    async for event in saying.follow(after):
        await socket.send_json(event)


def with_policy(response: Response[Any]) -> Response[Any]:
    response.headers["content-security-policy"] = POLICY
    return response


app = Litestar(
    route_handlers=[
        page, document_page, clinic, document_text, begin, conversation, forget, set_language, message, person, events, stop, feedback, socket,
        create_static_files_router(path="/static", directories=[UI]), create_static_files_router(path="/words", directories=[UI / "words"]),
    ],
    after_request=with_policy,
    openapi_config=None,
)  # fmt: skip


async def serve(port: int) -> None:
    await Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False).serve()


if __name__ == "__main__":
    asyncio.run(serve(int(next(itertools.islice(sys.argv, 1, None), "8090"))))
