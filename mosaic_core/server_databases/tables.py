"""What every home consists of, on whichever server."""

from __future__ import annotations

from sqlalchemy import Table

from mosaic_core.database import TenantSchema
from mosaic_core.head import TENANT


def tables_of(schema: TenantSchema) -> list[Table]:
    """Every table of a home, each after those that it points to: the kernel's, which may be
    declared elsewhere, and the schema's."""
    kernel = (TENANT.head, TENANT.changes, TENANT.outbox, TENANT.migrations)
    names = {table.name for table in kernel}
    return [*kernel, *(one for one in schema.metadata.sorted_tables if one.name not in names)]
