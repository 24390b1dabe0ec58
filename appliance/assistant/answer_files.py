"""Signed answers as a file that a clinician can review: TOML, or CSV for a spreadsheet. What is written is read back the same.

Knows the values, no store and no model. A file is refused as a whole, with the place and what is wrong.
"""

from __future__ import annotations

import csv
import io
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import PurePath
from typing import Any, Final

import msgspec

from appliance.assistant.signatures import SignedAnswer
from appliance.errors import BadInput
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES

FORMATS: Final = (".toml", ".csv")


def read(name: str, data: bytes) -> list[SignedAnswer]:
    """The answers of a file, by its ending. Raises BadInput."""
    try:
        text = data.decode("utf-8-sig")
        rows = _csv_rows(text) if _format(name) == ".csv" else _toml_rows(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error, _Amiss) as wrong:
        raise BadInput(f"{name}: {wrong}") from wrong
    answers = [_answer(row, f"{name}, {row.get('id') or f'answer {place}'}") for place, row in enumerate(rows, start=1)]
    names = [one.id for one in answers]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise BadInput(f"{name}: more than one answer is called {', '.join(twice)}")
    return answers


def written(name: str, answers: Sequence[SignedAnswer]) -> bytes:
    """The answers as a file of this ending. Raises BadInput."""
    if _format(name) == ".csv":
        return _csv(answers).encode("utf-8-sig")  # spreadsheets take a file without the mark for Latin-1
    return "\n".join(_toml(one) for one in answers).encode()


def _format(name: str) -> str:
    ending = PurePath(name).suffix.lower()
    if ending not in FORMATS:
        raise BadInput(f"{name}: signed answers are kept in {' or '.join(FORMATS)} files")
    return ending


class _Amiss(Exception):
    """What is wrong in a file, before its name is put in front."""


# ---- TOML -------------------------------------------------------------------------------------------------------------


def _toml_rows(text: str) -> list[dict[str, Any]]:
    file = tomllib.loads(text)
    rows = file.pop("answer", None)
    if file or not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        beside = f"; this does not belong there: {', '.join(file)}" if file else ""
        raise _Amiss(f"signed answers stand one after the other, each under [[answer]], and nothing else{beside}")
    return rows


def _toml(answer: SignedAnswer) -> str:
    lines = ["[[answer]]"]
    for name in _SAID_ONCE:
        value = getattr(answer, name)
        if value is not None:
            lines.append(f"{name} = {value.isoformat() if isinstance(value, date) else _quoted(value)}")
    for language, words in answer.wordings.items():
        questions = "".join(f"  {_quoted(question)},\n" for question in words.questions)
        lines += ["", f"[answer.{language}]", f"questions = [\n{questions}]"]
        lines.append(f'answer = """\n{_escaped(words.answer)}"""')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


# ---- CSV: one row an answer and language ------------------------------------------------------------------------------


def _csv_rows(text: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if list(lines.fieldnames or []) != list(_COLUMNS):
        raise _Amiss(f"the first line must be: {','.join(_COLUMNS)}")
    for line in lines:
        place = f"line {lines.line_num}"
        if None in line or None in line.values():
            raise _Amiss(f"{place} has not {len(_COLUMNS)} columns")
        once = {name: line[name] for name in _SAID_ONCE if line[name]}
        row = found.setdefault(line["id"], once)
        if {name: row.get(name) for name in _SAID_ONCE} != {name: once.get(name) for name in _SAID_ONCE}:
            raise _Amiss(f"{place}: signer, days and site must be the same for every language of {line['id']}")
        if line["language"] not in LANGUAGES or line["language"] in row:
            raise _Amiss(f"{place}: language is one of {', '.join(LANGUAGES)}, each once for {line['id']}")
        row[line["language"]] = {"questions": line["questions"].split("\n"), "answer": line["answer"]}
    if not found:
        raise _Amiss("it holds no answer below its first line")
    return list(found.values())


def _csv(answers: Iterable[SignedAnswer]) -> str:
    out = io.StringIO(newline="")
    lines = csv.writer(out)
    lines.writerow(_COLUMNS)
    for answer in answers:
        once = [getattr(answer, name) or "" for name in _SAID_ONCE]
        lines.writerows(
            [*once, code, "\n".join(words.questions), words.answer] for code, words in answer.wordings.items()
        )
    return out.getvalue()


_SAID_ONCE: Final = ("id", "signed_by", "role", "signed_on", "valid_from", "valid_until", "review_by", "site")
_COLUMNS: Final = (*_SAID_ONCE, "language", "questions", "answer")


# ---- what an answer must be ---------------------------------------------------------------------------------------------


def _answer(row: dict[str, Any], place: str) -> SignedAnswer:
    try:
        answer = msgspec.convert(_clean(row), SignedAnswer)
    except msgspec.ValidationError as wrong:
        raise BadInput(f"{place}: {wrong}") from wrong
    if problem := _problem(answer):
        raise BadInput(f"{place}: {problem}")
    return answer


def _clean(value: Any) -> Any:
    """Line ends as one sign and no spaces around: the same words are the same answer, whatever wrote the file."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _problem(answer: SignedAnswer) -> str | None:
    if not answer.wordings:
        return "it has no language: [answer.en] with questions and answer"
    if answer.valid_until < answer.valid_from:
        return "valid_until is before valid_from"
    if not answer.signed_on <= answer.review_by <= answer.valid_until:
        return "review_by lies between signed_on and valid_until"
    for language, words in answer.wordings.items():
        folded = [fold(question) for question in words.questions]
        if twice := next((one for place, one in enumerate(folded) if one in folded[:place]), None):
            return f"{language}: the question “{twice}” stands there twice"
        if any("\n" in question for question in words.questions):
            return f"{language}: a question is one line"
    if any(unicodedata.category(sign) in ("Cc", "Cs") for text in _texts(answer) for sign in text.replace("\n", "")):
        return "it holds a control character"
    return None


def _texts(answer: SignedAnswer) -> Iterable[str]:
    yield from (answer.signed_by, answer.role, answer.site or "")
    for words in answer.wordings.values():
        yield from (*words.questions, words.answer)
