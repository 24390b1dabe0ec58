"""Self-tests of the box: what `medinovai doctor` says. Looks only; knows no patient and mends nothing.

Each check is one small function that returns a Check. ``remedy`` is what a person types or does next.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from appliance.config import Config
from appliance.errors import ApplianceError
from appliance.operations import history
from appliance.records.keys import master_key
from models import ModelError
from models.store import Store

State = Literal["ok", "warning", "failing"]

GIGABYTE = 1024**3


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found."""

    name: str
    state: State
    words: str
    remedy: str = ""


def checks(config: Config, store: Store) -> Iterator[Check]:
    """Every check of the box, in the order a person would look."""
    for check in (
        python,
        database_engine,
        directory,
        key,
        disk,
        memory,
        processor,
        port,
        certificate,
        clock,
        self_test,
    ):
        yield check(config)
    yield embedder(config.models.embedder, store)
    yield chat(config.models.chat, store)


def alerts(opened: Sequence[datetime.datetime]) -> Check:
    """Emergencies that nobody of the clinic has closed: ``opened`` is when they were recognised."""
    if not opened:
        return _ok("alerts", "No emergency is open.")
    oldest = datetime.datetime.now(datetime.UTC) - min(opened)
    words = f"{len(opened)} open, the oldest for {_lasting(oldest)}."
    if oldest > SEEN_WITHIN:
        return _warning("alerts", words, "Run: medinovai alerts list; close each that was seen to.")
    return _ok("alerts", words)


SEEN_WITHIN = datetime.timedelta(hours=1)


def cases(waiting: Sequence[datetime.datetime], open_: int) -> Check:
    """Patients who wait for a person: ``waiting`` is since when; ``open_`` counts those whom somebody has, too."""
    if not waiting:
        return _ok("cases", f"{open_} open, nobody waits." if open_ else "None is open.")
    longest = datetime.datetime.now(datetime.UTC) - min(waiting)
    words = f"{len(waiting)} of {open_} wait for a person, the longest for {_lasting(longest)}."
    if longest > SEEN_WITHIN:
        return _warning("cases", words, "Take them on the staff page, or: medinovai cases list")
    return _ok("cases", words)


def outbox(waiting: Sequence[datetime.datetime]) -> Check:
    """What could not be told outside yet: ``waiting`` is when it was written."""
    if not waiting:
        return _ok("outbox", "Nothing waits to be delivered.")
    oldest = datetime.datetime.now(datetime.UTC) - min(waiting)
    words = f"{len(waiting)} waiting, the oldest for {_lasting(oldest)}."
    if oldest > DELIVERED_WITHIN:
        return _warning("outbox", words, "Is the service running, and can it reach the channels? See its log.")
    return _ok("outbox", words)


def texts(since: datetime.datetime | None) -> Check:
    """Text messages: since when the oldest waits for an answer, or to be sent."""
    waited = datetime.datetime.now(datetime.UTC) - since if since else datetime.timedelta()
    if waited <= DELIVERED_WITHIN:
        return _ok("text messages", "None is late.")
    words = f"One has waited for {_lasting(waited)}."
    return _warning("text messages", words, "Run: medinovai sms check; is the service running?")


def token(channel: str, there: bool, remedy: str) -> Check:
    """A channel that is set up, but has no secret to sign in with, is off."""
    if there:
        return _ok(channel, "Set up, and its token is there.")
    return _failing(channel, "It is off: set up, but its token is missing.", remedy)


DELIVERED_WITHIN = datetime.timedelta(minutes=5)


def signed_answers(expired: Sequence[str], due: Sequence[str]) -> Check:
    """An expired one answers no more; one that is due for review still does."""
    if not expired and not due:
        return _ok("signed answers", "None is expired or due for review.")
    found = (("Expired", expired), ("Due for review", due))
    words = " ".join(f"{what}: {', '.join(names)}." for what, names in found if names)
    return _warning("signed answers", words, "Review them, then: medinovai answers import FILE --by NAME")


def glossary(concepts: int, wrong: str) -> Check:
    """The clinic's own words, in glossary.toml of the data directory; a file with a mistake is left out whole."""
    if wrong:
        return _warning("glossary", f"The clinic's own words are left out. {wrong}", "Correct the line, then restart.")
    return _ok("glossary", f"{concepts} of the clinic's own concepts join ours.")


def records(reason: str) -> Check:
    """The clinic's database does not open."""
    return _failing("records", reason, "See the check of the key and of the data directory.")


def exit_code(found: list[Check]) -> int:
    """0 all well, 1 somebody should look, 2 it will not work."""
    return max(({"ok": 0, "warning": 1, "failing": 2}[check.state] for check in found), default=0)


def python(_config: Config) -> Check:
    return _ok("python", f"Python {platform.python_version()}.")


def database_engine(_config: Config) -> Check:
    """Encryption, full-text search and vector search in one open database."""
    import sqlcipher3
    import sqlite_vec

    connection = sqlcipher3.connect(":memory:")
    try:
        cipher = connection.execute("pragma cipher_version").fetchone()
        connection.execute("create virtual table words using fts5(word)")
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        (vectors,) = connection.execute("select vec_version()").fetchone()
    except sqlcipher3.Error as error:
        return _failing(
            "database engine", f"An extension does not load: {error}.", "Install the product again: make run."
        )
    finally:
        connection.close()
    if not cipher:
        return _failing("database engine", "The database would not be encrypted.", "Install sqlcipher3 again.")
    return _ok("database engine", f"SQLCipher {cipher[0]}, FTS5, sqlite-vec {vectors}.")


def directory(config: Config) -> Check:
    place = Path(config.data.directory)
    if not place.is_dir():
        return _failing("data directory", f"{place} does not exist.", "Run: medinovai init")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return _failing("data directory", f"{place} cannot be written by this user.", f"Run: chown -R $USER {place}")
    if place.stat().st_mode & 0o077:
        return _warning("data directory", f"{place} can be read by others.", f"Run: chmod 700 {place}")
    return _ok("data directory", f"{place}, readable by its owner only.")


def key(config: Config) -> Check:
    try:
        master_key(Path(config.data.directory))
    except (ApplianceError, OSError) as error:
        return _failing("key", str(error), "Put the key back from its copy; for a new clinic: medinovai init")
    return _ok("key", "The master key is there and is kept from others.")


def disk(config: Config) -> Check:
    free = shutil.disk_usage(_existing(Path(config.data.directory))).free / GIGABYTE
    words = f"{free:.1f} GB free."
    if free < 0.5:
        return _failing("disk", words, "Free at least 2 GB on the disk of the data directory.")
    if free < 2:
        return _warning("disk", words, "Free at least 2 GB on the disk of the data directory.")
    return _ok("disk", words)


def memory(_config: Config) -> Check:
    free = _meminfo("MemAvailable") / GIGABYTE
    words = f"{free:.1f} GB of memory available."
    if free < 0.4:
        return _failing("memory", words, "Stop other programs, or give the machine 2 GB or more.")
    if free < 1:
        return _warning("memory", words, "Stop other programs, or give the machine 2 GB or more.")
    return _ok("memory", words)


def processor(_config: Config) -> Check:
    cores, flags = os.cpu_count() or 1, _cpu_flags()
    if os.uname().machine == "x86_64" and "avx2" not in flags:
        return _warning(
            "processor", f"{cores} cores without AVX2: written answers will be slow.", "Use a newer machine."
        )
    best = next((flag for flag in ("avx512_vnni", "avx512f", "avx2", "asimddp", "asimd") if flag in flags), "")
    return _ok("processor", f"{cores} cores{f', {best}' if best else ''}.")


def port(config: Config) -> Check:
    """Free to listen on; or already ours, which is well too."""
    host, number = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, number))
        except OSError as error:
            remedy = "Is the assistant running already? Else set another server.port, or server.host."
            return _warning("port", f"{host}:{number} cannot be listened on ({error.strerror}).", remedy)
    return _ok("port", f"{host}:{number} is free.")


def certificate(config: Config) -> Check:
    if not config.server.certificate:
        beyond = config.server.host not in ("127.0.0.1", "::1", "localhost")
        words = "a self-made certificate; browsers will warn." if beyond else "not needed on this machine only."
        return (_warning if beyond else _ok)("certificate", words.capitalize(), CERTIFICATE_REMEDY if beyond else "")
    from cryptography.x509 import load_pem_x509_certificate

    try:
        expires = load_pem_x509_certificate(Path(config.server.certificate).read_bytes()).not_valid_after_utc
        Path(config.server.private_key).read_bytes()
    except (OSError, ValueError) as error:
        return _failing("certificate", f"Cannot be read: {error}.", "Set server.certificate and server.private_key.")
    days = (expires - datetime.datetime.now(datetime.UTC)).days
    words = f"Valid until {expires:%Y-%m-%d} ({days} days)."
    if days < 0:
        return _failing("certificate", words, "Put a new certificate in its place.")
    return _warning("certificate", words, "Renew it soon.") if days < 21 else _ok("certificate", words)


CERTIFICATE_REMEDY = "Set server.certificate and server.private_key to the clinic's own."


def clock(_config: Config) -> Check:
    """A clock before this program was made would call documents not in force yet."""
    now, made = datetime.datetime.now(datetime.UTC), Path(__file__).stat().st_mtime
    if now.timestamp() < made - 86_400:
        return _failing(
            "clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC, which is past.", "Set the clock (timedatectl)."
        )
    return _ok("clock", f"{now:%Y-%m-%d %H:%M} UTC.")


def self_test(config: Config) -> Check:
    """The newest run of each set: worse than its last good one is told until a run is good again."""
    place = Path(config.data.directory)
    try:
        newest = {run.command: run for run in history.runs(place) if run.command in history.NIGHTLY}.values()
    except OSError as error:
        return _warning("self-test", f"{place / history.FILE} cannot be read ({error.strerror}).", f"Mend {place}.")
    if worse := [f"{fall} ({run.command})" for run in newest for fall in run.fell]:
        return _warning("self-test", f"{'; '.join(worse)}.", "Run: medinovai eval nightly --html FILE; read FILE.")
    if not newest:
        return _ok("self-test", f"Not run yet; it asks questions.jsonl and safety.csv in {place}.")
    last = max(run.at for run in newest)
    return _ok("self-test", f"No worse than before; last run on {last:%Y-%m-%d %H:%M} UTC.")


def embedder(name: str, store: Store) -> Check:
    """Without it nothing is found and every question is answered with how to reach a person."""
    return _whole("embedder", name, store) or _ok("embedder", f"{name}: here and whole.")


def chat(name: str, store: Store) -> Check:
    """Quotes need no such model; one that is here must be whole, and must have passed before it speaks."""
    if not name:
        return _ok("chat model", "None: answers are quoted.")
    if broken := _whole("chat model", name, store):
        return broken
    verdict = store.verdict(store.sha256(name))
    if verdict is None or not verdict.passed:
        why = "has not been examined" if verdict is None else f"did not pass on {verdict.at:%Y-%m-%d}"
        return _ok("chat model", f"{name}: here and whole; it {why}, so answers are quoted.")
    return _ok("chat model", f"{name}: here and whole; may write in {', '.join(verdict.languages)}.")


def _whole(check: str, name: str, store: Store) -> Check | None:
    """What is wrong with a model's file, if anything: reads all of it."""
    try:
        store.verify(name)
    except ModelError as error:
        return _failing(check, str(error), "Run: medinovai models list")
    return None


def _ok(name: str, words: str, remedy: str = "") -> Check:
    return Check(name=name, state="ok", words=words, remedy=remedy)


def _warning(name: str, words: str, remedy: str) -> Check:
    return Check(name=name, state="warning", words=words, remedy=remedy)


def _failing(name: str, words: str, remedy: str) -> Check:
    return Check(name=name, state="failing", words=words, remedy=remedy)


def _lasting(time: datetime.timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _existing(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())


def _meminfo(field: str) -> int:
    """Bytes of a line of /proc/meminfo."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _cpu_flags() -> frozenset[str]:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()
