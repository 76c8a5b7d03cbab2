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

import hashlib
import sqlite3
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.dialects.sqlite import dialect

from mosaic_core.database import History
from mosaic_core.search import CLOSE, MOST_TEXT, OPEN, searched_table
from mosaic_tenancy_sqlite.words import FOLDS, SPACELESS

#: What a connection that writes is told: FTS5 in triggers counts as unsafe in SQLite before 3.41,
#: unless the schema is trusted. It is ours, and no function is defined that could do harm.
TRUSTING = "PRAGMA trusted_schema = ON"

#: Numbers that a scope has for its rows, as a power of 2.
_SPAN = 32
#: Characters of a word that is worth looking for when another one was typed.
_SPELLED = (3, 66)

_TRIGGERS = ("search_inserted", "search_deleted", "search_changing", "search_changed")
_DROP = (
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
    f"WHERE length(term) BETWEEN {_SPELLED[0]} AND {_SPELLED[1]} "
    f"AND term GLOB '*[^0-9]*' AND term NOT GLOB '*{SPACELESS}*' "
    "AND NOT EXISTS (SELECT 1 FROM search_spelling s WHERE s.term = v.term)"
)
_SPELL_ALL = ("DELETE FROM search_spelling", _SPELL.format("search_vocabulary"))
_SPELL_FRESH = (
    _SPELL.format("search_fresh_words"),
    "INSERT INTO search_fresh (search_fresh) VALUES ('delete-all')",
)


class SearchIndex:
    """The definition of the index; the number of the definition that a file's index has stands in
    its header (``PRAGMA user_version``)."""

    def __init__(self, metadata: MetaData) -> None:
        found = searched_table(metadata)
        assert found is not None
        self.table, self.searchable = found
        self._own = [column.name for column in self.table.primary_key.columns]
        shown = self.searchable
        self._texts = {"title": shown.title, "summary": shown.summary, "text": shown.text}
        self._bind = [
            self.table.c[name].type.dialect_impl(dialect()).bind_processor(dialect())
            for name in shown.by
        ]

    @staticmethod
    def of(metadata: MetaData) -> SearchIndex | None:
        """The index that a schema needs; None when nothing is searched."""
        return SearchIndex(metadata) if searched_table(metadata) is not None else None

    @cached_property
    def number(self) -> int:
        """Another for another definition, and never 0."""
        text = "\n".join(self._create())
        return int(hashlib.sha256(text.encode()).hexdigest()[:7], 16) + 1

    def is_in(self, connection: sqlite3.Connection) -> bool:
        """Whether the file has this very index."""
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] == self.number)

    def install(self, connection: sqlite3.Connection) -> None:
        """Makes the index anew from the rows; all of it or nothing."""
        number = f"PRAGMA user_version = {self.number}"
        self._change(connection, (*_DROP, *self._create(), number))

    @staticmethod
    def _change(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def respell(self, connection: sqlite3.Connection) -> None:
        """Forgets the words that are nowhere any more, if the file has this very index."""
        if self.is_in(connection):
            self._change(connection, _SPELL_ALL)

    def scope(self, connection: sqlite3.Connection, by: tuple[Any, ...]) -> tuple[int, int] | None:
        """The first and the last number that a row of these values can have in the index; None
        when there never was one."""
        values = [
            value if bind is None else bind(value)
            for bind, value in zip(self._bind, by, strict=True)
        ]
        where = " AND ".join(f"{_quoted(name)} = ?" for name in self.searchable.by)
        row = connection.execute(f"SELECT scope_id FROM search_scopes WHERE {where}", values)
        for (scope,) in row:
            return scope << _SPAN, (scope + 1 << _SPAN) - 1
        return None

    def joined(self, row: str, document: str = "d") -> str:
        """The condition under which a document is that of a row."""
        return _equal(self._own, row, document)

    def _create(self) -> list[str]:
        table = _quoted(self.table.name)
        own, by = _list(self._own), _list(self.searchable.by)
        texts = {
            name: f"substr(p.{_quoted(column)}, 1, {MOST_TEXT})"
            for name, column in self._texts.items()
        }
        shown = ", ".join(f"{_padded(text)} AS {name}" for name, text in texts.items())
        folded = ", ".join(f"{_folded(text)} AS {name}" for name, text in texts.items())
        # In the order of the documents: FTS5 starts another part of the index at each step back.
        rows = f"FROM search_documents d CROSS JOIN {table} p ON {self.joined('p')}"
        scoped = f"FROM {table} p JOIN search_scopes s ON {_equal(self.searchable.by, 'p', 's')}"
        spaceless = " OR ".join(f"{text} GLOB '*{SPACELESS}*'" for text in texts.values())
        first = f"(s.scope_id << {_SPAN})"
        last = (
            f"SELECT max(document_id) FROM search_documents "
            f"WHERE document_id BETWEEN {first} AND {first} + {(1 << _SPAN) - 1}"
        )
        enter = (
            f"INSERT INTO search_scopes ({by}) SELECT DISTINCT {by} FROM {table} p "
            f"WHERE NOT EXISTS (SELECT 1 FROM search_scopes s "
            f"WHERE {_equal(self.searchable.by, 'p', 's')}) AND ",
            f"INSERT INTO search_documents (document_id, {own}, is_spaceless) "
            f"SELECT coalesce(({last}), {first}) "
            f"+ row_number() OVER (PARTITION BY s.scope_id ORDER BY p.rowid), "
            f"{_list(self._own, 'p')}, coalesce({spaceless}, 0) {scoped} WHERE ",
        )
        return [
            f"CREATE TABLE search_scopes (scope_id INTEGER PRIMARY KEY, "
            f"{_columns(self.searchable.by)}, UNIQUE ({by})) STRICT",
            f"CREATE TABLE search_documents (document_id INTEGER PRIMARY KEY, "
            f"{_columns(self._own)}, is_spaceless INTEGER NOT NULL, UNIQUE ({own})) STRICT",
            f"CREATE VIEW search_content AS SELECT d.document_id, d.is_spaceless, {shown} {rows}",
            f"CREATE VIEW search_terms AS SELECT d.document_id, {folded} {rows}",
            *_TABLES,
            *(f"{statement} TRUE" for statement in enter),
            *_PUT,
            *_SPELL_ALL,
            *self._triggers(table, enter),
        ]

    def _triggers(self, table: str, enter: Iterable[str]) -> list[str]:
        columns = [*self._own, *self.searchable.by, *self._texts.values()]
        watched = [_quoted(name) for name in dict.fromkeys(columns)]
        changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in watched)
        update = f"UPDATE OF {', '.join(watched)} ON {table} WHEN {changed}"
        entered = [f"{statement} {self.joined('p', 'new')}" for statement in enter]
        put = _program([*entered, *self._of("new", [*_PUT, _FRESH]), *_SPELL_FRESH])
        leave = f"DELETE FROM search_documents WHERE {self.joined('old', 'search_documents')}"
        take = _program([*self._of("old", _TAKE), leave])
        inserted, deleted, changing, after = _TRIGGERS
        return [
            f"CREATE TRIGGER {inserted} AFTER INSERT ON {table} {put}",
            f"CREATE TRIGGER {deleted} BEFORE DELETE ON {table} {take}",
            f"CREATE TRIGGER {changing} BEFORE {update} {take}",
            f"CREATE TRIGGER {after} AFTER {update} {put}",
        ]

    def _of(self, row: str, statements: Iterable[str]) -> list[str]:
        """The statements for one row alone."""
        number = f"SELECT document_id FROM search_documents d WHERE {self.joined(row)}"
        return [f"{statement} AND document_id = ({number})" for statement in statements]


class IndexedHistory(History):
    """A tenant's migrations, which take the index away before they change what it stands on.

    A migration may copy a table and drop the old one, with its triggers.
    """

    def __init__(self, history: History) -> None:
        super().__init__(history.schema, history.folders)
        self._history = history
        self.turn = history.turn
        #: The database had an index, which is to be made again.
        self.dropped = False

    def upgrade(self, connection: Connection, subject: str) -> str:
        if self.read(connection) != self.current:
            number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            self.dropped = number != 0
            for statement in _DROP:
                connection.exec_driver_sql(statement)
        return self._history.upgrade(connection, subject)


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
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in map(_quoted, names))


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f"{_quoted(name)} ANY NOT NULL" for name in names)


def _list(names: Iterable[str], table: str = "") -> str:
    return ", ".join(f"{table}.{name}" if table else name for name in map(_quoted, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
