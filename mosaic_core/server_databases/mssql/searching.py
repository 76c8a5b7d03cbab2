"""The index of a home kept up to its rows, and asked."""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

import asyncio

from sqlalchemy import Dialect

from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.finding import Search, Values
from mosaic_core.server_databases.mssql.finding import Asked, Queries
from mosaic_core.server_databases.mssql.search_index import DEFINITION, Index, as_json
from mosaic_core.server_databases.naming import MARK

#: Rows that are put in together, in a transaction of their own.
_TOGETHER = 100
#: One process at a time makes an index or goes on with it, and none while the home is migrated: the
#: lock on the row of the revision, taken by a change that changes nothing.
_ALONE = f'UPDATE "{MARK}".alembic_version SET version_num = version_num'
_STALE = f'SELECT COUNT(*) FROM (SELECT TOP (1) mark_id FROM "{MARK}".search_stale) s'


class WordSearch:
    """Implements :class:`mosaic_core.server_databases.backend.SearchIndex`."""

    def __init__(self, index: Index, dialect: Dialect) -> None:
        self._index = index
        self._queries = Queries(index)
        self._values = Values(index.table, index.searchable, dialect)

    async def is_made(self, driver: Statements, name: str) -> bool:
        found = await driver.fetchval(DEFINITION.replace(MARK, name))
        return bool(found == self._index.definition)

    async def is_behind(self, driver: Statements, name: str) -> bool:
        return bool(await driver.fetchval(_STALE.replace(MARK, name)))

    async def make(self, driver: Statements, name: str) -> None:
        await driver.execute(_ALONE.replace(MARK, name))
        if not await self.is_made(driver, name):
            for statement in self._index.fresh(name):
                await driver.execute(statement)

    async def step(self, driver: Statements, name: str) -> bool:
        index = self._index

        def of(sql: str) -> str:
            return sql.replace(MARK, name)

        await driver.execute(of(_ALONE))
        marks = await driver.fetch(of(index.take_stale), _TOGETHER)
        keys = list(dict.fromkeys(map(tuple, marks)))
        # In a statement of its own, which sees at least what the marks were put down for.
        read = [row for key in keys for row in await driver.fetch(of(index.read), *key)]
        for statement in index.remove:
            await driver.executemany(of(statement), keys)
        made = await asyncio.to_thread(lambda: [index.document(row) for row in read])
        entries = []
        for values, found, _ in made:
            number = await driver.fetchval(of(index.put), *values)
            entries += [[number, *entry] for entry in found]
        await driver.execute(of(index.put_words), as_json(entries))
        words = sorted(set().union(*(words for _, _, words in made)))
        await driver.execute(of(index.spell), as_json(words))
        return len(marks) == _TOGETHER

    async def respell(self, driver: Statements, name: str) -> None:
        await driver.execute(self._index.respell.replace(MARK, name))

    async def answer(self, driver: Statements, name: str, query: SearchQuery) -> SearchResults:
        asked = Asked(self._queries, driver, name, self._values.scope(query))
        return await Search(asked, self._values, query).run()
