"""A new schema is made of what the tables declare, which is what the migrations lead to."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from mosaic_cms.product import tenant_schema
from mosaic_core.database import TenantSchema
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import toy_schema
from tests.plugins.tenancy_sqlschema.schemas import Schemas

_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, collation_name, numeric_precision,
           numeric_scale, datetime_precision, column_default
      FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, 2
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(c.oid)
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace
     WHERE nspname = $1 ORDER BY 1, 2, 3
"""
_INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = $1 ORDER BY 1, 2"


async def _facts(connection: asyncpg.Connection[Any], name: str) -> list[str]:
    """All that the database knows of a schema's tables, without the schema's name."""
    found = []
    for sql in (_COLUMNS, _CONSTRAINTS, _INDEXES):
        for row in await connection.fetch(sql, name):
            found.append(repr(tuple(row)).replace(name, "home"))
    return sorted(found)


def _made_both_ways(schemas: Schemas, schema: TenantSchema) -> tuple[list[str], list[str]]:
    async def main() -> tuple[list[str], list[str]]:
        tenant, migrated = make_tenant(), f"{schemas.prefix}_migrated"
        async with schemas.opened(schema=schema) as strategy:
            await strategy.provision(tenant)
        engine = create_async_engine(
            schemas.postgres.url(), execution_options={"schema_translate_map": {"tenant": migrated}}
        )
        async with engine.begin() as connection:
            await connection.execute(text(f'CREATE SCHEMA "{migrated}"'))
            await connection.run_sync(schema.history.upgrade, "a new schema")
        await engine.dispose()
        async with schemas.connected() as connection:
            declared = await _facts(connection, schemas.name(tenant.tenant_id))
            return declared, await _facts(connection, migrated)

    return asyncio.run(main())


def test_the_product_s_migrations_lead_to_what_a_new_schema_has(schemas: Schemas) -> None:
    declared, migrated = _made_both_ways(schemas, tenant_schema())
    assert len(declared) > 200
    assert declared == migrated


def test_the_toys_migrations_lead_there_too(schemas: Schemas) -> None:
    declared, migrated = _made_both_ways(schemas, toy_schema(newer=False))
    assert declared == migrated
