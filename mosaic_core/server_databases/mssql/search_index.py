"""The index of the table that is searched: a table of words, which MOSAIC makes.

``search_documents`` has a row for each row of the table, with the letters of scripts without spaces
as they stand; ``search_words`` says in which of them a word is, and how much it counts there: once
for each word (folded) and, of scripts without spaces, for each three letters; ``search_spelling``
has each word once, for words that are typed wrongly. It is all made of the rows in Python, so that
a word is folded here as everywhere, and needs no full text, which not every server has installed.

A trigger writes into ``search_stale``, in the transaction of the change, which rows the index has
not seen; so no change is missed, whoever makes it and in whichever way. What is stale is put in
before the next search answers, and not by the write. A mark is never merged with another, or one
that is put down while a row is read would be lost.
"""

# ruff: noqa: S608 - what is put into SQL are names, quoted, and constants
from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from mosaic_core.database import History, Tables
from mosaic_core.database.mssql import quoted
from mosaic_core.search import MOST_TEXT, Searchable, searched_table
from mosaic_core.search.spelling import SPELLED
from mosaic_core.search.words import MOST_WORD, fold, is_spaceless, separated
from mosaic_core.server_databases.mssql.catalog import PROPERTY, stamping
from mosaic_core.server_databases.naming import MARK
from mosaic_core.types import MSSQL_BINARY

#: What an entry of ``search_words`` is.
WORD, GRAM = 0, 1
#: A column for one; a word may have two halves of a pair for each character.
TERM = f"nvarchar({2 * MOST_WORD}) COLLATE {MSSQL_BINARY}"
#: How much a word counts in a title, a summary and a text, when it is there often.
_WEIGHTS = (1.0, 0.4, 0.1)
#: So many groups of three letters are looked at in a text.
_MOST_GRAMS = 40_000
_TABLES = ("search_documents", "search_words", "search_spelling", "search_stale")

#: Takes the index away, this one's or an earlier one's.
DROP = (
    f'DROP TRIGGER IF EXISTS "{MARK}".search_note',
    *(f'DROP TABLE IF EXISTS "{MARK}".{table}' for table in _TABLES),
)
DEFINITION = f"""
    SELECT CAST(value AS nvarchar(64)) FROM sys.extended_properties
     WHERE class = 1 AND minor_id = 0 AND name = N'{PROPERTY}'
       AND major_id = OBJECT_ID(N'{MARK}.search_documents')
"""


class Index:
    """The statements of the index of one table, with a mark for the schema."""

    def __init__(self, table: Table, searchable: Searchable, dialect: Dialect) -> None:
        self.table, self.searchable = table, searchable
        #: What tells rows apart, and what each document has of its row.
        self.keys = [column.name for column in table.primary_key.columns]
        self.has = list(dict.fromkeys([*self.keys, *searchable.by]))
        self._types = {
            name: table.c[name].type.dialect_impl(dialect).compile(dialect=dialect)
            for name in self.has
        }
        self._texts = [searchable.title, searchable.summary, searchable.text]
        self.create = list(self._create())
        self.definition = hashlib.sha256("\n".join(self.create).encode()).hexdigest()[:16]
        keys, mark, source = _list(self.keys), f'"{MARK}"', f'"{MARK}".{quoted(table.name)}'
        # What others are writing down at this moment is skipped: it counts once it is written.
        self.take_stale = (
            f"DELETE TOP (?) FROM {mark}.search_stale WITH (READPAST) "
            f"OUTPUT {_list(self.keys, 'deleted.')}"
        )
        where = " AND ".join(f"{quoted(name)} = ?" for name in self.keys)
        beginnings = ", ".join(self.beginning(quoted(name)) for name in self._texts)
        self.read = f"SELECT {_list(self.has)}, {beginnings} FROM {source} WHERE {where}"
        self.remove = (
            f"DELETE FROM {mark}.search_words WHERE document_id IN "
            f"(SELECT document_id FROM {mark}.search_documents WHERE {where})",
            f"DELETE FROM {mark}.search_documents WHERE {where}",
        )
        values = ", ".join("?" * (len(self.has) + 1))
        self.put = (
            f"INSERT INTO {mark}.search_documents ({_list(self.has)}, letters) "
            f"OUTPUT inserted.document_id VALUES ({values})"
        )
        self.put_words = (
            f"INSERT INTO {mark}.search_words (kind, term, document_id, score, titled) "
            "SELECT kind, term, document_id, score, titled "
            "FROM OPENJSON(CAST(? AS nvarchar(max))) WITH (document_id bigint '$[0]', "
            f"kind tinyint '$[1]', term nvarchar({2 * MOST_WORD}) '$[2]', "
            "score float '$[3]', titled bit '$[4]')"
        )
        self.spell = (
            f"INSERT INTO {mark}.search_spelling (term) SELECT j.term FROM (SELECT DISTINCT "
            f"CAST(value AS nvarchar({2 * MOST_WORD})) COLLATE {MSSQL_BINARY} AS term "
            "FROM OPENJSON(CAST(? AS nvarchar(max)))) j WHERE NOT EXISTS "
            f"(SELECT 1 FROM {mark}.search_spelling s WHERE s.term = j.term)"
        )
        self.respell = (
            f"DELETE FROM {mark}.search_spelling WHERE NOT EXISTS (SELECT 1 FROM "
            f"{mark}.search_words w WHERE w.kind = {WORD} "
            f"AND w.term = {mark}.search_spelling.term)"
        )
        self.all_stale = f"INSERT INTO {mark}.search_stale ({keys}) SELECT {keys} FROM {source}"

    @staticmethod
    def of(metadata: Tables, dialect: Dialect) -> Index | None:
        """The index that a schema needs; None when nothing is searched."""
        found = searched_table(metadata.sorted_tables)
        return None if found is None else Index(*found, dialect)

    @staticmethod
    def beginning(column: str) -> str:
        """What is looked at of a text. It is not cut within a pair, which no driver would read."""
        most = 2 * MOST_TEXT
        return (
            f"LEFT({column}, {most} - CASE WHEN UNICODE(SUBSTRING({column}, {most}, 1)) "
            "BETWEEN 55296 AND 56319 THEN 1 ELSE 0 END)"
        )

    def _create(self) -> Iterator[str]:
        mark, table = f'"{MARK}"', quoted(self.table.name)
        has = ", ".join(f"{quoted(name)} {self._types[name]} NOT NULL" for name in self.has)
        keys = ", ".join(f"{quoted(name)} {self._types[name]} NOT NULL" for name in self.keys)
        yield (
            f"CREATE TABLE {mark}.search_documents (document_id bigint IDENTITY PRIMARY KEY, "
            f"{has}, letters nvarchar(max) COLLATE {MSSQL_BINARY} NOT NULL, "
            f"UNIQUE ({_list(self.keys)}))"
        )
        yield (
            f"CREATE TABLE {mark}.search_words (kind tinyint NOT NULL, term {TERM} NOT NULL, "
            "document_id bigint NOT NULL, score float NOT NULL, titled bit NOT NULL, "
            "PRIMARY KEY (kind, term, document_id))"
        )
        yield f"CREATE INDEX search_by_document ON {mark}.search_words (document_id)"
        yield f"CREATE TABLE {mark}.search_spelling (term {TERM} NOT NULL PRIMARY KEY)"
        yield (f"CREATE TABLE {mark}.search_stale (mark_id bigint IDENTITY PRIMARY KEY, {keys})")
        touched = " OR ".join(
            f"UPDATE({quoted(name)})" for name in dict.fromkeys([*self.has, *self._texts])
        )
        names = _list(self.keys)
        yield (
            f"CREATE TRIGGER {mark}.search_note ON {mark}.{table} AFTER INSERT, UPDATE, DELETE AS "
            "BEGIN SET NOCOUNT ON; "
            "IF EXISTS (SELECT 1 FROM inserted) AND EXISTS (SELECT 1 FROM deleted) "
            f"AND NOT ({touched}) RETURN; "
            f"INSERT INTO {mark}.search_stale ({names}) "
            f"SELECT {names} FROM inserted UNION SELECT {names} FROM deleted; END"
        )

    def fresh(self, name: str) -> list[str]:
        """What makes a home's index anew, with all rows stale, in place of another: each to be sent
        by itself."""
        statements = [*DROP, *self.create, self.all_stale]
        return [
            *(statement.replace(MARK, name) for statement in statements),
            stamping(self.definition, name, "search_documents"),
        ]

    def document(self, row: Any) -> tuple[list[Any], list[list[Any]], set[str]]:
        """A row as :attr:`read` gives it: as :attr:`put` takes it, its entries of
        ``search_words`` (kind, term, score, titled), and its words.

        Slow for long texts: not for the event loop's thread.
        """
        has, texts = list(row[: len(self.has)]), [str(text) for text in row[len(self.has) :]]
        texts = [text[:MOST_TEXT] for text in texts]
        parts = [separated(text).split() for text in texts]
        folded = {word: fold(word)[:MOST_WORD] for word in {w for part in parts for w in part}}
        words = [Counter(folded[word] for word in part if folded[word]) for part in parts]
        entries = [[WORD, *entry] for entry in _scored(words)]
        letters = ""
        if any(map(is_spaceless, texts)):
            letters = " ".join(word.lower() for part in parts for word in part)
            entries += [[GRAM, *entry] for entry in _scored(map(_grams, parts))]
        return [*has, letters], entries, set(filter(_is_spelled, folded.values()))


def _scored(parts: Iterable[Counter[str]]) -> Iterator[list[Any]]:
    """What is in which parts of a document, with how much it counts there: each time it is found
    again, less."""
    title, *others = parts
    counted = [title, *others]
    for term in dict.fromkeys(term for part in counted for term in part):
        score = sum(
            weight * part[term] / (part[term] + 1)
            for weight, part in zip(_WEIGHTS, counted, strict=True)
        )
        yield [term, round(score, 6), int(term in title)]


def _grams(part: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word in part:
        lowered = word.lower()
        for at in range(len(lowered)):
            if len(found) >= _MOST_GRAMS:
                return found
            found[lowered[at : at + 3]] += 1
    return found


def _is_spelled(word: str) -> bool:
    shortest, longest = SPELLED
    return shortest <= len(word) <= longest and not word.isdigit() and not is_spaceless(word)


def as_json(value: Any) -> str:
    """For ``OPENJSON``."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class IndexedHistory(History):
    """A tenant's migrations, which take the index away before they change what it stands on.

    The next search makes it again.
    """

    def __init__(self, history: History, name: str) -> None:
        super().__init__(history.schema, history.folders)
        self._history = history
        self._name = name
        self.share(history)

    def upgrade(self, connection: Connection, subject: str) -> str:
        if self.own(self.read(connection)) == self.current:
            return self.current
        for statement in DROP:
            connection.exec_driver_sql(statement.replace(MARK, self._name))
        return self._history.upgrade(connection, subject)


def _list(names: Iterable[str], prefix: str = "") -> str:
    return ", ".join(prefix + quoted(name) for name in names)
