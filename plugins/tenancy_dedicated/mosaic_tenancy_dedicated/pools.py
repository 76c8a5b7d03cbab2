"""Databases that are open: each from its first use until it has been idle for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mosaic_core.server_databases import Home, ServerDatabase


@dataclass(slots=True)
class _Open:
    database: ServerDatabase
    users: int = 0
    used: float = 0.0


class Pools:
    """Open databases by the name of their home.

    Args:
        make: a database's pool; it connects when it is first asked for something.
        idle: seconds after its last use in which one is kept.
    """

    def __init__(self, make: Callable[[Home], ServerDatabase], idle: float) -> None:
        self._make = make
        self._idle = idle
        self._open: dict[str, _Open] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def use(self, home: Home) -> AsyncIterator[ServerDatabase]:
        """The database of a home, which stays open as long as somebody uses it."""
        opened = self._open.get(home.name)
        if opened is None:
            opened = self._open[home.name] = _Open(self._make(home))
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
        opened = self._open.pop(home.name, None)
        if opened is not None:
            await opened.database.close()

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
            for name, opened in list(self._open.items()):
                if not opened.users and opened.used < until:
                    del self._open[name]
                    await opened.database.close()
