"""The index of the table that is searched: PostgreSQL's full text, over words that MOSAIC made.

``search_documents`` has for each row its words (folded and weighted as ``tsvector``: A of the
title, B of the summary, D of the text) and, for scripts without spaces, its letters three by three
(``grams``) and as they stand (``letters``). ``search_spelling`` has each word once, for words that
are typed wrongly. Both are made of the rows in Python, so that a word is folded here as everywhere,
whatever the locale, version and extensions of a server.

A trigger writes into ``search_stale``, in the transaction of the change, which rows the index has
not seen; so no change is missed, whoever makes it and in whichever way. What is stale is put in
before the next search answers, and not by the write: taking texts apart under the head's lock would
make a tenant's editors wait, and a page that is published again and again is put in once. A mark is
never merged with another, or one that is put down while a row is read would be lost.
"""

# ruff: noqa: S608 - what is put into SQL are names, quoted, and constants
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from mosaic_core.database import History, Tables
from mosaic_core.database.postgresql import literal, quoted
from mosaic_core.search import MOST_TEXT, Searchable, searched_table
from mosaic_core.search.spelling import SPELLED
from mosaic_core.search.words import MOST_WORD, fold, is_spaceless, separated
from mosaic_core.server_databases.naming import MARK
from mosaic_core.server_databases.postgresql.making import grants

#: A ``tsvector`` has at most 1 MB and positions to 16383 (postgresql.org/docs/current/
#: textsearch-limitations.html); so many groups of three letters fit in any script.
_MOST_GRAMS, _MOST_POSITION = 40_000, 16_383
_WEIGHTS = ("A", "B", "D")

#: Takes the index away, this one's or an earlier one's.
DROP = (
    f'DROP TABLE IF EXISTS "{MARK}".search_documents',
    f'DROP TABLE IF EXISTS "{MARK}".search_spelling',
    f'DROP TABLE IF EXISTS "{MARK}".search_stale',
    f'DROP FUNCTION IF EXISTS "{MARK}".search_note() CASCADE',
)
#: Asked of the catalogs as tables: ``to_regclass`` may answer from a cache of the connection that
#: knows of no index yet, when another process has just made it and let go of the lock.
DEFINITION = f"""
    SELECT d.description FROM pg_catalog.pg_description d
      JOIN pg_catalog.pg_class c ON c.oid = d.objoid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = '{MARK}' AND c.relname = 'search_documents'
       AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
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
        self.create = list(self._create())
        self.definition = hashlib.sha256("\n".join(self.create).encode()).hexdigest()[:16]
        self._texts = [searchable.title, searchable.summary, searchable.text]
        keys, mark = _list(self.keys), f'"{MARK}"'
        self.take_stale = (
            f"DELETE FROM {mark}.search_stale WHERE ctid = ANY (ARRAY("
            f"SELECT ctid FROM {mark}.search_stale LIMIT $1)) RETURNING {keys}"
        )
        where = " AND ".join(f"{quoted(n)} = ${at}" for at, n in enumerate(self.keys, 1))
        beginnings = ", ".join(f"left({quoted(name)}, {MOST_TEXT})" for name in self._texts)
        self.read = (
            f"SELECT {_list(self.has)}, {beginnings} FROM {mark}.{quoted(table.name)} WHERE {where}"
        )
        self.remove = f"DELETE FROM {mark}.search_documents WHERE {where}"
        count = len(self.has)
        values = ", ".join(f"${at}" for at in range(1, count + 1))
        self.put = (
            f"INSERT INTO {mark}.search_documents ({_list(self.has)}, words, grams, letters) "
            f"VALUES ({values}, ${count + 1}::text::tsvector, ${count + 2}::text::tsvector, "
            f"${count + 3})"
        )
        self.spell = (
            f"INSERT INTO {mark}.search_spelling SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
        )
        self.respell = (
            f"DELETE FROM {mark}.search_spelling s WHERE NOT EXISTS (SELECT 1 FROM "
            f"""ts_stat('SELECT words FROM "{MARK}".search_documents') t WHERE t.word = s.term)"""
        )

    @staticmethod
    def of(metadata: Tables, dialect: Dialect) -> Index | None:
        """The index that a schema needs; None when nothing is searched."""
        found = searched_table(metadata.sorted_tables)
        return None if found is None else Index(*found, dialect)

    def _create(self) -> Iterator[str]:
        mark, table = f'"{MARK}"', quoted(self.table.name)
        has = ", ".join(f"{quoted(name)} {self._types[name]} NOT NULL" for name in self.has)
        keys = ", ".join(f"{quoted(name)} {self._types[name]} NOT NULL" for name in self.keys)
        yield (
            f"CREATE TABLE {mark}.search_documents (document_id bigint PRIMARY KEY "
            f"GENERATED ALWAYS AS IDENTITY, {has}, words tsvector NOT NULL, grams tsvector, "
            f"letters text, UNIQUE ({_list(self.keys)}))"
        )
        yield f"CREATE INDEX search_words ON {mark}.search_documents USING gin (words)"
        yield (
            f"CREATE INDEX search_grams ON {mark}.search_documents USING gin (grams) "
            "WHERE grams IS NOT NULL"
        )
        yield f'CREATE TABLE {mark}.search_spelling (term text COLLATE "C" PRIMARY KEY)'
        yield f"CREATE TABLE {mark}.search_stale ({keys})"
        old = ", ".join(f"OLD.{quoted(name)}" for name in self.keys)
        yield (
            f"CREATE FUNCTION {mark}.search_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP <> 'INSERT' THEN INSERT INTO {mark}.search_stale VALUES ({old}); END IF; "
            f"IF TG_OP <> 'DELETE' THEN INSERT INTO {mark}.search_stale "
            f"VALUES ({old.replace('OLD.', 'NEW.')}); END IF; RETURN NULL; END $$"
        )
        for event in ("INSERT OR DELETE", "UPDATE"):
            when = f"WHEN ({self._differs()})" if event == "UPDATE" else ""
            yield (
                f"CREATE TRIGGER search_{event[:6].lower()} AFTER {event} ON {mark}.{table} "
                f"FOR EACH ROW {when} EXECUTE FUNCTION {mark}.search_note()"
            )

    def _differs(self) -> str:
        shown = [self.searchable.title, self.searchable.summary, self.searchable.text]
        names = [quoted(name) for name in dict.fromkeys([*self.has, *shown])]
        one, other = (", ".join(f"{row}.{name}" for name in names) for row in ("OLD", "NEW"))
        return f"({one}) IS DISTINCT FROM ({other})"

    def fresh(self, *, roles: str | None) -> list[str]:
        """What makes the index anew, with all rows stale, in place of another.

        Args:
            roles: the home's name when it has a role of its own.
        """
        mark = f'"{MARK}"'
        return [
            *DROP,
            *self.create,
            f"INSERT INTO {mark}.search_stale "
            f"SELECT {_list(self.keys)} FROM {mark}.{quoted(self.table.name)}",
            f"COMMENT ON TABLE {mark}.search_documents IS {literal(self.definition)}",
            *(grants(roles) if roles is not None else ()),
        ]

    def document(self, row: Any) -> tuple[list[Any], set[str]]:
        """A row as :attr:`read` gives it, as :attr:`put` takes it, and its words.

        Slow for long texts: not for the event loop's thread.
        """
        has, texts = list(row[: len(self.has)]), [str(text) for text in row[len(self.has) :]]
        parts = [separated(text).split() for text in texts]
        folded = {word: fold(word)[:MOST_WORD] for word in {w for part in parts for w in part}}
        words, at = _Vector(), 0
        for part, weight in zip(parts, _WEIGHTS, strict=True):
            for word in part:
                at += 1
                words.add(folded[word], f"{min(at, _MOST_POSITION)}{weight}")
        grams, letters = None, None
        if any(map(is_spaceless, texts)):
            letters = " ".join(word.lower() for part in parts for word in part)
            grams = str(_grams(parts))
        return [*has, str(words), grams, letters], set(filter(_is_spelled, folded.values()))


class _Vector:
    """A ``tsvector`` in the making."""

    def __init__(self) -> None:
        self.places: dict[str, list[str]] = {}

    def add(self, lexeme: str, place: str) -> None:
        if lexeme:
            self.places.setdefault(lexeme, []).append(place)

    def __str__(self) -> str:
        # A lexeme is of letters, digits and marks: there is nothing to escape in it. Of its places,
        # 256 count.
        return " ".join(f"'{word}':{','.join(at[:256])}" for word, at in self.places.items())


def _grams(parts: list[list[str]]) -> _Vector:
    vector = _Vector()
    for at, (part, weight) in enumerate(zip(parts, _WEIGHTS, strict=True), 1):
        lowered = [word.lower() for word in part]
        found = {word[at : at + 3] for word in lowered for at in range(len(word))}
        for gram in sorted(found):
            if len(vector.places) < _MOST_GRAMS or gram in vector.places:
                vector.add(gram, f"{at}{weight}")
    return vector


def _is_spelled(word: str) -> bool:
    shortest, longest = SPELLED
    return shortest <= len(word) <= longest and not word.isdigit() and not is_spaceless(word)


class IndexedHistory(History):
    """A tenant's migrations, which take the index away before they change what it stands on.

    The next search makes it again.
    """

    def __init__(self, history: History, name: str, *, roles: bool) -> None:
        super().__init__(history.schema, history.folders)
        self._history = history
        self._name = name
        self._roles = roles
        self.share(history)

    def upgrade(self, connection: Connection, subject: str) -> str:
        if self.own(self.read(connection)) == self.current:
            return self.current
        for statement in DROP:
            connection.exec_driver_sql(statement.replace(MARK, self._name))
        revision = self._history.upgrade(connection, subject)
        for statement in grants(self._name) if self._roles else ():
            connection.exec_driver_sql(statement)
        return revision


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
