"""What Twilio posts: only what it signed for us is believed, once, and at once acknowledged."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from appliance.channels.sms.carrier import signature_check
from appliance.errors import StoreFailed
from tests.sms.box import PATIENT, Box
from tests.twins.twilio import CLINIC, FORM, PUBLIC, SERVICE, Twilio, signature

INCOMING = "/api/sms/incoming"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


async def count(line: Box) -> int:
    return int((await line.rows("SELECT count(*) FROM sms_in"))[0][0])


def test_the_published_vectors_are_signed_as_published() -> None:
    check = signature_check("12345")
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE", "Digits": "1234", "From": "+12349013030", "To": "+18005551212",
        "Caller": "+12349013030",
    }  # fmt: skip
    assert check(url, form, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")
    assert signature(url, form, "12345") == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    other = form | {"From": "+14158675309", "Caller": "+14158675309"}
    assert check(url, other, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not check(url, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


async def test_a_text_is_kept_and_acknowledged_with_empty_twiml_before_it_is_answered(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    line.assistant.pause_after = 0  # a model that never comes back
    async with asyncio.timeout(60):
        reply = await twilio.post(client, twilio.text(PATIENT, "When are you open?"))
    assert (reply.status_code, reply.text) == (200, EMPTY)
    assert reply.headers["content-type"].startswith("application/xml")
    assert await line.rows("SELECT state, text FROM sms_in") == [("waiting", "When are you open?")]
    assert not line.assistant.asked


async def test_the_same_message_posted_again_is_answered_once(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    form = twilio.text(PATIENT, "When are you open?")
    replies = await asyncio.gather(*(twilio.post(client, form) for _ in range(5)))
    await line.sent()
    replies.append(await twilio.post(client, form))  # and a replay after it was answered
    await line.sent()
    assert {reply.status_code for reply in replies} == {200}
    assert len(twilio.to(PATIENT)) == 1


async def test_a_message_is_still_known_when_its_conversation_was_forgotten(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    form = twilio.text(PATIENT, "When are you open?")
    await twilio.post(client, form)
    await line.sent()
    await line.conversations.forget(older_than_days=-1)
    assert await line.rows("SELECT * FROM sms_number") == []
    await twilio.post(client, form)
    await line.sent()
    assert len(twilio.to(PATIENT)) == 1


async def test_no_proxys_header_decides_which_address_was_signed(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    form = twilio.text(PATIENT, "hello")
    evil = "https://evil.example/api/sms/incoming"
    headers = {
        "x-twilio-signature": signature(evil, form), "content-type": FORM, "host": "evil.example",
        "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example;proto=https",
    }  # fmt: skip
    assert (await client.post(INCOMING, content=urlencode(form), headers=headers)).status_code == 403
    headers |= {"x-twilio-signature": signature(PUBLIC + INCOMING, form)}
    assert (await client.post(INCOMING, content=urlencode(form), headers=headers)).status_code == 200


async def test_an_address_with_the_port_is_signed_too(client: httpx.AsyncClient, twilio: Twilio, line: Box) -> None:
    form = twilio.text(PATIENT, "hello")
    headers = {"x-twilio-signature": signature(f"{PUBLIC}:443{INCOMING}", form), "content-type": FORM}
    assert (await client.post(INCOMING, content=urlencode(form), headers=headers)).status_code == 200


async def test_another_number_or_account_is_not_ours(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    for strange in (
        {"To": "+15035550999"},
        {"AccountSid": "AC" + "9" * 32},
        {"MessagingServiceSid": SERVICE, "To": "1"},
    ):
        reply = await twilio.post(client, twilio.text(PATIENT, "hello") | strange)
        assert reply.status_code == 403, strange
    assert await count(line) == 0


async def test_ten_thousand_forged_or_mutated_webhooks_are_all_refused(
    line: Box, client: httpx.AsyncClient, twilio: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    chance = random.Random(11)  # noqa: S311 - no secret
    signed = [twilio.text(PATIENT, words) for words in WORDS]
    tried = 0
    kinds: dict[str, int] = {}
    for kind, query, body, headers in forged(signed, chance):
        reply = await client.post(INCOMING + query, content=body, headers=headers)
        assert 400 <= reply.status_code < 500, (kind, reply.status_code, body)
        kinds[kind] = kinds.get(kind, 0) + 1
        tried += 1
        if tried == 10_000:
            break
    assert tried == 10_000 and min(kinds.values()) > 200, kinds
    assert await count(line) == 0
    assert (await twilio.post(client, signed[0])).status_code == 200  # the original itself is still good


WORDS = (
    "hello",
    "I have Cancer pain",
    "STOP",
    "¿Abren hoy?",
    "你们几点开门？",
    "क्लिनिक कब खुलेगा?",
    "a=b&From=+1555 & more",
    "",
)

Post = tuple[str, str, bytes, dict[str, str]]


def forged(signed: list[dict[str, str]], chance: random.Random) -> Iterator[Post]:
    """Posts that Twilio did not make. Those that only write the same fields otherwise are left out."""
    makers = (_no_signature, _random_signature, _wrong_token, _wrong_address, _bent_signature, _changed, _dropped, _added,
              _torn, _swallowed, _twice, _bytes, _query, _json)  # fmt: skip
    while True:
        form = dict(chance.choice(signed))
        maker = chance.choice(makers)
        query, body, headers = maker(form, signature(PUBLIC + INCOMING, form), chance)
        same = sorted(parse_qsl(body.decode("latin-1"), keep_blank_values=True)) == sorted(
            parse_qsl(urlencode(form), keep_blank_values=True)
        )
        good = headers.get("x-twilio-signature") == signature(PUBLIC + INCOMING, form)
        if same and good and not query and headers.get("content-type") == FORM:
            continue
        yield maker.__name__, query, body, headers


Made = tuple[str, bytes, dict[str, str]]


def _head(signed: str) -> dict[str, str]:
    return {"x-twilio-signature": signed, "content-type": FORM}


def _no_signature(form: dict[str, str], _: str, chance: random.Random) -> Made:
    return "", urlencode(form).encode(), {"content-type": FORM} | chance.choice([{}, {"x-twilio-signature": ""}])


def _random_signature(form: dict[str, str], _: str, chance: random.Random) -> Made:
    return "", urlencode(form).encode(), _head(base64.b64encode(chance.randbytes(20)).decode())


def _wrong_token(form: dict[str, str], _: str, chance: random.Random) -> Made:
    return (
        "",
        urlencode(form).encode(),
        _head(signature(PUBLIC + INCOMING, form, chance.choice(["", "token", "12345"]))),
    )


def _wrong_address(form: dict[str, str], _: str, chance: random.Random) -> Made:
    wrong = ["http://assistant.clinic.example/api/sms/incoming", f"{PUBLIC}{INCOMING}/", f"{PUBLIC}/api/sms/status",
             f"{PUBLIC}:8443{INCOMING}", f"https://evil.example{INCOMING}", ""]  # fmt: skip
    return "", urlencode(form).encode(), _head(signature(chance.choice(wrong), form))


def _bent_signature(form: dict[str, str], good: str, chance: random.Random) -> Made:
    place = chance.randrange(len(good) - 1)
    letter = chance.choice([one for one in "abcXYZ019+/" if one != good[place]])
    bent = [good[:place] + letter + good[place + 1 :], good[:-1], good + "=", good.swapcase(), good[::-1]]
    return "", urlencode(form).encode(), _head(chance.choice([one for one in bent if one != good]))


def _changed(form: dict[str, str], good: str, chance: random.Random) -> Made:
    name = chance.choice(list(form))
    value = form[name]
    form[name] = chance.choice(
        [value + "x", value[1:], value.upper(), "+15035550666", CLINIC, value + " ", "\u0000" + value]
    )
    return "", urlencode(form).encode(), _head(good)


def _dropped(form: dict[str, str], good: str, chance: random.Random) -> Made:
    del form[chance.choice([name for name in form if form[name]])]
    return "", urlencode(form).encode(), _head(good)


def _added(form: dict[str, str], good: str, chance: random.Random) -> Made:
    form |= {chance.choice(["OptOutType", "Zzz", "MediaUrl0", "body"]): chance.choice(["STOP", "x", "1"])}
    return "", urlencode(form).encode(), _head(good)


def _torn(form: dict[str, str], good: str, chance: random.Random) -> Made:
    """A value cut in two, its rest made a name: what is signed runs together and stays the same."""
    name = chance.choice([one for one in form if len(form[one]) > 1])
    value = form[name]
    place = chance.randrange(1, len(value))
    form |= {name: value[:place], value[place:]: ""}
    return "", urlencode(form).encode(), _head(good)


def _swallowed(form: dict[str, str], good: str, chance: random.Random) -> Made:
    """A name and its value made part of the value before it: what is signed stays the same."""
    names = sorted(form)
    place = chance.randrange(len(names) - 1)
    form[names[place]] += names[place + 1] + form.pop(names[place + 1])
    if names[place] in HARMLESS and names[place + 1] in HARMLESS:
        form["From"] += "0"  # nobody reads these two: that one took the other in changes nothing
    return "", urlencode(form).encode(), _head(good)


HARMLESS = {
    "ApiVersion", "FromCity", "FromCountry", "FromState", "FromZip", "NumSegments", "SmsMessageSid", "SmsSid", "SmsStatus",
    "ToCity", "ToCountry", "ToState", "ToZip",
}  # fmt: skip


def _twice(form: dict[str, str], good: str, chance: random.Random) -> Made:
    """The same field twice: Twilio's check takes both for one."""
    name = chance.choice(list(form))
    return "", urlencode([*form.items(), (name, form[name])]).encode(), _head(good)


def _bytes(form: dict[str, str], good: str, chance: random.Random) -> Made:
    body = bytearray(urlencode(form).encode())
    body[chance.randrange(len(body))] = chance.choice(b"\x00\xff&=%;xX")
    return "", bytes(body), _head(good)


def _query(form: dict[str, str], good: str, chance: random.Random) -> Made:
    query = chance.choice(["?bodySHA256=" + "0" * 64, "?Body=other", "?", "?x"])
    return (query if query != "?" else "?a=1"), urlencode(form).encode(), _head(good)


def _json(form: dict[str, str], good: str, chance: random.Random) -> Made:
    kind = chance.choice(["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
    return "", urlencode(form).encode(), _head(good) | {"content-type": kind}


async def test_neither_number_nor_words_reach_the_log_or_the_tables_in_the_clear(
    line: Box, client: httpx.AsyncClient, twilio: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.faults = ["500_after", "429", "hang_after"]
    await twilio.post(client, twilio.text(PATIENT, "my secret rash"))
    await twilio.post(client, twilio.text("+15035550178", "my other rash") | {"From": "no number"})
    twilio.refuses["+15035550179"] = 21211
    await twilio.post(client, twilio.text("+15035550179", "third rash"))
    async with line.line.running():
        await line.drained()
    for made in twilio.made:
        await twilio.call_back(client, made)
    said = "\n".join(
        record.getMessage() for record in caplog.records if "appliance" in record.name or "twilio" in record.name
    )
    assert "sms=" in said
    assert not re.search(r"rash|5550177|5550178|5550179|open at nine", said), said
    for table in ("sms_number", "sms_in", "sms_out", "sms_consent", "audit"):
        for row in await line.rows(f"SELECT * FROM {table}"):  # noqa: S608 - our own tables
            assert b"5550177" not in repr(row).encode() and "rash" not in repr(row), table


async def test_where_our_store_fails_an_emergency_is_answered_in_twilios_own_reply(
    line: Box, client: httpx.AsyncClient, twilio: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_received: object) -> bool:
        raise StoreFailed("the disk is full")

    monkeypatch.setattr(line.texts, "receive", full)
    monkeypatch.setattr(line.live, "_answering", _without_a_store)  # the real pipeline needs no store in an emergency
    reply = await twilio.post(client, twilio.text(PATIENT, "chest pain & fear"))
    assert reply.status_code == 200 and "<Message>Call 911 now.</Message>" in reply.text
    reply = await twilio.post(client, twilio.text(PATIENT, "When do you open?"))
    assert reply.status_code == 200 and "(503) 555-0100" in reply.text


async def _without_a_store(_message: object):
    from appliance.message import Opening
    from appliance.message import Text as Words

    yield Opening(kind="emergency", language="en")
    yield Words(text="Call 911 now.")
