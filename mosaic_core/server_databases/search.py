"""Searches of homes: the index is brought up to what was written, and then asked.

The first search of a home makes its index: a tenant that nobody searches pays for none, and one
whose index this code defines in another way gets the new one.
"""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import Dialect, MetaData

from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.search.words import words_of
from mosaic_core.server_databases.finding import Finder
from mosaic_core.server_databases.making import MARK
from mosaic_core.server_databases.naming import Home
from mosaic_core.server_databases.search_index import DEFINITION, Index

#: Rows that are put in together, in a transaction of their own.
_TOGETHER = 100
#: One process at a time makes an index or goes on with it.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_STALE = f'SELECT EXISTS (SELECT 1 FROM "{MARK}".search_stale)'

Raw = Callable[..., AbstractAsyncContextManager[Any]]


class Searches:
    """Searches homes, and keeps their indexes.

    Args:
        raw: opens a transaction on a home, to read one snapshot or, ``writable``, as its owner.
    """

    def __init__(self, metadata: MetaData, dialect: Dialect, raw: Raw, *, roles: bool) -> None:
        self._index = Index.of(metadata, dialect)
        self._finder = None if self._index is None else Finder(self._index, dialect)
        self._raw = raw
        self._roles = roles
        self._catching: dict[str, asyncio.Task[None]] = {}
        #: Homes whose index is seen to be this code's.
        self._made: set[str] = set()

    async def search(self, home: Home, query: SearchQuery) -> SearchResults:
        """The hits in one home, as it is now."""
        if self._finder is None or not words_of(query.text):
            return SearchResults()
        if await self._is_behind(home):
            await self._caught_up(home)
        async with self._raw(home) as driver:
            return await self._finder.answer(driver, home.name, query)

    async def respell(self, home: Home) -> None:
        """Forgets the words that are nowhere any more, if the home has this very index."""
        if self._index is not None and not await self._is_another(home):
            async with self._raw(home, writable=True) as driver:
                await driver.execute(self._index.respell.replace(MARK, home.name))

    def forget(self, name: str) -> None:
        """A home went, or was migrated: its index may be another one now."""
        self._made.discard(name)

    async def close(self) -> None:
        """An index that is being made is gone on with at the next search."""
        for catching in self._catching.values():
            catching.cancel()
        await asyncio.gather(*self._catching.values(), return_exceptions=True)

    async def _is_behind(self, home: Home) -> bool:
        if home.name not in self._made and await self._is_another(home):
            return True
        self._made.add(home.name)
        async with self._raw(home) as driver:
            return bool(await driver.fetchval(_STALE.replace(MARK, home.name)))

    async def _is_another(self, home: Home) -> bool:
        assert self._index is not None
        async with self._raw(home) as driver:
            found = await driver.fetchval(DEFINITION.replace(MARK, home.name))
        return bool(found != self._index.definition)

    async def _caught_up(self, home: Home) -> None:
        """Once for all who wait for it, whether or not they go on waiting."""
        catching = self._catching.get(home.name)
        if catching is None:
            catching = asyncio.create_task(self._catch_up(home))
            self._catching[home.name] = catching
        await asyncio.shield(catching)

    async def _catch_up(self, home: Home) -> None:
        try:
            if home.name not in self._made:
                await self._make(home)
            while await self._step(home):
                pass
        finally:
            del self._catching[home.name]

    async def _make(self, home: Home) -> None:
        assert self._index is not None
        async with self._raw(home, writable=True) as driver:
            await driver.execute(_ALONE, f"search {home.name}")
            found = await driver.fetchval(DEFINITION.replace(MARK, home.name))
            if found != self._index.definition:
                script = ";\n".join(self._index.fresh(roles=home.name if self._roles else None))
                await driver.execute(script.replace(MARK, home.name))
        self._made.add(home.name)

    async def _step(self, home: Home) -> bool:
        """Puts in what is stale, some of it; whether there may be more."""
        index = self._index
        assert index is not None

        def of(sql: str) -> str:
            return sql.replace(MARK, home.name)

        async with self._raw(home, writable=True) as driver:
            await driver.execute(_ALONE, f"search {home.name}")
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
