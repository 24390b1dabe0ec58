"""Mattermost's side: REST and WebSocket on one port, with its state, its faults, and staff who write, change, delete and press.

Its answers are held against Mattermost's own OpenAPI description by `tests/mattermost/test_twin.py`. What that leaves out (a
pending id is known for 30 seconds only and told by no list, only members see a private channel) is as we remember the source.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from email import message_from_bytes
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import httpx
from aiohttp import WSMsgType, web

T = TypeVar("T")

TEAM = "clinic"
BOT = "medinovai"
TOKEN = "a-bot-token-of-the-twin"  # noqa: S105 - opens the twin only

Fault = Literal[
    "500_before", "500_after", "502_before", "502_after", "503_before", "429", "429_reset", "hang_before", "hang_after",
    "cut_before", "cut_after", "nonsense_after", "empty_after", "late", "charset", "list_error",
]  # fmt: skip
"""What goes wrong with a request, before or after it took effect. ``hang``: until the caller gives up. ``late``: it takes effect
only then."""
ALL: tuple[Fault, ...] = (
    *("500_before", "500_after", "502_before", "502_after", "503_before", "429", "429_reset", "hang_before"),
    *("hang_after", "cut_before", "cut_after", "nonsense_after", "empty_after", "late", "charset", "list_error"),
)
PENDING_S = 30.0
PERMISSIONS = (
    *("create_private_channel", "manage_private_channel_members", "delete_private_channel", "create_post", "edit_post"),
    *("manage_private_channel_properties", "read_channel", "manage_slash_commands"),
)

Json = dict[str, Any]


class Line:
    """One WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.seq = 0
        self.held: list[Json] = []
        self.half_open = False
        self.speaking = asyncio.Lock()
        """One thing is told after the other, the greeting first."""


class Mattermost:
    """A whole server of one team. Times are milliseconds."""

    def __init__(self, seed: int = 7) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.users: dict[str, Json] = {}
        self.status: dict[str, str] = {}
        self.channels: dict[str, Json] = {}
        self.members: dict[str, set[str]] = {}
        self.posts: dict[str, Json] = {}
        self.stands_in: dict[str, list[Json]] = {}
        """Posts by channel, as they were written."""
        self.marked: dict[str, list[Json]] = {}
        """Posts of the bot, by the name that it gave them."""
        self.commands: dict[str, Json] = {}
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.permissions = list(PERMISSIONS)
        self.team = {
            "id": _id(), "create_at": 1, "update_at": 1, "delete_at": 0, "display_name": "Clinic", "name": TEAM, "type": "I",
            "description": "", "email": "", "allowed_domains": "", "invite_id": "", "allow_open_invite": False,
        }  # fmt: skip
        self.bot = self.person(BOT, is_bot=True)
        self.faults: list[Fault] = []
        """Of the next requests, one each."""
        self.chaos: Mapping[Fault, float] = {}
        """How probable each is for any request."""
        self.doubled = self.dropped = self.swapped = 0.0
        """How probable it is for an event."""
        self.limit: tuple[int, float] | None = None
        """Requests in so many seconds; more get 429."""
        self.slow_s = 0.0
        self.hang_s = 2.0
        """A caller with more patience than this is cut off."""
        self.wait_s = 0.05
        """What a 429 asks for."""
        self.refuses_socket = False
        self.dead = False
        """As after `kill`, without the listening socket's going: asyncio leaks what it was just accepting then."""
        self.asked: Counter[str] = Counter()
        self.typing: list[tuple[str, str]] = []
        self.dialogs: list[Json] = []
        self.reach: Callable[[str, Mapping[str, str]], Coroutine[Any, Any, str]] | None = None
        """How its commands get to their address; none: they do not."""
        self.reach_loop: asyncio.AbstractEventLoop | None = None
        self.lines: list[Line] = []
        self.opened = 0
        """How many WebSockets there ever were."""
        self._pending: dict[tuple[str, str], tuple[str, float]] = {}
        self._took: list[float] = []
        self._last = 0
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0

    # ---- running ----------------------------------------------------------------------------------------------------

    @contextmanager
    def serving(self) -> Iterator[str]:
        """On loopback, in a loop of its own: what hangs here hangs nobody else."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        self.revive()
        try:
            yield f"http://127.0.0.1:{self._port}"
        finally:
            self.kill()
            self._in_loop(_ended())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(60)
            self._loop.close()

    def kill(self) -> None:
        """Nobody listens, every line is cut; what was written stays."""
        if self._runner:
            self._in_loop(self._stop())

    def revive(self) -> None:
        self._in_loop(self._start())

    def cut_lines(self, *, politely: bool = False) -> None:
        """Every WebSocket ends."""
        self._in_loop(self._cut(politely))

    def half_open(self) -> None:
        """Lines stay as they are, but nothing comes and no ping is answered any more."""
        for line in self.lines:
            line.half_open = True

    async def _start(self) -> None:
        app = web.Application(client_max_size=10 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._request)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._port or self._runner.addresses[0][1]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        await self._cut(False)
        if runner:
            await _accepts_no_more(runner)
            await runner.cleanup()

    async def _cut(self, politely: bool) -> None:
        lines, self.lines = self.lines, []
        for line in lines:
            if politely:
                with suppress(Exception):
                    await asyncio.wait_for(line.socket.close(), 0.5)
            elif line.socket._req is not None and line.socket._req.transport is not None:
                line.socket._req.transport.abort()

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    # ---- what staff do ----------------------------------------------------------------------------------------------

    def person(self, username: str, *, is_bot: bool = False, status: str = "online") -> str:
        """Somebody of the team. Returns the id."""
        id = _id()
        self.users[id] = {
            "id": id, "create_at": 1, "update_at": 1, "delete_at": 0, "username": username, "first_name": "", "last_name": "",
            "nickname": "", "email": f"{username}@clinic.example", "roles": "system_user", "locale": "en", "is_bot": is_bot,
        }  # fmt: skip
        self.status[id] = status
        return id

    def write(
        self, user: str, channel: str, text: str, *, root: str = "", files: tuple[str, ...] = (), type: str = ""
    ) -> str:
        """A message of somebody's. Returns its id."""
        with self._lock:
            assert user in self.members[channel], "only members see a private channel"
            post = self._posted(
                user, {"channel_id": channel, "message": text, "root_id": root, "file_ids": list(files)}
            )
            post["type"] = type
        self._tell("posted", post)
        return str(post["id"])

    def edit(self, id: str, text: str) -> None:
        with self._lock:
            post = self.posts[id]
            post["message"] = text
            post["edit_at"] = post["update_at"] = self._now()
        self._tell("post_edited", post)

    def delete(self, id: str) -> None:
        with self._lock:
            post = self.posts[id]
            post["delete_at"] = post["update_at"] = self._now()
        self._tell("post_deleted", post)

    def types(self, user: str, channel: str, root: str = "") -> None:
        self._event({"event": "typing", "data": {"parent_id": root, "user_id": user}, "broadcast": _cast(channel)})

    def said(self, channel: str, *, by: str | None = None) -> list[Json]:
        """What stands in a channel, oldest first."""
        with self._lock:
            found = [post for post in self.stands_in.get(channel, []) if not post["delete_at"]]
            return sorted((one for one in found if by in (None, one["user_id"])), key=lambda one: one["create_at"])

    def case_channel(self, case: int) -> Json | None:
        found = [one for one in list(self.channels.values()) if str(one["name"]).startswith(f"case-{case}-")]
        assert len(found) < 2, "a case has one channel"
        return found[0] if found else None

    def buttons(self, post: str) -> dict[str, Json]:
        """The buttons of a post, by id."""
        with self._lock:
            attachments = self.posts[post]["props"].get("attachments", [])
            return {one["id"]: one["integration"] for part in attachments for one in part.get("actions", [])}

    async def press(self, client: httpx.AsyncClient, post: str, act: str, user: str) -> httpx.Response:
        """As the server calls an integration."""
        integration = self.buttons(post)[act]
        told = self.posts[post]
        body = {
            "user_id": user, "user_name": self.users[user]["username"], "channel_id": told["channel_id"], "channel_name": "",
            "team_id": self.team["id"], "team_domain": TEAM, "post_id": post, "trigger_id": _id(), "type": "button",
            "data_source": "", "context": integration["context"],
        }  # fmt: skip
        return await client.post(integration["url"], json=body)

    async def submit(self, client: httpx.AsyncClient, text: str, user: str) -> httpx.Response:
        """The newest form, filled in."""
        form = self.dialogs[-1]
        body = {
            "type": "dialog_submission", "callback_id": form["dialog"]["callback_id"], "state": form["dialog"]["state"],
            "user_id": user, "channel_id": "", "team_id": self.team["id"], "submission": {"text": text}, "cancelled": False,
        }  # fmt: skip
        return await client.post(form["url"], json=body)

    def form(self, command: Json, text: str, user: str, channel: str) -> dict[str, str]:
        return {
            "token": command["token"], "team_id": str(self.team["id"]), "team_domain": TEAM, "channel_id": channel,
            "channel_name": "", "user_id": user, "user_name": self.users[user]["username"], "command": f"/{command['trigger']}",
            "text": text, "response_url": "http://127.0.0.1/hooks/commands/x", "trigger_id": _id(),
        }  # fmt: skip

    # ---- REST -------------------------------------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        if self.dead:
            return self._dropped(request)
        path = request.path.removeprefix("/api/v4")
        if path == "/websocket":
            return await self._websocket(request)
        try:
            body = await request.read()
        except ConnectionError:
            return web.Response()  # we were killed, or the caller has gone
        fault = self._fault()
        if fault in ("hang_before", "late"):
            await self._hang(request)
            if fault == "hang_before":
                return self._dropped(request)
        if fault == "cut_before":
            return self._dropped(request)
        if fault and (before := _before(fault, self.wait_s)) is not None:
            return before
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self._too_many():
            return _limited(self.wait_s, reset=False)
        answer = await self._answered(request, path, body)
        return await self._after(request, fault, answer)

    def _fault(self) -> Fault | None:
        with self._lock:
            if self.faults:
                return self.faults.pop(0)
            dice = self.chance.random()
            for fault, probable in self.chaos.items():
                if (dice := dice - probable) < 0:
                    return fault
        return None

    async def _after(self, request: web.Request, fault: Fault | None, answer: web.Response) -> web.StreamResponse:
        match fault:
            case "hang_after":
                await self._hang(request)
                return self._dropped(request)
            case "late" | "cut_after":
                return self._dropped(request)
            case "500_after" | "502_after":
                return _html(int(fault[:3]))
            case "nonsense_after":
                return web.Response(text='{"id": 5, "posts"', content_type="application/json")
            case "empty_after":
                return web.Response(text="", content_type="application/json")
            case "charset":
                answer.headers["content-type"] = "application/json; charset=utf-8"
        return answer

    async def _hang(self, request: web.Request) -> None:
        end = time.monotonic() + self.hang_s
        while request.transport and not request.transport.is_closing() and time.monotonic() < end:  # noqa: ASYNC110 - has no bell
            await asyncio.sleep(0.02)

    def _dropped(self, request: web.Request) -> web.StreamResponse:
        if request.transport:
            request.transport.abort()
        return web.Response()

    def _too_many(self) -> bool:
        if self.limit is None:
            return False
        most, seconds = self.limit
        at = time.monotonic()
        self._took = [one for one in self._took if at - one < seconds]
        self._took.append(at)
        return len(self._took) > most

    async def _answered(self, request: web.Request, path: str, body: bytes) -> web.Response:
        parts = [part for part in path.split("/") if part]
        kind = f"{request.method} {'/'.join(one for one in parts if not _is_id(one))}"
        self.asked[kind] += 1
        if path == "/system/ping":
            return _ok({"status": "OK"})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "api.context.session_expired.app_error", "Invalid or expired session")
        if kind == "POST files":
            return self._uploaded(request.headers["content-type"], body)
        given = json.loads(body) if body else {}
        if kind == "POST commands/execute":
            return await self._execute(given)
        with self._lock:
            return self._served(request, kind, parts, given)

    def _served(self, request: web.Request, kind: str, parts: list[str], given: Any) -> web.Response:
        match kind:
            case "GET users/me":
                return _ok(self.users[self.bot])
            case "GET users":
                return self._known(self.users, parts[1])
            case "POST users/usernames":
                return _ok([one for one in self.users.values() if one["username"] in given])
            case "POST users/status/ids":
                return _ok(
                    [{"user_id": id, "status": self.status[id], "manual": False} for id in given if id in self.status]
                )
            case "POST users/me/typing":
                self.typing.append((given["channel_id"], given.get("parent_id", "")))
                return _ok({"status": "OK"})
            case "POST roles/names":
                return _ok(self._roles(given))
            case "GET files" | "GET files/info":
                return self._file(parts)
            case "POST posts":
                return self._post(given)
            case "PUT posts/patch":
                return self._patch(parts[1], given)
            case "GET channels/posts":
                return self._since(parts[1], int(request.query.get("since", "0")))
            case "POST channels":
                return self._make(given)
            case "PUT channels/patch":
                self.channels[parts[1]] |= given
                return _ok(self.channels[parts[1]])
            case "DELETE channels":
                return self._archive(parts[1])
            case "POST channels/members":
                return self._join(parts[1], given)
            case "POST actions/dialogs/open":
                self.dialogs.append(given)
                return _ok({"status": "OK"})
            case "GET commands":
                return _ok(list(self.commands.values()))
            case "POST commands" | "PUT commands":
                return self._command(parts[1:], given)
        if kind.startswith("GET teams/name/"):
            return (
                _ok(self.team) if parts[2] == TEAM else _error(404, "store.sql_team.get_by_name.app_error", "no team")
            )
        if kind.startswith("GET teams/channels/name/") or kind.startswith("GET teams/channels/name"):
            return self._named(parts[4], request.query.get("include_deleted") == "true")
        if kind == "GET teams/members":
            return _ok({"team_id": parts[1], "user_id": parts[3], "roles": "team_user", "delete_at": 0})
        return _error(404, "api.context.404.app_error", "Sorry, we could not find the page.")

    def attach(self, user: str, channel: str, name: str, content: bytes) -> str:
        """A file that waits for its post. Returns its id."""
        id, at = _id(), self._now()
        info = {
            "id": id, "user_id": user, "post_id": "", "channel_id": channel, "create_at": at, "update_at": at, "delete_at": 0,
            "name": name, "extension": name.rsplit(".", 1)[-1], "size": len(content), "mime_type": "application/octet-stream",
            "width": 0, "height": 0, "has_preview_image": False,
        }  # fmt: skip
        self.files[id] = (info, content)
        return id

    def _uploaded(self, content_type: str, body: bytes) -> web.Response:
        form: Any = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + body)
        given = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
        if not {"channel_id", "files"} <= set(given):
            return _error(400, "api.file.upload_file.incorrect_channelId.app_error", "Unable to upload the file.")
        name, content = given["files"].get_filename(), given["files"].get_payload(decode=True)
        id = self.attach(self.bot, given["channel_id"].get_payload(), name or "", content)
        return _ok({"file_infos": [self.files[id][0]], "client_ids": []}, 201)

    def _file(self, parts: list[str]) -> web.Response:
        if parts[1] not in self.files:
            return _error(404, "app.file_info.get.app_error", "Unable to get the file info.")
        info, content = self.files[parts[1]]
        return _ok(info) if parts[-1] == "info" else web.Response(body=content, content_type="application/octet-stream")

    def _known(self, table: Mapping[str, Json], id: str) -> web.Response:
        return _ok(table[id]) if id in table else _error(404, "app.missing", "not found")

    def _roles(self, names: list[str]) -> list[Json]:
        return [
            {"id": _id(), "name": name, "display_name": name, "description": "", "permissions": self.permissions,
             "scheme_managed": True}
            for name in names if name != "system_user"
        ]  # fmt: skip

    def _make(self, given: Json) -> web.Response:
        if any(one["name"] == given["name"] for one in self.channels.values()):
            return _error(
                400, "store.sql_channel.save_channel.exists.app_error", "A channel with that name already exists"
            )
        if "create_private_channel" not in self.permissions:
            return _error(403, "api.context.permissions.app_error", "You do not have the appropriate permissions")
        at = self._now()
        made = {
            "id": _id(), "create_at": at, "update_at": at, "delete_at": 0, "team_id": given["team_id"], "type": given["type"],
            "display_name": given["display_name"], "name": given["name"], "header": "", "purpose": "", "last_post_at": at,
            "total_msg_count": 0, "extra_update_at": 0, "creator_id": self.bot,
        }  # fmt: skip
        self.channels[made["id"]] = made
        self.members[made["id"]] = {self.bot}
        return _ok(made, 201)

    def _named(self, name: str, deleted: bool) -> web.Response:
        found = [one for one in self.channels.values() if one["name"] == name and self.bot in self.members[one["id"]]]
        if not found or (found[0]["delete_at"] and not deleted):
            return _error(404, "store.sql_channel.get_by_name.missing.app_error", "Channel does not exist.")
        return _ok(found[0])

    def _archive(self, id: str) -> web.Response:
        if self.channels[id]["delete_at"]:
            return _error(
                400, "api.channel.delete_channel.deleted.app_error", "The channel has been archived or deleted."
            )
        self.channels[id]["delete_at"] = self._now()
        return _ok({"status": "OK"})

    def _join(self, channel: str, given: Json) -> web.Response:
        self.members[channel].add(given["user_id"])
        at = self._now()
        return _ok(
            {"channel_id": channel, "user_id": given["user_id"], "roles": "channel_user", "last_viewed_at": at, "msg_count": 0,
             "mention_count": 0, "last_update_at": at, "notify_props": {"desktop": "default", "mark_unread": "all"}}, 201
        )  # fmt: skip

    def _post(self, given: Json) -> web.Response:
        channel = given.get("channel_id", "")
        if channel not in self.channels or self.bot not in self.members[channel]:
            return _error(403, "api.context.permissions.app_error", "You do not have the appropriate permissions")
        if self.channels[channel]["delete_at"]:
            return _error(400, "api.post.create_post.can_not_post_to_deleted.error", "Can not post to deleted channel.")
        key = (self.bot, given.get("pending_post_id", ""))
        known, at = self._pending.get(key, ("", 0.0))
        if key[1] and known and time.monotonic() - at < PENDING_S:
            return _ok(self.posts[known], 201)
        post = self._posted(self.bot, given)
        self._pending[key] = (post["id"], time.monotonic())
        self._tell("posted", post)
        return _ok(post | {"pending_post_id": key[1]}, 201)

    def _posted(self, user: str, given: Json) -> Json:
        at = self._now()
        post = {
            "id": _id(), "create_at": at, "update_at": at, "delete_at": 0, "edit_at": 0, "user_id": user,
            "channel_id": given["channel_id"], "root_id": given.get("root_id", ""), "original_id": "",
            "message": given.get("message", ""), "type": "", "props": given.get("props", {}), "hashtag": "",
            "file_ids": given.get("file_ids", []), "pending_post_id": "", "metadata": {},
        }  # fmt: skip
        self.posts[post["id"]] = post
        self.stands_in.setdefault(post["channel_id"], []).append(post)
        self.marked.setdefault(post["props"].get("medinovai", ""), []).append(post)
        return post

    def _patch(self, id: str, given: Json) -> web.Response:
        post = self.posts.get(id)
        if post is None or post["user_id"] != self.bot:
            return _error(403, "api.context.permissions.app_error", "You do not have the appropriate permissions")
        if self.channels[post["channel_id"]]["delete_at"]:
            return _error(
                400, "api.post.patch_post.can_not_update_post_in_deleted.error", "Can not update in archived."
            )
        post |= {name: given[name] for name in ("message", "props") if name in given}
        post["edit_at"] = post["update_at"] = self._now()
        self._tell("post_edited", post)
        return _ok(post)

    def _since(self, channel: str, since: int) -> web.Response:
        if channel not in self.channels or self.bot not in self.members[channel]:
            return _error(403, "api.context.permissions.app_error", "You do not have the appropriate permissions")
        found = [one for one in self.stands_in.get(channel, []) if one["update_at"] > since]
        found.sort(key=lambda one: -one["create_at"])
        order = [str(one["id"]) for one in found[:1000]]
        self.chance.shuffle(order)  # nobody may rely on it
        return _ok(
            {"order": order, "posts": {id: self.posts[id] for id in order}, "next_post_id": "", "prev_post_id": ""}
        )

    def _command(self, parts: list[str], given: Json) -> web.Response:
        if "manage_slash_commands" not in self.permissions:
            return _error(403, "api.context.permissions.app_error", "You do not have the appropriate permissions")
        id = parts[0] if parts else _id()
        before = self.commands.get(id, {"token": _id(), "create_at": self._now()})
        self.commands[id] = {
            "id": id, "update_at": self._now(), "delete_at": 0, "creator_id": self.bot, "username": "", "icon_url": "",
        } | before | given  # fmt: skip
        return _ok(self.commands[id], 200 if parts else 201)

    async def _execute(self, given: Json) -> web.Response:
        trigger, _, text = given["command"].removeprefix("/").partition(" ")
        command = next((one for one in self.commands.values() if one["trigger"] == trigger), None)
        if command is None or self.reach is None or self.reach_loop is None:
            return _error(500, "api.command.execute_command.failed.app_error", "Command with a trigger failed.")
        work = self.reach(command["url"], self.form(command, text, self.bot, given["channel_id"]))
        said = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.reach_loop))
        return _ok({"response_type": "ephemeral", "text": said})

    # ---- WebSocket --------------------------------------------------------------------------------------------------

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_socket:
            return self._dropped(request)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        line = Line(socket)
        async for message in socket:
            if message.type is WSMsgType.PING and not line.half_open:
                await socket.pong(message.data)
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if asked.get("action") == "authentication_challenge":
                if asked["data"]["token"] != TOKEN:
                    await socket.send_json({"status": "FAIL", "error": {"id": "x"}, "seq_reply": asked["seq"]})
                    await socket.close()
                    break
                await self._greet(line, asked["seq"])
        if line in self.lines:
            self.lines.remove(line)
        return socket

    async def _greet(self, line: Line, seq: int) -> None:
        """In either order, as it happens."""
        hello = {"event": "hello", "data": {"server_version": "11"}, "broadcast": _cast(""), "seq": 0}
        both: list[Json] = [{"status": "OK", "seq_reply": seq}, hello]
        self.chance.shuffle(both)
        async with line.speaking:
            self.lines.append(line)  # who has heard the hello hears all that comes after it
            self.opened += 1
            for one in both:
                with suppress(ConnectionError):
                    await line.socket.send_json(one)

    def _tell(self, event: str, post: Json) -> None:
        data = {"post": json.dumps(post), "channel_type": "P", "sender_name": "", "team_id": self.team["id"]}
        self._event({"event": event, "data": data, "broadcast": _cast(post["channel_id"])})

    def _event(self, event: Json) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._sent(event)))

    async def _sent(self, event: Json) -> None:
        """To every line; lost, doubled and out of order where that is wished for."""
        for line in list(self.lines):
            if not line.half_open:
                async with line.speaking:
                    await self._on(line, event)

    async def _on(self, line: Line, event: Json) -> None:
        with self._lock:
            dropped, doubled, swapped = (self.chance.random() for _ in range(3))
        if dropped < self.dropped:
            line.seq += 1 if dropped < self.dropped / 2 else 0  # seen by the number that is missing, or not at all
            return
        if swapped < self.swapped and not line.held:
            line.held.append(event)
            return
        for one in (event, *([event] if doubled < self.doubled else []), *line.held):
            line.seq += 1
            with suppress(Exception):
                await line.socket.send_json(one | {"seq": line.seq})
        line.held.clear()

    def _now(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, int(time.time() * 1000))
            return self._last


async def _accepts_no_more(runner: web.AppRunner) -> None:
    """Whoever was just accepted is let in first: what asyncio is accepting while its server closes it leaves open for ever."""
    for site in runner.sites:
        for listening in getattr(site._server, "sockets", ()):
            asyncio.get_running_loop().remove_reader(listening.fileno())
    while accepting := [task for task in asyncio.all_tasks() if "_accept_connection" in repr(task.get_coro())]:
        await asyncio.wait(accepting)


async def _ended() -> None:
    """What still hangs is given up; a connection just accepted is first let in, else its socket stays open."""
    await asyncio.sleep(0.1)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        if "_accept_connection" not in repr(task.get_coro()):
            task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _before(fault: Fault, wait_s: float) -> web.Response | None:
    match fault:
        case "500_before" | "502_before" | "503_before":
            return _html(int(fault[:3]))
        case "429" | "429_reset":
            return _limited(wait_s, reset=fault == "429_reset")
        case "list_error":
            return web.json_response(["an", "error"], status=500)
    return None


def _limited(wait_s: float, *, reset: bool) -> web.Response:
    headers = {"X-Ratelimit-Limit": "10", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": f"{wait_s:g}"}
    if not reset:
        headers["Retry-After"] = f"{wait_s:g}"
    return web.Response(text="limit exceeded", status=429, headers=headers)


def _html(status: int) -> web.Response:
    return web.Response(text="<html>a proxy's page</html>", status=status, content_type="text/html")


def _ok(body: Any, status: int = 200) -> web.Response:
    # As the server does: no charset.
    return web.Response(body=json.dumps(body).encode(), status=status, headers={"content-type": "application/json"})


def _error(status: int, id: str, words: str) -> web.Response:
    return _ok({"id": id, "message": words, "detailed_error": "", "request_id": _id(), "status_code": status}, status)


def _cast(channel: str) -> Json:
    return {"omit_users": None, "user_id": "", "channel_id": channel, "team_id": ""}


_LETTERS = "ybndrfg8ejkmcpqxot1uwisza345h769"


def _id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(26))


def _is_id(part: str) -> bool:
    return len(part) == 26 and part.isalnum()


async def eventually(work: Callable[[], Awaitable[bool]], seconds: float = 120.0) -> None:
    """Until it is true."""
    async with asyncio.timeout(seconds):
        while not await work():  # noqa: ASYNC110 - it looks at two servers from outside
            await asyncio.sleep(0.01)


def encoded(form: Mapping[str, str]) -> bytes:
    return urlencode(form).encode()
