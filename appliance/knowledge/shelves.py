"""The tables of documents, inside one transaction each: put, remove, and what follows for the other documents.

Knows SQL and the rules of which document takes which one's place; no file format, no embedder, no thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from appliance.knowledge import Document, DocumentStatus, PlacedBlock, Sentence, Status
from appliance.knowledge.parsed import Metadata, name_as_title
from appliance.knowledge.passages import Cut, PassageDraft
from appliance.knowledge.places import Listed, listed
from appliance.knowledge.sites import Called, site_of_heading, site_of_path, site_of_sentence, site_spelt, sites_of
from appliance.knowledge.words import fold, fts_words
from appliance.message import DocumentId, Span, now
from appliance.records.database import Connection, clinic_day, iso
from models import Vectors


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document comes from; the same place again is the same document."""

    source: str
    path: str | None = None


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is ready to be put on the shelves: one row of ``passages`` a passage, one of ``sentences`` a sentence."""

    place: Place
    cut: Cut
    sha256: str
    embedder: str
    passages: Vectors
    sentences: Vectors


# ---- reading ---------------------------------------------------------------------------------------------------------


def unchanged(connection: Connection, place: Place, sha256: str) -> DocumentId | None:
    """The document's id, if just this is what is known of it."""
    known = _known(connection, place)
    row = connection.execute("SELECT sha256, status, reason FROM document WHERE id = ?", (known,)).fetchone()
    if row is None or row[0] != sha256 or row[1] not in ("searchable", "superseded") or row[2].startswith(_NEWER):
        return None
    return known


def paths(connection: Connection) -> dict[DocumentId, str]:
    """The documents that were learnt from files, with the files' places."""
    return dict(
        connection.execute("SELECT id, path FROM document WHERE path IS NOT NULL AND status <> 'removed'").fetchall()
    )


def statuses(connection: Connection) -> list[DocumentStatus]:
    """Of every document, by name."""
    return _statuses(connection, "")


def status(connection: Connection, number: DocumentId) -> DocumentStatus:
    """Of one document that is there."""
    return _statuses(connection, "WHERE id = :number", number)[0]


def _statuses(connection: Connection, those: str, number: DocumentId | None = None) -> list[DocumentStatus]:
    rows = connection.execute(
        f"""SELECT id, revision, title, source, language, site, valid_from, valid_until, superseded_by, status, reason, passages,
        (SELECT count(*) FROM sentence JOIN passage ON passage.id = sentence.passage WHERE passage.document = document.id),
        learnt_at FROM document {those} ORDER BY source""",  # noqa: S608 - texts of ours
        {"number": number},
    ).fetchall()
    followers = connection.execute(
        "SELECT id, title, source FROM document WHERE id IN (SELECT superseded_by FROM document)"
    )
    names = {follower: f"{title} ({source})" for follower, title, source in followers}
    today = clinic_day(connection)
    return [_status(row, names, today=today) for row in rows]


def document(connection: Connection, number: DocumentId) -> Document | None:
    """Its text and where its blocks stand; None when there is none or it was removed."""
    row = connection.execute(
        """SELECT id, revision, title, source, language, site, valid_from, valid_until, text, blocks FROM document
        WHERE id = ? AND status <> 'removed'""",
        (number,),
    ).fetchone()
    if row is None:
        return None
    found = dict(zip(Document.__struct_fields__, row, strict=True))
    found["language"] = found["language"] or "en"
    found["blocks"] = msgspec.json.decode(found["blocks"])
    return msgspec.convert(found, Document)


def embedder(connection: Connection) -> tuple[str, int] | None:
    """Which one made the vectors; None before there are any."""
    row: tuple[str, int] | None = connection.execute("SELECT name, dimensions FROM embedder").fetchone()
    return row


def stored(connection: Connection) -> dict[DocumentId, Cut]:
    """Every document as it was cut, so that it can be embedded anew without its file."""
    return {
        row[0]: Cut(
            title=row[1],
            language=row[2],
            metadata=msgspec.json.decode(row[3], type=Metadata),
            text=row[4],
            blocks=msgspec.json.decode(row[5], type=tuple[PlacedBlock, ...]),
            passages=tuple(_drafts(connection, row[0])),
        )
        for row in connection.execute(
            "SELECT id, title, language, metadata, text, blocks FROM document WHERE passages > 0"
        ).fetchall()
    }


def _drafts(connection: Connection, number: DocumentId) -> list[PassageDraft]:
    rows = connection.execute(
        'SELECT id, start, "end", heading, page, language FROM passage WHERE document = ? ORDER BY ordinal', (number,)
    ).fetchall()
    return [
        PassageDraft(
            start=start,
            end=end,
            heading=tuple(msgspec.json.decode(heading)),
            page=page,
            language=language,
            sentences=tuple(_sentences(connection, passage)),
        )
        for passage, start, end, heading, page, language in rows
    ]


def _sentences(connection: Connection, passage: int) -> list[Sentence]:
    rows = connection.execute(
        'SELECT start, "end", text, kind, lead_start, lead_end FROM sentence WHERE passage = ? ORDER BY id', (passage,)
    ).fetchall()
    return [
        Sentence(
            start=start, end=end, text=text, kind=kind, lead=None if lead is None else Span(start=lead, end=lead_end)
        )
        for start, end, text, kind, lead, lead_end in rows
    ]


def _status(row: tuple[object, ...], names: Mapping[object, str], *, today: str) -> DocumentStatus:
    fields = dict(zip(_STATUS_COLUMNS, row, strict=True))
    followed, reason = fields.pop("superseded_by"), str(fields.pop("reason"))
    status, words = _in_words(fields, names.get(followed, followed) if followed else None, reason, today=today)
    return msgspec.convert({**fields, "status": status, "words": words}, DocumentStatus)


_STATUS_COLUMNS: Final = (
    "id", "revision", "title", "source", "language", "site", "valid_from", "valid_until", "superseded_by", "status", "reason",
    "passages", "sentences", "learnt_at",
)  # fmt: skip


def _in_words(fields: Mapping[str, object], followed: object, reason: str, *, today: str) -> tuple[Status, str]:
    begins, ends = str(fields["valid_from"] or ""), str(fields["valid_until"] or "9")
    match fields["status"]:
        case "failed":
            return "failed", f"not learnt: {_sentence(reason)}"
        case "removed":
            return "removed", "removed"
        case "superseded":
            return "superseded", f"{followed} has taken its place"
    if begins > today:
        return "not_in_force", f"not in force before {begins}"
    if ends < today:
        return (
            ("superseded", f"{followed} has taken its place")
            if followed
            else ("not_in_force", f"was in force until {ends}")
        )
    counted = f"searchable: {_count(fields['passages'], 'passage')}, {_count(fields['sentences'], 'sentence')}"
    until = (
        f"; until {ends}" + (f", then {followed} takes its place" if followed else "") if fields["valid_until"] else ""
    )
    return "searchable", counted + until + (f"; {reason}" if reason else "")


def _sentence(reason: str) -> str:
    """'is empty' is told as 'it is empty'."""
    return f"it {reason}" if reason.split(" ", 1)[0] in ("is", "has", "holds", "needs", "took", "cannot") else reason


def _count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---- writing ---------------------------------------------------------------------------------------------------------


def put(connection: Connection, learnt: Learnt, sites: Sequence[str]) -> DocumentId:
    """The document with its passages, words and vectors in place of what it was before."""
    number = _known(connection, learnt.place) or _new(connection, learnt.place)
    whole, said = learnt.cut, learnt.cut.metadata
    connection.execute("DELETE FROM passage WHERE document = ?", (number,))
    connection.execute(
        """UPDATE document SET revision = revision + 1, title = ?, path = ?, sha256 = ?, metadata = ?, language = ?, valid_from = ?,
        text = ?, blocks = ?, status = 'searchable', reason = ?, passages = ?, places = ?, learnt_at = ? WHERE id = ?""",
        (whole.title, learnt.place.path, learnt.sha256, msgspec.json.encode(said).decode(), whole.language, said.valid_from,
         whole.text, msgspec.json.encode(whole.blocks).decode(), whole.note, len(whole.passages),
         msgspec.json.encode(listed(whole)).decode(), iso(now()), number),
    )  # fmt: skip
    _put_passages(connection, number, whole)
    _put_vectors(connection, number, learnt.passages, learnt.sentences)
    connection.execute("DELETE FROM embedder")
    connection.execute("INSERT INTO embedder VALUES (?, ?)", (learnt.embedder, learnt.passages.shape[1]))
    _settle(connection, number, sites)
    return number


def fail(connection: Connection, place: Place, words: str) -> DocumentId:
    """It could not be learnt. What was known of it before goes on answering, and its status says so."""
    number = _known(connection, place) or _new(connection, place)
    connection.execute(
        """UPDATE document SET reason = CASE WHEN passages > 0 THEN ? ELSE ? END,
        status = CASE WHEN passages > 0 THEN status ELSE 'failed' END, path = coalesce(?, path), learnt_at = ? WHERE id = ?""",
        (f"{_NEWER} {_sentence(words)}. What it said before still answers", words, place.path, iso(now()), number),
    )
    return number


def remove(connection: Connection, number: DocumentId, sites: Sequence[str]) -> bool:
    """False when there was none. Its name and revision stay, so that an old citation is never taken for a new text."""
    connection.execute("DELETE FROM passage WHERE document = ?", (number,))
    done = connection.execute(
        """UPDATE document SET status = 'removed', text = '', blocks = '[]', metadata = '{}', places = '[]', passages = 0,
        reason = '', superseded_by = NULL, sha256 = '', learnt_at = ? WHERE id = ? AND status <> 'removed'""",
        (iso(now()), number),
    )
    _settle(connection, number, sites)
    return done.rowcount > 0


def swap_vectors(
    connection: Connection, name: str, dimensions: int, vectors: Mapping[DocumentId, tuple[Vectors, Vectors]]
) -> None:
    """Every vector by those of another embedder, which may have more dimensions or fewer."""
    for table, columns in (("passage_vec", ", language TEXT, site TEXT"), ("sentence_vec", "")):
        connection.execute(f"DROP TABLE {table}")
        connection.execute(
            f"CREATE VIRTUAL TABLE {table} USING vec0 (id INTEGER PRIMARY KEY, embedding float[{dimensions}]{columns})"
        )
    for number, (passages, sentences) in vectors.items():
        _put_vectors(connection, number, passages, sentences)
    connection.execute("DELETE FROM embedder")
    connection.execute("INSERT INTO embedder VALUES (?, ?)", (name, dimensions))


_NEWER: Final = "its newer version was not learnt:"


def _known(connection: Connection, place: Place) -> DocumentId | None:
    """The same file; else what has the same name, unless that is another file that is still there."""
    row = connection.execute("SELECT id FROM document WHERE path = ?", (place.path,)).fetchone()
    if row is None:
        row = connection.execute("SELECT id, path FROM document WHERE source = ?", (place.source,)).fetchone()
        if row and row[1] and place.path and Path(row[1]).exists():
            return None
    return DocumentId(row[0]) if row else None


def _new(connection: Connection, place: Place) -> DocumentId:
    number = DocumentId(_free(connection, "id", re.sub(r"[^\w.]+", "-", place.source).strip("-.")[-80:] or "document"))
    source = _free(connection, "source", place.source)
    connection.execute(
        """INSERT INTO document (id, revision, title, source, path, sha256, status, learnt_at)
        VALUES (?, 0, ?, ?, ?, '', 'failed', ?)""",
        (number, name_as_title(place.source), source, place.path, iso(now())),
    )
    return number


def _free(connection: Connection, column: str, wish: str) -> str:
    taken = {row[0] for row in connection.execute(f"SELECT {column} FROM document")}  # noqa: S608 - two names of ours
    name, number = wish, 1
    while name in taken:
        number += 1
        name = f"{wish}-{number}"
    return name


def _put_passages(connection: Connection, number: DocumentId, whole: Cut) -> None:
    for ordinal, one in enumerate(whole.passages):
        text = whole.text[one.start : one.end]
        passage = connection.execute(
            """INSERT INTO passage (document, start, "end", text, heading, page, language, ordinal)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                number,
                one.start,
                one.end,
                text,
                msgspec.json.encode(one.heading).decode(),
                one.page,
                one.language,
                ordinal,
            ),
        ).lastrowid
        connection.execute(
            "INSERT INTO passage_fts (rowid, title_words, heading_words, words) VALUES (?, ?, ?, ?)",
            (passage, fts_words(whole.title), fts_words(" ".join(one.heading)), fts_words(text)),
        )
        connection.executemany(
            'INSERT INTO sentence (passage, start, "end", text, kind, lead_start, lead_end) VALUES (?, ?, ?, ?, ?, ?, ?)',
            [
                (
                    passage,
                    said.start,
                    said.end,
                    said.text,
                    said.kind,
                    said.lead and said.lead.start,
                    said.lead and said.lead.end,
                )
                for said in one.sentences
            ],
        )


def _put_vectors(connection: Connection, number: DocumentId, passages: Vectors, sentences: Vectors) -> None:
    rows = connection.execute(
        "SELECT id, language, site FROM passage WHERE document = ? ORDER BY ordinal", (number,)
    ).fetchall()
    said = connection.execute(
        """SELECT sentence.id FROM sentence JOIN passage ON passage.id = sentence.passage WHERE passage.document = ?
        ORDER BY passage.ordinal, sentence.id""",
        (number,),
    ).fetchall()
    with _full_disk_told(connection):
        connection.executemany(
            "INSERT INTO passage_vec (id, embedding, language, site) VALUES (?, ?, ?, ?)",
            [(row[0], vector.tobytes(), row[1], row[2] or "") for row, vector in zip(rows, passages, strict=True)],
        )
        connection.executemany(
            "INSERT INTO sentence_vec (id, embedding) VALUES (?, ?)",
            [(row[0], vector.tobytes()) for row, vector in zip(said, sentences, strict=len(sentences) > 0)],
        )


@contextmanager
def _full_disk_told(connection: Connection) -> Iterator[None]:
    """sqlite-vec 0.1.9 reports a full disk as any other error. An ordinary write then tells; all is rolled back anyway."""
    try:
        yield
    except connection.OperationalError:
        connection.execute("CREATE TABLE room (bytes BLOB)")
        connection.execute("INSERT INTO room VALUES (zeroblob(8000000))")
        raise


# ---- what follows for the other documents ----------------------------------------------------------------------------


class _Claim(msgspec.Struct, frozen=True):
    """What one document says of its place among the others."""

    id: DocumentId
    source: str
    title: str
    said: Metadata


def _settle(connection: Connection, changed: DocumentId, sites: Sequence[str]) -> None:
    """After a change: who takes whose place and from which day, and which passage speaks of which site."""
    _settle_places(connection, changed)
    _settle_sites(connection, changed, sites)


def _settle_places(connection: Connection, changed: DocumentId) -> None:
    """A document that is superseded from a later day on answers until the day before."""
    today = clinic_day(connection)
    followed = _followed(connection)
    stood = connection.execute("SELECT id FROM document WHERE superseded_by IS NOT NULL").fetchall()
    for number in {changed, *followed, *(row[0] for row in stood)}:
        by, begins = followed.get(number, (None, ""))
        later = begins > today
        row = connection.execute("SELECT metadata FROM document WHERE id = ?", (number,)).fetchone()
        ends = msgspec.json.decode(row[0], type=Metadata).valid_until if row else None
        if later:
            day_before = (date.fromisoformat(begins) - timedelta(days=1)).isoformat()
            ends = min(ends or day_before, day_before)
        connection.execute(
            """UPDATE document SET status = ?, superseded_by = ?, valid_until = ?
            WHERE id = ? AND status IN ('searchable', 'superseded')""",
            ("superseded" if by and not later else "searchable", by, ends, number),
        )


def _followed(connection: Connection) -> dict[DocumentId, tuple[str, str]]:
    """For each superseded document the one that takes its place, and from which day: the earliest, if several do."""
    claims = _claims(connection, "AND metadata LIKE '%supersede%'")
    if not claims:
        return {}
    everyone = {claim.id: claim for claim in _claims(connection, "")}
    names = {name: claim.id for claim in everyone.values() for name in _names(claim)}
    pairs: list[tuple[str, DocumentId, str]] = []
    for claim in claims:
        old, new = names.get(_name(claim.said.supersedes)), names.get(_name(claim.said.superseded_by))
        if old and old != claim.id:
            pairs.append((claim.said.valid_from or "", old, claim.id))
        if claim.said.superseded_by:
            begins = everyone[new].said.valid_from if new else None
            pairs.append((begins or "", claim.id, new or claim.said.superseded_by))
    return {old: (new, begins) for begins, old, new in sorted(pairs, reverse=True)}


def _claims(connection: Connection, those: str, changed: DocumentId | None = None) -> list[_Claim]:
    rows = connection.execute(
        f"""SELECT id, source, title, metadata FROM document
        WHERE status IN ('searchable', 'superseded') {those} ORDER BY id""",  # noqa: S608 - texts of ours
        {"changed": changed},
    )
    return [
        _Claim(number, source, title, msgspec.json.decode(said, type=Metadata)) for number, source, title, said in rows
    ]


def _names(claim: _Claim) -> list[str]:
    return [_name(claim.title), _name(claim.source.rsplit("/", 1)[-1]), _name(claim.source), _name(claim.id)]


def _name(text: str | None) -> str:
    return fold(text or "").strip()


def _settle_sites(connection: Connection, changed: DocumentId, sites: Sequence[str]) -> None:
    """Of the changed document; of all of them when the clinic's sites are no longer the same."""
    called = _called(connection, sites)
    same = called == dict(connection.execute("SELECT name, site FROM site").fetchall())
    if not same:
        connection.execute("DELETE FROM site")
        connection.executemany("INSERT INTO site (name, site) VALUES (?, ?)", called.items())
    for claim in _claims(connection, "AND id = :changed" if same else "", changed):
        _settle_sites_of(connection, claim, called)


def _called(connection: Connection, sites: Sequence[str]) -> dict[str, str]:
    """The names of the clinic's sites: those it tells in so many words first."""
    rows = connection.execute(
        """SELECT metadata ->> 'site' FROM document
        WHERE metadata LIKE '%"site"%' AND status IN ('searchable', 'superseded') ORDER BY learnt_at"""
    )
    told = list(sites)
    for (site,) in rows.fetchall():
        if site is not None and site_spelt(site, told) not in told:
            told.append(site)
    listing = connection.execute(
        """SELECT id, language, places FROM document WHERE places <> '[]' AND status = 'searchable'
        AND (valid_until IS NULL OR valid_until >= ?) ORDER BY learnt_at, id""",
        (clinic_day(connection),),
    )
    places = [
        (number, language, place)
        for number, language, found in listing.fetchall()
        for place in msgspec.json.decode(found, type=tuple[Listed, ...])
    ]
    return sites_of(told, places, lambda name: _naming(connection, name))


def _naming(connection: Connection, name: str) -> set[str]:
    """The documents whose text, not only a heading, has the name."""
    words = " ".join(re.findall(r"[\w\u0900-\u097f]+", fts_words(name)))
    rows = connection.execute(
        """SELECT DISTINCT passage.document FROM passage_fts JOIN passage ON passage.id = passage_fts.rowid
        JOIN document ON document.id = passage.document
        WHERE passage_fts MATCH ? AND document.status = 'searchable'""",
        (f'words : "{words}"',),
    )
    return {row[0] for row in rows}


def _settle_sites_of(connection: Connection, claim: _Claim, called: Called) -> None:
    own = site_spelt(claim.said.site, called)
    own = called.get(own, own) if own else None
    connection.execute("UPDATE document SET site = ? WHERE id = ? AND site IS NOT ?", (own, claim.id, own))
    meant = own or site_of_heading(claim.title, called)
    rows = connection.execute("SELECT id, heading, site FROM passage WHERE document = ?", (claim.id,)).fetchall()
    for passage, heading, before in rows:
        site = site_of_path(msgspec.json.decode(heading), called) or meant
        if site != before:
            connection.execute("UPDATE passage SET site = ? WHERE id = ?", (site, passage))
            connection.execute("UPDATE passage_vec SET site = ? WHERE id = ?", (site or "", passage))
    said = connection.execute(
        "SELECT id, text, site FROM sentence WHERE passage IN (SELECT id FROM passage WHERE document = ?)", (claim.id,)
    ).fetchall()
    found = ((site_of_sentence(text, called), number, before) for number, text, before in said)
    changed = [(site, number) for site, number, before in found if site != before]
    connection.executemany("UPDATE sentence SET site = ? WHERE id = ?", changed)
