"""Opened strategies for the tests of one database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from mosaic_tenancy_sqlschema.plugin import SchemaSettings, open_schemas
from mosaic_tenancy_sqlschema.schemas import TenantSchemas

from mosaic_core.database import TenantSchema
from mosaic_core.tenants import Limits, Tier
from mosaic_core.testing.services import ROOMY, make_services
from tests.postgres import PostgreSQL


class Schemas:
    """A place in a database, by a prefix of its own, that strategies are opened for."""

    def __init__(self, postgres: PostgreSQL, folder: Path) -> None:
        self.postgres = postgres
        self.prefix = f"t{secrets.token_hex(5)}"
        self._folder = folder

    @asynccontextmanager
    async def opened(
        self, *, schema: TenantSchema | None = None, limit: int | None = None, **settings: Any
    ) -> AsyncIterator[TenantSchemas]:
        services = make_services(self._folder, schema=schema)
        limits = Limits.model_validate({"database": limit})
        services.tiers[ROOMY] = Tier(persistence="x", storage="x", limits=limits)  # type: ignore[index]
        given = {"url": self.postgres.url(), "prefix": self.prefix} | settings
        async with open_schemas(SchemaSettings.model_validate(given), services) as strategy:
            assert isinstance(strategy, TenantSchemas)
            yield strategy

    @asynccontextmanager
    async def connected(self, user: str = "postgres") -> AsyncIterator[asyncpg.Connection[Any]]:
        """Somebody else's connection to the database."""
        connection = await asyncpg.connect(
            host=str(self.postgres.folder), user=user, database="postgres"
        )
        try:
            yield connection
        finally:
            await connection.close()

    def name(self, tenant_id: str, epoch: int = 1) -> str:
        return f"{self.prefix}_{tenant_id}_{epoch}"
