"""Secrets of other houses (a token, a password for a service), one a file. Knows where they live, not what they open.

As with the master key: a systemd credential of that name, else ``<data>/secrets/NAME``, 0600. Never in the settings or a log.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from appliance.errors import BadConfig

FOLDER: Final = "secrets"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def secret(name: str, data_dir: Path) -> str | None:
    """The secret of that name; None where none was given. Raises BadConfig for a file that others can read."""
    if not _NAME.fullmatch(name):
        raise ValueError("a secret is named with small letters, digits and dashes")
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (credential := Path(credentials) / name).exists():
        return _in(credential)
    file = data_dir / FOLDER / name
    if not file.exists():
        return None
    if file.stat().st_mode & 0o077:
        raise BadConfig(f"{file} can be read by others: run `chmod 600 {file}`")
    return _in(file)


def where(name: str, data_dir: Path) -> Path:
    """Where a person puts it who has no systemd."""
    return data_dir / FOLDER / name


def keep(name: str, value: str, data_dir: Path) -> Path:
    """Write it, 0600 from its first byte on; an earlier one is replaced whole."""
    file = where(name, data_dir)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(value.strip() + "\n")
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    return file


def _in(file: Path) -> str:
    value = file.read_text(encoding="utf-8").strip()
    if not value:
        raise BadConfig(f"{file} is empty: put the secret in, on one line")
    return value
