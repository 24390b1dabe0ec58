"""What staff write to a patient who called: nobody reads it, and staff are told so on the case. Knows no call."""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.conversations.case import Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.letters import StaffSaid
from appliance.conversations.turns import Conversations
from appliance.records.outbox import Letter

OURSELVES: Final = Staffer(id="phone", name="Phone", role="system")
CALL_BACK: Final = "This patient called by telephone and cannot read what is written here. Please call back."


class Unread:
    """Made in app.py where lines are configured."""

    def __init__(self, conversations: Conversations, desk: Desk) -> None:
        self._conversations = conversations
        self._desk = desk

    async def staff_said(self, letter: Letter) -> None:
        """``case.staff_said``: a note on the case, once."""
        told = msgspec.json.decode(letter.payload, type=StaffSaid)
        conversation = await self._conversations.find(told.conversation)
        if conversation is None or conversation.channel != "phone":
            return
        if all(note.text != CALL_BACK for note in await self._desk.notes(told.case)):
            await self._desk.note(told.case, OURSELVES, CALL_BACK)
