"""What is asked of SQL Server's index of one home.

Words are values of a list in JSON, which ``OPENJSON`` reads: whatever a visitor types, it is never
read as SQL. A word is looked for as the range from it to its end: itself, or the last text that
begins with it.
"""

# ruff: noqa: S608 - what is put into SQL are numbers, names of tables and columns, and constants
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mosaic_core.database.mssql import quoted
from mosaic_core.search import MOST_FOUND
from mosaic_core.search.spelling import MOST_COMPARED
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.finding import Sought, Term
from mosaic_core.server_databases.mssql.search_index import GRAM, TERM, WORD, Index, as_json
from mosaic_core.server_databases.naming import MARK
from mosaic_core.types import MSSQL_BINARY

#: Comes after all that is in words.
_LAST = "\uffff"
#: The values of a search: the number of what they are for, and where a range begins and ends.
_RANGES = f"""(
    SELECT n, CAST(start AS {TERM.partition(" ")[0]}) COLLATE {MSSQL_BINARY} AS start,
           CAST(until AS {TERM.partition(" ")[0]}) COLLATE {MSSQL_BINARY} AS until
      FROM OPENJSON(CAST(? AS nvarchar(max))) WITH (
        n int '$[0]', start nvarchar(200) '$[1]', until nvarchar(200) '$[2]')) r"""
_SPELLED = f"""
    SELECT DISTINCT TOP ({MOST_COMPARED}) s.term FROM {_RANGES} CROSS APPLY (
        SELECT TOP ({MOST_COMPARED}) term FROM "{MARK}".search_spelling
         WHERE term >= r.start AND term <= r.until AND LEN(term) BETWEEN ? AND ?) s
"""


class Queries:
    """The texts of what is asked."""

    def __init__(self, index: Index) -> None:
        searchable, table = index.searchable, index.table
        documents, words = f'"{MARK}".search_documents', f'"{MARK}".search_words'
        scope = " AND ".join(f"d.{quoted(name)} = ?" for name in searchable.by)
        self.ranked = {kind: self._ranked(kind, documents, words, scope) for kind in (WORD, GRAM)}
        self.counted = (
            f"SELECT r.n, COUNT(DISTINCT w.document_id) FROM {_RANGES} "
            f"JOIN {words} w ON w.kind = {WORD} AND w.term >= r.start AND w.term <= r.until "
            f"JOIN {documents} d ON d.document_id = w.document_id WHERE {scope} GROUP BY r.n"
        )
        texts = ", ".join(
            index.beginning(f"p.{quoted(name)}")
            for name in (searchable.title, searchable.summary, searchable.text)
        )
        keys = ", ".join(f"p.{quoted(name)}" for name in searchable.key)
        same = " AND ".join(f"p.{quoted(name)} = d.{quoted(name)}" for name in index.keys)
        self.shown = (
            f"SELECT d.document_id, {texts}, {keys} FROM {documents} d "
            f'JOIN "{MARK}".{quoted(table.name)} p ON {same} WHERE d.document_id IN '
            "(SELECT CAST(value AS bigint) FROM OPENJSON(CAST(? AS nvarchar(max))))"
        )

    @staticmethod
    def _ranked(kind: int, documents: str, words: str, scope: str) -> str:
        # Of each document: each of what is sought once, as what it is found as and counts most.
        found = (
            f"SELECT w.document_id, r.n, MAX(w.score) AS score FROM {_RANGES} "
            f"JOIN {words} w ON w.kind = {kind} AND w.term >= r.start AND w.term <= r.until "
            "WHERE (w.titled = 1 OR ? = 0) GROUP BY w.document_id, r.n"
        )
        return (
            "SELECT t.document_id, t.score FROM ("
            f"SELECT TOP ({MOST_FOUND + 1}) f.document_id, SUM(f.score) AS score FROM ({found}) f "
            f"JOIN {documents} d ON d.document_id = f.document_id WHERE {scope} "
            "AND NOT EXISTS (SELECT 1 FROM OPENJSON(CAST(? AS nvarchar(max))) l WHERE CHARINDEX("
            f"CAST(l.value AS nvarchar(1000)) COLLATE {MSSQL_BINARY}, d.letters) = 0) "
            "GROUP BY f.document_id HAVING COUNT(*) = ? ORDER BY f.document_id DESC) t "
            "ORDER BY t.score DESC, t.document_id DESC"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Implements :class:`mosaic_core.server_databases.finding.Asked`."""

    queries: Queries
    driver: Statements
    name: str
    scope: Sequence[Any]

    async def ranked(self, sought: Sought, *, titled: bool) -> list[tuple[int, float]]:
        rows = await self._fetch(
            self.queries.ranked[GRAM if sought.marks.letters else WORD],
            _ranges(sought.terms),
            int(titled),
            *self.scope,
            as_json(sought.marks.letters),
            len(sought.terms),
        )
        return [(row[0], row[1]) for row in rows]

    async def counts(self, terms: Sequence[Term], most: int) -> list[int]:
        rows = await self._fetch(self.queries.counted, _ranges(terms), *self.scope)
        counts = {row[0]: min(row[1], most) for row in rows}
        return [counts.get(number, 0) for number in range(len(terms))]

    async def spelled(self, starts: list[str], shortest: int, longest: int) -> list[str]:
        terms = [Term((start,), begins=True) for start in starts]
        rows = await self._fetch(_SPELLED, _ranges(terms), shortest, longest)
        return [row[0] for row in rows]

    async def shown(self, documents: list[int]) -> Sequence[Sequence[Any]]:
        return await self._fetch(self.queries.shown, as_json(documents))

    async def _fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        return await self.driver.fetch(sql.replace(MARK, self.name), *values)


def _ranges(terms: Sequence[Term]) -> str:
    return as_json(
        [
            [number, one, one + _LAST if term.begins else one]
            for number, term in enumerate(terms)
            for one in term.one_of
        ]
    )
