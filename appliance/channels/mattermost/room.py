"""A case in Mattermost: what the desk has to say is posted there once, what staff write there reaches the desk once.

The outbox brings letters, as often as it takes; `RoomBook` knows what was posted. The WebSocket only says where something happened:
what it was is fetched with ``since`` and told in the order in which it was written, so that events that are lost, doubled or out of
order change nothing. While Mattermost is away the letters wait, and the staff page serves.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from appliance.channels.mattermost.crew import Crew, Members
from appliance.channels.mattermost.rest import MARK, Channel, Draft, Mattermost, Post, Refused, Team
from appliance.channels.mattermost.socket import Event, Socket
from appliance.channels.mattermost.wording import Wording, plain
from appliance.config import Config
from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.letters import CaseChanged, CaseLevel, CaseOpened, PatientSaid, StaffSaid
from appliance.conversations.rooms import Act, Became, Heard, Room, RoomBook
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, BadInput, NotAllowed, NotFound, Taken, TooLarge, Unavailable
from appliance.message import ConversationId, MessageId
from appliance.problems import where
from appliance.records.outbox import Letter

log = logging.getLogger(__name__)

ROOM_LETTERS: Final = ("case.opened", "case.level", "case.changed", "case.patient_said", "case.staff_said")
VIA: Final = "mattermost"
POLL_S: Final = 60.0
"""Rooms are looked at this often even if nothing was heard: a line may be dead without knowing."""
OVERLAP_MS: Final = 10_000
"""So much is fetched again: posts are seen later than the time they bear."""
UNKNOWN_MS: Final = 600_000
"""So far two clocks may be apart where no time of Mattermost's is known yet."""
SKEW_MS: Final = 2_000
TYPING_S: Final = 4.0
AT_ONCE: Final = 4
FIRST_S: Final = 0.5
MOST_S: Final = 30.0

_HEARD: Final = frozenset({"posted", "post_edited", "post_deleted"})
_PRESSED: Final = {"waiting": ("accept", "reply", "return", "resolve"), "person": ("reply", "return", "resolve")}
_SAID_OF: Final = {
    **{"accepted": "accepted", "given_back": "given_back", "resolved": "resolved"},
    **{"snoozed": "snoozed_now", "woken": "woken", "left": "left"},
}


class Rooms:
    """Made in app.py where mattermost.url is set and the bot's token is there."""

    def __init__(
        self,
        mattermost: Mattermost,
        book: RoomBook,
        desk: Desk,
        conversations: Conversations,
        files: Files,
        config: Config,
        *,
        members: Members,
        poll_s: float = POLL_S,
        first_s: float = FIRST_S,
    ) -> None:
        self._mattermost = mattermost
        self._book = book
        self._desk = desk
        self._conversations = conversations
        self._files = files
        self._settings = config.mattermost
        self._url = (config.mattermost.callback_url or config.server.public_url) + ACTION
        self._poll_s = poll_s
        self._first_s = first_s
        self.crew = Crew(mattermost, members, config.mattermost)
        self.wording = Wording(config)
        self.socket = Socket(mattermost.options, mattermost.options["token"])
        self._team: Team | None = None
        self._desk_channel: Channel | None = None
        self._open: dict[int, Room] = {}
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._looks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._dirty: set[str] = set()
        self._woken = asyncio.Event()
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._room_for_looks = asyncio.Semaphore(AT_ONCE)
        self._typed: dict[ConversationId, float] = {}
        self._typing: set[asyncio.Task[None]] = set()

    # ---- what the desk has to say -----------------------------------------------------------------------------------

    async def told(self, letter: Letter) -> None:
        """Any letter of a case. Raises where Mattermost cannot be told now: the postman comes back."""
        match letter.kind:
            case "case.opened":
                opened = msgspec.json.decode(letter.payload, type=CaseOpened)
                async with self._at(opened.case):
                    pass
            case "case.level":
                level = msgspec.json.decode(letter.payload, type=CaseLevel)
                await self._called(level, letter.id)
            case "case.changed":
                changed = msgspec.json.decode(letter.payload, type=CaseChanged)
                await self._changed(changed, letter.id)
            case "case.patient_said":
                await self._patient_said(msgspec.json.decode(letter.payload, type=PatientSaid))
            case "case.staff_said":
                await self._staff_said(msgspec.json.decode(letter.payload, type=StaffSaid))

    async def _called(self, told: CaseLevel, letter: int) -> None:
        async with self._at(told.case) as (case, room):
            if room and case.open:
                called = await self.crew.called(told.level)
                await self.crew.join(_channel(room), called.values())
                await self._post(room, f"letter:{letter}", self.wording.called(case, tuple(called)))

    async def _changed(self, told: CaseChanged, letter: int) -> None:
        closing = told.what in ("given_back", "resolved")
        if closing and (room := await self._book.room(told.case)) and room.channel and not room.left_at:
            await self._look(room.channel)  # what was written there before it closed
        async with self._at(told.case) as (case, room):
            if room is None or room.left_at:
                return
            if told.what == "note":
                await self._noted(case, room, told)
                return
            if told.what == "opened":
                await self._graver(case, room, letter)
            elif closing:
                await self._closed(case, room, told, letter)
                return
            elif line := _SAID_OF.get(told.what):
                words = self.wording.line(line, name=plain(await self._name(told.by)))
                await self._post(room, f"letter:{letter}", Draft(message=words))
            await self._buttons(case, room)

    async def _closed(self, case: Case, room: Room, told: CaseChanged, letter: int) -> None:
        """At this letter, not as soon as the case is closed: letters of before may still be on their way."""
        words = self.wording.line(_SAID_OF[told.what], name=plain(await self._name(told.by)))
        with suppress(_Gone):  # somebody has archived it by hand
            await self._post(room, f"letter:{letter}", Draft(message=words))
        await self._buttons(case, room)
        await self._leave(room)

    async def _graver(self, case: Case, room: Room, letter: int) -> None:
        called = await self.crew.called(case.level)
        await self.crew.join(_channel(room), called.values())
        if self._settings.rooms == "channels":
            await self._mattermost.rename(_channel(room), self.wording.shown(case))
        await self._post(room, f"letter:{letter}", self.wording.graver(case, tuple(called)))

    async def _noted(self, case: Case, room: Room, told: CaseChanged) -> None:
        note = next((one for one in await self._desk.notes(case.id) if one.id == told.note), None)
        if note and await self._book.post(f"note:{note.id}") is None:
            await self._post(room, f"note:{note.id}", self.wording.note(note.by, note.text))

    async def _patient_said(self, told: PatientSaid) -> None:
        async with self._at(told.case) as (_, room):
            if room and not room.left_at:
                turns = await self._conversations.history(told.conversation, 200)
                turn = next((one for one in turns if (one.message_id, one.role) == (told.message_id, "patient")), None)
                if turn:  # else it went with the conversation
                    files = await self._sent_along(room, told)
                    draft = msgspec.structs.replace(self.wording.patient(turn.text), files=files)
                    await self._post(room, f"patient:{told.message_id}", draft)

    async def _sent_along(self, room: Room, told: PatientSaid) -> tuple[str, ...]:
        """The patient's files of a message, as Mattermost has them now."""
        known = await self._files.of(told.conversation, told.message_id) if self._settings.relay_words else ()
        uploaded = []
        for file in known:
            _, content = await self._files.open(told.conversation, file.id)
            uploaded.append(await self._mattermost.upload(_channel(room), file.name, content))
        return tuple(uploaded)

    async def _staff_said(self, told: StaffSaid) -> None:
        async with self._at(told.case) as (_, room):
            if room is None or room.left_at or told.via == VIA:
                return
            try:
                word = await self._desk.word(told.message_id)
            except NotFound:
                return  # with the conversation
            name = f"staff:{told.message_id}"
            draft = self.wording.staff(
                "staff_edited" if word.edited_at else "staff", word.by, word.role_of_staff, word.text
            )
            post = await self._book.post(name)
            if post:
                await self._patch(post, draft, name)
            elif not told.message_id.startswith(_OURS):  # said there, changed here: the post is its author's
                await self._post(room, name, draft)

    async def _name(self, by: str | None) -> str:
        return next((one.name for one in await self.crew.members() if one.id == by), "")

    # ---- rooms ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _at(self, case_id: int) -> AsyncIterator[tuple[Case, Room | None]]:
        """A case and its room, made if there is none; one at a time. None for a closed case that never had one."""
        async with self._locks.setdefault(case_id, asyncio.Lock()):
            case = await self._desk.case(case_id)
            yield case, await self._placed(case)

    async def _placed(self, case: Case) -> Room | None:
        room = await self._book.room(case.id)
        if room is None and not case.open:
            return None
        if room is None or room.root is None:  # begun: staff may see it already, and have closed the case
            room = await self._made(case, room)
        if not room.left_at:
            if case.id not in self._open:
                self._look_soon(_channel(room))  # whoever was quick has written before we listened to this room
            self._open[case.id] = room
        return room

    async def _made(self, case: Case, before: Room | None) -> Room:
        """Each step is found again by who comes after a failure."""
        room = before or await self._book.begin(case.id, case.conversation, _new_name(case.id))
        if room.channel is None:
            channel = await self._channel(case, room)
            room = await self._book.placed(case.id, channel=channel.id, root=None, heard=self._new_since(channel))
        called = await self.crew.called(case.level) if case.open else {}
        await self.crew.join(_channel(room), called.values())
        draft = self.wording.case(case, tuple(called), await self._tokens(case), self._url)
        post = await self._post(room, f"case:{case.id}", draft)
        return await self._book.placed(case.id, channel=_channel(room), root=post, heard=room.heard)

    async def _channel(self, case: Case, room: Room) -> Channel:
        if self._settings.rooms == "threads":
            return await self.desk_channel()
        team = await self.team()
        return await self._mattermost.make_channel(team.id, room.name, self.wording.shown(case))

    def _new_since(self, channel: Channel) -> int:
        """From when on something may have been written to a case that is placed now: the threads' channel may be years old."""
        if self._settings.rooms == "channels":
            return channel.create_at
        return max(channel.create_at, int(time.time() * 1000) - UNKNOWN_MS)

    async def team(self) -> Team:
        self._team = self._team or await self._mattermost.team(self._settings.team)
        return self._team

    async def desk_channel(self) -> Channel:
        """The channel of the threads. Raises BadInput where nobody has made it."""
        if self._desk_channel is None:
            found = await self._mattermost.channel_named((await self.team()).id, self._settings.desk)
            if found is None or found.delete_at:
                raise BadInput(f"there is no channel {self._settings.desk}: run medinovai mattermost setup")
            self._desk_channel = found
        return self._desk_channel

    async def _tokens(self, case: Case) -> dict[Act, str]:
        acts: tuple[Act, ...] = _PRESSED["person" if case.state == "person" else "waiting"] if case.open else ()  # type: ignore[assignment]  # mypy widens literals in a dictionary
        return await self._book.buttons(case.id, case.version, acts) if acts else {}

    async def _buttons(self, case: Case, room: Room) -> None:
        """The post with the buttons says how the case stands, and its buttons do what can be done now."""
        if room.root:
            draft = self.wording.case(case, (), await self._tokens(case), self._url)
            await self._patch(room.root, draft, f"case:{case.id}")

    async def _leave(self, room: Room) -> None:
        if self._settings.rooms == "channels":
            await self._mattermost.archive(_channel(room))
        await self._book.leave(room.handover)
        self._open.pop(room.handover, None)

    async def _post(self, room: Room, name: str, draft: Draft) -> str:
        """Say it once, however often it is asked for. Returns the post's id."""
        since = room.heard - OVERLAP_MS if room.heard else int(time.time() * 1000) - UNKNOWN_MS
        tried = await self._book.trying(name, room.handover, since)
        if tried and tried.post:
            return tried.post
        if room.root and self._settings.rooms == "threads":
            draft = msgspec.structs.replace(draft, root=room.root)
        try:
            post = await self._mattermost.post(
                _channel(room), draft, name=name, tried_since=tried.since if tried else None
            )
        except Refused as refused:
            if await self._is_gone(room, refused):
                raise _Gone("its channel was archived or the bot put out: it gets another one") from None
            raise
        await self._book.posted(name, post.id)
        return post.id

    async def _is_gone(self, room: Room, refused: Refused) -> bool:
        """Whether somebody has archived the channel of a case or put us out; then the case has none from now on."""
        if refused.status not in _DROPPED or self._settings.rooms == "threads":
            return False
        found = await self._mattermost.channel_named((await self.team()).id, room.name)
        if found and not found.delete_at:
            return False
        log.warning("mattermost=channel gone case=%d", room.handover)
        await self._book.move(room.handover, _new_name(room.handover))
        self._open.pop(room.handover, None)
        return True

    async def _patch(self, post: str, draft: Draft, name: str) -> None:
        """A post that somebody has deleted is not written again."""
        try:
            await self._mattermost.patch(post, draft, name=name)
        except Refused as refused:
            if refused.status not in _DROPPED:
                raise
            log.warning("mattermost=post gone status=%d", refused.status)

    # ---- what staff write -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is cancelled: hear that something happened, and look."""
        self._open = {room.handover: room for room in await self._book.open()}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.socket.connect(self.happened))
            tasks.create_task(self._patients_typing())
            tasks.create_task(self._polling())
            while True:
                await self._woken.wait()
                self._woken.clear()
                for channel in [one for one in self._dirty if one not in self._looking]:
                    self._dirty.discard(channel)
                    self._looking[channel] = tasks.create_task(self._looked(channel))

    async def happened(self, event: Event) -> None:
        """An event of the WebSocket. Takes notice only."""
        if event.event in ("hello", "gap"):
            self.look_everywhere()
        elif event.event in _HEARD:
            post = _post_of(event)
            channel = event.broadcast.channel_id or post.channel_id
            known = any(room.channel == channel for room in self._open.values()) or self._is_desk(channel)
            if known and post.user_id != self.crew.bot:  # every post of ours comes back as an event
                self._look_soon(channel)
        elif event.event == "typing":
            self._spawn(self._staff_typing(event))

    def look_everywhere(self) -> None:
        for room in self._open.values():
            self._look_soon(_channel(room))
        if self._desk_channel:
            self._look_soon(self._desk_channel.id)

    def _look_soon(self, channel: str) -> None:
        self._dirty.add(channel)
        self._woken.set()

    def _is_desk(self, channel: str) -> bool:
        return self._settings.rooms == "threads" and self._desk_channel is not None and self._desk_channel.id == channel

    async def _polling(self) -> None:
        while True:
            self.look_everywhere()
            await asyncio.sleep(self._poll_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, keeps no secret

    async def _looked(self, channel: str) -> None:
        """Look until it has worked."""
        failed = 0
        try:
            while True:
                try:
                    async with self._room_for_looks:
                        await self._look(channel)
                    return
                except ApplianceError as error:
                    if isinstance(error, Refused) and not any(one.channel == channel for one in self._open.values()):
                        return  # it is archived, and nothing of ours is open there
                    failed += 1
                    log.warning("mattermost=unheard failed=%d %s", failed, where(error))
                await asyncio.sleep(min(MOST_S, self._first_s * 2 ** min(failed, 10)) * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret
        finally:
            del self._looking[channel]
            if channel in self._dirty:
                self._woken.set()

    async def _look(self, channel: str) -> None:
        """Everything in a channel that is new or changed, in the order in which it was written."""
        async with self._looks.setdefault(channel, asyncio.Lock()):  # an older look must not come after a newer one
            await self._look_now(channel)

    async def _look_now(self, channel: str) -> None:
        rooms = {room.handover: room for room in self._open.values() if room.channel == channel}
        known_until = min((room.heard for room in rooms.values()), default=0)
        since = known_until - OVERLAP_MS if known_until else int(time.time() * 1000) - UNKNOWN_MS
        posts = sorted(await self._mattermost.since(channel, since), key=lambda post: (post.create_at, post.id))
        me = (await self.crew.me()).id
        theirs = [post for post in posts if _by_a_person(post, me)]
        known = await self._book.heard([post.id for post in theirs]) if theirs else {}
        # Once for all: a thread whose case becomes known in between would have its later words told before its first.
        places = {root: await self._room_of(root, rooms) for root in {post.root_id for post in theirs}}
        for post in theirs:
            before = known.get(post.id)
            if before and before.changed_at >= post.changed_at:
                continue
            if room := places[post.root_id]:
                became = await self._hear(room, post, before)
                await self._book.hear(post.id, room.handover, changed_at=post.changed_at, became=became)
        if posts and rooms:
            await self._known_until(rooms, max(post.changed_at for post in posts))

    async def _known_until(self, rooms: dict[int, Room], at: int) -> None:
        """Rarely written: what is fetched twice is known."""
        behind = [case for case, room in rooms.items() if at - room.heard > OVERLAP_MS]
        if behind:
            await self._book.heard_until(behind, at)
            for case in behind:
                if case in self._open:
                    self._open[case] = msgspec.structs.replace(self._open[case], heard=at)

    async def _room_of(self, root: str, rooms: dict[int, Room]) -> Room | None:
        if self._settings.rooms == "channels":
            return next(iter(rooms.values()), None)
        if not root:
            return None  # talk of staff among themselves
        return next((room for room in rooms.values() if room.root == root), None) or await self._book.thread(root)

    async def _hear(self, room: Room, post: Post, before: Heard | None) -> Became:
        """What becomes of a post. Raises what may work another time."""
        async with self._locks.setdefault(room.handover, asyncio.Lock()):
            by = await self.crew.staffer(post.user_id)
            if post.delete_at:
                return await self._deleted(post, by, before)
            if by is None:
                return await self._refuse(room, post, "stranger")
            try:
                return await self._understood(room, post, by, before)
            except NotFound:
                return await self._refuse(room, post, "gone")
            except TooLarge:
                return await self._refuse(room, post, "long")
            except (BadInput, NotAllowed, Taken) as error:
                return await self._refuse(room, post, "other", reason=str(error))

    async def _deleted(self, post: Post, by: Staffer | None, before: Heard | None) -> Became:
        if before is None or before.became == "word":  # none: it may be said, and that not yet written down
            nobody = Staffer(id=VIA, name="Mattermost", role="")  # an account that is gone since
            with suppress(NotFound):
                await self._desk.take_back(_id(post), by or nobody, via=VIA)
        return "nothing"

    async def _understood(self, room: Room, post: Post, by: Staffer, before: Heard | None) -> Became:
        text, prefix = post.message.strip(), self._settings.note_prefix
        if not text and not post.file_ids:
            return before.became if before else "nothing"
        if text.casefold().startswith(prefix.casefold()):
            if before and before.became == "word":  # a slip: the patient is not to read it
                await self._desk.take_back(_id(post), by, via=VIA)
            return await self._note(room, by, text[len(prefix) :].strip())
        if before and before.became == "note":
            await self._refuse(room, post, "note_edited")
            return "note"
        if before and before.became == "word":
            if text:
                await self._desk.edit(_id(post), by, text, via=VIA)
            return "word"
        if await self._over(room, post):
            return await self._refuse(room, post, "closed")
        names = [await self._taken(room, post, file) for file in post.file_ids or ()]
        text = text or ", ".join(filter(None, names))
        if not text:
            return "nothing"
        word = await self._desk.say(room.conversation, by, text, id=_id(post), via=VIA)
        if word.text != text and not word.deleted_at:  # said before, changed since, and neither written down
            await self._desk.edit(_id(post), by, text, via=VIA)
        return "word"

    async def _taken(self, room: Room, post: Post, file: str) -> str | None:
        """A file for the patient, kept once. Returns its name; none where it is not sent, and whoever posted it reads why."""
        case = await self._desk.case(room.handover)
        if case.channel == "sms":
            await self._refuse(room, post, "files_by_text", about=file)
            return None
        try:
            info = await self._mattermost.file_info(file)
            if info.size > self._files.most_bytes:
                raise TooLarge(f"a file has at most {self._files.most_bytes // 1024**2} MB")
            content = await self._mattermost.file(file)
            kept = await self._files.keep(room.conversation, _id(post), info.name, content, source=f"{_OURS}{file}")
        except (BadInput, TooLarge) as error:
            await self._refuse(room, post, "files", about=file, reason=str(error))
            return None
        return kept.name

    async def _note(self, room: Room, by: Staffer, text: str) -> Became:
        if text and not any((one.by, one.text) == (by.name, text) for one in await self._desk.notes(room.handover)):
            note = await self._desk.note(room.handover, by, text)
            name = f"note:{note.id}"  # it stands there already: not to be posted again
            await self._book.trying(name, room.handover, 0)
            await self._book.posted(name, name)
        return "note"

    async def _over(self, room: Room, post: Post) -> bool:
        """Whether it was written after the case was closed. What was written before is still said, and opens it again."""
        case = await self._desk.case(room.handover)
        if case.open:
            return False
        return case.closed_at is None or post.create_at > case.closed_at.timestamp() * 1000 + SKEW_MS

    async def _refuse(self, room: Room, post: Post, key: str, *, about: str = "", **values: object) -> Became:
        """Whoever wrote it reads why the patient does not. ``about``: the file, where it is one of several."""
        await self._post(room, f"refused:{post.id}:{key}{about}", self.wording.refused(key, **values))
        return "nothing"

    # ---- typing -----------------------------------------------------------------------------------------------------

    async def _staff_typing(self, event: Event) -> None:
        root = str(event.data.get("parent_id", ""))
        for room in self._open.values():
            if room.channel == event.broadcast.channel_id and (self._settings.rooms == "channels" or room.root == root):
                by = await self.crew.staffer(str(event.data.get("user_id", "")))
                if by:
                    self._desk.typing(room.conversation, by)

    async def _patients_typing(self) -> None:
        async with aclosing(self._desk.news()) as news:
            async for one in news:
                if one.what == "typing" and one.by is None:
                    self._spawn(self._patient_typing(one.conversation))

    async def _patient_typing(self, conversation: ConversationId) -> None:
        room = next((one for one in self._open.values() if one.conversation == conversation), None)
        if room is None or time.monotonic() - self._typed.get(conversation, -TYPING_S) < TYPING_S:
            return
        self._typed = {kept: at for kept, at in self._typed.items() if time.monotonic() - at < TYPING_S}
        self._typed[conversation] = time.monotonic()
        thread = room.root if self._settings.rooms == "threads" else None
        await self._mattermost.typing(_channel(room), thread or "")

    def _spawn(self, work: Awaitable[None]) -> None:
        """Worth nothing if it fails."""

        async def tried() -> None:
            try:
                await work
            except ApplianceError as error:
                log.debug("mattermost=typing untold error=%s", type(error).__name__)

        task = asyncio.create_task(tried())
        self._typing.add(task)
        task.add_done_callback(self._typing.discard)

    async def form(self, trigger: str, url: str, form: Mapping[str, object]) -> None:
        """Open it in front of who pressed."""
        await self._mattermost.dialog(trigger, url, form)

    async def close(self) -> None:
        await self._mattermost.close()


ACTION: Final = "/api/mattermost/action"
_OURS: Final = "mm-"


_DROPPED: Final = frozenset({400, 403, 404})


class _Gone(Unavailable):
    """The room is not there any more."""


def _new_name(case: int) -> str:
    """With some chance in it: numbers begin anew with a new database, names of archived channels stay taken."""
    return f"case-{case}-{secrets.token_hex(3)}"


def _id(post: Post) -> MessageId:
    return MessageId(f"{_OURS}{post.id}")


def _channel(room: Room) -> str:
    if room.channel is None:
        raise Unavailable("this room is not made yet")
    return room.channel


def _by_a_person(post: Post, me: str) -> bool:
    """Not of ours, of the system (somebody has joined), of a webhook or another bot."""
    props = post.props or {}
    machine = any(props.get(mark) for mark in ("from_webhook", "from_bot", MARK))
    return post.user_id != me and post.type in ("", "me") and not machine


class _In(msgspec.Struct):
    channel_id: str = ""
    user_id: str = ""


def _post_of(event: Event) -> _In:
    """The post is JSON within JSON."""
    try:
        return msgspec.json.decode(str(event.data.get("post", "")), type=_In)
    except msgspec.DecodeError:
        return _In()
