"""Recordings of calls as staff hear them: those of one conversation. Knows no telephone: what opens a sealed file is handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from appliance.conversations.calls import Calls, Kept, Recording
from appliance.errors import NotFound
from appliance.message import ConversationId

GONE = "this recording is not kept any longer"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What staff can listen to: a voice message or a recorded call."""

    id: int
    kind: Kept
    seconds: float
    """0: it still runs, or broke off."""
    at: datetime


class Recordings:
    """Of the calls of one clinic."""

    def __init__(self, calls: Calls, wav: Callable[[Recording], Awaitable[bytes]]) -> None:
        self._calls = calls
        self._wav = wav

    async def of(self, conversation: ConversationId) -> list[Heard]:
        """The oldest first; none where the patient has deleted the conversation."""
        kept = await self._calls.recordings(conversation)
        return [Heard(id=one.id, kind=one.kind, seconds=one.seconds, at=one.at) for one in kept]

    async def hear(self, conversation: ConversationId, recording: int, by: str) -> bytes:
        """As a WAV file; that ``by`` took it stands in the audit. Raises NotFound: another conversation's, or kept no longer."""
        if recording not in {one.id for one in await self.of(conversation)}:
            raise NotFound(GONE)
        try:
            sound = await self._wav(await self._calls.recording(recording))
        except NotFound:  # its words are for operators, and name the file
            raise NotFound(GONE) from None
        await self._calls.played(recording, by)
        return sound
