"""A cache that instances share, which may be away: with and without something in its place."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from mosaic_core.cache import Cache, Rate, Taken
from mosaic_core.errors import CacheUnavailable
from mosaic_core.memory_cache import MemoryCache

T = TypeVar("T")
#: Seconds until a cache that does not answer is asked again: first, and at most.
_FIRST, _MOST = 0.5, 30.0
_log = logging.getLogger("mosaic.cache")


class _Asking(ABC):
    """What is asked of a cache, in some way."""

    @abstractmethod
    async def _ask(self, use: Callable[[Cache], Awaitable[T]]) -> T: ...

    async def get(self, key: str) -> bytes | None:
        return await self._ask(lambda cache: cache.get(key))

    async def set(self, key: str, value: bytes, *, seconds: float) -> None:
        await self._ask(lambda cache: cache.set(key, value, seconds=seconds))

    async def swap(self, key: str, seen: bytes | None, value: bytes, *, seconds: float) -> bool:
        return await self._ask(lambda cache: cache.swap(key, seen, value, seconds=seconds))

    async def delete(self, *keys: str) -> None:
        await self._ask(lambda cache: cache.delete(*keys))

    async def take(self, key: str, rate: Rate) -> Taken:
        return await self._ask(lambda cache: cache.take(key, rate))

    async def publish(self, channel: str, message: str) -> None:
        await self._ask(lambda cache: cache.publish(channel, message))


class WatchedCache(_Asking):
    """Implements :class:`mosaic_core.cache.Cache`. While it is away nobody waits for it.

    One at a time asks then, ever more rarely, and for the others it raises at once. The log says
    once that it went and once that it is back.
    """

    def __init__(self, name: str, cache: Cache) -> None:
        self._name = name
        self._cache = cache
        #: Seconds between two tries; 0 while it is there.
        self._pause = 0.0
        self._next = 0.0

    async def require(self) -> None:
        """Raises CacheUnavailable when it is away, whatever is known of it."""
        await self._cache.get("require")

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        try:
            async with self._cache.subscribe(channel) as messages:
                self._answered()
                yield messages
        except CacheUnavailable as error:
            self._failed(error)
            raise

    async def _ask(self, use: Callable[[Cache], Awaitable[T]]) -> T:
        now = time.monotonic()
        if now < self._next:
            raise CacheUnavailable(f"{self._name} is away.", hint="It is tried again in a while.")
        self._next = now + self._pause  # whoever comes meanwhile does not wait
        try:
            result = await use(self._cache)
        except CacheUnavailable as error:
            self._failed(error)
            raise
        self._answered()
        return result

    def _failed(self, error: CacheUnavailable) -> None:
        if not self._pause:
            _log.warning("%s: %s Each instance goes on by itself.", self._name, error)
        self._pause = min(_MOST, 2 * self._pause) or _FIRST
        self._next = time.monotonic() + self._pause

    def _answered(self) -> None:
        if self._pause:
            _log.warning("%s is back.", self._name)
        self._pause = self._next = 0.0


class SharedCache(_Asking):
    """Implements :class:`mosaic_core.cache.Cache`, with this process's own in its place while it is
    away. Only ``subscribe`` ever raises."""

    def __init__(self, name: str, shared: Cache) -> None:
        #: The shared one, which says so when it is away.
        self.watched = WatchedCache(name, shared)
        self._own = MemoryCache()

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.watched.subscribe(channel)

    async def _ask(self, use: Callable[[Cache], Awaitable[T]]) -> T:
        try:
            return await use(self.watched)
        except CacheUnavailable:
            return await use(self._own)
