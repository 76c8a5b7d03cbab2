"""Searches of tenants' files, each in a thread and on a connection that no other search has then.

Most take a millisecond or two; one for a frequent word, or through long texts, may take more, and
the event loop serves other tenants meanwhile. A few run at one time, so that threads are left for
what waits for the disk.

The first search of a file makes its index: a tenant that nobody searches pays for none, and one
whose index this code defines in another way gets the new one. While it is made, all else goes on:
visitors' reads, the tenant's writes between two steps, and searches of others.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from mosaic_core.database import TenantSchema, sqlite
from mosaic_core.file_databases.finding import Finder
from mosaic_core.file_databases.lending import Lending
from mosaic_core.file_databases.search_index import SearchIndex
from mosaic_core.search import SearchQuery, SearchResults

#: Searches that run at one time, in a process.
_MOST = 2
#: Files whose connection is kept for their next search, in a process.
_KEPT = 8
#: Memory for a file's pages during one search, and until the next one.
_CACHE_KIB = 4_096
#: Seconds of a step of making an index, and from one to the next, for others to write.
_STEP, _PAUSE = 0.25, 0.02
#: Seconds until an index is tried again for which there was no room.
_REFUSED = 600.0

Turn = Callable[[], AbstractAsyncContextManager[None]]


class Searches:
    """Searches files, and gives those an index that have none, or another one than this code's."""

    def __init__(self, schema: TenantSchema) -> None:
        self._index = SearchIndex.of(schema.metadata)
        self._finder = None if self._index is None else Finder(self._index)
        self._running = asyncio.Semaphore(_MOST)
        self._files = Lending(_KEPT, _connect)
        self._making: dict[Path, asyncio.Task[None]] = {}
        #: Until when no index is made, for want of room.
        self._refused: dict[Path, float] = {}

    async def search(
        self, path: Path, query: SearchQuery, *, turn: Turn, pages: int | None
    ) -> SearchResults:
        """The hits in one file.

        Args:
            turn: at writing, in case that the index is to be made first.
            pages: the most that the file may have then.

        Raises:
            sqlite3.Error, Full: as SQLite says; there is no room for the index.
        """
        found = await self._run(path, query)
        if found is None:
            await self._made(path, turn, pages)
            found = await self._run(path, query)
        return found or SearchResults()

    async def ensure(self, path: Path, pages: int | None) -> None:
        """Makes the index unless the file has it. The turn at writing is the caller's."""
        while not await asyncio.to_thread(self._step, path, pages, math.inf):
            pass

    def compact(self, connection: sqlite3.Connection) -> None:
        """Makes the index smaller, if the file has it. The turn at writing is the caller's."""
        if self._index is not None:
            self._index.respell(connection)

    def close(self, path: Path) -> None:
        """Closes one file, unless it is being searched."""
        self._files.close(path)

    async def close_all(self) -> None:
        """Closes all files. An index that is being made is gone on with at the next search."""
        for making in self._making.values():
            making.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        self._files.close_all()

    async def _run(self, path: Path, query: SearchQuery) -> SearchResults | None:
        async with self._running:
            return await asyncio.to_thread(self._search, path, query)

    def _search(self, path: Path, query: SearchQuery) -> SearchResults | None:
        """None when the file has another index, or none."""
        if self._finder is None:
            return SearchResults()
        with self._files.lend(path) as connection:
            return self._finder.answer(connection, query)

    async def _made(self, path: Path, turn: Turn, pages: int | None) -> None:
        """Makes the index once for all who wait for it, whether or not they go on waiting."""
        if self._refused.get(path, 0.0) > time.monotonic():
            raise sqlite.Full("There is no room for an index.")
        if path not in self._making:
            self._making[path] = asyncio.create_task(self._make(path, turn, pages))
        await asyncio.shield(self._making[path])

    async def _make(self, path: Path, turn: Turn, pages: int | None) -> None:
        try:
            while True:
                async with turn():
                    if await asyncio.to_thread(self._step, path, pages, _STEP):
                        break
                await asyncio.sleep(_PAUSE)
            self._refused.pop(path, None)
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                self._refused[path] = time.monotonic() + _REFUSED
            raise
        finally:
            del self._making[path]

    def _step(self, path: Path, pages: int | None, seconds: float) -> bool:
        """Whether the file has the index now. Where there is no room, it has nothing of it."""
        if self._index is None:
            return True
        with closing(sqlite.connect(path, writable=True)) as connection:
            if pages is not None:
                connection.execute(f"PRAGMA max_page_count = {pages}")
            try:
                return self._index.step(connection, seconds)
            except sqlite3.Error as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    self._index.remove(connection)
                raise


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite.connect(path, writable=False, cache_kib=_CACHE_KIB, any_thread=True)
