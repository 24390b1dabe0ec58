"""The master key and the keys made from it. Knows where a key lives, not what it opens."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.errors import BadConfig

KEY_BYTES = 32
KEY_FILE = "master.key"


def master_key(data_dir: Path) -> bytes:
    """The systemd credential ``master`` if the service was given one, else the 0600 file that ``init`` made."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (credential := Path(credentials) / "master").exists():
        return _key_in(credential)
    file = data_dir / KEY_FILE
    if not file.exists():
        raise BadConfig(
            f"there is no master key: {file} is missing. Run `medinovai init`, or put the key back from its copy"
        )
    if file.stat().st_mode & 0o077:
        raise BadConfig(f"{file} can be read by others: run `chmod 600 {file}`")
    return _key_in(file)


def create_master_key(data_dir: Path) -> bytes:
    """Make the data directory (0700) and its key file (0600, on the disk before this returns). Never replaces a key."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    # A new key beside an old database would look like a healthy start and lock the old conversations away for good.
    if any(data_dir.glob("*.db")):
        raise BadConfig(f"{data_dir} holds a database already: put its {KEY_FILE} back, or choose an empty directory")
    key = secrets.token_bytes(KEY_BYTES)
    try:
        file = os.open(data_dir / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadConfig(f"{data_dir / KEY_FILE} is there already: it is kept as it is") from None
    with os.fdopen(file, "wb") as out:
        out.write(key)
        out.flush()
        os.fsync(file)
    _sync_directory(data_dir)
    return key


def derive(master: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, e.g. ``db:<clinic>`` (HKDF-SHA256, RFC 5869); one key tells nothing of another."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(master)


def _key_in(file: Path) -> bytes:
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise BadConfig(f"{file} holds {len(key)} bytes; a master key is exactly {KEY_BYTES} bytes")
    return key


def _sync_directory(directory: Path) -> None:
    # Without this a power cut can forget the file's name although its bytes are safe.
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
