"""Finding rows in the index of one tenant's file.

A query is taken apart into words, and each becomes a quoted string: whatever a visitor types, it is
never read as FTS5's own syntax. What one search does is bounded: it ranks no more than
``MOST_FOUND`` rows. Of a query that more rows match, those are ranked that have the words in their
title, and the newest of the others.
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
from mosaic_tenancy_sqlite.search_index import SearchIndex
from mosaic_tenancy_sqlite.words import (
    beginnings,
    distance,
    errors_in,
    fold,
    is_spaceless,
    words_of,
)

#: How much more a word counts in a title and in a summary than in a text.
_TITLE, _SUMMARY, _TEXT = 10.0, 4.0, 1.0
#: Words of an excerpt; of one in a script without spaces, letters.
_EXCERPT = {"search_words": 30, "search_grams": 60}
#: Words that are tried for one that occurs nowhere, and that are looked for instead.
_CANDIDATES, _NEAREST = 24, 4
#: Words of one query for which others are looked for.
_MOST_INSTEAD = 3
#: Groups of three letters that a word of one or two is looked for as.
_GROUPS = 100
_LAST = "\U0010ffff"

#: Words by how they begin, of some lengths, with in how many rows each occurs.
_VOCABULARY = """
    SELECT DISTINCT v.term, v.doc
      FROM (SELECT value AS start FROM json_each(?)) b
     CROSS JOIN search_vocabulary v ON v.term >= b.start AND v.term < b.start || char(1114111)
     WHERE length(v.term) BETWEEN ? AND ?
"""
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
        self._within = " AND ".join(f'd."{name}" = ?' for name in searchable.by)
        self._table = f'"{table.name}"'

    def answer(self, connection: sqlite3.Connection, query: SearchQuery) -> SearchResults:
        """The hits of a query; none when it has no word."""
        words = words_of(query.text)
        if not words:
            return SearchResults()
        connection.execute("BEGIN")  # one snapshot: what is found is what is shown
        try:
            return _Search(self, connection, query).run(words)
        finally:
            connection.execute("ROLLBACK")


class _Search:
    """One search."""

    def __init__(self, finder: Finder, connection: sqlite3.Connection, query: SearchQuery) -> None:
        self._finder = finder
        self._connection = connection
        self._query = query
        self._scope, self._by = finder._index.scope(query.by)

    def run(self, words: list[str]) -> SearchResults:
        if any(map(is_spaceless, words)):
            found = self._results("search_grams", [self._groups(word) for word in words], {})
            return replace(found, hits=tuple(_marked(hit, words) for hit in found.hits))
        looked_for = [_any_of([fold(word)], last=word == words[-1]) for word in words]
        found = self._results("search_words", looked_for, {})
        if found.total:
            return found
        instead: dict[str, tuple[str, ...]] = {}
        for at, word in enumerate(words):
            if len(words) == 1 or not self._occurs(looked_for[at]):
                nearest = self._nearest(fold(word)) if len(instead) < _MOST_INSTEAD else ()
                if not nearest:
                    return found
                instead[word] = nearest
                looked_for[at] = _any_of(nearest)
        return self._results("search_words", looked_for, instead) if instead else found

    # Finding

    def _results(
        self, table: str, looked_for: Sequence[str], instead: dict[str, tuple[str, ...]]
    ) -> SearchResults:
        if not all(looked_for):
            return SearchResults()
        together = " AND ".join(looked_for)
        found = self._ranked(table, self._match(table, together))
        more = len(found) > MOST_FOUND
        if more:
            titled = sorted(self._ranked(table, self._match(table, together, "title")))
            known = {number for _, number in titled}
            found = titled + sorted(row for row in found if row[1] not in known)
        else:
            found.sort()
        del found[MOST_FOUND:]
        shown = found[self._query.offset : self._query.offset + self._query.limit]
        hits = self._hits(table, self._match(table, together), shown)
        return SearchResults(hits, len(found), more, instead)

    def _match(self, table: str, expression: str, columns: str = "title summary text") -> str:
        within = f"{{{columns}}} : ({expression})"
        return within if table == "search_grams" else f'{within} AND scope : "{self._scope}"'

    def _ranked(self, table: str, match: str) -> _Found:
        """At most one row more than are ranked, the newest first."""
        scope = "" if table == "search_grams" else "0.0, "
        rows = self._connection.execute(
            f"SELECT bm25({table}, {scope}{_TITLE}, {_SUMMARY}, {_TEXT}), -{table}.rowid "
            f"FROM {table} CROSS JOIN search_documents d ON d.document_id = {table}.rowid "
            f"WHERE {table} MATCH ? AND {self._finder._within} "
            f"ORDER BY {table}.rowid DESC LIMIT {MOST_FOUND + 1}",
            (match, *self._by),
        )
        return rows.fetchall()

    def _occurs(self, looked_for: str) -> bool:
        """Whether a word is anywhere in what is searched."""
        rows = self._connection.execute(
            "SELECT 1 FROM search_words "
            "CROSS JOIN search_documents d ON d.document_id = search_words.rowid "
            f"WHERE search_words MATCH ? AND {self._finder._within} LIMIT 1",
            (self._match("search_words", looked_for), *self._by),
        )
        return rows.fetchone() is not None

    def _hits(self, table: str, match: str, shown: _Found) -> tuple[SearchHit, ...]:
        if not shown:
            return ()
        first = 0 if table == "search_grams" else 1
        excerpt = f"?, ?, '…', {_EXCERPT[table]}"
        numbers = ", ".join(str(-number) for _, number in shown)
        rows = self._connection.execute(
            f"SELECT {table}.rowid, highlight({table}, {first}, ?, ?), "
            f"snippet({table}, {first + 1}, {excerpt}), snippet({table}, {first + 2}, {excerpt}), "
            f"{self._finder._keys} "
            f"FROM {table} CROSS JOIN search_documents d ON d.document_id = {table}.rowid "
            f"CROSS JOIN {self._finder._table} p ON {self._finder._index.joined('p')} "
            f"WHERE {table} MATCH ? AND +{table}.rowid IN ({numbers}) "
            f"ORDER BY {table}.rowid DESC LIMIT {len(shown)}",
            (*(OPEN, CLOSE) * 3, match),
        )
        by_number = {-row[0]: row[1:] for row in rows}
        hits = []
        for score, number in shown:
            title, summary, text, *key = by_number[number]
            snippet = summary if OPEN in summary and OPEN not in text else text or summary
            values = tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self._finder._convert, key, strict=True)
            )
            hits.append(SearchHit(values, title.strip(), snippet.strip(), -score))
        return tuple(hits)

    # Words that are not there as they were typed

    def _nearest(self, word: str) -> tuple[str, ...]:
        """The words of what is searched that are the fewest slips away."""
        most = errors_in(word)
        if most == 0:
            return ()
        starts = sorted(set(beginnings(word)))
        near = []
        for term, rows in self._connection.execute(
            _VOCABULARY, (json.dumps(starts), len(word) - most, len(word) + most)
        ):
            slips = distance(word, term, most)
            if slips <= most:
                near.append((slips, -rows, term))
        nearest: list[str] = []
        least = most
        for slips, _, term in sorted(near)[:_CANDIDATES]:
            if slips > least or len(nearest) == _NEAREST:
                break
            if self._occurs(_any_of([term])):
                nearest.append(term)
                least = slips
        return tuple(nearest)

    def _groups(self, word: str) -> str:
        """A word as groups of three letters; a shorter one as all that begin with it."""
        if len(word) > 2:
            return _any_of([word])
        start = word.lower()
        rows = self._connection.execute(_GROUPS_OF, (start, start + _LAST, _GROUPS))
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
