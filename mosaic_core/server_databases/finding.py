"""Finding rows in the index of one home, on whichever server.

A query is taken apart into words, and each becomes a value: whatever a visitor types, it is never
read as a server's own syntax. What one search does is bounded: it ranks no more than ``MOST_FOUND``
rows. Of a query that more rows match, those are ranked that have the words in their title, and the
newest of the others. Titles and excerpts are made of the rows that are shown alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Dialect, Table

from mosaic_core.errors import InvalidInput
from mosaic_core.search import MOST_FOUND, Searchable, SearchHit, SearchQuery, SearchResults
from mosaic_core.search.marks import Marks
from mosaic_core.search.spelling import MOST_COUNTED, MOST_NEAREST, beginnings, by_slips, errors_in
from mosaic_core.search.words import fold, is_spaceless, words_of

#: Words of one query for which others are looked for.
_MOST_INSTEAD = 3


@dataclass(frozen=True, slots=True)
class Term:
    """One of some words, or of those that begin with a single one; or a group of letters."""

    one_of: tuple[str, ...]
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for, as an index has it and as a text shows it."""

    #: All of them; groups of three letters, when there are letters to mark.
    terms: tuple[Term, ...]
    #: What is marked; its letters stand in a row's as they are.
    marks: Marks


class Asked(Protocol):
    """An index that is asked, in one transaction, about the rows of one scope."""

    async def ranked(self, sought: Sought, *, titled: bool) -> list[tuple[int, float]]:
        """At most one document more than are ranked, with how well it fits, the best first.

        Args:
            titled: those alone that have the words in their title.
        """
        ...

    async def counts(self, terms: Sequence[Term], most: int) -> list[int]:
        """In how many documents each of the terms is, counted up to ``most``."""
        ...

    async def spelled(self, starts: list[str], shortest: int, longest: int) -> list[str]:
        """Words that begin with one of these, of some lengths; no more than are compared."""
        ...

    async def shown(self, documents: list[int]) -> Sequence[Sequence[Any]]:
        """For each document its number, title, summary, text, and key; without those that are
        gone."""
        ...


class Values:
    """A search's values between Python and a table's columns."""

    def __init__(self, table: Table, searchable: Searchable, dialect: Dialect) -> None:
        def type_of(name: str) -> Any:
            return table.c[name].type.dialect_impl(dialect)

        self._bind: list[Callable[[Any], Any] | None] = [
            type_of(name).bind_processor(dialect) for name in searchable.by
        ]
        self._convert: list[Callable[[Any], Any] | None] = [
            type_of(name).result_processor(dialect, None) for name in searchable.key
        ]

    def scope(self, query: SearchQuery) -> list[Any]:
        """The scope of a query, as the driver takes it.

        Raises:
            InvalidInput: a value does not fit its column.
        """
        try:
            return [
                value if bind is None else bind(value)
                for bind, value in zip(self._bind, query.by, strict=True)
            ]
        except ValueError as error:
            raise InvalidInput(f"A search does not take a value: {error}.") from error

    def hit(self, row: Sequence[Any], score: float, sought: Sought) -> SearchHit:
        """A row that is shown; slow for long texts, not for the event loop's thread."""
        title, snippet = sought.marks.shown(*row[1:4])
        key = tuple(
            value if convert is None else convert(value)
            for convert, value in zip(self._convert, row[4:], strict=True)
        )
        return SearchHit(key, title, snippet, score)


class Search:
    """One search."""

    def __init__(self, asked: Asked, values: Values, query: SearchQuery) -> None:
        self._asked = asked
        self._values = values
        self._query = query

    async def run(self) -> SearchResults:
        """The hits; none when the query has no word."""
        words = words_of(self._query.text)
        if not words:
            return SearchResults()
        if any(map(is_spaceless, words)):
            return await self._results(_letters(words), {})
        looked_for: list[tuple[str, ...]] = [(fold(word),) for word in words]
        found = await self._results(_words(looked_for, last=True), {})
        if found.total:
            return found
        instead: dict[str, tuple[str, ...]] = {}
        for at, word in enumerate(words):
            term = _term(looked_for[at], last=at == len(words) - 1)
            if len(words) == 1 or not (await self._asked.counts([term], 1))[0]:
                near: tuple[str, ...] = ()
                if len(instead) < _MOST_INSTEAD:
                    near = await self._nearest(fold(word))
                if not near:
                    return found
                instead[word] = looked_for[at] = near
        if not instead:
            return found
        return await self._results(_words(looked_for, last=words[-1] not in instead), instead)

    async def _results(self, sought: Sought, instead: dict[str, tuple[str, ...]]) -> SearchResults:
        found = await self._asked.ranked(sought, titled=False)
        more = len(found) > MOST_FOUND
        if more:
            titled = await self._asked.ranked(sought, titled=True)
            known = {number for number, _ in titled}
            found = [*titled, *(row for row in found if row[0] not in known)]
        del found[MOST_FOUND:]
        shown = found[self._query.offset : self._query.offset + self._query.limit]
        return SearchResults(await self._hits(sought, shown), len(found), more, instead)

    async def _hits(self, sought: Sought, shown: list[tuple[int, float]]) -> tuple[SearchHit, ...]:
        if not shown:
            return ()
        rows = await self._asked.shown([number for number, _ in shown])
        by_number = {row[0]: row for row in rows}
        hit = self._values.hit
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
        spelled = await self._asked.spelled(starts, len(word) - most, len(word) + most)
        for candidates in by_slips(word, spelled):
            tried = sorted(candidates)[:MOST_COUNTED]
            counts = await self._asked.counts([Term((one,)) for one in tried], MOST_FOUND)
            best = sorted((-count, one) for one, count in zip(tried, counts, strict=True) if count)
            if best:
                return tuple(one for _, one in best[:MOST_NEAREST])
        return ()


def _words(looked_for: Sequence[tuple[str, ...]], *, last: bool) -> Sought:
    """Each one of some words; the last one of a query may be a beginning."""
    end = len(looked_for) - 1
    terms = tuple(_term(words, last=last and at == end) for at, words in enumerate(looked_for))
    beginning = looked_for[end][0] if last and len(looked_for[end][0]) > 1 else None
    return Sought(terms, Marks({word for words in looked_for for word in words}, beginning))


def _term(words: tuple[str, ...], *, last: bool) -> Term:
    return Term(words, begins=last and len(words[0]) > 1)


def _letters(words: Iterable[str]) -> Sought:
    """Words as groups of three letters; a shorter one as the beginning of a group."""
    lowered = tuple(word.lower() for word in words)
    grams = dict.fromkeys(
        word[at : at + 3] for word in lowered for at in range(max(len(word) - 2, 1))
    )
    return Sought(tuple(Term((one,), len(one) < 3) for one in grams), Marks(letters=lowered))
