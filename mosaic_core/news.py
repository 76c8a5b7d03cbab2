"""News of moved heads: what was written here is seen by other instances at once.

Without it they look again after ``freshness``; so it does not matter when a message is lost.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mosaic_core.cache import Cache
from mosaic_core.directory import Directory
from mosaic_core.errors import CacheUnavailable
from mosaic_core.head import Heads

_CHANNEL = "heads"
#: Stands for the platform's own head; a tenant's id is a UUID.
_PLATFORM = "platform"
#: Seconds between two tries to listen: at first, and at most; and for what is left at the end.
_FIRST, _MOST, _LAST = 0.5, 30.0, 1.0
_log = logging.getLogger("mosaic.news")


class News:
    """Tells other processes whose head moved here, and hears of theirs."""

    def __init__(self, cache: Cache, heads: Heads, directory: Directory) -> None:
        self._cache = cache
        self._heads = heads
        self._directory = directory
        self._own = secrets.token_hex(8)
        self._moved: set[str] = set()
        self._some = asyncio.Event()

    def tell(self, tenant_id: str | None = None) -> None:
        """A head was moved by a commit: a tenant's, or the platform's. It is told soon."""
        self._moved.add(tenant_id or _PLATFORM)
        self._some.set()

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tells what there is to be told while the context lasts, what is left at its end."""
        task = asyncio.create_task(self._tell_all())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST):
                    await self._tell_moved()

    async def _tell_all(self) -> None:
        while True:
            await self._some.wait()
            await self._tell_moved()

    async def _tell_moved(self) -> None:
        self._some.clear()
        while self._moved:
            try:
                await self._cache.publish(_CHANNEL, f"{self._own} {self._moved.pop()}")
            except CacheUnavailable:
                pass
            except Exception:  # noqa: BLE001 - what is lost is found by looking
                _log.exception("news could not be told")

    async def listen(self) -> None:
        """Hears of the others, for ever; a cache that is away is tried again."""
        pause = _FIRST
        while True:
            try:
                async with self._cache.subscribe(_CHANNEL) as messages:
                    pause = _FIRST
                    async for message in messages:
                        self._heard(message)
            except CacheUnavailable:
                pass
            except Exception:  # noqa: BLE001 - whatever it is, the next time tries again
                _log.exception("news of other instances could not be read; trying again")
            await asyncio.sleep(pause)
            pause = min(_MOST, 2 * pause)

    def _heard(self, message: str) -> None:
        sender, _, whose = message.partition(" ")
        if sender == self._own:
            return
        if whose == _PLATFORM:
            self._directory.expire()
        else:
            self._heads.forget(whose)
