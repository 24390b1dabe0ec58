"""3CX's own log of calls, its recordings and the calls under way (XAPI, OData). Reads only, and knows nothing of our own log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec

from appliance.channels.phone.pbx.token import Access
from appliance.errors import TooLarge, Unavailable

Row = TypeVar("Row", bound="Segment | Recording | Active")

ROOT: Final = "/xapi/v1"
PAGE: Final = 100
LARGEST: Final = 128 * 2**20
"""Bytes of a recording: two hours as 3CX keeps them."""


class Segment(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One leg of a call as 3CX kept it; a call that was handed on has several."""

    segment_id: int
    segment_start_time: datetime
    src_dn: str | None = None
    src_caller_number: str | None = None
    dst_dn: str | None = None
    dst_caller_number: str | None = None
    call_time: timedelta | None = None
    call_answered: bool | None = None
    dst_rec_id: int | None = None

    def __repr__(self) -> str:
        return f"Segment({self.segment_id})"


class Recording(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A recording of 3CX's own, not one of ours."""

    id: int
    start_time: datetime | None = None
    end_time: datetime | None = None
    from_dn: str | None = None
    from_caller_number: str | None = None
    to_dn: str | None = None
    to_caller_number: str | None = None

    def __repr__(self) -> str:
        return f"Recording({self.id})"


class Active(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A call that is going on somewhere in the telephone system."""

    id: int
    caller: str | None = None
    callee: str | None = None
    status: str | None = None
    established_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Active({self.id}, {self.status!r})"


class _Page(msgspec.Struct, frozen=True):
    value: list[msgspec.Raw]


class Xapi:
    """What can be read with the permissions of our client. Raises Refused, or Unavailable where 3CX gives no answer that tells."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def calls(self, since: datetime, *, dn: str, most: int = 1_000) -> list[Segment]:
        """Legs of calls with this extension since then, newest first."""
        wanted = f"SegmentStartTime ge {_utc(since)} and (SrcDn eq {_text(dn)} or DstDn eq {_text(dn)})"
        newest = "SegmentStartTime desc,SegmentId desc"
        return await self._rows("CallHistoryView", Segment, wanted, newest, most=most, key=lambda row: row.segment_id)

    async def recordings(self, since: datetime, *, dn: str, most: int = 1_000) -> list[Recording]:
        """Recordings of calls with this extension since then, newest first."""
        wanted = f"StartTime ge {_utc(since)} and (FromDn eq {_text(dn)} or ToDn eq {_text(dn)})"
        return await self._rows(
            "Recordings", Recording, wanted, "StartTime desc,Id desc", most=most, key=lambda row: row.id
        )

    async def active(self, *, most: int = 1_000) -> list[Active]:
        """Calls under way in the whole telephone system."""
        return await self._rows("ActiveCalls", Active, "", "Id", most=most, key=lambda row: row.id)

    async def sound(self, recording: int, *, most_bytes: int = LARGEST) -> bytes:
        """A recording as 3CX keeps it, mostly WAV. Raises TooLarge."""
        content = bytearray()
        path = f"{ROOT}/Recordings/Pbx.DownloadRecording(recId={recording})"
        async with self._access.opened("GET", path) as answer:
            if not answer.content_type.startswith(("audio/", "application/octet-stream")):
                raise Unavailable(f"3CX gave no sound but {answer.content_type}")
            async for piece in answer.content.iter_any():
                content += piece
                if len(content) > most_bytes:
                    raise TooLarge(f"the recording is larger than {most_bytes >> 20} MB: take it out in 3CX itself")
        return bytes(content)

    async def _rows(
        self, table: str, kind: type[Row], wanted: str, order: str, *, most: int, key: Callable[[Row], int]
    ) -> list[Row]:
        """Page by page. New rows push others on to the next page meanwhile: each is taken once."""
        found: dict[int, Row] = {}
        asked = 0
        while asked < most:
            size = min(PAGE, most - asked)
            query = {"$top": str(size), "$skip": str(asked), "$orderby": order}
            content = await self._access.asked(
                "GET", f"{ROOT}/{table}", query=query | ({"$filter": wanted} if wanted else {})
            )
            try:
                rows = [msgspec.json.decode(row, type=kind) for row in msgspec.json.decode(content, type=_Page).value]
            except msgspec.MsgspecError:
                raise Unavailable(f"3CX gave an answer for {table} that cannot be read") from None
            found |= {key(row): row for row in rows}
            asked += len(rows)
            if len(rows) < size:
                break
        return list(found.values())


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(value: str) -> str:
    """A string of OData: a quote in it is doubled."""
    return "'" + value.replace("'", "''") + "'"
