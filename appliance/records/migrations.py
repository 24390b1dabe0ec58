"""The tables of a clinic's database, one step after the other, forward only. Knows no rows.

A step is never edited after a release: the next one changes what it made. Times are ISO 8601 text in UTC, days are ISO
dates. In `passage_vec` no site is the empty string: vec0 takes no NULL there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from appliance.errors import StoreFailed

if TYPE_CHECKING:
    from sqlite3 import Connection


def migrate(connection: Connection) -> None:
    """Bring the tables up to date, all or nothing. Of two processes at once the second finds nothing to do."""
    db = Database(connection, recursive_triggers=False)
    applied = {step.name for step in MIGRATIONS.applied(db)}
    if unknown := applied - {step.__name__ for step in STEPS}:
        raise StoreFailed(
            f"this data was written by a newer version ({', '.join(sorted(unknown))}): install that version"
        )
    if len(applied) == len(STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        MIGRATIONS.apply(db)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def m001_first_tables(db: Database) -> None:
    """Documents and how they are searched; conversations; administrators; the audit."""
    for statement in _DOCUMENTS + _SEARCH + _CONVERSATIONS + _PEOPLE:
        db.conn.execute(statement)


def m002_signed_answers(db: Database) -> None:
    """Answers that a clinician or manager has signed; every version is kept."""
    for statement in _SIGNED:
        db.conn.execute(statement)


def m003_alerts_and_outbox(db: Database) -> None:
    """Alerts stay open until somebody closes them, one a conversation; what is to be told outside waits in the outbox."""
    for statement in _ALERTS:
        db.conn.execute(statement)


def m004_locked_language(db: Database) -> None:
    """A language that the patient chose for good is told from one that the page began with."""
    db.conn.execute("ALTER TABLE conversation ADD COLUMN locked INTEGER NOT NULL DEFAULT 0 CHECK (locked IN (0, 1))")


def m005_sites(db: Database) -> None:
    """The places that documents list, the clinic's sites among them, and of which site a single sentence speaks."""
    for statement in _SITES:
        db.conn.execute(statement)


STEPS: tuple[Callable[[Database], None], ...] = (
    m001_first_tables,
    m002_signed_answers,
    m003_alerts_and_outbox,
    m004_locked_language,
    m005_sites,
)

MIGRATIONS = Migrations("appliance")
for _step in STEPS:
    MIGRATIONS()(_step)


_DOCUMENTS = (
    """
    CREATE TABLE document (
      id TEXT PRIMARY KEY,
      revision INTEGER NOT NULL,
      title TEXT NOT NULL,
      source TEXT NOT NULL UNIQUE,          -- file name, or path relative to what was learnt
      path TEXT,                            -- where the file was learnt from; none if it was sent
      sha256 TEXT NOT NULL,                 -- of the file, what was said about it, and how it was read
      metadata TEXT NOT NULL DEFAULT '{}',  -- JSON: what the document and who learnt it said; the columns hold what follows
      language TEXT,
      site TEXT,
      valid_from TEXT,
      valid_until TEXT,
      superseded_by TEXT,                   -- a document's id or source; perhaps not learnt yet, so no reference
      text TEXT NOT NULL DEFAULT '',        -- the whole text; every offset counts its code points
      blocks TEXT NOT NULL DEFAULT '[]',    -- JSON: headings, paragraphs, rows, pages
      status TEXT NOT NULL
        CHECK (status IN ('parsing', 'searchable', 'superseded', 'not_in_force', 'failed', 'removed')),
      reason TEXT NOT NULL DEFAULT '',      -- why not searchable, in words
      passages INTEGER NOT NULL DEFAULT 0,
      learnt_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE passage (
      id INTEGER PRIMARY KEY,
      document TEXT NOT NULL REFERENCES document ON DELETE CASCADE,
      start INTEGER NOT NULL,
      "end" INTEGER NOT NULL,
      text TEXT NOT NULL,
      heading TEXT NOT NULL DEFAULT '[]',   -- JSON array, outermost first
      page INTEGER,
      language TEXT NOT NULL,
      site TEXT,
      ordinal INTEGER NOT NULL,
      UNIQUE (document, ordinal)
    ) STRICT
    """,
    """
    CREATE TABLE sentence (
      id INTEGER PRIMARY KEY,
      passage INTEGER NOT NULL REFERENCES passage ON DELETE CASCADE,
      start INTEGER NOT NULL,               -- offsets in document.text
      "end" INTEGER NOT NULL,
      text TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('sentence', 'row', 'item')),
      lead_start INTEGER,                   -- what introduces it: the line before a list, a table's caption
      lead_end INTEGER
    ) STRICT
    """,
    "CREATE INDEX sentence_passage ON sentence (passage)",
)

_SEARCH = (
    # The default tokenizer cuts Hindi at its vowel signs (Mn, Mc) and never finds a word of it again.
    """
    CREATE VIRTUAL TABLE passage_fts USING fts5 (
      title_words, heading_words, words, content='', contentless_delete=1,
      tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
    )
    """,
    "CREATE VIRTUAL TABLE passage_term USING fts5vocab (passage_fts, row)",  # in how many passages each word stands
    """
    CREATE VIRTUAL TABLE passage_vec USING vec0 (
      id INTEGER PRIMARY KEY, embedding float[384], language TEXT, site TEXT
    )
    """,
    "CREATE VIRTUAL TABLE sentence_vec USING vec0 (id INTEGER PRIMARY KEY, embedding float[384])",
    # Virtual tables know no references: without these, a removed passage would still be found.
    """
    CREATE TRIGGER passage_gone AFTER DELETE ON passage BEGIN
      DELETE FROM passage_fts WHERE rowid = old.id;
      DELETE FROM passage_vec WHERE id = old.id;
    END
    """,
    "CREATE TRIGGER sentence_gone AFTER DELETE ON sentence BEGIN DELETE FROM sentence_vec WHERE id = old.id; END",
    "CREATE TABLE embedder (name TEXT NOT NULL, dimensions INTEGER NOT NULL) STRICT",
    "CREATE UNIQUE INDEX one_embedder ON embedder ((1))",  # vectors of two embedders cannot be compared
)

_CONVERSATIONS = (
    """
    CREATE TABLE conversation (
      id TEXT PRIMARY KEY,
      token_sha256 BLOB NOT NULL UNIQUE,    -- the token itself is only with the patient
      language TEXT,
      site TEXT,
      channel TEXT NOT NULL,
      created_at TEXT NOT NULL,
      last_at TEXT NOT NULL,
      closed_at TEXT
    ) STRICT
    """,
    "CREATE INDEX conversation_last_at ON conversation (last_at)",
    """
    CREATE TABLE turn (
      id INTEGER PRIMARY KEY,
      conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
      message_id TEXT NOT NULL,
      role TEXT NOT NULL CHECK (role IN ('patient', 'assistant', 'system')),
      text TEXT NOT NULL,
      parts TEXT,                           -- JSON: the parts of an answer
      kind TEXT,
      language TEXT,
      complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
      at TEXT NOT NULL,
      UNIQUE (conversation, message_id, role)
    ) STRICT
    """,
    """
    CREATE TABLE feedback (
      conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
      message_id TEXT NOT NULL,
      up INTEGER NOT NULL CHECK (up IN (0, 1)),
      reason TEXT,
      at TEXT NOT NULL,
      PRIMARY KEY (conversation, message_id)
    ) STRICT, WITHOUT ROWID
    """,
    # No reference: a patient who deletes the conversation is still in an emergency.
    """
    CREATE TABLE alert (
      id INTEGER PRIMARY KEY,
      conversation TEXT NOT NULL,
      kind TEXT NOT NULL,
      language TEXT NOT NULL,
      at TEXT NOT NULL,
      delivered_at TEXT
    ) STRICT
    """,
)

_PEOPLE = (
    """
    CREATE TABLE admin_token (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      token_sha256 BLOB NOT NULL UNIQUE,
      created_at TEXT NOT NULL,
      revoked_at TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX admin_in_force ON admin_token (name) WHERE revoked_at IS NULL",
    """
    CREATE TABLE audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never given twice
      at TEXT NOT NULL,
      actor TEXT NOT NULL,
      act TEXT NOT NULL,
      subject TEXT NOT NULL,
      detail TEXT NOT NULL DEFAULT ''       -- never a patient's words
    ) STRICT
    """,
    """
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END
    """,
    """
    CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END
    """,
)

_SIGNED = (
    """
    CREATE TABLE signed_answer (
      number INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with every change: the newest number is the edition
      id TEXT NOT NULL,
      version INTEGER NOT NULL,
      withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
      signed_by TEXT NOT NULL,
      role TEXT NOT NULL,
      signed_on TEXT NOT NULL,
      valid_from TEXT NOT NULL,
      valid_until TEXT NOT NULL,
      review_by TEXT NOT NULL,
      site TEXT,
      words TEXT NOT NULL,                  -- JSON: for each language the questions and the answer
      put_by TEXT NOT NULL,                 -- who brought it in, or withdrew it
      put_at TEXT NOT NULL,
      UNIQUE (id, version)
    ) STRICT
    """,
    """
    CREATE TRIGGER signed_answer_is_not_changed BEFORE UPDATE ON signed_answer
    BEGIN SELECT RAISE(ABORT, 'a signed answer is never changed: a new version takes its place'); END
    """,
    """
    CREATE TRIGGER signed_answer_is_not_deleted BEFORE DELETE ON signed_answer
    BEGIN SELECT RAISE(ABORT, 'a signed answer is never deleted: it is withdrawn'); END
    """,
    # Of the versions that may answer; the embedder by name, because vectors of two embedders cannot be compared.
    """
    CREATE TABLE signed_question (
      answer INTEGER NOT NULL REFERENCES signed_answer,
      language TEXT NOT NULL,
      text TEXT NOT NULL,
      embedder TEXT NOT NULL,
      vector BLOB NOT NULL,                 -- float32
      PRIMARY KEY (answer, language, text)
    ) STRICT, WITHOUT ROWID
    """,
)

_ALERTS = (
    # No reference to the conversation: a patient who deletes it is still in danger.
    """
    CREATE TABLE open_alert (
      id INTEGER PRIMARY KEY,
      conversation TEXT NOT NULL,
      kinds TEXT NOT NULL,                  -- commas between, in the order in which they were recognised
      language TEXT NOT NULL,               -- the patient's, when danger was recognised last
      count INTEGER NOT NULL,               -- how often danger was recognised
      opened_at TEXT NOT NULL,
      last_at TEXT NOT NULL,
      closed_at TEXT,
      closed_by TEXT,
      note TEXT,                            -- the clinic's; never a patient's words
      CHECK ((closed_at IS NULL) = (closed_by IS NULL))
    ) STRICT
    """,
    # What was recognised before this step, when nobody could close it.
    """
    INSERT INTO open_alert (id, conversation, kinds, count, opened_at, last_at, language)
    SELECT one.id, one.conversation, kinds, count, opened_at, at, language
    FROM (SELECT conversation, group_concat(DISTINCT kind) AS kinds, count(*) AS count, min(at) AS opened_at,
            max(id) AS newest FROM alert GROUP BY conversation) AS each
    JOIN alert AS one ON one.id = each.newest
    """,
    # Most of these were rehearsals at the terminal, which were not told apart.
    """
    UPDATE open_alert SET closed_at = last_at, closed_by = 'upgrade', note = 'the conversation was deleted before'
    WHERE conversation NOT IN (SELECT id FROM conversation)
    """,
    "DROP TABLE alert",
    "ALTER TABLE open_alert RENAME TO alert",
    "CREATE UNIQUE INDEX one_open_alert ON alert (conversation) WHERE closed_at IS NULL",
    # Who rehearses at the terminal is no patient. The examination of a model alone would leave hundreds.
    """
    CREATE TRIGGER rehearsal_gone AFTER DELETE ON conversation WHEN old.channel = 'terminal'
    BEGIN DELETE FROM alert WHERE conversation = old.id; END
    """,
    """
    CREATE TABLE outbox (
      id INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never given twice
      kind TEXT NOT NULL,
      payload TEXT NOT NULL,                -- JSON; never a patient's words
      created_at TEXT NOT NULL,
      delivered_at TEXT,
      attempts INTEGER NOT NULL DEFAULT 0   -- those that failed
    ) STRICT
    """,
    "CREATE INDEX outbox_waiting ON outbox (attempts, id) WHERE delivered_at IS NULL",
)

_SITES = (
    "ALTER TABLE document ADD COLUMN places TEXT NOT NULL DEFAULT '[]'",  # JSON: what it lists with an address
    "ALTER TABLE sentence ADD COLUMN site TEXT",  # where it begins with one; else its passage's
    """
    CREATE TABLE site (
      name TEXT PRIMARY KEY,                -- every name of a site
      site TEXT NOT NULL                    -- the name by which it is known
    ) STRICT, WITHOUT ROWID
    """,
    "INSERT INTO site SELECT DISTINCT site, site FROM passage WHERE site IS NOT NULL",
)
