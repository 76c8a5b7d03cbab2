"""The platform database as a file of SQLite, on the one machine that serves the platform."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.util.concurrency import greenlet_spawn

from mosaic_core.database import History, sqlite
from mosaic_core.database.inline import InlineSession, driver_of, is_usable
from mosaic_core.database.rights import unwritable
from mosaic_core.directory.database import SUBJECT, PlatformDatabase
from mosaic_core.head import install_guard
from mosaic_core.persistence import Problem

#: Connections that are kept for the next sessions.
_KEPT = 4
#: Of a connection: the rows of ten thousand tenants, and what they used, fit.
_CACHE_KIB = 4096


class PlatformFile(PlatformDatabase):
    """Connections are kept; a lock file beside it says whose turn it is to write."""

    def __init__(self, path: Path, history: History) -> None:
        super().__init__(history)
        self.path = path
        self.where = f"at {path}"
        self._turns = sqlite.Turns()
        # Of its own: no slow work in the event loop's threads delays a commit.
        self._committing = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._engine = create_async_engine(
            "sqlite+inline://",
            poolclass=NullPool,
            creator=partial(
                sqlite.open_inline,
                path,
                writable=True,
                mode="rwc",
                cache_kib=_CACHE_KIB,
                threads=self._committing,
            ),
            hide_parameters=True,  # they are what people wrote
        )
        sqlite.explicit_transactions(self._engine.sync_engine)
        install_guard(self._engine.sync_engine)
        #: Connections that nobody uses at the moment.
        self._idle: list[Connection] = []
        self._most_idle = _KEPT

    async def close(self) -> None:
        self._most_idle = 0
        while self._idle:
            self._idle.pop().close()
        self._committing.shutdown(wait=False)  # a commit that hangs holds nobody up

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        with sqlite.translating(SUBJECT):
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                async with InlineSession(connection) as session:
                    yield session
            finally:
                self._give_back(connection)

    @asynccontextmanager
    async def exclusive(self, *, reserve: bool = False) -> AsyncIterator[AsyncSession]:
        async with self._turns.take(self.path.with_suffix(".lock")), self.session() as session:
            yield session

    def _give_back(self, connection: Connection) -> None:
        if is_usable(connection) and len(self._idle) < self._most_idle:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> Connection:
        """A new connection; an engine's first one waits for what it asks."""
        return await greenlet_spawn(self._engine.sync_engine.connect)

    async def check(self) -> list[Problem]:
        return unwritable(self.path)

    async def _is_made(self) -> bool:
        return self.path.exists()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        with sqlite.translating(SUBJECT):
            async with self._engine.connect() as connection:
                driver = await connection.run_sync(driver_of)
                try:
                    yield connection
                finally:
                    await driver.commit_ended()

    @asynccontextmanager
    async def _making(self) -> AsyncIterator[AsyncConnection]:
        with sqlite.translating(f"The data folder {self.path.parent}", files=True):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        async with self._turns.take(self.path.with_suffix(".lock")):
            with sqlite.translating(SUBJECT):
                # Always: a process that was killed may have left a file without it.
                await asyncio.to_thread(_write_ahead, self.path)
            async with self._connected() as connection:
                yield connection


def _write_ahead(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
