"""What a home says of itself: its head, revision and size, and whether it is whole."""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

from typing import Any

from mosaic_core.database import History, TenantSchema
from mosaic_core.errors import DatabaseDamaged
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.making import MARK
from mosaic_core.tenants import TenantContext

HEAD = f'SELECT version, published, status, epoch FROM "{MARK}".head'
REVISIONS = f'SELECT version_num FROM "{MARK}".alembic_version'
_HAS_APPLIED = f"SELECT to_regclass('\"{MARK}\".migrations') IS NOT NULL"
_APPLIED = f'SELECT revision, required FROM "{MARK}".migrations'
SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')
"""
SCHEMAS = """
    SELECT nspname::text, obj_description(oid, 'pg_namespace')
      FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY nspname
"""
_OWNERS = f'SELECT owner FROM "{MARK}".head'
_TABLES = """
    SELECT c.relname::text, format('%I.%I', n.nspname, c.relname)
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
_REPAIR = "Restore the database from a backup, or give the work to somebody who knows PostgreSQL."


async def prove(driver: Any, name: str, tenant: TenantContext, history: History) -> None:
    """Raises unless a home is the tenant's and at a revision that the code can serve.

    Raises:
        DatabaseBehind, DatabaseNewer, DatabaseDamaged: as they say.
    """
    subject = f"The database of {tenant.slug!r}"
    revisions = await driver.fetch(REVISIONS.replace(MARK, name))
    revision = ",".join(sorted(row[0] for row in revisions))
    if revision != history.current:
        there = await driver.fetchval(_HAS_APPLIED.replace(MARK, name))
        applied = await driver.fetch(_APPLIED.replace(MARK, name)) if there else ()
        history.require_servable(revision, {row[0]: row[1] for row in applied}, subject)
    owners = [row[0] for row in await driver.fetch(_OWNERS.replace(MARK, name))]
    if owners != [tenant.tenant_id]:
        raise DatabaseDamaged(
            f"{subject} ({name}) belongs to another tenant."
            if owners
            else f"{subject} has no head row.",
            hint="A schema was renamed or restored in the wrong place: restore this tenant's own.",
        )


async def exists(driver: Any, name: str) -> bool:
    """Whether there is a schema of this name."""
    sql = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)"
    return bool(await driver.fetchval(sql, name))


async def tables(driver: Any, name: str) -> list[str]:
    """The tables of a home, as a statement names them."""
    return [row[1] for row in await driver.fetch(_TABLES, name)]


async def check(driver: Any, name: str, schema: TenantSchema) -> list[Problem]:
    """What is wrong with a home that :func:`prove` finds nothing wrong with."""
    there = {row[0] for row in await driver.fetch(_TABLES, name)}
    wrong = [
        f"the table {table.name} is missing"
        for table in schema.metadata.sorted_tables
        if table.name not in there
    ]
    wrong += [f"{row[0]} is not valid" for row in await driver.fetch(_INVALID, name)]
    return [Problem(name, what, _REPAIR) for what in wrong]
