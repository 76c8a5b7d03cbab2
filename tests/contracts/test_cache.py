"""Everything that shares a cache keeps the contract, and so does what stands in for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mosaic_cache_redis.plugin import mosaic_cache as redis

from mosaic_core.cache import Cache
from mosaic_core.provider import PlatformServices
from mosaic_core.shared_cache import SharedCache
from mosaic_core.testing.cache import CacheContract
from mosaic_core.testing.fakes import memory_cache
from tests.redis_server import RedisServer


class TestMemory(CacheContract):
    provider = memory_cache()


class TestRedis(CacheContract):
    provider = redis()

    @asynccontextmanager
    async def open(self, services: PlatformServices) -> AsyncIterator[Cache]:
        with RedisServer() as server:
            settings = self.provider.settings.model_validate({"url": server.url, "timeout": 10})
            async with self.provider.open(settings, services) as opened:
                yield opened


class TestShared(TestRedis):
    """As the platform uses it."""

    @asynccontextmanager
    async def open(self, services: PlatformServices) -> AsyncIterator[Cache]:
        async with super().open(services) as opened:
            yield SharedCache("cache_redis", opened)
