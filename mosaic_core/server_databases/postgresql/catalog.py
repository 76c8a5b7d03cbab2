"""What PostgreSQL's catalogs say of homes."""

from __future__ import annotations

from collections.abc import Sequence

from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Statements
from mosaic_core.server_databases.looking import REPAIR

_EXISTS = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)"
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')
"""
_SCHEMAS = """
    SELECT nspname::text, obj_description(oid, 'pg_namespace')
      FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY nspname
"""
_TABLES = """
    SELECT c.relname::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname
"""
_INVALID = """
    SELECT 'the index ' || c.relname FROM pg_index i
      JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND NOT (i.indisvalid AND i.indisready)
     UNION ALL
    SELECT 'the constraint ' || c.conname FROM pg_constraint c
      JOIN pg_namespace n ON n.oid = c.connamespace
     WHERE n.nspname = $1 AND NOT c.convalidated
"""


async def exists(driver: Statements, name: str) -> bool:
    return bool(await driver.fetchval(_EXISTS, name))


async def schemas(driver: Statements, prefix: str) -> Sequence[tuple[str, str | None]]:
    return [(row[0], row[1]) for row in await driver.fetch(_SCHEMAS, prefix)]


async def tables(driver: Statements, name: str) -> list[str]:
    return [row[0] for row in await driver.fetch(_TABLES, name)]


async def size(driver: Statements, name: str) -> int:
    return int(await driver.fetchval(_SIZE, name))


async def faults(driver: Statements, name: str) -> list[Problem]:
    rows = await driver.fetch(_INVALID, name)
    return [Problem(name, f"{row[0]} is not valid", REPAIR) for row in rows]
