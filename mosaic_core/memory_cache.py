"""A cache in the memory of one process: the one of a deployment that shares none."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from mosaic_core.cache import Rate, Taken

if TYPE_CHECKING:
    from throttled.asyncio import MemoryStore, Throttled

#: Values, and buckets, that are kept: those used last.
_MOST = 50_000


class MemoryCache:
    """Implements :class:`mosaic_core.cache.Cache`; gone with the process."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._buckets: dict[Rate, Throttled] = {}
        self._listening: dict[str, set[asyncio.Queue[str]]] = {}

    async def get(self, key: str) -> bytes | None:
        value, until = self._values.get(key, (None, 0.0))
        if value is None or until <= time.monotonic():
            self._values.pop(key, None)
            return None
        self._values.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, *, seconds: float) -> None:
        self._values[key] = (value, time.monotonic() + seconds)
        self._values.move_to_end(key)
        if len(self._values) > _MOST:
            self._values.popitem(last=False)

    async def swap(self, key: str, seen: bytes | None, value: bytes, *, seconds: float) -> bool:
        if await self.get(key) != seen:
            return False
        await self.set(key, value, seconds=seconds)
        return True

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self._values.pop(key, None)

    async def take(self, key: str, rate: Rate) -> Taken:
        bucket = self._buckets.get(rate)
        if bucket is None:
            bucket = self._buckets[rate] = self._bucket(rate)
        result = await bucket.limit(key)
        state = result.state
        wait = max(state.retry_after, 1e-6) if result.limited else 0.0
        return Taken(int(state.remaining), wait, state.reset_after)

    @cached_property
    def _store(self) -> MemoryStore:
        # Here, since the library brings Redis's client along where that is installed, and few
        # commands of the command line take a token.
        from throttled.asyncio import MemoryStore

        return MemoryStore(options={"MAX_SIZE": _MOST})

    def _bucket(self, rate: Rate) -> Throttled:
        from throttled.asyncio import Throttled, rate_limiter

        period = rate_limiter.Rate(timedelta(seconds=rate.seconds), rate.limit)
        quota = rate_limiter.Quota(period, rate.burst)
        # The generic cell rate algorithm: a bucket of tokens that is kept as one time, exact to
        # the fraction of a token. The library's own bucket of tokens counts whole seconds.
        return Throttled(using="gcra", quota=quota, store=self._store)

    async def publish(self, channel: str, message: str) -> None:
        for queue in self._listening.get(channel, ()):
            queue.put_nowait(message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        listening = self._listening.setdefault(channel, set())
        listening.add(queue)

        async def messages() -> AsyncIterator[str]:
            while True:
                yield await queue.get()

        try:
            yield messages()
        finally:
            listening.discard(queue)
