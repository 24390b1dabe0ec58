"""Passwords of members of staff: what is strong enough, and what is kept of one. Knows no account and no store.

argon2id with the library's own settings (RFC 9106, "low memory"): a guess costs 64 MB and a fifth of a second.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from appliance.errors import BadInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LEAST: Final = 12
MOST: Final = 128
"""Characters. What is longer would cost time to look at and proves nothing more."""
LOOKED_AT: Final = 64
"""How much of a password its strength is judged by: the judge's time grows with the square."""
LEAST_SCORE: Final = 3
"""zxcvbn's "safely unguessable": 100 million guesses and more."""
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter of a one-time password is taken for another."""


def one_time() -> str:
    """A password to be read out or written down, used once: 79 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def refuse_weak(password: str, *, about: tuple[str, ...]) -> None:
    """Raises BadInput unless it is strong; ``about`` are words a stranger would try first: names, the clinic."""
    plain = normal(password)
    if len(plain) < LEAST:
        raise BadInput(f"a password has at least {LEAST} characters: take four words that do not belong together")
    if len(plain) > MOST:
        raise BadInput(f"a password has at most {MOST} characters")
    if any(len(word) > 2 and plain.casefold() in (word.casefold(), word.casefold() * 2) for word in about):
        raise BadInput("a password is not a name: take four words that do not belong together")
    if _score(plain, about) < LEAST_SCORE:
        raise BadInput("this password is easy to guess: take four words that do not belong together")


def digest(password: str) -> str:
    """What is kept of a password. Takes a fifth of a second: call it in a thread."""
    return _hasher().hash(normal(password))


def matches(kept: str, password: str) -> bool:
    """Is this the password? Takes as long for nothing kept as for something. Call it in a thread."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(kept or _nobodys(), normal(password)[: MOST + 1]) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


def normal(password: str) -> str:
    """Two keyboards may send one letter as different code points."""
    return unicodedata.normalize("NFC", password.encode(errors="replace").decode())


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # when somebody signs in, not with every command

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash(secrets.token_urlsafe())


def _score(password: str, about: tuple[str, ...]) -> int:
    from zxcvbn import zxcvbn  # half a megabyte of word lists, read when somebody chooses a password

    return int(zxcvbn(password[:LOOKED_AT], user_inputs=[word for word in about if word])["score"])
