"""Finding rows in the index of one home.

A query is taken apart into words, and each becomes a quoted lexeme: whatever a visitor types, it is
never read as PostgreSQL's own syntax. What one search does is bounded: it ranks no more than
``MOST_FOUND`` rows. Of a query that more rows match, those are ranked that have the words in their
title, and the newest of the others. Titles and excerpts are made of the rows that are shown alone.
"""

# ruff: noqa: S608 - what is put into SQL are numbers, names of tables and columns, and constants
from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect

from mosaic_core.database.postgresql import quoted
from mosaic_core.errors import InvalidInput
from mosaic_core.search import MOST_FOUND, MOST_TEXT, SearchHit, SearchQuery, SearchResults
from mosaic_core.search.marks import Marks
from mosaic_core.search.spelling import (
    MOST_COMPARED,
    MOST_COUNTED,
    MOST_NEAREST,
    beginnings,
    by_slips,
    errors_in,
)
from mosaic_core.search.words import fold, is_spaceless, words_of
from mosaic_core.server_databases.making import MARK
from mosaic_core.server_databases.search_index import Index

#: How much a word counts in a text, (nowhere), a summary and a title.
_WEIGHTS = "'{0.1, 0.2, 0.4, 1.0}'"
#: Words of one query for which others are looked for.
_MOST_INSTEAD = 3
_SPELLED = f"""
    SELECT DISTINCT s.term FROM unnest($1::text[]) AS b (start) CROSS JOIN LATERAL (
        SELECT term FROM "{MARK}".search_spelling
         WHERE term >= b.start COLLATE "C" AND term < (b.start || chr(1114111)) COLLATE "C"
           AND length(term) BETWEEN $2 AND $3 LIMIT {MOST_COMPARED}) s
     LIMIT {MOST_COMPARED}
"""


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for, as PostgreSQL has it and as a text shows it."""

    #: ``words`` or ``grams``, the column of the index.
    column: str
    lexemes: tuple[str, ...]
    #: What is marked; its letters stand in a row's as they are.
    marks: Marks

    def query(self, weight: str = "") -> str:
        return " & ".join(lexeme.replace("%", weight) for lexeme in self.lexemes)


class Finder:
    """Answers queries from an index."""

    def __init__(self, index: Index, dialect: Dialect) -> None:
        searchable, table = index.searchable, index.table

        def type_of(name: str) -> Any:
            return table.c[name].type.dialect_impl(dialect)

        self._bind = [type_of(name).bind_processor(dialect) for name in searchable.by]
        self._convert = [type_of(name).result_processor(dialect, None) for name in searchable.key]
        documents = f'"{MARK}".search_documents d'
        scope = " AND ".join(
            f"d.{quoted(name)} = ${at}" for at, name in enumerate(searchable.by, 3)
        )
        self.ranked = {
            column: (
                "SELECT f.document_id, ts_rank("
                f"{_WEIGHTS}, f.found, $1::text::tsquery) AS score FROM ("
                f"SELECT d.document_id, d.{column} AS found FROM {documents} "
                f"WHERE d.{column} @@ $1::text::tsquery AND {scope} "
                "AND (cardinality($2::text[]) = 0 OR NOT EXISTS ("
                "SELECT 1 FROM unnest($2::text[]) AS w (word) "
                "WHERE strpos(d.letters, w.word) = 0)) "
                f"ORDER BY d.document_id DESC LIMIT {MOST_FOUND + 1}) f "
                "ORDER BY score DESC, f.document_id DESC"
            )
            for column in ("words", "grams")
        }
        self.counted = (
            "SELECT t.term, (SELECT count(*) FROM ("
            f"SELECT 1 FROM {documents} WHERE d.words @@ t.term::tsquery AND {scope} "
            "LIMIT $2) f) FROM unnest($1::text[]) AS t (term)"
        )
        texts = ", ".join(
            f"left(p.{quoted(name)}, {MOST_TEXT})"
            for name in (searchable.title, searchable.summary, searchable.text)
        )
        keys = ", ".join(f"p.{quoted(name)}" for name in searchable.key)
        same = " AND ".join(f"p.{quoted(name)} = d.{quoted(name)}" for name in index.keys)
        self.shown = (
            f"SELECT d.document_id, {texts}, {keys} FROM {documents} "
            f'JOIN "{MARK}".{quoted(table.name)} p ON {same} '
            "WHERE d.document_id = ANY ($1::bigint[])"
        )

    async def answer(self, driver: Any, name: str, query: SearchQuery) -> SearchResults:
        """The hits of a query, in the driver's transaction; none when it has no word.

        Raises:
            InvalidInput: a value of the scope does not fit its column.
        """
        words = words_of(query.text)
        if not words:
            return SearchResults()
        try:
            scope = [
                value if bind is None else bind(value)
                for bind, value in zip(self._bind, query.by, strict=True)
            ]
        except ValueError as error:
            raise InvalidInput(f"A search does not take a value: {error}.") from error
        return await _Search(self, driver, name, query, scope).run(words)

    def hit(self, row: Any, score: float, sought: _Sought) -> SearchHit:
        """A row that is shown; slow for long texts, not for the event loop's thread."""
        title, snippet = sought.marks.shown(*row[1:4])
        key = tuple(
            value if convert is None else convert(value)
            for convert, value in zip(self._convert, row[4:], strict=True)
        )
        return SearchHit(key, title, snippet, score)


class _Search:
    """One search, among the rows of a scope."""

    def __init__(
        self, finder: Finder, driver: Any, name: str, query: SearchQuery, scope: Sequence[Any]
    ) -> None:
        self._finder = finder
        self._driver = driver
        self._name = name
        self._query = query
        self._scope = scope

    async def run(self, words: list[str]) -> SearchResults:
        if any(map(is_spaceless, words)):
            return await self._results(_letters(words), {})
        looked_for: list[tuple[str, ...]] = [(fold(word),) for word in words]
        found = await self._results(_words(looked_for, last=True), {})
        if found.total:
            return found
        instead: dict[str, tuple[str, ...]] = {}
        for at, word in enumerate(words):
            last = at == len(words) - 1
            if len(words) == 1 or not await self._count([_lexeme(looked_for[at], last=last)], 1):
                near: tuple[str, ...] = ()
                if len(instead) < _MOST_INSTEAD:
                    near = await self._nearest(fold(word))
                if not near:
                    return found
                instead[word] = looked_for[at] = near
        if not instead:
            return found
        return await self._results(_words(looked_for, last=words[-1] not in instead), instead)

    async def _results(self, sought: _Sought, instead: dict[str, tuple[str, ...]]) -> SearchResults:
        found = await self._ranked(sought)
        more = len(found) > MOST_FOUND
        if more:
            titled = await self._ranked(sought, "A")
            known = {number for number, _ in titled}
            found = [*titled, *(row for row in found if row[0] not in known)]
        del found[MOST_FOUND:]
        shown = found[self._query.offset : self._query.offset + self._query.limit]
        return SearchResults(await self._hits(sought, shown), len(found), more, instead)

    async def _ranked(self, sought: _Sought, weight: str = "") -> list[tuple[int, float]]:
        """At most one row more than are ranked, the best first."""
        sql = self._finder.ranked[sought.column]
        rows = await self._fetch(
            sql, sought.query(weight), list(sought.marks.letters), *self._scope
        )
        return [(row[0], row[1]) for row in rows]

    async def _hits(self, sought: _Sought, shown: list[tuple[int, float]]) -> tuple[SearchHit, ...]:
        if not shown:
            return ()
        rows = await self._fetch(self._finder.shown, [number for number, _ in shown])
        by_number = {row[0]: row for row in rows}
        hit = self._finder.hit
        # A page that was taken away since the index was brought level has no row any more.
        left = [(by_number[number], score) for number, score in shown if number in by_number]
        return await asyncio.to_thread(
            lambda: tuple(hit(row, score, sought) for row, score in left)
        )

    async def _nearest(self, word: str) -> tuple[str, ...]:
        """The words that are the fewest slips away, the most frequent ones first."""
        most = errors_in(word)
        if most == 0:
            return ()
        starts = list(dict.fromkeys(beginnings(word)))
        rows = await self._fetch(_SPELLED, starts, len(word) - most, len(word) + most)
        for candidates in by_slips(word, (row[0] for row in rows)):
            tried = {_lexeme([term]): term for term in sorted(candidates)[:MOST_COUNTED]}
            counts = await self._count(list(tried), MOST_FOUND)
            if counts:
                best = sorted((-count, tried[lexeme]) for lexeme, count in counts.items())
                return tuple(term for _, term in best[:MOST_NEAREST])
        return ()

    async def _count(self, lexemes: list[str], most: int) -> dict[str, int]:
        """In how many rows each is, counted up to ``most``; without those that are in none."""
        plain = [lexeme.replace("%", "") for lexeme in lexemes]
        rows = await self._fetch(self._finder.counted, plain, most, *self._scope)
        counts = {row[0]: row[1] for row in rows}
        return {one: counts[text] for one, text in zip(lexemes, plain, strict=True) if counts[text]}

    async def _fetch(self, sql: str, *values: Any) -> list[Any]:
        return list(await self._driver.fetch(sql.replace(MARK, self._name), *values))


def _words(looked_for: Sequence[Iterable[str]], *, last: bool) -> _Sought:
    """Each one of some words; the last one of a query may be a beginning."""
    end = len(looked_for) - 1
    lexemes = tuple(_lexeme(words, last=last and at == end) for at, words in enumerate(looked_for))
    beginning = next(iter(looked_for[end])) if last else None
    if beginning is not None and len(beginning) < 2:
        beginning = None
    marks = Marks({word for words in looked_for for word in words}, beginning)
    return _Sought("words", lexemes, marks)


def _letters(words: list[str]) -> _Sought:
    """Words as groups of three letters; a shorter one as the beginning of a group."""
    lowered = [word.lower() for word in words]
    lexemes = dict.fromkeys(
        f"'{gram}':%" if len(gram) > 2 else f"'{gram}':*%"
        for word in lowered
        for gram in [word[at : at + 3] for at in range(max(len(word) - 2, 1))]
    )
    return _Sought("grams", tuple(lexemes), Marks(letters=tuple(lowered)))


def _lexeme(words: Iterable[str], *, last: bool = False) -> str:
    """One of these words, for ``tsquery``; ``%`` is for the weight that it must have."""
    one = [f"'{word}':*%" if last and len(word) > 1 else f"'{word}':%" for word in words]
    return f"({' | '.join(one)})"
