"""What the platform database has of a tenant: found by its columns, every row with the tenant's id
and what a table declares. So a table that somebody adds is emptied too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, delete, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core import types
from mosaic_core.database import PlatformBase, is_derived
from mosaic_core.database.schema import is_kernel
from mosaic_core.head import PLATFORM, Write

#: What says of a tenant itself that it is, or that it was deleted, or who works at it.
_KEPT = frozenset({"tenants", "deletions", "leases"})


def _of_tenants() -> dict[Table, Any]:
    """The tables that have a tenant's id, with the class of each, those first that others need."""
    classes = {mapper.local_table: mapper.class_ for mapper in PlatformBase.registry.mappers}
    return {
        table: classes[table]
        for table in PlatformBase.metadata.sorted_tables
        if "tenant_id" in table.columns and table.name not in _KEPT and not is_kernel(table)
    }


async def remove_rows(session: AsyncSession, tenant_id: str) -> dict[str, int]:
    """Removes the rows of a tenant; returns how many of each table."""
    removed: dict[str, int] = {}
    for table, kind in reversed(_of_tenants().items()):
        mine = table.columns.tenant_id == tenant_id
        if is_derived(table):
            result: Any = await session.execute(delete(table).where(mine))
            removed[table.name] = result.rowcount
            continue
        rows = (await session.scalars(select(kind).where(mine))).all()
        for row in rows:
            await session.delete(row)
        await session.flush()
        removed[table.name] = len(rows)
    return removed


async def erase_images(write: Write, tenant_id: str, *, after: int, to: int) -> int:
    """Erases what the change log has of a tenant's rows in some versions; that they were there
    stays. Returns how many."""
    log = PLATFORM.changes
    entities = [table.name for table in _of_tenants() if not is_derived(table)]
    with write.permit.kernel():
        result: Any = await write.session.execute(
            update(log)
            .where(
                log.c.version > after,
                log.c.version <= to,
                log.c.entity.in_([*entities, "tenants"]),
                log.c.image.is_not(None),
                # An image is kept as text.
                type_coerce(log.c.image, types.Text()).contains(f'"{tenant_id}"', autoescape=True),
            )
            .values(image=None, salt=None)
        )
    return int(result.rowcount)
