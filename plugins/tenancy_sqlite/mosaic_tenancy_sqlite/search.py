"""Searches of tenants' files, each in a thread and on a connection that no other search has then.

Most take a millisecond or two; one for a frequent word, or through long texts, may take more, and
the event loop serves other tenants meanwhile. A few run at one time, so that threads are left for
what waits for the disk.

The first search of a file makes its index: a tenant that nobody searches pays for none, and one
whose index this code defines in another way gets the new one. That may take seconds, in which
nobody can write to the file; searches of others go on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_tenancy_sqlite.finding import Finder
from mosaic_tenancy_sqlite.lending import Lending
from mosaic_tenancy_sqlite.search_index import SearchIndex

#: Searches that run at one time, in a process.
_MOST = 2
#: Files whose connection is kept for their next search, in a process.
_KEPT = 8
#: Memory for a file's pages during one search, and until the next one.
_CACHE_KIB = 4_096


class Searches:
    """Searches files, and gives those an index that have none, or another one than this code's."""

    def __init__(self, schema: TenantSchema) -> None:
        self._index = SearchIndex.of(schema.metadata)
        self._finder = None if self._index is None else Finder(self._index)
        self._running = asyncio.Semaphore(_MOST)
        self._files = Lending(_KEPT, _connect)
        self._making: dict[Path, asyncio.Task[None]] = {}

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
        found = await self._run(path, query)
        if found is None:
            await self._made(path, turn, pages)
            found = await self._run(path, query)
        return found or SearchResults()

    async def ensure(self, path: Path, pages: int | None) -> None:
        """Makes the index unless the file has it. The turn at writing is the caller's."""
        if self._index is not None:
            await asyncio.to_thread(_ensure, self._index, path, pages)

    def compact(self, connection: sqlite3.Connection) -> None:
        """Makes the index smaller, if the file has it. The turn at writing is the caller's."""
        if self._index is not None:
            self._index.respell(connection)

    def close(self, path: Path) -> None:
        """Closes one file, unless it is being searched."""
        self._files.close(path)

    async def close_all(self) -> None:
        """Closes all files, once the indexes are made that are being made."""
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        self._files.close_all()

    async def _made(
        self, path: Path, turn: AbstractAsyncContextManager[None], pages: int | None
    ) -> None:
        """Makes the index once for all who wait for it, whether or not they go on waiting."""
        making = self._making.get(path)
        if making is None:

            async def make() -> None:
                try:
                    async with turn:
                        await self.ensure(path, pages)
                finally:
                    del self._making[path]

            making = self._making[path] = asyncio.create_task(make())
        await asyncio.shield(making)

    async def _run(self, path: Path, query: SearchQuery) -> SearchResults | None:
        async with self._running:
            return await asyncio.to_thread(self._search, path, query)

    def _search(self, path: Path, query: SearchQuery) -> SearchResults | None:
        """None when the file has another index, or none."""
        if self._index is None or self._finder is None:
            return SearchResults()
        with self._files.lend(path) as connection:
            if not self._index.is_in(connection):
                return None
            return self._finder.answer(connection, query)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite.connect(path, writable=False, cache_kib=_CACHE_KIB, any_thread=True)


def _ensure(index: SearchIndex, path: Path, pages: int | None) -> None:
    with closing(sqlite.connect(path, writable=True)) as connection:
        if pages is not None:
            connection.execute(f"PRAGMA max_page_count = {pages}")
        if not index.is_in(connection):
            index.install(connection)
