"""One clinic's encrypted database: one thread that writes, a few that read. Knows SQLCipher, not what the tables mean.

Other processes (the command line beside a running service) may open the same file: every write takes SQLite's write
lock from its first statement and waits up to five seconds for it. Only one process may serve (`sole_server`).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from queue import LifoQueue
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import sqlite_vec
from sqlcipher3 import dbapi2

from appliance.errors import BadInput, Busy, StoreFailed
from appliance.message import now
from appliance.records.keys import KEY_BYTES
from appliance.records.migrations import migrate

if TYPE_CHECKING:
    from sqlite3 import Connection  # the same methods as SQLCipher's, which comes without types
else:
    from sqlcipher3.dbapi2 import Connection

__all__ = ["Connection", "Database", "clinic_day", "iso", "sole_server"]

log = logging.getLogger(__name__)
T = TypeVar("T")

WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 128 * 1024
"""Filled only as pages are used. Once smaller than the vectors, each search decrypts them all again: 40,000 sentences
took 175 ms with 64 MB and 17 ms with 128 MB."""
LOCK_WAIT_S = 5.0
WAL_LIMIT = 64 * 2**20


def iso(at: datetime) -> str:
    """An aware time as the tables hold it: UTC, always with microseconds, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def clinic_day(connection: Connection) -> str:
    """The ISO date it is at the clinic: in California UTC is a day ahead all evening."""
    day: str = connection.execute("SELECT clinic_day()").fetchone()[0]
    return day


@contextmanager
def sole_server(path: Path) -> Iterator[None]:
    """Held while a process serves this database: a second one is refused. The kernel frees it when the process dies."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_name(path.name + ".serving"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreFailed(f"{path} is served by another process already: stop that one first") from None
        yield
    finally:
        os.close(handle)


class Database:
    """Made by `Database.open`. Work given to `read` and `write` runs in its threads and keeps no connection."""

    def __init__(self, path: Path, writer: Connection, readers: Sequence[Connection]) -> None:
        self.path = path
        self._writer = writer
        self._write_thread = ThreadPoolExecutor(1, "database-writer")
        self._read_threads = ThreadPoolExecutor(len(readers), "database-reader")
        self._idle: LifoQueue[Connection] = LifoQueue()  # the last used first: its cache is the warm one
        for reader in readers:
            self._idle.put(reader)
        self._wal = path.with_name(path.name + "-wal")
        self._wal_mark = WAL_LIMIT

    @classmethod
    async def open(cls, path: Path, key: bytes, *, readers: int = 3, zone: tzinfo = UTC) -> Database:
        """Make or open the file and bring its tables up to date. Raises StoreFailed in words that say what to do.

        ``zone`` is the clinic's, for ``clinic_day``.
        """
        return await asyncio.to_thread(cls._open, path, key, readers, zone)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, from one consistent state of everything committed. It cannot write."""
        return await asyncio.wrap_future(self._submit(self._read_threads, self._reading, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """All of ``work`` or nothing; returns when it would survive a power cut.

        A write once asked for is done even if the asker is cancelled: what was said must be recorded just then. One
        that could not begin within five seconds is refused as Busy, so that a stuck disk makes no endless queue.
        """
        asked = monotonic()
        return await asyncio.shield(asyncio.wrap_future(self._submit(self._write_thread, self._writing, work, asked)))

    async def faults(self) -> tuple[str, ...]:
        """Pages whose seal is broken, in SQLCipher's words; none in a sound file. Reads the whole file."""
        return await self.read(lambda c: tuple(str(row[0]) for row in c.execute("PRAGMA cipher_integrity_check")))

    async def close(self) -> None:
        """Finish what was asked for, then close. Idempotent."""
        await asyncio.shield(asyncio.to_thread(self._close))

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[..., T], *given: object) -> Future[T]:
        try:
            return threads.submit(work, *given)
        except RuntimeError:
            raise StoreFailed(f"{self.path} is closed: the service is stopping") from None

    def _reading(self, work: Callable[[Connection], T]) -> T:
        connection = self._idle.get()
        try:
            with _in_plain_words(self.path), _transaction(connection, "BEGIN"):
                return _at_home(work(connection))
        finally:
            self._idle.put(connection)

    def _writing(self, work: Callable[[Connection], T], asked: float) -> T:
        try:
            if monotonic() - asked > LOCK_WAIT_S:
                raise Busy(f"{self.path}: too many writes are waiting; try again")
            with _in_plain_words(self.path), _transaction(self._writer, "BEGIN IMMEDIATE"):
                result = _at_home(work(self._writer))
        except (Busy, StoreFailed) as error:
            log.error("write=failed reason=%s", error)  # here, because the asker may be gone
            raise
        self._keep_wal_small()
        return result

    def _keep_wal_small(self) -> None:
        # SQLite's own checkpoints never wait for readers, so constant reading lets the WAL grow without end. A reader
        # that stays is not waited for again until the WAL has grown by as much once more.
        try:
            size = self._wal.stat().st_size
            self._wal_mark = min(self._wal_mark, size + WAL_LIMIT)
            if size < self._wal_mark:
                return
            self._writer.execute("PRAGMA busy_timeout = 250")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._writer.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_S * 1000:.0f}")
            self._wal_mark = self._wal.stat().st_size + WAL_LIMIT
        except (OSError, dbapi2.Error) as error:  # the write itself is safe: it must not look failed
            log.warning("checkpoint=failed reason=%s", type(error).__name__)

    def _close(self) -> None:
        self._write_thread.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        while not self._idle.empty():
            self._idle.get().close()
        self._writer.close()

    @classmethod
    def _open(cls, path: Path, key: bytes, readers: int, zone: tzinfo) -> Database:
        opened: list[Connection] = []
        try:
            with _in_plain_words(path):
                with _making(path):
                    opened.append(_connection(path, key, WRITER_CACHE_KIB))
                    migrate(opened[0])
                for _ in range(readers):
                    opened.append(_connection(path, key, READER_CACHE_KIB))
                    opened[-1].execute("PRAGMA query_only = ON")
            for connection in opened:
                connection.create_function("clinic_day", 0, lambda: now().astimezone(zone).date().isoformat())
        except BaseException as error:
            for connection in opened:
                connection.close()
            if isinstance(error, OSError):
                raise StoreFailed(f"{path} cannot be made or opened: {error.strerror}") from error
            raise
        return cls(path, opened[0], opened[1:])


def _at_home(result: T) -> T:
    """What work returned; a cursor is closed, in the thread of its connection.

    pysqlite lends one compiled statement to one cursor after another. A cursor of `executemany` that another thread lets go
    of resets that statement while ours uses it: one write in some hundreds then failed with "Error binding parameter".
    """
    if isinstance(result, dbapi2.Cursor):
        result.close()
    return result


@contextmanager
def _making(path: Path) -> Iterator[None]:
    """One process at a time makes the file (0600; SQLite gives -wal and -shm the same mode) and its tables.

    `PRAGMA journal_mode=WAL` does not wait for a lock: without this, 8 of 250 first openings at once failed.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        # Only when it is not there: closing a second handle to an open database would drop SQLite's locks (POSIX).
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.fsync(directory)
        yield
    finally:
        os.close(directory)


def _connection(path: Path, key: bytes, cache_kib: int) -> Connection:
    if len(key) != KEY_BYTES:  # SQLCipher would take any other length for a passphrase
        raise ValueError(f"a database key is {KEY_BYTES} bytes")
    connection: Connection = dbapi2.connect(
        str(path), isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_S, cached_statements=256
    )
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")  # it would print to stderr; errors are told in our words
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _set_up(connection, cache_kib)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Connection, cache_kib: int) -> None:
    """Every setting is read back: with synchronous=NORMAL a power cut lost thousands of acknowledged writes."""
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    for setting, value, expected in (
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", 2),
        ("cache_size", -cache_kib, -cache_kib),
        ("temp_store", "MEMORY", 2),
        ("foreign_keys", "ON", 1),
        ("secure_delete", "ON", 1),
        ("journal_size_limit", WAL_LIMIT, WAL_LIMIT),
    ):
        connection.execute(f"PRAGMA {setting} = {value}").fetchall()
        if (actual := connection.execute(f"PRAGMA {setting}").fetchone()[0]) != expected:
            raise StoreFailed(f"the database refused {setting}={value} and has {actual}: reinstall sqlcipher3")


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        if not connection.in_transaction:
            raise RuntimeError("the work ended its own transaction")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _in_plain_words(path: Path) -> Iterator[None]:
    """Broken rules (IntegrityError) and our mistakes pass as they are; what an operator can mend is said in words."""
    try:
        yield
    except UnicodeEncodeError:  # it carries the whole text
        raise BadInput("the text holds half a character (a lone surrogate): send valid Unicode") from None
    except (dbapi2.IntegrityError, dbapi2.ProgrammingError, dbapi2.InterfaceError):
        raise
    except dbapi2.Error as error:
        # Not chained: SQLite's text can quote what was searched for.
        raise _told(path, error).with_traceback(error.__traceback__) from None


def _told(path: Path, error: Exception) -> Busy | StoreFailed:
    match getattr(error, "sqlite_errorcode", 1) & 0xFF:
        case 5 | 6:
            return Busy(f"{path} is being written by another process; try again")
        case 13:
            return StoreFailed(f"the disk that holds {path} is full: free some space. Everything acknowledged is kept")
        case 26:
            return StoreFailed(
                f"{path} does not open with this master key: put the right key back, or restore a backup"
            )
        case 11:
            return StoreFailed(
                f"{path} is damaged: stop the service, keep a copy of the file, restore the newest backup"
            )
        case 3 | 8 | 10 | 14 | 23:
            return StoreFailed(f"{path} cannot be read or written: check the disk, its mount and the file's owner")
        case code:
            return StoreFailed(
                f"the database refused a statement (SQLite code {code}): report it; it is a mistake of ours"
            )
