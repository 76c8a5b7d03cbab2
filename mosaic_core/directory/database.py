"""The platform database: one SQLite file with a head of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import AsyncAdaptedQueuePool, insert
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from mosaic_core.database import History, sqlite
from mosaic_core.database.inline import InlineConnection
from mosaic_core.errors import DatabaseMissing
from mosaic_core.head import PLATFORM, first_head, install_guard
from mosaic_core.head.guard import Permit, migrating, permitted

#: The owner in the platform database's head.
OWNER = "platform"
_SUBJECT = "The platform database"


class PlatformDatabase:
    """Sessions on ``platform.db``. Connections are kept; writes take turns among processes."""

    def __init__(self, path: Path, history: History) -> None:
        self.path = path
        self._history = history
        self._turns = sqlite.Turns()
        self._engine = create_async_engine(
            "sqlite+aiosqlite://",
            poolclass=AsyncAdaptedQueuePool,
            pool_size=4,
            async_creator=self._connect,
            hide_parameters=True,  # they are what people wrote
            execution_options={"schema_translate_map": {"platform": None}},
        )
        sqlite.explicit_transactions(self._engine.sync_engine)
        install_guard(self._engine.sync_engine)

    async def _connect(self) -> InlineConnection:
        return await sqlite.connect_inline(self.path, writable=True, mode="rwc")

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one snapshot; the guard refuses changes."""
        with sqlite.translating(_SUBJECT):
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def exclusive(self, *, reserve: bool = False) -> AsyncIterator[AsyncSession]:
        """The session of one write."""
        async with self._turns.take(self.path.with_suffix(".lock")):
            with sqlite.translating(_SUBJECT):
                async with (
                    self._engine.connect() as connection,
                    AsyncSession(connection, expire_on_commit=False) as session,
                ):
                    yield session

    async def revision(self) -> str:
        """The revision it stands at; empty when it was never made."""
        if not self.path.exists():
            return ""
        with sqlite.translating(_SUBJECT):
            async with self._engine.connect() as connection:
                await connection.execution_options(**migrating())
                return await connection.run_sync(self._history.read)

    async def require_current(self) -> None:
        """Raises what is wrong when the database is at no revision that the code can serve.

        Raises:
            DatabaseMissing: it was never made.
        """
        if not self.path.exists():
            raise DatabaseMissing(
                f"There is no platform database at {self.path}.",
                hint="Run 'mosaic migrate' to make it.",
            )
        revision = await self.revision()
        if revision != self._history.current:
            with sqlite.translating(_SUBJECT):
                async with self._engine.connect() as connection:
                    await connection.execution_options(**migrating())
                    applied = await connection.run_sync(self._history.read_applied)
            self._history.require_servable(revision, applied, _SUBJECT)

    async def migrate(self) -> str:
        """Makes the database or brings it to the current revision."""
        with sqlite.translating(f"The data folder {self.path.parent}", files=True):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        async with self._turns.take(self.path.with_suffix(".lock")):
            with sqlite.translating(_SUBJECT):
                # Always: a process that was killed may have left a file without it.
                await asyncio.to_thread(_write_ahead, self.path)
                async with self._engine.connect() as connection:
                    permit = Permit()
                    await connection.execution_options(**migrating(), **permitted(permit))
                    revision = await connection.run_sync(self._upgrade)
                    await connection.commit()
                return revision

    def _upgrade(self, connection: Connection) -> str:
        revision = self._history.upgrade(connection, _SUBJECT)
        if not connection.execute(PLATFORM.head.select()).first():
            connection.execute(insert(PLATFORM.head).values(**first_head(OWNER, 1)))
        return revision


def _write_ahead(path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
