"""The strategy itself: one database for all, and a schema in it for each tenant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database import TenantSchema
from mosaic_core.persistence import Capabilities, HeadState, Problem, Rows, Stray
from mosaic_core.search import SearchQuery, SearchResults
from mosaic_core.server_databases import Home, Names, ServerDatabase, backend_of, stray_schemas
from mosaic_core.tenants import TenantContext, Tier
from mosaic_tenancy_sqlschema.identity import token
from mosaic_tenancy_sqlschema.plugin import SchemaSettings


class TenantSchemas:
    """Implements :class:`mosaic_core.persistence.Persistence`."""

    capabilities = Capabilities(single_host=False, verifies_pages=False)

    def __init__(
        self, settings: SchemaSettings, schema: TenantSchema, tiers: Mapping[str, Tier]
    ) -> None:
        self._names = Names(settings.prefix)
        backend, url = backend_of(
            settings.url.get_secret_value(), "[plugins.tenancy_sqlschema] url", token
        )
        self._database = ServerDatabase(
            backend,
            url,
            schema,
            tiers,
            connections=settings.connections,
            wait=settings.wait,
            roles=settings.roles,
        )

    async def close(self) -> None:
        await self._database.close()

    def _home(self, tenant: TenantContext) -> Home:
        return Home(tenant, self._names.of(tenant))

    def session(self, tenant: TenantContext) -> AbstractAsyncContextManager[AsyncSession]:
        return self._database.session(self._home(tenant))

    def exclusive(
        self, tenant: TenantContext, *, reserve: bool = False, deferred: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        return self._database.exclusive(self._home(tenant), reserve=reserve, deferred=deferred)

    async def head(self, tenant: TenantContext, *, behind: bool = False) -> HeadState:
        return await self._database.head(self._home(tenant), behind=behind)

    def glance(self, tenant: TenantContext) -> HeadState | None:
        return None  # a server is asked

    async def published(
        self, tenant: TenantContext, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        return await self._database.published(self._home(tenant), query, parameters)

    async def search(self, tenant: TenantContext, query: SearchQuery) -> SearchResults:
        return await self._database.search(self._home(tenant), query)

    async def size(self, tenant: TenantContext) -> int:
        return await self._database.size(self._home(tenant))

    async def provision(self, tenant: TenantContext, rows: Sequence[Rows] = ()) -> None:
        await self._database.provision(self._home(tenant), rows)

    async def revision(self, tenant: TenantContext) -> str:
        return await self._database.revision(self._home(tenant))

    async def migrate(self, tenant: TenantContext) -> str:
        return await self._database.migrate(self._home(tenant))

    async def compact(self, tenant: TenantContext) -> None:
        await self._database.compact(self._home(tenant))

    async def drop(self, tenant: TenantContext) -> None:
        await self._database.drop(self._home(tenant))

    async def check(self, tenant: TenantContext) -> list[Problem]:
        return await self._database.check(self._home(tenant))

    async def strays(self, known: Collection[str]) -> list[Stray]:
        return await stray_schemas(self._database, self._names, known)
