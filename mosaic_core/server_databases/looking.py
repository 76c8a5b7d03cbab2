"""What a home says of itself: its head and revision, and whether it is whole."""

# ruff: noqa: S608 - what is put into SQL is the mark for a name
from __future__ import annotations

from mosaic_core.database import History, TenantSchema
from mosaic_core.errors import DatabaseDamaged
from mosaic_core.persistence import Problem
from mosaic_core.server_databases.backend import Backend, Statements
from mosaic_core.server_databases.naming import MARK
from mosaic_core.tenants import TenantContext

HEAD = f'SELECT version, published, status, epoch FROM "{MARK}".head'
REVISIONS = f'SELECT version_num FROM "{MARK}".alembic_version'
_APPLIED = f'SELECT revision, required FROM "{MARK}".migrations'
_OWNERS = f'SELECT owner FROM "{MARK}".head'
#: What to do about a home that is not whole.
REPAIR = "Restore the database from a backup, or give the work to somebody who knows the server."


async def prove(
    backend: Backend, driver: Statements, name: str, tenant: TenantContext, history: History
) -> None:
    """Raises unless a home is the tenant's and at a revision that the code can serve.

    Raises:
        DatabaseBehind, DatabaseNewer, DatabaseDamaged: as they say.
    """
    subject = f"The database of {tenant.slug!r}"
    revisions = await driver.fetch(REVISIONS.replace(MARK, name))
    revision = ",".join(sorted(row[0] for row in revisions))
    if revision != history.current:
        there = "migrations" in await backend.tables(driver, name)
        applied = await driver.fetch(_APPLIED.replace(MARK, name)) if there else ()
        history.require_servable(revision, {row[0]: row[1] for row in applied}, subject)
    await prove_owner(driver, name, tenant)


async def prove_owner(driver: Statements, name: str, tenant: TenantContext) -> None:
    """Raises unless a home is the tenant's, at whatever revision.

    Raises:
        DatabaseDamaged: it has no head row, or another tenant's.
    """
    subject = f"The database of {tenant.slug!r}"
    owners = [row[0] for row in await driver.fetch(_OWNERS.replace(MARK, name))]
    if owners != [tenant.tenant_id]:
        raise DatabaseDamaged(
            f"{subject} ({name}) belongs to another tenant."
            if owners
            else f"{subject} has no head row.",
            hint="A schema was renamed or restored in the wrong place: restore this tenant's own.",
        )


async def check(
    backend: Backend, driver: Statements, name: str, schema: TenantSchema
) -> list[Problem]:
    """What is wrong with a home that :func:`prove` finds nothing wrong with."""
    there = set(await backend.tables(driver, name))
    wrong = [
        f"the table {table.name} is missing"
        for table in schema.metadata.sorted_tables
        if table.name not in there
    ]
    found = [Problem(name, what, REPAIR) for what in wrong]
    return found + await backend.faults(driver, name)
