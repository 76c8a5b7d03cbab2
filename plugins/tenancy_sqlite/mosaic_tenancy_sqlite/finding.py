"""Finding rows in the index of one tenant's file.

A query is taken apart into words, and each becomes a quoted string: whatever a visitor types, it is
never read as FTS5's own syntax. What one search does is bounded: it ranks no more than
``MOST_FOUND`` rows. Of a query that more rows match, those are ranked that have the words in their
title, and the newest of the others. Titles and excerpts are made of the rows that are shown alone.
"""

# ruff: noqa: S608 - what is put into SQL are numbers, and names of tables and columns
from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy.dialects.sqlite import dialect

from mosaic_core.search import (
    CLOSE,
    MOST_FOUND,
    OPEN,
    SearchHit,
    SearchQuery,
    SearchResults,
)
from mosaic_core.search.excerpts import excerpt
from mosaic_core.search.words import fold, is_spaceless, words_of
from mosaic_tenancy_sqlite.nearest import nearest
from mosaic_tenancy_sqlite.search_index import SearchIndex

#: How much more a word counts in a title and in a summary than in a text.
_TITLE, _SUMMARY, _TEXT = 10.0, 4.0, 1.0
#: Characters of an excerpt; fewer in scripts without spaces, where one says more.
_EXCERPT = {"search_words": 200, "search_grams": 80}
#: Words of one query for which others are looked for.
_MOST_INSTEAD = 3
#: Groups of three letters that a word of one or two is looked for as, and all of a query are.
_GROUPS, _MOST_GROUPS = 100, 400
_LAST = "\U0010ffff"

_GROUPS_OF = "SELECT term FROM search_letters WHERE term >= ? AND term < ? LIMIT ?"

#: Scores, and rows' numbers in the index made negative: in their order, the best come first, and
#: the newest of those that are as good.
_Found = list[tuple[float, int]]


class Finder:
    """Answers queries from the index.

    Args:
        index: the definition that the file's index has.
    """

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        searchable, table = index.searchable, index.table
        self._convert = [
            table.c[name].type.dialect_impl(dialect()).result_processor(dialect(), None)
            for name in searchable.key
        ]
        self._keys = ", ".join(f'p."{name}"' for name in searchable.key)
        self._table = f'"{table.name}"'

    def answer(self, connection: sqlite3.Connection, query: SearchQuery) -> SearchResults | None:
        """The hits of a query, none when it has no word; None when the file lacks the index."""
        words = words_of(query.text)
        if not words:
            return SearchResults()
        connection.execute("BEGIN")  # one snapshot: what is found is what is shown
        try:
            if not self._index.is_in(connection):
                return None
            scope = self._index.scope(connection, query.by)
            if scope is None:
                return SearchResults()
            return _Search(self, connection, query, scope).run(words)
        finally:
            connection.execute("ROLLBACK")


class _Search:
    """One search, among the rows of a scope."""

    def __init__(
        self,
        finder: Finder,
        connection: sqlite3.Connection,
        query: SearchQuery,
        scope: tuple[int, int],
    ) -> None:
        self._finder = finder
        self._connection = connection
        self._query = query
        self._scope = scope

    def run(self, words: list[str]) -> SearchResults:
        if any(map(is_spaceless, words)):
            most = min(_GROUPS, _MOST_GROUPS // len(words))
            found = self._results("search_grams", [self._groups(word, most) for word in words], {})
            return replace(found, hits=tuple(_marked(hit, words) for hit in found.hits))
        looked_for = [_any_of([fold(word)], last=word == words[-1]) for word in words]
        found = self._results("search_words", looked_for, {})
        if found.total:
            return found
        instead: dict[str, tuple[str, ...]] = {}
        for at, word in enumerate(words):
            if len(words) == 1 or not self._occurs(looked_for[at]):
                near: tuple[str, ...] = ()
                if len(instead) < _MOST_INSTEAD:
                    near = nearest(self._connection, fold(word), self._is_word)
                if not near:
                    return found
                instead[word] = near
                looked_for[at] = _any_of(near)
        return self._results("search_words", looked_for, instead) if instead else found

    # Finding

    def _results(
        self, table: str, looked_for: Sequence[str], instead: dict[str, tuple[str, ...]]
    ) -> SearchResults:
        if not all(looked_for):
            return SearchResults()
        match = " AND ".join(looked_for)
        found = self._ranked(table, match)
        more = len(found) > MOST_FOUND
        if more:
            titled = sorted(self._ranked(table, f"title : ({match})"))
            known = {number for _, number in titled}
            found = titled + sorted(row for row in found if row[1] not in known)
        else:
            found.sort()
        del found[MOST_FOUND:]
        shown = found[self._query.offset : self._query.offset + self._query.limit]
        return SearchResults(self._hits(table, match, shown), len(found), more, instead)

    def _ranked(self, table: str, match: str) -> _Found:
        """At most one row more than are ranked, the newest first."""
        rows = self._connection.execute(
            f"SELECT bm25({table}, {_TITLE}, {_SUMMARY}, {_TEXT}), -rowid FROM {table} "
            f"WHERE {table} MATCH ? AND rowid BETWEEN ? AND ? "
            f"ORDER BY rowid DESC LIMIT {MOST_FOUND + 1}",
            (match, *self._scope),
        )
        return rows.fetchall()

    def _occurs(self, looked_for: str) -> bool:
        """Whether a word is anywhere in what is searched."""
        rows = self._connection.execute(
            "SELECT 1 FROM search_words WHERE search_words MATCH ? AND rowid BETWEEN ? AND ? "
            "LIMIT 1",
            (looked_for, *self._scope),
        )
        return rows.fetchone() is not None

    def _is_word(self, word: str) -> bool:
        return self._occurs(_any_of([word]))

    def _hits(self, table: str, match: str, shown: _Found) -> tuple[SearchHit, ...]:
        if not shown:
            return ()
        numbers = [-number for _, number in shown]
        between = min(numbers), max(numbers)
        rows = self._connection.execute(
            f"SELECT {table}.rowid, "
            f"{', '.join(f'highlight({table}, {column}, ?, ?)' for column in range(3))}, "
            f"{self._finder._keys} "
            f"FROM {table} CROSS JOIN search_documents d ON d.document_id = {table}.rowid "
            f"CROSS JOIN {self._finder._table} p ON {self._finder._index.joined('p')} "
            f"WHERE {table} MATCH ? AND {table}.rowid BETWEEN ? AND ? "
            f"AND +{table}.rowid IN (SELECT value FROM json_each(?)) "
            f"ORDER BY {table}.rowid DESC LIMIT ?",
            (*(OPEN, CLOSE) * 3, match, *between, json.dumps(numbers), len(numbers)),
        )
        by_number = {-row[0]: row[1:] for row in rows}
        hits = []
        for score, number in shown:
            title, summary, text, *key = by_number[number]
            shows = summary if OPEN in summary and OPEN not in text else text.strip() or summary
            snippet = excerpt(shows, _EXCERPT[table])
            values = tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self._finder._convert, key, strict=True)
            )
            hits.append(SearchHit(values, title.strip(), snippet, -score))
        return tuple(hits)

    def _groups(self, word: str, most: int) -> str:
        """A word as groups of three letters; a shorter one as all that begin with it."""
        if len(word) > 2:
            return _any_of([word])
        start = word.lower()
        rows = self._connection.execute(_GROUPS_OF, (start, start + _LAST, most))
        return _any_of([row[0] for row in rows])


def _marked(hit: SearchHit, words: Iterable[str]) -> SearchHit:
    """The hit with the words marked as they are, not as groups of three letters."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)

    def again(text: str) -> str:
        bare = text.replace(OPEN, "").replace(CLOSE, "").strip()
        return pattern.sub(lambda match: f"{OPEN}{match[0]}{CLOSE}", bare)

    return replace(hit, title=again(hit.title), snippet=again(hit.snippet))


def _any_of(words: Iterable[str], *, last: bool = False) -> str:
    """An expression of FTS5 for one of these words; the last one of a query may be a beginning."""
    quoted = []
    for word in words:
        text = word.replace('"', '""')
        quoted.append(f'"{text}"*' if last and len(word) > 1 else f'"{text}"')
    return f"({' OR '.join(quoted)})" if quoted else ""
