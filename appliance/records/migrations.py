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


def m006_cases(db: Database) -> None:
    """Conversations that are handed to people: whose they are, what happened to them, and what staff say in them."""
    for statement in _CASES:
        db.conn.execute(statement)


def m007_staff(db: Database) -> None:
    """Members of staff, their sessions, and the browsers they have signed in with."""
    for statement in _STAFF:
        db.conn.execute(statement)


def m008_mattermost(db: Database) -> None:
    """Cases in Mattermost: where each one is, what we posted and heard there, which buttons work. No words."""
    for statement in _MATTERMOST:
        db.conn.execute(statement)


def m009_sms(db: Database) -> None:
    """Text messages: whose number is which conversation's, what came in and waits, what goes out, who wants none."""
    for statement in _SMS:
        db.conn.execute(statement)


def m010_files(db: Database) -> None:
    """Files that patients and staff send each other."""
    for statement in _FILES:
        db.conn.execute(statement)


def m011_calls(db: Database) -> None:
    """Telephone calls: how each went and how long everything took, and which recordings there are. No words."""
    for statement in _CALLS:
        db.conn.execute(statement)


STEPS: tuple[Callable[[Database], None], ...] = (
    m001_first_tables,
    m002_signed_answers,
    m003_alerts_and_outbox,
    m004_locked_language,
    m005_sites,
    m006_cases,
    m007_staff,
    m008_mattermost,
    m009_sms,
    m010_files,
    m011_calls,
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

_CASES = (
    # A table's CHECK cannot be changed: the turns move into one that knows staff too.
    """
    CREATE TABLE turn_with_staff (
      id INTEGER PRIMARY KEY,
      conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
      message_id TEXT NOT NULL,
      role TEXT NOT NULL CHECK (role IN ('patient', 'assistant', 'system', 'staff')),
      text TEXT NOT NULL,                   -- empty once staff have taken their word back
      parts TEXT,                           -- JSON: the parts of an answer
      kind TEXT,
      language TEXT,
      complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
      at TEXT NOT NULL,
      by_id TEXT,                           -- staff's words: whose they are
      by_name TEXT,
      by_role TEXT,
      edited_at TEXT,
      deleted_at TEXT,
      UNIQUE (conversation, message_id, role)
    ) STRICT
    """,
    """
    INSERT INTO turn_with_staff (id, conversation, message_id, role, text, parts, kind, language, complete, at)
    SELECT id, conversation, message_id, role, text, parts, kind, language, complete, at FROM turn
    """,
    "DROP TABLE turn",
    "ALTER TABLE turn_with_staff RENAME TO turn",
    "CREATE UNIQUE INDEX staff_word ON turn (message_id) WHERE role = 'staff'",  # one word, however often it is sent
    # No reference to the conversation: a patient who deletes it may still wait for somebody.
    """
    CREATE TABLE handover (
      id INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never given twice
      conversation TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('waiting', 'person', 'snoozed', 'returned', 'resolved')),
      reason TEXT NOT NULL,                 -- the gravest there was
      urgency INTEGER NOT NULL CHECK (urgency IN (0, 1, 2)),  -- 0 emergency, 1 asked for or angry, 2 other
      kinds TEXT NOT NULL,                  -- of danger; commas between
      language TEXT NOT NULL,
      channel TEXT NOT NULL,
      site TEXT,
      opened_at TEXT NOT NULL,
      level INTEGER NOT NULL DEFAULT 1,     -- which group has been called; past the last one: everybody is paged
      level_at TEXT NOT NULL,
      accepted_by TEXT,
      accepted_name TEXT,                   -- as patients see it
      accepted_at TEXT,
      snoozed_until TEXT,
      closed_at TEXT,
      closed_by TEXT,
      summary TEXT NOT NULL,                -- patient's words: gone with the conversation
      suggested TEXT NOT NULL,
      unread INTEGER NOT NULL,
      unread_since TEXT,
      version INTEGER NOT NULL DEFAULT 1,   -- grows with every change of owner
      CHECK ((closed_at IS NULL) = (state NOT IN ('returned', 'resolved'))),
      CHECK (state <> 'person' OR accepted_by IS NOT NULL),
      CHECK (state <> 'snoozed' OR snoozed_until IS NOT NULL)
    ) STRICT
    """,
    "CREATE UNIQUE INDEX one_open_handover ON handover (conversation) WHERE closed_at IS NULL",
    """
    CREATE TABLE case_event (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      handover INTEGER NOT NULL REFERENCES handover,
      at TEXT NOT NULL,
      event TEXT NOT NULL,
      actor TEXT,                           -- a member of staff; none: the patient or the clock
      from_state TEXT,
      to_state TEXT NOT NULL,
      detail TEXT NOT NULL DEFAULT ''       -- never a patient's words
    ) STRICT
    """,
    "CREATE INDEX case_event_handover ON case_event (handover)",
    "CREATE INDEX case_event_accepted ON case_event (id) WHERE event = 'accept'",
    "CREATE UNIQUE INDEX counted_once ON case_event (handover, detail) WHERE event = 'patient_said'",
    """
    CREATE TABLE note (
      id INTEGER PRIMARY KEY,
      handover INTEGER NOT NULL REFERENCES handover,
      author TEXT NOT NULL,
      author_name TEXT NOT NULL,
      text TEXT NOT NULL,
      at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX note_handover ON note (handover)",
    # What staff know from a patient's words goes with them.
    """
    CREATE TRIGGER words_of_a_case_gone AFTER DELETE ON conversation BEGIN
      UPDATE handover SET summary = '', suggested = '' WHERE conversation = old.id;
      DELETE FROM note WHERE handover IN (SELECT id FROM handover WHERE conversation = old.id);
    END
    """,
)

_STAFF = (
    """
    CREATE TABLE staff (
      id TEXT PRIMARY KEY,                  -- the name to sign in with; never given to somebody else
      name TEXT NOT NULL,                   -- as patients see it
      role TEXT NOT NULL,
      level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
      password TEXT NOT NULL,               -- argon2id; empty: none works
      one_time_until TEXT,                  -- the password is a one-time one
      on_duty INTEGER NOT NULL DEFAULT 0 CHECK (on_duty IN (0, 1)),
      created_at TEXT NOT NULL,
      disabled_at TEXT
    ) STRICT
    """,
    """
    CREATE TABLE staff_session (
      token_sha256 BLOB PRIMARY KEY,        -- the token itself is only in the browser
      staff TEXT NOT NULL REFERENCES staff,
      must_change INTEGER NOT NULL CHECK (must_change IN (0, 1)),
      created_at TEXT NOT NULL,
      last_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE staff_browser (
      token_sha256 BLOB PRIMARY KEY,
      staff TEXT NOT NULL REFERENCES staff,
      created_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

_MATTERMOST = (
    """
    CREATE TABLE mattermost_room (
      handover INTEGER PRIMARY KEY REFERENCES handover,
      conversation TEXT NOT NULL,
      name TEXT NOT NULL UNIQUE,            -- of the channel, chosen before it is made
      channel TEXT,                         -- none until it is made
      root TEXT,                            -- the post with the buttons; of a thread the first one
      heard INTEGER NOT NULL DEFAULT 0,     -- all before is heard: milliseconds by Mattermost's clock
      left_at TEXT                          -- the case is closed and nothing is heard here any more
    ) STRICT
    """,
    "CREATE INDEX mattermost_room_open ON mattermost_room (channel) WHERE left_at IS NULL",
    "CREATE INDEX mattermost_room_root ON mattermost_room (root)",
    # Written before a post is tried: who comes back after a time-out looks for it first.
    """
    CREATE TABLE mattermost_post (
      name TEXT PRIMARY KEY,                -- what it says: patient:MESSAGE, staff:MESSAGE, letter:ID, case:ID
      handover INTEGER NOT NULL REFERENCES handover,
      tried_since INTEGER NOT NULL,         -- no earlier by Mattermost's clock
      post TEXT UNIQUE                      -- none until it is known to be there
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE mattermost_heard (
      post TEXT PRIMARY KEY,
      handover INTEGER NOT NULL REFERENCES handover,
      changed_at INTEGER NOT NULL,          -- the newest of its states that we know
      became TEXT NOT NULL CHECK (became IN ('word', 'note', 'nothing'))
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE mattermost_action (
      token_sha256 BLOB PRIMARY KEY,        -- the token itself is only in the button
      handover INTEGER NOT NULL REFERENCES handover,
      act TEXT NOT NULL CHECK (act IN ('accept', 'reply', 'return', 'resolve', 'say')),
      version INTEGER NOT NULL              -- of the case when the button was made: it works for no other
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX mattermost_action_handover ON mattermost_action (handover, version)",
)

_SMS = (
    # A number is a keyed digest to be found by, and its letters sealed; both keys come from the master key.
    """
    CREATE TABLE sms_number (
      digest BLOB PRIMARY KEY,
      number BLOB NOT NULL,
      conversation TEXT NOT NULL UNIQUE REFERENCES conversation ON DELETE CASCADE,
      language TEXT,                        -- of the last answer
      introduced INTEGER NOT NULL DEFAULT 0 CHECK (introduced IN (0, 1)),
      last_at TEXT NOT NULL                 -- of the patient's last message
    ) STRICT, WITHOUT ROWID
    """,
    # The newest row of a digest counts. Kept when the conversation is forgotten: a wish for silence does not age.
    """
    CREATE TABLE sms_consent (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      digest BLOB NOT NULL,
      agreed INTEGER NOT NULL CHECK (agreed IN (0, 1)),
      source TEXT NOT NULL,                 -- patient: by a word; twilio: a message was refused (21610)
      at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sms_consent_digest ON sms_consent (digest, id)",
    # No reference to the conversation: a message that is sent again must be known longer than that is kept.
    """
    CREATE TABLE sms_in (
      sid TEXT PRIMARY KEY,
      digest BLOB NOT NULL,
      conversation TEXT NOT NULL,
      text TEXT NOT NULL,                   -- emptied once it is answered
      media INTEGER NOT NULL,
      wish TEXT NOT NULL,                   -- JSON: what of text messages as such was wished for; null: nothing
      segments INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('waiting', 'answered', 'limited', 'dropped')),
      attempts INTEGER NOT NULL DEFAULT 0,  -- those that failed
      at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sms_in_waiting ON sms_in (at) WHERE state = 'waiting'",
    "CREATE INDEX sms_in_digest ON sms_in (digest, at)",
    """
    CREATE TABLE sms_out (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      name TEXT NOT NULL UNIQUE,            -- what it is, so that it is said once: answer:SM…, staff:…
      digest BLOB NOT NULL,
      number BLOB NOT NULL,                 -- sealed; emptied when it was handed over
      conversation TEXT,
      text TEXT NOT NULL,                   -- emptied when it was handed over
      body BLOB NOT NULL,                   -- keyed digest of the text, to know it again at Twilio
      origin TEXT NOT NULL CHECK (origin IN ('answer', 'notice', 'staff', 'page', 'test')),
      always INTEGER NOT NULL CHECK (always IN (0, 1)),       -- whatever limits, hours and the ledger say
      segments INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'unknown', 'handed', 'refused', 'dropped')),
      secret TEXT NOT NULL,                 -- in the callback's address
      not_before TEXT NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0,
      tried_at TEXT,
      sid TEXT UNIQUE,
      status TEXT,
      error INTEGER,
      created_at TEXT NOT NULL,
      last_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sms_out_open ON sms_out (digest, id) WHERE state IN ('waiting', 'sending', 'unknown')",
    "CREATE INDEX sms_out_tried ON sms_out (tried_at)",
    """
    CREATE TRIGGER sms_of_a_conversation_gone AFTER DELETE ON conversation BEGIN
      UPDATE sms_in SET text = '', state = 'dropped' WHERE conversation = old.id AND state = 'waiting';
      UPDATE sms_out SET text = '', number = x'', state = 'dropped'
        WHERE conversation = old.id AND state IN ('waiting', 'unknown');
    END
    """,
)

_FILES = (
    """
    CREATE TABLE file (
      id TEXT PRIMARY KEY,                  -- not to be guessed
      conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
      message_id TEXT NOT NULL,
      name TEXT NOT NULL,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      source TEXT NOT NULL,                 -- where it came from, so that it is kept once
      content BLOB NOT NULL,
      at TEXT NOT NULL,
      UNIQUE (conversation, source)
    ) STRICT
    """,
)

_CALLS = (
    # No reference to the conversation: how a call went is told after its words are forgotten.
    """
    CREATE TABLE call (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      conversation TEXT NOT NULL,
      line TEXT NOT NULL,
      caller BLOB NOT NULL,                 -- keyed digest of the number
      language TEXT,
      site TEXT,
      started_at TEXT NOT NULL,
      ended_at TEXT,                        -- none while it lasts, and where the process died in it
      outcome TEXT NOT NULL,
      reason TEXT NOT NULL DEFAULT '',      -- why it was handed on, or how it broke off
      answered_ms INTEGER,                  -- from the ring
      greeted_ms INTEGER,                   -- from the ring to the first sound
      rate INTEGER,
      barge_ins INTEGER NOT NULL DEFAULT 0,
      lost REAL,                            -- share of the caller's packets
      jitter_ms REAL,
      mos REAL,
      starved INTEGER,                      -- times that we had nothing to send while we spoke
      dropped INTEGER
    ) STRICT
    """,
    "CREATE INDEX call_started_at ON call (started_at)",
    # Times in milliseconds after the caller's last word; none where it did not come to that.
    """
    CREATE TABLE call_turn (
      call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE,
      number INTEGER NOT NULL,
      at_ms INTEGER NOT NULL,               -- from the ring to the caller's last word
      kind TEXT NOT NULL,                   -- of the answer; quiet: nothing was said; unclear: it was not understood
      language TEXT,
      speech_ms INTEGER,                    -- how long the caller spoke
      ended_ms INTEGER,                     -- until it was certain that they had ended
      heard_ms INTEGER,                     -- until the words were there
      text_ms INTEGER,                      -- until the answer's first words
      audio_ms INTEGER,                     -- until the caller heard the first of them
      stopped_ms INTEGER,                   -- from the caller's interruption until we were silent
      said TEXT NOT NULL DEFAULT '',        -- how our speaking ended: done, barge_in, digit, urgent, hung_up
      PRIMARY KEY (call, number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE call_event (
      call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE,
      number INTEGER NOT NULL,
      at_ms INTEGER NOT NULL,               -- from the ring
      what TEXT NOT NULL,
      detail TEXT NOT NULL,
      PRIMARY KEY (call, number)
    ) STRICT, WITHOUT ROWID
    """,
    # The file's name says nothing; who takes the row out takes the file out first.
    """
    CREATE TABLE call_recording (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      call INTEGER NOT NULL,
      conversation TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('call', 'voicemail')),
      file TEXT NOT NULL UNIQUE,
      rate INTEGER NOT NULL,
      channels INTEGER NOT NULL,
      seconds REAL NOT NULL,
      at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX call_recording_call ON call_recording (call)",
)
