"""A cache that instances share, with this process's own in its place while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from mosaic_core.cache import Cache, Rate, Taken
from mosaic_core.errors import CacheUnavailable
from mosaic_core.memory_cache import MemoryCache

T = TypeVar("T")
#: Seconds until a cache that does not answer is asked again: first, and at most.
_FIRST, _MOST = 0.5, 30.0
_log = logging.getLogger("mosaic.cache")


class SharedCache:
    """Implements :class:`mosaic_core.cache.Cache`. Only ``subscribe`` and ``require`` ever raise.

    While the shared one is away nobody waits for it: one at a time asks, ever more rarely, and the
    log says once that it went and once that it is back.
    """

    def __init__(self, name: str, shared: Cache) -> None:
        self._name = name
        self._shared = shared
        self._own = MemoryCache()
        #: Seconds between two tries; 0 while it is there.
        self._pause = 0.0
        self._next = 0.0

    async def require(self) -> None:
        """Raises CacheUnavailable when the shared one is away, whatever is known of it."""
        await self._shared.get("require")

    async def get(self, key: str) -> bytes | None:
        return await self._ask(lambda cache: cache.get(key))

    async def set(self, key: str, value: bytes, *, seconds: float) -> None:
        await self._ask(lambda cache: cache.set(key, value, seconds=seconds))

    async def delete(self, *keys: str) -> None:
        await self._ask(lambda cache: cache.delete(*keys))

    async def take(self, key: str, rate: Rate) -> Taken:
        return await self._ask(lambda cache: cache.take(key, rate))

    async def publish(self, channel: str, message: str) -> None:
        await self._ask(lambda cache: cache.publish(channel, message))

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        try:
            async with self._shared.subscribe(channel) as messages:
                self._answered()
                yield messages
        except CacheUnavailable as error:
            self._failed(error)
            raise

    async def _ask(self, use: Callable[[Cache], Awaitable[T]]) -> T:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._pause  # whoever comes meanwhile does not wait
            try:
                result = await use(self._shared)
            except CacheUnavailable as error:
                self._failed(error)
            else:
                self._answered()
                return result
        return await use(self._own)

    def _failed(self, error: CacheUnavailable) -> None:
        if not self._pause:
            _log.warning("%s: %s Each instance goes on by itself.", self._name, error)
        self._pause = min(_MOST, 2 * self._pause) or _FIRST
        self._next = time.monotonic() + self._pause

    def _answered(self) -> None:
        if self._pause:
            _log.warning("%s is back.", self._name)
        self._pause = self._next = 0.0
