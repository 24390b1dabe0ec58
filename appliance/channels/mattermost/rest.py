"""Mattermost's REST API as this house needs it. The package is imported here only; knows no case and no patient.

mattermostdriver blocks, never retries, logs what the server says and stumbles over a content type with a charset. So it works in
threads of its own with a time limit, is silenced, and its answers are parsed here; what may be asked twice is, and a 429 is obeyed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, urlsplit

import msgspec

from appliance.errors import Unavailable

T = TypeVar("T")

TIMEOUT_S: Final = 5.0
"""For connecting, and for each silence; half as much again for the whole."""
THREADS: Final = 8
TRIES: Final = 3
FIRST_S: Final = 0.3
PATIENCE_S: Final = 3.0
"""A limit that ends within this is waited for; a longer one is told to the asker, who comes back."""
LONGEST_S: Final = 60.0


class Refused(Unavailable):
    """Mattermost has answered that it will not do this."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Mattermost refused with HTTP {status}")
        self.status = status


class Unknown(Unavailable):
    """No answer, or none that tells: what was asked may have been done."""


class Limited(Unavailable):
    """Mattermost has asked us to wait; nothing was done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Mattermost asks us to wait {seconds:.0f} s")
        self.retry_after = seconds


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    username: str
    is_bot: bool = False
    roles: str = ""
    delete_at: int = 0


class Team(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    create_at: int
    """Milliseconds by Mattermost's clock, as all its times."""
    delete_at: int = 0


class Post(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    create_at: int
    update_at: int
    user_id: str
    channel_id: str
    delete_at: int = 0
    root_id: str = ""
    message: str = ""
    type: str = ""
    file_ids: tuple[str, ...] | None = None
    props: dict[str, Any] | None = None

    @property
    def changed_at(self) -> int:
        return max(self.update_at, self.delete_at)

    def __repr__(self) -> str:
        return f"Post({self.id!r}, {len(self.message)} characters)"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A post of ours. In ``message`` stands nothing of a patient's: notifications show it."""

    message: str
    attachments: tuple[Mapping[str, Any], ...] = ()
    root: str = ""
    files: tuple[str, ...] = ()
    """Ids of files that were uploaded."""

    def __repr__(self) -> str:
        return f"Draft({len(self.message)} characters)"


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str = ""
    size: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    status: str


class TeamMember(msgspec.Struct, frozen=True, kw_only=True):
    roles: str = ""
    delete_at: int = 0


class Role(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    permissions: tuple[str, ...]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    trigger: str
    url: str = ""
    method: str = ""
    token: str = ""
    """Secret: who sends it is our Mattermost."""

    def __repr__(self) -> str:
        return f"Command({self.id!r}, {self.trigger!r})"


class _Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    file_infos: tuple[FileInfo, ...]


class _Posts(msgspec.Struct, frozen=True, kw_only=True):
    posts: dict[str, Post] | None = None


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a command answered: the description and the server spell it differently."""

    lower: str = msgspec.field(default="", name="text")
    upper: str = msgspec.field(default="", name="Text")


class Mattermost:
    """The clinic's Mattermost, as its bot sees it. ``certificate`` is a file: who signed the server's certificate."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        certificate: str = "",
        timeout_s: float = TIMEOUT_S,
        first_s: float = FIRST_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._options = _options(url, token, certificate, timeout_s)
        self._timeout_s = timeout_s
        self._first_s = first_s
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(THREADS, "mattermost")
        self._driver: Any = None
        self._shut_until = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """As mattermostdriver has them, for its WebSocket class."""
        return dict(self._options)

    # ---- who and where ----------------------------------------------------------------------------------------------

    async def ping(self) -> None:
        await self._asked("get", "/system/ping", dict[str, Any])

    async def me(self) -> User:
        return await self._asked("get", "/users/me", User)

    async def user(self, id: str) -> User:
        return await self._asked("get", f"/users/{quote(id, safe='')}", User)

    async def users(self, names: Sequence[str]) -> list[User]:
        """Those of these names that there are."""
        return await self._asked("post", "/users/usernames", list[User], list(names))

    async def statuses(self, users: Sequence[str]) -> dict[str, str]:
        """online, away, offline or dnd, by user's id."""
        found = await self._asked("post", "/users/status/ids", list[Status], list(users))
        return {one.user_id: one.status for one in found}

    async def team(self, name: str) -> Team:
        return await self._asked("get", f"/teams/name/{quote(name, safe='')}", Team)

    async def team_member(self, team: str, user: str) -> TeamMember:
        return await self._asked("get", f"/teams/{team}/members/{user}", TeamMember)

    async def roles(self, names: Sequence[str]) -> list[Role]:
        return await self._asked("post", "/roles/names", list[Role], list(names))

    # ---- channels ---------------------------------------------------------------------------------------------------

    async def channel_named(self, team: str, name: str) -> Channel | None:
        """Archived ones too."""
        path = f"/teams/{team}/channels/name/{quote(name, safe='')}"
        try:
            return await self._asked("get", path, Channel, params={"include_deleted": "true"})
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def make_channel(self, team: str, name: str, shown: str) -> Channel:
        """A private channel; one of this name that is there is taken for it."""
        body = {"team_id": team, "name": name, "display_name": shown, "type": "P"}
        try:
            return await self._asked("post", "/channels", Channel, body)
        except Refused as refused:
            if refused.status == 400 and (found := await self.channel_named(team, name)):
                return found
            raise

    async def rename(self, channel: str, shown: str) -> None:
        await self._asked("put", f"/channels/{channel}/patch", Channel, {"display_name": shown})

    async def join(self, channel: str, user: str) -> None:
        await self._asked("post", f"/channels/{channel}/members", dict[str, Any], {"user_id": user})

    async def archive(self, channel: str) -> None:
        """One that is archived already stays so."""
        try:
            await self._asked("delete", f"/channels/{channel}", dict[str, Any])
        except Refused as refused:
            if refused.status not in (400, 404):
                raise

    # ---- posts ------------------------------------------------------------------------------------------------------

    async def post(self, channel: str, draft: Draft, *, name: str, tried_since: int | None) -> Post:
        """Say it once. ``name`` says what it is; ``tried_since``: it was tried before, not earlier than this post time.

        Asked once only: after an Unknown the asker comes back, and it is looked for before it is posted again.
        """
        if tried_since is not None and (found := await self._posted(channel, name, tried_since)):
            return found
        body = {
            "channel_id": channel,
            "message": draft.message,
            "root_id": draft.root,
            "pending_post_id": name,
            "file_ids": list(draft.files),
            "props": _props(draft, name),
        }
        return await self._asked("post", "/posts", Post, body, tries=1)

    async def _posted(self, channel: str, name: str, since: int) -> Post | None:
        """A pending id is not told by what is fetched: our own mark in the props is."""
        found = await self.since(channel, since)
        return next((one for one in found if (one.props or {}).get(MARK) == name and not one.delete_at), None)

    async def patch(self, post: str, draft: Draft, *, name: str) -> Post:
        """Other words in place of a post of ours."""
        body = {"message": draft.message, "props": _props(draft, name)}
        return await self._asked("put", f"/posts/{post}/patch", Post, body)

    async def since(self, channel: str, since: int) -> list[Post]:
        """What was posted, changed or deleted in a channel after that time."""
        found = await self._asked("get", f"/channels/{channel}/posts", _Posts, params={"since": str(max(since, 1))})
        return list((found.posts or {}).values())

    # ---- files ------------------------------------------------------------------------------------------------------

    async def file_info(self, id: str) -> FileInfo:
        return await self._asked("get", f"/files/{quote(id, safe='')}/info", FileInfo)

    async def file(self, id: str) -> bytes:
        return await self._asked("get", f"/files/{quote(id, safe='')}", bytes)

    async def upload(self, channel: str, name: str, content: bytes) -> str:
        """Its id, for a post of ours. One that no post names is forgotten there."""
        given = {"channel_id": (None, channel), "files": (name, content, "application/octet-stream")}
        uploaded = await self._asked("post", "/files", _Uploaded, files=given)
        if not uploaded.file_infos:
            raise Unknown("Mattermost tells of no file")
        return uploaded.file_infos[0].id

    async def typing(self, channel: str, root: str = "") -> None:
        """Somebody writes. Worth one try."""
        body = {"channel_id": channel} | ({"parent_id": root} if root else {})
        await self._asked("post", "/users/me/typing", object, body, tries=1)

    async def dialog(self, trigger: str, url: str, dialog: Mapping[str, Any]) -> None:
        """Open a form in front of who pressed."""
        body = {"trigger_id": trigger, "url": url, "dialog": dialog}
        await self._asked("post", "/actions/dialogs/open", dict[str, Any], body, tries=1)

    # ---- commands ---------------------------------------------------------------------------------------------------

    async def commands(self, team: str) -> list[Command]:
        params = {"team_id": team, "custom_only": "true"}
        return await self._asked("get", "/commands", list[Command], params=params)

    async def make_command(self, command: Mapping[str, Any]) -> Command:
        return await self._asked("post", "/commands", Command, command, tries=1)

    async def change_command(self, id: str, command: Mapping[str, Any]) -> Command:
        return await self._asked("put", f"/commands/{id}", Command, dict(command) | {"id": id})

    async def run_command(self, channel: str, command: str) -> str:
        """What it answers."""
        body = {"channel_id": channel, "command": command}
        said = await self._asked("post", "/commands/execute", _Said, body, tries=1)
        return said.lower or said.upper

    async def close(self) -> None:
        """Waits for nobody: a thread that still hears from Mattermost ends with its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ---- inside -----------------------------------------------------------------------------------------------------

    async def _asked(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        files: Mapping[str, object] | None = None,
        tries: int = TRIES,
    ) -> T:
        """The answer, as that type (bytes: as it is); asked again after no answer, after longer and longer pauses."""
        tried = limits = 0
        while True:
            await self._open()
            try:
                return await self._once(method, path, kind, body, dict(params or {}), files)
            except Unknown:
                tried += 1
                if tried >= tries:
                    raise
            except Limited as limited:
                limits += 1
                self._shut_until = max(self._shut_until, time.monotonic() + limited.retry_after)
                if limits >= TRIES:
                    raise
            await asyncio.sleep(self._first_s * 2**tried * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, keeps no secret

    async def _open(self) -> None:
        """While a limit is in force nothing is asked at all: that would only make it longer."""
        left = self._shut_until - time.monotonic()
        if left > self._patience_s:
            raise Limited(left)
        if left > 0:
            await asyncio.sleep(left)

    async def _once(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object,
        params: dict[str, str],
        files: Mapping[str, object] | None,
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(1.5 * self._timeout_s):
                answer = await loop.run_in_executor(self._threads, self._done, method, path, body, params, files)
        except TimeoutError:
            raise Unknown("Mattermost did not answer in time") from None
        if kind is bytes:
            return cast(T, answer)
        try:
            return msgspec.json.decode(answer or b"null", type=kind)
        except msgspec.DecodeError:  # its text may quote what was said
            raise Unknown("Mattermost gave no answer that tells") from None

    def _done(
        self, method: str, path: str, body: object, params: dict[str, str], files: Mapping[str, object] | None
    ) -> bytes:
        """In a thread. Errors come out without their texts, which quote the server."""
        import requests
        from mattermostdriver import exceptions

        statuses = {
            exceptions.InvalidOrMissingParameters: 400,
            exceptions.NoAccessTokenProvided: 401,
            exceptions.NotEnoughPermissions: 403,
            exceptions.ResourceNotFound: 404,
            exceptions.MethodNotAllowed: 405,
            exceptions.ContentTooLarge: 413,
            exceptions.FeatureDisabled: 501,
        }
        try:
            # Not its get and post: they return something else for `application/json; charset=utf-8`, or fail on it.
            response = self._made().client.make_request(method, path, options=body, params=params, files=files)
            return bytes(response.content)
        except tuple(statuses) as error:
            raise Refused(statuses[type(error)]) from None
        except requests.HTTPError as error:
            raise _failed(error.response) from None
        except (requests.RequestException, ValueError, AttributeError, TypeError) as error:
            # AttributeError and its kin: an error whose JSON is a list, over which the driver stumbles.
            raise Unknown(f"Mattermost gave no answer ({type(error).__name__})") from None

    def _made(self) -> Any:
        if self._driver is None:
            from mattermostdriver import Driver

            # It logs the server's words as errors, and those may hold what was posted.
            logging.getLogger("mattermostdriver.websocket").setLevel(logging.CRITICAL + 1)
            self._driver = Driver(self._options | {"auth": lambda: _signed(self._options["token"])})
        return self._driver


MARK: Final = "medinovai"
"""The name of the property by which we know our own posts again."""


def _signed(token: str) -> Callable[[Any], Any]:
    """Signs a request of the driver's, and takes out the empty JSON that it sends with every GET and DELETE."""

    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        if request.method in ("GET", "DELETE"):
            request.body = None
            for name in ("Content-Type", "Content-Length"):
                request.headers.pop(name, None)
        return request

    return sign


def _props(draft: Draft, name: str) -> dict[str, Any]:
    return {MARK: name, "attachments": list(draft.attachments)}


def _options(url: str, token: str, certificate: str, timeout_s: float) -> dict[str, Any]:
    """Its own names for the parts of an address."""
    address = urlsplit(url)
    return {
        "scheme": address.scheme,
        "url": address.hostname or "",
        "port": address.port or (443 if address.scheme == "https" else 80),
        "basepath": f"{address.path.rstrip('/')}/api/v4",
        "verify": certificate or True,
        "token": token,
        "request_timeout": timeout_s,
    }


def _failed(response: Any) -> Refused | Unknown | Limited:
    """What an answer means that the driver has no name for."""
    if response is None:
        return Unknown("Mattermost gave no answer that tells")
    status = int(response.status_code)
    if status == 429:
        return Limited(_asked_to_wait(response.headers))
    return Unknown(f"Mattermost answered HTTP {status}") if status >= 500 else Refused(status)


def _asked_to_wait(headers: Mapping[str, str]) -> float:
    """Seconds. ``X-Ratelimit-Reset`` is said to be seconds to go; some proxies send the moment instead."""
    for name in ("Retry-After", "X-Ratelimit-Reset"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if seconds > 1_000_000_000:
            seconds -= time.time()
        return min(max(seconds, 0.05), LONGEST_S)
    return 1.0
