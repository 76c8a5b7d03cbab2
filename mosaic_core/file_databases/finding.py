"""Finding rows in the index of one tenant's file.

A query is taken apart into words, and each becomes a quoted string: whatever a visitor types, it is
never read as FTS5's own syntax. What one search does is bounded: it ranks no more than
``MOST_FOUND`` rows. Of a query that more rows match, those are ranked that have the words in their
title, and the newest of the others. Titles and excerpts are made of the rows that are shown alone.
"""

# ruff: noqa: S608 - what is put into SQL are numbers, and names of tables and columns
from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy.dialects.sqlite import dialect

from mosaic_core.file_databases.nearest import nearest
from mosaic_core.file_databases.search_definition import quoted
from mosaic_core.file_databases.search_index import SearchIndex
from mosaic_core.search import (
    MOST_FOUND,
    MOST_TEXT,
    SearchHit,
    SearchQuery,
    SearchResults,
)
from mosaic_core.search.marks import Marks
from mosaic_core.search.words import fold, is_spaceless, words_of

#: How much more a word counts in a title and in a summary than in a text.
_TITLE, _SUMMARY, _TEXT = 10.0, 4.0, 1.0
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
        self.convert = [
            table.c[name].type.dialect_impl(dialect()).result_processor(dialect(), None)
            for name in searchable.key
        ]
        texts = ", ".join(
            f"substr(p.{quoted(name)}, 1, {MOST_TEXT})"
            for name in (searchable.title, searchable.summary, searchable.text)
        )
        keys = ", ".join(f"p.{quoted(name)}" for name in searchable.key)
        self.shown = (
            f"SELECT d.document_id, {texts}, {keys} FROM json_each(?) n "
            "CROSS JOIN search_documents d ON d.document_id = n.value "
            f"CROSS JOIN {quoted(table.name)} p ON {index.joined('p')}"
        )

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
            groups = [self._groups(word, most) for word in words]
            return self._results("search_grams", groups, Marks(letters=tuple(words)), {})
        sought: list[tuple[str, ...]] = [(fold(word),) for word in words]
        looked_for = [_any_of(word, last=word is sought[-1]) for word in sought]
        found = self._results("search_words", looked_for, _marks(sought, last=True), {})
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
                instead[word] = sought[at] = near
                looked_for[at] = _any_of(near)
        if not instead:
            return found
        marks = _marks(sought, last=words[-1] not in instead)
        return self._results("search_words", looked_for, marks, instead)

    # Finding

    def _results(
        self,
        table: str,
        looked_for: Sequence[str],
        marks: Marks,
        instead: dict[str, tuple[str, ...]],
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
        return SearchResults(self._hits(shown, marks), len(found), more, instead)

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

    def _hits(self, shown: _Found, marks: Marks) -> tuple[SearchHit, ...]:
        # Marked here: FTS5's own ``highlight`` goes through the rows of each word once more, which
        # takes as long as finding them.
        rows = self._connection.execute(
            self._finder.shown, (json.dumps([-number for _, number in shown]),)
        )
        by_number = {-row[0]: row[1:] for row in rows}
        hits = []
        for score, number in shown:
            title, summary, text, *key = by_number[number]
            values = tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self._finder.convert, key, strict=True)
            )
            hits.append(SearchHit(values, *marks.shown(title, summary, text), -score))
        return tuple(hits)

    def _groups(self, word: str, most: int) -> str:
        """A word as groups of three letters; a shorter one as all that begin with it."""
        if len(word) > 2:
            return _any_of([word])
        start = word.lower()
        rows = self._connection.execute(_GROUPS_OF, (start, start + _LAST, most))
        return _any_of([row[0] for row in rows])


def _marks(sought: Sequence[Collection[str]], *, last: bool) -> Marks:
    """The words that are looked for; with ``last``, the last one may be a beginning."""
    beginning = next(iter(sought[-1])) if last else ""
    words = {word for one in sought for word in one}
    return Marks(words, beginning if len(beginning) > 1 else None)


def _any_of(words: Iterable[str], *, last: bool = False) -> str:
    """An expression of FTS5 for one of these words; the last one of a query may be a beginning."""
    quoted = []
    for word in words:
        text = word.replace('"', '""')
        quoted.append(f'"{text}"*' if last and len(word) > 1 else f'"{text}"')
    return f"({' OR '.join(quoted)})" if quoted else ""
