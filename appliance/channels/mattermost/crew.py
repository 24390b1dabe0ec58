"""Who of the clinic is who in Mattermost, and who is there to be called. Knows no case."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from appliance.channels.mattermost.rest import Mattermost, Refused, User
from appliance.config import Mattermost as Settings
from appliance.conversations.case import Staffer
from appliance.errors import Unavailable
from appliance.people.staff import Member

log = logging.getLogger(__name__)

REMEMBERED_S: Final = 300.0
"""People change their names seldom, and a changed name must count soon."""
HERE: Final = frozenset({"online", "away"})

Members = Callable[[], Awaitable[Sequence[Member]]]
"""Who may act for the clinic now."""


class Crew:
    """Members of staff, each by the Mattermost name that is their own sign-in name or stands in the settings."""

    def __init__(
        self,
        mattermost: Mattermost,
        members: Members,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mattermost = mattermost
        self.members = members
        self._now = clock
        self._signs_in_as = dict(pair.split("=", 1) for pair in settings.names)
        self._is_called = {staff: user for user, staff in self._signs_in_as.items()}
        self._users: dict[str, tuple[User, float]] = {}
        self._ids: dict[str, tuple[str, float]] = {}
        self._me: User | None = None

    @property
    def bot(self) -> str:
        """Our own id, once it was asked for."""
        return self._me.id if self._me else ""

    async def me(self) -> User:
        """Our bot."""
        self._me = self._me or await self._mattermost.me()
        return self._me

    async def staffer(self, user: str) -> Staffer | None:
        """Who this Mattermost user is; None: nobody who may act."""
        known = await self._user(user)
        if known is None or known.is_bot or known.delete_at:
            return None
        name = self._signs_in_as.get(known.username, known.username)
        if name in self._is_called and self._is_called[name] != known.username:
            return None  # the clinic has said that this member has another name in Mattermost
        member = next((one for one in await self.members() if one.id == name), None)
        return Staffer(id=member.id, name=member.name, role=member.role) if member else None

    async def called(self, level: int) -> dict[str, str]:
        """Mattermost names and ids of that group: those who are there, else all of it, else all of the clinic."""
        members = await self.members()
        group = [one for one in members if one.level == level] or list(members)
        found = await self._found(self._is_called.get(one.id, one.id) for one in group)
        here = await self._here(found)
        return here or found

    async def _here(self, users: dict[str, str]) -> dict[str, str]:
        try:
            statuses = await self._mattermost.statuses(list(users.values())) if users else {}
        except Unavailable as error:  # then all are called
            log.info("mattermost=presence unknown error=%s", type(error).__name__)
            return users
        return {name: id for name, id in users.items() if statuses.get(id) in HERE}

    async def join(self, channel: str, users: Iterable[str]) -> None:
        """One who cannot be added (not of the team) keeps nobody else out."""
        await asyncio.gather(*(self._join(channel, user) for user in users))

    async def _join(self, channel: str, user: str) -> None:
        try:
            await self._mattermost.join(channel, user)
        except Refused as refused:
            log.warning("mattermost=not added status=%d: is this member of staff in the team?", refused.status)

    async def _user(self, id: str) -> User | None:
        user, at = self._users.get(id, (None, 0.0))
        if user is None or self._now() - at > REMEMBERED_S:
            try:
                user = await self._mattermost.user(id)
            except Refused as refused:
                if refused.status != 404:
                    raise
                return None
            self._users[id] = (user, self._now())
        return user

    async def _found(self, names: Iterable[str]) -> dict[str, str]:
        """Ids of those who are in Mattermost."""
        wanted = list(names)
        if missing := [
            one for one in wanted if self._now() - self._ids.get(one, ("", -REMEMBERED_S))[1] >= REMEMBERED_S
        ]:
            found = {one.username: one.id for one in await self._mattermost.users(missing) if not one.delete_at}
            self._ids |= {name: (found.get(name, ""), self._now()) for name in missing}
        return {name: self._ids[name][0] for name in wanted if self._ids[name][0]}
