"""The strategy itself: a database for each tenant, made on one server or given by the operator.

A home is a schema in it, named as the database is: so a given database may hold a tenant's next
home beside the old one while it moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import URL, Select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database import TenantSchema
from mosaic_core.errors import DatabaseError
from mosaic_core.persistence import Capabilities, HeadState, Problem, Rows
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases import (
    Backend,
    Home,
    Names,
    ServerDatabase,
    age,
    backend_of,
    stray_schemas,
    whole,
)
from mosaic_core.tenants import TenantContext, Tier
from mosaic_tenancy_dedicated.identity import token
from mosaic_tenancy_dedicated.plugin import DedicatedSettings
from mosaic_tenancy_dedicated.pools import Pools

_SETTING = "[plugins.tenancy_dedicated] {}"


class TenantDatabases:
    """Implements :class:`mosaic_core.persistence.Persistence`."""

    capabilities = Capabilities(single_host=False, verifies_pages=False)

    def __init__(
        self, settings: DedicatedSettings, schema: TenantSchema, tiers: Mapping[str, Tier]
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._tiers = tiers
        self._names = Names(settings.prefix)
        self._backend, url = backend_of(
            settings.url.get_secret_value(), _SETTING.format("url"), token
        )
        self._given = {
            slug: backend_of(given.get_secret_value(), _SETTING.format(f"given.{slug}"), token)
            for slug, given in settings.given.items()
        }
        self._server = self._backend.server(url, wait=settings.wait)
        self._pools = Pools(self._given, self._make_pool, settings.idle)
        #: Who makes or removes a database does so alone, in this process.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        await self._pools.close_all()
        await self._server.close()

    def _home(self, tenant: TenantContext) -> Home:
        return Home(tenant, self._names.of(tenant))

    def _make_pool(self, home: Home) -> ServerDatabase:
        given = self._given.get(home.tenant.slug)
        return self._opened(*(given or (self._backend, self._server.url(home))))

    def _opened(self, backend: Backend, url: URL) -> ServerDatabase:
        return ServerDatabase(
            backend,
            url,
            self._schema,
            self._tiers,
            connections=self._settings.connections,
            wait=self._settings.wait,
        )

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

    async def head(self, tenant: TenantContext) -> HeadState:
        home = self._home(tenant)
        async with self._pools.use(home) as database:
            return await database.head(home)

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

    # Life

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        home = self._home(tenant)
        if tenant.slug in self._given:
            async with self._pools.use(home) as database:
                await database.provision(home, rows)
            return
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
            if tenant.slug in self._given:
                async with self._pools.use(home) as database:
                    await database.drop(home)
            else:
                await self._remove(home)

    async def _remove(self, home: Home) -> None:
        await self._pools.close(home)
        await self._server.drop(home)

    async def strays(self, known: Collection[str]) -> list[Problem]:
        found = []
        for name, comment in await self._server.databases(f"{self._names.prefix}_"):
            tenant_id = self._names.tenant_id(name)
            if tenant_id is not None and tenant_id not in known:
                found.append(
                    Problem(
                        name,
                        f"No tenant of the directory has this database, made {age(comment)}.",
                        "A process was killed before it made the tenant known. The database is "
                        "never read: if no tenant is being made right now and platform.db is not "
                        f'from an old backup, run DROP DATABASE "{name}" there',
                    )
                )
        for slug, (backend, url) in self._given.items():
            database = self._opened(backend, url)
            found += await self._strays_in(slug, database, known)
        return found

    async def _strays_in(
        self, slug: str, database: ServerDatabase, known: Collection[str]
    ) -> list[Problem]:
        """The homes in a database that the operator gave; one that cannot be looked at does not
        keep the others from being."""
        try:
            return await stray_schemas(database, self._names, known)
        except DatabaseError as error:
            return [Problem(f"given.{slug}", error.message, error.hint)]
        finally:
            await database.close()

    @asynccontextmanager
    async def _turn(self, home: Home) -> AsyncIterator[None]:
        lock = self._turns.setdefault(home.name, asyncio.Lock())
        async with lock:
            yield
