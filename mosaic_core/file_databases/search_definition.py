"""The index of the table that is searched: two FTS5 tables, kept exact by triggers.

``search_documents`` gives each row a number of the index (a rowid may change when a file is
compacted). The numbers of a scope, rows that one search looks among, stand together, so that FTS5
goes through those and no others. ``search_words`` has the words of all rows; ``search_grams`` has
the letters, three by three, of those in scripts without spaces. Neither keeps a text: what is shown
of one is read through the view ``search_content``.

What ``search_words`` gets is folded by the view ``search_terms``, which replaces within words only:
the n-th word of the index is the n-th word of the text, and is marked there. A row is taken out
before it changes, while the views still show what was put in, as FTS5 demands.

``search_spelling`` has each word once, for words that are typed wrongly: FTS5's own list of them
goes through all rows of a word to tell that there is one. ``search_fresh`` takes the text of the
row that is put in apart, and is emptied again. A word stays when its last row goes, until the file
is compacted: whether it is still there is asked before it is used.
"""

# ruff: noqa: S608 - what is put into SQL are names of tables and columns, quoted, and constants
from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table

from mosaic_core.search import CLOSE, MOST_TEXT, OPEN, Searchable
from mosaic_core.search.spelling import SPELLED
from mosaic_core.search.words import FOLDS, SPACELESS

#: What a connection that writes is told: FTS5 in triggers counts as unsafe in SQLite before 3.41,
#: unless the schema is trusted. It is ours, and no function is defined that could do harm.
TRUSTING = "PRAGMA trusted_schema = ON"

#: Numbers that a scope has for its rows, as a power of 2.
SPAN = 32

_TRIGGERS = ("search_inserted", "search_deleted", "search_changing", "search_changed")
#: Takes the index away, this one's or an earlier one's.
DROP = (
    *(f"DROP TRIGGER IF EXISTS {name}" for name in _TRIGGERS),
    "DROP TABLE IF EXISTS search_vocabulary",
    "DROP TABLE IF EXISTS search_fresh_words",
    "DROP TABLE IF EXISTS search_fresh",
    "DROP TABLE IF EXISTS search_spelling",
    "DROP TABLE IF EXISTS search_letters",
    "DROP TABLE IF EXISTS search_words",
    "DROP TABLE IF EXISTS search_grams",
    "DROP VIEW IF EXISTS search_terms",
    "DROP VIEW IF EXISTS search_content",
    "DROP TABLE IF EXISTS search_folds",
    "DROP TABLE IF EXISTS search_documents",
    "DROP TABLE IF EXISTS search_scopes",
    "PRAGMA user_version = 0",
)
_TOKENS = "tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* M*'\""
_CONTENT = "content = 'search_content', content_rowid = 'document_id'"
_TABLES = (
    "CREATE TABLE search_folds (step INTEGER PRIMARY KEY, letter TEXT, plain TEXT) STRICT",
    "INSERT INTO search_folds VALUES "
    + ", ".join(f"({n}, '{one}', '{other}')" for n, (one, other) in enumerate(FOLDS.items(), 1)),
    f"CREATE VIRTUAL TABLE search_words USING fts5(title, summary, text, {_TOKENS}, "
    f"prefix = '2 3', {_CONTENT})",
    f"CREATE VIRTUAL TABLE search_grams USING fts5(title, summary, text, "
    f"tokenize = 'trigram', {_CONTENT})",
    "CREATE VIRTUAL TABLE search_vocabulary USING fts5vocab(search_words, row)",
    "CREATE VIRTUAL TABLE search_letters USING fts5vocab(search_grams, row)",
    "CREATE TABLE search_spelling (term TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    f"CREATE VIRTUAL TABLE search_fresh USING fts5(title, summary, text, {_TOKENS}, "
    "content = '', detail = none, columnsize = 0)",
    "CREATE VIRTUAL TABLE search_fresh_words USING fts5vocab(search_fresh, row)",
)
_WORDS = "document_id, title, summary, text FROM search_terms"
_GRAMS = "document_id, title, summary, text FROM search_content WHERE is_spaceless"
_PUT = (
    f"INSERT INTO search_words (rowid, title, summary, text) SELECT {_WORDS} WHERE TRUE",
    f"INSERT INTO search_grams (rowid, title, summary, text) SELECT {_GRAMS}",
)
_TAKE = (
    f"INSERT INTO search_words (search_words, rowid, title, summary, text) "
    f"SELECT 'delete', {_WORDS} WHERE TRUE",
    f"INSERT INTO search_grams (search_grams, rowid, title, summary, text) "
    f"SELECT 'delete', {_GRAMS}",
)
_FRESH = f"INSERT INTO search_fresh (rowid, title, summary, text) SELECT {_WORDS} WHERE TRUE"
_SPELL = (
    "INSERT INTO search_spelling SELECT term FROM {} v "
    f"WHERE length(term) BETWEEN {SPELLED[0]} AND {SPELLED[1]} "
    f"AND term GLOB '*[^0-9]*' AND term NOT GLOB '*{SPACELESS}*' "
    "AND NOT EXISTS (SELECT 1 FROM search_spelling s WHERE s.term = v.term)"
)
#: Makes the list of words anew.
SPELL_ALL = ("DELETE FROM search_spelling", _SPELL.format("search_vocabulary"))
_SPELL_FRESH = (
    _SPELL.format("search_fresh_words"),
    "INSERT INTO search_fresh (search_fresh) VALUES ('delete-all')",
)


class Definition:
    """The statements that make the index of one table.

    Each is for rows to come, until it has those that are there: ``choose`` gives the rowids of at
    most so many rows that it lacks, those of a scope together; ``enter`` gives rows their numbers
    and returns these; and ``put`` puts rows in. Both take a JSON array, of rowids and of numbers.
    """

    def __init__(self, table: Table, searchable: Searchable) -> None:
        self._table = quoted(table.name)
        self._own = [column.name for column in table.primary_key.columns]
        self._by = searchable.by
        shown = searchable
        self._texts = {"title": shown.title, "summary": shown.summary, "text": shown.text}
        chosen = "SELECT value FROM json_each(?)"
        enter = self._enter()
        self.choose = (
            f"SELECT p.rowid {self._scoped()} WHERE NOT EXISTS "
            f"(SELECT 1 FROM search_documents d WHERE {self.joined('p')}) "
            "ORDER BY s.scope_id, p.rowid LIMIT ?"
        )
        self.enter = f"{enter} p.rowid IN ({chosen}) RETURNING document_id"
        self.put = [f"{statement} AND document_id IN ({chosen})" for statement in _PUT]
        self.create = [*self._tables(), f"{self._admit()} TRUE", *self._triggers(enter)]

    def joined(self, row: str, document: str = "d") -> str:
        """The condition under which a document is that of a row."""
        return _equal(self._own, row, document)

    def _tables(self) -> list[str]:
        own, by = _list(self._own), _list(self._by)
        texts = {name: _beginning(column) for name, column in self._texts.items()}
        shown = ", ".join(f"{_padded(text)} AS {name}" for name, text in texts.items())
        folded = ", ".join(f"{_folded(text)} AS {name}" for name, text in texts.items())
        # In the order of the documents: FTS5 starts another part of the index at each step back.
        rows = f"FROM search_documents d CROSS JOIN {self._table} p ON {self.joined('p')}"
        return [
            f"CREATE TABLE search_scopes (scope_id INTEGER PRIMARY KEY, "
            f"{_columns(self._by)}, UNIQUE ({by})) STRICT",
            f"CREATE TABLE search_documents (document_id INTEGER PRIMARY KEY, "
            f"{_columns(self._own)}, is_spaceless INTEGER NOT NULL, UNIQUE ({own})) STRICT",
            f"CREATE VIEW search_content AS SELECT d.document_id, d.is_spaceless, {shown} {rows}",
            f"CREATE VIEW search_terms AS SELECT d.document_id, {folded} {rows}",
            *_TABLES,
        ]

    def _scoped(self) -> str:
        return f"FROM {self._table} p JOIN search_scopes s ON {_equal(self._by, 'p', 's')}"

    def _admit(self) -> str:
        """Makes the scopes that rows are in, where there are none yet."""
        by = _list(self._by)
        return (
            f"INSERT INTO search_scopes ({by}) SELECT DISTINCT {by} FROM {self._table} p "
            f"WHERE NOT EXISTS (SELECT 1 FROM search_scopes s "
            f"WHERE {_equal(self._by, 'p', 's')}) AND"
        )

    def _enter(self) -> str:
        """Gives rows the next numbers of their scopes."""
        first = f"(s.scope_id << {SPAN})"
        last = (
            f"SELECT max(document_id) FROM search_documents "
            f"WHERE document_id BETWEEN {first} AND {first} + {(1 << SPAN) - 1}"
        )
        spaceless = " OR ".join(
            f"{_beginning(column)} GLOB '*{SPACELESS}*'" for column in self._texts.values()
        )
        return (
            f"INSERT INTO search_documents (document_id, {_list(self._own)}, is_spaceless) "
            f"SELECT coalesce(({last}), {first}) "
            f"+ row_number() OVER (PARTITION BY s.scope_id ORDER BY p.rowid), "
            f"{_list(self._own, 'p')}, coalesce({spaceless}, 0) {self._scoped()} WHERE"
        )

    def _triggers(self, enter: str) -> list[str]:
        columns = dict.fromkeys([*self._own, *self._by, *self._texts.values()])
        watched = [quoted(name) for name in columns]
        changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in watched)
        update = f"UPDATE OF {', '.join(watched)} ON {self._table} WHEN {changed}"
        this = self.joined("p", "new")
        texts = self._of("new", [*_PUT, _FRESH])
        put = _program([f"{self._admit()} {this}", f"{enter} {this}", *texts, *_SPELL_FRESH])
        leave = f"DELETE FROM search_documents WHERE {self.joined('old', 'search_documents')}"
        take = _program([*self._of("old", _TAKE), leave])
        inserted, deleted, changing, after = _TRIGGERS
        return [
            f"CREATE TRIGGER {inserted} AFTER INSERT ON {self._table} {put}",
            f"CREATE TRIGGER {deleted} BEFORE DELETE ON {self._table} {take}",
            f"CREATE TRIGGER {changing} BEFORE {update} {take}",
            f"CREATE TRIGGER {after} AFTER {update} {put}",
        ]

    def _of(self, row: str, statements: Iterable[str]) -> list[str]:
        """The statements for one row alone."""
        number = f"SELECT document_id FROM search_documents d WHERE {self.joined(row)}"
        return [f"{statement} AND document_id = ({number})" for statement in statements]


def _beginning(column: str) -> str:
    """What is searched of a text."""
    return f"substr(p.{quoted(column)}, 1, {MOST_TEXT})"


def _padded(text: str) -> str:
    """Without the two characters that mark what was found, and with two spaces at the end: so its
    last letter, too, is the first of three."""
    return f"replace(replace({text}, char({ord(OPEN)}), ' '), char({ord(CLOSE)}), ' ') || '  '"


def _folded(text: str) -> str:
    """One letter after the other is replaced; in ASCII there are none of them."""
    return (
        f"CASE WHEN length(CAST({text} AS BLOB)) = length({text}) THEN {text} ELSE ("
        f"WITH RECURSIVE f (step, t) AS (SELECT 0, {text} "
        "UNION ALL SELECT s.step, replace(f.t, s.letter, s.plain) "
        "FROM f JOIN search_folds s ON s.step = f.step + 1) "
        f"SELECT t FROM f WHERE step = {len(FOLDS)}) END"
    )


def _program(statements: Iterable[str]) -> str:
    return f"BEGIN {'; '.join(statements)}; END"


def _equal(names: Iterable[str], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in map(quoted, names))


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f"{quoted(name)} ANY NOT NULL" for name in names)


def _list(names: Iterable[str], table: str = "") -> str:
    return ", ".join(f"{table}.{name}" if table else name for name in map(quoted, names))


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
