"""The platform database as a schema on a database server, for a platform that several machines
serve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.database import History
from mosaic_core.directory.database import SUBJECT, PlatformDatabase
from mosaic_core.head import PLATFORM
from mosaic_core.head.guard import migrating
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Backend, Transaction
from mosaic_core.server_databases.connections import Connections


class PlatformSchema(PlatformDatabase):
    """One pool of connections; the turn at writing is the server's.

    Args:
        backend: what its kind of server does in its own way.
        url: of a database, with the driver; its user may make tables in the schema, and the schema
            unless somebody else made it.
        name: of the schema.
        connections: that this process opens at most.
        wait: seconds to wait for one.
    """

    def __init__(
        self,
        backend: Backend,
        url: URL,
        history: History,
        *,
        name: str,
        connections: int,
        wait: float,
    ) -> None:
        super().__init__(history)
        self._backend = backend
        self._name = name
        database = f"the database {url.database!r} at {backend.where(url)}"
        self.where = f"in the schema {name} of {database}"
        self._connections = Connections(
            backend,
            url,
            connections=connections,
            wait=wait,
            missing=f"Check that there is {database}; 'mosaic migrate' makes the tables in it.",
        )

    async def close(self) -> None:
        await self._connections.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with self._session(Transaction(reads=True)) as session:
            yield session

    @asynccontextmanager
    async def exclusive(self, *, reserve: bool = False) -> AsyncIterator[AsyncSession]:
        async with self._session(Transaction(alone=self._name)) as session:
            yield session

    @asynccontextmanager
    async def _session(self, transaction: Transaction) -> AsyncIterator[AsyncSession]:
        with self._connections.translating(SUBJECT):
            async with self._connections.session(SUBJECT, self._schemas, transaction) as session:
                yield session

    async def check(self) -> list[Problem]:
        with self._connections.translating(SUBJECT):
            async with self._connections.driver(SUBJECT) as driver:
                return await self._backend.faults(driver, self._name)

    async def _is_made(self) -> bool:
        with self._connections.translating(SUBJECT):
            async with self._connections.driver(SUBJECT) as driver:
                return PLATFORM.head.name in await self._backend.tables(driver, self._name)

    @asynccontextmanager
    async def _connected(self, transaction: Transaction | None = None) -> AsyncIterator[Any]:
        with self._connections.translating(SUBJECT):
            connected = self._connections.connected(
                SUBJECT, self._schemas, transaction, **migrating()
            )
            async with connected as connection:
                yield connection

    @asynccontextmanager
    async def _making(self) -> AsyncIterator[AsyncConnection]:
        # What is there is changed in the turn of those who write to it.
        made = await self._is_made()
        async with self._connected(Transaction(alone=self._name) if made else None) as connection:
            if not made:
                driver = await self._connections.statements(connection)
                await self._backend.make_schema(connection, driver, self._name)
            yield connection

    @property
    def _schemas(self) -> dict[str, str]:
        return {"platform": self._name}
