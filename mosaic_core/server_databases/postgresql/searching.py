"""The index of a home kept up to its rows, and asked."""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

import asyncio

from sqlalchemy import Dialect

from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.finding import Search, Values
from mosaic_core.server_databases.naming import MARK
from mosaic_core.server_databases.postgresql.finding import Asked, Queries
from mosaic_core.server_databases.postgresql.search_index import DEFINITION, Index

#: Rows that are put in together, in a transaction of their own.
_TOGETHER = 100
#: One process at a time makes an index or goes on with it.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
#: The index is not made anew while it answers; the lock is the first that making takes.
_HOLD = f'LOCK TABLE "{MARK}".search_documents IN ACCESS SHARE MODE'
_STALE = f'SELECT EXISTS (SELECT 1 FROM "{MARK}".search_stale)'


class TextSearch:
    """Implements :class:`mosaic_core.server_databases.backend.SearchIndex`."""

    def __init__(self, index: Index, dialect: Dialect, *, roles: bool) -> None:
        self._index = index
        self._queries = Queries(index)
        self._values = Values(index.table, index.searchable, dialect)
        self._roles = roles

    async def is_made(self, driver: Statements, name: str) -> bool:
        found = await driver.fetchval(DEFINITION.replace(MARK, name))
        return bool(found == self._index.definition)

    async def is_behind(self, driver: Statements, name: str) -> bool:
        # Before the snapshot is taken: a name finds a table that was just made, and a snapshot that
        # is older finds nothing in it.
        await driver.execute(_HOLD.replace(MARK, name))
        return bool(await driver.fetchval(_STALE.replace(MARK, name)))

    async def make(self, driver: Statements, name: str) -> None:
        await driver.execute(_ALONE, f"search {name}")
        if not await self.is_made(driver, name):
            script = ";\n".join(self._index.fresh(roles=name if self._roles else None))
            await driver.execute(script.replace(MARK, name))

    async def step(self, driver: Statements, name: str) -> bool:
        index = self._index

        def of(sql: str) -> str:
            return sql.replace(MARK, name)

        await driver.execute(_ALONE, f"search {name}")
        marks = await driver.fetch(of(index.take_stale), _TOGETHER)
        keys = list(dict.fromkeys(map(tuple, marks)))
        # In a statement of its own, which sees at least what the marks were put down for.
        read = [row for key in keys for row in await driver.fetch(of(index.read), *key)]
        await driver.executemany(of(index.remove), keys)
        made = await asyncio.to_thread(lambda: [index.document(row) for row in read])
        await driver.executemany(of(index.put), [document for document, _ in made])
        words = sorted(set().union(*(words for _, words in made)))
        await driver.execute(of(index.spell), words)
        return len(marks) == _TOGETHER

    async def respell(self, driver: Statements, name: str) -> None:
        await driver.execute(self._index.respell.replace(MARK, name))

    async def answer(self, driver: Statements, name: str, query: SearchQuery) -> SearchResults:
        asked = Asked(self._queries, driver, name, self._values.scope(query))
        return await Search(asked, self._values, query).run()
