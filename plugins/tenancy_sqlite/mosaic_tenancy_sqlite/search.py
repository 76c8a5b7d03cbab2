"""Searches of tenants' files, each in a thread and on a connection of its own.

Most take a millisecond or two; one for a frequent word, or through long texts, may take more, and
the event loop serves other tenants meanwhile. A few run at one time, so that threads are left for
what waits for the disk.

The first search of a file makes its index: a tenant that nobody searches pays for none, and one
whose index this code defines in another way gets the new one.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_tenancy_sqlite.finding import Finder
from mosaic_tenancy_sqlite.search_index import SearchIndex

#: Searches that run at one time, in a process.
_MOST = 2
#: Memory for a file's pages during one search.
_CACHE_KIB = 4_096


class Searches:
    """Searches files, and gives those an index that have none, or another one than this code's."""

    def __init__(self, schema: TenantSchema) -> None:
        self._index = SearchIndex.of(schema.metadata)
        self._finder = None if self._index is None else Finder(self._index)
        self._running = asyncio.Semaphore(_MOST)

    async def search(
        self,
        path: Path,
        query: SearchQuery,
        *,
        turn: AbstractAsyncContextManager[None],
        pages: int | None,
    ) -> SearchResults:
        """The hits in one file.

        Args:
            turn: at writing, in case that the index is to be made first.
            pages: the most that the file may have then.
        """
        async with self._running:
            found = await asyncio.to_thread(self._search, path, query)
            if found is None:
                async with turn:
                    await self.ensure(path, pages)
                found = await asyncio.to_thread(self._search, path, query)
        return found or SearchResults()

    async def ensure(self, path: Path, pages: int | None) -> None:
        """Makes the index unless the file has it. The turn at writing is the caller's."""
        if self._index is not None:
            await asyncio.to_thread(_ensure, self._index, path, pages)

    def _search(self, path: Path, query: SearchQuery) -> SearchResults | None:
        """None when the file has another index, or none."""
        if self._index is None or self._finder is None:
            return SearchResults()
        with closing(sqlite.connect(path, writable=False, cache_kib=_CACHE_KIB)) as connection:
            if not self._index.is_in(connection):
                return None
            return self._finder.answer(connection, query)


def _ensure(index: SearchIndex, path: Path, pages: int | None) -> None:
    with closing(sqlite.connect(path, writable=True)) as connection:
        if pages is not None:
            connection.execute(f"PRAGMA max_page_count = {pages}")
        if not index.is_in(connection):
            index.install(connection)
