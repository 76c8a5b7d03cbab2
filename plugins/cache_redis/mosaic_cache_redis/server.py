"""The cache in a Redis server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mosaic_cache_redis.errors import translated
from mosaic_cache_redis.plugin import RedisSettings
from mosaic_core.cache import Rate, Taken

#: Seconds without a message after which the server is asked whether it is still there.
_QUIET = 10.0
#: Takes a token: the generic cell rate algorithm, by the server's clock. A key has the time, in
#: microseconds, at which its bucket is full again, and is gone by then.
_TAKE = """
local clock = redis.call("TIME")
local now = clock[1] * 1000000 + clock[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(now, tonumber(redis.call("GET", KEYS[1]) or now))
local after = full + interval
local most = now + burst * interval
if after > most then
    return {0, math.ceil(after - most), math.ceil(full - now)}
end
local lasts = math.max(1, math.ceil((after - now) / 1000))
redis.call("SET", KEYS[1], string.format("%.0f", after), "PX", lasts)
return {math.floor((most - after) / interval), 0, math.ceil(after - now)}
"""
#: Replaces a value that is still the one that was seen; none is seen as the flag 0.
_SWAP = """
local found = redis.call("GET", KEYS[1])
local same = ARGV[1] == "1" and found == ARGV[2] or ARGV[1] == "0" and not found
if same then
    redis.call("SET", KEYS[1], ARGV[3], "PX", ARGV[4])
end
return same and 1 or 0
"""


class RedisCache:
    """Implements :class:`mosaic_core.cache.Cache`. Nothing is connected before it is used."""

    def __init__(self, settings: RedisSettings, data_dir: Path) -> None:
        self._prefix = settings.prefix
        self._timeout = settings.timeout
        self._name = settings.url
        options: dict[str, Any] = {}
        if settings.ca_file is not None:
            options["ssl_ca_certs"] = str(data_dir / settings.ca_file)
        if settings.password is not None:
            options["password"] = settings.password.get_secret_value()
        pool = BlockingConnectionPool.from_url(
            settings.url,
            db=settings.database,
            username=settings.username,
            max_connections=settings.connections,
            timeout=settings.timeout,
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            protocol=2,  # every server speaks it, and says plainly who may not
            # Once more at once: a server that was started anew ended the connections that we keep.
            retry=Retry(NoBackoff(), 1),
            **options,
        )
        self._redis = Redis.from_pool(pool)
        self._take = self._redis.register_script(_TAKE)
        self._swap = self._redis.register_script(_SWAP)

    async def close(self) -> None:
        """Ends all connections."""
        await self._redis.aclose()

    async def get(self, key: str) -> bytes | None:
        async with self._asking():
            found: Any = await self._redis.get(self._prefix + key)
        return None if found is None else bytes(found)

    async def set(self, key: str, value: bytes, *, seconds: float) -> None:
        async with self._asking():
            await self._redis.set(self._prefix + key, value, px=_milliseconds(seconds))

    async def swap(self, key: str, seen: bytes | None, value: bytes, *, seconds: float) -> bool:
        given: list[bytes | int] = [
            int(seen is not None),
            seen or b"",
            value,
            _milliseconds(seconds),
        ]
        async with self._asking():
            return bool(await self._swap(keys=[self._prefix + key], args=given))

    async def delete(self, *keys: str) -> None:
        if keys:
            async with self._asking():
                await self._redis.delete(*(self._prefix + key for key in keys))

    async def take(self, key: str, rate: Rate) -> Taken:
        interval = rate.interval * 1e6
        async with self._asking():
            found = await self._take(keys=[self._prefix + key], args=[interval, rate.burst])
        remaining, wait, reset = found
        return Taken(remaining, wait / 1e6, reset / 1e6)

    async def publish(self, channel: str, message: str) -> None:
        async with self._asking():
            await self._redis.publish(self._prefix + channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        name = self._prefix + channel
        async with self._redis.pubsub() as listening:
            async with self._asking():
                await listening.subscribe(name)
                while (await listening.get_message(timeout=self._timeout)) is None:
                    pass  # until it says that we are subscribed
            yield self._messages(listening)

    async def _messages(self, listening: Any) -> AsyncIterator[str]:
        asked = False
        while True:
            with translated(self._name):
                found = await listening.get_message(timeout=_QUIET)
                if found is None:
                    if asked:
                        raise TimeoutError
                    await listening.ping()
            asked = found is None
            if found is not None and found["type"] == "message":
                yield found["data"].decode()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        with translated(self._name):
            async with asyncio.timeout(self._timeout):
                yield


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
