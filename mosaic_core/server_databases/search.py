"""Searches of homes: the index is brought up to what was written, and then asked.

The first search of a home makes its index: a tenant that nobody searches pays for none, and one
whose index this code defines in another way gets the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from mosaic_core.errors import DatabaseMissing
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.search.words import words_of
from mosaic_core.server_databases.backend import SearchIndex, Statements
from mosaic_core.server_databases.naming import Home

#: An index is caught up with so often at most before it answers: what is written all the time, or
#: made anew by a process of another version, does not keep a visitor waiting.
_MOST_CATCHING = 3

Raw = Callable[..., AbstractAsyncContextManager[Statements]]


class Searches:
    """Searches homes, and keeps their indexes.

    Args:
        index: None when nothing is searched.
        raw: opens a transaction on a home, to read one snapshot or, ``writable``, as its owner.
    """

    def __init__(self, index: SearchIndex | None, raw: Raw) -> None:
        self._index = index
        self._raw = raw
        self._catching: dict[str, asyncio.Task[None]] = {}
        #: Homes whose index is seen to be this code's.
        self._made: set[str] = set()

    async def search(self, home: Home, query: SearchQuery) -> SearchResults:
        """The hits in one home, as it is now."""
        index = self._index
        if index is None or not words_of(query.text):
            return SearchResults()
        for _ in range(_MOST_CATCHING):
            found = await self._if_level(index, home, query)
            if found is not None:
                return found
            await self._caught_up(index, home)
        async with self._raw(home) as driver:
            return await index.answer(driver, home.name, query)

    async def respell(self, home: Home) -> None:
        """Forgets the words that are nowhere any more, if the home has this very index."""
        index = self._index
        if index is not None and await self._is_made(index, home):
            async with self._raw(home, writable=True) as driver:
                await index.respell(driver, home.name)

    def forget(self, name: str) -> None:
        """A home went, or was migrated: its index may be another one now."""
        self._made.discard(name)

    async def close(self) -> None:
        """An index that is being made is gone on with at the next search."""
        for catching in self._catching.values():
            catching.cancel()
        await asyncio.gather(*self._catching.values(), return_exceptions=True)

    async def _if_level(
        self, index: SearchIndex, home: Home, query: SearchQuery
    ) -> SearchResults | None:
        """The hits, unless the index has to be made or caught up with before."""
        if not await self._has_index(index, home):
            return None
        try:
            async with self._raw(home) as driver:
                if await index.is_behind(driver, home.name):
                    return None
                return await index.answer(driver, home.name, query)
        except DatabaseMissing:
            # Another process migrated the home, or dropped it: then making the index says so.
            self.forget(home.name)
            return None

    async def _has_index(self, index: SearchIndex, home: Home) -> bool:
        if home.name not in self._made and await self._is_made(index, home):
            self._made.add(home.name)
        return home.name in self._made

    async def _is_made(self, index: SearchIndex, home: Home) -> bool:
        async with self._raw(home) as driver:
            return await index.is_made(driver, home.name)

    async def _caught_up(self, index: SearchIndex, home: Home) -> None:
        """Once for all who wait for it, whether or not they go on waiting."""
        catching = self._catching.get(home.name)
        if catching is None:
            catching = asyncio.create_task(self._catch_up(index, home))
            self._catching[home.name] = catching
        await asyncio.shield(catching)

    async def _catch_up(self, index: SearchIndex, home: Home) -> None:
        try:
            if home.name not in self._made:
                async with self._raw(home, writable=True) as driver:
                    await index.make(driver, home.name)
                self._made.add(home.name)
            more = True
            while more:
                async with self._raw(home, writable=True) as driver:
                    more = await index.step(driver, home.name)
        finally:
            del self._catching[home.name]
