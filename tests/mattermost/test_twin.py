"""Mattermost's twin and our client, both judged by Mattermost's own OpenAPI description: else they would only prove each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.channels.mattermost import check
from appliance.channels.mattermost.rest import Draft, Mattermost, Refused
from tests.mattermost.box import PUBLIC, box, config
from tests.twins import mattermost as twins
from tests.twins import prism

BESIDE = Path(__file__).parents[2] / "../shared/contracts/mattermost-openapi.yaml"
DESCRIPTION = Path(os.environ.get("MATTERMOST_OPENAPI", BESIDE))
"""It has no licence, so it is not kept here: github.com/mattermost/mattermost-api-reference, `make build`."""
pytestmark = pytest.mark.slow


@pytest.fixture
def judged(url: str, tmp_path: Path) -> Iterator[str]:
    prism.prism()
    if not DESCRIPTION.is_file():
        pytest.skip(f"Mattermost's description is not at {DESCRIPTION}: set MATTERMOST_OPENAPI")
    with prism.judging(_corrected(tmp_path), url) as address:
        yield address


def _corrected(folder: Path) -> Path:
    """It calls the props of a post that is changed a string; the server takes an object only (model.StringInterface)."""
    text = DESCRIPTION.read_text(encoding="utf-8")
    begin = text.index('"/api/v4/posts/{post_id}/patch":')
    wrong = f"description: A general JSON property bag to attach to the post\n{18 * ' '}type: string"
    right = wrong.replace("type: string", "type: object")
    assert wrong in text[begin : begin + 4_000]
    file = folder / "mattermost.yaml"
    file.write_text(text[:begin] + text[begin:].replace(wrong, right, 1), encoding="utf-8")
    return file


async def test_all_that_we_ask_and_all_that_the_twin_answers_is_as_described(
    twin: twins.Mattermost, judged: str, tmp_path: Path
) -> None:
    ana = twin.person("ana")
    real = Mattermost(judged, twins.TOKEN, timeout_s=60)
    await real.ping()
    me = await real.me()
    assert (await real.user(me.id)).username == twins.BOT and [one.id for one in await real.users(["ana"])] == [ana]
    assert await real.statuses([ana]) == {ana: "online"}
    team = await real.team(twins.TEAM)
    await real.team_member(team.id, me.id)
    assert await real.roles(["channel_user"])
    channel = await real.make_channel(team.id, "case-1-abc", "Case 1")
    assert (await real.channel_named(team.id, "case-1-abc")) == channel
    assert await real.channel_named(team.id, "none") is None
    await real.join(channel.id, ana)
    await real.rename(channel.id, "Case 1 · EMERGENCY")
    buttons = {
        "text": "words",
        "actions": [{"id": "accept", "name": "Accept", "integration": {"url": PUBLIC, "context": {}}}],
    }
    post = await real.post(channel.id, Draft(message="@ana", attachments=(buttons,)), name="case:1", tried_since=None)
    assert await real.post(channel.id, Draft(message="@ana"), name="case:1", tried_since=channel.create_at) == post
    await real.patch(post.id, Draft(message="changed"), name="case:1")
    twin.delete(twin.write(ana, channel.id, "a word", root=post.id))
    assert len(await real.since(channel.id, 1)) == 2
    file = await real.upload(channel.id, "form.pdf", b"%PDF-1.7")
    assert (await real.file_info(file)).size == 8  # what fetches it has no good answer in the description: not judged
    await real.post(channel.id, Draft(message="a file", files=(file,)), name="case:2", tried_since=None)
    await real.typing(channel.id, post.id)
    await real.dialog(
        "t", PUBLIC, {"title": "Reply", "elements": [], "state": "s", "callback_id": "c", "submit_label": "Send"}
    )
    made = [one async for one in check.set_up(_settings(judged, tmp_path), real)]
    assert [one.state for one in made] == ["ok", "ok"], made
    (command,) = await real.commands(team.id)
    await real.change_command(command.id, {"team_id": team.id, "trigger": "case", "method": "P", "url": PUBLIC})
    await real.archive(channel.id)
    with pytest.raises(Refused):
        await real.post(channel.id, Draft(message="too late"), name="late", tried_since=None)
    await real.close()


async def test_a_whole_hand_over_is_as_described(twin: twins.Mattermost, judged: str, url: str, tmp_path: Path) -> None:
    async with box(tmp_path, twin, judged, timeout_s=60, running=False) as clinic:
        clinic.rooms.socket = type(clinic.rooms.socket)(
            Mattermost(url, twins.TOKEN).options, twins.TOKEN
        )  # prism has no WebSocket
        async with clinic.running():
            case = await clinic.waiting()
            channel = await clinic.channel(case)
            twin.write(clinic.ana, channel, "Hello")
            await clinic.until_said(case, "Hello")
            await clinic.writes(case.conversation, "Hi")
            await clinic.desk.resolve(case.id, _ana())
            await clinic.quiet()
            assert twin.channels[channel]["delete_at"]


async def test_the_judge_sees_what_is_wrong_on_either_side(
    twin: twins.Mattermost, judged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(
        base_url=judged, timeout=60, headers={"authorization": f"Bearer {twins.TOKEN}"}
    ) as client:
        assert (await client.post("/api/v4/posts", json={"message": "nowhere"})).status_code == 422
        assert (await client.post("/api/v4/users/status/ids", json={"ids": []})).status_code == 422
        monkeypatch.setitem(twin.users[twin.bot], "username", 5)
        assert (await client.get(f"/api/v4/users/{twin.bot}")).status_code == 500


def _settings(url: str, data: Path):
    import msgspec

    from appliance.config import Data

    return msgspec.structs.replace(config(url), data=Data(directory=str(data)))


def _ana():
    from tests.mattermost.box import PAGE

    return PAGE
