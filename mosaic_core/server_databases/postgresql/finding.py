"""What is asked of PostgreSQL's index of one home.

Each word becomes a quoted lexeme: whatever a visitor types, it is never read as PostgreSQL's own
syntax.
"""

# ruff: noqa: S608 - what is put into SQL are numbers, names of tables and columns, and constants
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mosaic_core.database.postgresql import quoted
from mosaic_core.search import MOST_FOUND, MOST_TEXT
from mosaic_core.search.spelling import MOST_COMPARED
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.finding import Sought, Term
from mosaic_core.server_databases.naming import MARK
from mosaic_core.server_databases.postgresql.search_index import Index

#: How much a word counts in a text, (nowhere), a summary and a title.
_WEIGHTS = "'{0.1, 0.2, 0.4, 1.0}'"
_SPELLED = f"""
    SELECT DISTINCT s.term FROM unnest($1::text[]) AS b (start) CROSS JOIN LATERAL (
        SELECT term FROM "{MARK}".search_spelling
         WHERE term >= b.start COLLATE "C" AND term < (b.start || chr(1114111)) COLLATE "C"
           AND length(term) BETWEEN $2 AND $3 LIMIT {MOST_COMPARED}) s
     LIMIT {MOST_COMPARED}
"""


class Queries:
    """The texts of what is asked."""

    def __init__(self, index: Index) -> None:
        searchable, table = index.searchable, index.table
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


@dataclass(frozen=True, slots=True)
class Asked:
    """Implements :class:`mosaic_core.server_databases.finding.Asked`."""

    queries: Queries
    driver: Statements
    name: str
    scope: Sequence[Any]

    async def ranked(self, sought: Sought, *, titled: bool) -> list[tuple[int, float]]:
        sql = self.queries.ranked["grams" if sought.marks.letters else "words"]
        weight = "A" if titled else ""
        query = " & ".join(_lexeme(term, weight) for term in sought.terms)
        rows = await self._fetch(sql, query, list(sought.marks.letters), *self.scope)
        return [(row[0], row[1]) for row in rows]

    async def counts(self, terms: Sequence[Term], most: int) -> list[int]:
        lexemes = [_lexeme(term) for term in terms]
        rows = await self._fetch(self.queries.counted, lexemes, most, *self.scope)
        counts = {row[0]: row[1] for row in rows}
        return [counts[lexeme] for lexeme in lexemes]

    async def spelled(self, starts: list[str], shortest: int, longest: int) -> list[str]:
        return [row[0] for row in await self._fetch(_SPELLED, starts, shortest, longest)]

    async def shown(self, documents: list[int]) -> Sequence[Sequence[Any]]:
        return await self._fetch(self.queries.shown, documents)

    async def _fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        return await self.driver.fetch(sql.replace(MARK, self.name), *values)


def _lexeme(term: Term, weight: str = "") -> str:
    """One of these words, for ``tsquery``.

    Args:
        weight: that it must have.
    """
    flags = f"*{weight}" if term.begins else weight
    return "(" + " | ".join(f"'{word}':{flags}" for word in term.one_of) + ")"
