"""The page cache: finished responses by tenant, site and path.

An entry counts for one value of the tenant's ``published`` counter. It is bounded in bytes, and a
cold page is made once however many visitors wait for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mosaic_cms.web.responses import Finished

#: (tenant id, how the site calls itself, path), the latter with ``?page=`` in a listing.
Key = tuple[str, str, str]


class PageCache:
    """Keeps at most ``limit`` bytes; the least recently used go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, tuple[int, Finished]] = OrderedDict()
        self._making: dict[tuple[Key, int], asyncio.Task[Finished]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, published: int) -> Finished | None:
        """The response for this state of the tenant, if it is here."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != published:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    async def make(
        self, key: Key, published: int, make: Callable[[], Awaitable[tuple[Finished, bool]]]
    ) -> Finished:
        """Makes a response once for all who wait for it. ``make`` says whether to keep it.

        A visitor who goes away does not stop the making for the others.
        """
        task = self._making.get((key, published))
        if task is None:
            task = asyncio.create_task(self._made(key, published, make))
            self._making[(key, published)] = task
            task.add_done_callback(lambda done: self._finish(key, published, done))
        return await asyncio.shield(task)

    def _finish(self, key: Key, published: int, task: asyncio.Task[Finished]) -> None:
        self._making.pop((key, published), None)
        if not task.cancelled():
            task.exception()

    async def _made(
        self, key: Key, published: int, make: Callable[[], Awaitable[tuple[Finished, bool]]]
    ) -> Finished:
        finished, keep = await make()
        if keep and finished.size <= self._limit:
            self._put(key, published, finished)
        return finished

    def _put(self, key: Key, published: int, finished: Finished) -> None:
        before = self._entries.pop(key, None)
        if before is not None:
            self.bytes -= before[1].size
        self._entries[key] = (published, finished)
        self.bytes += finished.size
        while self.bytes > self._limit:
            _, (_, oldest) = self._entries.popitem(last=False)
            self.bytes -= oldest.size
