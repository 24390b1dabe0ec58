"""Members of staff: accounts, signing in, who is on duty. Knows no conversation.

Of a session and of a browser only the SHA-256 of a 256-bit token is kept. Wrong passwords make the next try wait longer,
for the pair of name and network address, or of name and browser where that browser has signed in before: so a stranger
locks out nobody but himself, even behind the same proxy.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from appliance.errors import BadInput, Busy, NotAllowed, NotFound, TooOften
from appliance.message import now
from appliance.people import passwords
from appliance.people.pace import stranger
from appliance.records import audit
from appliance.records.database import Connection, Database, iso

log = logging.getLogger(__name__)
T = TypeVar("T")

SignInName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{1,31}$")]
"""What a member types: small letters, digits, dot, dash, underscore."""
LEVELS: Final = (1, 2, 3)

ONE_TIME_DAYS: Final = 3
FREE_TRIES: Final = 3
LONGEST_WAIT_S: Final = 900.0
FORGOTTEN_S: Final = 3600.0
PAIRS: Final = 20_000
WAITING: Final = 20
"""Sign-ins that may wait for the processor: only one password is looked at, at a time."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly it is known when somebody was last there: each time costs a write."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the clinic."""

    id: str
    """The name to sign in with; never given to somebody else."""
    name: str
    """As patients see it: usually the first name."""
    role: str
    level: int
    """Group on call: 1 is told first."""
    on_duty: bool = False


class Account(Member, frozen=True, kw_only=True):
    """A member as the operator sees one."""

    created_at: datetime
    disabled_at: datetime | None
    one_time_until: datetime | None
    """Until then the one-time password works, once. None: the member has chosen a password."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has signed in."""

    member: Member
    must_change: bool
    """Signed in with a one-time password: nothing else can be done before a new one is chosen."""
    ends_at: datetime
    """At the latest."""
    idle_ends_at: datetime


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """For the browser's cookies; neither token is kept."""

    token: str
    browser: str
    session: Session


class Staff:
    """The only writer of accounts and sessions."""

    def __init__(
        self,
        database: Database,
        *,
        idle: timedelta = timedelta(minutes=30),
        longest: timedelta = timedelta(hours=12),
        clinic: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._idle = idle
        self._longest = longest
        self._clinic = clinic
        self._tries = _Tries(clock)
        self._one_at_a_time = asyncio.Semaphore(1)
        self._waiting = 0

    # ---- accounts ----------------------------------------------------------------------------------------------

    async def create(self, name: str, shown: str, role: str, level: int = 1) -> str:
        """A new account. Returns its one-time password, shown this once. Raises BadInput."""
        name = _checked(name, shown, role, level)
        password, kept = await self._one_time()

        def work(connection: Connection) -> None:
            added = connection.execute(
                "INSERT INTO staff (id, name, role, level, password, one_time_until, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (name, shown.strip(), role.strip(), level, kept, _one_time_until(), iso(now())),
            )
            if added.rowcount == 0:
                raise BadInput(f"{name} is taken, perhaps by a disabled account: choose another name, or `staff reset`")
            audit.record(connection, actor="operator", act="staff.create", subject=name, detail=f"level {level}")

        await self._database.write(work)
        return password

    async def reset(self, name: str) -> str:
        """A new one-time password; whoever is signed in with this name is signed out. Also opens a disabled account."""
        password, kept = await self._one_time()

        def work(connection: Connection) -> None:
            _change(
                connection,
                "UPDATE staff SET password = ?, one_time_until = ?, disabled_at = NULL WHERE id = ?",
                (kept, _one_time_until(), name),
            )
            _forget_browsers(connection, name)
            audit.record(connection, actor="operator", act="staff.reset", subject=name)

        await self._database.write(work)
        return password

    async def disable(self, name: str) -> None:
        """From now on this account opens nothing; its name stays in the records."""

        def work(connection: Connection) -> None:
            _change(
                connection,
                "UPDATE staff SET disabled_at = ?, password = '', on_duty = 0 WHERE id = ? AND disabled_at IS NULL",
                (iso(now()), name),
            )
            _forget_browsers(connection, name)
            audit.record(connection, actor="operator", act="staff.disable", subject=name)

        await self._database.write(work)

    async def list(self) -> list[Account]:
        """Every account, by name."""
        columns = ", ".join(Account.__struct_fields__)
        rows = await self._database.read(lambda c: c.execute(f"SELECT {columns} FROM staff ORDER BY id").fetchall())  # noqa: S608 - the names are the Struct's own
        return [
            msgspec.convert(dict(zip(Account.__struct_fields__, row, strict=True)), Account, strict=False)
            for row in rows
        ]

    async def member(self, name: str) -> Member | None:
        """The member of this name who may act."""
        return next((_member(one) for one in await self.list() if one.id == name and not one.disabled_at), None)

    async def groups(self) -> dict[int, tuple[Member, ...]]:
        """Who is on duty now, by level; a level without anybody is an empty tuple."""
        here = [_member(one) for one in await self.list() if one.on_duty and not one.disabled_at]
        return {level: tuple(one for one in here if one.level == level) for level in LEVELS}

    async def on_duty(self, name: str, here: bool) -> None:
        """This member takes conversations from now on, or no longer."""

        def work(connection: Connection) -> None:
            _change(connection, "UPDATE staff SET on_duty = ? WHERE id = ? AND disabled_at IS NULL", (here, name))
            audit.record(connection, actor=name, act="staff.on_duty" if here else "staff.off_duty", subject=name)

        await self._database.write(work)

    # ---- signing in --------------------------------------------------------------------------------------------

    async def sign_in(self, name: str, password: str, *, host: str | None = None, browser: str = "") -> SignedIn:
        """A session. ``browser`` is the token it was given when it signed in before.

        Raises NotAllowed for a wrong pair, the same for every reason; TooOften after several; Busy.
        """
        name = passwords.normal(name.strip().lower())
        known = await self._database.read(lambda c: _browser_of(c, browser))
        who = "browser " + _digest(browser).hex() if known == name else stranger(host)
        self._tries.begin(name, who)  # counted before it is looked at: two hundred at once are two hundred
        kept = await self._database.read(lambda c: _kept(c, name))
        if not await self._in_turn(passwords.matches, kept or "", password):
            await self._refused(name if kept is not None else None)
            raise NotAllowed("the name or the password is wrong")
        self._tries.forget(name, who)
        return await self._opened(name, kept or "", None if known == name else secrets.token_urlsafe(32), browser)

    async def session(self, token: str, *, seen: bool = False) -> Session | None:
        """Who this token is; None: nobody, or it has ended. ``seen``: the person did something just now."""
        at = now()
        found = await self._database.read(lambda c: _session(c, token))
        if found is None:
            return None
        member, must_change, began, last = found
        ends, idle_ends = began + self._longest, last + self._idle
        if at >= min(ends, idle_ends):
            return None
        if seen and at - last >= SEEN_EVERY:
            await self._database.write(
                lambda c: c.execute(
                    "UPDATE staff_session SET last_at = ? WHERE token_sha256 = ?", (iso(at), _digest(token))
                )
            )
            idle_ends = at + self._idle
        return Session(member=member, must_change=must_change, ends_at=ends, idle_ends_at=min(ends, idle_ends))

    async def change_password(self, token: str, new: str, *, old: str = "") -> str:
        """Choose a password; every session of the member ends, and a new one begins, whose token is returned.

        ``old`` is asked of whoever did not just use a one-time password. Raises NotAllowed, BadInput, TooOften.
        """
        session = await self.session(token)
        if session is None:
            raise NotAllowed("sign in first")
        member = session.member
        if not session.must_change:
            await self._prove(member.id, old, token)
        about = (member.id, member.name, member.role, self._clinic, "medinovai")
        await asyncio.to_thread(passwords.refuse_weak, new, about=about)
        kept = await self._in_turn(passwords.digest, new)
        fresh = secrets.token_urlsafe(32)

        def work(connection: Connection) -> None:
            gone = connection.execute("DELETE FROM staff_session WHERE token_sha256 = ?", (_digest(token),))
            if gone.rowcount == 0:
                raise NotAllowed("sign in first")
            connection.execute("UPDATE staff SET password = ?, one_time_until = NULL WHERE id = ?", (kept, member.id))
            connection.execute("DELETE FROM staff_session WHERE staff = ?", (member.id,))
            _begin(connection, member.id, fresh, must_change=False)
            audit.record(connection, actor=member.id, act="staff.password", subject=member.id)

        await self._database.write(work)
        return fresh

    async def sign_out(self, token: str) -> None:
        """This session ends. Nothing happens for one that has ended already."""

        def work(connection: Connection) -> None:
            if found := _session(connection, token):
                connection.execute("DELETE FROM staff_session WHERE token_sha256 = ?", (_digest(token),))
                audit.record(connection, actor=found[0].id, act="staff.sign_out", subject=found[0].id)

        await self._database.write(work)

    async def _opened(self, name: str, kept: str, new_browser: str | None, browser: str) -> SignedIn:
        token, oldest = secrets.token_urlsafe(32), iso(now() - self._longest)

        def work(connection: Connection) -> None:
            row = connection.execute(
                "SELECT one_time_until FROM staff WHERE id = ? AND password = ? AND disabled_at IS NULL", (name, kept)
            ).fetchone()
            if row is None:  # a one-time password used a moment ago, or an account just disabled
                raise NotAllowed("the name or the password is wrong")
            if row[0]:
                connection.execute("UPDATE staff SET password = '' WHERE id = ?", (name,))
            connection.execute("DELETE FROM staff_session WHERE created_at < ?", (oldest,))
            _begin(connection, name, token, must_change=bool(row[0]))
            if new_browser:
                connection.execute(
                    "INSERT INTO staff_browser (token_sha256, staff, created_at) VALUES (?, ?, ?)",
                    (_digest(new_browser), name, iso(now())),
                )
            audit.record(connection, actor=name, act="staff.sign_in", subject=name)

        await self._database.write(work)
        session = await self.session(token)
        if session is None:  # disabled between two statements
            raise NotAllowed("the name or the password is wrong")
        return SignedIn(token=token, browser=new_browser or browser, session=session)

    async def _prove(self, name: str, password: str, token: str) -> None:
        who = "session " + _digest(token).hex()
        self._tries.begin(name, who)
        kept = await self._database.read(lambda c: _kept(c, name))
        if not await self._in_turn(passwords.matches, kept or "", password):
            await self._refused(name)
            raise NotAllowed("the old password is wrong")
        self._tries.forget(name, who)

    async def _refused(self, known: str | None) -> None:
        """A name nobody has is not written down: people type their password where the name belongs."""
        if known is None:
            log.info("sign_in=refused name=unknown")
            return
        await self._database.write(lambda c: audit.record(c, actor="somebody", act="staff.refused", subject=known))

    async def _one_time(self) -> tuple[str, str]:
        password = passwords.one_time()
        return password, await self._in_turn(passwords.digest, password)

    async def _in_turn(self, work: Callable[..., T], *given: str) -> T:
        if self._waiting >= WAITING:
            raise Busy("many people sign in right now: try again in a moment", retry_after=5)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1


class _Tries:
    """Wrong passwords of a name from one place; each makes the next wait twice as long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def begin(self, name: str, who: str) -> None:
        """One more try, wrong until `forget`. Raises TooOften with the seconds to wait."""
        at, pair = self._clock(), (_short(name), who)
        wrong, last = self._wrong.get(pair, (0, at))
        if at - last > FORGOTTEN_S:
            wrong = 0
        wait = last + _pause(wrong) - at
        if wait > 0:
            raise TooOften("too many wrong passwords: wait, then try again", retry_after=wait)
        self._wrong[pair] = (wrong + 1, at)
        self._wrong.move_to_end(pair)
        if len(self._wrong) > PAIRS:
            self._wrong.popitem(last=False)

    def forget(self, name: str, who: str) -> None:
        self._wrong.pop((_short(name), who), None)


def _pause(wrong: int) -> float:
    return 0.0 if wrong < FREE_TRIES else float(min(LONGEST_WAIT_S, 2.0 ** min(30, wrong - FREE_TRIES + 1)))


def _short(name: str) -> str:
    """A stranger's name may be as long as a request."""
    return name if len(name) <= 40 else sha256(name.encode(errors="replace")).hexdigest()


def _checked(name: str, shown: str, role: str, level: int) -> str:
    try:
        known = msgspec.convert(name.strip().lower(), SignInName)
    except msgspec.ValidationError:
        raise BadInput("a name to sign in with has 2 to 32 small letters, digits, dots, dashes") from None
    if not 1 <= len(shown.strip()) <= 40 or not 1 <= len(role.strip()) <= 40:
        raise BadInput("the name and the role that patients see have 1 to 40 characters each")
    if level not in LEVELS:
        raise BadInput(f"a group is one of {', '.join(map(str, LEVELS))}: 1 is told first")
    return known


def _one_time_until() -> str:
    return iso(now() + timedelta(days=ONE_TIME_DAYS))


def _change(connection: Connection, sql: str, values: tuple[object, ...]) -> None:
    if connection.execute(sql, values).rowcount == 0:
        raise NotFound("no member of staff has this name; `medinovai staff list` shows all")


def _forget_browsers(connection: Connection, name: str) -> None:
    connection.execute("DELETE FROM staff_session WHERE staff = ?", (name,))
    connection.execute("DELETE FROM staff_browser WHERE staff = ?", (name,))


def _kept(connection: Connection, name: str) -> str | None:
    """What is kept of the password that works now: "" of one that works no more, None for an unknown name."""
    row = connection.execute(
        "SELECT iif(disabled_at IS NOT NULL OR one_time_until < ?, '', password) FROM staff WHERE id = ?",
        (iso(now()), name),
    ).fetchone()
    return None if row is None else str(row[0])


def _browser_of(connection: Connection, browser: str) -> str | None:
    if not browser:
        return None
    row = connection.execute("SELECT staff FROM staff_browser WHERE token_sha256 = ?", (_digest(browser),)).fetchone()
    return str(row[0]) if row else None


def _begin(connection: Connection, name: str, token: str, *, must_change: bool) -> None:
    at = iso(now())
    connection.execute(
        "INSERT INTO staff_session (token_sha256, staff, must_change, created_at, last_at) VALUES (?, ?, ?, ?, ?)",
        (_digest(token), name, must_change, at, at),
    )


def _session(connection: Connection, token: str) -> tuple[Member, bool, datetime, datetime] | None:
    row = connection.execute(
        "SELECT id, name, role, level, on_duty, must_change, session.created_at, last_at FROM staff_session AS session"
        " JOIN staff ON staff.id = session.staff WHERE token_sha256 = ? AND disabled_at IS NULL",
        (_digest(token),),
    ).fetchone()
    if row is None:
        return None
    member = Member(id=row[0], name=row[1], role=row[2], level=row[3], on_duty=bool(row[4]))
    return member, bool(row[5]), datetime.fromisoformat(row[6]), datetime.fromisoformat(row[7])


def _member(account: Account) -> Member:
    return Member(**{field: getattr(account, field) for field in Member.__struct_fields__})


def _digest(token: str) -> bytes:
    # A token is ASCII; whatever else a stranger sends must fail as unknown, not as an encoding error.
    return sha256(token.encode(errors="surrogatepass")).digest()
