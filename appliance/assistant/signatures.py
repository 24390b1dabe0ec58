"""The table of signed answers, inside one transaction each: every change is a new version with its entry in the audit.

Knows SQL and which version counts; not when a question is the same as another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from appliance.errors import NotFound
from appliance.message import LANGUAGES, Language, now
from appliance.records import audit
from appliance.records.database import Connection, iso
from models import Vectors

Standing = Literal["answers", "due", "later", "expired", "withdrawn"]
"""``due``: it still answers, but should have been looked at again by now."""


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer in one language, and the questions it answers as patients put them."""

    questions: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(min_length=1, max_length=60)
    ]
    answer: Annotated[str, Meta(min_length=1, max_length=1500)]


class SignedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody of the clinic has put a name to. Days are the clinic's, inclusive."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    signed_by: Annotated[str, Meta(min_length=3, max_length=80)]
    role: Annotated[str, Meta(min_length=2, max_length=80)]
    signed_on: date
    valid_from: date
    valid_until: date
    review_by: date
    site: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    """Where it holds; None: at every site."""
    en: Wording | None = None
    es: Wording | None = None
    zh: Wording | None = None
    hi: Wording | None = None

    def wording(self, language: Language) -> Wording | None:
        found: Wording | None = getattr(self, language)
        return found

    @property
    def wordings(self) -> dict[Language, Wording]:
        return {language: words for language in LANGUAGES if (words := self.wording(language))}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a signed answer; the newest counts."""

    number: int
    version: int
    withdrawn: bool
    put_by: str
    put_at: datetime
    answer: SignedAnswer

    def answers_on(self, today: date) -> bool:
        return self.standing(today) in ("answers", "due")

    def standing(self, today: date) -> Standing:
        if self.withdrawn:
            return "withdrawn"
        if today > self.answer.valid_until:
            return "expired"
        if today < self.answer.valid_from:
            return "later"
        return "due" if today > self.answer.review_by else "answers"


class SignedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a version that may answer, with its vector."""

    answer: int
    language: Language
    text: str
    embedder: str
    vector: Vectors


def edition(connection: Connection) -> int:
    """Grows with every change."""
    number: int = connection.execute("SELECT coalesce(max(number), 0) FROM signed_answer").fetchone()[0]
    return number


def newest(connection: Connection) -> list[Version]:
    """Of every answer the version that counts, by name; withdrawn and expired ones too."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM signed_answer WHERE number IN (SELECT max(number) FROM signed_answer GROUP BY id)"  # noqa: S608 - constant of this module
        " ORDER BY id"
    )
    return [_version(row) for row in rows]


def versions(connection: Connection, answer: str) -> list[Version]:
    """All there ever were of one answer, oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM signed_answer WHERE id = ? ORDER BY version", (answer,))  # noqa: S608 - constant of this module
    return [_version(row) for row in rows]


def questions(connection: Connection) -> list[SignedQuestion]:
    """Those of the versions that count, as they were written down."""
    rows = connection.execute(
        "SELECT answer, language, text, embedder, vector FROM signed_question WHERE answer IN"
        " (SELECT max(number) FROM signed_answer GROUP BY id) ORDER BY answer, language, text"
    )
    return [
        SignedQuestion(
            answer=row[0], language=row[1], text=row[2], embedder=row[3], vector=np.frombuffer(row[4], np.float32)
        )
        for row in rows
    ]


def put(
    connection: Connection,
    answers: Sequence[SignedAnswer],
    *,
    by: str,
    vectors: Mapping[tuple[Language, str], Vectors],
    embedder: str,
) -> None:
    """A new version of each."""
    for answer in answers:
        number, version = _insert(connection, answer, by=by, withdrawn=False)
        _insert_questions(connection, number, answer, vectors=vectors, embedder=embedder)
        detail = f"version {version}, signed by {answer.signed_by} on {answer.signed_on}"
        audit.record(connection, actor=by, act="answer.sign", subject=answer.id, detail=detail)


def withdraw(connection: Connection, answer: str, *, by: str) -> None:
    """It answers no more; a last version says who did it. Raises NotFound."""
    known = versions(connection, answer)
    if not known or known[-1].withdrawn:
        raise NotFound(f"there is no signed answer {answer!r} in force; `medinovai answers list` shows all")
    _, version = _insert(connection, known[-1].answer, by=by, withdrawn=True)
    audit.record(connection, actor=by, act="answer.withdraw", subject=answer, detail=f"version {version}")


def replace_vectors(connection: Connection, replaced: Iterable[SignedQuestion]) -> None:
    """After a change of the embedder."""
    connection.executemany(
        "UPDATE signed_question SET embedder = ?, vector = ? WHERE answer = ? AND language = ? AND text = ?",
        [(one.embedder, one.vector.tobytes(), one.answer, one.language, one.text) for one in replaced],
    )


def _insert(connection: Connection, answer: SignedAnswer, *, by: str, withdrawn: bool) -> tuple[int, int]:
    row = connection.execute(
        "INSERT INTO signed_answer (id, version, withdrawn, signed_by, role, signed_on, valid_from, valid_until, review_by,"
        " site, words, put_by, put_at) VALUES"
        " (:id, (SELECT coalesce(max(version), 0) + 1 FROM signed_answer WHERE id = :id), :withdrawn, :signed_by, :role,"
        " :signed_on, :valid_from, :valid_until, :review_by, :site, :words, :by, :at) RETURNING number, version",
        {
            **{name: value for name, value in msgspec.to_builtins(answer).items() if name not in LANGUAGES},
            "words": msgspec.json.encode(answer.wordings).decode(),
            "withdrawn": withdrawn,
            "by": by,
            "at": iso(now()),
        },
    ).fetchone()
    return row[0], row[1]


def _insert_questions(
    connection: Connection,
    number: int,
    answer: SignedAnswer,
    *,
    vectors: Mapping[tuple[Language, str], Vectors],
    embedder: str,
) -> None:
    connection.executemany(
        "INSERT INTO signed_question (answer, language, text, embedder, vector) VALUES (?, ?, ?, ?, ?)",
        [
            (number, language, question, embedder, vectors[language, question].tobytes())
            for language, words in answer.wordings.items()
            for question in words.questions
        ],
    )


def _version(row: tuple[object, ...]) -> Version:
    found = dict(zip(_COLUMNS.split(", "), row, strict=True))
    of_version = {name: found.pop(name) for name in ("number", "version", "put_by", "put_at")}
    withdrawn = bool(found.pop("withdrawn"))
    words = msgspec.json.decode(str(found.pop("words")))
    return msgspec.convert({**of_version, "withdrawn": withdrawn, "answer": {**found, **words}}, Version)


_COLUMNS: Final = (
    "number, id, version, withdrawn, signed_by, role, signed_on, valid_from, valid_until, review_by,"
    " site, words, put_by, put_at"
)
