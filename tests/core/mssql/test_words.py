"""The words that SQL Server's index is made of, asked as its statements ask them.

The statements themselves need a server; here, lists stand in for the tables, with their ranges and
scores, and the rest is what runs there.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.dialects.mssql.aioodbc import dialect

from mosaic_core.errors import InvalidInput
from mosaic_core.search import CLOSE, MOST_FOUND, OPEN, SearchQuery, SearchResults
from mosaic_core.server_databases.finding import Search, Sought, Term, Values
from mosaic_core.server_databases.mssql.finding import Queries, _ranges
from mosaic_core.server_databases.mssql.search_index import GRAM, WORD, Index
from mosaic_core.testing.persistence.search import HOSTILE, SLIPS
from mosaic_core.testing.tables import ROOM, toy_schema
from mosaic_core.types import new_id

_DIALECT = dialect(paramstyle="qmark")


def _index() -> Index:
    index = Index.of(toy_schema().metadata, _DIALECT)
    assert index is not None
    return index


class Lists:
    """Implements :class:`mosaic_core.server_databases.finding.Asked` for leaflets of one room."""

    def __init__(self, *leaflets: tuple[str, str, str]) -> None:
        self.index = _index()
        self.rows: list[tuple[Any, ...]] = []
        self.entries: list[tuple[int, int, str, float, int]] = []
        self.letters: list[str] = []
        self.spelling: set[str] = set()
        for number, (title, summary, text) in enumerate(leaflets):
            key = new_id().bytes
            (*_, letters), entries, words = self.index.document(
                (key, "en", ROOM.bytes, title, summary, text)
            )
            self.rows.append((number, title, summary, text, key, title))
            self.letters.append(letters)
            self.entries += [(number, *entry) for entry in entries]
            self.spelling |= words

    def search(self, text: str, **options: Any) -> SearchResults:
        table, searchable = self.index.table, self.index.searchable
        values = Values(table, searchable, _DIALECT)
        query = SearchQuery(text, (ROOM, "en"), **options)
        return asyncio.run(Search(self, values, query).run())

    def titles(self, text: str) -> list[str]:
        return [hit.key[1] for hit in self.search(text).hits]

    def _found(self, terms: Sequence[Term], kind: int, *, titled: bool = False) -> Any:
        best: dict[int, dict[int, float]] = defaultdict(dict)
        for at, start, until in json.loads(_ranges(terms)):
            for number, of, term, score, is_titled in self.entries:
                if of == kind and start <= term <= until and (is_titled or not titled):
                    best[number][at] = max(best[number].get(at, 0.0), score)
        return best

    async def ranked(self, sought: Sought, *, titled: bool) -> list[tuple[int, float]]:
        kind = GRAM if sought.marks.letters else WORD
        found = [
            (number, sum(scores.values()))
            for number, scores in self._found(sought.terms, kind, titled=titled).items()
            if len(scores) == len(sought.terms)
            and all(word in self.letters[number] for word in sought.marks.letters)
        ]
        newest = sorted(found, reverse=True)[: MOST_FOUND + 1]
        return sorted(newest, key=lambda row: (-row[1], -row[0]))

    async def counts(self, terms: Sequence[Term], most: int) -> list[int]:
        found = self._found(terms, WORD).values()
        return [min(sum(at in scores for scores in found), most) for at in range(len(terms))]

    async def spelled(self, starts: list[str], shortest: int, longest: int) -> list[str]:
        return [
            word
            for word in self.spelling
            if shortest <= len(word) <= longest and word.startswith(tuple(starts))
        ]

    async def shown(self, documents: list[int]) -> Sequence[Sequence[Any]]:
        return [self.rows[number] for number in documents]


def test_all_words_are_found_and_the_last_by_its_beginning() -> None:
    lists = Lists(*((title, "", "") for title in ("Blue tiles of Iznik", "Red tiles", "Tulips")))
    assert lists.titles("iznik TILES") == ["Blue tiles of Iznik"]
    assert lists.titles("tiles izn") == ["Blue tiles of Iznik"]
    assert lists.titles("izn tiles") == []
    assert lists.titles("tul") == ["Tulips"]


def test_a_title_counts_more_than_a_summary_and_that_more_than_a_text() -> None:
    text = "tulip " * 500
    lists = Lists(("Third", "", text), ("First tulip", "", ""), ("Second", "A tulip", ""))
    found = lists.search("tulip")
    assert [hit.key[1] for hit in found.hits] == ["First tulip", "Second", "Third"]
    assert len({hit.score for hit in found.hits}) == 3


def test_scripts_without_spaces_are_found_by_their_letters() -> None:
    lists = Lists(*((title, "", "") for title in ("日本語の検索", "東京タワー", "サイト語の本")))
    for text in ("検索", "本語の", "索", "日本"):
        assert lists.titles(text) == ["日本語の検索"], text
    assert lists.titles("タワー 東京") == ["東京タワー"]
    (hit,) = lists.search("検索").hits
    assert hit.title == f"日本語の{OPEN}検索{CLOSE}"


@pytest.mark.parametrize("language", SLIPS)
def test_what_is_typed_by_accident_finds_what_is_meant_first(language: str) -> None:
    titles = SLIPS[language]
    others = [(title, f"x {title} x", "") for title in titles]
    lists = Lists(*others, *(("-", "", " ".join(o for o in titles if o != t)) for t in titles))
    for title, slips in titles.items():
        for text in (title, *slips):
            assert lists.titles(text)[:1] == [title], text
            assert bool(lists.search(text).instead) == (text != title), text


def test_no_text_is_an_error() -> None:
    lists = Lists(("Tiles", "", ""), ("Tulips", "", ""), ("漢字", "", ""))
    for text in HOSTILE:
        assert lists.search(text).total <= 1, text[:50]


def test_a_long_text_is_looked_at_up_to_its_limit_and_each_of_its_words_is_there_once() -> None:
    for text in ("tile tulip " * 20_000, "漢字" * 60_000, "x" * 100_000):
        _, entries, words = _index().document((new_id().bytes, "en", ROOM.bytes, "", "", text))
        assert len({(kind, term) for kind, term, *_ in entries}) == len(entries)
        assert all(0 < len(term) <= 64 for _, term, *_ in entries)
        assert all(3 <= len(word) <= 66 for word in words)


def test_a_value_of_a_scope_that_does_not_fit_is_told() -> None:
    index = _index()
    values = Values(index.table, index.searchable, _DIALECT)
    with pytest.raises(InvalidInput):
        values.scope(SearchQuery("tiles", (ROOM, "e\0n")))
    assert values.scope(SearchQuery("tiles", (ROOM, "en"))) == [ROOM.bytes, "en"]


def test_a_query_is_never_a_part_of_a_statement() -> None:
    """Each has as many parameters as it is given: ranges, scope, letters and a number."""
    queries = Queries(_index())
    for ranked in queries.ranked.values():
        assert ranked.count("?") == 1 + 1 + 2 + 1 + 1
    assert queries.counted.count("?") == 1 + 2
    assert queries.shown.count("?") == 1
