"""What we post for staff. Keeps a patient's words out of notifications, and keeps what they contain from doing anything."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import msgspec

from appliance.channels.mattermost.rest import Draft
from appliance.config import Config
from appliance.conversations.case import Case
from appliance.conversations.rooms import Act

COLOURS: Final = ("#b3261e", "#b26a00", "#0f5f63")
"""By urgency."""
STYLES: Final[Mapping[Act, str]] = {"accept": "primary", "reply": "default", "return": "default", "resolve": "good"}
LONGEST: Final = 7_000
"""Of one attachment; Mattermost takes a little more."""


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    urgency: tuple[str, str, str]
    reason: dict[str, str]
    language: dict[str, str]
    channel: dict[str, str]
    identity: dict[str, str]
    button: dict[str, str]
    line: dict[str, str]
    refused: dict[str, str]
    answer: dict[str, str]
    dialog: dict[str, str]


class Wording:
    """Drafts of posts. ``link`` of a case is where the staff page is."""

    def __init__(self, config: Config) -> None:
        file = resources.files("appliance.channels.mattermost").joinpath("words.toml")
        self.words = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Words)
        self._settings = config.mattermost
        self._page = f"{config.server.public_url}/staff" if config.server.public_url else ""

    def shown(self, case: Case) -> str:
        """The channel's name: number and urgency, no more."""
        return f"Case {case.id} · {self.words.urgency[case.urgency]}"

    def line(self, key: str, **values: object) -> str:
        return self.words.line[key].format(**values)

    def refused(self, key: str, **values: object) -> Draft:
        return Draft(message=self.words.refused[key].format(**values))

    def answer(self, key: str, **values: object) -> str:
        return self.words.answer[key].format(**values)

    def case(self, case: Case, called: tuple[str, ...], tokens: Mapping[Act, str], url: str) -> Draft:
        """The post with the buttons."""
        message = " ".join((*map("@{}".format, called), self._opened(case)))
        first: dict[str, Any] = {
            "fallback": self._opened(case),
            "color": COLOURS[case.urgency],
            "text": "\n\n".join(part for part in (self._state(case), self._link(), self._summary(case)) if part),
            "fields": [{"title": title, "value": value, "short": True} for title, value in self._facts(case)],
        }
        if tokens:
            first["actions"] = [self._button(act, token, url) for act, token in tokens.items()]
        rest: list[Mapping[str, Any]] = []
        if case.suggested and case.open and self._settings.relay_words:
            words = self.line("suggested")
            rest.append({"fallback": words, "title": words, "text": plain(case.suggested[:LONGEST])})
        return Draft(message=message, attachments=(first, *rest))

    def graver(self, case: Case, called: tuple[str, ...]) -> Draft:
        words = self.line("graver", case=case.id, urgency=self.words.urgency[case.urgency])
        return Draft(message=" ".join((*map("@{}".format, called), words)))

    def called(self, case: Case, called: tuple[str, ...]) -> Draft:
        words = self.line("called", case=case.id, urgency=self.words.urgency[case.urgency])
        return Draft(message=" ".join((*map("@{}".format, called), words)))

    def patient(self, text: str) -> Draft:
        if not text.strip():
            return Draft(message=self.line("pressed"))
        if not self._settings.relay_words:
            return Draft(message=self.line("patient_hidden"))
        return self._quoted(self.line("patient"), text)

    def staff(self, key: str, name: str, role: str, text: str) -> Draft:
        if not text:
            return Draft(message=self.line("staff_taken_back", name=plain(name), role=plain(role)))
        if not self._settings.relay_words:
            return Draft(message=self.line("staff_hidden", name=plain(name), role=plain(role)))
        return self._quoted(self.line(key, name=plain(name), role=plain(role)), text)

    def note(self, name: str, text: str) -> Draft:
        return self._quoted(self.line("note", name=plain(name)), text)

    def dialog(self, case: Case, token: str) -> dict[str, Any]:
        """A form for the reply; the suggested one stands in it."""
        words = self.words.dialog
        suggested = case.suggested[:3_000] if self._settings.relay_words else ""
        element = {
            "display_name": words["label"],
            "name": "text",
            "type": "textarea",
            "max_length": 3_000,
            "default": suggested,
        }
        return {
            "callback_id": "reply",
            "title": words["title"][:24],
            "elements": [element],
            "submit_label": words["send"],
            "state": token,
        }

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _opened(self, case: Case) -> str:
        return self.line(
            "opened", case=case.id, urgency=self.words.urgency[case.urgency], reason=self.words.reason[case.reason]
        )

    def _state(self, case: Case) -> str:
        state = case.state if case.open else "closed"
        return self.line(state, name=plain(case.accepted_name or ""), prefix=f"`{self._settings.note_prefix}`")

    def _link(self) -> str:
        return f"[{self.line('page')}]({self._page})" if self._page else ""

    def _summary(self, case: Case) -> str:
        return quoted(case.summary[:LONGEST]) if case.summary and self._settings.relay_words else ""

    def _facts(self, case: Case) -> list[tuple[str, str]]:
        words = self.words
        facts = [
            ("Language", words.language[case.language]),
            ("Writes by", words.channel[case.channel]),
            ("Identity", words.identity[case.channel]),
        ]
        return facts + ([("Site", plain(case.site))] if case.site else [])

    def _button(self, act: Act, token: str, url: str) -> dict[str, Any]:
        return {
            "id": act,
            "name": self.words.button[act],
            "style": STYLES[act],
            "type": "button",
            "integration": {"url": url, "context": {"token": token}},
        }

    def _quoted(self, line: str, text: str) -> Draft:
        return Draft(message=line, attachments=({"fallback": line, "text": quoted(text[:LONGEST])},))


def plain(text: str) -> str:
    """As it was written: no mention, no link, no picture, no heading comes of it.

    A zero-width space goes after what begins a mention or an address: Mattermost reads those before any backslash.
    """
    escaped = _MARKS.sub(r"\\\g<0>", text.replace("\r\n", "\n"))
    return _BEGINNINGS.sub(lambda found: f"{found[0]}\u200b", escaped)


def quoted(text: str) -> str:
    """A patient's words, each line marked as such."""
    return "\n".join(f"> {line}" for line in plain(text).split("\n"))


_MARKS: Final = re.compile(r"[\\`*_{}\[\]()<>#!|~]")
_BEGINNINGS: Final = re.compile(r"@|://|www(?=\.)|(?<=[\w])\.(?=[a-z]{2,}/)|:(?=[a-z0-9_+-]+:)", re.IGNORECASE)
