"""Databases on servers: made on one for each tenant, or one that the operator gave.

A home is a schema in it, named as the database is: so a given database may hold a tenant's next
home beside the old one while it moves.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import URL, Select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database import TenantSchema
from mosaic_core.persistence import Capabilities, HeadState, Problem, Rows, Stray
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases import (
    Backend,
    Home,
    Names,
    ServerDatabase,
    made_at,
    stray_schemas,
    whole,
)
from mosaic_core.tenants import TenantContext, Tier
from mosaic_tenancy_dedicated.plugin import DedicatedSettings
from mosaic_tenancy_dedicated.pools import Pools


@dataclass(frozen=True, slots=True)
class Opening:
    """What every database is opened with."""

    settings: DedicatedSettings
    schema: TenantSchema
    tiers: Mapping[str, Tier]

    def database(self, backend: Backend, url: URL) -> ServerDatabase:
        """A pool; it connects when it is first asked for something."""
        return ServerDatabase(
            backend,
            url,
            self.schema,
            self.tiers,
            connections=self.settings.connections,
            wait=self.settings.wait,
        )


class _OnServer(ABC):
    """What is the same, whoever made the database. Implements, with a subclass,
    :class:`mosaic_core.persistence.Persistence`."""

    capabilities = Capabilities(single_host=False, verifies_pages=False)

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._names = Names(opening.settings.prefix)
        self._pools = Pools(self._database, opening.settings.idle)

    async def close(self) -> None:
        await self._pools.close_all()

    @abstractmethod
    def _database(self, home: Home) -> ServerDatabase:
        """The database that a home is in."""

    def _home(self, tenant: TenantContext) -> Home:
        return Home(tenant, self._names.of(tenant))

    @asynccontextmanager
    async def session(self, tenant: TenantContext) -> AsyncIterator[AsyncSession]:
        home = self._home(tenant)
        async with self._pools.use(home) as database, database.session(home) as session:
            yield session

    @asynccontextmanager
    async def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AsyncIterator[AsyncSession]:
        home = self._home(tenant)
        async with (
            self._pools.use(home) as database,
            database.exclusive(home, reserve=reserve, deferred=deferred) as session,
        ):
            yield session

    async def head(self, tenant: TenantContext, *, behind: bool = False) -> HeadState:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.head(home, behind=behind)

    def glance(self, tenant: TenantContext) -> HeadState | None:
        return None  # a server is asked

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.published(home, query, parameters)

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.search(home, query)

    async def size(self, tenant: TenantContext) -> int:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.size(home)

    async def revision(self, tenant: TenantContext) -> str:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.revision(home)

    async def migrate(self, tenant: TenantContext) -> str:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.migrate(home)

    async def compact(self, tenant: TenantContext) -> None:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            await database.compact(home)

    async def check(self, tenant: TenantContext) -> list[Problem]:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.check(home)


class GivenDatabase(_OnServer):
    """A database that the operator gave; nothing but schemas is made and removed there."""

    def __init__(self, opening: Opening, backend: Backend, url: URL) -> None:
        super().__init__(opening)
        self._backend = backend
        self._url = url

    def _database(self, home: Home) -> ServerDatabase:
        return self._opening.database(self._backend, self._url)

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            await database.provision(home, rows)

    async def drop(self, tenant: TenantContext) -> None:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            await database.drop(home)

    async def strays(self, known: Collection[str]) -> list[Stray]:
        database = self._opening.database(self._backend, self._url)
        try:
            return await stray_schemas(database, self._names, known)
        finally:
            await database.close()


class MadeDatabases(_OnServer):
    """Databases that are made and removed on one server."""

    def __init__(self, opening: Opening, backend: Backend, url: URL) -> None:
        super().__init__(opening)
        self._backend = backend
        self._server = backend.server(url, wait=opening.settings.wait)
        #: Who makes or removes a database does so alone, in this process.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        await super().close()
        await self._server.close()

    def _database(self, home: Home) -> ServerDatabase:
        return self._opening.database(self._backend, self._server.url(home))

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        home = self._home(tenant)
        async with self._turn(home):
            # One that a killed process left without a tenant in it is used.
            make = not await self._server.has(home)
            await whole(self._provision(home, rows, make=make), lambda: self._remove(home))

    async def _provision(self, home: Home, rows: Sequence[Rows], *, make: bool) -> None:
        """Makes the database and what is in it; nobody sees a tenant there before it is whole."""
        if make:  # one that another process makes meanwhile is not ours to remove
            await self._server.make(home)
        try:
            async with self._pools.use(home) as database:
                await database.provision(home, rows)
        except BaseException:
            if make:
                await self._remove(home)
            raise

    async def drop(self, tenant: TenantContext) -> None:
        home = self._home(tenant)
        async with self._turn(home):
            await self._remove(home)

    async def _remove(self, home: Home) -> None:
        await self._pools.close(home)
        await self._server.drop(home)

    async def strays(self, known: Collection[str]) -> list[Stray]:
        return [
            Stray.of(
                name,
                "No tenant of the directory has this database",
                made_at(comment),
                home,
                f'run DROP DATABASE "{name}" there',
            )
            for name, comment in await self._server.databases(f"{self._names.prefix}_")
            if (home := self._names.home(name)) is not None and home.tenant_id not in known
        ]

    @asynccontextmanager
    async def _turn(self, home: Home) -> AsyncIterator[None]:
        lock = self._turns.setdefault(home.name, asyncio.Lock())
        async with lock:
            yield
