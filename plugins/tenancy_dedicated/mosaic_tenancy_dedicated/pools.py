"""Databases that are open: each from its first use until it has been idle for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mosaic_core.server_databases import Home, ServerDatabase


@dataclass(slots=True)
class _Open:
    database: ServerDatabase
    users: int = 0
    used: float = 0.0


class Pools:
    """Open databases by the name of their home, and as what they are given: a tenant that gets
    another slug is looked for where the configuration has it under that one.

    Args:
        given: the slugs of the tenants whose database the operator gave.
        make: a database's pool; it connects when it is first asked for something.
        idle: seconds after its last use in which one is kept.
    """

    def __init__(
        self,
        given: Collection[str],
        make: Callable[[Home], ServerDatabase],
        idle: float,
    ) -> None:
        self._given = given
        self._make = make
        self._idle = idle
        self._open: dict[tuple[str, str | None], _Open] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def use(self, home: Home) -> AsyncIterator[ServerDatabase]:
        """The database of a home, which stays open as long as somebody uses it."""
        key = self._key(home)
        opened = self._open.get(key)
        if opened is None:
            opened = self._open[key] = _Open(self._make(home))
        opened.users += 1
        try:
            yield opened.database
        finally:
            opened.users -= 1
            opened.used = time.monotonic()
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = asyncio.create_task(self._sweep())

    async def close(self, home: Home) -> None:
        """Closes one, whoever uses it: it is no more."""
        opened = self._open.pop(self._key(home), None)
        if opened is not None:
            await opened.database.close()

    def _key(self, home: Home) -> tuple[str, str | None]:
        return home.name, home.tenant.slug if home.tenant.slug in self._given else None

    async def close_all(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
        while self._open:
            _, opened = self._open.popitem()
            await opened.database.close()

    async def _sweep(self) -> None:
        """Closes what is idle, until nothing is open."""
        while self._open:
            await asyncio.sleep(self._idle / 4)
            until = time.monotonic() - self._idle
            for key, opened in list(self._open.items()):
                if not opened.users and opened.used < until:
                    del self._open[key]
                    await opened.database.close()
