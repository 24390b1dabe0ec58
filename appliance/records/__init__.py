"""What the appliance remembers: the encrypted database, its keys, its audit. Knows nothing of what the words mean."""

from __future__ import annotations

import sys

import sqlcipher3
import sqlcipher3.dbapi2

# sqlite_utils looks for `pysqlite3` before the standard library and catches that module's exceptions. On a SQLCipher
# connection it must find SQLCipher's, or alter, ignore and upsert fail: so this stands before its first import.
sys.modules["pysqlite3"] = sqlcipher3
sys.modules["pysqlite3.dbapi2"] = sqlcipher3.dbapi2

import sqlite_utils.db  # noqa: E402 - must come after the alias above

if vars(sqlite_utils.db)["OperationalError"] is not sqlcipher3.dbapi2.OperationalError:
    raise ImportError("sqlite_utils was imported before appliance.records: import appliance.records first")
